"""SIGINT, SIGTERM and SIGUSR2 at the parent: the first stops in order, the next doesn't wait for it.

SIGUSR2 stops for good: sessions are given up, and the bot goes offline at once. It is neither SIGTERM, which service
managers send at every restart, nor SIGUSR1, by which twistd begins a new log file.

Twisted's own handlers would end the process by the signal itself after an orderly stop, and complain of a second one.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

from twisted.internet.interfaces import IReactorFromThreads

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
FINAL = signal.SIGUSR2


class StopSignals:
    """What the signals do."""

    def __init__(
        self,
        reactor: IReactorFromThreads,
        first: Callable[[], None],
        later: Callable[[], None],
        give_up: Callable[[], None],
    ) -> None:
        """
        :param first: what the first signal does.
        :param later: what each further one does.
        :param give_up: done before ``first``, if the first signal is the final one.
        """
        self._reactor = reactor
        self._first = first
        self._later = later
        self._give_up = give_up
        self._count = 0

    def install(self) -> None:
        """Take the signals over; only once the reactor runs, for it installs its own handlers then."""
        for number in STOPPING:
            signal.signal(number, self._caught)

    def _caught(self, number: int, frame: FrameType | None) -> None:
        # Between any two instructions: only what is safe there.
        self._count += 1
        if number == FINAL and self._count == 1:
            self._reactor.callFromThread(self._give_up)
        self._reactor.callFromThread(self._first if self._count == 1 else self._later)
