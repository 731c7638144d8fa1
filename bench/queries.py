"""How long the cache's answers take at the broker, and what they cost, while events go by.

rateway runs with a cluster per shard, and the simulator, a process of its own, sends it events all the time. A worker
asks one cluster after the other for things of any guild: first one question at a time, which tells how long an answer
takes; then many at once, which tells the CPU time of rateway's process tree per query, less what the events cost.
``echo`` is a message that the worker sends itself through the same exchange: what broker and worker take of the time.

    python -m bench.queries [--clusters 64] [--rate 2000] [--rounds 1000] [--processes 2] [--amqp URI]
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import ujson
from attrs import frozen
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater, react

from bench.cputime import cpu_seconds
from bench.events import INTENTS
from bench.simulator import Simulator
from tests.integration.program import Program, until
from tests.integration.worker import Received, Worker
from tests.support.broker import PrivateBroker

ECHO = "BENCH_ECHO"
TOKEN = "simulator-token"
AT_ONCE = 50
"""Questions under way while the CPU time is taken."""
IDLE = 5.0
"""Seconds in which it is seen what the events alone cost."""


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


def percentiles(seconds: list[float]) -> str:
    """The median and the 99th, in milliseconds."""
    cuts = statistics.quantiles(seconds, n=100)
    return f"{cuts[49] * 1000:7.2f} | {cuts[98] * 1000:7.2f}"


async def timed(rounds: int, ask: Callable[[int], Awaitable[object]]) -> list[float]:
    """How long each took, one after the other."""
    took = []
    for number in range(rounds):
        began = time.perf_counter()
        await ask(number)
        took.append(time.perf_counter() - began)
    return took


async def cost(program: Program, rounds: int, ask: Callable[[int], Deferred[Any]], idle: float) -> float:
    """Microseconds of CPU per query, with many under way.

    :param idle: CPU seconds a second without any.
    """
    began, cpu = time.perf_counter(), cpu_seconds(program.pid)
    for start in range(0, rounds, AT_ONCE):
        await gatherResults([ask(number) for number in range(start, min(start + AT_ONCE, rounds))])
    took, cpu = time.perf_counter() - began, cpu_seconds(program.pid) - cpu
    return (cpu - idle * took) / rounds * 1e6


async def measure(reactor: Any, options: argparse.Namespace, amqp: str, folder: Path) -> None:
    """Start everything, measure, and print the table."""
    clusters: int = options.clusters
    simulator = Simulator(folder, clusters, options.rate)
    program = None
    try:
        worker = await Worker.connect(reactor, amqp)
        program = Program(
            reactor,
            folder,
            {
                "DISCORD_TOKEN": TOKEN,
                "INTENTS": str(INTENTS),
                "AMQP_URI": amqp,
                "DISCORD_API_URL": f"http://127.0.0.1:{simulator.port()}/api/v10",
                "TOTAL_SHARDS": str(clusters),
                "SHARDS_PER_CLUSTER": "1",
                "PROCESSES": str(options.processes),
                "STATE_DIR": str(folder / "state"),
                "HTTP_LISTEN": "",
            },
        )
        await until(reactor, lambda: "the load begins" in simulator.log, "all shards", 120)
        echoes: list[Deferred[Received]] = []
        await worker.bind(1, [ECHO], take=lambda event: echoes.pop().callback(event))
        things = await look_around(worker)

        def echo(_: int) -> Deferred[Received]:
            answer: Deferred[Received] = Deferred()
            echoes.append(answer)
            worker.publish(1, ECHO, b"x" * 500)
            return answer

        began, cpu = time.perf_counter(), cpu_seconds(program.pid)
        await deferLater(reactor, IDLE, lambda: None)
        idle = (cpu_seconds(program.pid) - cpu) / (time.perf_counter() - began)
        print(f"{clusters} clusters in {options.processes} processes, {len(things.triples)} things to ask for")
        print(f"{options.rate:g} events/s take {idle:.2f} of a core\n")
        print("| query | p50 ms | p99 ms | µs CPU per query |\n|---|---|---|---|")
        print(f"| echo | {percentiles(await timed(options.rounds, echo))} | |", flush=True)
        for kind in ("Member", "User", "GuildChannel"):
            questions = things.questions(kind)

            def ask(number: int, questions: Iterator[bytes] = questions) -> Deferred[Received]:
                return worker.ask(number % clusters + 1, "cache", next(questions))

            took = await timed(options.rounds, ask)
            each = await cost(program, options.rounds * 5, ask, idle)
            print(f"| {kind} | {percentiles(took)} | {each:.0f} |", flush=True)
        await worker.close()
    finally:
        if program is not None:
            await program.stop(60)
        simulator.stop()


async def run(reactor: Any, options: argparse.Namespace) -> None:
    """With a broker of one's own, or a given one."""
    broker = None if options.amqp else PrivateBroker()
    try:
        if broker is not None:
            await broker.start()
        amqp = options.amqp or broker.vhost.uri  # type: ignore[union-attr]
        with tempfile.TemporaryDirectory(prefix="rateway-bench-") as folder:
            await measure(reactor, options, amqp, Path(folder))
    finally:
        if broker is not None:
            await broker.remove()


def main(reactor: Any, *argv: str) -> Deferred[None]:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m bench.queries", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clusters", type=int, default=64, help="of one shard each (default %(default)s)")
    parser.add_argument("--rate", type=float, default=2000, help="events a second (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=1000, help="questions of each type (default %(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="rateway's (default %(default)s)")
    parser.add_argument("--amqp", help="a broker to use instead of a private one")
    return Deferred.fromCoroutine(run(reactor, parser.parse_args(argv)))


if __name__ == "__main__":
    react(main, sys.argv[1:])
