"""Channels and their pins."""

from __future__ import annotations

from functools import partial

from msgspec import Raw, Struct

from rateway.store import blob, keys
from rateway.store.keys import CHANNELS, THREADS
from rateway.store.kinds import Kept
from rateway.store.shapes import OBFUSCATED
from rateway.store.view import Changes, View

from . import purge
from .overlays import overlay_in
from .slices import Sliced, Steps
from .whereabouts import guild_of, is_known


class _Channel(Struct, gc=False):
    id: int
    guild_id: int | None = None
    flags: int | None = None


class _Pins(Struct, gc=False):
    channel_id: int
    guild_id: int | None = None
    last_pin_timestamp: Raw = blob.NULL


_channel = blob.decoder(_Channel)
_pins = blob.decoder(_Pins)


def _may_hide(d: bytes, kept: Kept) -> bool:
    return b'"flags":' in d and b'"flags":0' not in d


@partial(Sliced, may_be_long=_may_hide)
def channel_upsert(d: bytes, view: View, out: Changes) -> Steps:
    """CHANNEL_CREATE and CHANNEL_UPDATE: the channel, anew; nothing of what it was is kept.

    Of what is in a channel that is hidden from the bot no event tells any more: it isn't kept either. Shown again, its
    threads are listed by a THREAD_LIST_SYNC.
    """
    event = _channel(d)
    guild = guild_of(view, event.id, event.guild_id)
    if guild is not None and view.kept.channels and is_known(view, guild):
        purge.put(out, CHANNELS, guild, event.id, d)
        out[keys.overlay(guild, event.id)] = None
        if event.flags is not None and event.flags & OBFUSCATED:
            yield from purge.forget_inside(view, out, guild, event.id)


@Sliced
def channel_delete(d: bytes, view: View, out: Changes) -> Steps:
    """The channel goes, with all that is in it."""
    event = _channel(d)
    guild = guild_of(view, event.id, event.guild_id)
    if guild is not None and is_known(view, guild):
        yield from purge.forget_channel(view, out, guild, event.id)


def channel_pins_update(d: bytes, view: View) -> Changes:
    """When a message of the channel was last pinned."""
    out: Changes = {}
    event = _pins(d)
    guild = guild_of(view, event.channel_id, event.guild_id)
    if guild is None:
        return out
    known = view.get(CHANNELS.row(guild, event.channel_id)) or view.get(THREADS.row(guild, event.channel_id))
    if known is not None:
        key = keys.overlay(guild, event.channel_id)
        overlay = overlay_in(view, key)
        overlay.last_pin_timestamp = event.last_pin_timestamp
        out[key] = blob.encode(overlay)
    return out
