"""The rows' keys: a kind byte, then ids of eight bytes, big-endian, so that an order of keys is an order of ids.

What belongs to a guild has the guild first: the guild's things of a kind are one range, in order of id, which is
how a guild is emptied without looking at any other, and how it is listed. A thing asked for by its id alone has a
second row, its *pointer*, that says which guild holds it.
"""

from __future__ import annotations

import struct

from attrs import frozen

_one = struct.Struct(">cQ").pack
_two = struct.Struct(">cQQ").pack
_three = struct.Struct(">cQQQ").pack
_number = struct.Struct(">Q")

number = _number.pack
"""Eight bytes of an id."""


def last_id(key: bytes) -> int:
    """The last id in a key."""
    return int.from_bytes(key[-8:], "big")


def to_id(value: bytes) -> int:
    """The id in a pointer's value."""
    return int.from_bytes(value, "big")


@frozen
class Table:
    """Entities of one kind that belong to guilds and have ids of their own."""

    kind: bytes
    pointer_kind: bytes

    def row(self, guild: int, entity: int) -> bytes:
        """→ the entity's JSON."""
        return _two(self.kind, guild, entity)

    def pointer(self, entity: int) -> bytes:
        """→ the guild's id, in eight bytes."""
        return _one(self.pointer_kind, entity)

    def of(self, guild: int) -> bytes:
        """The prefix of all that the guild has of this kind."""
        return _one(self.kind, guild)


CHANNELS = Table(b"C", b"c")
THREADS = Table(b"T", b"t")
ROLES = Table(b"R", b"r")
EMOJIS = Table(b"E", b"e")
STICKERS = Table(b"K", b"k")
SOUNDS = Table(b"S", b"s")
STAGES = Table(b"I", b"i")
EVENTS = Table(b"D", b"d")
INTEGRATIONS = Table(b"Y", b"y")
RULES = Table(b"V", b"v")
TABLES = (CHANNELS, THREADS, ROLES, EMOJIS, STICKERS, SOUNDS, STAGES, EVENTS, INTEGRATIONS, RULES)

META = b"#kept"
"""→ the kinds kept here, as a JSON array."""
GAPS = b"#gaps"
"""→ kind → why it isn't kept, or only in part, as a JSON object."""
MESSAGES_PER_CHANNEL = b"#messages"
"""→ how many messages of each channel are to be kept, in eight bytes."""
SELF = b"#self"
"""→ when seen (ms), the bot's id, its user's JSON."""
PRIVATE_COUNT = b"#private"
"""→ how many private channels are remembered."""
SESSIONS = b"$"
GUILD_STATES = b"g"


def session(shard_id: int) -> bytes:
    """→ the shard's session record."""
    return _one(b"$", shard_id)


def guild(guild_id: int) -> bytes:
    """→ the guild's own fields."""
    return _one(b"G", guild_id)


def guild_state(guild_id: int) -> bytes:
    """→ what changes often or isn't the guild's own, laid over its fields. A guild is known if it has this row."""
    return _one(b"g", guild_id)


def stale(guild_id: int) -> bytes:
    """→ the event that could not be applied, if one couldn't."""
    return _one(b"!", guild_id)


def member(guild_id: int, user: int) -> bytes:
    """→ the member without its user; empty where only users are kept."""
    return _two(b"M", guild_id, user)


def members(guild_id: int) -> bytes:
    """The prefix of the guild's members."""
    return _one(b"M", guild_id)


def member_count(guild_id: int) -> bytes:
    """→ how many members of the guild are known, in eight bytes; no row where none is."""
    return _one(b"L", guild_id)


MEMBER_COUNTS = b"L"
"""The prefix of all these counts."""


def nicks(guild_id: int) -> bytes:
    """The prefix of the guild's nicks: of each a beginning, then the member's id."""
    return _one(b"Q", guild_id)


NAMES = b"q"
"""The prefix of users' names: of each a beginning, then the user's id."""


