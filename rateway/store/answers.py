"""PURE: how each thing that is asked for by its ids is found in a store, and whose it is."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from rateway.errors import RequestRefused

from . import keys, newest, shapes
from .keys import CHANNELS, EMOJIS, EVENTS, ROLES, RULES, SOUNDS, STAGES, STICKERS, THREADS, Table
from .view import Reader

MOST_IN_VOICE = 1_000
"""Voice states that are answered in one go: more are no channel's but a large stage's."""


def guild(reader: Reader, guild_id: int) -> bytes | None:
    """A guild's own fields; of one that never came, that it is unavailable."""
    state = reader.get(keys.guild_state(guild_id))
    return None if state is None else shapes.guild(reader, guild_id, state)


def channel(reader: Reader, channel_id: int) -> bytes | None:
    """A guild's channel or thread."""
    for table, shape in ((CHANNELS, shapes.channel), (THREADS, shapes.thread)):
        pointer = reader.get(table.pointer(channel_id))
        if pointer is not None:
            guild_id = keys.to_id(pointer)
            row = reader.get(table.row(guild_id, channel_id))
            if row is not None:
                return shape(reader, guild_id, channel_id, row)
    return None


def role(reader: Reader, role_id: int) -> bytes | None:
    """A role."""
    return _from_table(reader, ROLES, role_id)


def emoji(reader: Reader, emoji_id: int) -> bytes | None:
    """An emoji of a guild's."""
    return _from_table(reader, EMOJIS, emoji_id)


def sticker(reader: Reader, sticker_id: int) -> bytes | None:
    """A sticker of a guild's."""
    return _from_table(reader, STICKERS, sticker_id)


def stage_instance(reader: Reader, stage_id: int) -> bytes | None:
    """A stage instance."""
    return _from_table(reader, STAGES, stage_id)


def scheduled_event(reader: Reader, event_id: int) -> bytes | None:
    """A scheduled event."""
    return _from_table(reader, EVENTS, event_id)


def sound(reader: Reader, sound_id: int) -> bytes | None:
    """A soundboard sound of a guild's."""
    return _from_table(reader, SOUNDS, sound_id)


def rule(reader: Reader, rule_id: int) -> bytes | None:
    """A moderation rule."""
    return _from_table(reader, RULES, rule_id)


def channel_info(reader: Reader, guild_id: int, channel_id: int) -> bytes | None:
    """What is told of a voice channel beside the channel."""
    row = reader.get(keys.channel_info(guild_id, channel_id))
    return None if row is None else shapes.channel_info(guild_id, channel_id, row)


def invites(reader: Reader, guild_id: int) -> bytes | None:
    """The guild's invites, in order of their codes; Discord lets a guild have a thousand."""
    if not reader.has(keys.guild_state(guild_id)):
        return None
    return _array(shapes.thing(reader, guild_id, 0, row) for _, row in reader.items(keys.invites(guild_id)))


def thread_members(reader: Reader, thread_id: int) -> bytes | None:
    """A thread's members, in order of the users' ids: those that were told of, at most a thousand."""
    guild_id = guild_of_thread(reader, thread_id)
    if guild_id is None:
        return None
    rows = reader.items(keys.thread_members(guild_id, thread_id))
    return _array(shapes.thread_member(guild_id, thread_id, keys.last_id(key), row) for key, row in rows)


def guild_of_thread(reader: Reader, thread_id: int) -> int | None:
    """The guild of a thread."""
    pointer = reader.get(THREADS.pointer(thread_id))
    return None if pointer is None else keys.to_id(pointer)


def member(reader: Reader, guild_id: int, user_id: int) -> bytes | None:
    """A member."""
    row = reader.get(keys.member(guild_id, user_id))
    return None if row is None else shapes.member(reader, guild_id, user_id, row)


def presence(reader: Reader, guild_id: int, user_id: int) -> bytes | None:
    """A presence; who is offline has none."""
    row = reader.get(keys.presence(guild_id, user_id))
    return None if row is None else shapes.presence(reader, guild_id, user_id, row)


def voice_state(reader: Reader, user_id: int, guild_id: int) -> bytes | None:
    """A user's voice state in a guild."""
    row = reader.get(keys.voice_state(guild_id, user_id))
    return None if row is None else shapes.thing(reader, guild_id, user_id, row)


def voice_state_in(reader: Reader, user_id: int, channel_id: int) -> bytes | None:
    """A user's voice state, if they are in the channel."""
    place = reader.get(keys.in_voice(channel_id, user_id))
    return None if place is None else voice_state(reader, user_id, keys.to_id(place))


