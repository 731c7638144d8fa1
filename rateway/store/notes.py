"""PURE: what was seen of a store's rows in earlier events, so that they needn't be looked up for each.

Most of what events say of people was said before. Notes are of rows as they are in the store: whoever changes a row, or
gives up a transaction, drops what was noted of it.
"""

from __future__ import annotations

from typing import TypeAlias

from attrs import define, field

Said: TypeAlias = tuple[object, ...]
"""What an event says of something, to the letter, with what it says it of."""

ROWS = 1 << 15
"""Notes that a process has, at most: some ten megabytes."""
_FEWEST = 256


@define
class Notes:
    """One store's notes.

    :ivar known_guilds: guilds that are known, until one goes.
    :ivar limit: of how much, at most, it is noted that it changes nothing.
    """

    limit: int = ROWS
    known_guilds: set[int] = field(factory=set)
    _old: set[int] = field(factory=set)
    _about: dict[bytes, list[int]] = field(factory=dict)
    """Row → what is noted to be so because of it."""
    _count: int = 0

    @classmethod
    def of_one_among(cls, stores: int) -> Notes:
        """Of one of so many stores, all of which may be one process's."""
        return cls(max(_FEWEST, ROWS // stores))

    def is_old(self, said: Said) -> bool:
        """Whether it is noted that the rows are as this says."""
        return hash(said) in self._old

    def note(self, said: Said, *rows: bytes) -> None:
        """Note that the rows are as this says: mostly it is said again.

        A hash stands for it: of two texts that differ, one in 2⁶⁴ has the other's, and nobody can choose it.
        """
        if self._count >= self.limit:
            self._forget()
        self._count += 1
        number = hash(said)
        self._old.add(number)
        about = self._about
        for row in rows:
            if row in about:
                about[row].append(number)
            else:
                about[row] = [number]

    def drop(self, row: bytes) -> None:
        """The row changes."""
        noted = self._about.pop(row, None)
        if noted is not None:
            self._old.difference_update(noted)

    def drop_all(self) -> None:
        """What was seen was not to last: a transaction is given up."""
        self.known_guilds.clear()
        self._forget()

    def _forget(self) -> None:
        self._old.clear()
        self._about.clear()
        self._count = 0
