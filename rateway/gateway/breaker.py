"""A shard that identifies again and again waits longer each time: the daily allowance is everybody's."""

from __future__ import annotations

import math

from attrs import Factory, define

COUNT = 5
WINDOW = 600.0
BASE = 30.0
CAP = 3600.0
"""The fifth IDENTIFY of a shard within the window waits, and so does each after it: doubling, up to the cap."""


@define
class Breaker:
    """One shard's IDENTIFYs.

    :ivar times: those of the last ten minutes, in order.
    :ivar trips: how often it made the shard wait.
    :ivar until: the shard may not identify before.
    """

    times: list[float] = Factory(list)
    trips: int = 0
    until: float = -math.inf

    def identified(self, now: float) -> None:
        """The shard's IDENTIFY was written."""
        self.times = [*(time for time in self.times if time > now - WINDOW), now]
        if self.trips or len(self.times) >= COUNT - 1:
            self.until = now + min(BASE * 2.0 ** min(self.trips, 30), CAP)
            self.trips += 1

    def forgotten(self, now: float) -> bool:
        """Has the shard done without for so long that it starts with a clean sheet?"""
        return now > max(self.until, self.times[-1]) + WINDOW
