"""Faults of what is said: events withheld, late, doubled, swapped, left out; nonsense; silence."""

from __future__ import annotations

import json
from itertools import pairwise

import zstandard
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from rateway.simulator.gateway.behaviour import Behaviour
from rateway.simulator.simulator import Simulator
from tests.simulator.client import RawClient, SimulatorTestCase, the_reactor
from tests.simulator.deeds import do

TRANSPORTS = (None, "zlib-stream", "zstd-stream")


def seqs(client: RawClient, *names: str) -> list[int]:
    """The sequences of these events, in the order they came."""
    return [payload["s"] for payload in client.payloads if payload.get("t") in names]


def reach(simulator: Simulator, seq: int) -> Deferred[bool]:
    """Shard 0 has had so many events."""
    return simulator.until(lambda: simulator.session(0).seq >= seq)


class SilenceTests(SimulatorTestCase):
    """What a client waits for in vain."""

    async def test_no_acks(self) -> None:
        """Heartbeats are not acknowledged, or barely, until they are again; events go on."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator)
        await do(simulator, "acknowledge", how="none")
        client.tell(1, 1)
        await simulator.until(lambda: simulator.frames[-1].op == 1)
        await do(simulator, "dispatch", name="X")
        await client.first("X")
        self.assertEqual(client.all(11), [])
        await do(simulator, "acknowledge", how="bare")
        client.tell(1, 1)
        self.assertEqual(await client.first(11), {"op": 11})
        await do(simulator, "acknowledge")
        client.tell(1, 1)
        await client.until(lambda: len(client.all(11)) == 2)
        self.assertEqual(client.all(11)[1], {"t": None, "s": None, "op": 11, "d": None})

    async def test_withheld_then_late(self) -> None:
        """Some events are held back while others and ACKs go on; released, they come with their own sequences."""
        for compress in TRANSPORTS:
            simulator = await self.start(guilds=0)
            client = await self.ready(simulator, transport=compress)
            await do(simulator, "withhold", events=["A"])
            for name in "ABAB":
                await do(simulator, "dispatch", name=name)
            client.tell(1, 1)
            await client.first(11)
            self.assertEqual(seqs(client, "A", "B"), [3, 5])
            self.assertEqual(await do(simulator, "release"), {"held_back": [2]})
            await do(simulator, "dispatch", name="A")
            await client.count("A", 3)
            self.assertEqual(seqs(client, "A", "B"), [3, 5, 2, 4, 6])

    async def test_withheld_then_dropped(self) -> None:
        """Dropped, they never come on this connection; a RESUME from before brings them, once and in order."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator)
        session = simulator.session(0)
        await do(simulator, "withhold")
        await do(simulator, "dispatch", name="X", times=4)
        client.tell(1, 1)
        await client.first(11)
        self.assertEqual(await do(simulator, "release", how="dropped"), {"held_back": [4]})
        await do(simulator, "dispatch", name="Y")
        await client.first("Y")
        self.assertEqual(client.all("X"), [])
        await do(simulator, "drop")
        other = await self.connect(simulator, host="127.0.0.2")
        await other.first(10)
        other.resume(session.id, 1)
        await other.first("RESUMED")
        self.assertEqual(seqs(other, "X", "Y"), [2, 3, 4, 5, 6])

    async def test_withheld_from_the_start(self) -> None:
        """Connections to come may withhold the guilds, or READY itself, until they are released."""
        simulator = await self.start(guilds=2, members=2)
        await do(simulator, "on_connect", withhold=["GUILD_CREATE"])
        client = await self.ready(simulator)
        await simulator.until(lambda: simulator.session(0).seq == 3)
        await do(simulator, "request_heartbeat")
        await client.first(1)
        self.assertEqual(client.all("GUILD_CREATE"), [])
        await do(simulator, "release")
        await client.count("GUILD_CREATE", 2)
        await do(simulator, "on_connect", withhold=["READY"])
        late = await self.connect(simulator)
        await late.first(10)
        late.identify(1, 2)
        await late.first("GUILD_CREATE")
        self.assertEqual(late.all("READY"), [])
        await do(simulator, "release", shard=1)
        await late.first("READY")

    async def test_frozen_by_action(self) -> None:
        """Nothing is sent and, if it is deaf, nothing read, until it is thawed."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator)
        await do(simulator, "freeze", deaf=True)
        await do(simulator, "dispatch", name="X")
        client.tell(1, 1)
        await deferLater(the_reactor(), 0.05)
        self.assertEqual((client.all("X"), len(simulator.frames)), ([], 1))
        await do(simulator, "thaw")
        await client.first("X")
        await client.first(11)

    async def test_behaviour_of_a_standing_connection(self) -> None:
        """All of a behaviour at once; what isn't named is as Discord does it."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator)
        await do(simulator, "acknowledge", how="none")
        await do(simulator, "set_behaviour", withhold=["X"])
        await do(simulator, "dispatch", name="X")
        client.tell(1, 1)
        await client.first(11)
        self.assertEqual(client.all("X"), [])

    async def test_load_held_back(self) -> None:
        """Packed events are withheld, swapped and cut like others, in each transport; none is lost by it."""
        for compress in TRANSPORTS:
            simulator = await self.start(guilds=1, members=5)
            client = await self.ready(simulator, transport=compress)
            await client.first("GUILD_CREATE")
            heard = len(client.payloads)
            await do(simulator, "withhold")
            await do(simulator, "load", rate=2000)
            await reach(simulator, 100)
            await do(simulator, "stop_load")
            await do(simulator, "request_heartbeat")
            await client.first(1)
            self.assertEqual(len(client.payloads), heard + 1)
            await do(simulator, "shape", fragments=2, segment=5000)
            await do(simulator, "release")
            await do(simulator, "swap")
            await do(simulator, "load", rate=2000)
            await reach(simulator, simulator.session(0).seq + 50)
            await do(simulator, "stop_load")
            await do(simulator, "dispatch", name="LAST")
            await client.first("LAST")
            heard_of = [p["s"] for p in client.payloads if p["op"] == 0]
            self.assertEqual(sorted(heard_of), list(range(1, simulator.session(0).seq + 1)))
            self.assertEqual([a - b for a, b in pairwise(heard_of) if a > b], [1])


