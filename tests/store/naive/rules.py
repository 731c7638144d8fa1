"""What events do to guilds, channels, threads, members, presences and voice states."""

from __future__ import annotations

from .world import APART, LISTS, Json, World, without

FORUMS = (15, 16)
PRIVATE_THREAD = 12
OBFUSCATED = 1 << 17


def ready(world: World, shard: int, d: Json) -> None:
    """A session begins: what is not listed was left, what is has yet to come."""
    user_update(world, d["user"])
    listed = [int(entry["id"]) for entry in d["guilds"]]
    for guild in list(world.guilds):
        if (guild >> 22) % world.total == shard and guild not in listed:
            world.forget_guild(guild)
    for guild in listed:
        unavailable(world, guild)
        world.voice.pop((guild, int(d["user"]["id"])), None)


def user_update(world: World, d: Json) -> None:
    """The bot."""
    if world.me is None or world.me[1] != d:
        world.me = (world.now, d)
    world.put_user(d)


def unavailable(world: World, guild: int) -> None:
    """An outage: nothing else changes."""
    if guild not in world.guilds:
        world.stubs.add(guild)
    world.guilds[guild] = world.guilds.get(guild, {"id": str(guild)}) | {"unavailable": True}


def guild_create(world: World, d: Json) -> None:
    """A guild with all it has; each array it bears is the whole of its kind, also if there is nothing in it."""
    guild = int(d["id"])
    if d.get("unavailable"):
        unavailable(world, guild)
        return
    world.guilds[guild] = without(d, *APART) | {"unavailable": False}
    world.stubs.discard(guild)
    world.doubted.discard(guild)
    replace_lists(world, guild, d)
    if "channels" in d:
        replace_table(world, "channels", guild, d["channels"])
    if "threads" in d:
        threads = [thread for thread, _ in world.of_guild("threads", guild)]
        world.drop(world.thread_members, lambda pair, _: pair[0] in threads)
        replace_table(world, "threads", guild, [])
        for thread in d["threads"]:
            world.put_thread(guild, thread)
    there = {id for table in ("channels", "threads") for id, d in world.of_guild(table, guild) if not is_hidden(d)}
    world.drop(world.messages, lambda channel, _: world.message_guilds[channel] == guild and channel not in there)
    world.drop(world.tables["infos"], lambda channel, row: row[0] == guild and channel not in there)
    world.drop(world.invites, lambda _, row: row[0] == guild and int(row[1]["channel_id"]) not in there)
    if "voice_states" in d:
        world.drop(world.voice, lambda pair, _: pair[0] == guild)
        for state in d["voice_states"]:
            world.voice[guild, int(state["user_id"])] = state
    if "members" in d:
        world.drop(world.members, lambda pair, _: pair[0] == guild)
        for member in d["members"]:
            if world.is_told_of(guild, int(member["user"]["id"])):
                world.put_member(guild, member)
    if "presences" in d:
        world.drop(world.presences, lambda pair, _: pair[0] == guild)
        for presence in d["presences"]:
            world.put_presence(guild, presence)


def guild_update(world: World, d: Json) -> None:
    """The guild's own fields, and the arrays that come."""
    guild = int(d["id"])
    if guild in world.guilds:
        replace_lists(world, guild, d)
        if guild not in world.stubs:
            world.guilds[guild] = world.guilds[guild] | without(d, *APART)


def guild_delete(world: World, d: Json) -> None:
    """An outage, or the end."""
    if d.get("unavailable"):
        unavailable(world, int(d["id"]))
    else:
        world.forget_guild(int(d["id"]))


def replace_table(world: World, table: str, guild: int, things: list[Json]) -> None:
    """These, and no others."""
    world.drop(world.tables[table], lambda _, row: row[0] == guild)
    for d in things:
        if not (table == "events" and d["status"] in (3, 4)):
            world.tables[table][int(d["sound_id" if table == "sounds" else "id"])] = guild, d


def replace_lists(world: World, guild: int, d: Json) -> None:
    """The arrays among the fields."""
    for field, table in LISTS.items():
        if field in d:
            replace_table(world, table, guild, d[field])


def whole_list(world: World, guild: int, d: Json) -> None:
    """One of the arrays, by itself."""
    replace_lists(world, guild, d)


def is_hidden(channel: Json) -> bool:
    """Whether the bot can't see it."""
    return bool(channel.get("flags", 0) & OBFUSCATED)


def channel_upsert(world: World, d: Json) -> None:
    """A channel, anew; of what is in one that the bot can't see, nothing tells any more."""
    guild = world.guild_of(d, "id")
    if guild is not None:
        world.tables["channels"][int(d["id"])] = guild, d
        if is_hidden(d):
            world.forget_inside(guild, int(d["id"]))


def channel_delete(world: World, d: Json) -> None:
    """A channel goes."""
    guild = world.guild_of(d, "id")
    if guild is not None:
        world.forget_channel(guild, int(d["id"]))


def pins_update(world: World, d: Json) -> None:
    """A message was pinned."""
    if world.guild_of(d) is None:
        return
    channel = int(d["channel_id"])
    table = world.tables["channels"] if channel in world.tables["channels"] else world.tables["threads"]
    if channel in table:
        guild, known = table[channel]
        table[channel] = guild, known | {"last_pin_timestamp": d.get("last_pin_timestamp")}


