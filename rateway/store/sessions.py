"""The session records: what a new process needs to go on with the shards' sessions."""

from __future__ import annotations

import struct

from attrs import define, field, frozen

from rateway.model.session import Session

_cursors = struct.Struct(">?QQ")


@frozen
class Resumable:
    """A session that a new process may resume.

    :ivar session: with the sequence to RESUME from: the lower of both cursors, for what lies above is to come again.
    :ivar applied: highest sequence whose effects are in the cache; equal to ``kept`` where the cache is off.
    :ivar kept: highest sequence below which the broker (or the spool) has every event.
    :ivar refill: the cache holds less than the session said: once resumed, a new one must fill it.
    """

    session: Session
    applied: int
    kept: int
    refill: bool = False


@define
class SessionRecord:
    """A shard's session as the store has it.

    :ivar complete: whether its READY was applied here, so that the store holds all the session said.
    """

    id: str
    resume_url: str
    complete: bool = False
    applied: int = 0
    kept: int = 0
    _names: bytes = field(default=b"", eq=False, repr=False)
    """The end of the row, which stays the same."""

    def encode(self) -> bytes:
        """The record's row."""
        if not self._names:
            name = self.id.encode()
            self._names = len(name).to_bytes(2, "big") + name + self.resume_url.encode()
        return _cursors.pack(self.complete, self.applied, self.kept) + self._names

    def at(self, resume_url: str) -> SessionRecord:
        """A copy, to be changed, of a session that is now to be resumed at this URL.

        This one is what the store has until a transaction is committed.
        """
        names = self._names if resume_url == self.resume_url else b""
        return SessionRecord(self.id, resume_url, self.complete, self.applied, self.kept, names)

    @classmethod
    def decode(cls, row: bytes) -> SessionRecord:
        """The record of a row.

        :raises ValueError: if it is none (``struct.error`` too).
        """
        complete, applied, kept = _cursors.unpack_from(row)
        start = _cursors.size + 2
        end = start + int.from_bytes(row[_cursors.size : start], "big")
        return cls(row[start:end].decode(), row[end:].decode(), complete, applied, kept)

    def resumable(self, *, cache: bool) -> Resumable | None:
        """The session as a new process may resume it, if it may: never from the very beginning."""
        refill = cache and not self.complete
        applied = self.applied if cache and not refill else self.kept
        seq = min(applied, self.kept)
        return Resumable(Session(self.id, self.resume_url, seq), applied, self.kept, refill) if seq > 0 else None


def applied_of(row: bytes) -> int:
    """The cursor ``applied`` of a record's row."""
    applied: int = _cursors.unpack_from(row)[1]
    return applied
