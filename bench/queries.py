"""How long the cache's answers take at the broker, and what they cost, while events go by.

rateway runs with a cluster per shard, and the simulator, a process of its own, sends it events all the time. A worker
asks one cluster after the other for things of any guild: first one question at a time, each type in turn, which tells
how long an answer takes; then many at once, which tells the CPU time of rateway's process tree per query, less what the
events cost. ``echo`` is a message that the worker sends itself through the same exchange: what broker and worker take
of the time. Then the same while somebody asks for the members of a large guild all the time, page after page: an exact
question must not wait behind a long list.

    python -m bench.queries [--clusters 64] [--rate 2000] [--rounds 1000] [--processes 2] [--large 100000] [--amqp URI]
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import ujson
from attrs import frozen
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater, react

from bench.cputime import cpu_seconds
from bench.fleet import Fleet, with_broker
from bench.listasker import ListAsker
from rateway.store.layout import Layout
from tests.integration.program import Program
from tests.integration.worker import Received, Worker

ECHO = "BENCH_ECHO"
AT_ONCE = 50
"""Questions under way while the CPU time is taken."""
IDLE = 5.0
"""Seconds in which it is seen what the events alone cost."""
PAGE = 1000
"""Members of a page."""
KINDS = ("Member", "User", "GuildChannel")
Ask = Callable[[int], Deferred[Received]]


@frozen
class Things:
    """What there is to be asked for: guild, member, channel."""

    triples: list[tuple[int, int, int]]

    def questions(self, kind: str, seed: int = 1) -> Iterator[bytes]:
        """Requests of one type, for ever."""
        random = Random(seed)
        while True:
            guild, user, channel = random.choice(self.triples)
            arguments = {"Member": (guild, user), "User": (user,), "GuildChannel": (channel,)}[kind]
            yield ujson.dumps({"type": kind, "arguments": arguments}).encode()


async def look_around(worker: Worker) -> Things:
    """Ask for guilds, members and channels."""
    triples = []
    for guild in await worker.query(1, "Guilds"):
        members = await worker.query(1, "GuildMembers", guild["id"])
        channels = await worker.query(1, "GuildChannels", guild["id"])
        for member, channel in itertools.product(members, channels):
            triples.append((int(guild["id"]), int(member["user_id"]), int(channel["id"])))
    return Things(triples)


def percentiles(seconds: Sequence[float]) -> str:
    """The median and the 99th, in milliseconds."""
    cuts = statistics.quantiles(seconds, n=100)
    return f"{cuts[49] * 1000:7.2f} | {cuts[98] * 1000:7.2f}"


async def timed(rounds: int, asks: Mapping[str, Ask]) -> dict[str, list[float]]:
    """How long each took: one after the other, by turns, so that they share the machine's good and bad moments."""
    took: dict[str, list[float]] = {name: [] for name in asks}
    for number in range(rounds):
        for name, ask in asks.items():
            began = time.perf_counter()
            await ask(number)
            took[name].append(time.perf_counter() - began)
    return took


async def cost(program: Program, rounds: int, ask: Ask, idle: float) -> float:
    """Microseconds of CPU per query, with many under way.

    :param idle: CPU seconds a second without any.
    """
    began, cpu = time.perf_counter(), cpu_seconds(program.pid)
    for start in range(0, rounds, AT_ONCE):
        await gatherResults([ask(number) for number in range(start, min(start + AT_ONCE, rounds))])
    took, cpu = time.perf_counter() - began, cpu_seconds(program.pid) - cpu
    return (cpu - idle * took) / rounds * 1e6


async def core_share(reactor: Any, program: Program) -> float:
    """CPU seconds a second while nobody asks."""
    began, cpu = time.perf_counter(), cpu_seconds(program.pid)
    await deferLater(reactor, IDLE, lambda: None)
    return (cpu_seconds(program.pid) - cpu) / (time.perf_counter() - began)


async def echo(worker: Worker) -> Ask:
    """Asks the worker itself, through the broker."""
    waiting: list[Deferred[Received]] = []
    await worker.bind(1, [ECHO], take=lambda event: waiting.pop().callback(event))

    def ask(_: int) -> Deferred[Received]:
        answer: Deferred[Received] = Deferred()
        waiting.append(answer)
        worker.publish(1, ECHO, b"x" * 500)
        return answer

    return ask


async def measure(reactor: Any, options: argparse.Namespace, amqp: str, folder: Path) -> None:
    """Start everything, measure, and print the tables."""
    clusters: int = options.clusters
    fleet = await Fleet.start(
        reactor, folder, amqp, Layout(clusters, 1), processes=options.processes, rate=options.rate
    )
    try:
        worker, program = fleet.worker, fleet.program
        things = await look_around(worker)
        idle = await core_share(reactor, program)
        print(f"{clusters} clusters in {options.processes} processes, {len(things.triples)} things to ask for")
        print(f"{options.rate:g} events/s take {idle:.2f} of a core\n")

        def asking(kind: str) -> Ask:
            questions = things.questions(kind)
            return lambda number: worker.ask(number % clusters + 1, "cache", next(questions))

        asks = {"echo": await echo(worker)} | {kind: asking(kind) for kind in KINDS}
        print("| query | p50 ms | p99 ms | µs CPU per query |\n|---|---|---|---|")
        took = await timed(options.rounds, asks)
        for name, ask in asks.items():
            each = "" if name == "echo" else f"{await cost(program, options.rounds * 5, ask, idle):.0f}"
            print(f"| {name} | {percentiles(took[name])} | {each} |", flush=True)
        if options.large and options.lists:
            await beside_lists(fleet, options, amqp, asks)
    finally:
        await fleet.stop()
    print(f"\nthe simulator sent a {fleet.load()}")


async def beside_lists(fleet: Fleet, options: argparse.Namespace, amqp: str, asks: Mapping[str, Ask]) -> None:
    """The same while lists are answered."""
    guild = fleet.join_guild(options.large)
    known = await fleet.list_members([guild])
    last = max(options.lists - 1, 1)
    clusters = [1 + number * (options.clusters - 1) // last for number in range(options.lists)]
    askers = [ListAsker(amqp, cluster, guild, PAGE) for cluster in clusters]
    took = await timed(options.rounds, asks)
    print(f"\nthe same while {len(askers)} ask for the members of a guild of {known} all the time, {PAGE} at a time\n")
    print("| query | p50 ms | p99 ms |\n|---|---|---|")
    for name in asks:
        print(f"| {name} | {percentiles(took[name])} |")
    pages, members = [], 0
    for asker in askers:
        its, members = asker.stop()
        pages += its
    print(f"| GuildMembers, {members} each, {len(pages)} pages | {percentiles(pages)} |", flush=True)


def main(reactor: Any, *argv: str) -> Deferred[None]:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m bench.queries", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clusters", type=int, default=64, help="of one shard each (default %(default)s)")
    parser.add_argument("--rate", type=float, default=2000, help="events a second (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=1000, help="questions of each type (default %(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="rateway's (default %(default)s)")
    parser.add_argument("--large", type=int, default=100_000, help="members of the large guild (default %(default)s)")
    parser.add_argument("--lists", type=int, default=1, help="who ask for its members (default %(default)s)")
    parser.add_argument("--amqp", help="a broker to use instead of a private one")
    return Deferred.fromCoroutine(with_broker(reactor, parser.parse_args(argv), measure))


if __name__ == "__main__":
    react(main, sys.argv[1:])
