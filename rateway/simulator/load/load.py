"""Sends packed events to all sessions, at a rate that holds."""

from __future__ import annotations

from math import ceil
from random import Random
from weakref import WeakKeyDictionary

from attrs import define, field
from twisted.logger import Logger

from ..gateway.sessions import GatewaySession
from ..hub import Hub
from .stock import Stock

_BACKLOG = 1.0
"""Seconds of events that may be caught up with; what is beyond them is left out."""

_BUNDLE = 2
"""Events that a session gets at a time, at least: twice the events of a write cost hardly more than one."""

_STOCK = 4096
_SMALLEST, _LARGEST = 32, 512
"""Events kept ready, over all sessions, and for one session at least and at most."""


@define(eq=False)
class Load:
    """Events at a rate, spread evenly over the sessions, those whose client is away included.

    Each tick sends what has become due, and at most once as much to catch up with a delay. What can't be caught up
    with within a second's worth is left out and counted, and the log says so once.

    :ivar rate: events a second, over all sessions; 0 while nothing is sent.
    :ivar sent: events since it began.
    :ivar left_out: events that were due and not sent.
    """

    _log = Logger()

    _hub: Hub
    rate: float = field(default=0.0, init=False)
    sent: int = field(default=0, init=False)
    left_out: int = field(default=0, init=False)
    _wanted: int = field(default=1, init=False)
    _began: float | None = field(default=None, init=False)
    _ended: float | None = field(default=None, init=False)
    _last: float = field(default=0.0, init=False)
    _due: float = field(default=0.0, init=False)
    _turn: int = field(default=0, init=False)
    _run: int = field(default=0, init=False)
    _complained: bool = field(default=False, init=False)
    _random: Random = field(init=False)
    _stocks: WeakKeyDictionary[GatewaySession, Stock] = field(factory=WeakKeyDictionary, init=False)

    def __attrs_post_init__(self) -> None:
        self._random = Random(self._hub.options.seed + 2)

    def start(self, rate: float, sessions: int = 1) -> None:
        """So many events a second from now on.

        :param sessions: how many must have got all their guilds before it begins.
        """
        self.stop()
        self.rate, self._wanted = rate, max(1, sessions)
        self.sent = self.left_out = 0
        self._began = self._ended = None
        self._complained = False
        if rate > 0:
            self._tick(self._run)

    def stop(self) -> None:
        self._run += 1
        self.rate = 0.0
        if self._began is not None and self._ended is None:
            self._ended = self._hub.now()
        self._stocks.clear()

    @property
    def reached(self) -> float:
        """Events a second, on average since it began."""
        if self._began is None:
            return 0.0
        end = self._hub.now() if self._ended is None else self._ended
        return self.sent / max(end - self._began, self._hub.options.load_tick)

    def summary(self) -> list[str]:
        """Its part of the simulator's summary: nothing when there was no load."""
        if self._began is None:
            return []
        return [f"load of {self.reached:.1f} events/s ({self.sent} sent, {self.left_out} left out)"]

    def _sessions(self) -> list[GatewaySession]:
        now = self._hub.world_time()
        return [session for session in self._hub.sessions if not session.backfilling and not session.is_over(now)]

    def _tick(self, run: int) -> None:
        if run != self._run:
            return
        now = self._hub.now()
        try:
            self._go_on(now, self._sessions())
        finally:
            self._hub.later(max(0.0, now + self._hub.options.load_tick - self._hub.now()), lambda: self._tick(run))

    def _go_on(self, now: float, sessions: list[GatewaySession]) -> None:
        if self._began is None:
            if len(sessions) >= self._wanted and self._prepare(sessions):
                self._began = self._last = now
                self._due = 0.0
                self._log.info("the load begins: {rate:g} events/s", rate=self.rate)
        else:
            self._due += (now - self._last) * self.rate
            self._last = now
            self._send(sessions, min(int(self._due), ceil(2 * self.rate * self._hub.options.load_tick)))
            self._forgo(sessions)

    def _prepare(self, sessions: list[GatewaySession]) -> bool:
        """Pack what the sessions will get first, for the length of a tick; True when all is ready."""
        start = self._hub.now()
        for session in sessions:
            if session not in self._stocks:
                for event in self._stock(session).events(self._hub.world_time()):
                    if session.connection is not None:
                        session.connection.encoder.prepare(event)
                if self._hub.now() - start >= self._hub.options.load_tick:
                    return False
        return True

    def _send(self, sessions: list[GatewaySession], count: int) -> None:
        """The next ``count`` events, spread evenly over all who can take them."""
        now = self._hub.world_time()
        left = count
        if count < _BUNDLE * len(sessions):
            left = self._in_turn(sessions, left, now)
        if left:
            left = self._to_all(sessions, left, now)
        self._due -= count - left
        self.sent += count - left

    def _in_turn(self, sessions: list[GatewaySession], left: int, now: float) -> int:
        """Few events for many sessions: some get a bundle, and at the next tick it is the turn of those after them."""
        place, number = self._turn, len(sessions)
        for _ in range(number):
            if left <= 0:
                break
            place += 1
            left -= self._give(sessions[place % number], min(_BUNDLE, left), now)
        self._turn = place
        return left

    def _to_all(self, sessions: list[GatewaySession], left: int, now: float) -> int:
        """Many events for few sessions: all get their share, and they take turns in getting one more."""
        takers = [session for session in sessions if self._takes(session, now)]
        share, more = divmod(left, len(takers)) if takers else (0, 0)
        for place in range(len(takers) if share else more):
            session = takers[(self._turn + place) % len(takers)]
            left -= self._give(session, share + (place < more), now)
        self._turn += more
        return left

    def _takes(self, session: GatewaySession, now: float) -> bool:
        """Whether the session can take events, and there are any for it."""
        return not _is_stuck(session) and not self._stock(session).is_empty(now)

    def _give(self, session: GatewaySession, count: int, now: float) -> int:
        """So many events at most; how many there were is returned."""
        if _is_stuck(session):
            return 0
        events = self._stock(session).draw(count, now)
        if events:
            self._hub.deliver_packed(session, events)
        return len(events)

    def _stock(self, session: GatewaySession) -> Stock:
        stock = self._stocks.get(session)
        if stock is None:
            size = min(max(_STOCK // len(self._hub.sessions), _SMALLEST), _LARGEST)
            stock = self._stocks[session] = Stock(self._hub.world, session.asked, size, self._random)
        return stock

    def _forgo(self, sessions: list[GatewaySession]) -> None:
        """Leave out what can't be caught up with."""
        beyond = int(self._due - max(1.0, self.rate * _BACKLOG))
        if beyond <= 0:
            return
        self._due -= beyond
        self.left_out += beyond
        if not self._complained:
            self._complained = True
            stuck = sum(map(_is_stuck, sessions))
            self._log.warn(
                "the load can't keep {rate:g} events/s: it reaches {reached:.1f} so far ({sessions} sessions, {stuck} "
                "of them with clients that don't read fast enough); the summary says how many were left out",
                rate=self.rate,
                reached=self.reached,
                sessions=len(sessions),
                stuck=stuck,
            )


def _is_stuck(session: GatewaySession) -> bool:
    return session.connection is not None and session.connection.is_stuck
