"""What goes with a guild, a channel, or a thread; and collections that Discord lists anew."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial

from msgspec import Struct

from rateway.store import blob, keys
from rateway.store.keys import CHANNELS, EVENTS, STAGES, TABLES, THREADS, Table
from rateway.store.view import Changes, View

from . import people
from .slices import pausing


class _InChannel(Struct, gc=False):
    channel_id: int | None = None


class _Thread(Struct, gc=False):
    parent_id: int | None = None


in_channel = blob.decoder(_InChannel)
"""The ``channel_id`` of a thing that may be in a channel."""
parent_of = blob.decoder(_Thread)
"""The ``parent_id`` of a channel or thread."""


def replace_all(view: View, out: Changes, table: Table, guild: int, new: Mapping[int, bytes]) -> list[int]:
    """The guild has these of the table, and no others; gives the ids of those it no longer has."""
    gone = []
    for key in view.keys(table.of(guild)):
        entity = keys.last_id(key)
        if entity not in new:
            out[key] = out[table.pointer(entity)] = None
            gone.append(entity)
    owner = keys.number(guild)
    for entity, data in new.items():
        out[table.row(guild, entity)] = data
        out[table.pointer(entity)] = owner
    return gone


def put(out: Changes, table: Table, guild: int, entity: int, data: bytes) -> None:
    """One thing of a guild's, anew."""
    out[table.row(guild, entity)] = data
    out[table.pointer(entity)] = keys.number(guild)


def remove(out: Changes, table: Table, guild: int, entity: int) -> None:
    """One thing of a guild's, gone."""
    out[table.row(guild, entity)] = out[table.pointer(entity)] = None


def forget_beside(view: View, out: Changes, guild: int, channel: int) -> None:
    """What is kept beside a channel or thread: its messages, what is told of it, its invites."""
    forget_messages(view, out, guild, channel)
    out[keys.channel_info(guild, channel)] = None
    for key, data in view.items(keys.invites(guild)):
        if in_channel(data).channel_id == channel:
            forget_invite(out, key)


def forget_invite(out: Changes, key: bytes) -> None:
    """An invite, by its key."""
    out[key] = out[keys.pointer_of_invite(key)] = None


def forget_elsewhere(view: View, out: Changes, guild: int, there: Collection[int]) -> Iterator[None]:
    """What is kept beside channels and threads other than those that are there."""
    for key in view.keys(keys.message_counts(guild)):
        if keys.last_id(key) not in there:
            forget_messages(view, out, guild, keys.last_id(key))
            yield
    for key in view.keys(keys.channel_infos(guild)):
        if keys.last_id(key) not in there:
            out[key] = None
    for key, data in view.items(keys.invites(guild)):
        if in_channel(data).channel_id not in there:
            forget_invite(out, key)


def forget_messages(view: View, out: Changes, guild: int, channel: int) -> None:
    """The messages kept of a channel."""
    count = keys.message_count(guild, channel)
    if view.has(count):
        out[count] = None
        for key in view.keys(keys.messages(channel)):
            out[key] = None


def forget_voice(view: View, out: Changes, guild: int, user: int) -> None:
    """A user's voice state in a guild, and their place in its channel."""
    key = keys.voice_state(guild, user)
    old = view.get(key)
    if old is not None:
        out[key] = None
        channel = in_channel(old).channel_id
        if channel is not None:
            out[keys.in_voice(channel, user)] = None


def forget_thread(view: View, out: Changes, guild: int, thread: int) -> None:
    """A thread, with its members and messages."""
    remove(out, THREADS, guild, thread)
    out[keys.overlay(guild, thread)] = None
    for key in view.keys(keys.thread_members(guild, thread)):
        out[key] = None
    forget_messages(view, out, guild, thread)


def threads_under(view: View, guild: int, parents: Collection[int]) -> list[int]:
    """The guild's threads in these channels."""
    return [keys.last_id(key) for key, data in view.items(THREADS.of(guild)) if parent_of(data).parent_id in parents]


def forget_inside(view: View, out: Changes, guild: int, channel: int) -> None:
    """What is in a channel, and who sees the channel sees: messages, threads, what is told of it, invites."""
    forget_beside(view, out, guild, channel)
    for thread in threads_under(view, guild, (channel,)):
        forget_thread(view, out, guild, thread)


def forget_channel(view: View, out: Changes, guild: int, channel: int) -> None:
    """A channel, with its threads, messages, invites, voice states, stage and events. A category's channels stay."""
    remove(out, CHANNELS, guild, channel)
    out[keys.overlay(guild, channel)] = None
    forget_inside(view, out, guild, channel)
    for key in view.keys(keys.all_in_voice(channel)):
        user = keys.last_id(key)
        out[key] = out[keys.voice_state(guild, user)] = None
        if not view.kept.everybody and view.kept.people and user != people.self_id(view):
            people.forget_members(view, out, (guild,), guild, user)
    for table in (STAGES, EVENTS):
        for key, data in view.items(table.of(guild)):
            if in_channel(data).channel_id == channel:
                remove(out, table, guild, keys.last_id(key))


def purge(view: View, out: Changes, guilds: Collection[int]) -> Iterator[None]:
    """Guilds, with every row of theirs, and the users known through them alone."""

    def forget(key: bytes) -> None:
        out[key] = None

    for guild in guilds:
        out[keys.guild(guild)] = out[keys.guild_state(guild)] = out[keys.stale(guild)] = None
        for table in TABLES:
            for key in view.keys(table.of(guild)):
                out[key] = out[table.pointer(keys.last_id(key))] = None
            yield
        for key, data in view.items(keys.voice_states(guild)):
            out[key] = None
            channel = in_channel(data).channel_id
            if channel is not None:
                out[keys.in_voice(channel, keys.last_id(key))] = None
        for key in view.keys(keys.message_counts(guild)):
            forget_messages(view, out, guild, keys.last_id(key))
            yield
        for key in view.keys(keys.invites(guild)):
            forget_invite(out, key)
        prefixes = (keys.presences, keys.overlays, keys.channel_infos, keys.all_thread_members)
        for prefix in (of(guild) for of in prefixes):
            yield from pausing(view.keys(prefix), forget)
        yield from pausing(
            map(keys.last_id, view.keys(keys.members(guild))),
            partial(people.forget_members, view, out, guilds, guild),
        )
