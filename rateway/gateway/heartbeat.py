"""When to heartbeat, and when silence means that the connection is dead (Discord's docs, "Gateway": Heartbeat)."""

from __future__ import annotations

from enum import Enum


class Beat(Enum):
    """What is to be done now."""

    WAIT = "wait"
    """Nothing before ``due``."""
    SEND = "send"
    """Send the regular heartbeat now; it is booked as sent."""
    DEAD = "dead"
    """The last one was never acknowledged: drop the connection, and resume."""


class Heartbeat:
    """One connection's heartbeat, from HELLO to its end.

    :ivar due: when :meth:`tick` is to be called next.
    :ivar latency: seconds from the last acknowledged regular heartbeat to its ACK; None before the first.
    :ivar suspended_since: when reading was paused; None while we read.
    """

    due: float
    latency: float | None
    suspended_since: float | None

    def __init__(self, interval: float, jitter: float, now: float) -> None:
        """:param jitter: 0 to 1: the first heartbeat is due after that part of the interval."""

    def tick(self, now: float) -> Beat:
        """Call when ``due`` has come. SEND moves ``due`` on by the interval."""
        raise NotImplementedError

    def acknowledged(self, now: float) -> None:
        """Op 11 was read."""

    def suspend(self, now: float) -> None:
        """Reading is paused: no ACK can be seen, so none is missed; heartbeats go on."""

    def resume(self, now: float) -> None:
        """We read again."""
