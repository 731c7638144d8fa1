"""Messages, and what they say about their channels and the people who wrote them."""

from __future__ import annotations

from itertools import islice

from msgspec import UNSET, Raw, Struct

from rateway.store import blob, keys
from rateway.store.keys import CHANNELS, THREADS
from rateway.store.notes import Said
from rateway.store.view import Changes, View

from . import people, private
from .overlays import Overlay, overlay_in, read
from .whereabouts import ensure_known, guild_of

_EPHEMERAL = 1 << 6


class _Message(Struct, gc=False):
    id: int
    channel_id: int
    guild_id: int | None = None
    author: Raw = blob.NULL
    member: Raw = blob.NULL
    webhook_id: Raw = blob.NULL
    flags: int = 0
    channel_type: int | None = None


class _Deleted(Struct, gc=False):
    channel_id: int
    guild_id: int | None = None
    id: int | None = None
    ids: list[int] = []


_message = blob.decoder(_Message)
_deleted = blob.decoder(_Deleted)


def message_create(d: bytes, view: View) -> Changes:
    """A message: kept if messages are, the last of its channel, and news of its author.

    An ephemeral message names no guild though it is in one: it is no direct message, and none of the channel's. A
    webhook is no user.
    """
    out: Changes = {}
    event = _message(d)
    guild = guild_of(view, event.channel_id, event.guild_id)
    if guild is None:
        if not event.flags & _EPHEMERAL and event.channel_type in (None, 1):
            person = event.author if event.webhook_id == blob.NULL else blob.NULL
            private.message_create(view, out, event.id, event.channel_id, person)
            _keep(view, out, 0, event.channel_id, event.id, d)
        return out
    if guild not in view.notes.known_guilds and not ensure_known(view, out, guild):
        return out
    if not event.flags & _EPHEMERAL:
        _count(view, out, guild, event.channel_id, event.id)
    if view.kept.messages:
        _keep(view, out, guild, event.channel_id, event.id, d)
    if view.kept.people and event.webhook_id == blob.NULL:
        author, member = bytes(event.author), bytes(event.member)
        said = (guild, author, member)
        # Mostly they wrote before.
        if not view.notes.is_old(said):
            _note_author(view, out, guild, author, member, said)
    return out


def _note_author(view: View, out: Changes, guild: int, author: bytes, member: bytes, said: Said) -> None:
    """Who writes is a member, if they are said to be one."""
    if not blob.is_object(author):
        return
    user = blob.id_of(author).id
    if blob.is_object(member) and people.is_maintained(view, guild, user):
        people.merge_member(view, out, guild, user, author, member, said)
    else:
        people.update_user(view, out, user, author)


def message_update(d: bytes, view: View) -> Changes:
    """A kept message, edited: what comes is laid over it. One not kept is, if it comes whole."""
    out: Changes = {}
    if not view.kept.messages:
        return out
    fields = blob.fields(d)
    channel = blob.to_int(fields["channel_id"])
    message = blob.to_int(fields["id"])
    key = keys.message(channel, message)
    old = view.get(key)
    if old is not None:
        fields.pop("tts", None)
        out[key] = blob.merge(old, fields)
    elif "author" in fields and "timestamp" in fields:
        event = _message(d)
        guild = guild_of(view, channel, event.guild_id)
        if guild is None and view.has(keys.private_channel(channel)):
            _keep(view, out, 0, channel, message, d)
        elif guild is not None and ensure_known(view, out, guild):
            _keep(view, out, guild, channel, message, d)
    return out


def message_delete(d: bytes, view: View) -> Changes:
    """MESSAGE_DELETE and MESSAGE_DELETE_BULK: the messages go, and a thread counts less."""
    out: Changes = {}
    event = _deleted(d)
    channel = event.channel_id
    ids = set(event.ids)
    if event.id is not None:
        ids.add(event.id)
    guild = guild_of(view, channel, event.guild_id)
    if view.kept.messages:
        kept = ((key, view.get(key)) for key in (keys.message(channel, message) for message in ids))
        gone = {key: row for key, row in kept if row is not None}
        if gone:
            out.update(dict.fromkeys(gone))
            # Of a channel that isn't known its messages know the guild.
            owner = guild or next((own for row in gone.values() if (own := _message(row).guild_id)), 0)
            _set_kept(out, owner, channel, _kept(view, owner, channel) - len(gone))
    if guild is not None and view.has(THREADS.row(guild, channel)):
        overlay = overlay_in(view, keys.overlay(guild, channel))
        _count_thread(view, out, guild, channel, overlay, -len(ids - {channel}))
    return out


def _keep(view: View, out: Changes, guild: int, channel: int, message: int, d: bytes) -> None:
    """Keep the message, and let the channel's oldest go where it would be one too many."""
    if not view.kept.messages:
        return
    key = keys.message(channel, message)
    new = not view.has(key)
    out[key] = d
    if not new:
        return
    count = _kept(view, guild, channel) + 1
    surplus = count - view.kept.messages_per_channel
    if surplus > 0:
        # One, but for a channel that is of a time when more were kept.
        oldest = sorted([key, *islice(view.keys(keys.messages(channel)), surplus)])[:surplus]
        for each in oldest:
            out[each] = None
        count -= len(oldest)
        if out[key] is None:
            del out[key]
    _set_kept(out, guild, channel, count)


def _kept(view: View, guild: int, channel: int) -> int:
    return int.from_bytes(view.get(keys.message_count(guild, channel)) or b"", "big")


def _set_kept(out: Changes, guild: int, channel: int, count: int) -> None:
    out[keys.message_count(guild, channel)] = count.to_bytes(4, "big") if count > 0 else None


def _count(view: View, out: Changes, guild: int, channel: int, message: int) -> None:
    """The channel's last message; a thread counts its messages too."""
    if not view.kept.channels:
        return
    key = keys.overlay(guild, channel)
    overlay = overlay_in(view, key)
    if overlay.message_count is UNSET:
        # A channel that had a message is told by its overlay: it has no count, which all threads have.
        counted = overlay.member_count is not UNSET or overlay.total_message_sent is not UNSET
        had_one = overlay.last_message_id is not UNSET and not counted
        if had_one or view.has(CHANNELS.row(guild, channel)):
            overlay.last_message_id = str(message)
            out[key] = blob.encode(overlay)
            return
        if not view.has(THREADS.row(guild, channel)):
            return
    _count_thread(view, out, guild, channel, overlay, 1, message)


def _count_thread(
    view: View, out: Changes, guild: int, thread: int, overlay: Overlay, more: int, message: int | None = None
) -> None:
    """A thread's counters. The message that started it isn't counted, and one seen before isn't again.

    :param overlay: as it is.
    """
    if UNSET in (overlay.last_message_id, overlay.message_count, overlay.total_message_sent):
        own = read(view.get(THREADS.row(guild, thread)) or b"{}")
        if overlay.last_message_id is UNSET:
            overlay.last_message_id = own.last_message_id
        if overlay.message_count is UNSET:
            overlay.message_count = own.message_count
        if overlay.total_message_sent is UNSET:
            overlay.total_message_sent = own.total_message_sent
    if message is not None:
        last = overlay.last_message_id
        if isinstance(last, str) and int(last) >= message:
            return
        overlay.last_message_id = str(message)
        if message == thread:
            more = 0
    if isinstance(overlay.message_count, int):
        overlay.message_count = max(0, overlay.message_count + more)
    if isinstance(overlay.total_message_sent, int):
        overlay.total_message_sent += max(0, more)
    out[keys.overlay(guild, thread)] = blob.encode(overlay)
