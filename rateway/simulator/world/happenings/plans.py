"""Stages and scheduled events."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from .. import channels
from ..guild import Guild
from ..messages import Event
from ..world import World
from .happening import WORDS, of

_MOST = 8
_SCHEDULED, _ACTIVE, _COMPLETED, _CANCELED = 1, 2, 3, 4


def change_stage(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A stage opens, changes its topic, or closes."""
    used = {instance["channel_id"] for instance in guild.stage_instances.values()}
    free = [id for id in guild.stage_channels() if str(id) not in used]
    if free and (not used or random.random() < 0.4):
        id, channel = world.ids.live(now), random.choice(free)
        guild.stage_instances[id] = channels.stage_instance(id, guild.id, channel, random.choice(WORDS))
        yield "STAGE_INSTANCE_CREATE", guild.stage_instances[id]
    elif guild.stage_instances:
        id = random.choice(list(guild.stage_instances))
        if random.random() < 0.5:
            guild.stage_instances[id]["topic"] = random.choice(WORDS)
            yield "STAGE_INSTANCE_UPDATE", guild.stage_instances[id]
        else:
            yield "STAGE_INSTANCE_DELETE", guild.stage_instances.pop(id)


def change_event(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """An event is planned, changed, begun, ended, or called off."""
    creator, chosen = guild.somebody(random), random.random()
    if creator is None:
        return
    if not guild.scheduled_events or (chosen < 0.3 and len(guild.scheduled_events) < _MOST):
        id = world.ids.live(now)
        stages = guild.stage_channels()
        channel = random.choice(stages) if stages and random.random() < 0.5 else None
        event = channels.scheduled_event(id, guild.id, channel, str(creator), random.choice(WORDS))
        guild.scheduled_events[id], guild.subscribers[id] = event, {creator}
        yield "GUILD_SCHEDULED_EVENT_CREATE", event
        return
    id = random.choice(list(guild.scheduled_events))
    event = guild.scheduled_events[id]
    if chosen < 0.6:
        event["description"] = random.choice(WORDS)
    elif chosen < 0.8:
        event["status"] = _ACTIVE if event["status"] == _SCHEDULED else _COMPLETED
    elif event["status"] == _SCHEDULED and chosen < 0.9:
        event["status"] = _CANCELED
    else:
        guild.remove_event(id)
        yield "GUILD_SCHEDULED_EVENT_DELETE", event
        return
    if event["status"] in (_COMPLETED, _CANCELED):
        guild.remove_event(id)
    yield "GUILD_SCHEDULED_EVENT_UPDATE", event


def attend(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody wants to know of an event, or no longer."""
    user = guild.somebody(random)
    if user is None or not guild.scheduled_events:
        return
    id = random.choice(list(guild.scheduled_events))
    people, event = guild.subscribers[id], guild.scheduled_events[id]
    if user in people:
        people.remove(user)
        name = "GUILD_SCHEDULED_EVENT_USER_REMOVE"
    else:
        people.add(user)
        name = "GUILD_SCHEDULED_EVENT_USER_ADD"
    event["user_count"] = len(people)
    yield name, {"guild_scheduled_event_id": str(id), "user_id": str(user), **of(guild)}
