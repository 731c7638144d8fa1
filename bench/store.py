"""What the cache costs: CPU time of the store alone, per event of a realistic mix, per guild, per query; and its size.

    python -m bench.store [--events 40000] [--folder DIR]

The mix is that of a bot with all intents: half presences, a quarter messages, then typing, voice, reactions, edits,
members. ``paced`` applies each event by itself, as when a read of a socket brings one; ``batch`` a hundred together.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import ujson
from attrs import frozen

from rateway.model.dispatch import Dispatch
from rateway.model.intents import ALL
from rateway.model.session import Session
from rateway.store.cache import Cache
from rateway.store.cluster import ClusterStore

GUILDS = [(1_000_000 + n) << 22 for n in range(50)]
MEMBERS = 300
MIX = {
    "PRESENCE_UPDATE": 50,
    "MESSAGE_CREATE": 25,
    "TYPING_START": 10,
    "MESSAGE_REACTION_ADD": 4,
    "VOICE_STATE_UPDATE": 4,
    "MESSAGE_UPDATE": 3,
    "GUILD_MEMBER_UPDATE": 2,
    "GUILD_MEMBER_ADD": 1,
    "GUILD_MEMBER_REMOVE": 1,
}


@frozen
class Person:
    """A user, as in every guild."""

    id: int

    def user(self) -> dict[str, Any]:
        """The user object."""
        return {
            "id": str(self.id),
            "username": f"user{self.id & 0xFFFFF}",
            "global_name": f"User {self.id & 0xFFFFF}",
            "discriminator": "0",
            "avatar": f"{self.id:032x}",
            "avatar_decoration_data": None,
            "collectibles": None,
            "primary_guild": None,
            "public_flags": 0,
            "bot": False,
        }

    def member(self) -> dict[str, Any]:
        """Their member, with the user."""
        return {
            "user": self.user(),
            "roles": [str(500 + self.id % 7), str(600 + self.id % 5)],
            "premium_since": None,
            "pending": False,
            "nick": None,
            "mute": False,
            "joined_at": "2025-01-01T00:00:00.000000+00:00",
            "flags": 0,
            "deaf": False,
            "communication_disabled_until": None,
            "banner": None,
            "avatar": None,
        }


def person(guild: int, index: int) -> Person:
    """One of a guild's members."""
    return Person((guild >> 22) * 100_000 + index + (1 << 50))


