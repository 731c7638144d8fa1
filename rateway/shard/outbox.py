"""The commands of bots on their way to Discord, each with the Deferred that answers it; and rateway's own requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime

from rateway.errors import RequestRefused
from rateway.gateway.budget import SendBudget
from rateway.gateway.commands import Command, CommandQueue, Outcome
from rateway.gateway.membernews import read_limited
from rateway.gateway.spare import Spare
from rateway.model.dispatch import Dispatch
from rateway.model.opcodes import COMMANDS, MAX_PAYLOAD

from .speaker import Speaker
from .timer import Timer


class Outbox:
    """One shard's commands; they outlive its connections.

    Most shards of many have none: what holds them is made when the first comes.

    :ivar listens: whether Discord may refuse something that was sent, so that :meth:`hear` is to be called.
    """

    __slots__ = ("_clock", "_made", "_speaker", "_timer", "listens")

    def __init__(self, clock: IReactorTime, speaker: Callable[[], Speaker | None]) -> None:
        """:param speaker: gives who may speak commands now, or None."""
        self._clock = clock
        self._speaker = speaker
        self._made: tuple[CommandQueue, Spare] | None = None
        self._timer = Timer(clock, self.pump)
        self.listens = False

    @property
    def spare(self) -> Spare:
        """What the commands leave for rateway's own requests."""
        return self._make()[1]

    def send(self, op: int, payload: bytes, deadline: float) -> Deferred[None]:
        """Queue a command; fires when it is written, fails with :class:`RequestRefused`."""
        if op not in COMMANDS:
            return fail(RequestRefused(f"op {op} is no command a bot may send"))
        if len(payload) > MAX_PAYLOAD:
            return fail(RequestRefused(f"the payload has {len(payload)} bytes, Discord takes {MAX_PAYLOAD}"))
        done: Deferred[None] = Deferred()
        refused = self._make()[0].add(Command(op, payload, deadline, done), self._clock.seconds())
        self.pump()
        _refuse(refused)
        return done

    def pump(self) -> None:
        """Send what may be sent, refuse what is too late, and come back in time."""
        if self._made is None:
            return
        queue, _ = self._made
        now, speaker = self._clock.seconds(), self._speaker()
        budget = None if speaker is None else speaker.budget
        take = queue.due(now, budget)
        if speaker is not None:
            for payload in take.again:
                speaker.say(payload)
            for command in take.send:
                speaker.say(command.payload)
        if take.again or take.send:
            self.listens = queue.listens(now)
        then = queue.next_time(now, budget)
        if then is None:
            self._timer.cancel()
        else:
            # Not at once again: what is told may be a little too early for anything to be due.
            self._timer.set(max(then - now, 0.001))
        for command in take.send:
            _answer(command.token).callback(None)
        _refuse(take.refused)

    def hear(self, dispatches: Iterable[Dispatch]) -> None:
        """Events of the session: RATE_LIMITED is heeded."""
        if self._made is None:
            return
        queue, now = self._made[0], self._clock.seconds()
        for _, name, d in dispatches:
            limited = read_limited(d) if name == "RATE_LIMITED" else None
            if limited is not None:
                queue.limited(limited, now)
                self.pump()
        self.listens = queue.listens(now)

    def session_began(self) -> None:
        """A new session: nothing of the old one is heard of any more."""
        if self._made is not None:
            self._made[0].session_began()
            self.listens = False

    def room(self) -> tuple[Spare, SendBudget] | None:
        """The room for a request of rateway's own: what is spare, of which budget; None while nothing can be sent."""
        speaker = self._speaker()
        return None if speaker is None else (self.spare, speaker.budget)

    def say(self, payload: bytes) -> None:
        """Write a request of rateway's own, which has taken its room."""
        speaker = self._speaker()
        if speaker is not None:
            speaker.say(payload)

    def close(self, reason: str) -> None:
        """Refuse whatever still waits."""
        if self._made is not None:
            refused = self._made[0].refuse_all(reason)
            self._timer.cancel()
            _refuse(refused)

    def _make(self) -> tuple[CommandQueue, Spare]:
        if self._made is None:
            queue = CommandQueue()
            self._made = queue, Spare(queue)
        return self._made


def _refuse(outcomes: Iterable[Outcome]) -> None:
    for outcome in outcomes:
        _answer(outcome.token).errback(RequestRefused(outcome.reason))


def _answer(token: object) -> Deferred[None]:
    assert isinstance(token, Deferred)
    return token
