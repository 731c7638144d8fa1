"""LMDB's environment: opening, growing, reading while another process writes.

The file is written through its memory map, and not synced: what a killed process wrote is in the kernel's hands. A
map over a hole in a full disk would end the process with SIGBUS; therefore the file is small at first, and room for
more is taken from the disk (``posix_fallocate``) before the map reaches over it. Each growth ends a transaction with
``MapFullError``, which the writer answers by :meth:`Environment.grow` and the same transaction again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

import lmdb

INITIAL_SIZE = 16 << 20
_LARGEST_STEP = 1 << 30
_SMALLEST_STEP = 16 << 20
_LOCK_SIZE = 64 << 10
"""Bytes of the table of readers, which is a map too: room for some thousand."""


class Damaged(Exception):
    """The files aren't a whole environment. ``str`` is the end of a sentence."""


class Environment:
    """One environment: LMDB wants each opened once in a process, so whoever asks for a path gets the same one.

    :ivar path: the folder of its files.
    """

    _open: ClassVar[dict[Path, Environment]] = {}

    def __init__(self, path: Path) -> None:
        self.path = path
        self._data = str(path / "data.mdb")
        self._users = 0
        self._env: lmdb.Environment
        self._identity: tuple[int, int] = (0, 0)

    @classmethod
    def for_writing(cls, path: Path, initial_size: int = INITIAL_SIZE) -> Environment:
        """Open, or begin, the environment to write it.

        :raises Damaged: if there are files, but no whole environment.
        :raises OSError: if the disk has no room.
        """
        known = cls._open.get(path)
        environment = known or cls(path)
        if known is not None:
            known._env.close()
        try:
            environment._open_to_write(initial_size)
        except BaseException:
            cls._open.pop(path, None)
            raise
        cls._open[path] = environment
        environment._users += 1
        return environment

    @classmethod
    def for_reading(cls, path: Path) -> Environment | None:
        """Open the environment to read it; ``None`` if there is none yet."""
        environment = cls._open.get(path)
        if environment is not None and not environment.is_current():
            del cls._open[path]
            environment = None
        if environment is None:
            if not (path / "data.mdb").exists():
                return None
            environment = cls(path)
            try:
                environment._open_to_read()
            except (lmdb.Error, OSError):
                return None
            cls._open[path] = environment
        environment._users += 1
        return environment

    def close(self) -> None:
        """One user less; the last one closes it. A writer syncs before."""
        self._users -= 1
        if self._users <= 0:
            self._env.close()
            if self._open.get(self.path) is self:
                del self._open[self.path]

    @property
    def size(self) -> int:
        """Bytes of the map."""
        size: int = self._env.info()["map_size"]
        return size

    def is_current(self) -> bool:
        """Whether the path still names these files: their owner may have set them aside and begun anew."""
        try:
            return self._identify() == self._identity
        except OSError:
            return False

    def reading(self) -> lmdb.Transaction[bytes]:
        """A transaction to read in, as a context manager; short, for it holds back the reuse of pages."""
        try:
            return self._env.begin()
        except lmdb.MapResizedError:
            self._env.set_mapsize(0)
            return self._env.begin()

    def writing(self) -> lmdb.Transaction[bytes]:
        """A transaction to write in; as a context manager it commits, or aborts if something is raised."""
        return self._env.begin(write=True)

    def grow(self, times: int = 0) -> None:
        """Take more room of the disk, and map it: an eighth more, so that little lies idle. Outside of transactions.

        :param times: how often it grew for the same work already: each time doubles the step, for the work began anew.
        :raises OSError: if there is no room; then nothing changed.
        """
        size = self.size
        try:
            new = self._allocate(size + max(_SMALLEST_STEP, min(size >> 3 << times, _LARGEST_STEP)))
        except OSError:
            new = self._allocate(size + _SMALLEST_STEP)
        self._env.set_mapsize(new)

    def sync(self) -> None:
        """Write all to the disk itself."""
        self._env.sync(True)

    def check_readers(self) -> None:
        """Forget the transactions of readers that died: they would keep pages from being used again, for ever."""
        self._env.reader_check()

    def _open_to_write(self, initial_size: int) -> None:
        self.path.mkdir(mode=0o700, exist_ok=True)
        data = self.path / "data.mdb"
        before = data.stat().st_size if data.exists() else 0
        size = max(initial_size, before)
        self._allocate(_LOCK_SIZE, "lock.mdb")
        try:
            self._env = lmdb.open(
                str(self.path),
                map_size=size,
                mode=0o600,
                sync=False,
                metasync=False,
                writemap=True,
                readahead=False,
                max_spare_txns=2,
            )
        except lmdb.Error as error:
            raise Damaged(f"its file can't be read ({type(error).__name__})") from error
        try:
            used = (self._env.info()["last_pgno"] + 1) * self._env.stat()["psize"]
            if before and used > before:
                raise Damaged("its file was cut short")
            self._allocate(self.size)
        except BaseException:
            self._env.close()
            raise
        self._env.reader_check()
        self._identity = self._identify()

    def _open_to_read(self) -> None:
        self._env = lmdb.open(str(self.path), readonly=True, create=False, readahead=False, max_spare_txns=2)
        self._identity = self._identify()

    def _allocate(self, size: int, name: str = "data.mdb") -> int:
        """Have the disk give the file this much room, all of it."""
        fd = os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, size)
        finally:
            os.close(fd)
        return size

    def _identify(self) -> tuple[int, int]:
        status = os.stat(self._data)
        return status.st_dev, status.st_ino
