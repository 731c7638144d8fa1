"""What the load sends to a shard: events of its guilds, packed once and taken in turn, over and over.

Each tells something that stays true however often it is told (``tidings``), so that a client's cache holds the same
after each round. Now and then an event makes room for a new one.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from math import inf
from random import Random

from attrs import define, field

from ..gateway.content import content_hidden, without_content
from ..gateway.filters import lets_through, shows_content
from ..gateway.packing import Packed
from ..hub import encode
from ..world.payloads import Json
from ..world.world import World
from .tidings import MIX

_LAPS = 50
"""How often an event is sent before a new one takes its place."""

_TRIES = 20
"""How many guilds are asked for an event at most: one without people has none."""

_PATIENCE = 1.0
"""Seconds until a shard that had nothing to tell is asked again."""

_KINDS = list(MIX)
_WEIGHTS = list(accumulate(MIX.values()))


@define(eq=False)
class Entry:
    """An event, as sessions with different intents get it.

    :ivar bare: without its content, for sessions that mustn't see it; None where there is nothing to hide.
    """

    guild_id: int
    whole: Packed
    bare: Packed | None
    _seen: dict[int, Packed | None] = field(factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, name: str, d: Json, guild_id: int) -> Entry:
        hidden = content_hidden(0, guild_id, d)
        bare = Packed.of(name, encode(without_content(d))) if hidden else None
        return cls(guild_id, Packed.of(name, encode(d)), bare)

    def seen_by(self, intents: int) -> Packed | None:
        """What a session with these intents gets; None for nothing."""
        try:
            return self._seen[intents]
        except KeyError:
            seen: Packed | None = None
            if lets_through(intents, self.whole.name, guild=True):
                seen = self.whole if self.bare is None or shows_content(intents) else self.bare
            self._seen[intents] = seen
            return seen


@define(eq=False)
class Stock:
    """The events of one shard, as many as ``size``, or none where its guilds have nothing to tell."""

    world: World
    shard: int
    total: int
    size: int
    random: Random
    _guilds: list[int] = field(factory=list, init=False)
    _entries: list[Entry] = field(factory=list, init=False, repr=False)
    _place: int = field(default=-1, init=False)
    _drawn: int = field(default=0, init=False)
    _filled_at: float = field(default=-inf, init=False)

    def prepare(self, intents: int, pack: Callable[[Packed], object], now: float) -> None:
        """Have all events ready for a session with these intents; ``pack`` is what its transport needs of each."""
        if not self._entries:
            self._fill(now)
        for entry in self._entries:
            event = entry.seen_by(intents)
            if event is not None:
                pack(event)

    def draw(self, intents: int, count: int, now: float) -> list[Packed]:
        """The next events for a session with these intents: fewer, or none, where they let little through."""
        found: list[Packed] = []
        if not self._entries:
            self._fill(now)
        entries, guilds = self._entries, self.world.guilds
        for _ in range(count + self.size if entries else 0):
            entry = self._take(now)
            event, guild = entry.seen_by(intents), guilds.get(entry.guild_id)
            if event is not None and guild is not None and not guild.unavailable:
                found.append(event)
                if len(found) == count:
                    break
        return found

    def _take(self, now: float) -> Entry:
        """The next in turn, or a new one in its place."""
        entries = self._entries
        self._place = place = (self._place + 1) % len(entries)
        self._drawn += 1
        if self._drawn % _LAPS == 0:
            if self._drawn % (_LAPS * self.size) == 0:
                self._look()
            entries[place] = self._make(now) or entries[place]
        return entries[place]

    def _fill(self, now: float) -> None:
        if now - self._filled_at < _PATIENCE:
            return
        self._filled_at = now
        self._look()
        made = (self._make(now) for _ in range(self.size if self._guilds else 0))
        self._entries = [entry for entry in made if entry is not None]

    def _look(self) -> None:
        """See which guilds the shard has by now."""
        self._guilds = [guild.id for guild in self.world.guilds_of(self.shard, self.total)]

    def _make(self, now: float) -> Entry | None:
        """An event of one of the guilds; None when there is none to be had."""
        for _ in range(_TRIES if self._guilds else 0):
            guild = self.world.guilds.get(self.random.choice(self._guilds))
            if guild is None or guild.unavailable:
                continue
            tell = self.random.choices(_KINDS, cum_weights=_WEIGHTS)[0]
            for name, d in tell(self.world, guild, self.random, now):
                return Entry.of(name, d, guild.id)
        return None
