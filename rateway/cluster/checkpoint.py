"""How far broker and disk hold what Discord sent: the cursor ``kept``, per shard and session.

A process that starts anew resumes each session behind what is *kept*, never behind what was merely received: so
nothing that was in flight when its predecessor died is lost. What Discord then replays a second time is recognised
here and not published again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from rateway.model.dispatch import Dispatch
from rateway.model.session import Session

WRITE_DELAY = 0.1
"""Seconds a confirm may wait to be written, if no event of its shard takes it along in its own transaction."""


class CursorStore(Protocol):
    """What the checkpoint needs of the store."""

    def apply(
        self, batch: Sequence[tuple[int, Session, Sequence[Dispatch]]], kept: Mapping[int, tuple[str, int]]
    ) -> None:
        """Write the cursors, with the effects of a batch, in one transaction."""

    @property
    def busy(self) -> bool:
        """Whether a batch is written slice by slice: whatever else is to be written would have to finish it first."""


@define
class Checkpoint:
    """The cursors of one cluster.

    :ivar kept: shard → (session id, highest sequence below which every event is confirmed or on disk).
    :ivar has_begun: a session began since this was last set to ``False``.
    :ivar lost_sessions: how often a session followed on one that had ended: what Discord sent between them is missing.
    """

    _log = Logger()

    _reactor: IReactorTime
    _store: CursorStore
    kept: dict[int, tuple[str, int]] = field(factory=dict)
    has_begun: bool = field(default=False, init=False)
    lost_sessions: int = field(default=0, init=False)
    _changed: dict[int, tuple[str, int]] = field(factory=dict, init=False)
    _write: IDelayedCall | None = field(default=None, init=False)

    def began(self, shard_id: int, session_id: str) -> None:
        """A new session: nothing of it is kept yet, and what is still confirmed of the old one no longer counts."""
        self.lost_sessions += shard_id in self.kept
        self.kept[shard_id] = self._changed[shard_id] = (session_id, 0)
        self.has_begun = True

    def unkept(self, shard_id: int, session_id: str, dispatches: Sequence[Dispatch]) -> Sequence[Dispatch]:
        """Those of a read's events that neither the broker nor the disk holds yet."""
        current, kept = self.kept.get(shard_id, ("", 0))
        if current != session_id:
            self.began(shard_id, session_id)
            return dispatches
        if dispatches and dispatches[0][0] > kept:
            return dispatches
        return [dispatch for dispatch in dispatches if dispatch[0] > kept]

    def confirmed(self, kept: Mapping[int, tuple[str, int]]) -> None:
        """The broker or the disk has all, up to these sequences."""
        for shard_id, cursor in kept.items():
            current = self.kept.get(shard_id)
            if current is not None and current[0] == cursor[0] and cursor[1] > current[1]:
                self.kept[shard_id] = self._changed[shard_id] = cursor
        if self._changed and self._write is None:
            self._write = self._reactor.callLater(WRITE_DELAY, self.write)

    def changes(self) -> Mapping[int, tuple[str, int]]:
        """What moved and was not asked for yet, for the transaction that is about to be written."""
        changed, self._changed = self._changed, {}
        return changed

    def changes_of(self, shards: Iterable[int]) -> Mapping[int, tuple[str, int]]:
        """The same of these shards alone, whose rows are written in any case: the others' can wait."""
        changed = self._changed
        return {shard: changed.pop(shard) for shard in shards if shard in changed}

    def write(self) -> None:
        """Write what moved, now. Never raises: what can't be written is tried again with the next confirm."""
        if self._write is not None and self._write.active():
            self._write.cancel()
        self._write = None
        if self._store.busy:
            self._write = self._reactor.callLater(WRITE_DELAY, self.write)
        elif self._changed:
            changes = self.changes()
            try:
                self._store.apply((), changes)
            except Exception:
                self._changed = {**changes, **self._changed}
                self._log.failure("writing the cursors of {count} shards", count=len(changes))