def thread_create(world: World, d: Json) -> None:
    """A thread; a new post is the last message of its forum."""
    guild = world.guild_of(d, "id")
    if guild is None:
        return
    if d["thread_metadata"]["archived"]:
        world.forget_thread(int(d["id"]))
        return
    world.put_thread(guild, d)
    owner, parent = world.tables["channels"].get(int(d["parent_id"]), (0, {}))
    if d.get("newly_created") and owner == guild and parent["type"] in FORUMS:
        world.tables["channels"][int(d["parent_id"])] = guild, parent | {"last_message_id": d["id"]}


def thread_update(world: World, d: Json) -> None:
    """A thread, anew; archived ones are not kept."""
    guild = world.guild_of(d, "id")
    if guild is None:
        return
    if d["thread_metadata"]["archived"]:
        world.forget_thread(int(d["id"]))
    else:
        world.put_thread(guild, d)


def thread_delete(world: World, d: Json) -> None:
    """A thread goes."""
    if world.guild_of(d, "id") is not None:
        world.forget_thread(int(d["id"]))


def thread_list_sync(world: World, guild: int, d: Json) -> None:
    """All threads of some channels, or of all; and in which of them the bot is."""
    listed = {int(thread["id"]) for thread in d["threads"]}
    for thread, known in list(world.of_guild("threads", guild)):
        if ("channel_ids" not in d or known["parent_id"] in d["channel_ids"]) and thread not in listed:
            world.forget_thread(thread)
    own = world.own or 0
    for thread in d["threads"]:
        world.thread_members.pop((int(thread["id"]), own), None)
        world.put_thread(guild, thread)
    for member in d["members"]:
        if int(member["id"]) in listed:
            world.thread_members[int(member["id"]), own] = member


def thread_member_update(world: World, d: Json) -> None:
    """The bot's own membership."""
    if world.guild_of(d, "id") is not None and int(d["id"]) in world.tables["threads"]:
        world.thread_members[int(d["id"]), int(d["user_id"])] = d


def thread_members_update(world: World, guild: int, d: Json) -> None:
    """Who came into a thread, and who left it; the bot, out of a private one, sees it no more."""
    thread = int(d["id"])
    owner, known = world.tables["threads"].get(thread, (0, {}))
    if known and str(world.own) in d.get("removed_member_ids", []) and known["type"] == PRIVATE_THREAD:
        world.forget_thread(thread)
        known = {}
    if known:
        world.tables["threads"][thread] = owner, known | {"member_count": d["member_count"]}
    for added in d.get("added_members", []):
        if known:
            world.thread_members[thread, int(added["user_id"])] = without(added, "member", "presence")
        if world.is_told_of(guild, int(added["user_id"])):
            world.put_member(guild, added["member"])
        if added["presence"] is not None:
            world.put_presence(guild, added["presence"])
    for user in d.get("removed_member_ids", []):
        world.thread_members.pop((thread, int(user)), None)


def count_member(world: World, guild: int, more: int) -> None:
    """``member_count``, where it was ever said."""
    known = world.guilds[guild]
    if "member_count" in known:
        world.guilds[guild] = known | {"member_count": max(0, known["member_count"] + more)}


def member_add(world: World, guild: int, d: Json) -> None:
    """Somebody joined; told twice, it is one more only once."""
    user = int(d["user"]["id"])
    if (guild, user) not in world.members:
        count_member(world, guild, 1)
    if world.is_told_of(guild, user):
        world.put_member(guild, d)


def member_update(world: World, guild: int, d: Json) -> None:
    """A member or their user changed."""
    if world.is_told_of(guild, int(d["user"]["id"])):
        world.put_member(guild, d, over=True)


def member_remove(world: World, guild: int, d: Json) -> None:
    """Somebody left."""
    pair = guild, int(d["user"]["id"])
    count_member(world, guild, -1)
    for table in (world.members, world.presences, world.voice):
        table.pop(pair, None)


def members_chunk(world: World, guild: int, d: Json) -> None:
    """Some members more."""
    for member in d["members"]:
        if world.is_told_of(guild, int(member["user"]["id"])):
            world.put_member(guild, member)
    for presence in d.get("presences", []):
        world.put_presence(guild, presence)


def role_upsert(world: World, guild: int, d: Json) -> None:
    """A role."""
    world.tables["roles"][int(d["role"]["id"])] = guild, d["role"]


def role_delete(world: World, guild: int, d: Json) -> None:
    """None any more."""
    world.tables["roles"].pop(int(d["role_id"]), None)


def presence_update(world: World, guild: int, d: Json) -> None:
    """A presence; what it says of the user is laid over what is known, if anything is."""
    world.put_presence(guild, d)
    user = int(d["user"]["id"])
    if user in world.users and len(d["user"]) > 1:
        world.put_user(world.users[user][1] | without(d["user"], "id"))


def voice_update(world: World, guild: int, d: Json) -> None:
    """Somebody is in a voice channel, in another, or in none."""
    user = int(d["user_id"])
    world.voice.pop((guild, user), None)
    if d["channel_id"] is not None:
        world.voice[guild, user] = d
    if not world.is_told_of(guild, user):
        world.members.pop((guild, user), None)
    elif "member" in d and (d["channel_id"] is not None or (guild, user) in world.members):
        world.put_member(guild, d["member"], over=True)
