"""Who is in which voice channel, and what is known of those channels."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from .. import payloads
from ..guild import Guild
from ..messages import Event
from ..world import World
from .happening import FACES, WORDS, of


def enter_voice(
    guild: Guild, user: int, channel: int, session_id: str, now: float, *, mute: bool = False, deaf: bool = False
) -> Iterator[Event]:
    """Join or move; the first one in a channel starts its time."""
    old = guild.voice_states.get(user)
    suppress = guild.channels[channel]["type"] == 13
    state = payloads.voice_state(str(user), channel, session_id, self_mute=mute, self_deaf=deaf, suppress=suppress)
    guild.voice_states[user] = state
    yield "VOICE_STATE_UPDATE", {**of(guild), **state, "member": guild.members[user]}
    if old is not None and old["channel_id"] != str(channel):
        yield from _emptied(guild, int(old["channel_id"]))
    if "voice_start_time" not in guild.channel_info.get(channel, {}):
        guild.channel_info.setdefault(channel, {})["voice_start_time"] = int(now)
        yield "VOICE_CHANNEL_START_TIME_UPDATE", {"id": str(channel), **of(guild), "voice_start_time": int(now)}


def leave_voice(guild: Guild, user: int) -> Iterator[Event]:
    """Leave; the last one out ends the channel's time and takes its status away."""
    state = guild.voice_states.pop(user)
    yield "VOICE_STATE_UPDATE", {**of(guild), **state, "channel_id": None}
    yield from _emptied(guild, int(state["channel_id"]))


def _emptied(guild: Guild, channel: int) -> Iterator[Event]:
    if any(state["channel_id"] == str(channel) for state in guild.voice_states.values()):
        return
    known = guild.channel_info.pop(channel, {})
    if "status" in known:
        yield "VOICE_CHANNEL_STATUS_UPDATE", {"id": str(channel), **of(guild), "status": None}
    if "voice_start_time" in known:
        yield "VOICE_CHANNEL_START_TIME_UPDATE", {"id": str(channel), **of(guild), "voice_start_time": None}


def move_in_voice(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody joins, changes or leaves a voice channel, or mutes themselves there."""
    channels = [*guild.voice_channels(), *guild.stage_channels()]
    people = [id for id in guild.voice_states if id != guild.bot_id]
    user = random.choice(people) if people and random.random() < 0.5 else guild.somebody(random)
    if user is None or not channels:
        return
    old = guild.voice_states.get(user)
    if old is None:
        yield from enter_voice(guild, user, random.choice(channels), world.token(), now)
    elif random.random() < 0.5:
        yield from leave_voice(guild, user)
    else:
        there = int(old["channel_id"]) if random.random() < 0.3 else random.choice(channels)
        yield from enter_voice(guild, user, there, old["session_id"], now, mute=not old["self_mute"])


def set_voice_status(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Those in a voice channel say what they do there, or no longer."""
    states = [state for state in guild.voice_states.values() if state["channel_id"] is not None]
    if not states:
        return
    channel = int(random.choice(states)["channel_id"])
    known = guild.channel_info.setdefault(channel, {})
    if known.pop("status", None) is None:
        known["status"] = random.choice(WORDS)
    d = {"id": str(channel), **of(guild), "status": known.get("status")}
    yield "VOICE_CHANNEL_STATUS_UPDATE", d


def send_effect(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody in voice sends an emoji, or plays a sound; default sounds have small numbers for ids."""
    if not guild.voice_states:
        return
    user, state = random.choice(list(guild.voice_states.items()))
    d = {"channel_id": state["channel_id"], **of(guild), "user_id": str(user)}
    if random.random() < 0.5:
        emoji = {"id": None, "name": random.choice(FACES), "animated": False}
        d |= {"emoji": emoji, "animation_type": 1, "animation_id": random.randrange(20)}
    elif guild.sounds and random.random() < 0.5:
        sound = random.choice(list(guild.sounds.values()))
        d |= {"sound_id": sound["sound_id"], "sound_volume": sound["volume"]}
    else:
        d |= {"sound_id": random.randint(1, 6), "sound_volume": 1.0}
    yield "VOICE_CHANNEL_EFFECT_SEND", d
