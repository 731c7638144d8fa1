"""A child's composition root: the stores of its clusters, the cache over all of them, and the clusters themselves."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from rateway.amqp.outages import Outages
from rateway.cluster.chunking import Chunking
from rateway.cluster.elsewhere import FETCH_MEMBERS, Send
from rateway.cluster.patience import Patience
from rateway.cluster.requests import Desk
from rateway.cluster.service import ClusterService
from rateway.cluster.spools import Spools, open_spools
from rateway.cluster.turns import Turns
from rateway.config import Config
from rateway.errors import RequestRefused
from rateway.gateway.memberlists import MemberLists
from rateway.interfaces import IFatalReporter, IIdentifyGate
from rateway.model.chunking import why_not
from rateway.model.intents import Intent
from rateway.model.plan import Cluster, make_plan
from rateway.model.snowflake import bot_of, shard_of
from rateway.store.cache import Cache
from rateway.store.cluster import ClusterStore
from rateway.store.lock import FolderInUse

from .wording import cache_found

LOCK_WAIT = 10.0
"""Seconds an orphan of an earlier parent has to let go of a cluster's folder."""
LOCK_TRY_EVERY = 0.25


@frozen
class Parts:
    """What a child is composed of; tests put others in."""

    open_store: Callable[..., Any] = ClusterStore.open
    make_cache: Callable[..., Any] = Cache
    open_spools: Callable[..., Spools] = open_spools
    make_cluster: Callable[..., Any] = ClusterService
    now: Callable[[], float] = time.time


