"""Threads and their members.

Only active threads are kept: Discord never lists archived ones on the gateway, so they could but pile up.
"""

from __future__ import annotations

from functools import partial

from msgspec import UNSET, Raw, Struct, UnsetType

from rateway.store import blob, keys
from rateway.store.keys import CHANNELS, THREADS
from rateway.store.kinds import Kept
from rateway.store.view import Changes, View

from . import people, presences, purge
from .overlays import overlay_in
from .slices import Sliced, Steps
from .whereabouts import guild_of, is_known

_FORUMS = (15, 16)
_PRIVATE_THREAD = 12


class _Metadata(Struct, gc=False):
    archived: bool = False


class _Thread(Struct, gc=False):
    id: int
    guild_id: int | None = None
    parent_id: int | None = None
    thread_metadata: _Metadata | None = None
    newly_created: bool = False

    @property
    def archived(self) -> bool:
        """Whether it is no longer among the active ones."""
        return self.thread_metadata is not None and self.thread_metadata.archived


class _Sync(Struct, gc=False):
    guild_id: int
    channel_ids: list[int] | None = None
    threads: list[Raw] = []
    members: list[Raw] = []


class _Member(Struct, gc=False):
    """A thread member; ``id`` is the thread's."""

    id: int
    user_id: int | None = None
    guild_id: int | None = None


class _Added(Struct, gc=False):
    user_id: int
    member: Raw | UnsetType = UNSET
    presence: Raw | UnsetType = UNSET


class _Members(Struct, gc=False):
    id: int
    guild_id: int
    member_count: int | None = None
    added_members: list[Raw] = []
    removed_member_ids: list[int] = []


class _Kind(Struct, gc=False):
    type: int = 0


_thread = blob.decoder(_Thread)
_sync = blob.decoder(_Sync)
_member = blob.decoder(_Member)
_added = blob.decoder(_Added)
_members = blob.decoder(_Members)
_kind = blob.decoder(_Kind)


def body(view: View, out: Changes, guild: int, thread: int, data: bytes | Raw) -> bytes:
    """The thread's own fields; the bot's membership inside of it becomes a row of its own."""
    fields = blob.fields(data)
    own = people.self_id(view)
    member = fields.pop("member", None)
    fields.pop("newly_created", None)
    if member is not None and own is not None and blob.is_object(member):
        out[keys.thread_member(guild, thread, own)] = bytes(member)
    return blob.encode(fields)


def _may_archive(d: bytes, kept: Kept) -> bool:
    return b'"archived":true' in d


def _may_remove(d: bytes, kept: Kept) -> bool:
    """Without messages a thread is a thousand members at most, and the bot is seldom the one who goes."""
    return kept.messages and b'"removed_member_ids":["' in d


@partial(Sliced, may_be_long=_may_archive)
def thread_create(d: bytes, view: View, out: Changes) -> Steps:
    """A thread made, or shown to the bot: then it may be archived. A new post is the last message of its forum."""
    event = _thread(d)
    guild = guild_of(view, event.id, event.guild_id)
    if guild is None or not view.kept.channels or not is_known(view, guild):
        return
    if event.archived:
        yield from purge.forget_thread(view, out, guild, event.id)
        return
    _put(view, out, guild, event.id, d)
    if event.newly_created and event.parent_id is not None:
        parent = view.get(CHANNELS.row(guild, event.parent_id))
        if parent is not None and _kind(parent).type in _FORUMS:
            key = keys.overlay(guild, event.parent_id)
            overlay = overlay_in(view, key)
            overlay.last_message_id = str(event.id)
            out[key] = blob.encode(overlay)


@partial(Sliced, may_be_long=_may_archive)
def thread_update(d: bytes, view: View, out: Changes) -> Steps:
    """The thread, anew; if archived, it is no longer among the active ones."""
    event = _thread(d)
    guild = guild_of(view, event.id, event.guild_id)
    if guild is None or not is_known(view, guild):
        return
    if event.archived:
        yield from purge.forget_thread(view, out, guild, event.id)
    elif view.kept.channels:
        _put(view, out, guild, event.id, d)


