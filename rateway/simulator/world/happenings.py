"""What happens in a guild: each function changes the guild and yields the events that tell of it.

Nothing is told that the world doesn't hold: who left sends no more messages, and a reaction belongs to a message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import TypeAlias

from . import payloads
from .guild import Guild
from .payloads import Json, iso, without_user
from .world import World

Event: TypeAlias = tuple[str, Json]
Happening: TypeAlias = Callable[[World, Guild, Random, float], Iterator[Event]]

_WORDS = (
    "rain",
    "tea",
    "lamp",
    "harbour",
    "kettle,",
    "moss?",
    "chalk!",
    "\N{SNOWMAN}",
    "ribbon",
    "engine",
    "\u00e9t\u00e9",
)
_REACTIONS = ("\N{THUMBS UP SIGN}", "\N{PARTY POPPER}", "\N{EYES}")
_STATUSES = ("online", "idle", "dnd", "offline")


def write_message(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody writes: sometimes a reply, sometimes a mention, sometimes long."""
    author, channels = guild.somebody(random), guild.text_channels()
    if author is None or not channels:
        return
    channel_id, id = random.choice(channels), world.ids.live(now)
    member = guild.members[author]
    message: Json = {
        "id": str(id),
        "channel_id": str(channel_id),
        "guild_id": str(guild.id),
        "channel_type": guild.channels[channel_id]["type"],
        "type": 0,
        "author": member["user"],
        "member": without_user(member),
        "content": " ".join(random.choices(_WORDS, k=random.choice((3, 6, 12, 40)))),
        "timestamp": iso(now),
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "components": [],
        "pinned": False,
        "flags": 0,
        "nonce": str(id + 1),
    }
    other = guild.somebody(random) if random.random() < 0.1 else None
    if other is not None:
        mentioned = guild.members[other]
        message["mentions"] = [{**mentioned["user"], "member": without_user(mentioned)}]
        message["content"] += f" <@{other}>"
    if guild.recent and random.random() < 0.1:
        answered = random.choice(guild.recent)
        message |= {
            "type": 19,
            "channel_id": answered["channel_id"],
            "channel_type": answered["channel_type"],
            "message_reference": {
                "type": 0,
                "message_id": answered["id"],
                "channel_id": answered["channel_id"],
                "guild_id": str(guild.id),
            },
            "referenced_message": None,
        }
    guild.channels[int(message["channel_id"])]["last_message_id"] = message["id"]
    guild.recent.append(message)
    yield "MESSAGE_CREATE", message


