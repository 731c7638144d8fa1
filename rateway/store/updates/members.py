"""Members joining, changing, leaving, and chunks of them."""

from __future__ import annotations

from msgspec import Raw, Struct

from rateway.store import blob, keys
from rateway.store.view import Changes, View

from . import guilds, people, presences, purge
from .slices import Sliced, Steps, pausing
from .whereabouts import is_known


class _Member(Struct, gc=False):
    guild_id: int
    user: Raw


class _Chunk(Struct, gc=False):
    guild_id: int
    members: list[Raw] = []
    presences: list[Raw] = []


_member = blob.decoder(_Member)
_chunk = blob.decoder(_Chunk)


def member_add(d: bytes, view: View) -> Changes:
    """A member joined. Discord repeats joins at times: one already known is no further one."""
    out: Changes = {}
    event = _member(d)
    guild = event.guild_id
    if not is_known(view, guild):
        return out
    user = blob.id_of(event.user).id
    if not view.has(keys.member(guild, user)):
        guilds.add_to_member_count(view, out, guild, 1)
    if people.is_maintained(view, guild, user):
        fields = blob.fields(d)
        del fields["user"], fields["guild_id"]
        people.put_member(view, out, guild, user, bytes(event.user), blob.encode(fields))
    return out


def member_update(d: bytes, view: View) -> Changes:
    """A member, or only their user, changed: what comes is laid over what is known."""
    out: Changes = {}
    event = _member(d)
    user = blob.id_of(event.user).id
    if is_known(view, event.guild_id) and people.is_maintained(view, event.guild_id, user):
        people.merge_member(view, out, event.guild_id, user, bytes(event.user), d)
    return out


def member_remove(d: bytes, view: View) -> Changes:
    """A member left: their presence and voice state in the guild go too."""
    out: Changes = {}
    event = _member(d)
    guild = event.guild_id
    if not is_known(view, guild):
        return out
    user = blob.id_of(event.user).id
    guilds.add_to_member_count(view, out, guild, -1)
    out[keys.presence(guild, user)] = None
    purge.forget_voice(view, out, guild, user)
    people.forget_members(view, out, (guild,), guild, user)
    return out


@Sliced
def members_chunk(d: bytes, view: View, out: Changes) -> Steps:
    """Members asked for, and their presences: added to what is known, for a chunk is never the whole."""
    event = _chunk(d)
    guild = event.guild_id

    def put(raw: Raw) -> None:
        if people.is_maintained(view, guild, blob.id_of(blob.user_of(raw).user).id):
            people.put_whole_member(view, out, guild, raw)

    if is_known(view, guild):
        yield from pausing(event.members, put)
        yield from pausing(event.presences, lambda raw: presences.put(view, out, guild, raw))
