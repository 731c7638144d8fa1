"""Faults over real sockets: how connections end, fall silent, or speak nonsense."""

from __future__ import annotations

import json

from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import deferLater

from rateway.simulator.gateway.behaviour import Behaviour
from tests.simulator.client import SimulatorTestCase, the_reactor


class EndTests(SimulatorTestCase):
    """Connections that end."""

    async def test_drops(self) -> None:
        """FIN or RST without a close frame; the session lives on."""
        simulator = await self.start()
        for shard, how in enumerate(("fin", "rst")):
            client = await self.ready(simulator, shard, 2)
            simulator.drop(shard, how)  # type: ignore[arg-type]
            await client.end()
            self.assertIsNone(client.close_code)
        self.assertEqual(len(simulator.sessions), 2)
        self.assertEqual(simulator.connected_shards(), set())

    async def test_close_codes(self) -> None:
        """Any close code, with Discord's words or the test's own."""
        simulator = await self.start()
        for code in (1000, 1001, 4000, 4008, 4014, 4999):
            client = await self.ready(simulator)
            simulator.close(0, code)
            await client.end()
            self.assertEqual(client.close_code, code)
        client = await self.ready(simulator)
        simulator.close(0, 4000, "so be it")
        await client.end()
        self.assertEqual(client.close_reason, "so be it")
        self.assertEqual(simulator.connections[0].server_code, 1000)

    async def test_client_closes(self) -> None:
        """The client's close code is echoed and on record."""
        simulator = await self.start()
        for code, wasted in ((4900, 0), (1000, 1), (1001, 2)):
            client = await self.ready(simulator, len(simulator.closes), 4)
            client.sendCloseFrame(code=code, reasonUtf8=b"bye")
            await client.end()
            self.assertEqual(client.close_code, code)
            await simulator.until(lambda: not simulator.hub.connections)
            self.assertEqual((simulator.closes[-1].code, simulator.closes[-1].reason), (code, "bye"))
            self.assertEqual(len(simulator.wasted), wasted)

    async def test_before_the_websocket(self) -> None:
        """TCP accepted, then nothing, FIN or RST instead of the WebSocket."""
        simulator = await self.start()
        for handshake in ("fin", "rst", "silent"):
            simulator.on_connect(Behaviour(handshake=handshake))
        for _ in range(2):
            client = await self.connect(simulator)
            await client.end()
            self.assertFalse(client.opened)
        client = await self.connect(simulator)
        await deferLater(the_reactor(), 0.1)
        self.assertEqual((client.opened, client.ended), (False, False))
        await (await self.connect(simulator)).first(10)

    async def test_resume_host_dead(self) -> None:
        """The resume host refuses TCP, until it is opened again."""
        simulator = await self.start()
        await simulator.close_resume_host()
        await self.assertFailure(self.defer(self.connect(simulator, host="127.0.0.2")), ConnectionRefusedError)
        await simulator.open_resume_host()
        await (await self.connect(simulator, host="127.0.0.2")).first(10)

    async def test_resume_host_silent(self) -> None:
        """The resume host accepts and says nothing; the other one works."""
        simulator = await self.start()
        simulator.on_connect(Behaviour(hello=False), host="127.0.0.2")
        silent = await self.connect(simulator, host="127.0.0.2")
        await silent.until(lambda: silent.opened)
        await (await self.connect(simulator)).first(10)
        self.assertEqual(silent.payloads, [])
        self.assertEqual([c.host for c in simulator.connections], ["127.0.0.2", "127.0.0.1"])

    async def test_real_rules(self) -> None:
        """Discord's answer reaches a real client: 4002 for a payload too large, 4008 for too many."""
        simulator = await self.start()
        client = await self.ready(simulator, 0, 2)
        client.say(b"x" * 4097)
        await client.end()
        other = await self.ready(simulator, 1, 2)
        for _ in range(120):
            other.tell(1, None)
        await other.end()
        self.assertEqual((client.close_code, other.close_code), (4002, 4008))
        self.assertEqual([breach.rule for breach in simulator.breaches], ["payload-size", "send-limit"])

    async def test_late_heartbeat(self) -> None:
        """A client that never heartbeats is closed."""
        simulator = await self.start(heartbeat_interval=1.0)
        client = await self.ready(simulator)
        await client.end()
        self.assertEqual((client.close_code, simulator.breaches[0].rule), (4000, "late-heartbeat"))

    @staticmethod
    def defer(coroutine):  # type: ignore[no-untyped-def]
        from twisted.internet.defer import Deferred

        return Deferred.fromCoroutine(coroutine)


