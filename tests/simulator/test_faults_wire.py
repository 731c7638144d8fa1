"""Faults of the bytes: frames in fragments, messages in segments, slow connections, black holes."""

from __future__ import annotations

from twisted.internet.task import deferLater

from rateway.simulator.gateway.behaviour import Behaviour
from tests.simulator.client import RawClient, SimulatorTestCase, the_reactor
from tests.simulator.deeds import do
from tests.simulator.frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, frames

TRANSPORTS = (None, "zlib-stream", "zstd-stream")


def wire(client: RawClient) -> bytes:
    return b"".join(client.chunks)


class CutTests(SimulatorTestCase):
    """One message in several frames, segments or messages; several messages in one segment."""

    async def test_fragments(self) -> None:
        """A message in five fragments with pings between them, in each transport; nothing is lost."""
        for compress in TRANSPORTS:
            simulator = await self.start(guilds=0)
            client = await self.ready(simulator, transport=compress)
            await do(simulator, "shape", fragments=5, pings=True)
            before = len(frames(wire(client)))
            await do(simulator, "dispatch", name="X", d={"text": "\N{SNOWMAN} and much else", "list": list(range(99))})
            event = await client.first("X")
            self.assertEqual(event["d"]["list"], list(range(99)))
            found = frames(wire(client))[before:]
            first = BINARY if compress else TEXT
            self.assertEqual([f.opcode for f in found], [first, *[PING, CONTINUATION] * 4])
            self.assertEqual([f.final for f in found if f.opcode != PING], [False] * 4 + [True])
            await do(simulator, "shape")
            await do(simulator, "dispatch", name="Y")
            await client.first("Y")
            self.assertTrue(frames(wire(client))[-1].final)

    async def test_bytes_one_by_one(self) -> None:
        """A message dribbles byte by byte, in each transport; a pong and a close frame wait for its end."""
        for compress in TRANSPORTS:
            simulator = await self.start(guilds=0)
            client = await self.ready(simulator, transport=compress)
            chunks = len(client.chunks)
            await do(simulator, "shape", segment=1)
            await do(simulator, "dispatch", name="X", d="a text of some length")
            client.sendPing(b"?")
            await client.chunked(chunks + 5)
            await do(simulator, "close", code=4000)
            await client.end()
            sizes = [len(chunk) for chunk in client.chunks[chunks:]]
            self.assertGreater(sizes.count(1), 20)
            self.assertEqual((client.all("X")[0]["d"], client.close_code), ("a text of some length", 4000))
            self.assertEqual(frames(wire(client))[-1].opcode, CLOSE)

    async def test_joined(self) -> None:
        """Many messages come in one segment."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator, transport="zlib-stream")
        await do(simulator, "shape", gather=0.05)
        chunks = len(client.chunks)
        await do(simulator, "dispatch", name="X", times=20)
        await client.count("X", 20)
        self.assertEqual(len(client.chunks), chunks + 1)
        self.assertEqual(len(frames(b"\r\n\r\n" + client.chunks[-1])), 20)

    async def test_pieces(self) -> None:
        """A payload in several messages, the flush marker cut in two, on a connection that stands."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator, transport="zlib-stream")
        await do(simulator, "shape", pieces=3)
        messages = len(client.messages)
        await do(simulator, "dispatch", name="X", d="a text of some length")
        await client.first("X")
        cut = [data for data, _ in client.messages[messages:]]
        self.assertEqual((len(cut), cut[-1]), (3, b"\xff\xff"))
        self.assertTrue(cut[-2].endswith(b"\x00\x00"))

    async def test_all_at_once(self) -> None:
        """Pieces, fragments, pings and tiny segments together, from the connection's first byte on."""
        simulator = await self.start(guilds=1, members=2)
        simulator.on_connect(Behaviour(pieces=3, fragments=3, pings=True, segment=700))
        client = await self.ready(simulator, transport="zlib-stream")
        await client.first("GUILD_CREATE")
        self.assertEqual(len(client.messages), 3 * len(client.payloads))


