"""Discord's rules, each broken by a client: its answer, and the breach on record."""

from __future__ import annotations

import json

from rateway.model.intents import Intent
from tests.simulator.bench import BenchCase


class OpeningTests(BenchCase):
    """What is judged before anything is said."""

    def test_hello_comes_first(self) -> None:
        """The first payload is HELLO, with the interval in milliseconds."""
        self.start(heartbeat_interval=41.25)
        hello = self.connect().wire.payloads[0]
        self.assertEqual((hello["op"], hello["d"]["heartbeat_interval"]), (10, 41250))

    def test_wrong_version(self) -> None:
        """Another version than 10, or none, is closed with 4012."""
        for query in ({"v": "9", "encoding": "json"}, {"encoding": "json"}):
            self.start()
            self.assert_closed(self.connect(query), 4012, "api-version")

    def test_unknown_transport(self) -> None:
        """An encoding or compression that isn't offered is closed with 4012."""
        for more in ({"encoding": "etf"}, {"compress": "gzip"}):
            self.start()
            self.assert_closed(self.connect({"v": "10", **more}), 4012, "query")


class PayloadTests(BenchCase):
    """What every payload must be."""

    def test_too_large(self) -> None:
        """4096 bytes pass, 4097 are closed with 4002; bytes count, not characters."""
        self.start()
        client = self.ready()
        frame = {"op": 3, "d": {"since": None, "activities": [], "status": "idle", "afk": False, "x": ""}}
        room = 4096 - len(json.dumps(frame))
        frame["d"]["x"] = "y" * room  # type: ignore[index]
        client.say(json.dumps(frame).encode())
        self.assertIsNone(client.wire.close)
        frame["d"]["x"] = "\u00e9" + "y" * (room - 1)  # type: ignore[index]
        client.say(json.dumps(frame, ensure_ascii=False).encode())
        self.assert_closed(client, 4002, "payload-size")

    def test_no_json(self) -> None:
        """What isn't JSON, isn't UTF-8 or has no op is closed with 4002."""
        for data in (b'{"op":1', b'"\xff"', b"[1]", b'{"d":1}', b'{"op":"1"}', b'{"op":true}', b""):
            self.start()
            client = self.connect()
            client.say(data)
            self.assert_closed(client, 4002, "undecodable")

    def test_unknown_op(self) -> None:
        """An op that bots don't have is closed with 4001."""
        for op in (0, 5, 7, 12, 99, -1):
            self.start()
            client = self.ready()
            client.tell(op, None)
            self.assert_closed(client, 4001, "unknown-op")

    def test_send_limit(self) -> None:
        """120 payloads in 60 s pass, IDENTIFY and heartbeats included; the next one is closed with 4008."""
        self.start()
        client = self.ready()
        for number in range(119):
            self.clock.advance(0.1)
            client.tell(1, None if number % 2 else 1)
        self.assertIsNone(client.wire.close)
        client.tell(1, 1)
        self.assert_closed(client, 4008, "send-limit")

    def test_send_limit_slides(self) -> None:
        """What was sent 60 s ago no longer counts."""
        self.start()
        client = self.ready()
        for _ in range(400):
            self.clock.advance(0.5)
            client.tell(1, None)
        self.assertIsNone(client.wire.close)


class HeartbeatTests(BenchCase):
    """Heartbeats, and their absence."""

    def test_acknowledged(self) -> None:
        """Each heartbeat gets op 11, also before IDENTIFY."""
        self.start()
        client = self.connect()
        client.tell(1, None)
        self.assertEqual(client.wire.payloads[-1], {"t": None, "s": None, "op": 11, "d": None})

    def test_late(self) -> None:
        """A client that stops heartbeating is closed, resumably."""
        self.start(heartbeat_interval=10.0)
        client = self.ready()
        self.clock.pump([1.0] * 14)
        self.assertIsNone(client.wire.close)
        client.tell(1, 1)
        self.clock.pump([1.0] * 14)
        self.assertIsNone(client.wire.close)
        self.clock.pump([1.0] * 2)
        self.assert_closed(client, 4000, "late-heartbeat")
        self.assertEqual(len(self.hub.sessions), 1)

    def test_punctual(self) -> None:
        """One that heartbeats every interval stays."""
        self.start(heartbeat_interval=10.0)
        client = self.ready()
        for _ in range(50):
            self.clock.advance(10.0)
            client.tell(1, None)
        self.assertEqual(self.broken(), [])


