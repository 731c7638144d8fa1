"""What an event costs: CPU time of rateway's whole process tree per event, without and with the cache.

The simulators run in this process and aren't counted; neither is the broker. Each variant gets the same traffic of the
same seeded world, by default the realistic mix: what a bot with all intents sees. ``batch`` offers it in handfuls of
hundreds per shard, so that a read holds many events; ``paced`` one by one over many shards, so that a read holds about
one.

In each round rateway without and with the cache run side by side, and get a handful each in turn: so what else the
machine does weighs on both alike. What counts is the ratio.

    python -m bench.events [--events 40000] [--shards 4] [--rounds 3] [--mix messages] [--form batch]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ujson
from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react
from twisted.internet.threads import deferToThread

from bench.cputime import cpu_seconds, resident_bytes
from rateway.simulator.options import SimulatorOptions
from rateway.simulator.simulator import Simulator
from tests.integration.program import Program, until
from tests.integration.worker import Worker
from tests.support.broker import PrivateBroker, Vhost

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


class Trial:
    """One rateway under measurement, and a Discord of its own. Begin with :meth:`start`.

    :ivar shards: how many it has.
    """

    def __init__(
        self, reactor: Any, variant: Variant, shards: int, amqp: str, more: Mapping[str, str] | None = None
    ) -> None:
        """
        :param shards: in batch form; 16 times as many paced.
        :param more: settings besides.
        """
        self.shards = shards * 16 if variant.paced else shards
        self._reactor = reactor
        self._variant = variant
        self._amqp = amqp
        self._more = more or {}
        self._folder = tempfile.TemporaryDirectory(prefix="rateway-bench-")
        self._program: Program | None = None
        self._worker: Worker | None = None
        self._before, self._sent = 0.0, 0
        self._simulator = Simulator(
            reactor,
            SimulatorOptions(
                shards=self.shards,
                max_concurrency=self.shards,
                guilds=self.shards * 4,
                members=50,
                mix=variant.mix,
                token=TOKEN,
                journal_limit=100,
                replay_limit=10,
            ),
        )

    async def start(self) -> None:
        """Everything runs, and backfill and first events have passed: from now on it counts."""
        await self._simulator.start()
        self._worker = await Worker.connect(self._reactor, self._amqp)
        await self._worker.bind(1, [MARK])
        self._program = Program(self._reactor, Path(self._folder.name), self._environ())
        everyone = set(range(self.shards))
        await until(self._reactor, lambda: self._simulator.connected_shards() == everyone, "all shards", 60)
        self._simulator.traffic.happen(2000)
        await self.settled()
        self._before, self._sent = cpu_seconds(self._program.pid), self._simulator.sent

    def _environ(self) -> dict[str, str]:
        return {
            "DISCORD_TOKEN": TOKEN,
            "INTENTS": str(INTENTS),
            "AMQP_URI": self._amqp,
            "DISCORD_API_URL": self._simulator.api_url,
            "EXTRA_SHARDS": "0",
            "TOTAL_SHARDS": str(self.shards),
            "SHARDS_PER_CLUSTER": str(self.shards),
            "PROCESSES": "1",
            "CACHE_ENABLED": str(self._variant.cache).lower(),
            "STATE_DIR": str(Path(self._folder.name) / "state"),
            **self._more,
        }

    @property
    def sent(self) -> int:
        """Events that count, so far."""
        return self._simulator.sent - self._sent

    def happen(self) -> None:
        """A handful of events."""
        self._simulator.traffic.happen(8 if self._variant.paced else 400)

    async def settled(self) -> None:
        """Wait until all that was sent before has reached the broker."""
        worker = self._worker
        assert worker is not None, "it was not started"
        worker.events.clear()
        for shard in range(self.shards):
            self._simulator.dispatch(shard, MARK, b"{}")
        await until(self._reactor, lambda: len(worker.events) == self.shards, "the marks", 120)

    def result(self) -> Result:
        """What it cost."""
        assert self._program is not None, "it was not started"
        cpu = cpu_seconds(self._program.pid) - self._before
        return Result(self.sent, cpu, resident_bytes(self._program.pid))

    async def stop(self) -> None:
        """End all of it."""
        if self._program is not None:
            await self._program.stop()
        if self._worker is not None:
            await self._worker.close()
        await self._simulator.stop()
        self._folder.cleanup()


async def measure(reactor: Any, trials: Sequence[Trial], paced: bool, events: int) -> list[Result]:
    """So many events for each, a handful in turn."""
    try:
        for trial in trials:
            await trial.start()
        while any(trial.sent < events for trial in trials):
            for trial in trials:
                trial.happen()
            await breathe(reactor, 0.002 if paced else 0.01)
        for trial in trials:
            await trial.settled()
        return [trial.result() for trial in trials]
    finally:
        for trial in trials:
            await trial.stop()


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
    for form in FORMS:
        pairs = zip(results.get(f"{form}, no cache", ()), results.get(f"{form}, cache", ()), strict=True)
        ratios = [with_cache.per_event / without.per_event for without, with_cache in pairs]
        if ratios:
            print(
                f"\n{form}: with the cache an event costs {statistics.median(ratios):.2f} times what it costs without "
                f"({min(ratios):.2f} – {max(ratios):.2f})"
            )
    print(ujson.dumps({name: [round(run.per_event, 2) for run in runs] for name, runs in results.items()}))


async def run(reactor: Any, options: argparse.Namespace) -> None:
    """All rounds."""
    broker = PrivateBroker()
    results: dict[str, list[Result]] = {}
    try:
        await broker.start()
        # Each has exchanges of the same names.
        uris = [(await another_vhost(broker.vhost)).uri for _ in range(2)]
        for number in range(options.rounds):
            for form in FORMS if options.form == "both" else (options.form,):
                pair = [each for each in VARIANTS if FORMS[each.paced] == form]
                trials = [
                    Trial(reactor, evolve(variant, mix=options.mix), options.shards, uri)
                    for variant, uri in zip(pair, uris, strict=True)
                ]
                found = await measure(reactor, trials, pair[0].paced, options.events)
                for variant, result in zip(pair, found, strict=True):
                    results.setdefault(variant.name, []).append(result)
                told = ", ".join(
                    f"{variant.name} {result.per_event:.1f} µs" for variant, result in zip(pair, found, strict=True)
                )
                print(f"round {number + 1} of {options.rounds}: {told}", file=sys.stderr, flush=True)
        report(results)
    finally:
        await broker.remove()


async def another_vhost(first: Vhost) -> Vhost:
    """One more on the same broker."""
    vhost = Vhost(first.uri, first.api, f"bench-{uuid.uuid4().hex[:12]}")
    await deferToThread(vhost.api.call, "PUT", "vhosts", vhost.name)
    grants = {"configure": ".*", "write": ".*", "read": ".*"}
    await deferToThread(vhost.api.call, "PUT", "permissions", vhost.name, vhost.api.user, body=grants)
    return vhost


def main(reactor: Any, *argv: str) -> Deferred[None]:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m bench.events", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--events", type=int, default=40_000, help="events of each run (default %(default)s)")
    parser.add_argument("--shards", type=int, default=4, help="shards in batch form; 16 times as many paced")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each variant (default %(default)s)")
    parser.add_argument("--mix", default="realistic", help="of events, as the simulator's (default %(default)s)")
    parser.add_argument("--form", choices=(*FORMS, "both"), default="both", help="how they are offered")
    return Deferred.fromCoroutine(run(reactor, parser.parse_args(argv)))


if __name__ == "__main__":
    react(main, sys.argv[1:])