def voice_channel_states(reader: Reader, channel_id: int) -> bytes | None:
    """All voice states of a channel, in order of the users' ids; of an empty one, nothing.

    :raises RequestRefused: if they are too many for one answer.
    """
    places = list(islice(reader.items(keys.all_in_voice(channel_id)), MOST_IN_VOICE + 1))
    if len(places) > MOST_IN_VOICE:
        raise RequestRefused(
            f"more than {MOST_IN_VOICE} are in channel {channel_id}: ask for the guild's, page by page "
            "(GuildVoiceStates)"
        )
    states = [
        state
        for key, place in places
        if (state := voice_state(reader, keys.last_id(key), keys.to_id(place))) is not None
    ]
    return b"[" + b",".join(states) + b"]" if states else None


def message(reader: Reader, channel_id: int, message_id: int) -> bytes | None:
    """A message."""
    row = reader.get(keys.message(channel_id, message_id))
    if row is None:
        return None
    guild_id = guild_of_channel(reader, channel_id)
    if message_id < newest.oldest(reader, guild_id, channel_id):
        return None
    return shapes.message(reader, guild_id, message_id, row)


def private_channel(reader: Reader, channel_id: int) -> bytes | None:
    """A direct message channel, as learned from its messages."""
    return reader.get(keys.private_channel(channel_id))


def group(reader: Reader, channel_id: int) -> bytes | None:
    """Nothing: bots are in no group."""
    return None


def user(reader: Reader, user_id: int) -> bytes | None:
    """When the user last changed (eight bytes), then the user."""
    return reader.get(keys.user(user_id))


def current_user(reader: Reader) -> bytes | None:
    """When the bot's user last changed (eight bytes), then the user."""
    row = reader.get(keys.SELF)
    return None if row is None else row[:8] + row[16:]


def guild_of_channel(reader: Reader, channel_id: int) -> int | None:
    """The guild that has the channel or thread."""
    pointer = reader.get(CHANNELS.pointer(channel_id)) or reader.get(THREADS.pointer(channel_id))
    return None if pointer is None else keys.to_id(pointer)


def guild_of_messages(reader: Reader, channel_id: int) -> int | None:
    """The guild that has the channel; of one that isn't known its messages say it, if it is a guild's."""
    known = guild_of_channel(reader, channel_id)
    return newest.owner(reader, channel_id) if known is None else known


def guild_of_voice(reader: Reader, channel_id: int) -> int | None:
    """The guild that has the channel; of one that isn't known those in it say it."""
    known = guild_of_channel(reader, channel_id)
    if known is not None:
        return known
    _, place = next(reader.items(keys.all_in_voice(channel_id)), (b"", None))
    return None if place is None else keys.to_id(place)


def guild_of_role(reader: Reader, role_id: int) -> int | None:
    """The guild that has the role."""
    return _guild_of(reader, ROLES, role_id)


def guild_of_emoji(reader: Reader, emoji_id: int) -> int | None:
    """The guild that has the emoji."""
    return _guild_of(reader, EMOJIS, emoji_id)


def guild_of_sticker(reader: Reader, sticker_id: int) -> int | None:
    """The guild that has the sticker."""
    return _guild_of(reader, STICKERS, sticker_id)


def guild_of_stage(reader: Reader, stage_id: int) -> int | None:
    """The guild that has the stage instance."""
    return _guild_of(reader, STAGES, stage_id)


def guild_of_event(reader: Reader, event_id: int) -> int | None:
    """The guild that has the scheduled event."""
    return _guild_of(reader, EVENTS, event_id)


def guild_of_sound(reader: Reader, sound_id: int) -> int | None:
    """The guild that has the soundboard sound."""
    return _guild_of(reader, SOUNDS, sound_id)


def guild_of_rule(reader: Reader, rule_id: int) -> int | None:
    """The guild that has the moderation rule."""
    return _guild_of(reader, RULES, rule_id)


def no_guild(reader: Reader, entity: int) -> int | None:
    """It is of no guild."""
    return None


def _guild_of(reader: Reader, table: Table, entity: int) -> int | None:
    pointer = reader.get(table.pointer(entity))
    return None if pointer is None else keys.to_id(pointer)


def _from_table(reader: Reader, table: Table, entity: int) -> bytes | None:
    guild_id = _guild_of(reader, table, entity)
    row = None if guild_id is None else reader.get(table.row(guild_id, entity))
    return None if guild_id is None or row is None else shapes.thing(reader, guild_id, entity, row)


def _array(items: Iterable[bytes]) -> bytes:
    return b"[" + b",".join(items) + b"]"
