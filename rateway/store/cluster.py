"""The writer of one cluster's store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..model.dispatch import Dispatch
from ..model.session import Session
from .sessions import Resumable

__all__ = ["ClusterStore", "Resumable"]


class ClusterStore:
    """The cluster's cache, session records and cursors, changed by one process alone.

    :ivar failures: events whose effect could not be computed or written since the store was opened.
    """

    failures: int = 0

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        shards: range,
        total: int,
        intents: int,
        cache: bool,
        kinds: frozenset[str] | None,
        messages_per_channel: int,
    ) -> ClusterStore:
        """Open the cluster's folder, and take its lock.

        A store that can't be trusted is set aside, with one line in the log, and begun anew.

        :param folder: made with mode 0700 if it isn't there.
        :param cache: whether entities are kept; session records always are.
        :param kinds: the kinds of entities kept, as in CACHE_ENTITIES; ``None`` for all.
        :raises ConfigError: if another process holds the folder, or it lies where a store can't.
        """
        raise NotImplementedError

    def sessions(self) -> dict[int, Resumable]:
        """The sessions that may be resumed, by shard; nothing of a shard whose resume would leave the cache wrong."""
        raise NotImplementedError

    def apply(
        self, batch: Sequence[tuple[int, Session, Sequence[Dispatch]]], kept: Mapping[int, tuple[str, int]]
    ) -> None:
        """Put a batch's effects, its sessions and the cursors into the store, in one transaction. Never raises.

        An event at or below its session's ``applied`` cursor changes nothing. One that fails to compute changes
        nothing either: its guild is marked stale, it is logged and counted, and the others are applied.

        :param batch: of each read: the shard, the session after the last event, the events.
        :param kept: shard → session id and the sequence below which every event is kept by the broker.
        """
        raise NotImplementedError

    def forget_session(self, shard_id: int) -> None:
        """Discord ended the shard's session: never offer it again. Never raises."""
        raise NotImplementedError

    def close(self) -> None:
        """Write all to disk, mark the store clean, release the lock. Closing twice is closing once."""
        raise NotImplementedError
