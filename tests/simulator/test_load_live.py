"""The load over real sockets: among ordinary events, through drops and RESUMEs, to clients that don't read."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.internet.utils import getProcessOutput

from bench.gatewayclients import Clients, Wrong
from bench.simulator import measure
from rateway.simulator.gateway.behaviour import Behaviour
from rateway.simulator.simulator import Simulator
from rateway.simulator.tap import Options
from tests.simulator.client import RawClient, SimulatorTestCase, the_reactor
from tests.support.waiting import PATIENCE


class StreamTests(SimulatorTestCase):
    """What a client makes of it."""

    def assert_complete(self, simulator: Simulator, payloads: list[dict[str, Any]]) -> None:
        """The dispatches have no gap, and each is what was sent under its sequence."""
        dispatches = [payload for payload in payloads if payload["op"] == 0]
        first = dispatches[0]["s"]
        self.assertEqual([payload["s"] for payload in dispatches], list(range(first, first + len(dispatches))))
        sent = {record.seq: record for record in simulator.events}
        for payload in dispatches:
            if payload["t"] != "RESUMED":
                record = sent[payload["s"]]
                self.assertEqual((payload["t"], payload["d"]), (record.name, json.loads(record.d)))

    async def through_it_all(self, transport: str | None) -> None:
        simulator = await self.start(guilds=2, record_events=True)
        client = await self.ready(simulator, transport=transport)
        await client.count("GUILD_CREATE", 2)
        simulator.load.start(1500)
        await client.count("MESSAGE_CREATE", 50)
        simulator.dispatch(0, "ORDINARY", b'{"n": 1}')
        client.tell(1, None)
        await client.first(11)
        simulator.set_behaviour(0, Behaviour(pieces=3))
        seen = len(client.payloads)
        await client.until(lambda: len(client.payloads) > seen + 30)
        simulator.set_behaviour(0, Behaviour(fragments=2, segment=100))
        simulator.dispatch(0, "ORDINARY", b'{"n": 2}')
        await client.count("ORDINARY", 2)
        simulator.set_behaviour(0, Behaviour())
        seen = len(client.payloads)
        await client.until(lambda: len(client.payloads) > seen + 50)
        self.assert_complete(simulator, client.payloads)
        simulator.drop(0, "rst")
        await client.end()
        last = client.payloads[-1]["s"]
        second = await self.resumed(simulator, client, last, transport)
        seen = len(second.payloads)
        simulator.dispatch(0, "ORDINARY", b'{"n": 3}')
        await second.until(lambda: len(second.payloads) > seen + 50)
        # Behind whatever of the load was on its way.
        await second.count("ORDINARY", 1)
        self.assert_complete(simulator, second.payloads)
        self.assertEqual(next(payload["s"] for payload in second.payloads if payload["op"] == 0), last + 1)
        self.assertEqual([payload["d"] for payload in second.all("ORDINARY")], [{"n": 3}])
        self.assertEqual(simulator.breaches, [])

    async def resumed(self, simulator: Simulator, client: RawClient, seq: int, transport: str | None) -> RawClient:
        second = await self.connect(simulator, host="127.0.0.2", compress=transport)
        await second.first(10)
        second.resume(client.all("READY")[0]["d"]["session_id"], seq)
        await second.first("RESUMED")
        return second

    async def test_zlib(self) -> None:
        """zlib-stream: nothing is missing, nothing comes twice, nothing can't be read."""
        await self.through_it_all("zlib-stream")

    async def test_zstd(self) -> None:
        """So it is in zstd-stream."""
        await self.through_it_all("zstd-stream")

    async def test_plain(self) -> None:
        """And without compression."""
        await self.through_it_all(None)

    async def test_large_guild_between(self) -> None:
        """A guild of megabytes, joined amid the load, comes whole in a zstd stream whose compressor was let go."""
        simulator = await self.start(guilds=1)
        client = await self.ready(simulator, transport="zstd-stream")
        await client.count("GUILD_CREATE", 1)
        simulator.load.start(500)
        await client.count("MESSAGE_CREATE", 20)
        d = simulator.guild_create(simulator.guild(0).id, pad_to=3_000_000)
        simulator.dispatch(0, "GUILD_CREATE", d)
        await client.count("GUILD_CREATE", 2)
        self.assertEqual(client.all("GUILD_CREATE")[1]["d"], json.loads(d))
        seen = len(client.payloads)
        await client.until(lambda: len(client.payloads) > seen + 20)


