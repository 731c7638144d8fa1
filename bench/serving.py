"""A store of a million members, served by one child in a cgroup of 512 MiB: its memory, and whether it answers.

The simulator has guilds with so many members altogether, whose whole lists are demanded (op 8), while events flow.
Then, for a minute, questions for members, users and channels anywhere in the store, and a long list at any time, while
more events flow. rateway runs in the cgroup, parent and child; the simulator and the broker don't. What counts is the
anonymous memory: pages of the store's file are in memory as long as there is room.

    python -m bench.serving [--members 1000000] [--limit 512] [--rate 500] [--seconds 60] [--amqp URI]
"""

from __future__ import annotations

import argparse
import sys
from array import array
from contextlib import nullcontext
from pathlib import Path
from random import Random
from typing import Any

import ujson
from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall, react

from bench.cgroup import MemoryGroup
from bench.cputime import cpu_seconds
from bench.fleet import Fleet, with_broker
from bench.memory import memory_of
from bench.queries import percentiles
from rateway.store.layout import Layout

SHARDS = 8
GUILDS = 64
LARGE = 0.15
"""Share of the members that are in one large guild."""
EVERY = 0.25
"""Seconds between two looks at the memory."""
ASKERS = 4
PAGE = 10_000
MIB = 1 << 20


@define
class Watch:
    """The memory of rateway's processes, at most, since the last :meth:`tell`."""

    fleet: Fleet
    group: MemoryGroup | None
    parent: int = field(default=0, init=False)
    child: int = field(default=0, init=False)
    mapped: int = field(default=0, init=False)

    def look(self) -> None:
        """Now."""
        child = memory_of(self.fleet.program.children()[0])
        self.child, self.mapped = max(self.child, child.anonymous), max(self.mapped, child.mapped)
        self.parent = max(self.parent, memory_of(self.fleet.program.pid).anonymous)

    def tell(self, what: str) -> None:
        """Print a row, and begin anew."""
        self.look()
        peak = "" if self.group is None else f"{self.group.peak / MIB:.0f}"
        print(
            f"| {what} | {self.child / 1e6:.0f} | {self.mapped / 1e6:.0f} | {self.parent / 1e6:.0f} | {peak} |",
            flush=True,
        )
        self.child = self.mapped = self.parent = 0


@define
class People:
    """Who is where, to be asked for."""

    guilds: array[int] = field(factory=lambda: array("Q"))
    users: array[int] = field(factory=lambda: array("Q"))
    channels: list[int] = field(factory=list)

    def question(self, random: Random) -> tuple[str, bytes]:
        """A type, and a request of it."""
        kind = random.choice(("Member", "User", "GuildChannel"))
        place = random.randrange(len(self.users))
        guild, user = self.guilds[place], self.users[place]
        arguments = {"Member": (guild, user), "User": (user,), "GuildChannel": (random.choice(self.channels),)}[kind]
        return kind, ujson.dumps({"type": kind, "arguments": arguments}).encode()


async def read_lists(fleet: Fleet, guilds: list[int]) -> People:
    """All members of all guilds, page after page."""
    people = People()
    for guild in guilds:
        people.channels += [int(channel["id"]) for channel in await fleet.worker.query(1, "GuildChannels", guild)]
        after = None
        while True:
            question = ujson.dumps({"type": "GuildMembers", "arguments": [guild, after, PAGE]}).encode()
            answer = await fleet.worker.ask(1, "cache", question)
            ids = [int(member["user_id"]) for member in ujson.loads(answer.body)]
            people.users.extend(ids)
            people.guilds.extend([guild] * len(ids))
            after = (answer.properties.headers or {}).get("next")
            if after is None:
                break
    return people


async def ask_on(
    reactor: Any, fleet: Fleet, people: People, seconds: float, seed: int, took: dict[str, list[float]]
) -> None:
    """One question after the other, for so long."""
    random, end = Random(seed), reactor.seconds() + seconds
    while (began := reactor.seconds()) < end:
        kind, question = people.question(random)
        answer = await fleet.worker.ask(1, "cache", question)
        assert answer.body, (kind, question)
        took[kind].append(reactor.seconds() - began)