def edit_message(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A recent message is changed by who wrote it."""
    if not guild.recent:
        return
    message = random.choice(guild.recent)
    author = guild.members.get(int(message["author"]["id"]))
    if author is None:
        return
    message["member"] = without_user(author)
    message["content"] += " (edited)"
    message["edited_timestamp"] = iso(now)
    yield "MESSAGE_UPDATE", {key: value for key, value in message.items() if key != "nonce"}


def delete_message(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A recent message is deleted."""
    if not guild.recent:
        return
    message = random.choice(guild.recent)
    guild.recent.remove(message)
    yield "MESSAGE_DELETE", {key: message[key] for key in ("id", "channel_id", "guild_id")}


def react(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody reacts to a recent message, or takes it back."""
    user = guild.somebody(random)
    if user is None or not guild.recent:
        return
    message = random.choice(guild.recent)
    reaction: Json = {
        "user_id": str(user),
        "channel_id": message["channel_id"],
        "message_id": message["id"],
        "guild_id": str(guild.id),
        "emoji": {"id": None, "name": random.choice(_REACTIONS)},
        "burst": False,
        "type": 0,
    }
    if reaction in guild.reactions:
        guild.reactions.remove(reaction)
        yield "MESSAGE_REACTION_REMOVE", reaction
    else:
        guild.reactions.append(reaction)
        extra = {"member": guild.members[user], "message_author_id": message["author"]["id"]}
        yield "MESSAGE_REACTION_ADD", {**reaction, **extra}


def type_something(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody types."""
    user, channels = guild.somebody(random), guild.text_channels()
    if user is None or not channels:
        return
    yield (
        "TYPING_START",
        {
            "channel_id": str(random.choice(channels)),
            "guild_id": str(guild.id),
            "user_id": str(user),
            "timestamp": int(now),
            "member": guild.members[user],
        },
    )


def change_presence(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody comes, goes, or plays something."""
    user = guild.somebody(random)
    if user is None:
        return
    status = random.choice(_STATUSES)
    playing = "Chess" if status != "offline" and random.random() < 0.3 else None
    presence = payloads.presence(str(user), status, playing)
    if status == "offline":
        guild.presences.pop(user, None)
    else:
        guild.presences[user] = presence
    yield "PRESENCE_UPDATE", {**presence, "guild_id": str(guild.id)}


def move_in_voice(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody joins, changes or leaves a voice channel."""
    user, channels = guild.somebody(random), guild.voice_channels()
    if user is None or not channels:
        return
    old = guild.voice_states.get(user)
    session = world.token() if old is None else old["session_id"]
    if old is not None and random.random() < 0.5:
        yield _leave_voice(guild, user)
        return
    state = payloads.voice_state(str(user), random.choice(channels), session, self_mute=random.random() < 0.5)
    guild.voice_states[user] = state
    yield "VOICE_STATE_UPDATE", {"guild_id": str(guild.id), **state, "member": guild.members[user]}


def _leave_voice(guild: Guild, user: int) -> Event:
    state = guild.voice_states.pop(user)
    return "VOICE_STATE_UPDATE", {"guild_id": str(guild.id), **state, "channel_id": None}


def join(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody joins: often one who is in another guild already."""
    user = world.anybody() if random.random() < 0.5 else world.new_user()
    if user in guild.members:
        return
    member = payloads.member(world.users[user], joined_at=now)
    guild.add_member(user, member)
    yield "GUILD_MEMBER_ADD", {**member, "guild_id": str(guild.id)}


def leave(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody leaves; Discord sends an offline presence after it."""
    user = guild.somebody(random)
    if user is None or str(user) == guild.fields["owner_id"]:
        return
    if user in guild.voice_states:
        yield _leave_voice(guild, user)
    member = guild.remove_member(user)
    yield "GUILD_MEMBER_REMOVE", {"guild_id": str(guild.id), "user": member["user"]}
    yield "PRESENCE_UPDATE", {**payloads.presence(str(user), "offline"), "guild_id": str(guild.id)}


def change_member(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody gets another nick or other roles."""
    user = guild.somebody(random)
    if user is None:
        return
    member = guild.members[user]
    if random.random() < 0.5:
        member["nick"] = None if member["nick"] else random.choice(_WORDS)
    else:
        given = [str(id) for id, role in guild.roles.items() if not role["managed"] and id != guild.id]
        member["roles"] = random.sample(given, random.randrange(len(given) + 1))
    yield "GUILD_MEMBER_UPDATE", {**member, "guild_id": str(guild.id)}


def change_channel(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A channel is created, changed or deleted."""
    chosen, channels = random.random(), guild.text_channels()
    if chosen < 0.3 or len(channels) < 2:
        id = world.ids.live(now)
        guild.channels[id] = payloads.channel(id, 0, f"channel-{id % 1000}", len(guild.channels))
        yield "CHANNEL_CREATE", {**guild.channels[id], "guild_id": str(guild.id)}
    elif chosen < 0.5 and len(channels) > 3:
        id = channels[-1]
        channel = guild.channels.pop(id)
        for message in [message for message in guild.recent if message["channel_id"] == str(id)]:
            guild.recent.remove(message)
        yield "CHANNEL_DELETE", {**channel, "guild_id": str(guild.id)}
    else:
        channel = guild.channels[random.choice(channels)]
        channel["topic"] = random.choice(_WORDS)
        yield "CHANNEL_UPDATE", {**channel, "guild_id": str(guild.id)}


def change_role(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A role is created, changed or deleted."""
    chosen = random.random()
    free = [id for id, role in guild.roles.items() if not role["managed"] and id != guild.id]
    if chosen < 0.2 or len(free) < 2:
        id = world.ids.live(now)
        guild.roles[id] = payloads.role(id, f"role-{id % 1000}", len(guild.roles))
        yield "GUILD_ROLE_CREATE", {"guild_id": str(guild.id), "role": guild.roles[id]}
    elif chosen < 0.4 and len(free) > 3:
        id = random.choice(free)
        del guild.roles[id]
        for member in guild.members.values():
            member["roles"] = [role for role in member["roles"] if role != str(id)]
        yield "GUILD_ROLE_DELETE", {"guild_id": str(guild.id), "role_id": str(id)}
    else:
        role = guild.roles[random.choice(free)]
        role["color"] = role["colors"]["primary_color"] = random.randrange(1 << 24)
        yield "GUILD_ROLE_UPDATE", {"guild_id": str(guild.id), "role": role}


MIX: dict[Happening, float] = {
    write_message: 70,
    type_something: 8,
    change_presence: 7,
    react: 5,
    edit_message: 2,
    delete_message: 1,
    move_in_voice: 3,
    change_member: 1.5,
    join: 1,
    leave: 1,
    change_channel: 0.3,
    change_role: 0.2,
}
"""How often what happens, as weights."""
