"""What is said on one connection: heartbeats on time, everything else within Discord's budget."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from rateway.gateway.budget import SendBudget
from rateway.gateway.heartbeat import Beat, Heartbeat
from rateway.gateway.payloads import heartbeat

from .protocol import GatewayConnection
from .timer import Timer


class Speaker:
    """Speaks from HELLO to the connection's end.

    :ivar pulse: the heartbeat's book-keeping.
    :ivar budget: what the connection may still send.
    """

    __slots__ = ("_clock", "_connection", "_dead", "_seq", "_timer", "budget", "pulse")

    def __init__(
        self,
        clock: IReactorTime,
        connection: GatewayConnection,
        interval: float,
        jitter: float,
        seq: Callable[[], int | None],
        dead: Callable[[], None],
    ) -> None:
        """
        :param interval: from HELLO, in seconds.
        :param jitter: 0 to 1; when in the interval the first heartbeat goes out.
        :param seq: gives the last sequence of the session.
        :param dead: called when the connection turns out to be dead.
        """
        self._clock = clock
        self._connection = connection
        self._seq = seq
        self._dead = dead
        self.pulse = Heartbeat(interval, jitter, clock.seconds())
        self.budget = SendBudget(interval)
        self._timer = Timer(clock, self._tick)
        self._wait()

    @property
    def heard(self) -> bool:
        """What is said now reaches the socket."""
        return self._connection.open

    def end(self) -> None:
        """Say nothing more."""
        self._timer.cancel()

    def say(self, payload: bytes) -> None:
        """Write IDENTIFY, RESUME, or a command that is booked already."""
        self._connection.send(payload)

    def book(self) -> None:
        """Count what was said against the budget."""
        self.budget.sent(self._clock.seconds())

    def answer(self) -> None:
        """Write the heartbeat that op 1 asks for; the regular ones keep their time."""
        if self.budget.may_answer(self._clock.seconds()):
            self.say(heartbeat(self._seq()))
            self.book()

    def _tick(self) -> None:
        beat = self.pulse.tick(self._clock.seconds())
        if beat is Beat.DEAD:
            self._dead()
            return
        if beat is Beat.SEND:
            self.say(heartbeat(self._seq()))
        self._wait()

    def _wait(self) -> None:
        self._timer.set(self.pulse.due - self._clock.seconds())
