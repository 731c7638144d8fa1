"""What the load sends to a session: events of its guilds, packed once and taken in turn, over and over.

Each tells something that stays true however often it is told (``tidings``), so that a client's cache holds the same
after each round. Now and then an event that was sent often makes room for a new one.
"""

from __future__ import annotations

from itertools import accumulate
from math import inf
from random import Random
from typing import TypeAlias

from attrs import define, field

from ..gateway.content import content_hidden, without_content
from ..gateway.filters import lets_through
from ..gateway.packing import Packed
from ..gateway.rules import Asked
from ..hub import encode
from ..world.payloads import Json
from ..world.world import World
from .tidings import MIX

Kept: TypeAlias = tuple[int, Packed]
"""``(the guild's id, the event)``."""

_LAPS = 50
"""How often an event is sent before a new one takes its place."""

_TRIES = 100
"""How many things are told at most until one is for the session: few are where it asked for few intents."""

_PATIENCE = 1.0
"""Seconds until a session that there was nothing for is looked at again."""

_KINDS = [tell for tell, _ in MIX.values()]
_WEIGHTS = list(accumulate(weight for _, weight in MIX.values()))


@define(eq=False)
class Stock:
    """The events of one session, as many as ``size``, or none where there is nothing for it.

    :ivar asked: the shard and the intents.
    """

    world: World
    asked: Asked
    size: int
    random: Random
    _guilds: list[int] = field(factory=list, init=False)
    _entries: list[Kept] = field(factory=list, init=False, repr=False)
    _drawn: int = field(default=0, init=False)
    _filled_at: float = field(default=-inf, init=False)

    def is_empty(self, now: float) -> bool:
        """Whether there is nothing for the session, as far as is known."""
        self._fill(now)
        return not self._entries

    def draw(self, count: int, now: float) -> list[Packed]:
        """The next events: fewer, or none, where there is little to tell.

        :param count: at least one.
        :param now: the world's time.
        """
        found: list[Packed] = []
        guilds = self.world.guilds
        self._fill(now)
        for _ in range(count + self.size if self._entries else 0):
            guild_id, event = self._take(now)
            guild = guilds.get(guild_id)
            if guild is not None and not guild.unavailable:
                found.append(event)
                if len(found) == count:
                    break
        return found

    def events(self, now: float) -> list[Packed]:
        """All that it has."""
        self._fill(now)
        return [event for _, event in self._entries]

    def _fill(self, now: float) -> None:
        if not self._entries and now - self._filled_at >= _PATIENCE:
            self._filled_at = now
            self._look()
            made = (self._make(now) for _ in range(self.size if self._guilds else 0))
            self._entries = [entry for entry in made if entry is not None]

    def _take(self, now: float) -> Kept:
        """The next in turn. Of those that were sent, the oldest is replaced once in so many turns."""
        entries, turn = self._entries, self._drawn
        self._drawn += 1
        taken = entries[turn % len(entries)]
        if turn % _LAPS == 0:
            oldest = turn // _LAPS % len(entries)
            if oldest == 0:
                self._look()
            entries[oldest] = self._make(now) or entries[oldest]
        return taken

    def _look(self) -> None:
        """See which guilds the session has by now; none matters where its intents let nothing through."""
        asked = self.asked
        hears = any(lets_through(asked.intents, name, guild=True) for name in MIX)
        self._guilds = [guild.id for guild in self.world.guilds_of(asked.shard, asked.total)] if hears else []

    def _make(self, now: float) -> Kept | None:
        """A new event; None when there is none to be had."""
        for _ in range(_TRIES if self._guilds else 0):
            guild = self.world.guilds.get(self.random.choice(self._guilds))
            if guild is None or guild.unavailable:
                continue
            tell = self.random.choices(_KINDS, cum_weights=_WEIGHTS)[0]
            for name, d in tell(self.world, guild, self.random, now):
                if lets_through(self.asked.intents, name, guild=True):
                    return guild.id, Packed.of(name, encode(self._seen(guild.id, d)))
        return None

    def _seen(self, guild_id: int, d: Json) -> Json:
        return without_content(d) if content_hidden(self.asked.intents, guild_id, d) else d
