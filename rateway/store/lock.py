"""One writer per folder: a lock that ends with the process that holds it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from attrs import define

from rateway.errors import ConfigError


class FolderInUse(ConfigError):
    """Another process holds the folder: it may be about to let go."""


@define
class FolderLock:
    """The lock of one folder, held until released or until the process ends."""

    path: Path
    _fd: int

    @classmethod
    def try_lock(cls, folder: Path) -> FolderLock | None:
        """Take the folder's lock, or ``None`` if somebody holds it: :func:`holder` says who."""
        path = folder / "lock"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        os.truncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)
        return cls(path, fd)

    def release(self) -> None:
        """Let go; releasing twice is releasing once."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def holder(folder: Path) -> int | None:
    """The process that holds the folder's lock, or held it last."""
    try:
        return int((folder / "lock").read_text())
    except (OSError, ValueError):
        return None
