"""What is read of processes, and how long a stop took."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from .processes import Stopwatch, memory_of, wait_for_processor

NOBODY = 2**22 + 1
"""A pid that the kernel gives to nobody."""


class ProcessTests(SynchronousTestCase):
    """Of this process, and of none."""

    def test_memory(self) -> None:
        """Of a process that runs this program; a copy that has not become it yet doesn't count."""
        own = Path("/proc/self/cmdline").read_bytes().split(b"\0")[0]
        self.assertGreater(memory_of(os.getpid(), own), 1024 * 1024)
        self.assertEqual(memory_of(os.getpid(), b"another program"), 0)
        self.assertEqual(memory_of(NOBODY, sys.executable.encode()), 0)

    def test_wait(self) -> None:
        """It only grows."""
        first = wait_for_processor(os.getpid())
        sum(range(100_000))
        self.assertGreaterEqual(wait_for_processor(os.getpid()), first)
        self.assertEqual(wait_for_processor(NOBODY), 0)


class StopwatchTests(SynchronousTestCase):
    """A parent, 1, and its children, who wait more and more."""

    def test_waits(self) -> None:
        """The parent's, and that of the child that waited longest; who is gone keeps what it was last seen with."""
        clock, children = Clock(), [2, 3]
        waits: Mapping[int, float] = {1: 10.0, 2: 20.0, 3: 30.0}
        watch = Stopwatch(clock.seconds, 1, lambda: children, lambda pid: waits[pid])
        self.assertEqual((watch.waited, watch.elapsed), (0.0, 0.0))
        clock.advance(5)
        waits = {1: 10.5, 2: 21.0, 3: 30.25}
        watch.look()
        self.assertEqual((watch.waited, watch.elapsed, watch.own), (1.5, 5.0, 3.5))
        children.remove(2)
        waits = {1: 11.0, 3: 30.5}
        watch.look()
        self.assertEqual(watch.waited, 2.0)

    def test_not_known(self) -> None:
        """Where the kernel doesn't tell, all time is the program's own."""
        clock = Clock()
        watch = Stopwatch(clock.seconds, 1, lambda: [2], lambda pid: 0.0)
        clock.advance(3)
        watch.look()
        self.assertEqual((watch.waited, watch.elapsed), (0.0, 3.0))
