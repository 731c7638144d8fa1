"""PURE: how an entity's answer is put together: Discord's own shape, with the ids it is known by.

A row is what Discord sent. What is kept apart is laid over it here: counters, an outage, a member's user, the bot's
membership of a thread; and roles that were deleted are left out of a member's.
"""

from __future__ import annotations

from msgspec import Raw

from . import blob, keys
from .blob import Fields
from .keys import CHANNELS, EMOJIS, ROLES, THREADS, Table
from .view import Reader


def guild(reader: Reader, guild_id: int) -> bytes | None:
    """The guild's own fields; of one that never came, that it is unavailable."""
    state = reader.get(keys.guild_state(guild_id))
    if state is None:
        return None
    own = reader.get(keys.guild(guild_id))
    fields: Fields = {"id": blob.raw_id(guild_id)} if own is None else blob.fields(own)
    return blob.encode(fields | blob.fields(state))


def channel(reader: Reader, channel_id: int) -> bytes | None:
    """A guild's channel or thread."""
    for table in (CHANNELS, THREADS):
        pointer = reader.get(table.pointer(channel_id))
        row = None if pointer is None else reader.get(table.row(keys.to_id(pointer), channel_id))
        if pointer is None or row is None:
            continue
        guild_id = keys.to_id(pointer)
        fields = _of_guild(blob.fields(row), guild_id)
        overlay = reader.get(keys.overlay(guild_id, channel_id))
        if overlay is not None:
            fields |= blob.fields(overlay)
        if table is THREADS:
            member = _own_membership(reader, guild_id, channel_id)
            if member is not None:
                fields["member"] = Raw(member)
        return blob.encode(fields)
    return None


def role(reader: Reader, role_id: int) -> bytes | None:
    """A role."""
    return _from_table(reader, ROLES, role_id)


def emoji(reader: Reader, emoji_id: int) -> bytes | None:
    """An emoji of a guild's."""
    return _from_table(reader, EMOJIS, emoji_id)


def member(reader: Reader, guild_id: int, user_id: int) -> bytes | None:
    """A member, with the user as last seen anywhere in this store."""
    row = reader.get(keys.member(guild_id, user_id))
    if not row:
        return None
    fields: Fields = {"guild_id": blob.raw_id(guild_id), "user_id": blob.raw_id(user_id)}
    known = reader.get(keys.user(user_id))
    if known is not None:
        fields["user"] = Raw(known[8:])
    fields |= blob.fields(row)
    roles = fields.get("roles")
    if roles is not None and reader.get(ROLES.row(guild_id, guild_id)) is not None:
        fields["roles"] = _roles_that_are(reader, guild_id, roles)
    return blob.encode(fields)


def presence(reader: Reader, guild_id: int, user_id: int) -> bytes | None:
    """A presence; who is offline has none."""
    row = reader.get(keys.presence(guild_id, user_id))
    if row is None:
        return None
    fields = blob.fields(row)
    fields.setdefault("user_id", blob.raw_id(user_id))
    return blob.encode(_of_guild(fields, guild_id))


def voice_state(reader: Reader, user_id: int, guild_id: int) -> bytes | None:
    """A user's voice state in a guild."""
    row = reader.get(keys.voice_state(guild_id, user_id))
    return None if row is None else blob.encode(_of_guild(blob.fields(row), guild_id))


def voice_state_in(reader: Reader, user_id: int, channel_id: int) -> bytes | None:
    """A user's voice state, if they are in the channel."""
    place = reader.get(keys.in_voice(channel_id, user_id))
    return None if place is None else voice_state(reader, user_id, keys.to_id(place))


def voice_channel_states(reader: Reader, channel_id: int) -> bytes | None:
    """All voice states of a channel, in order of the users' ids; of an empty one, nothing."""
    states = [
        state
        for key, place in reader.items(keys.all_in_voice(channel_id))
        if (state := voice_state(reader, keys.last_id(key), keys.to_id(place))) is not None
    ]
    return b"[" + b",".join(states) + b"]" if states else None


def message(reader: Reader, channel_id: int, message_id: int) -> bytes | None:
    """A message."""
    row = reader.get(keys.message(channel_id, message_id))
    if row is None:
        return None
    fields = blob.fields(row)
    if "guild_id" not in fields:
        pointer = reader.get(CHANNELS.pointer(channel_id)) or reader.get(THREADS.pointer(channel_id))
        if pointer is not None:
            return blob.encode(_of_guild(fields, keys.to_id(pointer)))
    return row


def private_channel(reader: Reader, channel_id: int) -> bytes | None:
    """A direct message channel, as learned from its messages."""
    return reader.get(keys.private_channel(channel_id))


def group(reader: Reader, channel_id: int) -> bytes | None:
    """Nothing: bots are in no group."""
    return None


def user(reader: Reader, user_id: int) -> bytes | None:
    """When the user last changed (eight bytes), then the user."""
    return reader.get(keys.user(user_id))


def current_user(reader: Reader) -> bytes | None:
    """When the bot's user last changed (eight bytes), then the user."""
    row = reader.get(keys.SELF)
    return None if row is None else row[:8] + row[16:]


def _of_guild(fields: Fields, guild_id: int) -> Fields:
    fields.setdefault("guild_id", blob.raw_id(guild_id))
    return fields


def _from_table(reader: Reader, table: Table, entity: int) -> bytes | None:
    pointer = reader.get(table.pointer(entity))
    if pointer is None:
        return None
    guild_id = keys.to_id(pointer)
    row = reader.get(table.row(guild_id, entity))
    return None if row is None else blob.encode(_of_guild(blob.fields(row), guild_id))


def _roles_that_are(reader: Reader, guild_id: int, roles: Raw) -> Raw:
    held = blob.items(roles)
    there = [raw for raw in held if reader.get(ROLES.row(guild_id, blob.to_int(raw))) is not None]
    return roles if len(there) == len(held) else Raw(blob.encode(there))


def _own_membership(reader: Reader, guild_id: int, thread: int) -> bytes | None:
    own = reader.get(keys.SELF)
    return None if own is None else reader.get(keys.thread_member(guild_id, thread, keys.to_id(own[8:16])))
