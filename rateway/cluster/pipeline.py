"""THE HOT PATH: every event of a cluster passes here, once, between its shards and its broker.

The reads of one turn of the reactor, of all shards of the cluster, make one batch: one transaction of the store, then
one write of prepared frames. Cache before publish: what ``publish`` prepares is not written before ``flush``, so who
asks on receiving an event sees its effect. No Deferred, no log line and no object per event.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from rateway.interfaces import IDispatchSink
from rateway.model.dispatch import Dispatch
from rateway.model.session import Session

from .checkpoint import Checkpoint, CursorStore

SLICE = 0.005
"""Seconds of a turn of the reactor that a long batch may take, while little waits behind it."""

BACKLOG = 1024 * 1024
"""Bytes of events behind a long batch that make its slices twice as long; twice as many, three times, and so on."""

MOST = 16 * 1024 * 1024
"""Bytes of events behind a long batch from which on nothing more is read until it is done."""

_Batch: TypeAlias = list[tuple[int, Session, Sequence[Dispatch]]]

Fresh: TypeAlias = Sequence[tuple[int, str, Sequence[Dispatch]]]
"""Of each read: the shard, the session's id, the events that were not published before."""

_Prepared: TypeAlias = tuple[Sequence[int], Fresh, bool]
"""When each read was received (ms), what is to be published, and whether a session began."""


class EventStore(CursorStore, Protocol):
    """What the pipeline needs of the store."""

    def pass_over(self, batch: Sequence[tuple[int, Session, Sequence[Dispatch]]]) -> bool:
        """Note a batch that changes nothing but cursors, without a transaction; whether it was one."""

    def begin(self, batch: Sequence[tuple[int, Session, Sequence[Dispatch]]]) -> bool:
        """Put it in slice by slice, if it may take long; whether that was begun."""

    def step(self) -> bool:
        """A slice more; whether only the rest of :meth:`finish` is left."""

    def finish(self, kept: Mapping[int, tuple[str, int]]) -> None:
        """All that is left, these cursors too, and the commit."""

    def forget_session(self, shard_id: int) -> None:
        """Discord ended the session."""


class EventPublisher(Protocol):
    """What the pipeline needs of the broker."""

    def publish(self, shard_id: int, session_id: str, dispatches: Sequence[Dispatch], received_ms: int) -> None:
        """Prepare events, and hold them until they are confirmed."""

    def flush(self) -> None:
        """Write all that is prepared."""

    def secure(self) -> None:
        """Put all that is held on disk: no resume brings it back."""


