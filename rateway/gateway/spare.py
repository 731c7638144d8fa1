"""What a connection has to spare: room for what rateway itself asks of Discord, behind all that bots have it say.

Bots' commands come first: while one waits, nothing of rateway's own is sent. It leaves room for some at any time, and
takes no more than half of what a minute has. So however many member lists are to be asked for, bots find room.
"""

from __future__ import annotations

from collections import deque

from .budget import SLACK, WINDOW, SendBudget
from .commands import CommandQueue

SHARE = 57
"""Payloads of rateway's own in any 60 s: half of the 115 that there are beside heartbeats."""

RESERVE = 40
"""Commands of bots for which there is room at any time, unless bots themselves took it."""

LOOK_AGAIN = 1.0
"""Seconds until it is looked again whether the bots' commands are out."""


class Spare:
    """What one shard has to spare; it outlives the shard's connections."""

    __slots__ = ("_queue", "_sent")

    def __init__(self, queue: CommandQueue) -> None:
        self._queue = queue
        self._sent: deque[float] = deque(maxlen=SHARE)

    def wait(self, budget: SendBudget, now: float) -> float:
        """Seconds until something of rateway's own may be sent, or a little less; 0 if it may be now.

        :param budget: the connection's.
        """
        if self._queue.has_orders:
            return LOOK_AGAIN
        share = self._sent[0] + WINDOW + SLACK if len(self._sent) == SHARE else now
        return min(max(share, budget.next_slot(now, RESERVE)) - now, WINDOW)

    def ask(self, guild: int, budget: SendBudget, now: float) -> float:
        """Ask for a guild's whole list, now that there is room: it is booked, and to be sent.

        :returns: 0; or the seconds until this guild may be asked, and nothing is booked.
        """
        wait = self._queue.whole_lists.ask(guild, now)
        if not wait:
            budget.sent(now)
            self._sent.append(now)
        return wait

    def limited(self, guild: int, seconds: float, now: float) -> None:
        """RATE_LIMITED: the guild's list is to be asked for after these seconds, by nobody before."""
        self._queue.whole_lists.limited(guild, seconds, now)
