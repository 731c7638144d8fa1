"""CPU time of a process tree, as the kernel accounts it."""

from __future__ import annotations

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """The process and all that descend from it."""
    found = [pid]
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            found.extend(tree(int(child)))
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of the tree since its processes began, in seconds."""
    return sum(_own(each) for each in tree(pid))


def resident_bytes(pid: int) -> int:
    """Resident memory of the tree; what processes share is counted in each."""
    page = os.sysconf("SC_PAGE_SIZE")
    return sum(int(Path(f"/proc/{each}/statm").read_text().split()[1]) * page for each in tree(pid))


def _own(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
