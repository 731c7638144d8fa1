"""A small disk for the spools of some clusters, that can be filled to the last byte and emptied again."""

from __future__ import annotations

import errno
import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from twisted.logger import Logger

SIZE = 32 * 1024 * 1024
_PIECE, _BLOCK = bytes(64 * 1024), bytes(4096)

_TRIES = 20
"""Times that it is filled: meanwhile others may delete what they have on it."""

PREFIX = "rateway-chaos-"
"""What the folders with such disks begin with; the pid of their process follows."""

_STALE = re.compile(rf"\S+/{PREFIX}([0-9]+)-[^/\s]+/\S+")


def sweep_stale() -> None:
    """Unmount what processes left that were killed: nobody else would, until the machine is started again."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        mounted = _STALE.fullmatch(line.split()[1])
        if mounted and not Path(f"/proc/{mounted[1]}").exists():
            subprocess.run(["umount", "-l", mounted[0]], capture_output=True)


class SmallDisk:
    """A tmpfs; only root may mount one.

    :ivar mounted: there is one. Without it :meth:`fill` does nothing.
    :ivar fillings: how often it was full.
    """

    _log = Logger()

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.fillings = 0
        sweep_stale()
        folder.mkdir(mode=0o700)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "tmpfs", str(folder)],
            capture_output=True,
            text=True,
        )
        self.mounted = done.returncode == 0
        if not self.mounted:
            self._log.warn(
                "no small disk can be mounted ({reason}): a small SPOOL_LIMIT stands for a full one",
                reason=done.stderr.strip(),
            )

    def hold_spools(self, state_dir: Path, clusters: Iterable[int]) -> None:
        """Have the spools of these clusters on it; before rateway starts."""
        if not self.mounted:
            return
        for cluster in clusters:
            home = state_dir / f"cluster-{cluster}"
            home.mkdir(mode=0o700, parents=True)
            state_dir.chmod(0o700)
            (self._folder / str(cluster)).mkdir(mode=0o700)
            (home / "spool").symlink_to(self._folder / str(cluster))

    def fill(self) -> None:
        """A ballast file takes all that is left.

        :raises AssertionError: if a block more can be written all the same.
        """
        if not self.mounted:
            return
        for _ in range(_TRIES):
            self._take_all()
            if self._is_full():
                self.fillings += 1
                return
        raise AssertionError(f"the small disk has room, though it was filled {_TRIES} times")

    def _take_all(self) -> None:
        with (self._folder / "ballast").open("ab", buffering=0) as ballast:
            for piece in (_PIECE, _BLOCK, _BLOCK[:1]):
                try:
                    while ballast.write(piece):
                        pass
                except OSError:
                    continue

    def _is_full(self) -> bool:
        """Whether it refuses a block, for want of room."""
        probe = self._folder / "probe"
        try:
            with probe.open("wb", buffering=0) as file:
                file.write(_BLOCK)
        except OSError as error:
            return error.errno == errno.ENOSPC
        finally:
            probe.unlink(missing_ok=True)
        return False

    def clear(self) -> None:
        """Throw the ballast out."""
        (self._folder / "ballast").unlink(missing_ok=True)

    def remove(self) -> None:
        """Unmount it; what it held is gone."""
        if self.mounted:
            self.mounted = False
            # Lazily: a process that still holds a file there must not keep the test's folder for ever.
            subprocess.run(["umount", "-l", str(self._folder)], check=True, capture_output=True)
        if self._folder.exists():
            os.rmdir(self._folder)
