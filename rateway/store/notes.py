"""PURE: what was seen of a store's rows in earlier events, so that they needn't be looked up for each.

Notes are of rows as they are in the store. Whoever changes a row, or gives up a transaction, drops what was noted.
"""

from __future__ import annotations

from attrs import define, field

ROWS = 1 << 16
"""Rows of which a process has notes, at most: some ten megabytes."""
_FEWEST = 256


@define
class Notes:
    """One store's notes.

    :ivar known_guilds: guilds that are known, until one goes.
    :ivar limit: rows, at most, of which it is noted what changes nothing in them.
    """

    limit: int = ROWS
    known_guilds: set[int] = field(factory=set)
    _unchanging: dict[bytes, int] = field(factory=dict)

    @classmethod
    def of_one_among(cls, stores: int) -> Notes:
        """Of one of so many stores, all of which may be one process's."""
        return cls(max(_FEWEST, ROWS // stores))

    def changes_nothing(self, key: bytes, said: bytes) -> bool:
        """Whether it is noted that the row is as this says."""
        return self._unchanging.get(key) == hash(said)

    def changed_nothing(self, key: bytes, said: bytes) -> None:
        """Note that the row is as this says: mostly it is said again.

        A hash stands for it: of two texts that differ, one in 2⁶⁴ has the other's, and nobody can choose it.
        """
        if len(self._unchanging) >= self.limit:
            self._unchanging.clear()
        self._unchanging[key] = hash(said)

    def drop(self, key: bytes) -> None:
        """The row changes."""
        self._unchanging.pop(key, None)

    def drop_all(self) -> None:
        """What was seen was not to last: a transaction is given up."""
        self.known_guilds.clear()
        self._unchanging.clear()