class OrderTests(SimulatorTestCase):
    """Sequences that are not one after another."""

    async def test_repeated(self) -> None:
        """The last events come again, with the sequences they had, in each transport."""
        for compress in TRANSPORTS:
            simulator = await self.start(guilds=0)
            client = await self.ready(simulator, transport=compress)
            for n in range(3):
                await do(simulator, "dispatch", name="X", d=n)
            await do(simulator, "repeat", count=2)
            await client.count("X", 5)
            self.assertEqual([(p["s"], p["d"]) for p in client.all("X")], [(2, 0), (3, 1), (4, 2), (3, 1), (4, 2)])
            self.assertEqual(simulator.session(0).seq, 4)

    async def test_repeated_too_many(self) -> None:
        """There can't be repeated more than there was, or is still known."""
        simulator = await self.start(guilds=0, replay_limit=3)
        client = await self.ready(simulator)
        with self.assertRaisesRegex(ValueError, "had 1 events"):
            await do(simulator, "repeat", count=2)
        await do(simulator, "dispatch", name="X", times=9)
        with self.assertRaisesRegex(ValueError, "had 3 events"):
            await do(simulator, "repeat", count=4)
        await do(simulator, "skip_sequences", count=3)
        await do(simulator, "repeat", count=3)
        await client.count("X", 12)
        self.assertEqual(seqs(client, "X")[-3:], [8, 9, 10])

    async def test_swapped(self) -> None:
        """Two neighbours change places; then the order is right again, and a RESUME knows of nothing."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator)
        await do(simulator, "swap", pairs=2)
        await do(simulator, "dispatch", name="X", times=5)
        await client.count("X", 5)
        self.assertEqual(seqs(client, "X"), [3, 2, 5, 4, 6])

    async def test_gap(self) -> None:
        """Sequences are left out; a RESUME from within the gap is fine."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator)
        session = simulator.session(0)
        await do(simulator, "skip_sequences", count=3)
        await do(simulator, "dispatch", name="X")
        self.assertEqual((await client.first("X"))["s"], 5)
        await do(simulator, "drop")
        other = await self.connect(simulator, host="127.0.0.2")
        await other.first(10)
        other.resume(session.id, 1)
        await other.first("RESUMED")
        self.assertEqual(seqs(other, "X"), [5])


