"""What a shard remembers of its session: whether there is one, where to resume it, and when it is lost.

A needless IDENTIFY costs daily allowance and a reload of every guild, a failed RESUME one round trip. So a session is
given up only when Discord says so, or when a RESUME that the general gateway took was left unanswered after the
session's own host had failed several times (Discord's docs, "Gateway": Resuming). That nobody could be reached says
nothing about the session.
"""

from __future__ import annotations

from enum import Enum

from attrs import define, field

from rateway.model.closecodes import Verdict

TRIES_AT_HOME = 3
"""Failed attempts in a row on the session's own host before the general gateway is asked, in turn with it."""


class _Stage(Enum):
    """How far this connection came with the session."""

    REACHING = "no RESUME sent"
    ASKED = "RESUME sent"
    ALIVE = "Discord replays, or all is well"


@define
class SessionKeeper:
    """The prospects of one shard's session; its id and sequence are the shell's.

    :ivar resume_url: the session's own host; None when there is no session.
    :ivar lost: a session was lost, and none has begun since.
    """

    _general_url: str
    resume_url: str | None = None
    lost: bool = field(default=False, init=False)
    _tries: int = field(default=0, init=False)
    _stage: _Stage = field(default=_Stage.REACHING, init=False)
    _timed_out: bool = field(default=False, init=False)

    def url(self, anew: bool = False) -> str:
        """Where to connect next, to resume, or to identify ``anew`` though there is a session."""
        self._stage = _Stage.REACHING
        return self._general_url if anew or self.resume_url is None or self._elsewhere else self.resume_url

    def began(self, resume_url: str) -> None:
        """READY: a new session."""
        self.resume_url, self.lost = resume_url, False
        self.continued()

    def asked(self) -> None:
        """RESUME was sent."""
        self._stage = _Stage.ASKED

    def answered(self) -> None:
        """Discord replays: the session is alive."""
        self._stage = _Stage.ALIVE

    def continued(self) -> None:
        """RESUMED: all is well again."""
        self._tries, self._stage, self._timed_out = 0, _Stage.ALIVE, False

    def ended(self, verdict: Verdict) -> bool:
        """A connection ended, or was never made.

        :returns: whether the session is lost by that; then :meth:`forget` it.
        """
        lost = verdict is Verdict.IDENTIFY
        if verdict is Verdict.RESUME_ONCE:
            lost, self._timed_out = self._timed_out, True
        if self._stage is _Stage.ASKED and self._elsewhere:
            lost = True
        self._tries = 0 if self._stage is _Stage.ALIVE else self._tries + 1
        return lost and self.resume_url is not None

    def forget(self) -> None:
        """There is no session any more."""
        self.resume_url, self.lost = None, True
        self._tries, self._stage, self._timed_out = 0, _Stage.REACHING, False

    @property
    def _elsewhere(self) -> bool:
        return self._tries >= TRIES_AT_HOME and (self._tries - TRIES_AT_HOME) % 2 == 0
