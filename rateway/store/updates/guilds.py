"""Guilds: arriving, changing, leaving, in outage."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Raw, Struct

from rateway.store import blob, keys
from rateway.store.keys import CHANNELS, EMOJIS, EVENTS, ROLES, SOUNDS, STAGES, STICKERS, THREADS, Table
from rateway.store.shapes import OBFUSCATED
from rateway.store.view import Changes, View

from . import people, presences, purge, threads, voice
from .happenings import is_over
from .slices import PAUSE, Sliced, Steps, pausing, sweeping
from .whereabouts import is_known

COLLECTIONS = frozenset(
    {
        "channels",
        "threads",
        "members",
        "presences",
        "voice_states",
        "roles",
        "emojis",
        "stickers",
        "stage_instances",
        "guild_scheduled_events",
        "soundboard_sounds",
    }
)
"""The fields of GUILD_CREATE that are entities of their own, and no part of the guild's answer."""


class _Sound(Struct, gc=False):
    sound_id: int


class _Flags(Struct, gc=False):
    flags: int | None = None


_sound = blob.decoder(_Sound)
_flags = blob.decoder(_Flags)


def _id(data: Raw) -> int:
    return blob.id_of(data).id


def _is_hidden(channel: bytes | Raw) -> bool:
    return bool((_flags(channel).flags or 0) & OBFUSCATED)


def sound_id(data: bytes | Raw) -> int:
    """The id of a soundboard sound, which is called otherwise."""
    return _sound(data).sound_id


LISTS: tuple[tuple[str, str, Table, Callable[[Raw], int]], ...] = (
    ("roles", "Role", ROLES, _id),
    ("emojis", "Emoji", EMOJIS, _id),
    ("stickers", "Sticker", STICKERS, _id),
    ("stage_instances", "StageInstance", STAGES, _id),
    ("soundboard_sounds", "SoundboardSound", SOUNDS, sound_id),
)
"""Collections that are replaced as they come: field, kind, table, how to tell the id."""


@Sliced
def guild_create(d: bytes, view: View, out: Changes) -> Steps:
    """A guild with all it has: whatever was known of what it lists is replaced, also by nothing.

    With ``unavailable: true`` it is in an outage, and nothing else changes. What is listed no more may be any number of
    rows, however short the event: it goes in parts, once all of the event is read.
    """
    fields = blob.fields(d)
    guild = blob.to_int(fields["id"])
    if fields.get("unavailable") == blob.TRUE:
        out.update(_unavailable(guild, view))
        return
    kept = view.kept
    if kept.guilds:
        out[keys.guild(guild)] = blob.encode({k: v for k, v in fields.items() if k not in COLLECTIONS})
    out[keys.guild_state(guild)] = blob.encode({"unavailable": blob.FALSE})
    out[keys.stale(guild)] = None
    replace_lists(view, out, guild, fields)
    yield PAUSE
    later: list[Steps] = []
    yield from _replace_channels(view, out, guild, fields, later)
    if "guild_scheduled_events" in fields and "ScheduledEvent" in kept.names:
        events = (raw for raw in blob.items(fields["guild_scheduled_events"]) if not is_over(raw))
        purge.replace_all(view, out, EVENTS, guild, {_id(raw): bytes(raw) for raw in events})
    if "voice_states" in fields:
        in_voice = voice.replace_all(view, out, guild, blob.items(fields["voice_states"]))
    else:
        in_voice = {keys.last_id(key) for key in view.keys(keys.voice_states(guild))}
    yield PAUSE
    if "members" in fields and kept.people:
        yield from _replace_members(view, out, guild, fields["members"], in_voice, later)
    if "presences" in fields and kept.presences:
        yield from presences.replace_all(view, out, guild, fields["presences"], later)
    for steps in later:
        yield from steps


def guild_update(d: bytes, view: View) -> Changes:
    """The guild's own fields, as far as they come; roles, emojis and stickers if they come. Nothing else."""
    out: Changes = {}
    fields = blob.fields(d)
    guild = blob.to_int(fields["id"])
    if not is_known(view, guild):
        return out
    replace_lists(view, out, guild, fields)
    old = view.get(keys.guild(guild))
    if old is not None:
        out[keys.guild(guild)] = blob.merge(old, {k: v for k, v in fields.items() if k not in COLLECTIONS})
    return out


