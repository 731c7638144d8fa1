"""A simulated Discord, rateway in its process tree, a broker and a worker; and what must hold once all is healed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from random import Random
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.task import deferLater

from rateway.simulator.options import SimulatorOptions
from rateway.simulator.simulator import Simulator
from tests.integration.harness import ALL_INTENTS, TOKEN
from tests.integration.program import until
from tests.integration.worker import Worker
from tests.support.broker import Vhost

from .cachecheck import check_guild, members_gone
from .disk import PREFIX, SmallDisk
from .figures import Figures
from .fleet import Fleet
from .ledger import Ledger, by_identity
from .mailbox import Mailbox
from .node import Node
from .traffic import NumberedTraffic, realistic_sizes
from .verdict import find_wrong

CHECKED_GUILDS = 3


@frozen(kw_only=True)
class Layout:
    """What a world is made of.

    :ivar per_cluster: shards of a cluster; there are two processes, where there are as many clusters.
    :ivar numbered: numbered events a second, over all shards; ``lively`` those that happen in the guilds.
    :ivar event_bytes: of the text in each numbered event; 0 for realistic sizes.
    :ivar small_disk: the spools lie on a disk that can be filled.
    """

    shards: int = 8
    per_cluster: int = 2
    numbered: float = 300.0
    lively: float = 100.0
    event_bytes: int = 0
    small_disk: bool = True

    @property
    def clusters(self) -> int:
        return -(-self.shards // self.per_cluster)


class World:
    """One of them. Begin with :meth:`begin`; :meth:`end` must be called in any case.

    :ivar wrong: what must not be, in words.
    """

    PATIENCE = 120.0
    """Seconds for any one thing to come about: a child that died several times within a minute comes back after 60."""

    def __init__(
        self, reactor: Any, node: Node, seed: int, layout: Layout, settings: Mapping[str, str], query: str = ""
    ) -> None:
        """
        :param settings: of rateway, besides those that every world has.
        :param query: of AMQP_URI.
        """
        self.reactor = reactor
        self.node = node
        self.seed = seed
        self.layout = layout
        self.wrong: list[str] = []
        self.figures = Figures()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        self.disk = SmallDisk(self.folder / "disk") if layout.small_disk else None
        self.ledger = Ledger()
        self._settings = settings
        self._query = query
        self._broker_trouble = DeferredLock()
        self._tasks: list[Deferred[None]] = []
        self._vhost: Vhost | None = None
        self._began = reactor.seconds()
        self.simulator: Simulator
        self.fleet: Fleet
        self.traffic: NumberedTraffic
        self.mailbox: Mailbox

    # --- life

    async def begin(self) -> None:
        """Everything runs, every shard has its guilds, and the worker got all of it."""
        layout = self.layout
        self.simulator = Simulator(
            self.reactor,
            SimulatorOptions(
                shards=layout.shards,
                max_concurrency=layout.shards,
                guilds=2 * layout.shards,
                members=20,
                seed=self.seed,
                token=TOKEN,
                heartbeat_interval=10.0,
                record_events=True,
                replay_limit=50_000,
            ),
        )
        await self.simulator.start()
        await self.node.start()
        self._vhost = await self.node.new_vhost()
        self.mailbox = Mailbox(self.reactor, self._vhost.uri, layout.clusters)
        await self.mailbox.declare()
        if self.disk is not None:
            self.disk.hold_spools(self.folder / "state", range(1, layout.clusters + 1))
        self.fleet = Fleet(self.reactor, self.folder, self._environ(self._vhost.uri))
        sizes = [layout.event_bytes] if layout.event_bytes else realistic_sizes(Random(self.seed))
        self.traffic = NumberedTraffic.of_sizes(self.reactor, self.simulator, layout.shards, layout.numbered, sizes)
        self.fleet.start()
        await self.active()
        await self.check(last=False)

    def _environ(self, uri: str) -> dict[str, str]:
        settings = {
            "DISCORD_TOKEN": TOKEN,
            "DISCORD_API_URL": self.simulator.api_url,
            "INTENTS": str(ALL_INTENTS),
            "AMQP_URI": uri + self._query,
            "AMQP_PERSISTENT": "true",
            "EXTRA_SHARDS": "0",
            "SHARDS_PER_CLUSTER": str(self.layout.per_cluster),
            "PROCESSES": "2",
            "STATE_DIR": str(self.folder / "state"),
            "HTTP_LISTEN": "",
            **self._settings,
        }
        if self.disk is not None and not self.disk.mounted:
            settings["SPOOL_LIMIT"] = "1MiB"
        return settings

    async def end(self) -> None:
        """Stop everything; nothing is left behind."""
        try:
            self._stop_traffic()
            if hasattr(self, "fleet"):
                await self.fleet.end()
            for task in self._tasks:
                await task
            if hasattr(self, "simulator"):
                await self.simulator.stop()
            if self._vhost is not None and self.node.serves:
                await self._vhost.delete()
        finally:
            if self.disk is not None:
                self.disk.remove()
            shutil.rmtree(self.folder, ignore_errors=True)

    # --- while faults happen

    def pause(self, seconds: float) -> Deferred[None]:
        """Let the world go on for so long."""
        return deferLater(self.reactor, seconds)

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin it; the check that follows waits for its end, and tells if it failed."""
        task = Deferred.fromCoroutine(work)
        task.addErrback(lambda failure: self.wrong.append(failure.getTraceback()))
        self._tasks.append(task)

    async def trouble_broker(self, do: Callable[[], Awaitable[None]]) -> None:
        """Once the broker's former trouble is over, this one begins; the next fault doesn't wait for its end."""
        await self._broker_trouble.acquire()

        async def trouble() -> None:
            try:
                await do()
            finally:
                self._broker_trouble.release()

        self.in_background(trouble())

    async def kill_broker(self, seconds: float, *, hanging: float = 0.0) -> None:
        """As :meth:`.node.Node.die`; the judge is told what that excuses."""

        def dead() -> None:
            self.ledger.broker_died((session.shard, session.id, session.seq) for session in self.simulator.sessions)

        await self.node.die(seconds, hanging=hanging, dead=dead)

    async def until(self, met: Callable[[], object], what: str) -> None:
        """Wait for anything that must come about."""
        await until(self.reactor, met, what, self.PATIENCE)

    async def connected(self, shard: int) -> None:
        """The shard has a connection and a session."""
        await self.until(lambda: self.simulator.is_connected(shard), f"shard {shard}")

    async def gone(self, shards: Iterable[int]) -> None:
        """None of these has a connection."""
        lost = set(shards)
        await self.until(lambda: not lost & self.simulator.connected_shards(), f"the end of shards {lost}")

    async def flow(self, count: int) -> None:
        """So many more numbered events were sent."""
        goal = self.traffic.sent + count
        await self.until(lambda: self.traffic.sent >= goal, f"{count} events")

    def send_large(self, cluster: int, size: int, count: int) -> None:
        """So many events of this size to each shard of a cluster."""
        first = (cluster - 1) * self.layout.per_cluster
        for shard in range(first, min(first + self.layout.per_cluster, self.layout.shards)):
            for _ in range(count):
                self.traffic.send(shard, b"x" * size)

    def _stop_traffic(self) -> None:
        if hasattr(self, "traffic"):
            self.traffic.stop()
            self.simulator.traffic.stop()

    # --- checks

    async def check(self, *, last: bool) -> None:
        """Heal everything, wait until all is where it belongs, and judge it; then the traffic goes on.

        :raises AssertionError: if something doesn't come about. What else is wrong is in :attr:`wrong`, and then the
            traffic stays as it is.
        """
        self._stop_traffic()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            await task
        await self.active()
        sent = by_identity(self.simulator.events)
        try:
            reader = await self.mailbox.read(self.ledger.arrive, lambda: not self.ledger.lacks(sent), self.PATIENCE)
        except AssertionError:
            # Says which events are missing.
            self.wrong += find_wrong(self)
            raise
        try:
            await self._compare_cache(reader)
        finally:
            await reader.close()
        self.wrong += find_wrong(self)
        if self.wrong:
            return
        self._count()
        if not last:
            self.traffic.start()
            if self.layout.lively:
                self.simulator.traffic.start(self.layout.lively)

    async def _compare_cache(self, reader: Worker) -> None:
        """Some guilds, others at each check, all clusters asked in turn."""
        gone = members_gone(self.simulator.events)
        guilds = list(self.simulator.world.guilds.values())
        for turn in range(CHECKED_GUILDS):
            guild = guilds[(self.figures.checks * CHECKED_GUILDS + turn) % len(guilds)]
            cluster = turn % self.layout.clusters + 1
            asking = Deferred.fromCoroutine(check_guild(reader, cluster, guild, gone.get(guild.id, set())))
            compared, wrong = await asking.addTimeout(self.PATIENCE, self.reactor)
            self.figures.entities += compared
            self.wrong += [f"cache: {words}" for words in wrong]

    def _count(self) -> None:
        """What this check saw; the records of it are forgotten then."""
        simulator, fleet, figures = self.simulator, self.fleet, self.figures
        figures.checks += 1
        figures.events += len(simulator.events)
        figures.duplicates, figures.late = self.ledger.duplicates, self.ledger.late
        figures.resumes += sum(resume.answer == "resumed" for resume in simulator.resumes)
        figures.identifies += len(simulator.identifies)
        figures.starts = fleet.starts
        figures.refused_by_disk = fleet.refusals
        figures.longest_stop = max([figures.longest_stop, *fleet.stops])
        figures.longest_early_stop = max([figures.longest_early_stop, *fleet.early_stops])
        figures.longest_by_clock = fleet.longest_by_clock
        figures.parent_peak, figures.child_peak = fleet.parent_peak, fleet.child_peak
        figures.seconds = self.reactor.seconds() - self._began
        self.ledger.roll()
        simulator.forget_records()
        fleet.forget()

    async def active(self) -> None:
        """Every shard has a session, and its guilds."""
        shards = set(range(self.layout.shards))

        def active() -> bool:
            if any(session.backfilling for session in self.simulator.sessions):
                return False
            return self.simulator.connected_shards() == shards

        await self.until(active, "every shard active")
