"""Memory of processes, as the kernel accounts it."""

from __future__ import annotations

import os
from pathlib import Path

from attrs import frozen


@frozen
class Memory:
    """Resident bytes of a process.

    :ivar anonymous: its own, which nothing but swap could take away.
    :ivar mapped: of files (a store is one), which the kernel drops when it needs room.
    """

    anonymous: int
    mapped: int


def memory_of(pid: int | None = None) -> Memory:
    """A process's memory; if none is named, this one's."""
    lines = Path(f"/proc/{pid or os.getpid()}/status").read_text().splitlines()
    kilobytes = {
        name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines) if "Rss" in name
    }
    return Memory(kilobytes["RssAnon"] * 1024, (kilobytes["RssFile"] + kilobytes["RssShmem"]) * 1024)
