"""Presences: who is online, and how. Nobody is known for being online."""

from __future__ import annotations

import contextlib
import struct

import msgspec
from msgspec import Raw, Struct

from rateway.store import blob, keys
from rateway.store.view import Changes, View

from .slices import Steps, pausing, sweeping
from .whereabouts import is_known

_OFFLINE = Raw(b'"offline"')
_UNREADABLE = (msgspec.MsgspecError, struct.error)
"""Of another shape than documented, or with an id that no key can hold."""


class _Presence(Struct, gc=False):
    user: Raw
    guild_id: int | None = None
    status: Raw = blob.NULL


_presence = blob.decoder(_Presence)


def presence_update(d: bytes, view: View) -> Changes:
    """A user's presence in a guild, anew; offline is none.

    Discord doesn't check the types of what is inside: what can't be read is passed over.
    """
    out: Changes = {}
    try:
        event = _presence(d)
        user = blob.id_of(event.user).id
        guild = event.guild_id
        if guild is None or not (guild in view.notes.known_guilds or is_known(view, guild)):
            return out
        row = keys.presence(guild, user)
    except _UNREADABLE:
        return out
    kept = view.kept
    if kept.presences:
        out[row] = None if event.status == _OFFLINE else d
    if kept.people and bytes(event.user).count(b":") > 1:
        _merge_user(view, out, user, event.user)
    return out


def put(view: View, out: Changes, guild: int, data: Raw) -> int | None:
    """A presence that came inside of another event, and whose; if it can't be read, the event is none the worse."""
    if not view.kept.presences:
        return None
    with contextlib.suppress(*_UNREADABLE):
        presence = _presence(data)
        user = blob.id_of(presence.user).id
        out[keys.presence(guild, user)] = None if presence.status == _OFFLINE else bytes(data)
        return user
    return None


def replace_all(view: View, out: Changes, guild: int, listed: Raw, later: list[Steps]) -> Steps:
    """The guild's presences, anew: who isn't listed is offline.

    :param later: where the steps go that see to those.
    """
    users: set[int | None] = set()

    def check(key: bytes) -> None:
        if keys.last_id(key) not in users:
            out[key] = None

    yield from pausing(blob.items(listed), lambda data: users.add(put(view, out, guild, data)))
    later.append(sweeping(view, keys.presences(guild), check))


def _merge_user(view: View, out: Changes, user: int, data: Raw) -> None:
    """What a presence says of a user already known."""
    key = keys.user(user)
    old = view.get(key)
    if old is not None:
        known = blob.fields(old[8:])
        merged = known | blob.fields(data) | {"id": blob.raw_id(user)}
        if merged != known:
            out[key] = keys.number(view.now_ms) + blob.encode(merged)
