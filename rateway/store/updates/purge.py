"""What goes with a guild, a channel, or a thread; and collections that Discord lists anew.

What may be any number of rows goes in steps, each of which is a part: an event that has yet to be read does so before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial

from msgspec import Struct

from rateway.store import blob, keys
from rateway.store.keys import CHANNELS, EVENTS, STAGES, TABLES, THREADS, Table
from rateway.store.view import Changes, View

from . import people
from .slices import Steps, sweeping


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


def forget_row(out: Changes, key: bytes) -> None:
    """One row, gone."""
    out[key] = None


def forget_invite(out: Changes, key: bytes) -> None:
    """An invite, by its key."""
    out[key] = out[keys.pointer_of_invite(key)] = None


def forget_elsewhere(view: View, out: Changes, guild: int, there: Collection[int]) -> Steps:
    """What is kept beside channels and threads other than those that are there."""
    for key in view.keys(keys.channel_infos(guild)):
        if keys.last_id(key) not in there:
            out[key] = None
    for key, data in view.items(keys.invites(guild)):
        if in_channel(data).channel_id not in there:
            forget_invite(out, key)
    for channel in [keys.last_id(key) for key in view.keys(keys.message_counts(guild))]:
        if channel not in there:
            yield from sweep_messages(view, out, guild, channel)


def forget_messages(view: View, out: Changes, guild: int, channel: int) -> None:
    """The messages kept of a channel, in one go."""
    for _ in sweep_messages(view, out, guild, channel):
        pass


def sweep_messages(view: View, out: Changes, guild: int, channel: int) -> Steps:
    """The messages kept of a channel."""
    count = keys.message_count(guild, channel)
    if view.has(count):
        out[count] = None
        yield from sweeping(view, keys.messages(channel), partial(forget_row, out))


def forget_voice(view: View, out: Changes, guild: int, user: int) -> None:
    """A user's voice state in a guild, and their place in its channel."""
    key = keys.voice_state(guild, user)
    old = view.get(key)
    if old is not None:
        out[key] = None
        channel = in_channel(old).channel_id
        if channel is not None:
            out[keys.in_voice(channel, user)] = None


def forget_thread(view: View, out: Changes, guild: int, thread: int) -> Steps:
    """A thread, with its members and messages."""
    remove(out, THREADS, guild, thread)
    out[keys.overlay(guild, thread)] = None
    yield from sweeping(view, keys.thread_members(guild, thread), partial(forget_row, out))
    yield from sweep_messages(view, out, guild, thread)


def threads_under(view: View, guild: int, parents: Collection[int]) -> list[int]:
    """The guild's threads in these channels."""
    return [keys.last_id(key) for key, data in view.items(THREADS.of(guild)) if parent_of(data).parent_id in parents]


def forget_inside(view: View, out: Changes, guild: int, channel: int) -> Steps:
    """What is in a channel, and who sees the channel sees: messages, threads, what is told of it, invites."""
    out[keys.channel_info(guild, channel)] = None
    for key, data in view.items(keys.invites(guild)):
        if in_channel(data).channel_id == channel:
            forget_invite(out, key)
    threads = threads_under(view, guild, (channel,))
    yield from sweep_messages(view, out, guild, channel)
    for thread in threads:
        yield from forget_thread(view, out, guild, thread)


def forget_channel(view: View, out: Changes, guild: int, channel: int) -> Steps:
    """A channel, with its threads, messages, invites, voice states, stage and events. A category's channels stay."""
    remove(out, CHANNELS, guild, channel)
    out[keys.overlay(guild, channel)] = None
    for key in view.keys(keys.all_in_voice(channel)):
        user = keys.last_id(key)
        out[key] = out[keys.voice_state(guild, user)] = None
        if not view.kept.everybody and view.kept.people and user != people.self_id(view):
            people.forget_members(view, out, (guild,), guild, user)
    for table in (STAGES, EVENTS):
        for key, data in view.items(table.of(guild)):
            if in_channel(data).channel_id == channel:
                remove(out, table, guild, keys.last_id(key))
    yield from forget_inside(view, out, guild, channel)


def purge(view: View, out: Changes, guilds: Collection[int]) -> Steps:
    """Guilds, with every row of theirs, and the users known through them alone.

    That a guild is known goes last: if it can't be emptied, it can be marked as stale.
    """

    def forget_thing(table: Table, guild: int, key: bytes) -> None:
        remove(out, table, guild, keys.last_id(key))

    def forget_state(guild: int, key: bytes) -> None:
        forget_voice(view, out, guild, keys.last_id(key))

    def forget_member(guild: int, key: bytes) -> None:
        people.forget_members(view, out, guilds, guild, keys.last_id(key))

    for guild in guilds:
        for table in TABLES:
            yield from sweeping(view, table.of(guild), partial(forget_thing, table, guild))
        yield from sweeping(view, keys.voice_states(guild), partial(forget_state, guild))
        yield from forget_elsewhere(view, out, guild, ())
        for of in (keys.presences, keys.overlays, keys.all_thread_members):
            yield from sweeping(view, of(guild), partial(forget_row, out))
        yield from sweeping(view, keys.members(guild), partial(forget_member, guild))
        out[keys.guild(guild)] = out[keys.guild_state(guild)] = out[keys.stale(guild)] = None
        view.notes.known_guilds.discard(guild)
