"""The parent as a service: asks Discord, plans, keeps the children alive, stops in order.

It holds no shard and no store. What needs deciding is decided elsewhere: the plan in ``rateway.model.plan``, permits in
``rateway.gateway.identify``, restarts in ``restarts``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredList, fail
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from rateway.config import Config, to_wire
from rateway.errors import ConfigError, FatalError, RequestRefused, Unavailable
from rateway.gateway.identify import Limits
from rateway.http.client import GatewayBot, SessionStartLimit
from rateway.interfaces import IFatalReporter
from rateway.model import deadlines
from rateway.model.chunking import why_not
from rateway.model.plan import Plan, decide_total, make_plan, multiple_for, share_out

from .discovery import AsksDiscord, Discovery
from .gate import FleetGate
from .state import StateFolder
from .supervisor import Orders, Spawn, Supervisor
from .wording import counted, duration

T = TypeVar("T")

EXPECT_SECONDS = 10.0
"""How long the first groups of shards may take to ask for their permits before later ones go first."""
REFRESH_AGAIN = 60.0
"""Seconds until the allowance is looked at again where that failed."""
REFRESH_AT_MOST = 3600.0
"""Seconds between two looks at the allowance, if it isn't filled again before."""


class RestClient(AsksDiscord, Protocol):
    """What is needed of the REST client."""

    async def close(self) -> None: ...


class Signals(Protocol):
    """What is needed of the signals."""

    def install(self) -> None: ...