@Sliced
def thread_delete(d: bytes, view: View, out: Changes) -> Steps:
    """The thread goes, with its members and messages."""
    event = _thread(d)
    guild = guild_of(view, event.id, event.guild_id)
    if guild is not None and is_known(view, guild):
        yield from purge.forget_thread(view, out, guild, event.id)


@Sliced
def thread_list_sync(d: bytes, view: View, out: Changes) -> Steps:
    """The active threads of some channels, or of all: those not listed are gone.

    The members listed are the bot's memberships: of a thread without one it is no member.
    """
    event = _sync(d)
    guild = event.guild_id
    if not view.kept.channels or not is_known(view, guild):
        return
    listed = {blob.id_of(raw).id: raw for raw in event.threads}
    if event.channel_ids is None:
        old = [keys.last_id(key) for key in view.keys(THREADS.of(guild))]
    else:
        old = purge.threads_under(view, guild, frozenset(event.channel_ids))
    own = people.self_id(view)
    for thread, raw in listed.items():
        if own is not None:
            out[keys.thread_member(guild, thread, own)] = None
        _put(view, out, guild, thread, raw)
    for raw in event.members:
        member = _member(raw)
        user = own if member.user_id is None else member.user_id
        if user is not None and member.id in listed and (user == own or view.kept.thread_members):
            out[keys.thread_member(guild, member.id, user)] = bytes(raw)
    for thread in old:
        if thread not in listed:
            yield from purge.forget_thread(view, out, guild, thread)


def thread_member_update(d: bytes, view: View) -> Changes:
    """The bot's own membership of a thread."""
    out: Changes = {}
    event = _member(d)
    guild = guild_of(view, event.id, event.guild_id)
    user = people.self_id(view) if event.user_id is None else event.user_id
    if guild is not None and user is not None and view.has(THREADS.row(guild, event.id)):
        out[keys.thread_member(guild, event.id, user)] = d
    return out


@partial(Sliced, may_be_long=_may_remove)
def thread_members_update(d: bytes, view: View, out: Changes) -> Steps:
    """Who joined and left a thread. The bot, removed from a private one, sees it no more."""
    event = _members(d)
    guild = event.guild_id
    if not is_known(view, guild):
        return
    row = THREADS.row(guild, event.id)
    is_there, is_gone = view.has(row), False
    if is_there and event.removed_member_ids and people.self_id(view) in event.removed_member_ids:
        is_gone = _kind(view.get(row) or b"{}").type == _PRIVATE_THREAD
        is_there = not is_gone
    if is_there and event.member_count is not None:
        key = keys.overlay(guild, event.id)
        overlay = overlay_in(view, key)
        if overlay.member_count != event.member_count:
            overlay.member_count = event.member_count
            out[key] = blob.encode(overlay)
    for raw in event.added_members:
        _add(view, out, guild, event.id, is_there, raw)
    for user in event.removed_member_ids:
        out[keys.thread_member(guild, event.id, user)] = None
    if is_gone:
        yield from purge.forget_thread(view, out, guild, event.id)


def _put(view: View, out: Changes, guild: int, thread: int, data: bytes | Raw) -> None:
    purge.put(out, THREADS, guild, thread, body(view, out, guild, thread, data))
    out[keys.overlay(guild, thread)] = None


def _add(view: View, out: Changes, guild: int, thread: int, known: bool, raw: Raw) -> None:
    added = _added(raw)
    if known and (view.kept.thread_members or added.user_id == people.self_id(view)):
        out[keys.thread_member(guild, thread, added.user_id)] = _own_fields(added, bytes(raw))
    if added.member is not UNSET and blob.is_object(added.member) and people.is_maintained(view, guild, added.user_id):
        people.put_again(view, out, guild, bytes(added.member))
    if added.presence is not UNSET and blob.is_object(added.presence):
        presences.put(view, out, guild, added.presence)


def _own_fields(added: _Added, data: bytes) -> bytes:
    """The thread member without what it brings along: the guild's member, and their presence."""
    if added.member is not UNSET:
        data = blob.without(data, b'"member":', bytes(added.member))
    if added.presence is not UNSET:
        data = blob.without(data, b'"presence":', bytes(added.presence))
    return data
