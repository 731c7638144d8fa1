"""Roles, emojis, stickers and sounds."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from .. import payloads
from ..guild import Guild
from ..messages import Event
from ..world import World
from .happening import WORDS, of

_MOST = 12


def change_role(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A role is created, changed, moved or deleted; one that moves, moves another."""
    chosen = random.random()
    free = [id for id, role in guild.roles.items() if not role["managed"] and id != guild.id]
    if (chosen < 0.3 or len(free) < 2) and len(free) < _MOST:
        id = world.ids.live(now)
        guild.roles[id] = payloads.role(id, f"role-{id % 1000}", 1 + max(r["position"] for r in guild.roles.values()))
        yield "GUILD_ROLE_CREATE", {**of(guild), "role": guild.roles[id]}
    elif chosen < 0.5 and len(free) > 2:
        id = random.choice(free)
        del guild.roles[id]
        yield "GUILD_ROLE_DELETE", {**of(guild), "role_id": str(id)}
    elif chosen < 0.7 and len(free) > 1:
        one, other = (guild.roles[id] for id in random.sample(free, 2))
        one["position"], other["position"] = other["position"], one["position"]
        for role in (one, other):
            yield "GUILD_ROLE_UPDATE", {**of(guild), "role": role}
    else:
        role = guild.roles[random.choice(free)]
        color = random.randrange(1 << 24)
        role |= {"color": color, "colors": {**role["colors"], "primary_color": color}, "hoist": not role["hoist"]}
        yield "GUILD_ROLE_UPDATE", {**of(guild), "role": role}


def change_emojis(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """An emoji is added, renamed, or deleted; all that are left are told."""
    chosen, kept = random.random(), list(guild.emojis)
    if not kept or (chosen < 0.4 and len(kept) < _MOST):
        id = world.ids.live(now)
        guild.emojis[id] = payloads.emoji(id, f"emoji{id % 1000}")
    elif chosen < 0.7:
        guild.emojis[random.choice(kept)]["name"] = f"emoji{random.randrange(1000)}"
    else:
        del guild.emojis[random.choice(kept)]
    yield "GUILD_EMOJIS_UPDATE", {**of(guild), "emojis": list(guild.emojis.values())}


def change_stickers(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """The same for stickers."""
    chosen, kept = random.random(), list(guild.stickers)
    if not kept or (chosen < 0.4 and len(kept) < _MOST):
        id = world.ids.live(now)
        guild.stickers[id] = payloads.sticker(id, guild.id, f"sticker{id % 1000}")
    elif chosen < 0.7:
        guild.stickers[random.choice(kept)]["description"] = random.choice(WORDS)
    else:
        del guild.stickers[random.choice(kept)]
    yield "GUILD_STICKERS_UPDATE", {**of(guild), "stickers": list(guild.stickers.values())}


def change_sounds(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A sound is added, changed or deleted; or several are changed at once."""
    chosen, kept = random.random(), list(guild.sounds)
    if not kept or (chosen < 0.4 and len(kept) < _MOST):
        id = world.ids.live(now)
        guild.sounds[id] = payloads.sound(id, guild.id, f"sound{id % 1000}")
        yield "GUILD_SOUNDBOARD_SOUND_CREATE", guild.sounds[id]
    elif chosen < 0.6:
        sound = guild.sounds[random.choice(kept)]
        sound["volume"] = random.choice((0.25, 0.5, 1.0))
        yield "GUILD_SOUNDBOARD_SOUND_UPDATE", sound
    elif chosen < 0.8:
        id = random.choice(kept)
        del guild.sounds[id]
        yield "GUILD_SOUNDBOARD_SOUND_DELETE", {"sound_id": str(id), **of(guild)}
    else:
        for sound in guild.sounds.values():
            sound["available"] = not sound["available"]
        yield "GUILD_SOUNDBOARD_SOUNDS_UPDATE", {**of(guild), "soundboard_sounds": list(guild.sounds.values())}
