"""READY and USER_UPDATE: who the bot is, and in which guilds."""

from __future__ import annotations

from msgspec import Raw, Struct

from rateway.model.snowflake import shard_of
from rateway.store import blob, keys
from rateway.store.view import Changes, View

from . import people, purge
from .slices import Sliced, Steps, pausing


class _Listed(Struct, gc=False):
    id: int


class _Ready(Struct, gc=False):
    user: Raw
    guilds: list[_Listed]


_ready = blob.decoder(_Ready)


@Sliced
def ready(d: bytes, view: View, out: Changes) -> Steps:
    """The bot's user; guilds of this shard not listed were left while nobody looked; the listed ones are yet to come.

    Without the GUILDS intent they don't come: to be listed is all that is told of them, of outages nothing is.
    The bot is in no voice channel at the start of a session.
    """
    event = _ready(d)
    own = _put_self(view, out, bytes(event.user))
    listed = {guild.id for guild in event.guilds}
    known = dict(view.items(keys.GUILD_STATES))
    left = {
        guild
        for guild in map(keys.last_id, known)
        if guild not in listed and shard_of(guild, view.kept.total) == view.shard_id
    }

    def expect(guild: int) -> None:
        key = keys.guild_state(guild)
        if view.kept.guild_events:
            out[key] = blob.merge(known.get(key, b"{}"), {"unavailable": blob.TRUE})
        else:
            out[key] = b"{}"
        purge.forget_voice(view, out, guild, own)

    yield from pausing(listed, expect)
    yield from purge.purge(view, out, left)
    if view.kept.people:
        out.pop(keys.user(own), None)
        people.put_user(view, out, own, bytes(event.user))


def user_update(d: bytes, view: View) -> Changes:
    """The bot's own user, anew."""
    out: Changes = {}
    _put_self(view, out, d)
    return out


def _put_self(view: View, out: Changes, user: bytes) -> int:
    own = blob.id_of(user).id
    stamp = keys.number(view.now_ms)
    old = view.get(keys.SELF)
    if old is None or old[16:] != user:
        out[keys.SELF] = stamp + keys.number(own) + user
    if old is not None and keys.to_id(old[8:16]) != own:
        people.forget_reference(view, out, keys.to_id(old[8:16]), people.BOT, (people.BOT,))
    if view.kept.people:
        out[keys.reference(own, people.BOT)] = b"self"
        people.put_user(view, out, own, user)
    return own
