"""THE HOT PATH: every event of a cluster passes here, once, between its shards and its broker.

The reads of one turn of the reactor, of all shards of the cluster, make one batch: one transaction of the store, then
one write of prepared frames. Cache before publish: what ``publish`` prepares is not written before ``flush``, so who
asks on receiving an event sees its effect. No Deferred, no log line and no object per event.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from rateway.interfaces import IDispatchSink
from rateway.model.dispatch import Dispatch
from rateway.model.session import Session

from .checkpoint import Checkpoint, CursorStore


class EventStore(CursorStore, Protocol):
    """What the pipeline needs of the store."""

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
    events: int = field(default=0, init=False)
    _batch: list[tuple[int, Session, Sequence[Dispatch]]] = field(factory=list, init=False)
    _scheduled: bool = field(default=False, init=False)

    def take(self, shard_id: int, session: Session, dispatches: Sequence[Dispatch]) -> None:
        """Events of one read: they are flushed together with all other reads of this turn of the reactor."""
        self._batch.append((shard_id, session, dispatches))
        if not self._scheduled:
            self._scheduled = True
            self._reactor.callLater(0, self.flush)

    def flush(self) -> None:
        """Store, then publish, what was taken."""
        self._scheduled = False
        batch, self._batch = self._batch, []
        if not batch:
            return
        received_ms = int(self._now() * 1000)
        publisher, checkpoint = self._publisher, self._checkpoint
        for shard_id, session, got in batch:
            dispatches = checkpoint.unkept(shard_id, session.id, got)
            publisher.publish(shard_id, session.id, dispatches, received_ms)
            self.events += len(dispatches)
        if checkpoint.has_begun:
            # On disk before the store has the new session: what is held of the old one comes from nobody else, and
            # a session that nothing is kept of can't be resumed.
            checkpoint.has_begun = False
            publisher.secure()
        self._apply(batch, checkpoint.changes())
        publisher.flush()

    def forget_session(self, shard_id: int) -> None:
        """Discord ended the session: what was taken of it is put on disk first, for no resume brings it back."""
        self.flush()
        self._publisher.secure()
        self._store.forget_session(shard_id)

    def _apply(
        self, batch: Sequence[tuple[int, Session, Sequence[Dispatch]]], kept: Mapping[int, tuple[str, int]]
    ) -> None:
        try:
            self._store.apply(batch, kept)
        except Exception:
            # A fault of the store's must not keep events from the bots: they are published all the same.
            self._log.failure(
                "the store failed on a batch of {count} reads; its events are published", count=len(batch)
            )
