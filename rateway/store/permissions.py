"""What a member may do, out of what a store knows of the guild."""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec import MsgspecError, Struct

from rateway.model.permissions import ALL, Holder, Overwrite, Place, permissions

from . import blob, keys
from .keys import CHANNELS, ROLES, THREADS
from .moments import seconds
from .shapes import OBFUSCATED
from .view import Reader


class _Guild(Struct, gc=False):
    owner_id: int | None = None


class _Member(Struct, gc=False):
    roles: list[int] = []
    communication_disabled_until: str | None = None


class _Role(Struct, gc=False):
    permissions: int = 0


class _Overwrite(Struct, gc=False):
    id: int
    type: int = 0
    allow: int = 0
    deny: int = 0


class _Channel(Struct, gc=False):
    type: int = 0
    flags: int = 0
    parent_id: int | None = None
    permission_overwrites: list[_Overwrite] | None = None


_guild = blob.decoder(_Guild)
_member = blob.decoder(_Member)
_role = blob.decoder(_Role)
_channel = blob.decoder(_Channel)


def member_permissions(
    reader: Reader, guild: int, user: int, channel: int | None, now: Callable[[], float] = time.time
) -> bytes | None:
    """``{"permissions": "…"}``; ``None`` where something that bears on it isn't known.

    Without a channel they are what the member's roles give in the guild.
    """
    own = reader.get(keys.guild(guild))
    everyone = reader.get(ROLES.row(guild, guild))
    if own is None or everyone is None:
        return None
    try:
        bits = _bits(reader, guild, user, channel, own, everyone, now)
    except MsgspecError:
        return None
    return None if bits is None else b'{"permissions":"%d"}' % bits


def _bits(
    reader: Reader,
    guild: int,
    user: int,
    channel: int | None,
    own: bytes,
    everyone: bytes,
    now: Callable[[], float],
) -> int | None:
    is_owner = _guild(own).owner_id == user
    row = reader.get(keys.member(guild, user))
    if row is None and not is_owner:
        return None
    member = _member(row) if row else _Member()
    roles = {role: data for role in member.roles if (data := reader.get(ROLES.row(guild, role))) is not None}
    holder = Holder(user, frozenset(roles), is_owner, _is_ahead(member.communication_disabled_until, now))
    granted = [_role(data).permissions for data in (everyone, *roles.values())]
    if channel is None:
        return permissions(holder, guild, granted)
    found = _find(reader, guild, channel)
    if found is None:
        return None
    place, is_hidden = found
    bits = permissions(holder, guild, granted, place)
    if is_hidden and bits != ALL and user != _self(reader):
        return None
    return bits


def _find(reader: Reader, guild: int, channel: int) -> tuple[Place, bool] | None:
    """The place, and whether its overwrites are made up; a thread is found by its parent."""
    data = reader.get(CHANNELS.row(guild, channel))
    is_thread = data is None
    if is_thread:
        thread = reader.get(THREADS.row(guild, channel))
        parent = None if thread is None else _channel(thread).parent_id
        data = None if parent is None else reader.get(CHANNELS.row(guild, parent))
    if data is None:
        return None
    found = _channel(data)
    overwrites = [
        Overwrite(each.id, each.type == 1, each.allow, each.deny) for each in found.permission_overwrites or ()
    ]
    return Place(overwrites, found.type, is_thread), bool(found.flags & OBFUSCATED)


def _self(reader: Reader) -> int | None:
    row = reader.get(keys.SELF)
    return None if row is None else keys.to_id(row[8:16])


def _is_ahead(until: str | None, now: Callable[[], float]) -> bool:
    """Whether a time is yet to come; one that can't be read isn't."""
    moment = seconds(until)
    return moment is not None and moment > now()