class StuckTests(SimulatorTestCase):
    """A client that doesn't read."""

    async def test_no_heap(self) -> None:
        """It gets no more than fits in the buffers; the load says so, and goes on where it reads again."""
        simulator = await self.start(guilds=1, members=5)
        client = await self.ready(simulator)
        await client.count("GUILD_CREATE", 1)
        wire: Any = simulator.connection(0).wire
        client.transport.pauseProducing()
        simulator.load.start(20_000)
        await simulator.until(lambda: simulator.load.left_out, what="events are left out")
        self.assertTrue(wire.is_stuck)
        waiting = len(wire.transport.dataBuffer) + wire.transport._tempDataLen
        self.assertTrue(waiting < 2_000_000, waiting)
        seen, sent = len(client.payloads), simulator.load.sent
        client.transport.resumeProducing()
        await simulator.until(lambda: simulator.load.sent > sent, what="the load goes on")
        await client.until(lambda: len(client.payloads) > seen + 100)
        self.assertIn("left out)", simulator.summary())

    async def test_end(self) -> None:
        """A connection whose client doesn't read can be ended; the session waits for a RESUME."""
        simulator = await self.start(guilds=1, members=5)
        client = await self.ready(simulator)
        await client.count("GUILD_CREATE", 1)
        client.transport.pauseProducing()
        simulator.load.start(20_000)
        await simulator.until(lambda: simulator.connection(0).is_stuck, what="the client is stuck")
        simulator.load.stop()
        simulator.drop(0, "fin")
        client.transport.resumeProducing()
        await client.end()
        await simulator.until(lambda: simulator.connections[0].lost_at is not None)
        self.assertEqual(len(simulator.sessions), 1)


class ManyTests(SimulatorTestCase):
    """The bench's clients, and the command line."""

    async def clients(self, simulator: Simulator, count: int, transport: str = "zlib-stream") -> Clients:
        clients = Clients(simulator.port, count, transport, sample=count)
        self.addCleanup(clients.close)
        await deferToThread(clients.connect, PATIENCE)
        return clients

    async def test_counted_and_read(self) -> None:
        """They get what was sent, as many as were sent, on every connection."""
        for transport in ("zlib-stream", "zstd-stream", "none"):
            await self.count_and_read(transport)

    async def count_and_read(self, transport: str) -> None:
        simulator = await self.start(guilds=5, shards=5, max_concurrency=5)
        clients = await self.clients(simulator, 5, transport)
        simulator.load.start(2000, sessions=5)
        await simulator.until(lambda: simulator.load.sent > 500)
        simulator.load.stop()
        await deferToThread(self.until_all, clients, simulator.sent + 5)
        self.assertEqual(sum(clients.names.values()), simulator.sent)
        self.assertEqual(clients.messages, simulator.sent + 5)
        self.assertTrue(clients.least >= 100, clients.least)
        self.assertEqual(simulator.breaches, [])

    @staticmethod
    def until_all(clients: Clients, count: int) -> None:
        """Read until so many messages have come; in a thread."""
        deadline = time.monotonic() + PATIENCE
        while clients.messages < count and time.monotonic() < deadline:
            clients.turn(0.1)

    async def test_they_notice(self) -> None:
        """A gap in the sequence, an event of another shard's guild, and an end are noticed."""
        simulator = await self.start(guilds=2)
        clients = await self.clients(simulator, 1)
        simulator.skip_sequences(0, 1)
        simulator.dispatch(0, "A", {})
        await self.assertFailure(deferToThread(clients.run, PATIENCE), Wrong)

        other = await self.start(guilds=2)
        clients = await self.clients(other, 2)
        other.dispatch(0, "A", {"guild_id": str(other.guild(1).id)})
        await self.assertFailure(deferToThread(clients.run, PATIENCE), Wrong)

        third = await self.start(guilds=2)
        clients = await self.clients(third, 1, "none")
        third.drop(0)
        await self.assertFailure(deferToThread(clients.run, PATIENCE), Wrong)

    async def test_bench(self) -> None:
        """The bench starts a simulator by its command line, and reports the rate that it reached and what that took."""
        # So many that their cost can be seen in the kernel's ticks, 10 ms each.
        result, names = await deferToThread(measure, "zlib-stream", 6, 6000.0, 1.0, 2)
        self.assertTrue(result.rate > 0 and result.per_event > 0, result)
        self.assertIn("MESSAGE_CREATE", names)
        self.assertIn("| zlib-stream | 6 |", result.row())

    def test_options(self) -> None:
        """The options reach the simulator."""
        options = Options()
        options.parseOptions(["--load=250.5", "--load-sessions=7", "--load-tick=0.001"])
        chosen = options.chosen
        self.assertEqual((chosen.load, chosen.load_sessions, chosen.load_tick), (250.5, 7, 0.001))
        self.assertIn("--load=N", options.getUsage())

    async def test_from_the_start(self) -> None:
        """With the option, the load begins by itself."""
        simulator = await self.start(guilds=1, load=200.0)
        await self.ready(simulator)
        await simulator.until(lambda: simulator.load.sent >= 10)
        self.assertIn("load of ", simulator.summary())

    async def test_open_files(self) -> None:
        """The limit of open files is raised as far as the system lets the process."""
        script = (
            "import resource as r; hard = r.getrlimit(r.RLIMIT_NOFILE)[1]; r.setrlimit(r.RLIMIT_NOFILE, (64, hard));"
            "from rateway.simulator.openfiles import allow_most as a; n = a();"
            "assert n == a() == r.getrlimit(r.RLIMIT_NOFILE)[0], n; assert n > 64; print(n == hard or n == 1 << 20)"
        )
        environment = {"PYTHONPATH": ":".join(sys.path)}
        output = await getProcessOutput(
            sys.executable, ["-c", script], environment, reactor=the_reactor(), errortoo=True
        )
        self.assertEqual(output, b"True\n")
