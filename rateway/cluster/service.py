"""The cluster as a service: builds its parts, starts its shards once their events can be taken, stops in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorCore, IReactorTime
from twisted.logger import Logger

from rateway.amqp.broker import ClusterBroker
from rateway.amqp.inbox import Delivery
from rateway.amqp.outages import Outages
from rateway.amqp.topology import COMMAND_KEY, exchange_name
from rateway.amqp.uri import parse_uri
from rateway.config import Config
from rateway.interfaces import IFatalReporter, IIdentifyGate
from rateway.model import deadlines
from rateway.model.plan import Cluster
from rateway.model.session import Session
from rateway.shard.distrust import Distrust
from rateway.shard.service import ShardService
from rateway.shard.settings import ShardSettings
from rateway.store.cluster import ClusterStore

from .checkpoint import Checkpoint
from .commands import GatewayCommands
from .elsewhere import Send
from .phases import Phase, run_phases
from .pipeline import Pipeline
from .requests import CacheRequests, Desk
from .safekeeping import Safekeeping
from .spools import Spools
from .threshold import Threshold


class ClusterService(MultiService):
    """One cluster, whole.

    :ivar cluster: its number and its shards.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorCore,
        cluster: Cluster,
        total: int,
        config: Config,
        gateway_url: str,
        store: ClusterStore,
        spools: Spools,
        desk: Desk,
        gate: IIdentifyGate,
        outages: Outages,
        fatal: IFatalReporter,
        send_elsewhere: Send,
        now: Callable[[], float] = time.time,
        *,
        again: bool = False,
    ) -> None:
        """
        :param again: whether another process ran it before, and died.
        """
        super().__init__()
        self.cluster = cluster
        self._answers = True
        """While it stops: the broker has left nothing unanswered yet."""
        self._store = store
        clock = self._clock = IReactorTime(reactor)
        resumable = store.sessions()
        self._checkpoint = Checkpoint(
            clock, store, {shard: (found.session.id, found.kept) for shard, found in resumable.items()}
        )
        self._broker = ClusterBroker(
            reactor,
            parse_uri(config.amqp_uri),
            cluster.number,
            self._delivered,
            persistent=config.amqp_persistent,
            ca_file=config.amqp_ca,
            fatal=fatal,
            on_kept=self._checkpoint.confirmed,
            on_room=self._room,
            outages=outages,
            memory=spools.memory,
            spool=spools.events,
            refused=spools.refused,
            ttl=config.event_ttl,
            now=now,
            known=again,
        )
        self._broker.setServiceParent(self)
        threshold = Threshold(gate, self._broker.when_ready)
        chunking = desk.chunking
        tell = None if chunking is None else chunking.told
        self._pipeline = Pipeline(
            clock, store, self._broker, self._checkpoint, now, tell=tell, hold=self._hold, most=spools.memory
        )
        self._safekeeping = Safekeeping(clock, cluster.number, spools, self._kept_sessions)
        settings = ShardSettings(
            token=config.token,
            intents=config.intents,
            total=total,
            compression=config.compression,
            presence=config.presence,
            gateway_url=gateway_url,
            distrusted=Distrust(clock, f"the shards of cluster {cluster.number}").refused,
        )
        self.shards: Mapping[int, ShardService] = {
            shard: ShardService(
                reactor,
                shard,
                settings,
                self._pipeline,
                threshold,
                fatal,
                session=resumable[shard].session if shard in resumable else None,
                refill=shard in resumable and resumable[shard].refill,
            )
            for shard in cluster.shards
        }
        if chunking is not None:
            outboxes = {shard: service.outbox for shard, service in self.shards.items()}
            chunking.take_on(outboxes, lambda: self._broker.connected and not store.stopped)
        exchange = exchange_name(cluster.number)
        self._requests = CacheRequests(exchange, self._broker, desk)
        self._commands = GatewayCommands(
            clock,
            exchange,
            self._broker,
            self.shards,
            send_elsewhere,
            total,
            config.shards_per_cluster,
            config.command_ttl,
            now,
        )

    def startService(self) -> None:
        """Connect to the broker; the shards follow once there is an exchange for their events.

        Who has a session goes on with it, too, while the broker is away: it lasts for minutes only, and its events can
        be held. But not while somebody else has the cluster's queue: that is another rateway, perhaps with the same
        sessions. Who has none, or whose ends, identifies once there is an exchange and a queue (:mod:`.threshold`).
        """
        super().startService()
        self._safekeeping.start()
        with_session = [shard for shard in self.shards.values() if shard.session is not None]
        tried, ready = self._broker.when_tried(), self._broker.when_ready()
        tried.addCallback(lambda _: self._start_shards(with_session))
        ready.addCallback(lambda _: self._start_shards(self.shards.values()))
        for started in (tried, ready):
            started.addErrback(partial(self._log.failure, "starting the shards of cluster {n}", n=self.cluster.number))

    def stopService(self) -> Deferred[None]:
        """Stop in order: inbox, shards, what is in flight, broker, store. Sessions stay resumable."""
        return Deferred.fromCoroutine(self._stop(final=False))

    def stop_for_good(self) -> Deferred[None]:
        """The same, but the bot goes offline at once and its sessions end."""
        return Deferred.fromCoroutine(self._stop(final=True))

    def status(self) -> dict[str, object]:
        """What is worth knowing of the cluster, for logs and the parent."""
        return {
            "cluster": self.cluster.number,
            "broker": self._broker.connected,
            "events": self._pipeline.events,
            "held": self._broker.held_events,
            "spooled": self._broker.spooled_events,
            "expired": sum(self._broker.expired.values()),
            "lost_sessions": self._checkpoint.lost_sessions,
            "cache_failures": self._store.failures,
            "shards": {shard: service.state for shard, service in self.shards.items()},
        }

    def _start_shards(self, shards: Iterable[ShardService]) -> None:
        for shard in shards:
            if self.running and shard.parent is None:
                shard.setServiceParent(self)

    async def _stop(self, final: bool) -> None:
        if not self.running:
            return
        self.running = 0
        phases = (
            Phase("leaving the inbox", deadlines.INBOX, self._leave_inbox),
            Phase("closing the shards", deadlines.SHARDS, lambda _: self._close_shards(final)),
            Phase("waiting for confirms", deadlines.FLUSH, self._flush),
            Phase("writing down the sessions", deadlines.SESSIONS, lambda _: self._safekeeping.stop()),
            Phase("leaving the broker", deadlines.GOODBYE, self._leave),
        )
        try:
            await run_phases(self._clock, f"cluster {self.cluster.number}", deadlines.CLUSTER, phases)
            self._checkpoint.write()
        finally:
            self._store.close()

    async def _leave_inbox(self, seconds: float) -> None:
        self._answers = await self._broker.stop_inbox(seconds)

    async def _close_shards(self, final: bool) -> None:
        stopping = [shard.stop(final=final) for shard in self.shards.values() if final or shard.running]
        await DeferredList(stopping, consumeErrors=True)

    async def _flush(self, seconds: float) -> None:
        self._pipeline.flush()
        drained = await self._broker.drained(self._patience(seconds))
        if not drained:
            self._answers = False
            self._log.warn(
                "cluster {n} stops with {count} events the broker has not confirmed: they wait on disk, and are "
                "published at the next start",
                n=self.cluster.number,
                count=self._broker.held_events,
            )
        self._broker.secure()
        # Before the broker is left, which may hang: the cursors are what the next start goes by.
        self._checkpoint.write()

    def _kept_sessions(self) -> dict[int, Session]:
        """The sessions as a new process could go on with them."""
        found = {}
        for shard, service in self.shards.items():
            session, (session_id, seq) = service.session, self._checkpoint.kept.get(shard, ("", 0))
            if session is not None and session.id == session_id and seq > 0:
                found[shard] = session.at(seq)
        return found

    def _leave(self, seconds: float) -> Deferred[None]:
        return self._broker.leave(self._patience(seconds))

    def _patience(self, seconds: float) -> float:
        """How long to wait for the broker: one that hangs is not to be waited for in each phase anew."""
        return seconds if self._answers else min(seconds, deadlines.UNANSWERED)

    def _delivered(self, delivery: Delivery) -> None:
        if delivery.routing_key == COMMAND_KEY:
            self._commands.received(delivery)
        else:
            self._requests.received(delivery)

    def _hold(self, held: bool) -> None:
        for shard in self.shards.values():
            shard.hold(held)

    def _room(self, there_is: bool) -> None:
        for shard in self.shards.values():
            if there_is:
                shard.resume()
            else:
                shard.pause()
