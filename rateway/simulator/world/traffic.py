"""Makes the world move: events at a chosen rate, each consistent with all that happened before."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from random import Random

from ..hub import Hub
from .happenings import MIX, Happening

_TICK = 0.02
"""Seconds between two handfuls of events."""
_BACKLOG = 1.0
"""Seconds of events that may be caught up with after a stall."""


class Traffic:
    """Happenings of the world, sent to whom they concern."""

    def __init__(self, hub: Hub, mix: Mapping[Happening, float] = MIX) -> None:
        self._hub = hub
        self._random = Random(hub.options.seed + 1)
        self._kinds = list(mix)
        self._weights = list(accumulate(mix.values()))
        self._rate = 0.0
        self._run = 0
        self._last = 0.0
        self._due = 0.0

    def start(self, rate: float) -> None:
        """So many events a second from now on, over the whole world."""
        self._run += 1
        self._rate, self._last, self._due = rate, self._hub.now(), 0.0
        self._tick(self._run)

    def stop(self) -> None:
        self._run += 1

    def _tick(self, run: int) -> None:
        if run != self._run:
            return
        now = self._hub.now()
        self._due = min(self._due + (now - self._last) * self._rate, max(1.0, _BACKLOG * self._rate))
        self._last = now
        count = int(self._due)
        self._due -= self.happen(count)
        self._hub.later(_TICK, lambda: self._tick(run))

    def happen(self, count: int) -> int:
        """About so many events now; how many there were is returned."""
        hub, random = self._hub, self._random
        guilds = [guild for guild in hub.world.guilds.values() if not guild.unavailable]
        done = tries = 0
        while guilds and done < count and tries < count * 20:
            tries += 1
            guild = random.choice(guilds)
            happening = random.choices(self._kinds, cum_weights=self._weights)[0]
            for name, d in happening(hub.world, guild, random, hub.now()):
                hub.emit(guild.id, name, d)
                done += 1
        return done
