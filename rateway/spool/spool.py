"""The spool of one cluster: a bounded queue of events on disk.

Records are written at its end and read from its front, in order. A record leaves the disk, with its whole file, only
when it is confirmed; how far the confirms have come is kept in a small file, so that after a crash little is read
twice. Writing is not synced: what a killed process wrote is the kernel's, and safe. :meth:`Spool.sync` is for the
day the machine loses its power.

An event that is in memory and in the spool at once (*taken*) is not read again by this process.
"""

from __future__ import annotations

import errno
import os
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock

from attrs import define, field
from twisted.logger import Logger

from rateway.complaints import Complaints
from rateway.errors import ConfigError, Unavailable

from .headfile import HeadFile
from .record import SpooledEvent, encode, missing, records
from .segment import HEADER, Segment

SEGMENT_SIZE = 8 * 1024 * 1024
"""Bytes from which on a new file is begun."""

_READ = 256 * 1024

_GONE = frozenset({errno.ENOENT, errno.EIO})
"""What a file is read in vain for, however often: it was deleted, or the disk has lost it."""


class SpoolFull(Unavailable):
    """Nothing was written: the bound is reached, or the disk refuses. The text says which."""


@define(eq=False)
class Spool:
    """See the module's words. Begin with :meth:`open`.

    :ivar size: bytes that the files take.
    :ivar limit: bytes that they may take.
    :ivar unread: records that are on disk alone: neither read by this process nor in its memory.
    :ivar damaged: bytes that were passed over because they are no record any more.
    """

    _log = Logger()

    folder: Path
    limit: int
    _segment_size: int
    _segments: deque[Segment]
    _next_number: int
    size: int = field(init=False, default=0)
    unread: int = field(init=False, default=0)
    damaged: int = field(init=False, default=0)
    _last_index: int = field(init=False, default=0)
    _taken: deque[tuple[int, int, int]] = field(init=False, factory=deque)
    """Of each record that is in memory and not confirmed: its index, the number of its file, where it ends there."""
    _read_at: tuple[int, int] = field(init=False, default=(0, 0))
    """File number and offset of the first unread record."""
    _head: tuple[int, int] = field(init=False, default=(0, 0))
    """File number and offset of the first unconfirmed record."""
    _head_file: HeadFile = field(init=False)
    _dirty: set[Segment] = field(init=False, factory=set)
    _dirty_lock: Lock = field(init=False, factory=Lock)
    """:meth:`sync` may be in another thread."""
    _complaints: Complaints = field(init=False, factory=Complaints)

    def __attrs_post_init__(self) -> None:
        self._head_file = HeadFile(self.folder / "head")

    @classmethod
    def open(cls, folder: Path, limit: int, segment_size: int = SEGMENT_SIZE) -> Spool:
        """The spool in a folder, with what an earlier process left there; a record half written is cut off.

        :param folder: made with mode 0700 if it isn't there.
        :raises ConfigError: if it can't be used, or holds records of another version: they are not thrown away.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            return cls._open(folder, limit, segment_size)
        except OSError as error:
            raise ConfigError(f"STATE_DIR: {folder} can't be used: {error.strerror or error}") from error

    @classmethod
    def nowhere(cls) -> Spool:
        """One that takes nothing: for a cluster without a disk."""
        return cls(Path(os.devnull), 0, SEGMENT_SIZE, deque(), 1)

    @classmethod
    def _open(cls, folder: Path, limit: int, segment_size: int) -> Spool:
        found = Segment.all_in(folder)
        segments: deque[Segment] = deque()
        for segment in found:
            if segment.size < len(HEADER):
                # Made, and not written before the process or the machine went down.
                segment.delete()
            elif segment.is_of_another_version():
                raise ConfigError(
                    f"STATE_DIR: {segment.path} holds events of another version of rateway: start that version once "
                    "more until the broker has them, or move the file away and lose them"
                )
            else:
                segments.append(segment)
        if segments:
            torn = segments[-1].cut_tail()
            if torn:
                cls._log.warn("{torn} bytes of a half-written event are cut off in {folder}", torn=torn, folder=folder)
        spool = cls(folder, limit, segment_size, segments, found[-1].number + 1 if found else 1)
        spool.size = sum(segment.size for segment in segments)
        spool._begin()
        return spool

    def _begin(self) -> None:
        """Find the first unconfirmed record, and count what follows it."""
        if not self._segments:
            self._head_file.forget()
            return
        self._head = self._read_at = (self._segments[0].number, len(HEADER))
        place = self._head_file.read()
        numbers = {segment.number: segment for segment in self._segments}
        if place is not None and place[0] in numbers and len(HEADER) <= place[1] <= numbers[place[0]].size:
            self._head = self._read_at = place
            self._delete_before(place[0])
        for segment in self._segments:
            start = self._head[1] if segment.number == self._head[0] else len(HEADER)
            self.unread += sum(1 for _ in records(segment.read(0, segment.size), start))
        self._last_index = self.unread
        if not self.unread:
            self._reset()

    @property
    def is_dirty(self) -> bool:
        """Something was written that :meth:`sync` was not called for yet."""
        return bool(self._dirty)

    @property
    def is_empty(self) -> bool:
        """Nothing is on disk that isn't confirmed."""
        return not self.unread and not self._taken

    # Writing

    def append(self, events: Iterable[SpooledEvent], *, taken: bool = False) -> int:
        """Write events at the end: all of them, or none.

        :param taken: they are in memory too, so that they are not to be read again; only while nothing is unread.
        :returns: the index of the last one; they are counted up by one each.
        :raises SpoolFull: if the bound or the disk doesn't let us.
        """
        encoded = [encode(event) for event in events]
        if not encoded:
            return self._last_index
        if taken and self.unread:
            raise ValueError("events in memory can't follow events that are on disk alone")
        data = b"".join(encoded)
        if self.size + len(data) > self.limit:
            raise SpoolFull(f"it holds {self.size} bytes, the limit (SPOOL_LIMIT) is {self.limit}")
        segment, start = self._write(data)
        if self.is_empty:
            self._head = (segment.number, start)
        for record in encoded:
            start += len(record)
            self._last_index += 1
            if taken:
                self._taken.append((self._last_index, segment.number, start))
        if taken:
            self._read_at = (segment.number, start)
        else:
            if not self.unread:
                self._read_at = (segment.number, segment.size - len(data))
            self.unread += len(encoded)
        return self._last_index

    def _write(self, data: bytes) -> tuple[Segment, int]:
        """The file that took the data, and where in it they begin."""
        try:
            last = self._segments[-1] if self._segments else None
            fresh = last is None or last.size >= self._segment_size or not last.path.exists()
            segment = Segment.create(self.folder, self._next_number) if last is None or fresh else last
            start = segment.size
            try:
                segment.append(data)
            except OSError:
                if fresh:
                    segment.delete()
                raise
        except OSError as error:
            raise SpoolFull(f"the disk refuses: {error.strerror or error}") from error
        if fresh:
            self._segments.append(segment)
            self._next_number += 1
            self.size += start
        self.size += len(data)
        with self._dirty_lock:
            self._dirty.add(segment)
        return segment, start

    # Reading

    def read(self, limit: int) -> list[tuple[int, SpooledEvent]]:
        """The next unread events with their indexes: about so many bytes of them, at least one if there is one.

        What can't be read any more is passed over, logged and counted in ``damaged``. What can't be read just now (the
        process has too many files open) stays where it is: then there may be none, though there are unread ones.
        """
        taken: list[tuple[int, SpooledEvent]] = []
        size = 0
        index = self._last_index - self.unread
        while self.unread and size < limit:
            number, start = self._read_at
            segment = next(segment for segment in self._segments if segment.number >= number)
            if segment.number != number:
                number, start = segment.number, len(HEADER)
            try:
                data = self._piece(segment, start, limit - size)
            except OSError as error:
                if error.errno not in _GONE:
                    self._complain("can't be read just now", error)
                    break
                data = b""
            place = start
            for event, end, skipped in records(data):
                self._note_damage(segment, skipped)
                place = start + end
                index += 1
                taken.append((index, event))
                self._taken.append((index, segment.number, place))
                self.unread -= 1
            size += place - start
            self._read_at = (number, place)
            if place == start:
                self._note_damage(segment, segment.size - start)
                if segment is self._segments[-1]:
                    # Counted when the spool was opened, and gone since.
                    self._last_index -= self.unread
                    self.unread = 0
                else:
                    self._read_at = (number + 1, len(HEADER))
        return taken

    def _piece(self, segment: Segment, start: int, limit: int) -> bytes:
        """Whole records from a place on, if there are any."""
        data = segment.read(start, max(_READ, limit))
        while True:
            end = 0
            for found in records(data):
                end = found.end
            if end or start + len(data) >= segment.size:
                return data[:end] if start + len(data) < segment.size else data
            more = max(missing(data, 0), _READ)
            data += segment.read(start + len(data), more)

    def _note_damage(self, segment: Segment, count: int) -> None:
        if count:
            self.damaged += count
            self._log.critical(
                "{count} bytes of {path} can't be read any more: the events in them are lost. Look at the disk",
                count=count,
                path=str(segment.path),
            )

    def _complain(self, trouble: str, error: OSError) -> None:
        """Say once in a while what the disk doesn't let us do."""
        if self._complaints.worth_saying(f"{trouble}: {error.strerror}", time.monotonic()):
            self._log.warn(
                "{folder} {trouble}: {error}", folder=str(self.folder), trouble=trouble, error=error.strerror
            )

    # Confirms

    def confirm(self, index: int) -> None:
        """All up to this index are where they belong: they need not be kept any longer. Never raises OSError."""
        place = None
        while self._taken and self._taken[0][0] <= index:
            _, number, end = self._taken.popleft()
            place = (number, end)
        if place is None:
            return
        self._head = place
        try:
            if self.is_empty:
                self._reset()
            else:
                # First what makes room: on a full disk there is none for the head.
                self._delete_before(place[0])
                self._head_file.write(self._head)
        except OSError as error:
            self._complain("can't be tidied", error)

    def confirm_taken(self) -> None:
        """All that is in memory too, or was, is where it belongs. Never raises OSError."""
        if self._taken:
            self.confirm(self._taken[-1][0])

    def _delete_before(self, number: int) -> None:
        while self._segments and self._segments[0].number < number:
            segment = self._segments.popleft()
            self.size -= segment.size
            with self._dirty_lock:
                self._dirty.discard(segment)
            segment.delete()

    def _reset(self) -> None:
        """Nothing is waiting: no file is needed."""
        self._delete_before(self._next_number)
        self._head_file.forget()

    # The disk

    def sync(self) -> None:
        """Have the disk itself hold what was written so far; may take long, and may be called in a thread.

        :raises OSError: if the disk fails.
        """
        with self._dirty_lock:
            dirty, self._dirty = self._dirty, set()
        if not dirty:
            return
        try:
            for segment in dirty:
                # One that was confirmed meanwhile is deleted.
                with suppress(FileNotFoundError):
                    segment.sync()
            fd = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError:
            with self._dirty_lock:
                self._dirty |= dirty
            raise