@implementer(IDispatchSink)
@define(eq=False)
class Pipeline:
    """Takes what the shards of one cluster receive.

    :ivar events: events taken since the start, by cluster: for status.
    """

    _log = Logger()

    _reactor: IReactorTime
    _store: EventStore
    _publisher: EventPublisher
    _checkpoint: Checkpoint
    _now: Callable[[], float] = time.time
    _timer: Callable[[], float] = time.perf_counter
    _tell: Callable[[Fresh], object] | None = None
    """Told of events once they are in the cache, and published. Must not raise."""
    _hold: Callable[[bool], object] = lambda held: None
    """Called with ``True`` when the shards are to read nothing for a moment, with ``False`` when they may go on."""
    _most: int = MOST
    events: int = field(default=0, init=False)
    _batch: _Batch = field(factory=list, init=False)
    _received: list[int] = field(factory=list, init=False)
    """When each read of the batch came, in ms since 1970: what comes behind a long batch waits for it."""
    _scheduled: bool = field(default=False, init=False)
    _under_way: _Prepared | None = field(default=None, init=False)
    _behind: int = field(default=0, init=False)
    """Bytes of events that came while a long batch was under way."""
    _held: bool = field(default=False, init=False)

    def take(self, shard_id: int, session: Session, dispatches: Sequence[Dispatch]) -> None:
        """Events of one read: they are flushed together with all other reads of this turn of the reactor."""
        self._batch.append((shard_id, session, dispatches))
        self._received.append(int(self._now() * 1000))
        if self._under_way is not None:
            self._behind += sum([len(dispatch[2]) for dispatch in dispatches])
            if self._behind > self._most and not self._held:
                self._held = True
                self._hold(True)
        if not self._scheduled:
            self._scheduled = True
            self._reactor.callLater(0, self._turn)

    def flush(self) -> None:
        """Store, then publish, all that was taken: now, however long it takes."""
        if self._under_way is not None:
            self._conclude(self._under_way)
        batch, self._batch = self._batch, []
        if batch:
            self._put(batch, self._prepare(batch))

    def _turn(self) -> None:
        """Once a turn of the reactor, while there is something to do.

        A batch that takes long is put into the store slice by slice, and what comes meanwhile waits behind it: so
        heartbeats go out on time, and order is kept.
        """
        self._scheduled = False
        under_way = self._under_way
        if under_way is None:
            batch, self._batch = self._batch, []
            if not batch:
                return
            prepared = self._prepare(batch)
            if not self._begin(batch):
                self._put(batch, prepared)
                return
            under_way = self._under_way = prepared
        until = self._timer() + SLICE * (1 + self._behind // BACKLOG)
        done = self._store.step()
        while not done and self._timer() < until:
            done = self._store.step()
        if done:
            self._conclude(under_way)
        if self._under_way is not None or self._batch:
            self._scheduled = True
            self._reactor.callLater(0, self._turn)

    def _prepare(self, batch: _Batch) -> _Prepared:
        """What of a batch is to be published."""
        checkpoint = self._checkpoint
        fresh = [(shard, session.id, checkpoint.unkept(shard, session.id, got)) for shard, session, got in batch]
        begun, checkpoint.has_begun = checkpoint.has_begun, False
        received, self._received = self._received, []
        return received, fresh, begun

    def _put(self, batch: _Batch, prepared: _Prepared) -> None:
        self._publish(prepared)
        self._apply(batch)
        self._publisher.flush()
        if self._tell is not None:
            self._tell(prepared[1])

    def _publish(self, prepared: _Prepared) -> None:
        received, fresh, begun = prepared
        publisher = self._publisher
        for (shard_id, session_id, dispatches), received_ms in zip(fresh, received, strict=True):
            publisher.publish(shard_id, session_id, dispatches, received_ms)
            self.events += len(dispatches)
        if begun:
            # On disk before the store has the new session, which hears of it in the same transaction: what is held of
            # the old one comes from nobody else, and a session that nothing is kept of can't be resumed.
            publisher.secure()

    def _begin(self, batch: _Batch) -> bool:
        try:
            return self._store.begin(batch)
        except Exception:
            self._log.failure("the store could not begin a long batch; it is put in at once")
            return False

    def _conclude(self, prepared: _Prepared) -> None:
        """All of the long batch is computed: publish and commit it, in one go as any other."""
        self._under_way = None
        self._behind = 0
        if self._held:
            self._held = False
            self._hold(False)
        self._publish(prepared)
        self._store.finish(self._checkpoint.changes())
        self._publisher.flush()
        if self._tell is not None:
            self._tell(prepared[1])

    def forget_session(self, shard_id: int) -> None:
        """Discord ended the session: what was taken of it is put on disk first, for no resume brings it back."""
        self.flush()
        self._publisher.secure()
        self._store.forget_session(shard_id)

    def _apply(self, batch: _Batch) -> None:
        try:
            # Without an effect there is no transaction: what the broker confirmed is written a little later.
            if not self._store.pass_over(batch):
                self._store.apply(batch, self._checkpoint.changes_of([shard for shard, _, _ in batch]))
        except Exception:
            # A fault of the store's must not keep events from the bots: they are published all the same.
            self._log.failure(
                "the store failed on a batch of {count} reads; its events are published", count=len(batch)
            )
