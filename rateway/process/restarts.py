"""PURE: when a dead child comes back."""

from __future__ import annotations

FIRST = 1.0
LONGEST = 60.0
LONG_LIFE = 60.0
"""Seconds of life after which a death is counted as the first again."""


class Restarts:
    """One child's record: 1, 2, 4 … 60 s, and 1 s again after a minute of life."""

    def __init__(self) -> None:
        self._deaths = 0

    def delay(self, lived: float) -> float:
        """Seconds to wait after a death.

        :param lived: seconds from start to death.
        """
        if lived >= LONG_LIFE:
            self._deaths = 0
        delay = min(FIRST * 2.0 ** min(self._deaths, 16), LONGEST)
        self._deaths += 1
        return delay