async def list_on(reactor: Any, fleet: Fleet, guild: int, seconds: float, took: list[float]) -> None:
    """One page of the large guild after the other, for so long."""
    end, after = reactor.seconds() + seconds, None
    while (began := reactor.seconds()) < end:
        question = ujson.dumps({"type": "GuildMembers", "arguments": [guild, after, 1000]}).encode()
        answer = await fleet.worker.ask(1, "cache", question)
        after = (answer.properties.headers or {}).get("next")
        took.append(reactor.seconds() - began)


async def measure(reactor: Any, options: argparse.Namespace, amqp: str, folder: Path) -> None:
    """Fill, serve, and print."""
    large = int(options.members * LARGE)
    world = {
        "guilds": GUILDS,
        "members": (options.members - large) // GUILDS + 1,
        "sizes": "equal",
        "replay-limit": 100,
    }
    with MemoryGroup(options.limit * MIB) if options.limit else nullcontext() as group:
        around = () if group is None else group.around
        fleet = await Fleet.start(
            reactor, folder, amqp, Layout(SHARDS, SHARDS), processes=1, rate=options.rate, world=world, around=around
        )
        try:
            await serve(reactor, options, fleet, group, large)
        finally:
            await fleet.stop()
        print(f"\nthe simulator sent a {fleet.load()}")
        if group is not None:
            print(
                f"of {options.limit} MiB {group.peak / MIB:.0f} were used at most; {group.killed} processes were killed"
            )


async def serve(reactor: Any, options: argparse.Namespace, fleet: Fleet, group: MemoryGroup | None, large: int) -> None:
    """All that is looked at."""
    watch = Watch(fleet, group)
    looking = LoopingCall(watch.look)
    looking.start(EVERY, now=False)
    print("| until | child, anonymous, MB | child, mapped files, MB | parent, anonymous, MB | cgroup at most, MiB |")
    print("|---|---|---|---|---|")
    guild = fleet.join_guild(large)
    guilds: list[int] = []
    while len(guilds) <= GUILDS:
        guilds = [int(each["id"]) for each in await fleet.worker.query(1, "Guilds")]
    watch.tell(f"{SHARDS} shards are there")
    known = await fleet.list_members(guilds)
    watch.tell(f"{known} members are known")
    people = await read_lists(fleet, guilds)
    watch.tell(f"all their lists were read: {len(people.users)} members")
    cpu, began = cpu_seconds(fleet.program.pid), reactor.seconds()
    took: dict[str, list[float]] = {"Member": [], "User": [], "GuildChannel": []}
    pages: list[float] = []
    askers = [ask_on(reactor, fleet, people, options.seconds, seed, took) for seed in range(ASKERS)]
    lister = list_on(reactor, fleet, guild, options.seconds, pages)
    await gatherResults([Deferred.fromCoroutine(each) for each in (*askers, lister)], consumeErrors=True)
    cpu, wall = cpu_seconds(fleet.program.pid) - cpu, reactor.seconds() - began
    watch.tell(f"{sum(map(len, took.values()))} questions and {len(pages)} pages were answered")
    looking.stop()
    print(f"\nin {wall:.0f} s, with {cpu / wall:.2f} of a core\n\n| query | p50 ms | p99 ms |\n|---|---|---|")
    for kind, seconds in (*took.items(), ("GuildMembers, 1000 each", pages)):
        print(f"| {kind} | {percentiles(seconds)} |")


def main(reactor: Any, *argv: str) -> Deferred[None]:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m bench.serving", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--members", type=int, default=1_000_000, help="(default %(default)s)")
    parser.add_argument("--limit", type=int, default=512, help="of the cgroup, MiB (default %(default)s); 0: no cgroup")
    parser.add_argument("--rate", type=float, default=500, help="events a second (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="of questions (default %(default)s)")
    parser.add_argument("--amqp", help="a broker to use instead of a private one")
    return Deferred.fromCoroutine(with_broker(reactor, parser.parse_args(argv), measure))


if __name__ == "__main__":
    react(main, sys.argv[1:])
