"""One file of a spool."""

from __future__ import annotations

import os
from pathlib import Path

from attrs import define

from .record import Found, records

_OURS = b"rateway spool "
HEADER = _OURS + b"1\n"
"""Begins each file; the number is the version of the records."""

_PREFIX, _SUFFIX = "events-", ".spool"


@define(eq=False)
class Segment:
    """A file of records, written at its end only.

    :ivar number: its place among the files.
    :ivar size: up to where its records are known to be whole.
    """

    path: Path
    number: int
    size: int

    @classmethod
    def create(cls, folder: Path, number: int) -> Segment:
        """A new, empty one.

        :raises OSError: if the disk doesn't let us; nothing is left then.
        """
        path = folder / f"{_PREFIX}{number:010d}{_SUFFIX}"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _write_all(fd, HEADER, 0)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)
        return cls(path, number, len(HEADER))

    @classmethod
    def all_in(cls, folder: Path) -> list[Segment]:
        """The files of a folder, in order, whatever is in them."""
        found = []
        for path in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
            digits = path.name[len(_PREFIX) : -len(_SUFFIX)]
            if digits.isascii() and digits.isdigit():
                found.append(cls(path, int(digits), path.stat().st_size))
        return sorted(found, key=lambda segment: segment.number)

    def append(self, data: bytes) -> None:
        """Write whole records at the end: all of them, or none.

        :raises OSError: if the disk doesn't let us.
        """
        fd = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            try:
                _write_all(fd, data, self.size)
            except OSError:
                os.ftruncate(fd, self.size)
                raise
        finally:
            os.close(fd)
        self.size += len(data)

    def read(self, start: int, count: int) -> bytes:
        """At most so many bytes from a place on, never beyond ``size``."""
        fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(fd, max(0, min(count, self.size - start)), start)
        finally:
            os.close(fd)

    def is_of_another_version(self) -> bool:
        """Whether it begins with a version that isn't ours. With none, it is damaged, and its records may be whole."""
        beginning = self.read(0, len(HEADER))
        return beginning.startswith(_OURS) and beginning != HEADER

    def cut_tail(self) -> int:
        """Drop what follows the last whole record: a crash left it half written. Returns how many bytes that was."""
        data = self.read(0, self.size)
        end = len(HEADER)
        found: Found
        for found in records(data, end):
            end = found.end
        torn = self.size - end
        if torn:
            os.truncate(self.path, end)
            self.size = end
        return torn

    def sync(self) -> None:
        """Have the disk itself hold it; this may take long."""
        fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fdatasync(fd)
        finally:
            os.close(fd)

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)


def _write_all(fd: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, at)
        view, at = view[written:], at + written
