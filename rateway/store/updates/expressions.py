"""Emojis, stickers, soundboard sounds."""

from __future__ import annotations

from msgspec import Raw, Struct

from rateway.store import blob, keys
from rateway.store.keys import SOUNDS
from rateway.store.view import Changes, View

from . import guilds, purge
from .whereabouts import is_known


class _OfGuild(Struct, gc=False):
    guild_id: int


class _Sound(Struct, gc=False):
    sound_id: int
    guild_id: int | None = None


class _Sounds(Struct, gc=False):
    guild_id: int
    soundboard_sounds: list[Raw]


def _guild_of(view: View, event: _Sound) -> int | None:
    """The sound's guild: documented as optional in the event, it is then as is known of the sound."""
    if event.guild_id is not None:
        return event.guild_id
    pointer = view.get(SOUNDS.pointer(event.sound_id))
    return None if pointer is None else keys.to_id(pointer)


_of_guild = blob.decoder(_OfGuild)
_sound = blob.decoder(_Sound)
_sounds = blob.decoder(_Sounds)


def lists_update(d: bytes, view: View) -> Changes:
    """GUILD_EMOJIS_UPDATE, GUILD_STICKERS_UPDATE, SOUNDBOARD_SOUNDS: the whole list, anew."""
    out: Changes = {}
    guild = _of_guild(d).guild_id
    if is_known(view, guild):
        guilds.replace_lists(view, out, guild, blob.fields(d))
    return out


def sound_upsert(d: bytes, view: View) -> Changes:
    """One sound, made or changed."""
    out: Changes = {}
    event = _sound(d)
    guild = _guild_of(view, event)
    if guild is not None and "SoundboardSound" in view.kept.names and is_known(view, guild):
        purge.put(out, SOUNDS, guild, event.sound_id, d)
    return out


def sound_delete(d: bytes, view: View) -> Changes:
    """One sound, gone."""
    out: Changes = {}
    event = _sound(d)
    guild = _guild_of(view, event)
    if guild is not None:
        purge.remove(out, SOUNDS, guild, event.sound_id)
    return out


def sounds_update(d: bytes, view: View) -> Changes:
    """Several sounds changed. Whether the list is complete isn't documented: none is removed by it."""
    out: Changes = {}
    event = _sounds(d)
    if "SoundboardSound" in view.kept.names and is_known(view, event.guild_id):
        for raw in event.soundboard_sounds:
            purge.put(out, SOUNDS, event.guild_id, guilds.sound_id(raw), bytes(raw))
    return out
