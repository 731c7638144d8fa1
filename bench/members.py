"""What members with their users take: on disk, kind of row by kind of row; in memory; in CPU time; and against dicts.

A store of one cluster is filled by the events in which Discord lists members. Then a day's presence updates go over the
same presences, to see that the file doesn't grow. In processes of their own, the same members are kept as dicts.

    python -m bench.members [--members 1000000] [--updates 5000000] [--order random] [--dicts 100000] [--folder DIR]

A quick run: ``--members 20000 --updates 100000 --dicts 20000``.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from array import array
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import ujson

from rateway.model.dispatch import Dispatch
from rateway.model.intents import ALL
from rateway.model.session import Session
from rateway.store.cluster import ClusterStore
from rateway.store.opening import ENTITIES

from .memory import Memory, memory_of
from .pages import Usage, usage
from .people import presence
from .population import Guild, population

KINDS = {
    "M": "members",
    "U": "users",
    "m": "reasons to know a user",
    "q": "index of names",
    "Q": "index of nicks",
    "L": "counts of members",
    "P": "presences",
}
OF_MEMBERS = b"MUmqQL"
"""What is there for the members' and users' sake."""
ONLINE = 0.25
"""Share of the members of whom there are presences in a day."""
TEXTS = 20_000
"""Different presences, each used with different users."""
BATCH = 100
PARTS = 5
"""How often it is looked at while presences change."""


class Filling:
    """A store being filled, and what that took."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.store = ClusterStore.open(
            folder, shards=range(1), total=1, intents=ALL, cache=True, kinds=None, messages_per_channel=0
        )
        self._session = Session("bench", "", 0)
        self._seq = 0
        self.cpu = 0.0
        """Seconds in the store alone."""
        self.most = 0
        """Anonymous bytes, at most."""
        self.feed([("READY", b'{"user":{"id":"900000000000000001","username":"bench"},"guilds":[]}')])

    def feed(self, events: Sequence[tuple[str, bytes]]) -> None:
        """Apply events in one transaction."""
        dispatches: list[Dispatch] = []
        for name, d in events:
            self._seq += 1
            dispatches.append((self._seq, name, d))
        began = time.process_time()
        self.store.apply([(0, self._session.at(self._seq), dispatches)], {})
        self.cpu += time.process_time() - began
        self.most = max(self.most, memory_of().anonymous)

    def usage(self) -> Usage:
        """What the file's pages are used for."""
        return usage(self._folder / ENTITIES / "data.mdb")


def guilds_of(options: argparse.Namespace, members: int) -> list[Guild]:
    """The population's guilds, without their members."""
    return list(population(members, seed=options.seed, mean=options.mean, order=options.order))


def measure_store(options: argparse.Namespace, folder: Path) -> None:
    """Fill, look, change presences, look again."""
    guilds = guilds_of(options, options.members)
    before = memory_of()
    filling = Filling(folder)
    size = 0
    for guild in guilds:
        for event in guild.events():
            filling.feed([event])
            size += len(event[1])
    spent, count = filling.cpu, options.members
    print(f"\n{count} members of {len(guilds)} guilds, the largest of {max(guild.size for guild in guilds)}; ", end="")
    print(f"{size / count:.0f} bytes of JSON each, their guilds included")
    print(f"CPU {spent / count * 1e6:.1f} µs per member\n", flush=True)
    told_pages(filling.usage(), count)
    told_memory(before, memory_of(), filling.most)
    churn(filling, guilds, options)
    filling.store.close()


def told_pages(found: Usage, count: int) -> None:
    """Print the file's table."""
    print("| rows | number | keys, bytes each | values, bytes each | pages, bytes per member |\n|---|---|---|---|---|")
    for name in sorted(found.kinds, key=lambda name: -found.kinds[name].pages):
        kind = found.kinds[name]
        label = f"{KINDS.get(name.decode(), 'other')} ({name.decode()})"
        print(
            f"| {label} | {kind.rows} | {kind.keys / kind.rows:.1f} | {kind.values / kind.rows:.1f} "
            f"| {kind.pages / count:.1f} |"
        )
    print(f"| branches | | | | {found.branches / count:.1f} |")
    print(f"| free to be used again | | | | {found.free / count:.1f} |")
    print(f"\n{found.of(OF_MEMBERS) / count:.1f} bytes per member with user, all indexes and their branches included")
    print(f"whole file: {found.used / count:.1f} bytes per member in use, ", end="")
    print(f"{found.reached / count:.1f} up to the last page, {found.allocated / count:.1f} allocated on the disk")


