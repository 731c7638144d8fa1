"""A transaction as updates and queries see it, and the carrying out of changes."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from itertools import islice

import lmdb
from attrs import define, field

from . import keys
from .derived import FOLLOWED, Following
from .kinds import Kept
from .notes import Notes
from .packing import PACKED, pack, unpack
from .view import Changes

ROWS = 256
"""Rows written between two pauses."""

FEW = 4
"""Changes that are put as they come, without comparing them to what is there."""

RUN = 16_384
"""Keys sorted between two pauses: some milliseconds, and few runs to merge."""


@define
class TransactionReader:
    """Rows of one transaction."""

    _transaction: lmdb.Transaction[bytes]

    def get(self, key: bytes) -> bytes | None:
        """One row."""
        row = self._transaction.get(key)
        return row if row is None or key[0] not in PACKED else unpack(key[0], row)

    def has(self, key: bytes) -> bool:
        """Whether there is such a row."""
        return self._transaction.get(key) is not None

    def items(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """The rows whose keys begin so, in order of keys; those before ``start`` left out."""
        with self._transaction.cursor() as cursor:
            if cursor.set_range(max(prefix, start)):
                for key, row in cursor:
                    if not key.startswith(prefix):
                        return
                    yield key, row if key[0] not in PACKED else unpack(key[0], row)

    def keys(self, prefix: bytes, start: bytes = b"") -> Iterator[bytes]:
        """The keys that begin so, in order; those before ``start`` left out."""
        with self._transaction.cursor() as cursor:
            if cursor.set_range(max(prefix, start)):
                for key in cursor.iternext(True, False):
                    if not key.startswith(prefix):
                        return
                    yield key


@define
class TransactionView(TransactionReader):
    """What updates see of the transaction they are carried out in."""

    kept: Kept
    now_ms: int
    notes: Notes
    shard_id: int = field(default=0)


def carry_out_sliced(transaction: lmdb.Transaction[bytes], changes: Changes, notes: Notes) -> Iterator[None]:
    """The same, with a pause after each slice.

    The rows are written in order of their keys, as those of any event with more than a few (a store that is filled in
    another order makes later changes dearer by half); they are sorted in runs, which are merged as they are written.
    """
    rest, runs = iter(changes), []
    while run := sorted(islice(rest, RUN)):
        runs.append(run)
        yield
    merged = merge(*runs)
    while part := list(islice(merged, ROWS)):
        carry_out(transaction, {key: changes[key] for key in part}, notes)
        yield


def carry_out(transaction: lmdb.Transaction[bytes], changes: Changes, notes: Notes) -> None:
    """Make the changes. What follows from the rows is changed along with them.

    Of many, those that change nothing are passed over, for a row put as it is costs a page: a guild listed anew is
    mostly what it was. A few are mostly new, and are put without a look.
    """
    get, put, delete = transaction.get, transaction.put, transaction.delete
    following: Following | None = None
    few = len(changes) <= FEW
    for key in changes if few else sorted(changes):
        value = changes[key]
        first = key[0]
        if first in FOLLOWED:
            stored = get(key)
            old = None if stored is None else unpack(first, stored)
            if old == value:
                continue
            notes.drop(key)
            following = following or Following()
            following.note(key, old, value)
            if value is not None:
                value = pack(first, value)
        elif value is not None and not few and get(key) == value:
            continue
        if value is None:
            delete(key)
        else:
            put(key, value)
    if following is not None:
        _follow(transaction, following)


def _follow(transaction: lmdb.Transaction[bytes], following: Following) -> None:
    """Write what follows; a count of none is no row."""
    for key in sorted(following.index):
        if following.index[key]:
            transaction.put(key, b"")
        else:
            transaction.delete(key)
    for key, more in following.members.items():
        old = transaction.get(key)
        count = more + (0 if old is None else keys.to_id(old))
        if count > 0:
            transaction.put(key, keys.number(count))
        else:
            transaction.delete(key)