class Parent(Service):
    """rateway, as ``twistd`` runs it."""

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        config: Config,
        client: RestClient,
        fatal: IFatalReporter,
        spawn: Spawn,
        signals: Callable[[Callable[[], None], Callable[[], None]], Signals],
        cpus: int | None = None,
    ) -> None:
        """
        :param signals: given what hurries a stop up, and what makes it final, makes the signals' handlers.
        """
        self._reactor = reactor
        self._config = config
        self._client = client
        self._fatal = fatal
        self._spawn = spawn
        self._signals = signals(self.hurry, self.give_up)
        self._cpus = cpus or len(os.sched_getaffinity(0))
        self._state = StateFolder(config.state_dir)
        self._final = False
        self._beginning: Deferred[None] | None = None
        self._refreshing: IDelayedCall | None = None
        self._gate: FleetGate | None = None
        self._supervisors: list[Supervisor] = []
        self._resumable: dict[int, int] = {}
        self._orders: Orders | None = None

    def startService(self) -> None:
        super().startService()
        # Children are spawned, and signals taken over, only once the reactor runs: its own handlers come first.
        self._reactor.callWhenRunning(self._begin)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    def hurry(self) -> None:
        """Somebody doesn't want to wait for an orderly stop."""
        for supervisor in self._supervisors:
            supervisor.kill()

    def give_up(self) -> None:
        """The stop that follows is for good: no session is to be resumed."""
        self._final = True
        self._log.info("stopping for good: the sessions end, and every shard identifies at the next start")

    def _forward(self, shard: int, op: int, payload: bytes, left: float) -> Deferred[dict[str, Any]]:
        """One child's inbox had a gateway command for another child's shard."""
        for supervisor in self._supervisors:
            if supervisor.runs(shard):
                return supervisor.send_command(shard, op, payload, left)
        return fail(RequestRefused(f"there is no shard {shard}"))

    async def status(self) -> list[dict[str, Any]]:
        """How every cluster is, as far as its child answers."""
        return [told for supervisor in self._supervisors for told in await supervisor.status()]

    def _begin(self) -> None:
        if not self.running:
            return
        self._signals.install()
        self._beginning = Deferred.fromCoroutine(self._start())
        self._beginning.addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            return
        if failure.check(ConfigError, FatalError):
            self._fatal.report_fatal(FatalError(failure.getErrorMessage()))
            return
        self._log.failure("starting", failure)
        self._fatal.report_fatal(FatalError("a fault of rateway's own, shown above; please report it"))

    async def _start(self) -> None:
        self._state.lock()
        bot = await Discovery(self._reactor, self._client).discover()
        plan = self._plan(bot)
        self._gate = gate = FleetGate(self._reactor, self._state, _limits(bot.limit))
        gate.expect(range(plan.total), EXPECT_SECONDS)
        self._orders = Orders(to_wire(self._config), bot.url, plan.total)
        self._refresh_in(bot.limit)
        for number, clusters in enumerate(share_out(plan, self._config.processes or self._cpus), start=1):
            supervisor = Supervisor(
                self._reactor,
                number,
                clusters,
                self._current_orders,
                self._spawn,
                gate,
                self._fatal,
                lambda cluster, resumable: self._cluster_started(plan, cluster, resumable),
                self._forward,
            )
            self._supervisors.append(supervisor)
        self._tell(bot, plan)
        for supervisor in self._supervisors:
            supervisor.start()

    def _plan(self, bot: GatewayBot) -> Plan:
        total = decide_total(
            bot.shards,
            extra=self._config.extra_shards,
            multiple=multiple_for(bot.limit.max_concurrency, self._config.shards_multiple),
            chosen=self._config.total_shards,
            remembered=self._state.remembered_total(),
        )
        if total.note:
            self._log.warn("{note}", note=total.note)
        self._state.remember_total(total.shards)
        return make_plan(total.shards, self._config.shards_per_cluster)

    def _tell(self, bot: GatewayBot, plan: Plan) -> None:
        self._log.info(
            "plan: {shards} (Discord recommends {recommended}) in {clusters} on {processes}; {remaining} of {total} "
            "session starts are left, {concurrency} at a time",
            shards=counted(plan.total, "shard"),
            recommended=bot.shards,
            clusters=counted(len(plan.clusters), "cluster"),
            processes=counted(len(self._supervisors), "process"),
            remaining=bot.limit.remaining,
            total=bot.limit.total,
            concurrency=bot.limit.max_concurrency,
        )
        known = self._config
        unasked = why_not(known.chunk_guilds, known.intents, known.cache_enabled, known.cache_entities)
        if unasked:
            self._log.warn("{note}", note=unasked)
        if bot.limit.remaining < plan.total:
            self._log.warn(
                "Discord allows {remaining} session starts in the next {wait}, fewer than there are shards: those "
                "that can't resume wait until it is filled again",
                remaining=bot.limit.remaining,
                wait=duration(bot.limit.reset_after),
            )

    def _current_orders(self) -> Orders:
        assert self._orders is not None, "children start after the plan"
        return self._orders

    def _cluster_started(self, plan: Plan, cluster: int, resumable: list[int]) -> None:
        first = cluster not in self._resumable
        self._resumable[cluster] = len(resumable)
        if self._gate is not None:
            self._gate.not_expected(resumable)
        if first and len(self._resumable) == len(plan.clusters):
            resuming = sum(self._resumable.values())
            self._log.info(
                "every cluster is started; {resuming} of {shards} have a session to resume",
                resuming=resuming,
                shards=counted(plan.total, "shard"),
            )

    def _refresh_in(self, limit: SessionStartLimit) -> None:
        wait = min(limit.reset_after + 1.0 if limit.reset_after else REFRESH_AT_MOST, REFRESH_AT_MOST)
        self._refreshing = self._reactor.callLater(wait, self._refresh)

    def _refresh(self) -> None:
        self._refreshing = None
        asking = Deferred.fromCoroutine(self._look_again())
        asking.addErrback(self._not_refreshed)

    async def _look_again(self) -> None:
        """The allowance may have been filled again, and the gateway may have moved."""
        try:
            bot = await self._client.gateway_bot(attempts=4)
        except Unavailable as error:
            self._log.debug("looking at the allowance: {error}", error=str(error))
            self._refresh_soon()
            return
        if not self.running or self._gate is None or self._orders is None:
            return
        self._gate.refresh(_limits(bot.limit))
        self._orders = Orders(self._orders.config, bot.url, self._orders.total)
        self._refresh_in(bot.limit)

    def _not_refreshed(self, failure: Failure) -> None:
        """The fleet runs on with the numbers it has, unless the token is refused."""
        if failure.check(FatalError):
            self._failed(failure)
            return
        self._log.failure("looking at the allowance", failure)
        self._refresh_soon()

    def _refresh_soon(self) -> None:
        if self.running and self._refreshing is None:
            self._refreshing = self._reactor.callLater(REFRESH_AGAIN, self._refresh)

    async def _stop(self) -> None:
        if self._beginning is not None:
            self._beginning.cancel()
        if self._refreshing is not None and self._refreshing.active():
            self._refreshing.cancel()
        impatience = self._reactor.callLater(deadlines.KILL, self.hurry)
        stopping = DeferredList(
            [Deferred.fromCoroutine(supervisor.stop(self._final)) for supervisor in self._supervisors],
            consumeErrors=True,
        )
        for succeeded, result in await self._within(deadlines.KILL + deadlines.BURY, stopping) or ():
            if not succeeded:
                self._log.failure("stopping a child", result)
        if impatience.active():
            impatience.cancel()
        if self._gate is not None:
            self._gate.stop()
        await self._within(deadlines.BURY, Deferred.fromCoroutine(self._client.close()))
        self._state.unlock()

    def _within(self, seconds: float, waiting: Deferred[T]) -> Deferred[T | None]:
        """What is waited for, or None if it doesn't come in time: a stop doesn't hang on it."""

        def too_late(result: object, seconds: float) -> None:
            self._log.warn("stopping: something hangs, and is waited for no more")

        return waiting.addTimeout(seconds, self._reactor, onTimeoutCancel=too_late)


def _limits(limit: SessionStartLimit) -> Limits:
    return Limits(limit.total, limit.remaining, limit.reset_after, limit.max_concurrency)
