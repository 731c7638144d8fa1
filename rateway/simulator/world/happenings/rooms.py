"""Channels: created, changed, moved out of the bot's sight and back, deleted."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from .. import channels
from ..guild import Guild
from ..messages import Event
from ..payloads import Json
from ..world import World
from .happening import WORDS, of
from .threads import thread_list_sync
from .voice import leave_voice

_TYPES = (0, 0, 0, 2, 4, 5, 13, 15, 16)
_MOST = 25
_LEAST = {0: 2, 2: 2, 4: 0, 5: 1, 13: 1, 15: 1, 16: 1}
"""So many of each type stay."""


def _event(name: str, channel: Json, guild: Guild) -> Event:
    return name, {**channel, **of(guild)}


def create_channel(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A channel of any type, in a category or in none."""
    if len(guild.channels) >= _MOST:
        yield from delete_channel(world, guild, random, now)
        return
    id, type = world.ids.live(now), random.choice(_TYPES)
    categories = [each for each, channel in guild.channels.items() if channel["type"] == 4]
    parent = random.choice(categories) if categories and type != 4 and random.random() < 0.7 else None
    channel = channels.channel(id, type, f"channel-{id % 1000}", len(guild.channels), parent=parent)
    guild.channels[id] = channel
    yield _event("CHANNEL_CREATE", channel, guild)


def change_channel(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A channel gets another name, topic, overwrite, slow mode, place, or type."""
    shown = [id for id in guild.channels if not guild.is_hidden(id)]
    if not shown:
        return
    channel = guild.channels[random.choice(shown)]
    chosen = random.random()
    if chosen < 0.3 and "topic" in channel:
        channel["topic"] = random.choice(WORDS)
    elif chosen < 0.4 and channel["type"] in (0, 5):
        channel["type"] = 5 - channel["type"]
    elif chosen < 0.6:
        roles = [id for id in guild.roles if id != guild.id]
        overwrite = channels.overwrite(random.choice([guild.id, *roles]), allow=1 << 11)
        kept = [each for each in channel["permission_overwrites"] if each["id"] != overwrite["id"]]
        channel["permission_overwrites"] = [*kept[-3:], overwrite]
    elif chosen < 0.7 and "rate_limit_per_user" in channel:
        channel["rate_limit_per_user"] = random.choice((0, 5, 60))
    else:
        channel["name"] = f"channel-{random.randrange(1000)}"
    yield _event("CHANNEL_UPDATE", channel, guild)


def hide_channel(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """The bot loses sight of a channel without threads, or sees one it did not: its threads are told then."""
    hidden = [id for id in guild.channels if guild.is_hidden(id)]
    if hidden and (random.random() < 0.5 or len(hidden) > 2):
        id = random.choice(hidden)
        # One that never was in sight is made up now.
        unknown = channels.channel(id, 0, f"channel-{id % 1000}", guild.channels[id]["position"])
        guild.channels[id] = guild.out_of_sight.pop(id, unknown)
        yield _event("CHANNEL_UPDATE", guild.channels[id], guild)
        yield thread_list_sync(guild, [id])
        return
    parents = {thread["parent_id"] for thread in (*guild.threads.values(), *guild.archived.values())}
    free = [id for id in guild.text_channels() if str(id) not in parents]
    if len(free) > 1:
        id = random.choice(free)
        guild.histories.pop(id, None)
        channel = guild.out_of_sight[id] = guild.channels[id]
        parent = channel["parent_id"]
        guild.channels[id] = channels.hidden_channel(id, guild.id, channel["position"]) | {"parent_id": parent}
        yield _event("CHANNEL_UPDATE", guild.channels[id], guild)


def delete_channel(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A channel is deleted, and with it its threads, messages, invites and stage; those in voice are put out first."""
    counts: dict[int, int] = {}
    for id, channel in guild.channels.items():
        if not guild.is_hidden(id):
            counts[channel["type"]] = counts.get(channel["type"], 0) + 1
    free = [
        id
        for id, channel in guild.channels.items()
        if not guild.is_hidden(id) and counts[channel["type"]] > _LEAST[channel["type"]]
    ]
    if not free:
        return
    id = random.choice(free)
    for user in [user for user, state in guild.voice_states.items() if state["channel_id"] == str(id)]:
        yield from leave_voice(guild, user)
    for instance in [each for each in guild.stage_instances.values() if each["channel_id"] == str(id)]:
        del guild.stage_instances[int(instance["id"])]
        yield "STAGE_INSTANCE_DELETE", instance
    for event in [each for each in guild.scheduled_events.values() if each["channel_id"] == str(id)]:
        guild.remove_event(int(event["id"]))
        yield "GUILD_SCHEDULED_EVENT_DELETE", event
    channel = guild.channels.pop(id)
    for thread in [
        int(t["id"]) for t in (*guild.threads.values(), *guild.archived.values()) if t["parent_id"] == str(id)
    ]:
        guild.remove_thread(thread)
    guild.histories.pop(id, None)
    guild.forget_invites(id)
    guild.webhooks = {key: hook for key, hook in guild.webhooks.items() if hook["channel_id"] != str(id)}
    yield _event("CHANNEL_DELETE", channel, guild)
    if channel["type"] == 4:
        # The children of a category stay, and are told of one by one.
        for child in guild.channels.values():
            if child["parent_id"] == str(id):
                child["parent_id"] = None
                yield _event("CHANNEL_UPDATE", child, guild)
        for child in guild.out_of_sight.values():
            if child["parent_id"] == str(id):
                child["parent_id"] = None
