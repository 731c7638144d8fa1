"""The stores of all clusters of the host, to read: a process's own, and the others', opened when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import lmdb
import msgspec
from attrs import frozen
from twisted.logger import Logger

from . import keys
from .cluster import ClusterStore
from .environment import Environment
from .generation import Generation
from .opening import ENTITIES
from .transaction import TransactionReader

T = TypeVar("T")

_kinds = msgspec.json.Decoder(frozenset[str]).decode
_gaps = msgspec.json.Decoder(dict[str, str]).decode


@frozen
class _Source:
    """A cluster's store, to read.

    :ivar owner: who writes it in this process; else it is another process's, opened here, and to be closed here.
    """

    environment: Environment
    kinds: frozenset[str]
    gaps: Mapping[str, str]
    owner: ClusterStore | None


class Sources:
    """What can be read now. A store that isn't there, or can't be read, has nothing."""

    _log = Logger()

    def __init__(self, state_dir: Path, own: Mapping[int, ClusterStore]) -> None:
        """
        :param state_dir: holds ``cluster-1``, ``cluster-2``, …
        :param own: the stores this process writes, by the cluster's number; looked into anew each time.
        """
        self._state_dir = state_dir
        self._generation = Generation(state_dir)
        self._own = own
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
                return find(TransactionReader(transaction))
        except (lmdb.Error, OSError) as error:
            self._log.warn("the cache of cluster {cluster} can't be read: {error}", cluster=cluster, error=error)
            self._drop(cluster)
            return None

    def _notice(self) -> None:
        """Drop what was begun anew since the last look."""
        if self._generation.has_changed():
            for cluster, source in tuple(self._sources.items()):
                if source.owner is None and not source.environment.is_current():
                    self._drop(cluster)

    def _open(self, cluster: int, store: ClusterStore | None) -> _Source | None:
        self._drop(cluster)
        if store is not None:
            environment: Environment | None = store.environment
        else:
            environment = Environment.for_reading(self._state_dir / f"cluster-{cluster}" / ENTITIES)
        if environment is None:
            return None
        with environment.reading() as transaction:
            kinds, gaps = transaction.get(keys.META), transaction.get(keys.GAPS)
        source = _Source(environment, _kinds(kinds or b"[]"), _gaps(gaps or b"{}"), store)
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
