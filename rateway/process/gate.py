"""Identify permits: the fleet's queue at the parent, and its face in each child.

Discord limits IDENTIFYs per bot, not per process (Discord's docs, "Gateway": Max Concurrency), so there is one queue,
``rateway.gateway.identify``. Here are its timer, its memory in STATE_DIR, and the way to it over AMP.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from rateway.errors import Unavailable
from rateway.gateway.identify import IdentifyQueue, Limits
from rateway.interfaces import IIdentifyGate

from .commands import AcquirePermit, Fault, PermitReturned, PermitSettled, PermitUsed, WithdrawPermit
from .link import Link
from .wording import duration


class IdentifyMemory(Protocol):
    """Where the queue's times and counts outlive the process."""

    def identify_snapshot(self) -> Mapping[str, object]: ...

    def keep_identify_snapshot(self, snapshot: Mapping[str, object]) -> None: ...


@implementer(IIdentifyGate)
class RemoteGate:
    """The gate as a child's shards see it: the parent's, over the link."""

    _log = Logger()

    def __init__(self, link: Link) -> None:
        self._link = link
        self._waiting: dict[int, Deferred[None]] = {}

    def acquire(self, shard_id: int) -> Deferred[None]:
        permit: Deferred[None] = Deferred(lambda _: self._withdraw(shard_id))
        self._waiting[shard_id] = permit
        asked = self._link.ask(AcquirePermit, shard=shard_id)
        asked.addCallbacks(
            self._granted, self._refused, callbackArgs=(shard_id, permit), errbackArgs=(shard_id, permit)
        )
        asked.addErrback(lambda failure: self._log.failure("granting shard {shard}'s permit", failure, shard=shard_id))
        return permit

    def used(self, shard_id: int) -> None:
        self._link.tell(PermitUsed, shard=shard_id)

    def settled(self, shard_id: int) -> None:
        self._link.tell(PermitSettled, shard=shard_id)

    def give_back(self, shard_id: int) -> None:
        self._link.tell(PermitReturned, shard=shard_id)

    def _granted(self, _: object, shard_id: int, permit: Deferred[None]) -> None:
        if self._waiting.get(shard_id) is permit:
            del self._waiting[shard_id]
            permit.callback(None)
        # Else it was withdrawn while the grant was under way: the parent, who reads the withdrawal after it
        # granted, takes the permit back by itself.

    def _refused(self, failure: Failure, shard_id: int, permit: Deferred[None]) -> None:
        """Withdrawn, or the link closed: then the process is about to end, and the shard waits till then.

        After a fault of the parent's the shard asks again, once it has waited.
        """
        if self._waiting.get(shard_id) is not permit:
            return
        if failure.check(Fault):
            del self._waiting[shard_id]
            permit.errback(failure)
        elif not self._link.open:
            del self._waiting[shard_id]

    def _withdraw(self, shard_id: int) -> None:
        if self._waiting.pop(shard_id, None) is not None:
            self._link.tell(WithdrawPermit, shard=shard_id)


