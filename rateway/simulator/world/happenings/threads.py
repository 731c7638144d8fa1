"""Threads: opened, joined, archived, brought back, deleted. GUILD_CREATE shows those not archived."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from .. import channels, messages
from ..guild import Guild
from ..messages import Event
from ..payloads import Json, iso
from ..world import World
from .happening import WORDS, of

_ACTIVE = 12
_ARCHIVED = 12


def _of_thread(thread: Json, guild: Guild) -> Json:
    """The thread by itself: other than in GUILD_CREATE, the bot's membership says whose it is."""
    return {**thread, "member": _membership(thread, guild), **of(guild)}


def _membership(thread: Json, guild: Guild) -> Json:
    return {"id": thread["id"], "user_id": str(guild.bot_id), **thread["member"]}


def enter(guild: Guild, thread: int, user: int, now: float) -> Iterator[Event]:
    """Somebody joins a thread, if not in it yet."""
    people = guild.thread_members.setdefault(thread, set())
    if user in people:
        return
    people.add(user)
    guild.threads[thread]["member_count"] = len(people)
    member = {
        "id": str(thread),
        "user_id": str(user),
        "join_timestamp": iso(now),
        "flags": 0,
        "member": guild.members[user],
        "presence": guild.presences.get(user),
    }
    yield (
        "THREAD_MEMBERS_UPDATE",
        {"id": str(thread), **of(guild), "member_count": len(people), "added_members": [member]},
    )


def withdraw(guild: Guild, user: int) -> Iterator[Event]:
    """Somebody is taken out of all threads."""
    for id, people in guild.thread_members.items():
        if user not in people:
            continue
        people.remove(user)
        thread = guild.threads.get(id)
        if thread is None:
            guild.archived[id]["member_count"] = len(people)
            continue
        thread["member_count"] = len(people)
        removed = {"member_count": len(people), "removed_member_ids": [str(user)]}
        yield "THREAD_MEMBERS_UPDATE", {"id": str(id), **of(guild), **removed}


def open_thread(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody opens a thread: with the first message of a forum, from a message, or without one."""
    owner = guild.somebody(random)
    parents = [id for id, each in guild.channels.items() if each["type"] in (0, 5, 15, 16) and not guild.is_hidden(id)]
    if owner is None or not parents or len(guild.threads) >= _ACTIVE:
        return
    parent = random.choice(parents)
    if guild.channels[parent]["type"] in (15, 16):
        yield from _open_post(world, guild, random, now, parent, owner)
        return
    history = guild.histories.get(parent)
    free = [m.id for m in history if m.id not in guild.threads and m.id not in guild.archived] if history else []
    announcement = guild.channels[parent]["type"] == 5
    type = 10 if announcement else 12 if random.random() < 0.3 else 11
    # A private thread is never one of a message.
    id = random.choice(free) if free and type != 12 and random.random() < 0.5 else world.ids.live(now)
    yield _create(guild, id, parent, owner, random.choice(WORDS), type, now)


def _create(guild: Guild, id: int, parent: int, owner: int, name: str, type: int, now: float, *tags: str) -> Event:
    thread = channels.thread(id, guild.id, parent, str(owner), name, now, type=type, tags=tags)
    guild.threads[id] = thread
    guild.thread_members[id] = {guild.bot_id, owner}
    return "THREAD_CREATE", {**_of_thread(thread, guild), "newly_created": True}


def _open_post(world: World, guild: Guild, random: Random, now: float, parent: int, owner: int) -> Iterator[Event]:
    """The first message's id is the thread's; the forum's last message is the thread."""
    id = world.ids.live(now)
    forum = guild.channels[parent]
    tags = [tag["id"] for tag in forum["available_tags"][:1]]
    yield _create(guild, id, parent, owner, random.choice(WORDS), 11, now, *tags)
    forum["last_message_id"] = str(id)
    place = guild.place(id)
    if place is not None:
        message = messages.write(world, place, owner, random.choice(WORDS), now, id=id)
        yield messages.create_event(place, message)


def change_thread(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A thread is renamed, locked, or slowed down."""
    if not guild.threads:
        return
    thread = random.choice(list(guild.threads.values()))
    chosen = random.random()
    if chosen < 0.5:
        thread["name"] = random.choice(WORDS)
    elif chosen < 0.8:
        thread["rate_limit_per_user"] = random.choice((0, 5, 60))
    else:
        thread["thread_metadata"] |= {"locked": not thread["thread_metadata"]["locked"]}
    yield "THREAD_UPDATE", _of_thread(thread, guild)


def archive(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A thread is archived; or one is brought back, with the bot's membership behind it."""
    if guild.archived and (random.random() < 0.5 or len(guild.archived) >= _ARCHIVED or not guild.threads):
        id = random.choice(list(guild.archived))
        thread = guild.threads[id] = guild.archived.pop(id)
        thread["thread_metadata"] |= {"archived": False, "archive_timestamp": iso(now)}
        yield "THREAD_UPDATE", _of_thread(thread, guild)
        member = _membership(thread, guild)
        yield "THREAD_MEMBER_UPDATE", {**member, **of(guild)}
    elif guild.threads:
        id = random.choice(list(guild.threads))
        thread = guild.archived[id] = guild.threads.pop(id)
        guild.histories.pop(id, None)
        thread["thread_metadata"] |= {"archived": True, "archive_timestamp": iso(now)}
        yield "THREAD_UPDATE", _of_thread(thread, guild)


def delete_thread(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A thread is deleted."""
    if guild.threads:
        thread = guild.remove_thread(random.choice(list(guild.threads)))
        d = {"id": thread["id"], **of(guild), "parent_id": thread["parent_id"], "type": thread["type"]}
        yield "THREAD_DELETE", d


def join_thread(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody joins a thread, or leaves it."""
    user = guild.somebody(random)
    if user is None or not guild.threads:
        return
    id = random.choice(list(guild.threads))
    people = guild.thread_members[id]
    others = sorted(people - {guild.bot_id})
    if others and random.random() < 0.4:
        gone = random.choice(others)
        people.remove(gone)
        guild.threads[id]["member_count"] = len(people)
        removed = {"member_count": len(people), "removed_member_ids": [str(gone)]}
        yield "THREAD_MEMBERS_UPDATE", {"id": str(id), **of(guild), **removed}
    else:
        yield from enter(guild, id, user, now)


def sync_threads(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """The threads of some channels, or of all: what isn't listed is not there."""
    parents = [id for id, each in guild.channels.items() if each["type"] in (0, 5, 15, 16) and not guild.is_hidden(id)]
    if not parents:
        return
    chosen = None if random.random() < 0.3 else random.sample(parents, random.randint(1, len(parents)))
    yield thread_list_sync(guild, chosen)


def thread_list_sync(guild: Guild, parents: list[int] | None) -> Event:
    """THREAD_LIST_SYNC of these channels; None: of all, without saying so."""
    d = of(guild)
    if parents is not None:
        d["channel_ids"] = [str(id) for id in parents]
    wanted = set(map(str, guild.channels if parents is None else parents))
    threads = [thread for thread in guild.threads.values() if thread["parent_id"] in wanted]
    # The bot's own membership is told once, in ``members``.
    d["threads"] = [{key: value for key, value in thread.items() if key != "member"} for thread in threads]
    d["members"] = [_membership(thread, guild) for thread in threads]
    return "THREAD_LIST_SYNC", d
