"""At most 120 payloads in any 60 s of a connection (Discord's docs, "Gateway": Rate Limiting).

Discord counts every payload. Regular heartbeats may not wait, so the room for as many of them as a window can hold is
set aside, and everything else shares the rest by a sliding log: at 41.25 s that leaves 117, of which commands may use
115. The last two are for heartbeats that Discord itself asks for (op 1).
"""

from __future__ import annotations

import math
from collections import deque

SPARE = 2
"""Payloads that commands leave for the answers to op 1."""

WINDOW = 60.0
"""Seconds in which Discord counts payloads."""

SLACK = 0.5
"""Seconds added to the window: payloads may reach Discord closer together than they left us."""


class SendBudget:
    """One connection's budget, made at HELLO."""

    def __init__(self, interval: float, *, limit: int = 120, window: float = WINDOW) -> None:
        """:param interval: seconds between regular heartbeats, for which room is kept."""
        self._window = window + SLACK
        regular = math.ceil(self._window / interval) + 1
        self._room = max(limit - regular, 0)
        self._log: deque[float] = deque()

    def may_send(self, now: float) -> bool:
        """May a command go out now? Regular heartbeats, IDENTIFY and RESUME need not ask."""
        return self._count(now) < self._room - SPARE

    def may_answer(self, now: float) -> bool:
        """May the heartbeat that op 1 asks for go out now? Only a flood of op 1 makes this False."""
        return self._count(now) < self._room

    def sent(self, now: float) -> None:
        """Anything but a regular heartbeat was written: IDENTIFY, RESUME, a command, the answer to op 1."""
        self._log.append(now)

    def next_slot(self, now: float, leave: int = 0) -> float:
        """When :meth:`may_send` will be true: ``now`` if it is.

        Infinity if heartbeats alone are so frequent that they fill the limit.

        :param leave: commands for which there has to be room besides.
        """
        excess = self._count(now) - (self._room - SPARE - leave)
        if excess < 0:
            return now
        return self._log[excess] + self._window if excess < len(self._log) else math.inf

    def _count(self, now: float) -> int:
        log = self._log
        while log and log[0] + self._window <= now:
            log.popleft()
        return len(log)
