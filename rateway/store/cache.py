"""What answers the bots' queries: every cluster's store of this host, read as one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path

import lmdb
import msgspec
from attrs import frozen
from twisted.logger import Logger

from rateway.model.snowflake import shard_of

from . import keys
from .cluster import ClusterStore
from .environment import Environment
from .opening import ENTITIES
from .queries import Attempt, Query, Where, parse_query
from .transaction import TransactionReader

_REMEMBERED = 100_000
"""Ids of which it is remembered in whose store they were found."""

_kinds = msgspec.json.Decoder(frozenset[str]).decode


@frozen
class _Source:
    """A cluster's store, to read.

    :ivar borrowed: whether it is another process's, opened here, and to be closed here.
    """

    environment: Environment
    kinds: frozenset[str]
    borrowed: bool


class Cache:
    """The host's cache as one process reads it: its own clusters' stores, and the others' opened when asked for."""

    _log = Logger()

    def __init__(
        self, state_dir: Path, *, total: int, per_cluster: int, own: Mapping[int, ClusterStore], enabled: bool
    ) -> None:
        """
        :param state_dir: holds ``cluster-1``, ``cluster-2``, …
        :param total: of shards, by which a guild's cluster is found.
        :param own: the stores this process writes, by the cluster's number; looked into anew for each query.
        :param enabled: if not, every well-formed query answers "not found".
        """
        self._state_dir = state_dir
        self._total = total
        self._per_cluster = per_cluster
        self._clusters = range(1, -(-total // per_cluster) + 1)
        self._own = own
        self._enabled = enabled
        self._sources: dict[int, _Source] = {}
        self._found_in: OrderedDict[tuple[str, int], int] = OrderedDict()

    def query(self, kind: str, arguments: Sequence[object]) -> bytes | None:
        """The entity as JSON, or ``None`` if it isn't known.

        :raises RequestRefused: for an unknown kind, or arguments that don't fit it.
        """
        query, ids = parse_query(kind, arguments)
        if not self._enabled:
            return None
        for attempt in query.attempts:
            answer = self._attempt(query, attempt, ids)
            if answer is not None:
                return answer
        return None

    def close(self) -> None:
        """Close what was opened for reading; the own stores are their owners' to close."""
        for source in self._sources.values():
            if source.borrowed:
                source.environment.close()
        self._sources.clear()

    def _attempt(self, query: Query, attempt: Attempt, ids: tuple[int, ...]) -> bytes | None:
        if attempt.where is Where.OWNER:
            owner = shard_of(ids[attempt.by], self._total) // self._per_cluster + 1
            return self._ask(owner, query, attempt, ids)
        if attempt.where is Where.ANY:
            return self._ask_any(query, attempt, ids)
        newest: bytes | None = None
        for cluster in self._clusters:
            answer = self._ask(cluster, query, attempt, ids)
            if answer is not None and (newest is None or answer[:8] > newest[:8]):
                newest = answer
        return None if newest is None else newest[8:]

    def _ask_any(self, query: Query, attempt: Attempt, ids: tuple[int, ...]) -> bytes | None:
        memory = (query.kind, ids[attempt.by])
        remembered = self._found_in.get(memory)
        if remembered is not None:
            answer = self._ask(remembered, query, attempt, ids)
            if answer is not None:
                self._found_in.move_to_end(memory)
                return answer
        for cluster in self._clusters:
            answer = None if cluster == remembered else self._ask(cluster, query, attempt, ids)
            if answer is not None:
                self._found_in[memory] = cluster
                if len(self._found_in) > _REMEMBERED:
                    self._found_in.popitem(last=False)
                return answer
        return None

    def _ask(self, cluster: int, query: Query, attempt: Attempt, ids: tuple[int, ...]) -> bytes | None:
        """What one store answers; one that isn't there, or can't be read now, has no answer."""
        try:
            source = self._source(cluster)
            if source is None or query.kind not in source.kinds:
                return None
            with source.environment.reading() as transaction:
                return attempt.find(TransactionReader(transaction), *ids)
        except (lmdb.Error, OSError) as error:
            self._log.warn("the cache of cluster {cluster} can't be read: {error}", cluster=cluster, error=error)
            self._drop(cluster)
            return None

    def _source(self, cluster: int) -> _Source | None:
        known = self._sources.get(cluster)
        store = self._own.get(cluster)
        if known is not None:
            fresh = known.environment.is_current() if store is None else known.environment is store.environment
            if fresh and known.borrowed == (store is None):
                return known
            self._drop(cluster)
        if store is not None:
            environment: Environment | None = store.environment
        else:
            environment = Environment.for_reading(self._state_dir / f"cluster-{cluster}" / ENTITIES)
        if environment is None:
            return None
        with environment.reading() as transaction:
            kinds = transaction.get(keys.META)
        source = _Source(environment, _kinds(kinds or b"[]"), store is None)
        if kinds is not None:
            self._sources[cluster] = source
        elif source.borrowed:
            environment.close()
            return None
        return source

    def _drop(self, cluster: int) -> None:
        source = self._sources.pop(cluster, None)
        if source is not None and source.borrowed:
            source.environment.close()
