"""The commands of bots on their way to Discord, each with the Deferred that answers it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from rateway.errors import RequestRefused
from rateway.gateway.commands import Command, CommandQueue, Outcome

from .speaker import Speaker


@define(eq=False)
class Outbox:
    """One shard's commands; they outlive its connections.

    :ivar _speaker: gives who may speak commands now, or None.
    """

    _clock: IReactorTime
    _speaker: Callable[[], Speaker | None]
    _queue: CommandQueue = field(factory=CommandQueue, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)

    def send(self, op: int, payload: bytes, deadline: float) -> Deferred[None]:
        """Queue a command; fires when it is written, fails with :class:`RequestRefused`."""
        done: Deferred[None] = Deferred()
        refused = self._queue.add(Command(op, payload, deadline, done), self._clock.seconds())
        self.pump()
        _refuse(refused)
        return done

    def pump(self) -> None:
        """Send what may be sent, refuse what is too late, and come back in time."""
        now, speaker = self._clock.seconds(), self._speaker()
        budget = None if speaker is None else speaker.budget
        take = self._queue.due(now, budget)
        if speaker is not None:
            for command in take.send:
                speaker.say(command.payload)
        self._wait(now, self._queue.next_time(now, budget))
        for command in take.send:
            _answer(command.token).callback(None)
        _refuse(take.refused)

    def close(self, reason: str) -> None:
        """Refuse whatever still waits."""
        refused = self._queue.refuse_all(reason)
        self._wait(0, None)
        _refuse(refused)

    def _wait(self, now: float, then: float | None) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        if then is not None:
            # A little later than told: woken too early, nothing would be due yet.
            self._timer = self._clock.callLater(max(then - now, 0.001), self.pump)


def _refuse(outcomes: Iterable[Outcome]) -> None:
    for outcome in outcomes:
        _answer(outcome.token).errback(RequestRefused(outcome.reason))


def _answer(token: object) -> Deferred[None]:
    assert isinstance(token, Deferred)
    return token
