"""Guilds that change, are out of order for a while, are joined and left."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from ..guild import Guild
from ..messages import Event
from ..world import World
from .happening import WORDS

_MOST = 2500
_JOINED = 30
"""Members of a guild that the bot joins, at most."""


def change_guild(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A guild gets another name, description or verification level."""
    chosen = random.random()
    if chosen < 0.4:
        guild.fields["name"] = f"Guild {random.choice(WORDS)} {guild.index}"
    elif chosen < 0.7:
        guild.fields["description"] = random.choice(WORDS)
    else:
        guild.fields["verification_level"] = random.randrange(5)
    yield "GUILD_UPDATE", guild.update_payload()


def fail(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A guild is in outage, and silent; or one comes back, with all that changed meanwhile."""
    away = [each for each in world.guilds.values() if each.unavailable]
    if away and (random.random() < 0.6 or len(away) == len(world.guilds) - 1):
        back = random.choice(away)
        back.unavailable = False
        yield "GUILD_CREATE", {"id": str(back.id), "unavailable": False}
    elif len(world.guilds) > 1:
        guild.unavailable = True
        yield "GUILD_DELETE", {"id": str(guild.id), "unavailable": True}


def come_and_go(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """The bot is taken into a new guild, or put out of one."""
    # One is always left that isn't in an outage: without it nothing could happen any more.
    there = sum(not each.unavailable for each in world.guilds.values())
    if there < 2 or (random.random() < 0.5 and len(world.guilds) < _MOST):
        joined = world.make_guild(random.randint(1, _JOINED))
        joined.joined_at = now
        yield "GUILD_CREATE", {"id": str(joined.id)}
    else:
        del world.guilds[guild.id]
        yield "GUILD_DELETE", {"id": str(guild.id)}
