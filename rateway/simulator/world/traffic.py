"""Makes the world move: events at a chosen rate, each consistent with all that happened before."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from random import Random

from ..hub import Hub
from .happenings.happening import Happening
from .happenings.mixes import happenings

_TICK = 0.02
"""Seconds between two handfuls of events."""
_BACKLOG = 1.0
"""Seconds of the world's time whose events may be caught up with after a stall."""
_TRIES = 20
"""Happenings tried per event wanted: some are not possible just now."""


class Traffic:
    """Happenings of the world, sent to whom they concern.

    :param mix: the weights of happenings; None takes the options' mix.
    """

    def __init__(self, hub: Hub, mix: Mapping[Happening, float] | None = None) -> None:
        self._hub = hub
        self._random = Random(hub.options.seed + 1)
        self._rate = 0.0
        self._run = 0
        self._last = 0.0
        self._due = 0.0
        self._take(happenings(hub.options.mix) if mix is None else mix)

    def _take(self, mix: Mapping[Happening, float]) -> None:
        self._kinds = list(mix)
        self._weights = list(accumulate(mix.values()))

    def start(self, rate: float, mix: str | Mapping[str, float] | None = None) -> None:
        """So many events a second of the world's time from now on, over the whole world.

        :param mix: another one than before: a preset, ``"message=5,presence=30"``, or weights by family.
        :raises ValueError: when there is no such mix.
        """
        if mix is not None:
            self._take(happenings(mix))
        self._run += 1
        self._rate, self._last, self._due = rate, self._hub.world_time(), 0.0
        self._tick(self._run)

    def stop(self) -> None:
        self._run += 1

    def _tick(self, run: int) -> None:
        if run != self._run:
            return
        hub, now = self._hub, self._hub.world_time()
        # Where the world runs fast, a tick is so much longer for it: the machine is not to be woken up more often.
        speed = max(1.0, hub.options.speed)
        self._due = min(self._due + (now - self._last) * self._rate, max(1.0, _BACKLOG * speed * self._rate))
        self._last = now
        count = int(self._due)
        self._due -= self.happen(count)
        hub.later_in_world(_TICK * speed, lambda: self._tick(run))

    def happen(self, count: int) -> int:
        """About so many events now (some happenings bring several); how many there were is returned."""
        hub, random = self._hub, self._random
        world = hub.world
        guilds = list(world.guilds.values())
        done = tries = 0
        while guilds and done < count and tries < count * _TRIES:
            tries += 1
            guild = random.choice(guilds)
            if guild.id not in world.guilds:
                guilds = list(world.guilds.values())
                continue
            if guild.unavailable:
                continue
            happening = random.choices(self._kinds, cum_weights=self._weights)[0]
            for name, d in happening(world, guild, random, hub.world_time()):
                hub.tell(name, d)
                done += 1
        return done
