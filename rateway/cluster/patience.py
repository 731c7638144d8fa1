"""Questions that wait for a member list (CHUNK_GUILDS lazy), for a while at most.

A question that misses waits for the list of its guild, whose shard may be of any cluster and any process. All that wait
for one guild share one request. The owner answers it when the list is in its cache, which every process of the host
reads; or when there is nothing to wait for, or the time is over. Then the question is answered by what is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import define, field
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from rateway.errors import RequestRefused
from rateway.gateway.memberlists import PATIENCE
from rateway.store.queries import Question

from .elsewhere import FETCH_MEMBERS, Send

MOST_GUILDS = 500
"""Guilds waited for at a time; half of what may be on its way to other processes, where bots' commands go too."""

MOST_QUESTIONS = 10_000
"""Questions that wait at a time; more are answered at once."""

SOONEST = 1.0
"""Seconds that an owner has to have tried, to be asked once more for those who came later."""


@define(eq=False)
class _Held:
    """A question that waits, or several in one."""

    guilds: set[int]
    done: Deferred[None] = field(factory=Deferred)
    timer: IDelayedCall | None = None


@define(eq=False)
class Patience:
    """What waits in one process.

    :ivar _lacks: the guild whose list would make the answer whole, if it isn't.
    :ivar _shard: of a guild.
    """

    _log = Logger()

    _clock: IReactorTime
    _lacks: Callable[[Question], int | None]
    _send: Send
    _shard: Callable[[int], int]
    _waiting: dict[int, set[_Held]] = field(factory=dict, init=False)
    """Guild → those who wait for it."""
    _held: set[_Held] = field(factory=set, init=False)
    _stopped: bool = field(default=False, init=False)

    def hold(self, questions: Iterable[Question]) -> Deferred[None] | None:
        """Have the questions wait, if it may help; fires when they are to be answered. ``None``: answer them now."""
        guilds = {guild for guild in map(self._lacks, questions) if guild is not None}
        if not guilds or self._stopped or len(self._held) >= MOST_QUESTIONS:
            return None
        held = _Held(set(guilds))
        self._held.add(held)
        for guild in guilds:
            if guild in self._waiting:
                self._waiting[guild].add(held)
            elif len(self._waiting) < MOST_GUILDS:
                self._waiting[guild] = {held}
                self._fetch(guild)
            else:
                held.guilds.discard(guild)
        if not held.guilds:
            self._held.discard(held)
            return None
        held.timer = self._clock.callLater(PATIENCE, self._give_up, held)
        return held.done

    def stop(self) -> None:
        """Nobody waits any longer."""
        self._stopped = True
        for held in list(self._held):
            self._give_up(held)

    def _fetch(self, guild: int) -> None:
        asked = self._clock.seconds()
        fetching = maybeDeferred(self._send, self._shard(guild), FETCH_MEMBERS, b"%d" % guild, PATIENCE)
        fetching.addCallbacks(lambda _: self._came(guild), lambda failure: self._did_not_come(guild, asked, failure))
        fetching.addErrback(lambda failure: self._log.failure("waiting for a member list", failure))

    def _came(self, guild: int) -> None:
        for held in self._waiting.pop(guild, set()):
            held.guilds.discard(guild)
            if not held.guilds:
                self._give_up(held)

    def _did_not_come(self, guild: int, asked: float, failure: Failure) -> None:
        if failure.check(RequestRefused) is None:
            self._log.failure("asking for a member list", failure)
        elif self._waiting[guild] and self._clock.seconds() - asked >= SOONEST and not self._stopped:
            self._fetch(guild)
            return
        self._came(guild)

    def _give_up(self, held: _Held) -> None:
        """Wait no longer, for whatever reason."""
        self._held.discard(held)
        for guild in held.guilds:
            self._waiting.get(guild, set()).discard(held)
        held.guilds = set()
        if held.timer is not None and held.timer.active():
            held.timer.cancel()
        held.timer = None
        if not held.done.called:
            held.done.callback(None)