@implementer(IIdentifyGate)
class FleetGate:
    """The gate itself, at the parent.

    :param wall: seconds since 1970; only for what must outlive the process.
    """

    _log = Logger()

    def __init__(
        self, reactor: IReactorTime, memory: IdentifyMemory, limits: Limits, wall: Callable[[], float] = time.time
    ) -> None:
        self._reactor = reactor
        self._memory = memory
        self._wall = wall
        self._queue = IdentifyQueue(limits, reactor.seconds())
        snapshot = memory.identify_snapshot()
        if not self._queue.restore(snapshot, reactor.seconds(), wall()) and snapshot:
            self._queue.forgot(reactor.seconds())
            self._log.warn(
                "identify.json in STATE_DIR is of another version, or damaged: starting without it, in 5 s, for the "
                "last IDENTIFYs may have been just now"
            )
        self._waiting: dict[int, Deferred[None]] = {}
        self._granted: set[int] = set()
        self._timer: IDelayedCall | None = None
        self._exhausted = False

    def acquire(self, shard_id: int) -> Deferred[None]:
        self._end_waiting(shard_id)
        permit: Deferred[None] = Deferred(lambda _: self.withdraw(shard_id))
        self._waiting[shard_id] = permit
        self._queue.ask(shard_id, self._now())
        self._tell_breaker(shard_id, self._queue.blocked_until(shard_id) - self._now())
        self._go_on()
        return permit

    def withdraw(self, shard_id: int) -> None:
        """The shard asks no longer; a permit it was given meanwhile comes back."""
        if shard_id in self._waiting:
            self._queue.withdraw(shard_id)
            self._end_waiting(shard_id)
            self._go_on()
        else:
            self.give_back(shard_id)

    def used(self, shard_id: int) -> None:
        self._granted.discard(shard_id)
        self._queue.used(shard_id, self._now())
        self._keep()
        self._go_on()

    def settled(self, shard_id: int) -> None:
        self._queue.settled(shard_id, self._now())
        self._go_on()

    def give_back(self, shard_id: int) -> None:
        if shard_id in self._granted:
            self._granted.discard(shard_id)
            self._queue.give_back(shard_id)
            self._go_on()

    def lost(self, shard_ids: Iterable[int]) -> None:
        """The process of these shards died: who waited waits no more, a permit given counts as used."""
        shard_ids = tuple(shard_ids)
        for shard_id in shard_ids:
            if shard_id in self._waiting:
                self._queue.withdraw(shard_id)
                self._end_waiting(shard_id)
            self._granted.discard(shard_id)
        self._queue.lost(shard_ids, self._now())
        self._keep()
        self._go_on()

    def expect(self, shard_ids: Iterable[int], seconds: float) -> None:
        """These are about to ask; for so long the lower groups' turn is kept for them."""
        self._queue.expect(shard_ids, self._now() + seconds)

    def not_expected(self, shard_ids: Iterable[int]) -> None:
        """These will resume, and not ask."""
        for shard_id in shard_ids:
            if shard_id not in self._waiting and shard_id not in self._granted:
                self._queue.withdraw(shard_id)
        self._go_on()

    def refresh(self, limits: Limits) -> None:
        """Discord's newer numbers."""
        self._queue.refresh(limits, self._now())
        self._keep()
        self._go_on()

    def stop(self) -> None:
        """Grant nothing more."""
        self._cancel_timer()
        self._waiting.clear()

    def _now(self) -> float:
        return self._reactor.seconds()

    def _go_on(self) -> None:
        """Grant what may be granted, and come back when there may be more."""
        now = self._now()
        granted = self._queue.grants(now)
        self._granted.update(granted)
        if granted:
            self._keep()
        for shard_id in granted:
            permit = self._waiting.pop(shard_id, None)
            if permit is not None:
                permit.callback(None)
            else:
                self.give_back(shard_id)
        self._tell_exhaustion(now)
        self._cancel_timer()
        following = self._queue.next_time(now) if self._waiting else None
        if following is not None:
            self._timer = self._reactor.callLater(max(0.0, following - now), self._go_on)

    def _tell_breaker(self, shard_id: int, seconds: float) -> None:
        if seconds > 0.0:
            self._log.warn(
                "shard {shard} identifies again and again: it waits {wait} for its next permit, so that the session "
                "starts of the day are not used up; the lines on its closes say what ends its sessions",
                shard=shard_id,
                wait=duration(seconds),
            )

    def _tell_exhaustion(self, now: float) -> None:
        until = self._queue.exhausted_until(now)
        if until is not None and self._waiting and not self._exhausted:
            self._exhausted = True
            self._log.warn(
                "Discord allows too few session starts for all shards that wait (a tenth of them is kept in "
                "reserve): the rest go on in {wait}, when the allowance is filled again; shards with a session are not "
                "concerned",
                wait=duration(until - now),
            )
        elif until is None and self._exhausted:
            self._exhausted = False
            self._log.info("Discord allows session starts again")

    def _keep(self) -> None:
        self._memory.keep_identify_snapshot(self._queue.snapshot(self._now(), self._wall()))

    def _end_waiting(self, shard_id: int) -> None:
        permit = self._waiting.pop(shard_id, None)
        if permit is not None and not permit.called:
            permit.errback(Failure(CancelledError()))

    def _cancel_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None


def permit_over_link(gate: FleetGate, shard_id: int) -> Deferred[dict[str, object]]:
    """The answer to a child's AcquirePermit."""
    permit = gate.acquire(shard_id)
    return permit.addCallbacks(lambda _: {}, _withdrawn)


def _withdrawn(failure: Failure) -> dict[str, object]:
    failure.trap(CancelledError)
    raise Unavailable("the permit was withdrawn")
