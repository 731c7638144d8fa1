"""What was written on a connection and is not settled yet, by delivery tag (RabbitMQ's docs, "Publisher Confirms").

Tags count up from 1, so what was sent is a list, and a tag is an index into it. An event that is confirmed out of
order stays as a mark, without its bytes, until all before it are settled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from attrs import define, field

from rateway.errors import RemoteProtocolError

Entry: TypeAlias = tuple[bytes | None, int, str, int, int, int]
"""``(frames, shard, session, sequence, place, expires)``: without frames it is a mark; ``place`` is its index in the
spool, below zero in that of refused events, 0 if it is in memory alone; ``expires`` is a time in ms, 0 for never."""

LONGEST = 100_000
"""Entries, marks among them, from which on nothing more is written: the broker confirms all but one, it seems."""

_COMPACT = 256


@define(eq=False)
class Window:
    """The events in flight on one connection."""

    _entries: list[Entry] = field(factory=list, init=False)
    _base: int = field(default=1, init=False)
    """The delivery tag of the first of the entries."""
    _head: int = field(default=0, init=False)
    """Where the first unsettled entry is."""

    def __bool__(self) -> bool:
        return bool(self._entries)

    @property
    def full(self) -> bool:
        """Too much waits behind an event that the broker does not confirm."""
        return len(self._entries) - self._head >= LONGEST

    def add(self, entries: Sequence[Entry]) -> None:
        """They are being written now, in this order."""
        self._entries += entries

    def between(self, first: int, last: int) -> tuple[int, int]:
        """The indexes from the first tag's to behind the last one's, without what is settled: none if all is.

        :param first: 0 is the oldest there is, ``last`` of 0 the newest.
        :raises RemoteProtocolError: if nothing was sent with such a tag.
        """
        end = last - self._base + 1 if last else len(self._entries)
        if end > len(self._entries):
            raise RemoteProtocolError(f"the broker confirms {last}, which it was never sent")
        head = self._head
        start = max(head, first - self._base)
        return start, max(start, end)

    @property
    def head(self) -> int:
        return self._head

    def open_in(self, start: int, end: int) -> list[tuple[int, Entry]]:
        """The open entries of these indexes."""
        found = ((index, self._entries[index]) for index in range(start, end))
        return [(index, entry) for index, entry in found if entry[0] is not None]

    def mark(self, start: int, end: int) -> None:
        """These are with the broker, or put aside, before what was sent earlier: their marks stay."""
        entries = self._entries
        entries[start:end] = [(None, *entry[1:]) for entry in entries[start:end]]

    def settle(self, end: int) -> list[Entry]:
        """All before ``end`` are settled, and so are the marks that follow: those settled now, in order."""
        entries = self._entries
        total = len(entries)
        while end < total and entries[end][0] is None:
            end += 1
        if end == total:
            settled = entries[self._head :] if self._head else entries
            self._entries = []
            self._base += end
            self._head = 0
            return settled
        settled = entries[self._head : end]
        self._head = end
        if end >= _COMPACT and end * 2 >= total:
            del entries[:end]
            self._base += end
            self._head = 0
        return settled

    def open(self) -> list[Entry]:
        """The entries that are not settled, in order."""
        return [entry for entry in self._entries[self._head :] if entry[0] is not None]

    def oldest(self) -> Entry | None:
        """The first that is not settled."""
        return self._entries[self._head] if self._entries else None

    def place(self, places: Sequence[int]) -> None:
        """Give the open entries without a place in the spool theirs, in order."""
        remaining = iter(places)
        entries = self._entries
        for index in range(self._head, len(entries)):
            entry = entries[index]
            if entry[0] is not None and entry[4] == 0:
                entries[index] = (*entry[:4], next(remaining), entry[5])

    def clear(self) -> None:
        """The connection is gone, and its tags with it."""
        self._entries = []
        self._base, self._head = 1, 0
