"""Voice states, and who is in which channel."""

from __future__ import annotations

from msgspec import Raw, Struct

from rateway.store import blob, keys
from rateway.store.view import Changes, View

from . import people, purge
from .whereabouts import is_known


class _VoiceState(Struct, gc=False):
    user_id: int
    channel_id: int | None = None
    guild_id: int | None = None
    member: Raw = blob.NULL


_voice_state = blob.decoder(_VoiceState)


def voice_state_update(d: bytes, view: View) -> Changes:
    """A user joined, moved, left, or muted: of each there is one state in a guild, and one place.

    Who leaves a channel may be leaving the guild, and gone already: that makes no member of them.
    """
    out: Changes = {}
    event = _voice_state(d)
    guild = event.guild_id
    if guild is None or not is_known(view, guild):
        return out
    user = event.user_id
    if view.kept.voice_states:
        purge.forget_voice(view, out, guild, user)
        if event.channel_id is not None:
            _put(out, guild, event.channel_id, user, d)
    stays = view.kept.everybody or user == people.self_id(view)
    if stays or (event.channel_id is not None and view.kept.voice_states):
        member = bytes(event.member)
        said = (guild, member)
        if not blob.is_object(member) or view.notes.is_old(said):
            return out
        if event.channel_id is not None or view.has(keys.member(guild, user)):
            data = bytes(blob.user_of(member).user)
            people.merge_member(view, out, guild, user, data, blob.without_user(member, data), said)
    elif view.kept.people and view.has(keys.member(guild, user)):
        people.forget_members(view, out, (guild,), guild, user)
    return out


def replace_all(view: View, out: Changes, guild: int, listed: list[Raw]) -> set[int]:
    """The guild's voice states, anew; gives the users in voice."""
    if not view.kept.voice_states:
        return set()
    for key, data in view.items(keys.voice_states(guild)):
        out[key] = None
        channel = purge.in_channel(data).channel_id
        if channel is not None:
            out[keys.in_voice(channel, keys.last_id(key))] = None
    users = set()
    for raw in listed:
        state = _voice_state(raw)
        if state.channel_id is not None:
            _put(out, guild, state.channel_id, state.user_id, bytes(raw))
            users.add(state.user_id)
    return users


def _put(out: Changes, guild: int, channel: int, user: int, data: bytes) -> None:
    out[keys.voice_state(guild, user)] = data
    out[keys.in_voice(channel, user)] = keys.number(guild)
