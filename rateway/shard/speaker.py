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

    _reactor: IReactorTime
    _connection: GatewayConnection
    _seq: Callable[[], int | None]
    _dead: Callable[[], None]
    pulse: Heartbeat
    budget: SendBudget
    _timer: IDelayedCall | None = field(default=None, init=False)
    _last_look: bool = field(default=False, init=False)

    def begin(self) -> None:
        """Wait for the first heartbeat's time."""
        self._wait(self.pulse.due - self._reactor.seconds())

    def end(self) -> None:
        """Say nothing more."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def say(self, payload: bytes) -> None:
        """Write IDENTIFY or RESUME."""
        self._connection.send(payload)
        self.budget.sent(self._reactor.seconds())

    def answer(self) -> None:
        """Write the heartbeat that op 1 asks for; the regular ones keep their time."""
        now = self._reactor.seconds()
        if self.budget.may_answer(now):
            self._connection.send(heartbeat(self._seq()))
            self.budget.sent(now)

    def _tick(self) -> None:
        beat = self.pulse.tick(self._reactor.seconds())
        if beat is Beat.DEAD:
            # The ACK may lie in the socket, unread while this process was busy: read once more before judging.
            if self._last_look:
                self._dead()
            else:
                self._last_look = True
                self._wait(0)
            return
        self._last_look = False
        if beat is Beat.SEND:
            self._connection.send(heartbeat(self._seq()))
        self._wait(self.pulse.due - self._reactor.seconds())

    def _wait(self, delay: float) -> None:
        self._timer = self._reactor.callLater(max(delay, 0), self._tick)
