"""Gateway commands of bots (acceptance criteria 40, 42, 43, and each case of docs/user-guide.md)."""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping
from typing import Any

import ujson
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread

from rateway.simulator.gateway.behaviour import Behaviour
from rateway.simulator.simulator import Simulator

from . import raw
from .harness import WorldTestCase
from .payloads import channel_info, members, presence, presence_of, sounds, voice
from .program import Program
from .worker import Worker

SENT = {"status": "sent"}
REFUSED = "refused a gateway command"


def names(simulator: Simulator, shard: int = 0) -> list[str]:
    """The names in the presences that reached Discord by a shard."""
    return [
        command.d["activities"][0]["name"]  # type: ignore[index]
        for command in simulator.commands
        if command.op == 3 and command.shard == shard
    ]


class CommandTests(WorldTestCase):
    """What a bot sends by the routing key ``gateway``."""

    def assert_untroubled(self, simulator: Simulator, connections: int = 1) -> None:
        """No connection ended."""
        self.assertEqual((len(simulator.connections), simulator.closes), (connections, []))

    async def assert_refused(self, worker: Worker, payload: object, *words: str, **options: Any) -> None:
        """The command is refused, and the answer says these words."""
        answer = await worker.command(1, payload, **options)
        self.assertEqual((answer.keys(), answer["status"]), ({"status", "error"}, "refused"), answer)
        for word in words:
            self.assertIn(word, answer["error"])

    async def by_hand(self, worker: Worker, payload: object, fields: Mapping[str, bytes], tag: str) -> Any:
        """The answer to a command whose header table is written byte by byte."""
        answer = worker.expect(tag)
        header = raw.properties(
            raw.HEADERS | raw.CORRELATION_ID | raw.REPLY_TO,
            raw.table(fields),
            raw.short(tag),
            raw.short(worker.reply_queue),
        )

        def publish() -> None:
            with raw.RawPublisher(self.amqp) as publisher:
                publisher.publish("rateway-1", "gateway", header, ujson.dumps(payload).encode())

        await deferToThread(publish)
        return ujson.loads((await answer).body)

    async def assert_nothing_redelivered(self, program: Program) -> None:
        """Everything was acknowledged: once rateway is gone, its inbox is empty."""
        self.assertEqual(await program.stop(), 0)
        self.assertEqual(await self.vhost.depth("rateway-incoming-1"), 0)

    async def test_criterion_40_more_than_4096_bytes(self) -> None:
        """4097 bytes of fewer characters are refused here, 4096 are sent; the connection knows nothing of it."""
        simulator, _, worker = await self.up()
        over, at_limit = presence_of(4097), presence_of(4096)
        self.assertLess(len(over.decode()), 4096)
        await self.assert_refused(worker, over, "4097", "4096", shard=0)
        self.assertEqual(await worker.command(1, at_limit, shard=0), SENT)
        await self.until(lambda: simulator.commands, "the command")
        self.assertEqual([command.d for command in simulator.commands], [ujson.loads(at_limit)["d"]])
        self.assert_untroubled(simulator)

    async def test_criterion_42_fifty_presences_in_a_second(self) -> None:
        """At most five presences go out in any 20 s, the last wins, and each sender learns what became of theirs."""
        simulator, _, worker = await self.up()
        answers: list[Any] = []

        def change() -> None:
            answer = worker.ask(1, "gateway", ujson.dumps(presence(str(len(answers)))).encode(), {"shard_id": 0})
            answers.append(None)
            number = len(answers) - 1
            answer.addCallback(lambda got: answers.__setitem__(number, ujson.loads(got.body)))
            if len(answers) == 50:
                changes.stop()

        changes = LoopingCall(change)
        await changes.start(0.02)
        await self.until(lambda: names(simulator)[-1:] == ["49"] and None not in answers, "the last presence")
        times = [frame.at for frame in simulator.frames if frame.op == 3]
        for at in times:
            self.assertLessEqual(sum(at <= other < at + 20.0 for other in times), 5, times)
        sent = [number for number, answer in enumerate(answers) if answer == SENT]
        self.assertEqual([str(number) for number in sent], names(simulator))
        self.assertEqual(
            {answer["error"] for answer in answers if answer != SENT}, {"superseded by a newer presence"}, answers
        )
        self.assert_untroubled(simulator)

    async def test_criterion_43_foreign_ops_and_garbage(self) -> None:
        """IDENTIFY, HEARTBEAT, RESUME, unknown ops and what is no payload are refused; nothing reaches Discord."""
        simulator, program, worker = await self.up()
        before = len(simulator.frames)
        for op in (0, 1, 2, 5, 6, 7, 9, 10, 11, 12, 13, 99, -3, 2**63, True, None, "3", 3.0, [3]):
            await self.assert_refused(worker, {"op": op, "d": presence("x")["d"]}, "op", shard=0)
        garbage: list[bytes] = [
            b"",
            b"null",
            b"[]",
            b'"op"',
            b"{}",
            b'{"op":3',
            b'{"op":3,"d":{}}',
            b'{"op":3,"d":null}',
            b'{"op":3}',
            b'{"op":4,"d":{"guild_id":"x","channel_id":null}}',
            b'{"op":8,"d":{"guild_id":"1"}}',
            b'{"op":31,"d":{"guild_ids":"1"}}',
            b'{"op":43,"d":{"guild_id":"1","fields":[]}}',
            b'{"op":3,"op":2,"d":{}}',
            b"\xff\xfe",
            b'{"op":3,"d":{"since":NaN,"activities":[],"status":"online","afk":false}}',
            b'{"op":3,"d":{"since":null,"activities":[],"status":"on\xff","afk":false}}',
            b"[" * 4000,
        ]
        for body in garbage:
            await self.assert_refused(worker, body, shard=0)
        self.assertEqual(await worker.command(1, presence("fine"), 0), SENT)
        await self.until(lambda: simulator.commands, "the good command")
        self.assertEqual([frame.op for frame in simulator.frames[before:] if frame.op != 1], [3])
        self.assert_untroubled(simulator)
        await self.assert_nothing_redelivered(program)

    async def test_every_op_reaches_discord(self) -> None:
        """Each of the five commands arrives as it was meant, and what Discord answers comes as events."""
        simulator = await self.simulator()
        answers = ["GUILD_MEMBERS_CHUNK", "SOUNDBOARD_SOUNDS", "CHANNEL_INFO", "VOICE_STATE_UPDATE"]
        worker = await self.worker(1, names=answers)
        self.rateway(simulator)
        await self.all_active(simulator, 1)
        guild = simulator.guild(0)
        commands = [
            presence("Zürich \N{BLACK CHESS PAWN}"),
            voice(guild.id, guild.voice_channels()[0]),
            members(guild.id, "n1"),
            sounds(guild.id),
            channel_info(str(guild.id)),
        ]
        for payload in commands:
            self.assertEqual(await worker.command(1, payload, 0), SENT)
        await self.until(lambda: set(worker.names()) == set(answers), "Discord's answers")
        self.assertEqual([{"op": command.op, "d": command.d} for command in simulator.commands], commands)

    async def test_each_integer_type_names_a_shard(self) -> None:
        """``shard_id`` may be of any integer type AMQP has, signed or not, of 8 to 64 bits."""
        simulator, _, worker = await self.up(shards=2, max_concurrency=2)
        guild = simulator.guild(1).id
        for code in "bBsuIilL":
            header = {"shard_id": raw.integer(code, 1)}
            self.assertEqual(await self.by_hand(worker, members(guild, code), header, code), SENT, code)
        await self.until(lambda: len(simulator.commands) == 8, "the commands")
        got = [(command.shard, command.d["nonce"]) for command in simulator.commands]
        self.assertEqual(got, [(1, code) for code in "bBsuIilL"])

    async def test_a_shard_id_that_is_none(self) -> None:
        """``shard_id`` of another type, missing, or of no shard here: refused, also where guild_id would tell."""
        simulator, _, worker = await self.up()
        payload = channel_info(str(simulator.guild(0).id))
        others = {
            "text": b"S" + raw.long(b"0"),
            "bytes": b"x" + raw.long(b"\0"),
            "boolean": b"t\0",
            "double": b"d" + struct.pack(">d", 0.0),
            "float": b"f" + struct.pack(">f", 0.0),
            "decimal": b"D" + struct.pack(">Bi", 0, 0),
            "timestamp": b"T" + struct.pack(">Q", 0),
            "array": b"A" + raw.long(raw.integer("l", 0)),
            "table": b"F" + raw.table({"shard_id": raw.integer("l", 0)}),
        }
        for kind, value in others.items():
            answer = await self.by_hand(worker, payload, {"shard_id": value}, kind)
            self.assertEqual(answer["status"], "refused", kind)
            self.assertIn("integer", answer["error"], kind)
        for number in (1, -1, 2**31, 2**63 - 1):
            await self.assert_refused(worker, payload, "no shard", str(number), shard=number)
        for code, extreme in (("b", -1), ("l", -(2**63)), ("L", 2**64 - 1)):
            answer = await self.by_hand(worker, payload, {"shard_id": raw.integer(code, extreme)}, f"extreme-{code}")
            self.assertEqual(answer["status"], "refused")
        await self.assert_refused(worker, presence("x"), "shard_id", "missing")
        self.assertEqual(simulator.commands, [])

    async def test_a_guild_tells_the_shard(self) -> None:
        """Without ``shard_id``, ``guild_id`` in ``d`` does, as text or number, whichever cluster the shard is of."""
        simulator, _, worker = await self.up(
            shards=3, max_concurrency=3, guilds=3, settings={"SHARDS_PER_CLUSTER": 2, "PROCESSES": 2}
        )
        guilds = [simulator.guild(index).id for index in range(3)]
        for guild in guilds:
            self.assertEqual(await worker.command(1, channel_info(str(guild))), SENT)
            self.assertEqual(await worker.command(1, channel_info(guild)), SENT)
        await self.until(lambda: len(simulator.commands) == 6, "the commands")
        self.assertEqual([command.shard for command in simulator.commands], [0, 0, 1, 1, 2, 2])
        odds: list[object] = ["x", True, -1, 1.5, 2**64, {}, [], ""]
        for odd in odds:
            await self.assert_refused(worker, channel_info(odd), "guild_id")
        await self.assert_refused(worker, presence("x"), "shard_id", "missing")
        self.assertEqual(len(simulator.commands), 6)

    async def test_a_shard_of_another_cluster(self) -> None:
        """A ``shard_id`` of another cluster is refused, and the right exchange named; a guild doesn't mend it."""
        simulator, _, worker = await self.up(shards=2, max_concurrency=2, settings={"SHARDS_PER_CLUSTER": 1})
        await self.assert_refused(worker, presence("x"), "shard 1", "rateway-2", shard=1)
        await self.assert_refused(worker, channel_info(str(simulator.guild(0).id)), "rateway-2", shard=1)
        self.assertEqual(simulator.commands, [])
        self.assertEqual(await worker.command(2, presence("x"), 1), SENT)
        await self.until(lambda: simulator.commands, "the command")
        self.assertEqual(names(simulator, 1), ["x"])

    async def test_refused_without_reply_to(self) -> None:
        """Who asks for no answer gets none: each refusal is one warning, and the message is gone."""
        simulator, program, worker = await self.up()
        await worker.publish(1, "gateway", b'{"op":2,"d":{}}', {"shard_id": 0})
        await worker.publish(1, "gateway", ujson.dumps(presence("x")).encode(), {"shard_id": 77})
        await worker.publish(1, "gateway", b"garbage", {})
        self.assertEqual(await worker.command(1, presence("fine"), 0), SENT)
        await self.until(lambda: sum(REFUSED in line for line in program.lines) >= 3, "three warnings")
        warnings = [line for line in program.lines if REFUSED in line]
        self.assertEqual(len(warnings), 3, program.text)
        for word, line in zip(("op 2", "no shard 77", "JSON"), warnings, strict=True):
            self.assertIn(word, line)
            self.assertIn("warn", line)
            self.assertIn("rateway-1", line)
        self.assert_untroubled(simulator)
        await self.assert_nothing_redelivered(program)

    async def test_waits_for_its_shard(self) -> None:
        """A command for a shard that is not connected waits, and is sent when it is."""
        simulator = await self.simulator(shards=2)
        worker = await self.worker(1)
        self.rateway(simulator)
        await self.until(lambda: simulator.is_connected(0), "shard 0")
        self.assertFalse(simulator.is_connected(1))
        answer = worker.command(1, presence("patient"), 1)
        self.assertEqual(await answer, SENT)
        await self.until(lambda: names(simulator, 1) == ["patient"], "the command")

    async def test_waits_through_a_reconnect(self) -> None:
        """Commands for a shard that is just resuming are sent afterwards, in order."""
        simulator, program, worker = await self.up()
        guild = simulator.guild(0).id
        simulator.on_connect(Behaviour(hello_delay=1.0), host="127.0.0.2")
        simulator.drop(0)
        # Not before rateway knows: what is written to a socket whose other end is gone is lost, and nobody can tell.
        await program.until_said("connection lost")
        for number in range(10):
            await worker.publish(1, "gateway", ujson.dumps(members(guild, str(number))).encode(), {"shard_id": 0})
        await self.until(lambda: len(simulator.commands) == 10, "the commands")
        self.assertEqual([command.d["nonce"] for command in simulator.commands], [str(n) for n in range(10)])
        self.assertEqual(len(simulator.resumes), 1)

    async def test_ttl(self) -> None:
        """A command whose shard doesn't come within COMMAND_TTL is refused; an older timestamp shortens its time."""
        simulator = await self.simulator()
        simulator.behave(Behaviour(hello=False))
        worker = await self.worker(1)
        self.rateway(simulator, COMMAND_TTL="5s")
        await self.until(lambda: simulator.connections, "a connection")
        began = self.reactor.seconds()
        now = int(time.time())
        await self.assert_refused(worker, presence("too old"), "old", "COMMAND_TTL", shard=0, timestamp=now - 60)
        self.assertLess(self.reactor.seconds() - began, 5.0)
        began = self.reactor.seconds()
        await self.assert_refused(worker, presence("fresh"), "COMMAND_TTL", shard=0)
        # Later than that by what the machine takes for it.
        self.assertTrue(4.9 < self.reactor.seconds() - began < 15.0, self.reactor.seconds() - began)
        self.assertEqual(simulator.commands, [])

    async def test_commands_that_lay_in_the_queue(self) -> None:
        """What was sent while rateway was away is judged by its age: old commands are refused, fresh ones sent."""
        simulator, program, worker = await self.up()
        self.assertEqual(await program.stop(), 0)
        now = int(time.time())
        await worker.publish(1, "gateway", ujson.dumps(presence("old")).encode(), {"shard_id": 0}, timestamp=now - 100)
        # Sent at once, not when it is awaited.
        kept = Deferred.fromCoroutine(worker.command(1, presence("fresh"), 0, timestamp=now))
        restarted = self.rateway(simulator, COMMAND_TTL="90s")
        self.assertEqual(await kept, SENT)
        await restarted.until_said(REFUSED)
        await self.until(lambda: names(simulator) == ["fresh"], "the fresh one")
