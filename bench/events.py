"""What an event costs: CPU time of rateway's whole process tree per event, without and with the cache.

The simulator runs in this process and isn't counted; neither is the broker. Each variant gets the same traffic of the
same seeded world, by default the realistic mix: what a bot with all intents sees. ``batch`` offers it in handfuls of
hundreds per shard, so that a read holds many events; ``paced`` one by one over many shards, so that a read holds about
one.

    python -m bench.events [--events 40000] [--shards 4] [--amqp URI] [--rounds 3] [--mix messages] [--form batch]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ujson
from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from bench.cputime import cpu_seconds, resident_bytes
from rateway.simulator.options import SimulatorOptions
from rateway.simulator.simulator import Simulator
from tests.integration.program import Program, until
from tests.integration.worker import Worker
from tests.support.broker import PrivateBroker

TOKEN = "benchmark-token"
MARK = "BENCH_MARK"
INTENTS = 53608447


@frozen
class Variant:
    """A way to run: its name, and rateway's settings for it."""

    name: str
    cache: bool
    paced: bool
    mix: str = "realistic"


@frozen
class Result:
    """What a run cost."""

    events: int
    cpu: float
    resident: int

    @property
    def per_event(self) -> float:
        """Microseconds of CPU per event."""
        return self.cpu / self.events * 1e6


FORMS = ("batch", "paced")
VARIANTS = tuple(
    Variant(f"{FORMS[paced]}, {'cache' if cache else 'no cache'}", cache, paced)
    for paced in (False, True)
    for cache in (False, True)
)


async def measure(
    reactor: Any, variant: Variant, shards: int, events: int, amqp: str, more: Mapping[str, str] | None = None
) -> Result:
    """One run of one variant.

    :param shards: in batch form.
    :param more: settings besides.
    """
    shards *= 16 if variant.paced else 1
    simulator = Simulator(
        reactor,
        SimulatorOptions(
            shards=shards,
            max_concurrency=shards,
            guilds=shards * 4,
            members=50,
            mix=variant.mix,
            token=TOKEN,
            journal_limit=100,
            replay_limit=10,
        ),
    )
    await simulator.start()
    worker = await Worker.connect(reactor, amqp)
    with tempfile.TemporaryDirectory(prefix="rateway-bench-") as folder:
        await worker.bind(1, [MARK])
        program = Program(
            reactor,
            Path(folder),
            {
                "DISCORD_TOKEN": TOKEN,
                "INTENTS": str(INTENTS),
                "AMQP_URI": amqp,
                "DISCORD_API_URL": simulator.api_url,
                "EXTRA_SHARDS": "0",
                "TOTAL_SHARDS": str(shards),
                "SHARDS_PER_CLUSTER": str(shards),
                "PROCESSES": "1",
                "CACHE_ENABLED": str(variant.cache).lower(),
                "STATE_DIR": str(Path(folder) / "state"),
                **(more or {}),
            },
        )
        try:
            everyone = set(range(shards))
            await until(reactor, lambda: simulator.connected_shards() == everyone, "all shards", 60)
            await warm_up(reactor, simulator, worker, shards)
            before, sent = cpu_seconds(program.pid), simulator.sent
            while simulator.sent - sent < events:
                simulator.traffic.happen(8 if variant.paced else 400)
                await breathe(reactor, 0.002 if variant.paced else 0.01)
            await marked(reactor, simulator, worker, shards)
            cpu = cpu_seconds(program.pid) - before
            return Result(simulator.sent - sent, cpu, resident_bytes(program.pid))
        finally:
            await program.stop()
            await worker.close()
            await simulator.stop()


async def warm_up(reactor: Any, simulator: Simulator, worker: Worker, shards: int) -> None:
    """Let the backfill and the first events pass."""
    simulator.traffic.happen(2000)
    await marked(reactor, simulator, worker, shards)


async def marked(reactor: Any, simulator: Simulator, worker: Worker, shards: int) -> None:
    """Wait until all that was sent before has reached the broker."""
    worker.events.clear()
    for shard in range(shards):
        simulator.dispatch(shard, MARK, b"{}")
    await until(reactor, lambda: len(worker.events) == shards, "the marks", 120)


def breathe(reactor: Any, seconds: float) -> Deferred[None]:
    """Let the sockets be written and read."""
    return deferLater(reactor, seconds, lambda: None)


def report(results: dict[str, list[Result]]) -> None:
    """The table for docs/benchmarks.md, and the same as JSON."""
    medians = {name: statistics.median(result.per_event for result in runs) for name, runs in results.items()}
    print("| variant | µs CPU per event, median | min – max | MB resident |")
    print("|---|---|---|---|")
    for name, runs in results.items():
        costs = [result.per_event for result in runs]
        memory = max(result.resident for result in runs) / 1e6
        print(f"| {name} | {medians[name]:.1f} | {min(costs):.1f} – {max(costs):.1f} | {memory:.0f} |")
    for paced in FORMS:
        without, with_cache = medians.get(f"{paced}, no cache"), medians.get(f"{paced}, cache")
        if without and with_cache:
            print(f"\n{paced}: the cache costs {with_cache / without:.2f} times what events cost without it")
    print(ujson.dumps({name: [round(run.per_event, 2) for run in runs] for name, runs in results.items()}))


async def run(reactor: Any, options: argparse.Namespace) -> None:
    """All variants in turn, as often as asked."""
    broker = None if options.amqp else PrivateBroker()
    results: dict[str, list[Result]] = {}
    try:
        if broker is not None:
            await broker.start()
        amqp = options.amqp or broker.vhost.uri  # type: ignore[union-attr]
        for number in range(options.rounds):
            for variant in [each for each in VARIANTS if options.form in ("both", FORMS[each.paced])]:
                print(f"round {number + 1} of {options.rounds}: {variant.name}", file=sys.stderr, flush=True)
                result = await measure(reactor, evolve(variant, mix=options.mix), options.shards, options.events, amqp)
                results.setdefault(variant.name, []).append(result)
        report(results)
    finally:
        if broker is not None:
            await broker.remove()


def main(reactor: Any, *argv: str) -> Deferred[None]:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m bench.events", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--events", type=int, default=40_000, help="events of each run (default %(default)s)")
    parser.add_argument("--shards", type=int, default=4, help="shards in batch form; 16 times as many paced")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each variant (default %(default)s)")
    parser.add_argument("--mix", default="realistic", help="of events, as the simulator's (default %(default)s)")
    parser.add_argument("--form", choices=(*FORMS, "both"), default="both", help="how they are offered")
    parser.add_argument("--amqp", help="a broker to use instead of a private one")
    return Deferred.fromCoroutine(run(reactor, parser.parse_args(argv)))


if __name__ == "__main__":
    react(main, sys.argv[1:])
