"""What answers the bots' queries: every cluster's store of this host, read as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from .cluster import ClusterStore


class Cache:
    """The host's cache as one process reads it: its own clusters' stores, and the others' opened when asked for."""

    def __init__(
        self, state_dir: Path, *, total: int, per_cluster: int, own: Mapping[int, ClusterStore], enabled: bool
    ) -> None:
        """
        :param state_dir: holds ``cluster-1``, ``cluster-2``, …
        :param total: of shards, by which a guild's cluster is found.
        :param own: the stores this process writes, by the cluster's number.
        :param enabled: if not, every well-formed query answers "not found".
        """

    def query(self, kind: str, arguments: Sequence[object]) -> bytes | None:
        """The entity as JSON, or ``None`` if it isn't known.

        :raises RequestRefused: for an unknown kind, or arguments that don't fit it.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Close what was opened for reading; the own stores are their owners' to close."""
        raise NotImplementedError
