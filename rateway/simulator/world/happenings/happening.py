"""What a happening is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import TypeAlias

from ..guild import Guild
from ..messages import Event
from ..payloads import Json
from ..world import World

Happening: TypeAlias = Callable[[World, Guild, Random, float], Iterator[Event]]
"""``(world, a guild that is available, chance, the time)``."""

WORDS = (
    "rain",
    "tea",
    "lamp",
    "harbour",
    "kettle,",
    "moss?",
    "chalk!",
    "\N{SNOWMAN}",
    "ribbon",
    "engine",
    "\u00e9t\u00e9",
)
FACES = ("\N{THUMBS UP SIGN}", "\N{PARTY POPPER}", "\N{EYES}")


def of(guild: Guild) -> Json:
    """The key that events of the guild bear."""
    return {"guild_id": str(guild.id)}
