"""Streams, whole and broken (acceptance criteria 30-33, 35-37)."""

from __future__ import annotations

import ujson

from rateway.model.closecodes import OwnClose
from rateway.simulator.gateway.behaviour import Behaviour
from rateway.simulator.simulator import Simulator

from .harness import WorldTestCase
from .worker import Worker


class CompressionTests(WorldTestCase):
    """Every transport compression, and what happens when it breaks."""

    async def exchange(self, simulator: Simulator, worker: Worker, first: int, count: int) -> None:
        """So many events of growing size are sent, and arrive whole and in order."""
        bodies = [b'"' + b"%d " % n * (n + 1) + b'"' for n in range(first, first + count)]
        before = worker.names().count("TEST")
        for body in bodies:
            simulator.dispatch(0, "TEST", body)
        await self.until(lambda: worker.names().count("TEST") >= before + count, f"{count} more events")
        got = [event.body for event in worker.events if event.key == "TEST"]
        self.assertEqual(got[before:], bodies)

    async def reconnected(self, simulator: Simulator, code: OwnClose) -> None:
        """rateway closed with this code, and resumed."""
        await self.until(lambda: simulator.resumes and simulator.is_connected(0), "the resume")
        self.assertEqual([close.code for close in simulator.closes], [code])
        self.assertEqual(len(simulator.identifies), 1)

    async def test_criterion_30_zlib_stream(self) -> None:
        """zlib-stream, one message per payload: everything is decoded."""
        simulator, _, worker = await self.up(settings={"COMPRESSION": "zlib-stream"})
        self.assertEqual(simulator.connections[0].query["compress"], "zlib-stream")
        await self.exchange(simulator, worker, 0, 200)

    async def test_criterion_31_zlib_split(self) -> None:
        """Payloads in three messages, the marker cut in two: decoded, and nothing comes early."""
        simulator = await self.simulator()
        simulator.behave(Behaviour(pieces=3))
        worker = await self.worker(1)
        self.rateway(simulator, COMPRESSION="zlib-stream")
        await self.all_active(simulator, 1)
        await self.exchange(simulator, worker, 0, 200)
        self.assertEqual(len(simulator.connections), 1)

    async def test_criterion_32_fresh_context(self) -> None:
        """A new connection begins a new stream."""
        simulator, _, worker = await self.up(settings={"COMPRESSION": "zlib-stream"})
        await self.exchange(simulator, worker, 0, 50)
        for times in (1, 2):
            simulator.drop(0)
            await self.until(lambda: len(simulator.resumes) == times and simulator.is_connected(0), "resume")  # noqa: B023
            await self.exchange(simulator, worker, 50 * times, 50)
        self.assertEqual(len(simulator.resumes), 2)

    async def test_criterion_33_zstd_stream(self) -> None:
        """zstd-stream, whose frame never ends: every message is decoded at once."""
        simulator, _, worker = await self.up(settings={"COMPRESSION": "zstd-stream"})
        self.assertEqual(simulator.connections[0].query["compress"], "zstd-stream")
        for number in range(20):
            await self.exchange(simulator, worker, number, 1)
        await self.exchange(simulator, worker, 20, 200)

    async def test_criterion_33_without_compression(self) -> None:
        """COMPRESSION=none asks for none, and gets text."""
        simulator, _, worker = await self.up(settings={"COMPRESSION": "none"})
        self.assertNotIn("compress", simulator.connections[0].query)
        await self.exchange(simulator, worker, 0, 100)

    async def test_criterion_35_corrupt_stream(self) -> None:
        """What can't be inflated ends the connection, not the session."""
        for compression in ("zlib-stream", "zstd-stream"):
            simulator = await self.simulator()
            worker = await self.worker(1)
            program = self.rateway(
                simulator, COMPRESSION=compression, STATE_DIR=self.folder / compression, CACHE_ENABLED="false"
            )
            await self.all_active(simulator, 1)
            await self.exchange(simulator, worker, 0, 20)
            simulator.corrupt(0)
            await self.reconnected(simulator, OwnClose.UNDECODABLE)
            await self.exchange(simulator, worker, 20, 20)
            self.assertEqual(await program.stop(), 0)
            await worker.close()

    async def test_criterion_36_huge_guild(self) -> None:
        """A GUILD_CREATE of 20 MB arrives whole, and no heartbeat is late for it."""
        simulator = await self.simulator(guilds=1, heartbeat_interval=3.0, heartbeat_slack=1.0)
        guild = simulator.guild(0).id
        # Beforehand: a Discord that is busy with it acknowledges no heartbeat, and is given up as dead.
        body = simulator.guild_create(guild, pad_to=20_000_000)
        worker = await self.worker(1)
        self.rateway(simulator)
        await self.all_active(simulator, 1)
        await self.until(lambda: "GUILD_CREATE" in worker.names(), "the guild's backfill")
        simulator.dispatch(0, "GUILD_CREATE", body)
        await self.until(lambda: worker.names().count("GUILD_CREATE") == 2, "20 MB", timeout=120)
        self.assertEqual(worker.events[-1].body, body)
        count = len([frame for frame in simulator.frames if frame.op == 1])
        await self.until(lambda: len([f for f in simulator.frames if f.op == 1]) >= count + 2, "heartbeats")
        members = ujson.loads(body)["members"]
        member = await worker.query(1, "Member", guild, int(members[-1]["user"]["id"]))
        self.assertEqual(member["user"], members[-1]["user"])
        self.assertEqual(len(simulator.connections), 1)

    async def test_criterion_37_invalid_text(self) -> None:
        """Text that is no JSON, or no UTF-8, ends the connection, not the session."""
        for number, text in enumerate((b'{"op":0,"t":"TEST","s":', b'{"op":0,"t":"\xff\xfe","s":5,"d":{}}')):
            # What looks incomplete is waited for: the next payload, an ACK, shows that it never will be complete.
            simulator = await self.simulator(heartbeat_interval=2.0)
            worker = await self.worker(1)
            program = self.rateway(simulator, STATE_DIR=self.folder / str(number))
            await self.all_active(simulator, 1)
            simulator.send_text(0, text)
            await self.reconnected(simulator, OwnClose.UNDECODABLE)
            await self.exchange(simulator, worker, 0, 20)
            self.assertEqual(await program.stop(), 0)
            await worker.close()
