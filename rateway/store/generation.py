"""How a process learns that another began a store anew, or stopped one: for all stores of a folder, by one look.

A store that is set aside can be read as before by who has it open, and so can one that stopped. To look at each store's
files before each read would cost more than the read, and a question may go to the stores of hundreds of clusters. So
there is a file beside them all that grows by a byte whenever that happens: as long as its size is the same, so is every
store. Sizes are exact on every file system, unlike times. The byte is a hole: it is to be had on a full disk, too.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import ClassVar
from weakref import WeakSet

FILE = "generation"


def ensure(state_dir: Path) -> None:
    """Have the file there while there is room for one.

    :raises OSError: if it can't be made.
    """
    os.close(_open(state_dir))


def advance(state_dir: Path) -> None:
    """A store in this folder is begun anew (the old one is out of the way, nothing is in the new one yet), or stopped.

    This process's readers learn of it in any case.

    :raises OSError: if the others can't be told.
    """
    Generation.expire_all()
    fd = _open(state_dir)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        os.ftruncate(fd, os.fstat(fd).st_size + 1)
    finally:
        os.close(fd)


def _open(state_dir: Path) -> int:
    return os.open(state_dir / FILE, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)


class Generation:
    """What one reader knows of it."""

    _all: ClassVar[WeakSet[Generation]] = WeakSet()

    def __init__(self, state_dir: Path) -> None:
        self._path = str(state_dir / FILE)
        self._seen = 0
        self._all.add(self)

    @classmethod
    def expire_all(cls) -> None:
        """Whatever the file says, the next answer of each in this process is that something changed."""
        for each in cls._all:
            each._seen = -1

    def has_changed(self) -> bool:
        """Whether a store may have been begun anew, or stopped, since the last time this was asked."""
        try:
            size = os.stat(self._path).st_size
        except FileNotFoundError:
            size = 0
        changed, self._seen = size != self._seen, size
        return changed
