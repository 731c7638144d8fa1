"""Events in memory that are not written on the present connection: the line in front of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from attrs import define, field

from .window import Entry


def bytes_of(entries: Iterable[Entry]) -> int:
    """What entries take in memory, as frames."""
    return sum(len(entry[0]) for entry in entries if entry[0] is not None)


@define(eq=False)
class Line:
    """First in, first out.

    :ivar size: bytes of the entries' frames.
    """

    size: int = field(default=0, init=False)
    _entries: deque[Entry] = field(factory=deque, init=False)

    def __len__(self) -> int:
        return len(self._entries)

    def extend(self, entries: Sequence[Entry], size: int) -> None:
        """At the end; ``size`` is what they take."""
        self._entries.extend(entries)
        self.size += size

    def put_back(self, entries: Sequence[Entry]) -> None:
        """In front, in this order."""
        self._entries.extendleft(reversed(entries))
        self.size += bytes_of(entries)

    def take(self, limit: int) -> list[Entry]:
        """The first ones: about so many bytes of them."""
        if self.size <= limit:
            entries = list(self._entries)
            self._entries.clear()
            self.size = 0
            return entries
        size = count = 0
        for entry in self._entries:
            size += len(entry[0] or b"")
            count += 1
            if size >= limit:
                break
        entries = list(islice(self._entries, count))
        for _ in entries:
            self._entries.popleft()
        self.size -= size
        return entries

    def unplaced(self) -> list[Entry]:
        """Those that memory alone holds."""
        return [entry for entry in self._entries if entry[4] == 0]

    def place(self, places: Sequence[int]) -> None:
        """Give those that memory alone held their places in the spool, in order."""
        remaining = iter(places)
        self._entries = deque(
            [entry if entry[4] else (*entry[:4], next(remaining), entry[5]) for entry in self._entries]
        )

    def drop_unplaced(self) -> None:
        """They are elsewhere now."""
        self._entries = deque([entry for entry in self._entries if entry[4]])
        self.size = bytes_of(self._entries)

    def rewrite(self, change: Callable[[Entry], Entry]) -> None:
        """Change each."""
        self._entries = deque(map(change, self._entries))
        self.size = bytes_of(self._entries)
