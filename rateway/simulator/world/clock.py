"""Clocks for a world whose time is not everybody's.

A world on a ``twisted.internet.task.Clock`` stands still until the test lets time pass. One on an ``AcceleratedClock``
lives through hours while a client waits for seconds.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall

from ..records import Clock


class AcceleratedClock:
    """Runs ``speed`` times as fast as another clock, from that one's time at the beginning on."""

    def __init__(self, clock: Clock, speed: float) -> None:
        if not 0 < speed < float("inf"):
            raise ValueError(f"speed {speed} is no number above 0")
        self._clock = clock
        self._speed = speed
        self._start = clock.seconds()

    def seconds(self) -> float:
        return self._start + (self._clock.seconds() - self._start) * self._speed

    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> IDelayedCall:
        """Call after ``delay`` seconds of this clock's time."""
        return self._clock.callLater(delay / self._speed, callable, *args)


def world_clock(clock: Clock, speed: float) -> Clock:
    """A clock for the world: the same as everybody's at speed 1."""
    return clock if speed == 1 else AcceleratedClock(clock, speed)
