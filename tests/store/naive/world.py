"""What is known, and what takes what with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

LISTS = {
    "roles": "roles",
    "emojis": "emojis",
    "stickers": "stickers",
    "soundboard_sounds": "sounds",
    "stage_instances": "stages",
    "guild_scheduled_events": "events",
}
"""Arrays of a guild's payload → the table that each is the whole of."""
APART = {*LISTS, "channels", "threads", "members", "presences", "voice_states"}
"""Fields of GUILD_CREATE that are no part of the guild object as a bot is told of it."""


def without(d: Json, *fields: str) -> Json:
    """The object less some of its fields."""
    return {key: value for key, value in d.items() if key not in fields}


class World:
    """All that one cluster's shards have told.

    :ivar cap: messages kept per channel.
    :ivar everybody: whether GUILD_MEMBERS is on: else the bot and those in voice are all the members there are.
    :ivar doubted: guilds of which an event could not be read, since they came last.
    :ivar now: the time of what happens, in milliseconds.
    """

    def __init__(self, total: int, cap: int, everybody: bool) -> None:
        self.total = total
        self.cap = cap
        self.everybody = everybody
        self.now = 0
        self.me: tuple[int, Json] | None = None
        self.guilds: dict[int, Json] = {}
        self.stubs: set[int] = set()
        self.doubted: set[int] = set()
        self.tables: dict[str, dict[int, tuple[int, Json]]] = {
            name: {} for name in (*LISTS.values(), "channels", "threads", "integrations", "rules", "infos")
        }
        self.invites: dict[str, tuple[int, Json]] = {}
        self.members: dict[tuple[int, int], Json] = {}
        self.presences: dict[tuple[int, int], Json] = {}
        self.voice: dict[tuple[int, int], Json] = {}
        self.thread_members: dict[tuple[int, int], Json] = {}
        self.users: dict[int, tuple[int, Json]] = {}
        self.messages: dict[int, dict[int, Json]] = {}
        self.message_guilds: dict[int, int] = {}
        self.private: dict[int, Json] = {}

    @property
    def own(self) -> int | None:
        """The bot's id."""
        return None if self.me is None else int(self.me[1]["id"])

    def guild_of(self, d: Json, channel: str = "channel_id") -> int | None:
        """The guild the event is of, as it says, or by the channel it names; ``None`` if it is none of ours."""
        if d.get("guild_id") is not None:
            guild = int(d["guild_id"])
        else:
            known = self.tables["channels"].get(int(d[channel])) or self.tables["threads"].get(int(d[channel]))
            if known is None:
                return None
            guild = known[0]
        return guild if guild in self.guilds else None

    def of_guild(self, table: str, guild: int) -> Iterator[tuple[int, Json]]:
        """A guild's things of one table, in order."""
        return ((id, d) for id, (owner, d) in sorted(self.tables[table].items()) if owner == guild)

    def is_told_of(self, guild: int, user: int) -> bool:
        """Whether events will go on to tell of this member."""
        return self.everybody or user == self.own or (guild, user) in self.voice

    def put_user(self, user: Json) -> None:
        """A user, with the time of the change, if it is one."""
        known = self.users.get(int(user["id"]))
        if known is None or known[1] != user:
            self.users[int(user["id"])] = (self.now, user)

    def refresh_user(self, user: Json) -> None:
        """The same, of a user already known."""
        if int(user["id"]) in self.users:
            self.put_user(user)

    def put_member(self, guild: int, d: Json, over: bool = False) -> None:
        """A member with their user; ``over`` what is known of them, or instead of it."""
        user = int(d["user"]["id"])
        before = self.members.get((guild, user), {}) if over else {}
        self.members[guild, user] = before | without(d, "user", "guild_id")
        self.put_user(d["user"])

    def put_presence(self, guild: int, d: Json) -> None:
        """A presence; offline is none."""
        pair = guild, int(d["user"]["id"])
        self.presences.pop(pair, None)
        if d["status"] != "offline":
            self.presences[pair] = d

    def put_thread(self, guild: int, d: Json) -> None:
        """A thread, and the bot's membership of it if it comes along."""
        thread = int(d["id"])
        self.tables["threads"][thread] = guild, without(d, "member", "newly_created")
        if d.get("member") is not None and self.own is not None:
            self.thread_members[thread, self.own] = d["member"]

    def keep_message(self, guild: int, d: Json) -> None:
        """A message, and the newest of its channel."""
        channel = int(d["channel_id"])
        kept = self.messages.get(channel, {}) | {int(d["id"]): d}
        self.messages[channel] = dict(sorted(kept.items())[-self.cap :]) if self.cap else {}
        self.message_guilds[channel] = guild

    def drop(self, table: dict[Any, Any], condemned: Callable[[Any, Any], bool]) -> None:
        """What is to go out of a table."""
        for key in [key for key, value in table.items() if condemned(key, value)]:
            del table[key]

    def forget_inside(self, guild: int, channel: int) -> None:
        """What only those know who see the channel: its messages, threads, invites, and what is told of it."""
        self.tables["infos"].pop(channel, None)
        self.messages.pop(channel, None)
        for thread, d in list(self.of_guild("threads", guild)):
            if d["parent_id"] == str(channel):
                self.forget_thread(thread)
        self.drop(self.invites, lambda _, row: row[0] == guild and row[1]["channel_id"] == str(channel))

    def forget_channel(self, guild: int, channel: int) -> None:
        """A channel with all that is in it; of a category, not the channels."""
        self.tables["channels"].pop(channel, None)
        self.forget_inside(guild, channel)
        in_it = str(channel)
        for table in ("stages", "events"):
            self.drop(self.tables[table], lambda _, row: row[0] == guild and row[1].get("channel_id") == in_it)
        for pair in [pair for pair, d in self.voice.items() if pair[0] == guild and d["channel_id"] == in_it]:
            self.forget_voice(*pair)

    def forget_voice(self, guild: int, user: int) -> None:
        """A voice state; where not everybody is told of, the member goes with it."""
        self.voice.pop((guild, user), None)
        if not self.is_told_of(guild, user):
            self.members.pop((guild, user), None)

    def forget_thread(self, thread: int) -> None:
        """A thread, its members, its messages."""
        self.tables["threads"].pop(thread, None)
        self.drop(self.thread_members, lambda pair, _: pair[0] == thread)
        self.messages.pop(thread, None)

    def forget_guild(self, guild: int) -> None:
        """Everything that is a guild's."""
        for thread, _ in list(self.of_guild("threads", guild)):
            self.forget_thread(thread)
        for table in self.tables.values():
            self.drop(table, lambda _, row: row[0] == guild)
        self.drop(self.invites, lambda _, row: row[0] == guild)
        for pairs in (self.members, self.presences, self.voice):
            self.drop(pairs, lambda pair, _: pair[0] == guild)
        self.drop(self.messages, lambda channel, _: self.message_guilds[channel] == guild)
        self.guilds.pop(guild, None)
        self.stubs.discard(guild)
        self.doubted.discard(guild)

    def forget_strangers(self) -> None:
        """Users are known for being a member somewhere, for a private channel, or for being the bot."""
        known = {user for _, user in self.members} | {self.own}
        known |= {int(user["id"]) for d in self.private.values() for user in d["recipients"]}
        self.drop(self.users, lambda user, _: user not in known)


def doubt(world: World, d: Any) -> None:
    """An event that can't be read: what is known of its guild may no longer be so."""
    guild = int(d.get("guild_id", 0)) if isinstance(d, dict) else 0
    if guild in world.guilds:
        world.doubted.add(guild)
