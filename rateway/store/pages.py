"""PURE: reading much in slices.

What reads much is a generator of steps: it yields the number of the cluster whose store it wants to read, and is sent a
reader that is good until it yields again. So each slice is a transaction of its own, and whoever runs the steps can see
to other things in between; and what is read is no snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping
from heapq import heapify, heappop, heapreplace
from typing import TypeAlias, TypeVar

from attrs import define, field

from rateway.errors import RequestRefused

from . import keys
from .standing import Answer
from .view import Reader

T = TypeVar("T")

Steps: TypeAlias = Generator[int, Reader | None, T]
"""Yields clusters; is sent their readers, or ``None`` for a store that isn't there."""

Visit: TypeAlias = Callable[[Reader, bytes, bytes], bool]
"""A row's key and value → whether to go on."""

SLICE = 64
"""Rows read between two pauses: less than a millisecond, whatever is made of them."""

PAGE_BYTES = 4 << 20
"""An answer that has reached as many bytes gets nothing more: it lies in memory, and brokers refuse huge messages."""

_LAST_ID = (1 << 64) - 1


def still_there(reader: Reader | None) -> Reader:
    """The reader, of a store that was there before.

    :raises RequestRefused: if it is gone.
    """
    if reader is None:
        raise RequestRefused("a part of the cache went away while it was read: ask again")
    return reader


def each(reader: Reader, cluster: int, prefix: bytes, start: bytes, visit: Visit) -> Steps[Reader]:
    """Visit the rows whose keys begin so, from ``start`` on; gives the reader of the last slice."""
    while True:
        for count, (key, row) in enumerate(reader.items(prefix, start), start=1):
            if not visit(reader, key, row):
                return reader
            if count == SLICE:
                start = key + b"\0"
                break
        else:
            return reader
        reader = still_there((yield cluster))


@define
class Page:
    """A part of a list, in order of ids.

    :ivar limit: items it may hold.
    :ivar room: bytes it may hold; the item that reaches it is the last.
    :ivar more: whether there was something left.
    """

    limit: int
    room: int = PAGE_BYTES
    items: list[bytes] = field(factory=list, init=False)
    last: int = field(default=-1)
    more: bool = field(default=False, init=False)

    def take(self, entity: int, item: bytes | None) -> bool:
        """Put in the next item, if it is one; ``False`` if there is no room left for it."""
        if item is None:
            return True
        if len(self.items) >= self.limit or self.room <= 0:
            self.more = True
            return False
        self.items.append(item)
        self.room -= len(item) + 1
        self.last = entity
        return True

    def answer(self, headers: Mapping[str, object]) -> Answer:
        """The list; with ``next``, the id to go on behind, if there is more."""
        more = {"next": str(max(self.last, 0))} if self.more else {}
        return Answer(b"[" + b",".join(self.items) + b"]", {**headers, **more})


def first_key(prefix: bytes, after: int) -> bytes | None:
    """The first key behind an id; ``None`` if there can't be one."""
    return None if after >= _LAST_ID else prefix + keys.number(after + 1)


@define
class _Stream:
    """The ids that one cluster's store has of a list."""

    cluster: int
    prefix: bytes
    wanted: Callable[[bytes], bool]
    ids: list[int] = field(factory=list, init=False)

    def refill(self, reader: Reader, after: int) -> None:
        """The next ids, the first one last."""
        start, found = first_key(self.prefix, after), list[int]()
        if start is None:
            return
        for key, row in reader.items(self.prefix, start):
            if self.wanted(row):
                found.append(keys.last_id(key))
                if len(found) == SLICE:
                    break
        self.ids = found[::-1]


def merged(
    clusters: Collection[int],
    prefix: bytes,
    wanted: Callable[[bytes], bool],
    shape: Callable[[Reader, int], bytes | None],
    page: Page,
) -> Steps[None]:
    """Fill the page, behind its ``last``, with what the stores have under one prefix, in order of ids over all of them.

    :param wanted: whether a row's id is one of the list.
    :param shape: the item of an id.
    """
    heap: list[tuple[int, int]] = []
    streams: dict[int, _Stream] = {}
    for cluster in clusters:
        reader = yield cluster
        if reader is not None:
            stream = streams[cluster] = _Stream(cluster, prefix, wanted)
            stream.refill(reader, page.last)
            if stream.ids:
                heap.append((stream.ids.pop(), cluster))
    heapify(heap)
    while heap:
        entity, cluster = heap[0]
        reader = still_there((yield cluster))
        if not page.take(entity, shape(reader, entity)):
            return
        stream = streams[cluster]
        if not stream.ids:
            stream.refill(reader, entity)
        if stream.ids:
            heapreplace(heap, (stream.ids.pop(), cluster))
        else:
            heappop(heap)