class Clusters:
    """The clusters of one child."""

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        config: Config,
        gateway_url: str,
        total: int,
        gate: IIdentifyGate,
        fatal: IFatalReporter,
        started: Callable[[int, list[int]], None],
        send_elsewhere: Send,
        parts: Parts | None = None,
    ) -> None:
        """
        :param started: told of each cluster that runs, with its shards that will try to resume.
        :param send_elsewhere: takes gateway commands for shards of other processes.
        """
        self._reactor = reactor
        self._config = config
        self._gateway_url = gateway_url
        self._total = total
        self._gate = gate
        self._fatal = fatal
        self._started = started
        self._send_elsewhere = send_elsewhere
        self._parts = parts or Parts()
        self._outages = Outages(reactor)
        self._services: dict[int, ClusterService] = {}
        self._cache: Cache | None = None
        self._desk: Desk | None = None
        self._turns = Turns(reactor)
        self._stopping = False

    async def run(self, numbers: Sequence[int], crashed: bool = False, again: bool = False) -> None:
        """Open the stores, then start the clusters.

        :param crashed: whether a fault in native code ended the child that ran them before.
        :param again: whether there was such a child, whatever ended it.
        :raises ConfigError: if a store can't be opened.
        :raises CancelledError: if they are to stop before they started.
        """
        plan = make_plan(self._total, self._config.shards_per_cluster)
        stores: dict[int, ClusterStore] = {}
        spools: dict[int, Spools] = {}
        try:
            for number in numbers:
                stores[number] = await self._open(plan.clusters[number - 1], crashed)
                spools[number] = self._parts.open_spools(plan.clusters[number - 1], plan, self._config, len(numbers))
            if self._stopping:
                raise CancelledError
        except BaseException:
            for store in stores.values():
                store.close()
            raise
        self._cache = self._parts.make_cache(
            self._config.state_dir,
            total=self._total,
            per_cluster=self._config.shards_per_cluster,
            own=stores,
            enabled=self._config.cache_enabled,
        )
        found = [store.found for store in stores.values()]
        if found and self._config.cache_enabled:
            self._log.info("{found}", found=cache_found(found, self._parts.now()))
        desk = self._desk = self._make_desk(self._cache)
        for number, store in stores.items():
            self._start(plan.clusters[number - 1], store, spools[number], desk, again)

    async def stop(self, final: bool = False) -> None:
        """Stop all clusters at the same time, each in its order."""
        self._stopping = True
        if self._desk is not None and self._desk.chunking is not None:
            self._desk.chunking.stop()
        if self._desk is not None and self._desk.patience is not None:
            self._desk.patience.stop()
        services = tuple(self._services.values())
        stopping = [service.stop_for_good() if final else service.stopService() for service in services]
        for succeeded, result in await DeferredList(stopping, consumeErrors=True):
            if not succeeded and isinstance(result, Failure):
                self._log.failure("stopping a cluster", result)
        self._services.clear()
        self._turns.stop()
        if self._cache is not None:
            self._cache.close()
            self._cache = None

    def send_here(self, shard: int, op: int, payload: bytes, left: float) -> Deferred[None]:
        """A gateway command for a shard of a cluster that runs here.

        :param left: seconds it may still wait.
        :raises RequestRefused: if none does.
        """
        for service in self._services.values():
            if shard in service.shards:
                if op == FETCH_MEMBERS:
                    return self._fetch(int(payload), left)
                return service.shards[shard].send(op, payload, self._reactor.seconds() + left)
        raise RequestRefused(f"shard {shard} is not running yet")

    def status(self, number: int) -> dict[str, object]:
        """How a cluster is; empty if it isn't run here."""
        service = self._services.get(number)
        return service.status() if service is not None else {}

    def _send(self, shard: int, op: int, payload: bytes, left: float) -> Deferred[None]:
        """A gateway command that a cluster's inbox had for a shard of another cluster, of this process or not."""
        if any(shard in service.shards for service in self._services.values()):
            return self.send_here(shard, op, payload, left)
        return self._send_elsewhere(shard, op, payload, left)

    def _fetch(self, guild: int, left: float) -> Deferred[None]:
        """The member list of a guild of a cluster that runs here."""
        chunking = None if self._desk is None else self._desk.chunking
        if chunking is None:
            raise RequestRefused("Discord is not asked for members")

        def too_late(result: object, seconds: float) -> None:
            raise RequestRefused(f"Discord did not send the members within {seconds:g} s")

        return chunking.fetch(guild).addTimeout(left, self._reactor, too_late)

    def _make_desk(self, cache: Cache) -> Desk:
        config = self._config
        mode, kinds = config.chunk_guilds, config.cache_entities
        if mode == "off" or why_not(mode, config.intents, config.cache_enabled, kinds):
            return Desk(cache, self._turns)
        presences = bool(config.intents & Intent.GUILD_PRESENCES) and (kinds is None or "Presence" in kinds)
        lists = MemberLists(f"rateway-{secrets.token_hex(4)}", presences)
        are_announced = bool(config.intents & Intent.GUILDS)
        chunking = Chunking(self._reactor, cache, self._turns, self._total, lists, mode == "startup", are_announced)
        if mode == "startup":
            return Desk(cache, self._turns, chunking)
        patience = Patience(self._reactor, cache.lacks, self._send, lambda guild: shard_of(guild, self._total))
        return Desk(cache, self._turns, chunking, patience)

    def _start(self, cluster: Cluster, store: ClusterStore, spools: Spools, desk: Desk, again: bool) -> None:
        resumable = sorted(store.sessions())
        service: ClusterService = self._parts.make_cluster(
            self._reactor,
            cluster,
            self._total,
            self._config,
            self._gateway_url,
            store,
            spools,
            desk,
            self._gate,
            self._outages,
            self._fatal,
            self._send,
            again=again,
        )
        self._services[cluster.number] = service
        service.startService()
        self._started(cluster.number, resumable)

    async def _open(self, cluster: Cluster, crashed: bool) -> ClusterStore:
        """Open a cluster's store; while somebody else holds it, try on for a while."""
        deadline = self._reactor.seconds() + LOCK_WAIT
        while True:
            try:
                store: ClusterStore = self._parts.open_store(
                    self._config.state_dir / f"cluster-{cluster.number}",
                    shards=cluster.shards,
                    total=self._total,
                    intents=self._config.intents,
                    cache=self._config.cache_enabled,
                    kinds=self._config.cache_entities,
                    messages_per_channel=self._config.message_cache_size,
                    bot=bot_of(self._config.token),
                    crashed=crashed,
                )
                return store
            except FolderInUse:
                if self._stopping or self._reactor.seconds() >= deadline:
                    raise
            pause: Deferred[None] = deferLater(self._reactor, LOCK_TRY_EVERY)
            await pause
