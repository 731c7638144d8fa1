"""When to heartbeat, and when silence means that the connection is dead (Discord's docs, "Gateway": Heartbeat).

The first heartbeat is due a random part of the interval after HELLO, the others every interval after it. If the next is
due and no ACK was read since the last regular one, the connection is dead. Three things must not be taken for that:

*A heartbeat that op 1 asked for* goes out beside the schedule. It is not waited for, and its ACK is a sign of life like
any other.

*A pause*: while nobody can take the events we don't read the socket, and see no ACK.

*A busy process*: an ACK may lie unread in the socket behind a burst that is still worked upon. A tick that comes late
tells of it, for nothing else ran meanwhile either. It can't accuse, and the schedule starts anew with it; the next tick
can.
"""

from __future__ import annotations

from enum import Enum

LATE = 0.25
"""Seconds after which a tick is late enough that the process must have been busy."""


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

    :ivar interval: seconds.
    :ivar due: when :meth:`tick` is to be called next.
    :ivar latency: seconds from the last acknowledged regular heartbeat to the ACK; None before the first.
    :ivar suspended_since: when reading was paused; None while we read.
    """

    def __init__(self, interval: float, jitter: float, now: float) -> None:
        """:param jitter: 0 to 1: the first heartbeat is due after that part of the interval."""
        self.interval = interval
        self.due = now + interval * jitter
        self.latency: float | None = None
        self.suspended_since: float | None = None
        self._waiting_since: float | None = None
        self._excused = False

    def tick(self, now: float) -> Beat:
        """Call when ``due`` has come. SEND moves ``due`` on by the interval."""
        late = now - self.due
        if late < 0:
            return Beat.WAIT
        if self._waiting_since is not None and self.suspended_since is None:
            if late < LATE or self._excused:
                return Beat.DEAD
            self._excused = True
        self.due = (self.due if late < LATE else now) + self.interval
        self._waiting_since = now
        return Beat.SEND

    def acknowledged(self, now: float) -> None:
        """Op 11 was read. Call it when the read is parsed, before the events of that read are worked upon."""
        if self._waiting_since is not None:
            self.latency = now - self._waiting_since
        self._waiting_since = None
        self._excused = False

    def suspend(self, now: float) -> None:
        """Reading is paused: no ACK can be seen, so none is missed; heartbeats go on."""
        if self.suspended_since is None:
            self.suspended_since = now

    def resume(self, now: float) -> None:
        """We read again: what was sent so far need not be acknowledged any more, the next heartbeat must be."""
        self.suspended_since = None
        self._waiting_since = None