class PaceTests(SimulatorTestCase):
    """Slow connections."""

    async def test_slow(self) -> None:
        """So many bytes a second, until it is lifted: then the rest comes at once."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator)
        await do(simulator, "slow", shard=0, bytes_per_second=50_000)
        began, size = the_reactor().seconds(), len(wire(client))
        await do(simulator, "dispatch", name="X", d="x" * 20_000)
        await client.first("X")
        took = the_reactor().seconds() - began
        # 20 ms of bytes may go at once, and 100 ms of them be caught up with.
        self.assertGreater(took, (len(wire(client)) - size) / 50_000 - 0.15)
        await do(simulator, "slow", shard=0, bytes_per_second=10)
        await do(simulator, "dispatch", name="Y", d="y" * 20_000)
        await do(simulator, "slow", shard=0, bytes_per_second=0)
        await client.first("Y")

    async def test_later_connections(self) -> None:
        """All connections to come are slow, whoever they are."""
        simulator = await self.start(guilds=0)
        await do(simulator, "slow", bytes_per_second=300, connections_to_come=True)
        client = await self.connect(simulator)
        await simulator.until(lambda: client.chunks)
        self.assertEqual(client.payloads, [])
        self.assertTrue(all(len(chunk) < 300 for chunk in client.chunks[1:]))
        await client.first(10)


class BlackHoleTests(SimulatorTestCase):
    """A network that swallows everything."""

    async def test_swallowed(self) -> None:
        """Nothing is read, nothing comes, no end comes either; the session is resumed elsewhere and has all of it."""
        simulator = await self.start(guilds=0, heartbeat_interval=2.0)
        clients = [await self.ready(simulator, shard, 3, transport=how) for shard, how in enumerate(TRANSPORTS)]
        sessions = [simulator.session(shard) for shard in range(3)]
        await do(simulator, "drop", how="blackhole")
        received, frames_read = [len(wire(client)) for client in clients], len(simulator.frames)
        await do(simulator, "dispatch", name="X", times=3)
        for client in clients:
            client.tell(1, 1)
            client.sendPing(b"?")
        # A heartbeat is late after 3 s, were there a connection to close.
        await deferLater(the_reactor(), 3.2)
        self.assertEqual(([len(wire(client)) for client in clients], len(simulator.frames)), (received, frames_read))
        self.assertEqual(([client.ended for client in clients], simulator.breaches), ([False] * 3, []))
        for how, session in zip(TRANSPORTS, sessions, strict=True):
            other = await self.connect(simulator, compress=how, host="127.0.0.2")
            await other.first(10)
            other.resume(session.id, 1)
            await other.first("RESUMED")
            self.assertEqual(len(other.all("X")), 3)
            self.assertFalse(other.ended)
        self.assertEqual(([len(wire(client)) for client in clients], clients[0].ended), (received, False))
        self.assertEqual(await do(simulator, "end_blackholes", shard=7), {"ended": 0})
        self.assertEqual(await do(simulator, "end_blackholes", shard=[0, 1]), {"ended": 2})
        self.assertEqual(await do(simulator, "end_blackholes"), {"ended": 1})
        for client in clients:
            await client.end()
            self.assertEqual((client.all("X"), client.close_code), ([], None))

    async def test_client_gone(self) -> None:
        """Not even the client's own end gets through."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator)
        await do(simulator, "drop", how="blackhole")
        client.transport.abortConnection()
        await client.end()
        await deferLater(the_reactor(), 0.05)
        self.assertEqual(len(simulator.hub.connections), 1)
        self.assertTrue(simulator.hub.connections[1].swallowed)
        await do(simulator, "end_blackholes", how="fin")
        await simulator.until(lambda: not simulator.hub.connections)

    async def test_after_ready(self) -> None:
        """A connection may fall into it right after READY, to order; a slow one loses what was on its way."""
        simulator = await self.start(guilds=1)
        simulator.on_connect(Behaviour(after="blackhole"))
        client = await self.ready(simulator)
        self.assertEqual(client.all("GUILD_CREATE"), [])
        await simulator.until(lambda: simulator.session(0).seq > 1)
        await deferLater(the_reactor(), 0.05)
        self.assertEqual(client.all("GUILD_CREATE"), [])
        slow = await self.ready(simulator, 1, 2)
        await do(simulator, "slow", shard=1, bytes_per_second=10_000)
        chunks = len(slow.chunks)
        await do(simulator, "dispatch", shard=1, name="X", d="x" * 20_000)
        await slow.chunked(chunks + 1)
        await do(simulator, "drop", shard=1, how="blackhole")
        # What the kernel has already is still to be read.
        await deferLater(the_reactor(), 0.05)
        received = len(wire(slow))
        await deferLater(the_reactor(), 0.1)
        self.assertEqual(len(wire(slow)), received)


