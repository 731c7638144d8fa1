"""Members who come, change and go; presences, users, bans."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from .. import payloads
from ..guild import Guild
from ..messages import Event
from ..payloads import iso
from ..world import World
from .happening import WORDS, of
from .threads import withdraw
from .voice import leave_voice

_STATUSES = ("online", "idle", "dnd", "offline")
_BANS = 20
_FEW = 4


def change_presence(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody comes, goes, or plays something."""
    user = guild.somebody(random)
    if user is None:
        return
    status = random.choice(_STATUSES)
    if status == "offline":
        guild.presences.pop(user, None)
        presence = payloads.presence(str(user), status)
    else:
        chosen = random.random()
        doing = [payloads.activity(now)] if chosen < 0.3 else [payloads.custom_status(now)] if chosen < 0.4 else []
        device = random.choice(("desktop", "desktop", "mobile"))
        presence = guild.presences[user] = payloads.presence(str(user), status, doing, device=device)
    yield "PRESENCE_UPDATE", {**presence, **of(guild)}


def join(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody joins: often one who is in another guild already."""
    user = world.anybody() if random.random() < 0.5 else world.new_user()
    if user in guild.members or user in guild.bans:
        return
    guild.members[user] = payloads.member(world.users[user], joined_at=now)
    guild.presences.forget(user)
    yield "GUILD_MEMBER_ADD", {**guild.members[user], **of(guild)}


def join_again(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """The join of one who is there is told once more, as Discord does after repairs."""
    user = guild.somebody(random)
    if user is not None:
        yield "GUILD_MEMBER_ADD", {**guild.members[user], **of(guild)}


def leave(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody leaves; an offline presence with an id only comes after it."""
    user = guild.somebody(random)
    if user is not None and _may_go(guild, user):
        yield from _remove(guild, user)


def _may_go(guild: Guild, user: int) -> bool:
    """The owner stays, and guilds do not die out."""
    return str(user) != guild.fields["owner_id"] and guild.member_count > _FEW


def _remove(guild: Guild, user: int) -> Iterator[Event]:
    if user in guild.voice_states:
        yield from leave_voice(guild, user)
    yield from withdraw(guild, user)
    member = guild.remove_member(user)
    yield "GUILD_MEMBER_REMOVE", {**of(guild), "user": member["user"]}
    yield "PRESENCE_UPDATE", {**payloads.presence(str(user), "offline"), **of(guild)}


def change_member(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody gets another nick, other roles, a time-out, or is boosting."""
    user, chosen = guild.somebody(random), random.random()
    if user is None:
        return
    member = guild.members[user]
    if chosen < 0.4:
        changes: dict[str, object] = {"nick": None if member["nick"] else random.choice(WORDS)}
    elif chosen < 0.8:
        given = [str(id) for id, role in guild.roles.items() if not role["managed"] and id != guild.id]
        changes = {"roles": random.sample(given, random.randrange(len(given) + 1))}
    elif chosen < 0.9:
        muted = member["communication_disabled_until"] is None
        changes = {"communication_disabled_until": iso(now + 600) if muted else None}
    else:
        changes = {"premium_since": iso(now) if member["premium_since"] is None else None}
    yield "GUILD_MEMBER_UPDATE", {**guild.members.change(user, **changes), **of(guild)}


def change_user(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody takes another name: told in each guild that user is in."""
    user = guild.somebody(random)
    if user is None:
        return
    world.users.change(user, global_name=random.choice(WORDS), avatar=f"{random.getrandbits(128):032x}")
    for other in world.guilds.values():
        if user in other.members and not other.unavailable:
            yield "GUILD_MEMBER_UPDATE", {**other.members[user], **of(other)}


def ban(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody is banned, and so removed; or a ban is lifted."""
    if guild.bans and (random.random() < 0.5 or len(guild.bans) >= _BANS):
        user = random.choice(list(guild.bans))
        yield "GUILD_BAN_REMOVE", {**of(guild), "user": guild.bans.pop(user)}
        return
    somebody = guild.somebody(random)
    if somebody is None or not _may_go(guild, somebody):
        return
    guild.bans[somebody] = world.users[somebody]
    yield "GUILD_BAN_ADD", {**of(guild), "user": world.users[somebody]}
    yield from _remove(guild, somebody)
