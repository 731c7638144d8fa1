"""What the load tells of a guild: nothing that a repetition could make untrue.

Somebody writes, types, reacts; somebody has this status, these roles, is in this voice channel.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from ..world import messages, reactions
from ..world.guild import Guild
from ..world.happenings.happening import FACES, WORDS, Happening, of
from ..world.messages import Event
from ..world.places import Message, Place
from ..world.world import World


def message(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody writes: short or long."""
    author, place = guild.somebody(random), _channel(guild, random)
    if author is not None and place is not None:
        content = " ".join(random.choices(WORDS, k=random.choice((3, 6, 12, 40))))
        yield messages.create_event(place, messages.write(world, place, author, content, now))


def edit(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A message is changed by who wrote it."""
    found = _recent(guild, random)
    if found is not None:
        place, message = found
        messages.edit(world, place, message, now, content=message.data["content"][:1000] + " (edited)")
        yield messages.update_event(place, message)


def react(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody reacts to a message."""
    user, found = guild.somebody(random), _recent(guild, random)
    if user is not None and found is not None:
        reacted = reactions.react(*found, user, {"id": None, "name": random.choice(FACES)})
        if reacted is not None:
            yield reacted


def typing(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody types."""
    user, place = guild.somebody(random), _channel(guild, random)
    if user is not None and place is not None:
        yield messages.typing_event(place, user, now)


def presence(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody's status, as it is."""
    user = guild.somebody(random)
    known = None if user is None else guild.presences.get(user)
    if known is not None:
        yield "PRESENCE_UPDATE", {**known, **of(guild)}


def voice_state(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Where somebody is in voice."""
    if guild.voice_states:
        user, state = random.choice(list(guild.voice_states.items()))
        yield "VOICE_STATE_UPDATE", {**of(guild), **state, "member": guild.members[user]}


def member(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody's nick and roles, as they are."""
    user = guild.somebody(random)
    if user is not None:
        yield "GUILD_MEMBER_UPDATE", {**guild.members[user], **of(guild)}


def _channel(guild: Guild, random: Random) -> Place | None:
    channels = guild.text_channels()
    return guild.place(random.choice(channels)) if channels else None


def _recent(guild: Guild, random: Random) -> tuple[Place, Message] | None:
    """A message of a member's in some channel, if that has any."""
    place = _channel(guild, random)
    kept = [] if place is None else [each for each in place.history if each.author in guild.members]
    return (place, random.choice(kept)) if place is not None and kept else None


MIX: dict[str, tuple[Happening, float]] = {
    "MESSAGE_CREATE": (message, 70),
    "TYPING_START": (typing, 8),
    "PRESENCE_UPDATE": (presence, 9),
    "MESSAGE_REACTION_ADD": (react, 5),
    "MESSAGE_UPDATE": (edit, 3),
    "VOICE_STATE_UPDATE": (voice_state, 3),
    "GUILD_MEMBER_UPDATE": (member, 2),
}
"""What is told, and how often, as weights: those of the world's own traffic, where it tells the same."""