class IdentifyTests(BenchCase):
    """What an IDENTIFY may not do."""

    def test_wrong_token(self) -> None:
        """Another token is closed with 4004; the prefix "Bot" is allowed."""
        self.start()
        client = self.connect()
        client.identify(token="Bot nobody's")
        self.assert_closed(client, 4004, "wrong-token")
        self.start()
        self.assertEqual(self.ready(token="Bot simulator-token").wire.names(), ["READY"])

    def test_bad_shapes(self) -> None:
        """Missing or wrong fields are closed with 4001."""
        for more in (
            {"intents": "1"},
            {"intents": True},
            {"properties": None},
            {"presence": 1},
            {"large_threshold": 10},
        ):
            self.start()
            client = self.connect()
            client.identify(**more)
            self.assert_closed(client, 4001, "identify-shape")

    def test_invalid_shard(self) -> None:
        """A shard outside of its total, or a total that isn't the large bot's multiple, is closed with 4010."""
        for shard, total, multiple in ((2, 2, 1), (-1, 2, 1), ("0", 1, 1), (0, 24, 16), (0, 0, 1)):
            self.start(shards_multiple=multiple)
            client = self.connect()
            client.identify(shard, total)
            self.assert_closed(client, 4010, "invalid-shard")

    def test_no_shard(self) -> None:
        """Without a shard it is shard 0 of 1, and READY names none."""
        self.start(identify_window=0.0)
        client = self.connect()
        client.tell(2, {"token": "simulator-token", "intents": 0, "properties": {}})
        (ready,) = client.wire.all("READY")
        self.assertNotIn("shard", ready["d"])
        self.assertEqual(self.ready(1, 2, intents=0).wire.all("READY")[0]["d"]["shard"], [1, 2])
        self.assertEqual([(i.shard, i.total) for i in self.hub.journal.identifies], [(0, 1), (1, 2)])

    def test_sharding_required(self) -> None:
        """More than 2500 guilds on a shard are closed with 4011."""
        self.start(guilds=2501, members=0)
        client = self.connect()
        client.identify()
        self.assert_closed(client, 4011, "sharding-required")
        self.assertEqual(self.ready(0, 2).wire.names()[0], "READY")

    def test_invalid_intents(self) -> None:
        """An unknown bit is closed with 4013."""
        for intents in (1 << 17, 1 << 26, -1):
            self.start()
            client = self.connect()
            client.identify(intents=intents)
            self.assert_closed(client, 4013, "invalid-intents")

    def test_disallowed_intents(self) -> None:
        """A privileged intent that isn't enabled is closed with 4014; others need not be."""
        self.start(allowed_intents=int(Intent.GUILD_MEMBERS))
        client = self.connect()
        client.identify(intents=int(Intent.GUILDS | Intent.MESSAGE_CONTENT))
        self.assert_closed(client, 4014, "disallowed-intents")
        self.assertEqual(self.ready(intents=int(Intent.GUILDS | Intent.GUILD_MEMBERS)).wire.names(), ["READY"])

    def test_twice(self) -> None:
        """A second IDENTIFY or RESUME on a connection is closed with 4005."""
        for op in (2, 6):
            self.start(identify_window=0.0)
            client = self.ready()
            client.tell(op, {"token": "simulator-token"})
            self.assert_closed(client, 4005, "already-authenticated")

    def test_command_first(self) -> None:
        """A command before IDENTIFY is closed with 4003."""
        for op in (3, 4, 8, 31, 43):
            self.start()
            client = self.connect()
            client.tell(op, {})
            self.assert_closed(client, 4003, "not-authenticated")


