"""SIGINT and SIGTERM at the parent: the first stops in order, the next doesn't wait for it.

Twisted's own handlers would end the process by the signal itself after an orderly stop, and complain of a second one.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

from twisted.internet.interfaces import IReactorFromThreads

STOPPING = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """What the signals do."""

    def __init__(self, reactor: IReactorFromThreads, first: Callable[[], None], later: Callable[[], None]) -> None:
        self._reactor = reactor
        self._first = first
        self._later = later
        self._count = 0

    def install(self) -> None:
        """Take the signals over; only once the reactor runs, for it installs its own handlers then."""
        for number in STOPPING:
            signal.signal(number, self._caught)

    def _caught(self, number: int, frame: FrameType | None) -> None:
        # Between any two instructions: only what is safe there.
        self._count += 1
        self._reactor.callFromThread(self._first if self._count == 1 else self._later)
