"""Keeps one child alive: spawns it, tells it what to run, brings it back when it dies, ends it when told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, TypeAlias

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionClosed, ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall, IProcessTransport, IReactorTime
from twisted.logger import Logger
from twisted.protocols.amp import CommandLocator, RemoteAmpError
from twisted.python.failure import Failure

from rateway.errors import FatalError, RequestRefused
from rateway.interfaces import IFatalReporter
from rateway.model.plan import Cluster

from . import commands
from .gate import FleetGate, permit_over_link
from .link import Link
from .relay import Relay
from .restarts import Restarts
from .spawning import ChildProcess
from .wording import clusters_named, duration

LINGER = 10.0
"""Seconds a child may live on after its link closed."""


Forward: TypeAlias = Callable[[int, int, bytes, float], Deferred[dict[str, Any]]]
"""Hands a gateway command to the child that runs its shard: shard, op, payload, seconds left."""


@frozen
class Orders:
    """What every child is told, and again each time one comes back."""

    config: bytes = field(repr=False)
    gateway_url: str
    total: int


class Spawn(Protocol):
    """Starts a process that a protocol watches."""

    def __call__(self, process: ChildProcess, /) -> IProcessTransport: ...


class ChildEnd(CommandLocator):
    """What the parent answers to one child."""

    def __init__(
        self,
        shards: frozenset[int],
        gate: FleetGate,
        fatal: IFatalReporter,
        started: Callable[[int, list[int]], None],
        forward: Forward,
    ) -> None:
        super().__init__()
        self._shards = shards
        self._gate = gate
        self._fatal = fatal
        self._started = started
        self._forward = forward

    @commands.ClusterStarted.responder
    def cluster_started(self, cluster: int, resumable: list[int]) -> dict[str, object]:
        self._started(cluster, resumable)
        return {}

    @commands.AcquirePermit.responder
    def acquire(self, shard: int) -> Deferred[dict[str, object]]:
        return permit_over_link(self._gate, self._own(shard))

    @commands.WithdrawPermit.responder
    def withdraw(self, shard: int) -> dict[str, object]:
        self._gate.withdraw(self._own(shard))
        return {}

    @commands.PermitUsed.responder
    def used(self, shard: int) -> dict[str, object]:
        self._gate.used(self._own(shard))
        return {}

    @commands.PermitSettled.responder
    def settled(self, shard: int) -> dict[str, object]:
        self._gate.settled(self._own(shard))
        return {}

    @commands.PermitReturned.responder
    def returned(self, shard: int) -> dict[str, object]:
        self._gate.give_back(self._own(shard))
        return {}

    @commands.SendCommand.responder
    def send_command(self, shard: int, op: int, payload: bytes, left: float) -> Deferred[dict[str, Any]]:
        return self._forward(shard, op, payload, left)

    @commands.ReportFatal.responder
    def fatal(self, sentence: str) -> dict[str, object]:
        self._fatal.report_fatal(FatalError(sentence))
        return {}

    def _own(self, shard: int) -> int:
        if shard not in self._shards:
            raise ValueError(f"shard {shard} is another child's")
        return shard


@define(eq=False)
class Life:
    """One life of a child, from its spawning to its end."""

    born: float
    link: Link
    process: ChildProcess
    transport: IProcessTransport
    lingering: IDelayedCall | None = None

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")


class Supervisor:
    """The keeper of one child.

    :ivar number: counted from 1.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        number: int,
        clusters: tuple[Cluster, ...],
        orders: Callable[[], Orders],
        spawn: Spawn,
        gate: FleetGate,
        fatal: IFatalReporter,
        started: Callable[[int, list[int]], None],
        forward: Forward,
    ) -> None:
        self.number = number
        self.clusters = clusters
        self._reactor = reactor
        self._orders = orders
        self._spawn = spawn
        self._gate = gate
        self._fatal = fatal
        self._started = started
        self._forward = forward
        self._restarts = Restarts()
        self._life: Life | None = None
        self._again: IDelayedCall | None = None
        self._stopping = False
        self._crashed = False
        self._ran = False
        """A child ran the clusters."""
        self._gone: Deferred[None] | None = None

    @property
    def name(self) -> str:
        return f"child {self.number} ({clusters_named(self.clusters)})"

    def start(self) -> None:
        """Bring the child to life."""
        self._again = None
        shards = frozenset(shard for cluster in self.clusters for shard in cluster.shards)
        link = Link(ChildEnd(shards, self._gate, self._fatal, self._started, self._forward))
        process = ChildProcess(link, Relay(self.number), Relay(self.number, "warn"))
        born = self._reactor.seconds()
        try:
            transport = self._spawn(process)
        except OSError as error:
            self._come_back(0.0, f"can't be started ({error.strerror})")
            return
        life = self._life = Life(born, link, process, transport)
        process.ended.addCallback(lambda how: self._ended(life, how))
        process.ended.addErrback(lambda failure: self._log.failure("after the end of {name}", failure, name=self.name))
        link.closed.addCallback(lambda _: self._link_closed(life))
        Deferred.fromCoroutine(self._instruct(life)).addErrback(self._mute, life)

    async def stop(self, final: bool = False) -> None:
        """End the child in order, and for good. Who can't wait calls ``kill``."""
        self._stopping = True
        if self._again is not None:
            self._again.cancel()
            self._again = None
        life = self._life
        if life is None:
            return
        gone: Deferred[None] = Deferred()
        self._gone = gone
        try:
            await life.link.ask(commands.Stop, final=final)
        except (ConnectionClosed, RemoteAmpError, commands.Fault) as error:
            self._log.debug("{name} did not answer to being stopped: {error}", name=self.name, error=str(error))
        life.link.close()
        await gone

    def kill(self) -> None:
        """End the child at once, if it lives."""
        self._stopping = True
        if self._life is not None:
            self._log.warn("{name} doesn't stop: killing it", name=self.name)
            self._life.kill()

    def runs(self, shard: int) -> bool:
        """Whether the shard is of one of the child's clusters."""
        return any(shard in cluster.shards for cluster in self.clusters)

    def send_command(self, shard: int, op: int, payload: bytes, left: float) -> Deferred[dict[str, Any]]:
        """A gateway command for one of the child's shards; fails with :class:`RequestRefused`."""
        if self._life is None or not self._life.link.open:
            return fail(RequestRefused(f"the process of shard {shard} is not running"))
        sent = self._life.link.ask(commands.SendCommand, shard=shard, op=op, payload=payload, left=left)
        return sent.addErrback(_process_lost, shard)

    async def status(self) -> list[dict[str, Any]]:
        """How each cluster is; nothing of a child that is dead or dies."""
        told = []
        for cluster in self.clusters:
            if self._life is None or not self._life.link.open:
                break
            try:
                answer = await self._life.link.ask(commands.Status, cluster=cluster.number)
            except (ConnectionClosed, RemoteAmpError):
                break
            except commands.Fault as error:
                self._log.warn("{name} tells no status: {error}", name=self.name, error=str(error))
                continue
            told.append(answer["status"])
        return told

    async def _instruct(self, life: Life) -> None:
        orders = self._orders()
        await life.link.ask(
            commands.Configure, config=orders.config, gateway_url=orders.gateway_url, total=orders.total
        )
        numbers = [cluster.number for cluster in self.clusters]
        await life.link.ask(commands.RunClusters, clusters=numbers, crashed=self._crashed, again=self._ran)
        self._ran = True

    def _mute(self, failure: Failure, life: Life) -> None:
        """It doesn't take its orders: if it isn't dead already, it ends what it runs, and is started anew."""
        if failure.check(ConnectionClosed):
            return
        self._log.error("{name} can't be instructed: {error}", name=self.name, error=failure.getErrorMessage())
        if failure.check(commands.Fault):
            life.link.close()
        else:
            life.kill()

    def _link_closed(self, life: Life) -> None:
        """Without a link it must end by itself; one that hangs is ended."""
        life.lingering = self._reactor.callLater(LINGER, life.kill)

    def _ended(self, life: Life, how: str) -> None:
        self._life = None
        self._crashed = life.process.crashed
        if life.lingering is not None and life.lingering.active():
            life.lingering.cancel()
        self._gate.lost(shard for cluster in self.clusters for shard in cluster.shards)
        if self._gone is not None:
            self._gone.callback(None)
        elif not self._stopping:
            self._come_back(self._reactor.seconds() - life.born, how)

    def _come_back(self, lived: float, how: str) -> None:
        wait = self._restarts.delay(lived)
        self._log.error("{name} {how}; it is started again in {wait}", name=self.name, how=how, wait=duration(wait))
        self._again = self._reactor.callLater(wait, self.start)


def _process_lost(failure: Failure, shard: int) -> dict[str, Any]:
    """Whether it was sent can't be known; who sent it may send it again."""
    failure.trap(ConnectionClosed)
    raise RequestRefused(f"the process of shard {shard} ended before it answered")