def guild_create(guild: int, members: int) -> dict[str, Any]:
    """A guild with channels, roles, emojis and as many members."""
    people = [person(guild, n) for n in range(members)]
    return {
        "id": str(guild),
        "name": "A guild",
        "owner_id": str(people[0].id),
        "features": ["COMMUNITY"],
        "member_count": members,
        "large": members > 250,
        "unavailable": False,
        "joined_at": "2025-01-01T00:00:00.000000+00:00",
        "roles": [{"id": str(guild if n == 0 else 500 + n), "name": "role", "permissions": "8"} for n in range(40)],
        "emojis": [{"id": str(guild + 1000 + n), "name": "emoji", "animated": False} for n in range(50)],
        "stickers": [],
        "channels": [
            {
                "id": str(guild + n),
                "type": 0,
                "name": f"channel-{n}",
                "topic": "what it is about " * 5,
                "permission_overwrites": [{"id": str(guild), "type": 0, "allow": "1024", "deny": "0"}],
                "last_message_id": None,
            }
            for n in range(60)
        ],
        "threads": [],
        "members": [each.member() for each in people],
        "presences": [
            {"user": {"id": str(each.id)}, "status": "online", "activities": [], "client_status": {"desktop": "online"}}
            for each in people[::3]
        ],
        "voice_states": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


class Traffic:
    """Events of the mix, out of one seed."""

    def __init__(self, seed: int = 1) -> None:
        self.random = Random(seed)
        self.names = [name for name, share in MIX.items() for _ in range(share)]
        self.message = 1 << 60

    def event(self, name: str) -> bytes:
        """The ``d`` of one event."""
        guild = self.random.choice(GUILDS)
        who = person(guild, self.random.randrange(MEMBERS))
        d = {"guild_id": str(guild)} | getattr(self, name.lower())(guild, who)
        return ujson.dumps(d, ensure_ascii=False, escape_forward_slashes=False).encode()

    def presence_update(self, guild: int, who: Person) -> dict[str, Any]:
        """Somebody plays."""
        activity = {"name": "Some game", "type": 0, "created_at": self.random.randrange(10**12), "details": "x" * 300}
        return {
            "user": {"id": str(who.id)},
            "status": self.random.choice(["online", "online", "idle", "offline"]),
            "activities": [activity, {"name": "Custom Status", "type": 4, "state": "y" * 60}],
            "client_status": {"desktop": "online"},
        }

    def message_create(self, guild: int, who: Person) -> dict[str, Any]:
        """Somebody writes."""
        self.message += 1
        member = who.member()
        return {
            "id": str(self.message),
            "channel_id": str(guild + self.random.randrange(60)),
            "type": 0,
            "author": member.pop("user"),
            "member": member,
            "content": "words " * self.random.randrange(40),
            "timestamp": "2026-04-05T06:07:08.901000+00:00",
            "mentions": [],
            "embeds": [],
            "attachments": [],
            "flags": 0,
        }

    def message_update(self, guild: int, who: Person) -> dict[str, Any]:
        """Somebody corrects themselves."""
        return self.message_create(guild, who) | {"id": str(self.message - 20)}

    def typing_start(self, guild: int, who: Person) -> dict[str, Any]:
        """Somebody is about to write."""
        return {"channel_id": str(guild), "user_id": str(who.id), "timestamp": 1, "member": who.member()}

    def message_reaction_add(self, guild: int, who: Person) -> dict[str, Any]:
        """Somebody likes it."""
        return {
            "user_id": str(who.id),
            "channel_id": str(guild),
            "message_id": str(self.message - 5),
            "member": who.member(),
            "emoji": {"id": None, "name": "x"},
            "type": 0,
            "burst": False,
        }

    def voice_state_update(self, guild: int, who: Person) -> dict[str, Any]:
        """Somebody talks."""
        channel = self.random.choice([None, str(guild + 1), str(guild + 2)])
        return {"channel_id": channel, "user_id": str(who.id), "session_id": "x" * 32, "member": who.member()}

    def guild_member_update(self, guild: int, who: Person) -> dict[str, Any]:
        """Somebody gets a name."""
        return who.member() | {"nick": self.random.choice([None, "a", "b"])}

    def guild_member_add(self, guild: int, who: Person) -> dict[str, Any]:
        """Somebody comes."""
        return who.member()

    def guild_member_remove(self, guild: int, who: Person) -> dict[str, Any]:
        """Somebody goes."""
        return {"user": who.user()}


class Bench:
    """A store, fed."""

    def __init__(self, folder: Path, messages: int, cache: bool = True) -> None:
        self.folder = folder
        self.store = ClusterStore.open(
            folder / "cluster-1",
            shards=range(1),
            total=1,
            intents=ALL,
            cache=cache,
            kinds=None,
            messages_per_channel=messages,
        )
        self.session = Session("bench", "", 0)
        self.seq = 0
        ready = {"user": Person(1 << 51).user(), "guilds": [{"id": str(guild)} for guild in GUILDS]}
        self.feed([self.dispatch("READY", ujson.dumps(ready).encode())])

    def dispatch(self, name: str, d: bytes) -> Dispatch:
        """The next event."""
        self.seq += 1
        return self.seq, name, d

    def feed(self, events: Sequence[Dispatch], size: int = 1) -> float:
        """Apply the events in batches of a size; gives CPU seconds."""
        started = time.process_time()
        for at in range(0, len(events), size):
            part = events[at : at + size]
            self.store.apply([(0, self.session.at(part[-1][0]), part)], {})
        return time.process_time() - started


def measure(folder: Path, count: int, messages: int) -> None:
    """All figures of one setting."""
    print(f"\n{messages or 'no'} messages kept per channel")
    bench, traffic = Bench(folder, messages), Traffic()
    guilds = [ujson.dumps(guild_create(guild, MEMBERS), escape_forward_slashes=False).encode() for guild in GUILDS]
    spent = bench.feed([bench.dispatch("GUILD_CREATE", d) for d in guilds])
    print(f"  GUILD_CREATE of {len(guilds[0]) / 1000:.0f} kB, new        {spent / len(guilds) * 1e3:8.2f} ms")
    spent = bench.feed([bench.dispatch("GUILD_CREATE", d) for d in guilds])
    print(f"  the same again, unchanged          {spent / len(guilds) * 1e3:8.2f} ms")
    for size, label in ((100, "batch"), (1, "paced")):
        events = [bench.dispatch(name, traffic.event(name)) for name in traffic.random.choices(traffic.names, k=count)]
        mean = sum(len(d) for _, _, d in events) / len(events)
        spent = bench.feed(events, size)
        print(f"  mix, {label:6} ({mean:.0f} bytes each)     {spent / count * 1e6:8.2f} µs per event")
    off = Bench(folder / "off", messages, cache=False)
    events = [off.dispatch(name, traffic.event(name)) for name in traffic.random.choices(traffic.names, k=count)]
    print(f"  the same with the cache off, batch {off.feed(events, 100) / count * 1e6:8.2f} µs per event")
    off.store.close()
    for name in MIX:
        events = [bench.dispatch(name, traffic.event(name)) for _ in range(count // 20)]
        print(f"    {name:24} in batches {bench.feed(events, 100) / len(events) * 1e6:8.2f} µs")
    size_before = bench.store.environment.size
    for _ in range(5):
        events = [bench.dispatch(name, traffic.event(name)) for name in traffic.random.choices(traffic.names, k=count)]
        bench.feed(events, 10)
    print(f"  map before and after churn         {size_before >> 20} MiB, {bench.store.environment.size >> 20} MiB")
    queries(bench)
    bench.store.close()


def queries(bench: Bench) -> None:
    """What a query costs, in the process that writes and for a store opened to be read."""
    guild, who = GUILDS[7], person(GUILDS[7], 5)
    wanted: list[tuple[str, list[int]]] = [
        ("Guild", [guild]),
        ("GuildChannel", [guild + 3]),
        ("Member", [guild, who.id]),
        ("User", [who.id]),
        ("Role", [guild]),
    ]
    cache = Cache(bench.folder, total=1, per_cluster=1, own={1: bench.store}, enabled=True)
    for kind, ids in wanted:
        started = time.process_time()
        for _ in range(5000):
            cache.query(kind, ids)
        print(f"    query {kind:18}           {(time.process_time() - started) / 5000 * 1e6:8.2f} µs")


def large_guild(folder: Path) -> None:
    """One guild of the size of a hundred small ones, and what it takes on disk."""
    bench = Bench(folder, 0)
    d = ujson.dumps(guild_create(GUILDS[0], 1430), escape_forward_slashes=False).encode()
    spent = bench.feed([bench.dispatch("GUILD_CREATE", d)])
    print(f"\nGUILD_CREATE of {len(d) / 1000:.0f} kB, new           {spent * 1e3:8.2f} ms")
    entities = 1430 + 477 + 150
    print(f"  entities                           {entities}")
    count = 100_000
    before = _used(bench)
    chunks = []
    for start in range(0, count, 1000):
        members = [Person((1 << 52) + start + n).member() for n in range(1000)]
        d = ujson.dumps({"guild_id": str(GUILDS[0]), "members": members}, escape_forward_slashes=False).encode()
        chunks.append(bench.dispatch("GUILD_MEMBERS_CHUNK", d))
    size = len(d) / 1000
    spent = bench.feed(chunks)
    used = (_used(bench) - before) / count
    print(
        f"  {count} members of {size:.0f} bytes, chunked {spent / count * 1e6:8.2f} µs, {used:.0f} bytes on disk each"
    )
    started = time.process_time()
    bench.feed([bench.dispatch("GUILD_DELETE", b'{"id":"%d"}' % GUILDS[0])])
    print(f"  GUILD_DELETE of them                {time.process_time() - started:8.2f} s")
    bench.store.close()


def _used(bench: Bench) -> int:
    with bench.store.environment.reading() as transaction:
        stat = transaction.stat()
        pages = stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]
        return int(pages * stat["psize"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=40_000)
    parser.add_argument("--folder", type=Path, default=None, help="where the stores are made, and left; else removed")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="rateway-bench-"))
    try:
        measure(folder / "without", options.events, 0)
        measure(folder / "with", options.events, 100)
        large_guild(folder / "large")
    finally:
        if options.folder is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
