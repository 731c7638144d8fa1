"""What a bot asking is told: the same of every cluster's world, as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rateway.model.permissions import ALL as EVERYTHING

from .world import Json, World


def told(worlds: Sequence[World], owner: World, kind: str, ids: Sequence[Any]) -> Any:
    """An answer, ``None`` where there is none.

    :param owner: of the worlds that which owns the guild, if the first id is one.
    """
    if kind in NEWEST:
        found = [entry for world in worlds if (entry := NEWEST[kind](world, *ids)) is not None]
        return max(found, key=lambda entry: entry[0])[1] if found else None
    if kind in ("Message", "ChannelMessages") and not owner.cap:
        return None
    if kind in ("Guilds", "UserGuilds"):
        return guilds(worlds, *ids)
    if kind in IN_GUILD:
        return IN_GUILD[kind](owner, *ids)
    for world in worlds:
        answer = BY_ID[kind](world, *ids)
        if answer is not None:
            return answer
    return None


def agrees(kind: str, ids: Sequence[Any], found: Any, expected: Any) -> bool:
    """Whether an answer is right. Of more members than a search may find it says only how many, and no others."""
    if kind != "SearchMembers" or len(ids) < 3 or found is None or expected is None:
        return bool(found == expected)
    return len(found) == min(ids[2], len(expected)) and bool(found == [each for each in expected if each in found])


def said(owner: World, kind: str, guild: int) -> Json:
    """What an answer about a guild says of itself, less the sequence: whose it is, what it is worth."""
    known = owner.guilds.get(guild, {})
    headers: Json = {"shard_id": (guild >> 22) % owner.total}
    if known.get("unavailable") or guild in owner.doubted:
        headers["stale"] = True
    if kind in ("Member", "GuildMembers", "SearchMembers"):
        headers["known"] = sum(place == guild for place, _ in owner.members)
        if "member_count" in known:
            headers["total"] = known["member_count"]
    return headers


SAID = ("shard_id", "stale", "known", "total")


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


def table_of(table: str) -> Callable[[World, int], list[Json] | None]:
    """All that a guild has in a table; of a guild that isn't known, nothing."""

    def ask(world: World, guild: int) -> list[Json] | None:
        if guild not in world.guilds:
            return None
        answers = channel if table == "threads" else thing(table)
        return [answer for id, _ in world.of_guild(table, guild) if (answer := answers(world, id)) is not None]

    return ask


def everybody(answer: Callable[[World, int, int], Json | None]) -> Callable[[World, int], list[Json] | None]:
    """A list of what a guild's users have, in order of their ids; of a page, so many behind an id."""

    def ask(world: World, guild: int, after: int = -1, limit: int | None = None) -> list[Json] | None:
        if guild not in world.guilds:
            return None
        users = sorted({user for pairs in (world.members, world.presences, world.voice) for _, user in pairs})
        return [found for user in users if user > after and (found := answer(world, guild, user)) is not None][:limit]

    return ask


def search(world: World, guild: int, prefix: str, limit: int | None = None) -> list[Json] | None:
    """The members of whose names one begins so, in whatever case; all of them, though the answer may have fewer."""
    found = everybody(member)(world, guild)
    if found is None:
        return None
    return [
        answer
        for answer in found
        if any(
            isinstance(name, str) and name.casefold().startswith(prefix.casefold())
            for name in (answer.get("nick"), answer["user"].get("username"), answer["user"].get("global_name"))
        )
    ]


def permissions(world: World, guild: int, user: int, place: int | None = None) -> Json | None:
    """What a member may do: everything, as each role here makes an administrator; if all that bears on it is known."""
    known = guild in world.guilds and guild not in world.stubs and guild in dict(world.of_guild("roles", guild))
    is_somebody = (guild, user) in world.members or (known and world.guilds[guild].get("owner_id") == str(user))
    if place is not None and place not in world.tables["channels"]:
        thread = world.tables["threads"].get(place)
        known = known and thread is not None and int(thread[1]["parent_id"]) in world.tables["channels"]
    return {"permissions": str(EVERYTHING)} if known and is_somebody else None


def channel_messages(world: World, place: int) -> list[Json] | None:
    """What is kept of a channel."""
    kept = world.messages.get(place, {})
    known = place in world.tables["channels"] or place in world.tables["threads"] or place in world.private
    return [d for id in sorted(kept) if (d := message(world, place, id)) is not None] if known or kept else None


def thread_members(world: World, thread: int) -> list[Json] | None:
    """Who is in a thread."""
    if thread not in world.tables["threads"]:
        return None
    guild, _ = world.tables["threads"][thread]
    return [
        {"id": str(thread), "user_id": str(user), "guild_id": str(guild)} | d
        for (place, user), d in sorted(world.thread_members.items())
        if place == thread
    ]


def guild_invites(world: World, guild: int) -> list[Json] | None:
    """A guild's invites, by their codes."""
    if guild not in world.guilds:
        return None
    return [{"guild_id": str(guild)} | d for _, (owner, d) in sorted(world.invites.items()) if owner == guild]


def channel_info(world: World, guild: int, channel: int) -> Json | None:
    """What is told of a voice channel."""
    owner, known = world.tables["infos"].get(channel, (0, {}))
    return {"id": str(channel), "guild_id": str(guild)} | known if owner == guild else None


def guilds(worlds: Sequence[World], user: int | None = None) -> list[Json] | None:
    """All guilds, or those where somebody known is a member."""
    if user is not None and not any(user in world.users for world in worlds):
        return None
    found = [d for world in worlds for id, d in world.guilds.items() if user is None or (id, user) in world.members]
    return sorted(found, key=lambda d: int(d["id"]))


NEWEST: dict[str, Callable[..., tuple[int, Json] | None]] = {
    "CurrentUser": lambda world: world.me,
    "User": lambda world, id: world.users.get(id),
}
IN_GUILD: dict[str, Callable[..., Any]] = {
    "Guild": lambda world, guild: world.guilds.get(guild),
    "Member": member,
    "Presence": presence,
    "Permissions": permissions,
    "ChannelInfo": channel_info,
    "GuildInvites": guild_invites,
    "GuildChannels": table_of("channels"),
    "GuildThreads": table_of("threads"),
    "GuildRoles": table_of("roles"),
    "GuildEmojis": table_of("emojis"),
    "GuildStickers": table_of("stickers"),
    "GuildScheduledEvents": table_of("events"),
    "GuildStageInstances": table_of("stages"),
    "GuildSoundboardSounds": table_of("sounds"),
    "GuildIntegrations": table_of("integrations"),
    "GuildAutoModerationRules": table_of("rules"),
    "GuildMembers": everybody(member),
    "GuildPresences": everybody(presence),
    "GuildVoiceStates": everybody(lambda world, guild, user: voice_state(world, user, guild)),
    "SearchMembers": search,
}
BY_ID: dict[str, Callable[..., Any]] = {
    "GuildChannel": channel,
    "PrivateChannel": lambda world, id: world.private.get(id),
    "Emoji": thing("emojis"),
    "Role": thing("roles"),
    "Sticker": thing("stickers"),
    "StageInstance": thing("stages"),
    "ScheduledEvent": thing("events"),
    "SoundboardSound": thing("sounds"),
    "AutoModerationRule": thing("rules"),
    "ThreadMembers": thread_members,
    "ChannelMessages": channel_messages,
    "Message": message,
    "VoiceState": lambda world, user, place: voice_state(world, user, place) or voice_state_in(world, user, place),
    "VoiceChannelStates": in_voice,
    "Group": lambda world, id: None,
}
