"""Sessions over real sockets: READY, the guilds, events, drops, RESUME."""

from __future__ import annotations

from tests.simulator.client import RawClient, SimulatorTestCase


class IdentifyTests(SimulatorTestCase):
    """A client that does all as it should."""

    async def test_ready_and_guilds(self) -> None:
        """IDENTIFY is answered by READY with the shard's guilds, and each of them follows whole."""
        simulator = await self.start(guilds=5)
        client = await self.ready(simulator, 1, 2)
        ready = client.all("READY")[0]
        self.assertEqual(ready["s"], 1)
        self.assertEqual(ready["d"]["shard"], [1, 2])
        ids = [guild["id"] for guild in ready["d"]["guilds"]]
        self.assertEqual(ids, [str(simulator.guild(1).id), str(simulator.guild(3).id)])
        await client.until(lambda: len(client.all("GUILD_CREATE")) == 2)
        self.assertEqual([p["d"]["id"] for p in client.all("GUILD_CREATE")], ids)
        self.assertEqual([p["d"]["unavailable"] for p in client.all("GUILD_CREATE")], [False, False])
        self.assertEqual(simulator.breaches, [])

    async def test_dispatch_is_verbatim(self) -> None:
        """The bytes of d arrive as the test gave them, in any transport and any order of the envelope."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator)
        d = rb'{"b": 1.50, "a":"\u00e9\/ \"op\":9","t":"NO"}'
        self.assertEqual(simulator.dispatch(0, "NEW_EVENT", d, order=("d", "op", "t", "s")), 2)
        await client.first("NEW_EVENT")
        self.assertEqual(client.messages[-1][0], b'{"d":' + d + b',"op":0,"t":"NEW_EVENT","s":2}')


class ResumeTests(SimulatorTestCase):
    """A client that comes back."""

    async def test_missed_events_are_replayed(self) -> None:
        """After a reset, what was sent meanwhile comes once and in order, then RESUMED."""
        simulator = await self.start(guilds=0)
        first = await self.ready(simulator)
        simulator.dispatch(0, "A", {"n": 1})
        await first.first("A")
        simulator.drop(0, "rst")
        await first.end()
        self.assertIsNone(first.close_code)
        simulator.dispatch(0, "B", {"n": 2})
        simulator.dispatch(0, "C", {"n": 3})
        second = await self.resume_of(simulator, first, 2)
        self.assertEqual(
            [(p["t"], p["s"]) for p in second.payloads if p["op"] == 0], [("B", 3), ("C", 4), ("RESUMED", 5)]
        )
        simulator.dispatch(0, "D", {})
        self.assertEqual((await second.first("D"))["s"], 6)
        self.assertEqual(simulator.resumes[0].host, "127.0.0.2")
        self.assertEqual(simulator.breaches, [])

    async def resume_of(self, simulator: object, first: RawClient, seq: int) -> RawClient:
        ready = first.all("READY")[0]["d"]
        host = ready["resume_gateway_url"].split("/")[2].split(":")[0]
        second = await self.connect(simulator, host=host)  # type: ignore[arg-type]
        await second.first(10)
        second.resume(ready["session_id"], seq)
        await second.first("RESUMED")
        return second
