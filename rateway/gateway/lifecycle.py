"""One shard's life, from connect to connect: what happened goes in, what to do comes out.

The theory in six sentences. Without a session a permit comes first and the connection after it, with one the connection
comes first: a RESUME waits for nobody. A permit that HELLO doesn't answer within two seconds is given back, the
connection goes on, and a permit is asked for again once HELLO is there. Whatever ends a connection, the session is kept
unless :mod:`~rateway.gateway.session` says that it is lost, and what follows is ``waiting``, then RESUME or IDENTIFY.
We never close with 1000 or 1001 unless the end is final. Nothing is read while nobody takes the events: a connection
that carries none yet is closed at once, another one after a minute, and both come back when there is room.
Op 1 and 11, the heartbeats and their missing ACKs are counted at read level, by the shell, with
:mod:`~rateway.gateway.heartbeat`; here they arrive as ``heartbeat_asked`` and ``broken``.

The machine is pure: time is an argument, what it wants is returned as :mod:`~rateway.gateway.actions`. Its table is in
:mod:`~rateway.gateway.transitions`, what is done on the way in :mod:`~rateway.gateway.conduct`.
"""

from __future__ import annotations

from collections.abc import Callable

from rateway.model.closecodes import OwnClose, Verdict, close_reason

from .actions import Actions, SetTimer
from .backoff import Backoff
from .conduct import ANSWER_TIMEOUT, PERMIT_AGE, Core
from .session import SessionKeeper
from .transitions import new_machine


class Lifecycle:
    """One shard's machine, as its shell sees it; every method returns what is to be done, in order."""

    __slots__ = ("_core", "_machine")

    def __init__(
        self,
        shard_id: int,
        intents: int,
        general_url: str,
        resume_url: str | None,
        backoff: Backoff,
        random: Callable[[], float],
    ) -> None:
        """
        :param general_url: of GET /gateway/bot.
        :param resume_url: of the session to go on with, if there is one.
        :param random: gives a number from 0 to 1.
        """
        self._core = Core(shard_id, intents, SessionKeeper(general_url, resume_url), backoff, random)
        self._machine = new_machine(self._core)

    @property
    def state(self) -> str:
        """The state's name."""
        return self._core.state

    def start(self, now: float) -> Actions:
        """Begin: resume the session, or identify."""
        return self._go(now) if self.state == "idle" else []

    def stop(self, now: float, final: bool = False) -> Actions:
        """End, once and for all: keeping the session, unless it is final."""
        return self._machine.stop(now, final)

    def permit_granted(self, now: float) -> Actions:
        """The gate's answer to :class:`AskPermit`."""
        return self._machine.granted(now)

    def renew(self, now: float) -> Actions:
        """A permit to begin anew, though the session runs; where none runs, it is a permit like any other."""
        if self.state == "active" and not self._core.paused:
            return self._machine.renewed(now)
        return self._machine.granted(now)

    def permit_refused(self, why: str, now: float) -> Actions:
        """The gate can't answer; ``why`` is for the log."""
        return self._machine.refused(now, why)

    def hello(self, interval: float, now: float) -> Actions:
        """Op 10."""
        late = self.state == "permitted" and now - self._core.since > PERMIT_AGE
        lapsed = self._machine.expired(now) if late else []
        return lapsed + self._machine.hello(now, interval)

    def ready(self, resume_url: str, now: float) -> Actions:
        """READY came; it counts if ``state`` is then ``active``, otherwise it was never asked for."""
        if self.state in {"identifying", "resuming", "active"}:
            return self._machine.ready(now, resume_url)
        return self.broken(OwnClose.UNDECODABLE, "READY came unasked", now)

    def resumed(self, now: float) -> Actions:
        """RESUMED came."""
        return self._machine.resumed(now)

    def replaying(self, now: float) -> None:
        """Events, or pieces of a large one, were read before READY or RESUMED: Discord is busy with us."""
        self._core.since = now
        if self.state == "resuming":
            self._core.session.answered()

    def heartbeat_asked(self, now: float) -> Actions:
        """Op 1."""
        return self._machine.heartbeat_asked(now)

    def reconnect_asked(self, now: float) -> Actions:
        """Op 7."""
        return self._machine.reconnect_asked(now)

    def invalid_session(self, resumable: bool, now: float) -> Actions:
        """Op 9."""
        if resumable and self.state != "identifying":
            return self._machine.dismissed(now)
        return self._machine.invalidated(now)

    def closed(self, code: int | None, detail: str, now: float) -> Actions:
        """The connection was closed, or lost, or could not be made (``code`` is then None).

        :param detail: for the log; may be empty.
        """
        reason = close_reason(code)
        if reason.verdict is Verdict.FATAL:
            return self._machine.doomed(now, reason)
        return self._machine.lost(now, reason, detail)

    def broken(self, code: OwnClose, why: str, now: float) -> Actions:
        """The connection is of no use any more: no ACK, or something that can't be read."""
        return self._machine.broken(now, code, why)

    def timer_fired(self, now: float) -> Actions:
        """The timer of the last :class:`SetTimer` fired."""
        state = self.state
        if state == "waiting":
            return self._go(now)
        if state in {"identifying", "resuming", "active"}:
            if self._core.paused:
                return self._machine.overpaused(now)
            left = self._core.since + ANSWER_TIMEOUT - now
            if left > 0 and state != "active":
                return [SetTimer(left)]
        if state == "greeted" and self._core.session.resume_url is not None:
            return self.broken(OwnClose.TIMEOUT, "no permit for another session came in time", now)
        return self._machine.expired(now)

    def pause(self, now: float) -> Actions:
        """Nobody takes events for now."""
        if self._core.paused:
            return []
        self._core.paused = True
        return self._machine.paused(now)

    def unpause(self, now: float) -> Actions:
        """Events are taken again."""
        if not self._core.paused:
            return []
        self._core.paused = False
        return self._go(now) if self.state == "held" else self._machine.unpaused(now)

    def _go(self, now: float) -> Actions:
        if self._core.paused:
            return self._machine.hold_due(now)
        if self._core.session.resume_url is None:
            return self._machine.identify_due(now)
        return self._machine.resume_due(now)