class EndTests(SimulatorTestCase):
    """Connections that end."""

    async def test_without_code(self) -> None:
        """An empty close frame: the client sees no code, and the session may be resumed."""
        simulator = await self.start()
        client = await self.ready(simulator)
        session = simulator.session(0)
        await do(simulator, "close")
        await client.end()
        self.assertEqual((client.close_code, client.close_reason), (None, ""))
        found = frames(wire(client))
        self.assertEqual([(f.opcode, f.data) for f in found if f.opcode == CLOSE], [(CLOSE, b"")])
        self.assertIsNotNone(simulator.sessions.find(session.id, simulator.hub.world_time()))

    async def test_reasons(self) -> None:
        """Any code with any reason that fits, cut nowhere."""
        simulator = await self.start()
        for code, reason in ((4321, "x" * 123), (1012, "\N{SNOWMAN}" * 41), (4000, "")):
            client = await self.ready(simulator)
            await do(simulator, "close", code=code, reason=reason)
            await client.end()
            self.assertEqual((client.close_code, client.close_reason), (code, reason))

    async def test_several_shards(self) -> None:
        """All shards, or those listed, at once; where one of them isn't there, nothing happens to any."""
        simulator = await self.start(shards=3)
        clients = [await self.ready(simulator, shard, 3) for shard in range(3)]
        with self.assertRaises(LookupError):
            await do(simulator, "drop", shard=[0, 7])
        self.assertEqual(simulator.connected_shards(), {0, 1, 2})
        await do(simulator, "drop", shard=[0, 2], how="rst")
        for client in (clients[0], clients[2]):
            await client.end()
        self.assertEqual(simulator.connected_shards(), {1})
        await do(simulator, "close", code=4000)
        await clients[1].end()
        self.assertEqual(clients[1].close_code, 4000)
        with self.assertRaises(LookupError):
            await do(simulator, "close", code=4000)

    async def test_token_reset(self) -> None:
        """Every session ends with 4004, and nobody gets in any more."""
        simulator = await self.start(shards=2)
        clients = [await self.ready(simulator, shard, 2) for shard in range(2)]
        await do(simulator, "reset_token")
        for client in clients:
            await client.end()
        late = await self.connect(simulator)
        await late.first(10)
        late.identify()
        await late.end()
        self.assertEqual([c.close_code for c in (*clients, late)], [4004] * 3)
        self.assertEqual(len(simulator.sessions), 0)

    async def test_forgotten(self) -> None:
        """A session that is forgotten answers RESUME with op 9 false; its connection stays as it was."""
        simulator = await self.start()
        client = await self.ready(simulator)
        session = simulator.session(0)
        await do(simulator, "forget_session")
        self.assertFalse(client.ended)
        other = await self.connect(simulator)
        await other.first(10)
        other.resume(session.id, 1)
        self.assertIs((await other.first(9))["d"], False)
