"""What the guarantees of delivery cost an event: CPU time of rateway's whole process tree, with them and without.

``all``         rateway as it is
``no cursors``  the broker confirms, and events are held till then; but how far each session has come is not written
                down, neither with the cache nor in the slots
``none``        published and forgotten: no confirms, nothing held, nothing written down

Each round has each of them once, one after the other with the same traffic of ``bench.events``, so that what else the
machine does weighs on all of them alike; what counts are the ratios within a round.

    python -m bench.guarantees [--rounds 5] [--events 40000] [--shards 4] [--amqp URI]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from pathlib import Path
from typing import Any

import ujson
from twisted.internet.defer import Deferred
from twisted.internet.task import react

from bench.events import VARIANTS, Result, Variant, measure
from tests.integration.program import ROOT
from tests.support.broker import PrivateBroker

UNGUARDED = Path(__file__).with_name("unguarded")
MODES = {"none": "confirms", "no cursors": "cursors", "all": ""}
"""What is there → what is taken away."""

MORE_IN_BATCHES = 5
"""An event in a batch costs so little that it takes more of them to be measured: the kernel counts in 10 ms."""


def environ(without: str) -> dict[str, str]:
    """Settings for a rateway without these guarantees."""
    if not without:
        return {}
    path = os.pathsep.join(filter(None, (str(UNGUARDED), str(ROOT), os.environ.get("PYTHONPATH"))))
    return {"PYTHONPATH": path, "RATEWAY_BENCH_WITHOUT": without}


Costs = dict[str, dict[str, list[float]]]
"""Variant → mode → µs per event of each round."""


def report(costs: Costs) -> None:
    """The table for docs/benchmarks.md, and the same as JSON."""
    print("| variant | µs, none | µs, no cursors | µs, all | cursors cost | all guarantees cost |")
    print("|---|---|---|---|---|---|")
    for variant, modes in costs.items():
        medians = " | ".join(f"{statistics.median(modes[mode]):.1f}" for mode in MODES)
        print(f"| {variant} | {medians} | {ratio(modes, 'no cursors')} | {ratio(modes, 'none')} |")
    print(ujson.dumps({f"{variant}: {mode}": runs for variant, modes in costs.items() for mode, runs in modes.items()}))


def ratio(modes: dict[str, list[float]], base: str) -> str:
    """How much dearer all guarantees are than this, within a round: median, least and most."""
    more = [(full / less - 1) * 100 for full, less in zip(modes["all"], modes[base], strict=True)]
    return f"{statistics.median(more):+.0f} % ({min(more):+.0f} – {max(more):+.0f})"


async def run(reactor: Any, options: argparse.Namespace) -> None:
    """All rounds."""
    broker = None if options.amqp else PrivateBroker()
    costs: Costs = {variant.name: {mode: [] for mode in MODES} for variant in VARIANTS}
    try:
        if broker is not None:
            await broker.start()
        amqp = options.amqp or broker.vhost.uri  # type: ignore[union-attr]
        for number in range(options.rounds):
            for variant in VARIANTS:
                for mode, without in MODES.items():
                    result = await one(reactor, variant, without, options, amqp)
                    costs[variant.name][mode].append(round(result.per_event, 2))
                    print(
                        f"round {number + 1} of {options.rounds}: {variant.name}, {mode}: {result.per_event:.1f} µs",
                        file=sys.stderr,
                        flush=True,
                    )
        report(costs)
    finally:
        if broker is not None:
            await broker.remove()


async def one(reactor: Any, variant: Variant, without: str, options: argparse.Namespace, amqp: str) -> Result:
    """One run."""
    more = 1 if variant.paced else MORE_IN_BATCHES
    return await measure(reactor, variant, options.shards, options.events * more, amqp, environ(without))


def main(reactor: Any, *argv: str) -> Deferred[None]:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m bench.guarantees", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="(default %(default)s)")
    parser.add_argument(
        "--events", type=int, default=40_000, help="of each run; five times as many in batches (default %(default)s)"
    )
    parser.add_argument("--shards", type=int, default=4, help="shards in batch form; 16 times as many paced")
    parser.add_argument("--amqp", help="a broker to use instead of a private one")
    return Deferred.fromCoroutine(run(reactor, parser.parse_args(argv)))


if __name__ == "__main__":
    react(main, sys.argv[1:])
