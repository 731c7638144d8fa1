"""What an update sees, and what it leaves: the seam between the rules and the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeAlias

from .kinds import Kept
from .notes import Notes

Changes: TypeAlias = dict[bytes, bytes | None]
"""Key → the row's new value, or ``None`` to delete it."""


class Reader(Protocol):
    """Rows, to read."""

    def get(self, key: bytes) -> bytes | None:
        """One row."""

    def has(self, key: bytes) -> bool:
        """Whether there is such a row: cheaper than to get it."""

    def items(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """The rows whose keys begin so, in order of keys; those before ``start`` left out."""

    def keys(self, prefix: bytes, start: bytes = b"") -> Iterator[bytes]:
        """The keys that begin so, in order, those before ``start`` left out: cheaper than to get their rows."""


class View(Reader, Protocol):
    """What an update reads, as it was before the event, or, in its later parts, less what went in the earlier ones."""

    @property
    def kept(self) -> Kept:
        """What the store keeps."""

    @property
    def notes(self) -> Notes:
        """What was seen before."""

    @property
    def shard_id(self) -> int:
        """The shard the event came to."""

    @property
    def now_ms(self) -> int:
        """When, in milliseconds since 1970."""


Update: TypeAlias = Callable[[bytes, View], Changes]
"""The bytes of an event's ``d`` → what it changes. May raise anything for data it can't read; then nothing changes."""
