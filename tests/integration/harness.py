"""What the integration tests share: a simulator, rateway and a worker per test, and what must hold at each end."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from rateway.simulator.options import SimulatorOptions
from rateway.simulator.simulator import Simulator
from scripts.ports import free_ports
from tests.support.broker import fresh_vhost, vhost_of
from tests.support.waiting import PATIENCE

from .program import Program, until
from .worker import Worker

TOKEN = "MTIzNDU2Nzg5.secret-of-this-test.neverInAnyLog"
ALL_INTENTS = 53608447
NAMES = ("READY", "RESUMED", "GUILD_CREATE", "GUILD_DELETE", "MESSAGE_CREATE", "TEST")
"""The events a worker binds by, unless a test says otherwise; TEST is no event of Discord's."""

LATE = 4.0
"""Seconds by which a heartbeat may be late at any interval, before the simulated Discord closes: so long a busy machine
may hold a process up. Which are late by rateway's own fault, the tests of heartbeats and the scenarios say."""


class WorldTestCase(TestCase):
    """A test with a Discord, a broker and a rateway of its own.

    At the end of each test: rateway ends in good order, broke no rule of Discord's that the test didn't expect
    (``expected_breaches``), its token stands in nothing that was written, and nobody else can read its STATE_DIR.
    """

    timeout = 300
    expected_breaches: frozenset[str] = frozenset()

    async def setUp(self) -> None:  # type: ignore[override]
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.folder = Path(tempfile.mkdtemp(prefix="rateway-test-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.programs: list[Program] = []
        self.workers: list[Worker] = []
        self.simulators: list[Simulator] = []
        self.amqp = await fresh_vhost(self)
        self.vhost = vhost_of(self.amqp)
        # Not tearDown: trial runs the clean-ups before it, newest first, and one of them deletes the vhost.
        self.addCleanup(lambda: Deferred.fromCoroutine(self._end()))

    async def simulator(self, *, endpoint: Any = "tcp:0:interface=127.0.0.1", **options: Any) -> Simulator:
        """Start a Discord; options are those of :class:`SimulatorOptions`."""
        chosen = SimulatorOptions(**{"token": TOKEN, **options})
        if "heartbeat_slack" not in options:
            slack = max(chosen.heartbeat_slack, LATE / chosen.heartbeat_interval)
            chosen = attrs.evolve(chosen, heartbeat_slack=slack)
        simulator = Simulator(self.reactor, chosen)
        self.simulators.append(simulator)
        await simulator.start(endpoint)
        return simulator

    def unused_port(self) -> int:
        """A port of 127.0.0.1 that nobody listens on, and that the kernel gives to nobody meanwhile."""
        (port,) = free_ports(1)
        return port

    def environ(self, simulator: Simulator | None, **settings: object) -> dict[str, str]:
        """rateway's settings: few shards, one process, everything of this test."""
        defaults = {
            "DISCORD_TOKEN": TOKEN,
            "INTENTS": ALL_INTENTS,
            "AMQP_URI": self.amqp,
            "EXTRA_SHARDS": 0,
            "PROCESSES": 1,
            "STATE_DIR": self.folder / "state",
        }
        if simulator is not None:
            defaults["DISCORD_API_URL"] = simulator.api_url
        return {name: str(value) for name, value in {**defaults, **settings}.items() if value is not None}

    def rateway(self, simulator: Simulator | None, *, argv: Any = None, **settings: object) -> Program:
        """Start rateway; settings are environment variables, ``None`` leaves one out."""
        program = Program(self.reactor, self.folder, self.environ(simulator, **settings), argv)
        self.programs.append(program)
        return program

    async def worker(self, *clusters: int, names: Iterable[str] = NAMES) -> Worker:
        """Connect a bot's worker, bound to these clusters' exchanges by these names."""
        worker = await Worker.connect(self.reactor, self.amqp)
        self.workers.append(worker)
        for cluster in clusters:
            await worker.bind(cluster, names)
        return worker

    async def up(
        self, *, shards: int = 1, settings: Mapping[str, Any] | None = None, **options: Any
    ) -> tuple[Simulator, Program, Worker]:
        """A simulator, rateway with every shard active, and a worker bound to cluster 1 before the first event."""
        simulator = await self.simulator(shards=shards, **options)
        worker = await self.worker(1)
        program = self.rateway(simulator, **dict(settings or {}))
        await self.all_active(simulator, shards)
        return simulator, program, worker

    async def all_active(self, simulator: Simulator, shards: int, timeout: float = 2 * PATIENCE) -> None:
        """Wait until each of the shards has its guilds: Discord has sent them, and rateway says that it took them.

        What Discord knows alone proves little: what it sent may be under way still, and of a process that was killed it
        hears a little later. No longer than rateway runs.
        """
        asked: dict[int, tuple[int, int, int]] = {}

        def active() -> bool:
            if self.programs and all(program.exit_code is not None for program in self.programs):
                raise AssertionError("rateway ended")
            if any(session.backfilling for session in simulator.sessions):
                return False
            if simulator.connected_shards() != set(range(shards)):
                return False
            # Each is asked, not only the first.
            return set(map(taken, range(shards))) == {True}

        def taken(shard: int) -> bool:
            """A heartbeat that was asked for, on the connection there is now, names the last event before it.

            If it names an earlier one, as one does that is asked for amid what is still read, it is asked for again.
            """
            connection = simulator.connection(shard).number
            if shard in asked and asked[shard][0] == connection:
                _, seq, before = asked[shard]
                beats = [
                    frame for frame in simulator.frames[before:] if frame.connection == connection and frame.op == 1
                ]
                if any(isinstance(frame.d, int) and frame.d >= seq for frame in beats):
                    return True
                if not beats:
                    return False
            asked[shard] = connection, simulator.session(shard).seq, len(simulator.frames)
            simulator.request_heartbeat(shard)
            return False

        await self.until(active, f"{shards} active shards", timeout)

    async def dispatch_large(self, simulator: Simulator, count: int, first: int = 0) -> None:
        """So many TEST events of 60 kB with ``n`` on shard 0.

        A few at a time: a Discord that is busy acknowledges no heartbeat meanwhile, and is given up as dead.
        """
        for number in range(first, first + count):
            simulator.dispatch(0, "TEST", b'{"n":%d,"pad":"%b"}' % (number, b"x" * 60_000))
            if number % 20 == 0:
                await deferLater(self.reactor, 0)

    async def until(self, met: Any, what: str, timeout: float = PATIENCE) -> None:
        """Wait for a condition; on failure, show what rateway said."""
        try:
            await until(self.reactor, met, what, timeout)
        except AssertionError as error:
            said = "\n---\n".join(program.text[-6000:] for program in self.programs)
            raise AssertionError(f"{error}; rateway said:\n{said}") from None

    async def _end(self) -> None:
        codes = []
        for program in self.programs:
            if program.exit_code is None:
                codes.append(await program.stop())
        for worker in self.workers:
            await worker.close()
        for simulator in self.simulators:
            await simulator.stop()
        self.assertEqual([code for code in codes if code], [], "\n".join(p.text[-6000:] for p in self.programs))
        for simulator in self.simulators:
            broken = [breach for breach in simulator.breaches if breach.rule not in self.expected_breaches]
            self.assertEqual(broken, [])
        for program in self.programs:
            self.assertNotIn(TOKEN, program.text)
            self.assertNotIn(urlsplit(self.amqp).password or TOKEN, program.text)
            self.assertNotIn("Traceback", program.text)
        for file in self.folder.rglob("*"):
            if file.is_file():
                self.assertNotIn(TOKEN.encode(), file.read_bytes(), str(file))
        state = self.folder / "state"
        open_to_others = [
            str(path) for path in (state, *state.rglob("*")) if path.exists() and path.stat().st_mode & 0o77
        ]
        self.assertEqual(open_to_others, [])