def user(user_id: int) -> bytes:
    """→ when it last changed (ms), then the user's JSON."""
    return _one(b"U", user_id)


def reference(user_id: int, owner: int) -> bytes:
    """A reason to know the user: a guild, a private channel, or 0 for the bot itself.

    The value is empty for a guild, so that the guilds of a user can be listed.
    """
    return _two(b"m", user_id, owner)


def references(user_id: int) -> bytes:
    """The prefix of all reasons to know the user."""
    return _one(b"m", user_id)


def presence(guild_id: int, user_id: int) -> bytes:
    """→ the presence."""
    return _two(b"P", guild_id, user_id)


def presences(guild_id: int) -> bytes:
    """The prefix of the guild's presences."""
    return _one(b"P", guild_id)


def voice_state(guild_id: int, user_id: int) -> bytes:
    """→ the voice state: one of a user in a guild."""
    return _two(b"W", guild_id, user_id)


def voice_states(guild_id: int) -> bytes:
    """The prefix of the guild's voice states."""
    return _one(b"W", guild_id)


def in_voice(channel: int, user_id: int) -> bytes:
    """→ the guild's id: who is in a voice channel."""
    return _two(b"w", channel, user_id)


def all_in_voice(channel: int) -> bytes:
    """The prefix of who is in a voice channel."""
    return _one(b"w", channel)


def thread_member(guild_id: int, thread: int, user_id: int) -> bytes:
    """→ the thread member."""
    return _three(b"A", guild_id, thread, user_id)


def thread_members(guild_id: int, thread: int) -> bytes:
    """The prefix of a thread's members."""
    return _two(b"A", guild_id, thread)


def all_thread_members(guild_id: int) -> bytes:
    """The prefix of the members of all the guild's threads."""
    return _one(b"A", guild_id)


def overlay(guild_id: int, channel: int) -> bytes:
    """→ what changes often in a channel or thread, laid over its JSON."""
    return _two(b"O", guild_id, channel)


def overlays(guild_id: int) -> bytes:
    """The prefix of the overlays of the guild's channels and threads."""
    return _one(b"O", guild_id)


def channel_info(guild_id: int, channel: int) -> bytes:
    """→ what is told of a voice channel beside the channel itself."""
    return _two(b"Z", guild_id, channel)


def channel_infos(guild_id: int) -> bytes:
    """The prefix of what is told of the guild's channels."""
    return _one(b"Z", guild_id)


LONGEST_CODE = 100
"""Characters of an invite's code, at most: what is longer is none, and no key could hold it."""


def invite(guild_id: int, code: str) -> bytes:
    """→ the invite. Its code, which is text, ends the key."""
    return _one(b"F", guild_id) + code.encode()


def invites(guild_id: int) -> bytes:
    """The prefix of the guild's invites."""
    return _one(b"F", guild_id)


def invite_pointer(code: str) -> bytes:
    """→ the guild's id."""
    return b"f" + code.encode()


def pointer_of_invite(key: bytes) -> bytes:
    """The pointer's key, of the invite's."""
    return b"f" + key[9:]


def message(channel: int, message_id: int) -> bytes:
    """→ the message."""
    return _two(b"N", channel, message_id)


def messages(channel: int) -> bytes:
    """The prefix of a channel's messages."""
    return _one(b"N", channel)


def message_count(guild_id: int, channel: int) -> bytes:
    """→ how many messages of the channel are kept; the guild is 0 for private channels."""
    return _two(b"n", guild_id, channel)


def message_counts(guild_id: int) -> bytes:
    """The prefix of the guild's channels that have messages."""
    return _one(b"n", guild_id)


def private_channel(channel: int) -> bytes:
    """→ a private channel, as learned from its messages."""
    return _one(b"X", channel)


PRIVATE_AGES = b"x"


def private_age(message_id: int, channel: int) -> bytes:
    """→ the other user's id or nothing: private channels in order of their last message."""
    return _two(b"x", message_id, channel)


ALL_MESSAGES = (b"N", b"n")
"""The prefixes of all messages, and of their counts."""
