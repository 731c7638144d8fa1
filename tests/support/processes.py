"""What the kernel tells of processes, and the one thing that is done to them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path

from attrs import define, field


def memory_of(pid: int, program: bytes) -> int:
    """Bytes of a process that are in memory (RSS); 0 if it is gone.

    :param program: stands in its command line. Just after the fork, a process is still a copy of its parent.
    """
    try:
        if program not in Path(f"/proc/{pid}/cmdline").read_bytes():
            return 0
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    kilobytes = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(kilobytes[0]) * 1024 if kilobytes else 0


def own_memory() -> int:
    """Bytes of this process that are in memory (RSS)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def wait_for_processor(pid: int) -> float:
    """Seconds for which a process was ready to run, and others ran (/proc/PID/schedstat); 0 if that isn't known."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0.0


@define(eq=False)
class Stopwatch:
    """Measures how long some processes take together, but for what they waited for a processor.

    A time limit says something of a program only where the machine lets it run. :meth:`look` must be called often:
    a process that is gone tells nothing any more.

    :ivar waited: seconds that the parent and the child that waited longest did, together.
    """

    _now: Callable[[], float]
    _parent: int
    _children: Callable[[], Iterable[int]]
    _wait_of: Callable[[int], float] = wait_for_processor
    _began: float = field(init=False)
    _first: dict[int, float] = field(factory=dict, init=False)
    _last: dict[int, float] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._began = self._now()
        self.look()

    def look(self) -> None:
        """See how long each has waited so far."""
        for pid in (self._parent, *self._children()):
            waited = self._wait_of(pid)
            if waited:
                self._first.setdefault(pid, waited)
                self._last[pid] = waited

    @property
    def waited(self) -> float:
        waits = {pid: self._last[pid] - first for pid, first in self._first.items()}
        parent = waits.pop(self._parent, 0.0)
        # The parent waits for its slowest child, and both for the processor.
        return parent + max(waits.values(), default=0.0)

    @property
    def elapsed(self) -> float:
        """Seconds by the clock."""
        return self._now() - self._began

    @property
    def own(self) -> float:
        """The processes' own seconds: those by the clock, but for those in which the machine let others run."""
        return max(self.elapsed - self.waited, 0.0)


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        # It ended by itself meanwhile.
        return
