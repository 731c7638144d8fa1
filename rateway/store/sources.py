"""The stores of all clusters of the host, to read: a process's own, and the others', opened when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import lmdb
import msgspec
from attrs import frozen
from twisted.logger import Logger

from . import condition, keys
from .cluster import ClusterStore
from .condition import Condition
from .environment import Environment
from .generation import Generation
from .opening import ENTITIES
from .transaction import TransactionReader

T = TypeVar("T")

_kinds = msgspec.json.Decoder(frozenset[str]).decode
_gaps = msgspec.json.Decoder(dict[str, str]).decode
_STALE = keys.stale(0)[:1]


class _FrozenReader(TransactionReader):
    """Rows of a store that stopped: of any guild an event may be missing."""

    def has(self, key: bytes) -> bool:
        return key[:1] == _STALE or super().has(key)


@frozen
class _Source:
    """A cluster's store, to read.

    :ivar reader: what makes its transactions readers.
    :ivar owner: who writes it in this process; else it is another process's, opened here, and to be closed here.
    """

    environment: Environment
    kinds: frozenset[str]
    gaps: Mapping[str, str]
    reader: type[TransactionReader]
    owner: ClusterStore | None


class Sources:
    """What can be read now. A store that isn't there, is damaged, or can't be read, has nothing.

    :ivar stopped: clusters whose stores were found not to be kept up to date any more.
    """

    _log = Logger()

    def __init__(self, state_dir: Path, own: Mapping[int, ClusterStore]) -> None:
        """
        :param state_dir: holds ``cluster-1``, ``cluster-2``, …
        :param own: the stores this process writes, by the cluster's number; looked into anew each time.
        """
        self._state_dir = state_dir
        self._generation = Generation(state_dir)
        self._own = own
        self.stopped: set[int] = set()
        self._sources: dict[int, _Source] = {}

    def read(self, cluster: int, kinds: frozenset[str], find: Callable[[TransactionReader], T]) -> T | None:
        """What is found in a cluster's store; ``None`` if it isn't there, or doesn't keep all of the kinds."""
        self._notice()
        return self._find(cluster, kinds, find)

    def each(
        self, clusters: Iterable[int], kinds: frozenset[str], find: Callable[[TransactionReader], T | None]
    ) -> Iterator[tuple[int, T]]:
        """Those of the clusters in whose stores something is found, and what; all of them in one go."""
        self._notice()
        for cluster in clusters:
            found = self._find(cluster, kinds, find)
            if found is not None:
                yield cluster, found

    def gap(self, kinds: frozenset[str]) -> str | None:
        """Why one of the kinds is not kept, or only in part; ``None`` if all are, or nothing was read yet."""
        for source in self._sources.values():
            reasons = [source.gaps[kind] for kind in sorted(kinds) if kind in source.gaps]
            return reasons[0] if reasons else None
        return None

    def close(self) -> None:
        """Close what was opened for reading; the own stores are their owners' to close."""
        for source in self._sources.values():
            if source.owner is None:
                source.environment.close()
        self._sources.clear()

    def _find(self, cluster: int, kinds: frozenset[str], find: Callable[[TransactionReader], T]) -> T | None:
        source, store = self._sources.get(cluster), self._own.get(cluster)
        try:
            if source is None or source.owner is not store:
                source = self._open(cluster, store)
            if source is None or not kinds <= source.kinds:
                return None
            with source.environment.reading() as transaction:
                return find(source.reader(transaction))
        except (lmdb.Error, OSError) as error:
            self._log.warn("the cache of cluster {cluster} can't be read: {error}", cluster=cluster, error=error)
            self._drop(cluster)
            return None

    def _notice(self) -> None:
        """Drop what was begun anew or stopped since the last look."""
        if self._generation.has_changed():
            self.stopped.clear()
            for cluster, source in tuple(self._sources.items()):
                is_current = source.owner is not None or source.environment.is_current()
                is_live = (
                    source.reader is TransactionReader and self._condition(cluster, source.owner) is Condition.LIVE
                )
                if not (is_current and is_live):
                    self._drop(cluster)

    def _condition(self, cluster: int, owner: ClusterStore | None) -> Condition:
        return owner.condition if owner is not None else condition.read(self._folder(cluster))

    def _folder(self, cluster: int) -> Path:
        return self._state_dir / f"cluster-{cluster}"

    def _open(self, cluster: int, store: ClusterStore | None) -> _Source | None:
        self._drop(cluster)
        path = self._folder(cluster) / ENTITIES
        if store is None and not path.exists():
            return None
        good_for = self._condition(cluster, store)
        if good_for is not Condition.LIVE:
            self.stopped.add(cluster)
        if good_for is Condition.DAMAGED:
            return None
        environment = Environment.for_reading(path) if store is None else store.environment
        if environment is None:
            return None
        with environment.reading() as transaction:
            kinds, gaps = transaction.get(keys.META), transaction.get(keys.GAPS)
        reader = TransactionReader if good_for is Condition.LIVE else _FrozenReader
        source = _Source(environment, _kinds(kinds or b"[]"), _gaps(gaps or b"{}"), reader, store)
        if kinds is not None:
            self._sources[cluster] = source
        elif store is None:
            environment.close()
            return None
        return source

    def _drop(self, cluster: int) -> None:
        source = self._sources.pop(cluster, None)
        if source is not None and source.owner is None:
            source.environment.close()