class NonsenseTests(SimulatorTestCase):
    """Payloads that make no sense."""

    async def test_kinds(self) -> None:
        """Each kind arrives as it is meant, in each compressed transport; the connection stands."""
        for compress in ("zlib-stream", "zstd-stream"):
            simulator = await self.start(guilds=0)
            client = await self.ready(simulator, transport=compress)
            for kind in ("json", "utf8", "op", "event", "fields"):
                await do(simulator, "nonsense", kind=kind)
            await do(simulator, "dispatch", name="LAST")
            await client.first("LAST")
            broken = [p["broken"] for p in client.payloads if "broken" in p]
            self.assertEqual(len(broken), 2)
            self.assertRaises(ValueError, json.loads, broken[0])
            self.assertRaises(UnicodeDecodeError, broken[1].decode)
            self.assertEqual(client.all(99)[0]["d"], {"unheard": "of"})
            self.assertEqual((await client.first("UNHEARD_OF"))["s"], 2)
            self.assertEqual(client.all("LAST")[0]["s"], 3)
            self.assertEqual([p["unheard"] for p in client.all(11)], [{"of": True}])

    async def test_plain(self) -> None:
        """Without compression bad UTF-8 and no JSON are text messages; a list is no payload."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator)
        await do(simulator, "nonsense")
        await client.until(lambda: "broken" in client.payloads[-1])
        await do(simulator, "nonsense", kind="shape")
        await client.until(lambda: client.messages[-1][0] == b"[1,2,3]")
        await do(simulator, "nonsense", kind="utf8")
        # The client's WebSocket fails the connection (RFC 6455, section 8.1).
        await client.end()
        self.assertIn(b'"d":"\xff\xfe\xfa"}', client.chunks[-1])

    async def test_corrupt(self) -> None:
        """Compressed data that can't be inflated, and any bytes in any message."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator, transport="zlib-stream")
        await do(simulator, "send_text", text='{"op":99}')
        await client.first(99)
        await do(simulator, "corrupt")
        await client.until(lambda: client.payloads[-1] == {"broken": b"corrupt"})
        await do(simulator, "send_raw", base64="AAECAw==")
        await client.until(lambda: client.messages[-1] == (b"\0\1\2\3", True))
        await do(simulator, "send_raw", text="words", binary=False)
        await client.until(lambda: client.messages[-1] == (b"words", False))

    async def test_corrupt_zstd(self) -> None:
        """In the middle of a good stream comes what no decoder takes."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator, transport="zstd-stream")
        # From here on the client only keeps the messages.
        client.compress = None
        await do(simulator, "corrupt")
        await client.until(lambda: "broken" in client.payloads[-1])
        decoder = zstandard.ZstdDecompressor().decompressobj()
        for data, _ in client.messages[:-1]:
            decoder.decompress(data)
        self.assertRaises(zstandard.ZstdError, decoder.decompress, client.messages[-1][0])

    async def test_ops(self) -> None:
        """Op 1, 7, 9 of both kinds, and any other, with any d."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator)
        await do(simulator, "request_heartbeat")
        await do(simulator, "request_reconnect")
        await do(simulator, "send_op", op=42, d=[1, {"x": None}])
        await do(simulator, "invalidate", resumable=True)
        self.assertEqual(len(simulator.sessions), 1)
        client.identify()
        await client.count("READY", 2)
        await do(simulator, "invalidate")
        await client.until(lambda: len(client.all(9)) == 2)
        others = [(p["op"], p["d"]) for p in client.payloads if p["op"] not in (0, 10)]
        self.assertEqual(others, [(1, None), (7, None), (42, [1, {"x": None}]), (9, True), (9, False)])

    async def test_dispatch_verbatim(self) -> None:
        """d as JSON text byte for byte, and the envelope in another order."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator)
        await do(simulator, "dispatch", name="X", text='{"b": 1.50, "a":"\\u2603"}', order=["d", "op", "s", "t"])
        await client.first("X")
        self.assertEqual(client.messages[-1][0], b'{"d":{"b": 1.50, "a":"\\u2603"},"op":0,"s":2,"t":"X"}')


class WorldTests(SimulatorTestCase):
    """Guilds by action."""

    async def test_guilds(self) -> None:
        """Outage, recovery, joining, leaving told and silently, by id, by place and all at once."""
        simulator = await self.start(guilds=2, members=2)
        client = await self.ready(simulator)
        await client.count("GUILD_CREATE", 2)
        first, second = sorted(simulator.world.guilds)
        await do(simulator, "outage", guild=[0, str(second)])
        await client.count("GUILD_DELETE", 2)
        self.assertEqual([p["d"]["unavailable"] for p in client.all("GUILD_DELETE")], [True, True])
        await do(simulator, "recover", guild="all")
        await client.count("GUILD_CREATE", 4)
        joined = (await do(simulator, "join_guild", members=3))["guild"]
        await client.count("GUILD_CREATE", 5)
        self.assertEqual(client.all("GUILD_CREATE")[-1]["d"]["id"], joined)
        await do(simulator, "leave_guild", guild=first, how="silently")
        await do(simulator, "leave_guild", guild=joined)
        await client.count("GUILD_DELETE", 3)
        self.assertEqual(client.all("GUILD_DELETE")[-1]["d"], {"id": joined})
        self.assertEqual(sorted(simulator.world.guilds), [second])
        for guild in (1, str(first), "nobody's", first):
            with self.assertRaises(LookupError):
                await do(simulator, "outage", guild=guild)

    async def test_huge(self) -> None:
        """A GUILD_CREATE of 20 MB and a READY of 20 MB arrive whole."""
        simulator = await self.start(guilds=1, members=2)
        simulator.on_connect(Behaviour(ready_size=20_000_000))
        client = await self.connect(simulator, compress="zstd-stream")
        await client.first(10)
        client.identify()
        await client.until(lambda: client.all("READY"), 20.0)
        self.assertGreater(len(json.dumps(client.all("READY")[0]["d"])), 20_000_000)
        self.assertEqual(client.all("READY")[0]["d"]["session_id"], simulator.session(0).id)
        size = (await do(simulator, "huge_guild"))["size"]
        self.assertGreaterEqual(size, 20_000_000)
        await client.until(lambda: len(client.all("GUILD_CREATE")) == 2, 20.0)
        huge = client.all("GUILD_CREATE")[1]["d"]
        self.assertEqual(huge["member_count"], len(huge["members"]))

    async def test_huge_for_nobody(self) -> None:
        """A guild without a session that owns it can't be sent."""
        simulator = await self.start(guilds=1)
        with self.assertRaisesRegex(LookupError, "no session owns"):
            await do(simulator, "huge_guild", size=10)

    async def test_traffic(self) -> None:
        """Things happen at a rate, of a kind, and stop; events are given to whom a guild concerns."""
        simulator = await self.start(guilds=2, members=5)
        client = await self.ready(simulator)
        await client.count("GUILD_CREATE", 2)
        await do(simulator, "traffic", rate=200, mix={"message": 1})
        await client.count("MESSAGE_CREATE", 3)
        await do(simulator, "stop_traffic")
        happened = (await do(simulator, "happen", count=5))["happened"]
        self.assertGreaterEqual(happened, 5)
        await do(simulator, "emit", name="TYPING_START", guild=0, d={"marked": True})
        await client.until(lambda: any(p["d"].get("marked") for p in client.all("TYPING_START")))
        sent = simulator.sent
        await deferLater(the_reactor(), 0.1)
        self.assertEqual(simulator.sent, sent)
