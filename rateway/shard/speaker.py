"""What is said on one connection: heartbeats on time, everything else within Discord's budget."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from rateway.gateway.budget import SendBudget
from rateway.gateway.heartbeat import Beat, Heartbeat
from rateway.gateway.payloads import heartbeat

from .protocol import GatewayConnection


@define(eq=False)
class Speaker:
    """Speaks from HELLO to the connection's end.

    :ivar pulse: the heartbeat's book-keeping.
    :ivar budget: what the connection may still send.
    """

    _clock: IReactorTime
    _connection: GatewayConnection
    _seq: Callable[[], int | None]
    _dead: Callable[[], None]
    pulse: Heartbeat
    budget: SendBudget
    _timer: IDelayedCall | None = field(default=None, init=False)

    @property
    def heard(self) -> bool:
        """What is said now reaches the socket."""
        return self._connection.open

    def begin(self) -> None:
        """Wait for the next heartbeat's time."""
        self._timer = self._clock.callLater(max(self.pulse.due - self._clock.seconds(), 0), self._tick)

    def end(self) -> None:
        """Say nothing more."""
        if self._timer is not None and self._timer.active():
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
        self.begin()
