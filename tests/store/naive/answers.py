"""What a bot asking is told: the same of every cluster's world, as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .world import Json, World


def told(worlds: Sequence[World], owner: World, kind: str, ids: Sequence[int]) -> Any:
    """An answer, ``None`` where there is none.

    :param owner: of the worlds that which owns the guild, if the first id is one.
    """
    if kind in NEWEST:
        found = [entry for world in worlds if (entry := NEWEST[kind](world, *ids)) is not None]
        return max(found, key=lambda entry: entry[0])[1] if found else None
    if kind in IN_GUILD:
        return IN_GUILD[kind](owner, *ids)
    for world in worlds:
        answer = BY_ID[kind](world, *ids)
        if answer is not None:
            return answer
    return None


def channel(world: World, id: int) -> Json | None:
    """A channel or thread; of a thread, with the bot's membership."""
    found = thing("channels")(world, id) or thing("threads")(world, id)
    membership = world.thread_members.get((id, world.own or 0))
    if found is not None and id not in world.tables["channels"] and membership is not None:
        return found | {"member": membership}
    return found


def thing(table: str) -> Callable[[World, int], Json | None]:
    """A thing by its id."""

    def ask(world: World, id: int) -> Json | None:
        if id not in world.tables[table]:
            return None
        guild, d = world.tables[table][id]
        return {"guild_id": str(guild)} | d

    return ask


def member(world: World, guild: int, user: int) -> Json | None:
    """A member, with the user, and of the roles those that are there."""
    known = world.members.get((guild, user))
    if known is None:
        return None
    answer = known | {"guild_id": str(guild), "user_id": str(user), "user": world.users[user][1]}
    roles = dict(world.of_guild("roles", guild))
    if guild in roles and "roles" in answer:
        answer["roles"] = [role for role in answer["roles"] if int(role) in roles]
    return answer


def presence(world: World, guild: int, user: int) -> Json | None:
    """A presence."""
    known = world.presences.get((guild, user))
    return None if known is None else {"guild_id": str(guild), "user_id": str(user)} | known


def voice_state(world: World, user: int, guild: int) -> Json | None:
    """A voice state in a guild."""
    known = world.voice.get((guild, user))
    return None if known is None else {"guild_id": str(guild)} | known


def voice_state_in(world: World, user: int, channel: int) -> Json | None:
    """A voice state in a channel."""
    for state in in_voice(world, channel) or []:
        if state["user_id"] == str(user):
            return state
    return None


def in_voice(world: World, channel: int) -> list[Json] | None:
    """Everybody in a voice channel."""
    found = [
        {"guild_id": str(guild)} | state
        for (guild, _), state in world.voice.items()
        if state["channel_id"] == str(channel)
    ]
    return sorted(found, key=lambda state: int(state["user_id"])) or None


def message(world: World, channel: int, id: int) -> Json | None:
    """A message; with its guild, if the channel's is known."""
    known = world.messages.get(channel, {}).get(id)
    place = world.tables["channels"].get(channel) or world.tables["threads"].get(channel)
    return known if known is None or place is None else {"guild_id": str(place[0])} | known


NEWEST: dict[str, Callable[..., tuple[int, Json] | None]] = {
    "CurrentUser": lambda world: world.me,
    "User": lambda world, id: world.users.get(id),
}
IN_GUILD: dict[str, Callable[..., Any]] = {
    "Guild": lambda world, guild: world.guilds.get(guild),
    "Member": member,
    "Presence": presence,
}
BY_ID: dict[str, Callable[..., Any]] = {
    "GuildChannel": channel,
    "PrivateChannel": lambda world, id: world.private.get(id),
    "Emoji": thing("emojis"),
    "Role": thing("roles"),
    "Message": message,
    "VoiceState": lambda world, user, place: voice_state(world, user, place) or voice_state_in(world, user, place),
    "VoiceChannelStates": in_voice,
    "Group": lambda world, id: None,
}
