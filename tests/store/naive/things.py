"""What events do to the small things of guilds, which come one by one and mean little to each other."""

from __future__ import annotations

from collections.abc import Callable

from .world import Json, World


def upsert(table: str, ident: str = "id") -> Callable[[World, int, Json], None]:
    """A thing of the table, anew."""

    def put(world: World, guild: int, d: Json) -> None:
        world.tables[table][int(d[ident])] = guild, d

    return put


def delete(table: str, ident: str = "id") -> Callable[[World, int, Json], None]:
    """A thing of the table goes."""

    def remove(world: World, guild: int, d: Json) -> None:
        world.tables[table].pop(int(d[ident]), None)

    return remove


def sounds_update(world: World, guild: int, d: Json) -> None:
    """Some sounds changed; whether these are all isn't said."""
    for sound in d["soundboard_sounds"]:
        world.tables["sounds"][int(sound["sound_id"])] = guild, sound


def event_upsert(world: World, guild: int, d: Json) -> None:
    """A scheduled event, until it is over."""
    _, known = world.tables["events"].pop(int(d["id"]), (0, {}))
    if d["status"] in (1, 2):
        count = {"user_count": known["user_count"]} if "user_count" in known else {}
        world.tables["events"][int(d["id"])] = guild, count | d


def count_interested(more: int) -> Callable[[World, int, Json], None]:
    """One more or less wants to come."""

    def count(world: World, guild: int, d: Json) -> None:
        event = int(d["guild_scheduled_event_id"])
        owner, known = world.tables["events"].get(event, (0, {}))
        if "user_count" in known:
            world.tables["events"][event] = owner, known | {"user_count": max(0, known["user_count"] + more)}

    return count


def put_info(world: World, guild: int, channel: int, new: Json) -> None:
    """What is told of a voice channel, over what was."""
    known = world.tables["infos"].get(channel, (guild, {}))[1]
    world.tables["infos"][channel] = guild, known | new


def channel_info(world: World, guild: int, d: Json) -> None:
    """The answer to op 43."""
    for info in d["channels"]:
        put_info(world, guild, int(info["id"]), {k: v for k, v in info.items() if k in ("status", "voice_start_time")})


def channel_status(world: World, guild: int, d: Json) -> None:
    """The text."""
    put_info(world, guild, int(d["id"]), {"status": d["status"]})


def channel_start_time(world: World, guild: int, d: Json) -> None:
    """Since when somebody is there."""
    put_info(world, guild, int(d["id"]), {"voice_start_time": d.get("voice_start_time")})


def invite_create(world: World, d: Json) -> None:
    """An invite."""
    guild = world.guild_of(d)
    if guild is not None:
        world.invites[d["code"]] = guild, d


def invite_delete(world: World, d: Json) -> None:
    """None any more."""
    world.invites.pop(d["code"], None)
