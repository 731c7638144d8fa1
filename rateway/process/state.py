"""What STATE_DIR keeps for the parent: the lock, the total of the last run, identify times and counts.

Files are replaced whole, by renaming: a reader finds the old or the new one. One that can't be read counts as absent.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path

import ujson
from twisted.logger import Logger

from rateway.errors import ConfigError


class StateFolder:
    """The folder, once it is locked for this process."""

    _log = Logger()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: int | None = None
        self._complained = False

    def lock(self) -> None:
        """Make the folder if need be, and keep every other rateway out of it.

        :raises ConfigError: if another one is in it, or it can't be used.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unusable(error) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(lock)
            raise ConfigError(
                f"STATE_DIR: another rateway (process {holder}) uses the folder {self.folder}; "
                "stop it, or name another folder"
            ) from None
        try:
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(lock)
            raise self._unusable(error) from None
        self._lock = lock

    def _unusable(self, error: OSError) -> ConfigError:
        return ConfigError(
            f"STATE_DIR: the folder {self.folder} can't be used ({error.strerror}); name one that rateway may write, "
            "on a disk that has room"
        )

    def unlock(self) -> None:
        """Let others in."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def remembered_total(self) -> int | None:
        """How many shards the last run had."""
        total = self._read("plan.json").get("total")
        return total if isinstance(total, int) and not isinstance(total, bool) and total > 0 else None

    def remember_total(self, total: int) -> None:
        """Keep this run's number of shards for the next."""
        if total != self.remembered_total():
            self._write("plan.json", {"total": total})

    def identify_snapshot(self) -> Mapping[str, object]:
        """What the identify queue left behind."""
        return self._read("identify.json", {"damaged": True})

    def keep_identify_snapshot(self, snapshot: Mapping[str, object]) -> None:
        """Keep the identify queue's times and counts for a later process."""
        self._write("identify.json", snapshot)

    def _read(self, name: str, damaged: Mapping[str, object] | None = None) -> Mapping[str, object]:
        """A file's content; ``damaged`` if it can't be read."""
        try:
            value = ujson.loads((self.folder / name).read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            self._log.warn("{name} in STATE_DIR can't be read: starting without it", name=name)
            return damaged or {}
        return value if isinstance(value, dict) else damaged or {}

    def _write(self, name: str, value: Mapping[str, object]) -> None:
        new = self.folder / f"{name}.new"
        try:
            fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(fd, "w") as file:
                file.write(ujson.dumps(dict(value)) + "\n")
            new.replace(self.folder / name)
        except OSError as error:
            if not self._complained:
                self._log.error(
                    "STATE_DIR can't be written ({why}): a restart may start sessions anew, or too fast; make room",
                    why=error.strerror,
                )
            self._complained = True
        else:
            self._complained = False