class ConcurrencyTests(BenchCase):
    """One IDENTIFY per key and five seconds."""

    def test_too_early(self) -> None:
        """A second one of the same key within 5 s is answered by op 9 false; after them it may try again."""
        self.start(max_concurrency=2)
        self.ready(0, 4)
        self.clock.advance(4.99)
        second = self.connect()
        second.identify(2, 4)
        self.assertEqual(second.wire.payloads[-1], {"t": None, "s": None, "op": 9, "d": False})
        self.assertEqual(self.broken(), ["identify-concurrency"])
        self.clock.advance(0.01)
        second.identify(2, 4)
        self.assertEqual(len(second.wire.all("READY")), 1)
        self.assertEqual([i.answer for i in self.hub.journal.identifies], ["ready", "invalid", "ready"])

    def test_keys_are_independent(self) -> None:
        """Shards of different keys identify at once."""
        self.start(max_concurrency=2)
        self.ready(0, 4)
        self.ready(1, 4)
        self.assertEqual(self.broken(), [])
        self.assertEqual([(i.shard, i.key) for i in self.hub.journal.identifies], [(0, 0), (1, 1)])

    def test_daily_allowance(self) -> None:
        """Beyond the allowance the token is reset: every connection is closed with 4004, and nobody gets in."""
        self.start(session_remaining=2, identify_window=0.0)
        first, second = self.ready(0, 4), self.ready(1, 4)
        third = self.connect()
        third.identify(2, 4)
        self.assertEqual(self.broken(), ["daily-allowance"])
        self.assertEqual([c.wire.close and c.wire.close[0] for c in (first, second, third)], [4004] * 3)
        self.assertEqual(len(self.hub.sessions), 0)
        late = self.connect()
        late.identify(0, 4)
        self.assertEqual(late.wire.close and late.wire.close[0], 4004)

    def test_daily_allowance_is_renewed(self) -> None:
        """A day after the first IDENTIFY the allowance is whole again."""
        self.start(session_total=2, session_remaining=2)
        self.ready()
        self.assertEqual(self.hub.allowance.remaining, 1)
        self.assertAlmostEqual(self.hub.allowance.reset_after(self.clock.seconds()), 86400.0, 3)
        self.clock.advance(86400.0)
        self.assertEqual(self.hub.allowance.reset_after(self.clock.seconds()), 0.0)
        self.assertEqual(self.hub.allowance.remaining, 2)


class ResumeTests(BenchCase):
    """What a RESUME may not do."""

    def test_wrong_token(self) -> None:
        """Another token is closed with 4004."""
        self.start()
        client = self.connect()
        client.resume("x", 1, token="nobody's")
        self.assert_closed(client, 4004, "wrong-token")

    def test_bad_shape(self) -> None:
        """A session or sequence of a wrong type is closed with 4001."""
        for session, seq in ((1, 1), ("x", None), ("x", "1"), ("x", True)):
            self.start()
            client = self.connect()
            client.resume(session, seq)
            self.assert_closed(client, 4001, "resume-shape")

    def test_unknown_session(self) -> None:
        """Op 9 false answers a session that doesn't exist; that is no breach."""
        self.start()
        client = self.connect()
        client.resume("f" * 32, 1)
        self.assertEqual(client.wire.payloads[-1]["d"], False)
        self.assertEqual((self.broken(), self.hub.journal.resumes[0].answer), ([], "invalid"))

    def test_sequence_of_the_future(self) -> None:
        """A sequence that was never sent is closed with 4007, and the session is over."""
        self.start()
        first = self.ready()
        first.leave()
        second = self.connect()
        second.resume(first.session_id, 2)
        self.assert_closed(second, 4007, "resume-sequence")
        self.assertEqual(len(self.hub.sessions), 0)
