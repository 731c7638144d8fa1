"""Gateway commands: to the right shard, in time, each with its answer."""

from __future__ import annotations

import ujson
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from rateway.amqp.inbox import Delivery
from rateway.cluster.commands import GatewayCommands, named_shard, owning_shard
from rateway.errors import RequestRefused

from .fakes import RecordingAnswers, RecordingShard, delivery

PRESENCE = b'{"op":3,"d":{"since":null,"activities":[],"status":"online","afk":false}}'
GUILD = 6 << 22
VOICE = ujson.dumps(
    {"op": 4, "d": {"guild_id": str(GUILD), "channel_id": None, "self_mute": False, "self_deaf": False}}
).encode()


class GatewayCommandsTests(SynchronousTestCase):
    """Cluster 2 of 3, shards 2 and 3 of 6."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(100)
        self.answers = RecordingAnswers()
        self.shards = {2: RecordingShard(), 3: RecordingShard()}
        self.wall = 5000.0
        self.passed_on: list[tuple[int, int, bytes, float]] = []
        self.commands = GatewayCommands(
            self.clock, "rateway-2", self.answers, self.shards, self.elsewhere, 6, 2, 30.0, lambda: self.wall
        )

    def elsewhere(self, shard: int, op: int, payload: bytes, left: float) -> Deferred[None]:
        """What isn't for this cluster's shards."""
        self.passed_on.append((shard, op, payload, left))
        return succeed(None) if shard else fail(RequestRefused("the process of shard 0 is not running"))

    def refusal(self) -> str:
        """The reason of the only answer sent."""
        ((exchange, key, body, correlation_id, _),) = self.answers.sent
        self.assertEqual((exchange, key, correlation_id), ("", "q", b"c"))
        answer = ujson.loads(body)
        self.assertEqual(answer["status"], "refused")
        return str(answer["error"])

    def command(self, body: bytes, headers: dict[str, object] | None = None, timestamp: int | None = None) -> None:
        self.commands.received(
            delivery(
                body,
                routing_key="gateway",
                headers=headers,
                reply_to="q",
                correlation_id=b"c",
                timestamp=timestamp,
            )
        )

    def test_goes_to_the_shard_of_the_header(self) -> None:
        """The payload reaches the shard as the bot wrote it, and the answer comes when it is written."""
        self.command(PRESENCE, {"shard_id": 3})
        self.assertEqual(self.shards[3].sent, [(3, PRESENCE, 130.0)])
        self.assertEqual(self.answers.sent, [])
        self.shards[3].waiting[0].callback(None)
        self.assertEqual(self.answers.sent, [("", "q", b'{"status":"sent"}', b"c", None)])

    def test_goes_to_the_shard_that_owns_the_guild(self) -> None:
        """Without the header, guild_id tells the shard, be it of this cluster or of another."""
        for shard in (2, 1):
            self.command(VOICE.replace(str(GUILD).encode(), str((6 + shard) << 22).encode()))
        self.assertEqual(len(self.shards[2].sent), 1)
        ((shard, op, _, left),) = self.passed_on
        self.assertEqual((shard, op, left), (1, 4, 30.0))
        self.assertEqual(self.answers.sent, [("", "q", b'{"status":"sent"}', b"c", None)])

    def test_refusal_from_elsewhere_is_answered(self) -> None:
        """What another process refuses is told to the bot."""
        self.command(VOICE)
        self.assertEqual(self.refusal(), "the process of shard 0 is not running")

    def test_wrong_headers_are_refused(self) -> None:
        """A missing header, one of another type, and a foreign shard are refused with the reason."""
        cases: tuple[tuple[dict[str, object], str], ...] = (
            ({}, "missing"),
            ({"shard_id": "3"}, "integer"),
            ({"shard_id": True}, "integer"),
            ({"shard_id": 3.0}, "integer"),
            ({"shard_id": 5}, "rateway-3"),
            ({"shard_id": -1}, "no shard -1"),
            ({"shard_id": 6}, "no shard 6"),
        )
        for headers, word in cases:
            self.answers.sent.clear()
            self.command(PRESENCE, headers)
            self.assertIn(word, self.refusal())
        self.assertEqual((self.shards[2].sent, self.shards[3].sent), ([], []))

    def test_forbidden_payloads_are_refused(self) -> None:
        """Heartbeats, IDENTIFY, RESUME, unknown ops and garbage never reach a shard."""
        for body in (
            b'{"op":1,"d":1}',
            b'{"op":2,"d":{}}',
            b'{"op":6,"d":{}}',
            b'{"op":99,"d":{}}',
            b"",
            b"[]",
            b"\xff",
        ):
            self.answers.sent.clear()
            self.command(body, {"shard_id": 3})
            self.refusal()
        self.assertEqual(self.shards[3].sent, [])

    def test_too_large_is_refused_by_bytes(self) -> None:
        """4097 bytes of multi-byte text are too many, though they are fewer characters."""
        text = "é" * 2100
        body = ujson.dumps(
            {
                "op": 3,
                "d": {"since": None, "activities": [{"name": text, "type": 0}], "status": "online", "afk": False},
            },
            ensure_ascii=False,
        ).encode()
        self.assertGreater(len(body), 4096)
        self.command(body, {"shard_id": 3})
        self.assertIn("4096", self.refusal())

    def test_too_long_to_be_taken_in(self) -> None:
        """A body that was let go by is refused all the same."""
        self.commands.received(
            Delivery("gateway", b"", {"shard_id": 3}, reply_to="q", correlation_id=b"c", too_long=9_000_000)
        )
        self.assertEqual(self.refusal(), "a body of 9000000 bytes is too long")
        self.assertEqual(self.shards[3].sent, [])

    def test_age_counts_from_the_timestamp(self) -> None:
        """What lay in the queue has that much less time left; what lay too long is refused."""
        self.command(PRESENCE, {"shard_id": 3}, timestamp=4989)
        self.assertEqual(self.shards[3].sent[0][2], 120.0)
        self.command(PRESENCE, {"shard_id": 3}, timestamp=4900)
        self.assertIn("COMMAND_TTL", self.refusal())

    def test_timestamp_of_the_future_is_now(self) -> None:
        """A sender whose clock runs ahead gets the full time, not more."""
        self.command(PRESENCE, {"shard_id": 3}, timestamp=99_999)
        self.assertEqual(self.shards[3].sent[0][2], 130.0)

    def test_refusal_by_the_shard_is_answered(self) -> None:
        """What the shard can't send in time is answered with its reason."""
        self.command(PRESENCE, {"shard_id": 3})
        self.shards[3].waiting[0].errback(RequestRefused("not connected"))
        self.assertEqual(self.refusal(), "not connected")

    def test_bug_of_the_shard_is_answered_and_logged(self) -> None:
        """A failure of ours is told without details, and logged whole."""
        self.command(PRESENCE, {"shard_id": 3})
        self.shards[3].waiting[0].errback(RuntimeError("oops"))
        self.assertIn("log", self.refusal())
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_a_fault_in_reading_it_is_answered_and_logged(self) -> None:
        """What nobody foresaw costs the message, and its sender hears of it."""
        commands = GatewayCommands(
            self.clock, "rateway-2", self.answers, self.shards, self.elsewhere, 6, 2, 30.0, lambda: 1 // 0
        )
        commands.received(delivery(PRESENCE, routing_key="gateway", reply_to="q", correlation_id=b"c", timestamp=1))
        self.assertIn("log", self.refusal())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_refused_without_reply_to_is_one_warning(self) -> None:
        """Nobody to answer: one line in the log, with the reason."""
        with capturedLogs() as logs:
            self.commands.received(delivery(b"nonsense", routing_key="gateway", headers={"shard_id": 3}))
        self.assertEqual([event["log_level"] for event in logs], [LogLevel.warn])
        self.assertEqual(self.answers.sent, [])

    def test_sent_without_reply_to_is_silent(self) -> None:
        """The original's bots ask for no answer and get none."""
        self.commands.received(delivery(PRESENCE, routing_key="gateway", headers={"shard_id": 3}))
        self.shards[3].waiting[0].callback(None)
        self.assertEqual(self.answers.sent, [])

    @given(st.binary(max_size=80), st.dictionaries(st.just("shard_id"), st.integers() | st.text() | st.none()))
    @settings(deadline=None, database=None)
    def test_no_message_does_harm(self, body: bytes, headers: dict[str, object]) -> None:
        """Whatever comes, one answer is sent, or the shard has the command."""
        answers, shards = RecordingAnswers(), {2: RecordingShard(), 3: RecordingShard()}
        commands = GatewayCommands(
            self.clock, "rateway-2", answers, shards, self.elsewhere, 6, 2, 30.0, lambda: self.wall
        )
        commands.received(delivery(body, routing_key="gateway", headers=headers, reply_to="q"))
        self.assertEqual(len(answers.sent) + len(shards[2].sent) + len(shards[3].sent), 1)


class FindShardTests(SynchronousTestCase):
    """Whose command it is."""

    def test_header(self) -> None:
        """The header names a shard, or there is none, or it is refused."""
        self.assertEqual(named_shard({"shard_id": 4}), 4)
        self.assertIsNone(named_shard({}))
        self.assertRaises(RequestRefused, named_shard, {"shard_id": "4"})

    def test_guild_may_be_a_number_or_text(self) -> None:
        """Ids come as strings of digits or as integers."""
        self.assertEqual(owning_shard({"guild_id": 9 << 22}, 6), 3)
        self.assertEqual(owning_shard({"guild_id": str(9 << 22)}, 6), 3)
        self.assertRaises(RequestRefused, owning_shard, {"guild_id": "abc"}, 6)
        self.assertRaises(RequestRefused, owning_shard, {}, 6)
