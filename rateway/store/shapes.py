"""PURE: how a row becomes an answer: Discord's own shape, with the ids it is known by.

A row is what Discord sent. What is kept apart is laid over it here: counters, an outage, a member's user, the bot's
membership of a thread; and roles that were deleted are left out of a member's.
"""

from __future__ import annotations

from msgspec import Raw

from . import blob, keys
from .blob import Fields
from .keys import ROLES
from .view import Reader

OBFUSCATED = 1 << 17
"""Flag of a channel that the bot can't see (Discord's docs, "Channel Obfuscation")."""


def guild(reader: Reader, guild_id: int, state: bytes) -> bytes:
    """The guild's own fields; of one that never came, that it is unavailable."""
    own = reader.get(keys.guild(guild_id))
    fields: Fields = {"id": blob.raw_id(guild_id)} if own is None else blob.fields(own)
    return blob.encode(fields | blob.fields(state))


def thing(reader: Reader, guild_id: int, entity: int, row: bytes) -> bytes:
    """What is as Discord sent it: a role, an emoji, a voice state, an event."""
    return blob.encode(_of_guild(blob.fields(row), guild_id))


def channel(reader: Reader, guild_id: int, channel_id: int, row: bytes) -> bytes:
    """A channel."""
    return blob.encode(_channel(reader, guild_id, channel_id, row))


def thread(reader: Reader, guild_id: int, thread_id: int, row: bytes) -> bytes:
    """A thread, with the bot's membership of it."""
    fields = _channel(reader, guild_id, thread_id, row)
    own = reader.get(keys.SELF)
    member = None if own is None else reader.get(keys.thread_member(guild_id, thread_id, keys.to_id(own[8:16])))
    if member is not None:
        fields["member"] = Raw(member)
    return blob.encode(fields)


def member(reader: Reader, guild_id: int, user_id: int, row: bytes) -> bytes | None:
    """A member, with the user as last seen anywhere in this store; nothing where only users are kept."""
    if not row:
        return None
    fields: Fields = {"guild_id": blob.raw_id(guild_id), "user_id": blob.raw_id(user_id)}
    known = reader.get(keys.user(user_id))
    if known is not None:
        fields["user"] = Raw(known[8:])
    fields |= blob.fields(row)
    roles = fields.get("roles")
    if roles is not None and reader.has(ROLES.row(guild_id, guild_id)):
        fields["roles"] = _roles_that_are(reader, guild_id, roles)
    return blob.encode(fields)


def presence(reader: Reader, guild_id: int, user_id: int, row: bytes) -> bytes:
    """A presence."""
    fields = blob.fields(row)
    fields.setdefault("user_id", blob.raw_id(user_id))
    return blob.encode(_of_guild(fields, guild_id))


def channel_info(guild_id: int, channel_id: int, row: bytes) -> bytes:
    """What is told of a voice channel, with the channel's id."""
    return blob.encode(_of_guild({"id": blob.raw_id(channel_id)} | blob.fields(row), guild_id))


def thread_member(guild_id: int, thread_id: int, user_id: int, row: bytes) -> bytes:
    """A thread member, with all ids, which Discord leaves out where they seem clear."""
    fields = {"id": blob.raw_id(thread_id), "user_id": blob.raw_id(user_id)} | blob.fields(row)
    return blob.encode(_of_guild(fields, guild_id))


def message(reader: Reader, guild_id: int | None, message_id: int, row: bytes) -> bytes:
    """A message; ``guild_id`` is that of its channel, if it is a guild's."""
    if guild_id is None:
        return row
    fields = blob.fields(row)
    return row if "guild_id" in fields else blob.encode(_of_guild(fields, guild_id))


def _of_guild(fields: Fields, guild_id: int) -> Fields:
    fields.setdefault("guild_id", blob.raw_id(guild_id))
    return fields


def _channel(reader: Reader, guild_id: int, channel_id: int, row: bytes) -> Fields:
    fields = _of_guild(blob.fields(row), guild_id)
    overlay = reader.get(keys.overlay(guild_id, channel_id))
    return fields if overlay is None else fields | blob.fields(overlay)


def _roles_that_are(reader: Reader, guild_id: int, roles: Raw) -> Raw:
    held = blob.items(roles)
    there = [raw for raw in held if reader.has(ROLES.row(guild_id, blob.to_int(raw)))]
    return roles if len(there) == len(held) else Raw(blob.encode(there))
