"""A transaction as updates and queries see it, and the carrying out of changes."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from itertools import islice

import lmdb
from attrs import define, field

from .kinds import Kept
from .view import Changes

ROWS = 256
"""Rows written between two pauses."""

RUN = 16_384
"""Keys sorted between two pauses: some milliseconds, and few runs to merge."""


@define
class TransactionReader:
    """Rows of one transaction."""

    _transaction: lmdb.Transaction[bytes]

    def get(self, key: bytes) -> bytes | None:
        """One row."""
        return self._transaction.get(key)

    def items(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The rows whose keys begin so, in order of keys."""
        with self._transaction.cursor() as cursor:
            if not cursor.set_range(prefix):
                return
            for key, value in cursor:
                if not key.startswith(prefix):
                    return
                yield key, value


@define
class TransactionView(TransactionReader):
    """What updates see of the transaction they are carried out in."""

    kept: Kept
    now_ms: int
    shard_id: int = field(default=0)


def carry_out_sliced(transaction: lmdb.Transaction[bytes], changes: Changes) -> Iterator[None]:
    """The same, with a pause after each slice.

    The rows are written in order of their keys, as those of any event (a store that is filled in another order makes
    later changes dearer by half); they are sorted in runs, which are merged as they are written.
    """
    rest, runs = iter(changes), []
    while run := sorted(islice(rest, RUN)):
        runs.append(run)
        yield
    merged = merge(*runs)
    while part := list(islice(merged, ROWS)):
        carry_out(transaction, {key: changes[key] for key in part})
        yield


def carry_out(transaction: lmdb.Transaction[bytes], changes: Changes) -> None:
    """Make the changes, but for those that change nothing: a row put as it is costs a page."""
    get, put, delete = transaction.get, transaction.put, transaction.delete
    for key in sorted(changes) if len(changes) > 2 else changes:
        value = changes[key]
        if value is None:
            delete(key)
        elif get(key) != value:
            put(key, value)
