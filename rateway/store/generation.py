"""How a process learns that another began a store anew: for all stores of a folder at once, by one look.

A store that is set aside can be read as before by who has it open. To look at each store's file before each read would
cost more than the read, and a question may go to the stores of hundreds of clusters. So there is a file beside them
all that grows by a byte whenever one is begun: as long as its size is the same, so is every store. Sizes are exact on
every file system, unlike times, and appending needs no lock.
"""

from __future__ import annotations

import os
from pathlib import Path

FILE = "generation"


def advance(state_dir: Path) -> None:
    """A store in this folder is begun anew: the old one is out of the way, and nothing is in the new one yet.

    :raises OSError: if it can't be said.
    """
    fd = os.open(state_dir / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, b".")
    finally:
        os.close(fd)


class Generation:
    """What one reader knows of it."""

    def __init__(self, state_dir: Path) -> None:
        self._path = str(state_dir / FILE)
        self._seen = 0

    def has_changed(self) -> bool:
        """Whether a store may have been begun anew since the last time this was asked."""
        try:
            size = os.stat(self._path).st_size
        except FileNotFoundError:
            size = 0
        changed, self._seen = size != self._seen, size
        return changed