@Sliced
def guild_delete(d: bytes, view: View, out: Changes) -> Steps:
    """An outage, in which all stays and is marked; or the end, after which nothing is left."""
    fields = blob.fields(d)
    guild = blob.to_int(fields["id"])
    if fields.get("unavailable") == blob.TRUE:
        out.update(_unavailable(guild, view))
    else:
        yield from purge.purge(view, out, {guild})


def replace_lists(view: View, out: Changes, guild: int, fields: blob.Fields) -> None:
    """The simple collections among the fields."""
    for field, kind, table, ident in LISTS:
        if field in fields and kind in view.kept.names:
            purge.replace_all(view, out, table, guild, {ident(raw): bytes(raw) for raw in blob.items(fields[field])})


def add_to_member_count(view: View, out: Changes, guild: int, more: int) -> None:
    """One more or less: from what GUILD_CREATE said, and never below none."""
    key = keys.guild_state(guild)
    state = blob.fields(view.get(key) or b"{}")
    count = state.get("member_count")
    if count is None:
        own = view.get(keys.guild(guild))
        count = None if own is None else blob.fields(own).get("member_count")
    if count is not None:
        state["member_count"] = Raw(b"%d" % max(0, blob.to_int(count) + more))
        out[key] = blob.encode(state)


def _unavailable(guild: int, view: View) -> Changes:
    key = keys.guild_state(guild)
    return {key: blob.merge(view.get(key) or b"{}", {"unavailable": blob.TRUE})}


def _replace_channels(view: View, out: Changes, guild: int, fields: blob.Fields, later: list[Steps]) -> Steps:
    """Channels and threads; later, what is kept beside those that are gone, or hidden from the bot."""
    lists = {
        table: {_id(raw): raw for raw in blob.items(fields[name])}
        for name, table in (("threads", THREADS), ("channels", CHANNELS))
        if name in fields
    }
    yield PAUSE
    if view.kept.channels:
        for table in lists:
            _forget_overlays(view, out, guild, table)
        if THREADS in lists:
            yield from _replace_threads(view, out, guild, lists[THREADS], later)
        if CHANNELS in lists:
            channels = {channel: bytes(raw) for channel, raw in lists[CHANNELS].items()}
            purge.replace_all(view, out, CHANNELS, guild, channels)
    elif len(lists) < 2:
        return
    there = {
        keys.last_id(key)
        for table in (CHANNELS, THREADS)
        if table not in lists
        for key, row in view.items(table.of(guild))
        if not _is_hidden(row)
    }
    seen = (channel for listed in lists.values() for channel, raw in listed.items() if not _is_hidden(raw))
    later.append(purge.forget_elsewhere(view, out, guild, there.union(seen)))


def _forget_overlays(view: View, out: Changes, guild: int, table: Table) -> None:
    """What was counted since these channels or threads were last listed: it is in the list."""
    for key in view.keys(table.of(guild)):
        out[keys.overlay(guild, keys.last_id(key))] = None


def _replace_threads(view: View, out: Changes, guild: int, listed: dict[int, Raw], later: list[Steps]) -> Steps:
    """Threads; of their members the bot alone is listed, and later the others go."""
    own = people.self_id(view)
    bodies: dict[int, bytes] = {}
    joined: set[bytes] = set()

    def put_body(thread: int) -> None:
        bodies[thread] = threads.body(view, out, guild, thread, listed[thread])
        if own is not None and (key := keys.thread_member(guild, thread, own)) in out:
            joined.add(key)

    def check(key: bytes) -> None:
        if key not in joined:
            out[key] = None

    yield from pausing(listed, put_body)
    purge.replace_all(view, out, THREADS, guild, bodies)
    later.append(sweeping(view, keys.all_thread_members(guild), check))


def _replace_members(
    view: View, out: Changes, guild: int, members: Raw, in_voice: set[int], later: list[Steps]
) -> Steps:
    """The members listed, of whom some are listed twice; later those go that are not known to be members any more."""
    own = None if view.kept.everybody else people.self_id(view)
    listed: set[int] = set()

    def put(raw: Raw) -> None:
        user = blob.user_of(raw).user
        user_id = blob.id_of(user).id
        if view.kept.everybody or user_id in in_voice or user_id == own:
            listed.add(user_id)
            data = bytes(user)
            people.put_member(view, out, guild, user_id, data, blob.without_user(bytes(raw), data))

    def check(key: bytes) -> None:
        user_id = keys.last_id(key)
        if user_id not in listed:
            people.forget_members(view, out, (guild,), guild, user_id)

    yield from pausing(blob.items(members), put)
    later.append(sweeping(view, keys.members(guild), check))