def told_memory(before: Memory, after: Memory, most: int) -> None:
    """Print what the process took, beyond what it took before there was a store."""
    print(
        f"anonymous memory: {before.anonymous / 1e6:.1f} MB before the store was opened, {most / 1e6:.1f} at most, "
        f"{after.anonymous / 1e6:.1f} after; mapped files {after.mapped / 1e6:.1f} MB",
        flush=True,
    )


def churn(filling: Filling, guilds: Sequence[Guild], options: argparse.Namespace) -> None:
    """A day's presence updates over the same presences, once each was there."""
    if not options.updates:
        return
    random = Random(options.seed)
    who, where = array("Q"), array("Q")
    for guild in guilds:
        online = guild.users()[: round(guild.size * ONLINE)]
        who.extend(online)
        where.extend([guild.id] * len(online))
    texts = [presence(random) for _ in range(TEXTS)]
    count = len(who)
    if not count:
        return

    def update(indexes: Sequence[int]) -> None:
        for at in range(0, len(indexes), BATCH):
            events = [
                ("PRESENCE_UPDATE", random.choice(texts) % (who[index], where[index]))
                for index in indexes[at : at + BATCH]
            ]
            filling.feed(events)

    for _ in range(2):
        update(range(count))
    print(f"\n{count} presences, {options.updates} updates in batches of {BATCH}\n")
    print("| updates | in use, MB | up to the last page, MB | allocated, MB | presences, bytes each | anonymous, MB |")
    print("|---|---|---|---|---|---|")
    spent, done = filling.cpu, 0
    told_churn(0, filling.usage())
    for part in range(1, PARTS + 1):
        until = options.updates * part // PARTS
        while done < until:
            step = min(10_000, until - done)
            update(random.choices(range(count), k=step))
            done += step
        told_churn(done, filling.usage())
    print(f"\nCPU {(filling.cpu - spent) / options.updates * 1e6:.1f} µs per update")


def told_churn(done: int, found: Usage) -> None:
    """Print one row."""
    presences = found.kinds[b"P"]
    print(
        f"| {done} | {found.used / 1e6:.1f} | {found.reached / 1e6:.1f} | {found.allocated / 1e6:.1f} "
        f"| {presences.pages / presences.rows:.0f} | {memory_of().anonymous / 1e6:.1f} |",
        flush=True,
    )


def measure_dicts(options: argparse.Namespace, folder: Path) -> None:
    """The same members as a library keeps them: parsed, members by guild and id, users by id."""
    guilds = guilds_of(options, options.dicts)
    members: dict[int, dict[int, Any]] = {}
    users: dict[int, Any] = {}
    before = memory_of()
    for guild in guilds:
        own = members[guild.id] = {}
        for text in guild.members():
            member = ujson.loads(text)
            user = member.pop("user")
            id = int(user["id"])
            own[id], users[id] = member, user
    after = memory_of()
    each = (after.anonymous - before.anonymous) / options.dicts
    print(f"\n{len(users)} members as dicts: {each:.0f} bytes of anonymous memory each, with the user", flush=True)


def in_process(measure: Any, options: argparse.Namespace, folder: Path) -> None:
    """Measure in a process that has nothing else in its memory."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        pool.submit(measure, options, folder).result()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=1_000_000, help="(default %(default)s)")
    parser.add_argument("--updates", type=int, default=5_000_000, help="of presences (default %(default)s); 0 for none")
    parser.add_argument("--dicts", type=int, default=100_000, help="members kept as dicts (default %(default)s)")
    parser.add_argument("--mean", type=int, default=600, help="members of a guild (default %(default)s)")
    parser.add_argument("--order", choices=["random", "id"], default="random", help="in which members are listed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None, help="where the store is made, and left; else removed")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="rateway-bench-"))
    try:
        if options.dicts:
            in_process(measure_dicts, options, folder)
        in_process(measure_store, options, folder / "cluster-1")
    finally:
        if options.folder is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