class NoiseTests(SimulatorTestCase):
    """Connections that speak, but not as they should."""

    async def test_every_transport(self) -> None:
        """READY, guilds and events arrive whole in each transport, binary frames where compressed."""
        for compress in (None, "zlib-stream", "zstd-stream"):
            simulator = await self.start(guilds=3)
            client = await self.ready(simulator, transport=compress)
            big = json.dumps({"x": "\N{SNOWMAN}" * 40_000}).encode()
            for d in (b"1", big, b'{"y":2}'):
                simulator.dispatch(0, "X", d)
            await client.count("X", 3)
            self.assertEqual([p["d"] for p in client.all("X")], [1, json.loads(big), {"y": 2}])
            self.assertEqual({binary for _, binary in client.messages}, {compress is not None})
            self.assertEqual(len(client.all("GUILD_CREATE")), 3)

    async def test_marker_cut_in_two(self) -> None:
        """A payload in three messages, the marker cut across the last two."""
        simulator = await self.start(guilds=2)
        simulator.on_connect(Behaviour(pieces=3))
        client = await self.ready(simulator, transport="zlib-stream")
        self.assertEqual(client.messages[2], (b"\xff\xff", True))
        await client.until(lambda: len(client.all("GUILD_CREATE")) == 2)
        self.assertEqual(len(client.messages), 3 * len(client.payloads))

    async def test_corrupt(self) -> None:
        """Corrupt compression, half a JSON, invalid UTF-8 and odd envelopes reach the client as they are."""
        simulator = await self.start()
        client = await self.ready(simulator, transport="zlib-stream")
        simulator.send_text(0, b'{"op":99,"x":1}')
        await client.first(99)
        simulator.send_text(0, b'{"t":"X","s":2,"op":0,"d":"\xff"}')
        simulator.corrupt(0)
        await client.until(lambda: len([p for p in client.payloads if "broken" in p]) == 2)
        self.assertEqual(client.payloads[-1], {"broken": b"corrupt"})
        plain = await self.ready(simulator)
        simulator.send_raw(0, b'{"half":', binary=False)
        await plain.until(lambda: plain.payloads[-1] == {"broken": b'{"half":'})

    async def test_ops_at_any_time(self) -> None:
        """Op 1, 7 and 9 on demand."""
        simulator = await self.start()
        client = await self.ready(simulator)
        for number in range(100):
            simulator.dispatch(0, "X", {"n": number})
        simulator.request_heartbeat(0)
        simulator.request_reconnect(0)
        simulator.invalidate(0, resumable=True)
        await client.first(9)
        self.assertEqual([p["op"] for p in client.payloads[-103:]], [0] * 100 + [1, 7, 9])

    async def test_frozen(self) -> None:
        """A frozen, deaf connection neither says nor reads anything until it is thawed."""
        simulator = await self.start()
        client = await self.ready(simulator)
        simulator.freeze(0, deaf=True)
        simulator.dispatch(0, "X", {})
        client.tell(1, 5)
        await deferLater(the_reactor(), 0.1)
        self.assertEqual((client.all("X"), [f.op for f in simulator.frames]), ([], [2]))
        simulator.thaw(0)
        await client.first("X")
        await client.first(11)
        self.assertEqual(simulator.frames[-1].d, 5)

    async def test_huge_guild(self) -> None:
        """A GUILD_CREATE of 20 MB arrives."""
        simulator = await self.start(guilds=1)
        client = await self.ready(simulator, transport="zstd-stream")
        await client.first("GUILD_CREATE")
        raw = simulator.guild_create(simulator.guild(0).id, pad_to=20_000_000)
        simulator.dispatch(0, "GUILD_CREATE", raw)
        await client.until(lambda: len(client.all("GUILD_CREATE")) == 2)
        self.assertEqual(len(client.all("GUILD_CREATE")[1]["d"]["members"]), json.loads(raw)["member_count"])

    async def test_recorded(self) -> None:
        """Frames with size and content (never the token), queries, and events sent are on record."""
        simulator = await self.start(record_events=True, guilds=0)
        client = await self.ready(simulator, transport="zlib-stream")
        client.say(b'{"op": 1, "d": 7}', binary=True)
        await client.first(11)
        identify, beat = simulator.frames
        self.assertEqual((beat.op, beat.d, beat.size, beat.shard), (1, 7, 17, 0))
        self.assertNotIn("simulator-token", repr(simulator.frames) + repr(simulator.identifies))
        self.assertEqual(identify.op, 2)
        self.assertEqual(simulator.identifies[0].query, {"v": "10", "encoding": "json", "compress": "zlib-stream"})
        simulator.dispatch(0, "X", b"[1]")
        self.assertEqual([(e.name, e.seq) for e in simulator.events], [("READY", 1), ("X", 2)])
        self.assertEqual(simulator.events[1].d, b"[1]")
        self.assertIn("1 identifies, 0 resumes", simulator.summary())

    async def test_nobody_there(self) -> None:
        """What concerns a shard that isn't there fails with a sentence."""
        simulator = await self.start()
        for act in (lambda: simulator.drop(3), lambda: simulator.dispatch(3, "X", {})):
            error = self.assertRaises(LookupError, act)
            self.assertIn("shard 3", str(error))
        await self.ready(simulator)
        self.assertRaises(ValueError, simulator.dispatch, 0, 'X","y":"', {})
