"""What the guarantees of delivery cost an event: CPU time of rateway's whole process tree, with them and without.

``all``         rateway as it is
``no cursors``  the broker confirms, and events are held till then; but how far each session has come is not written
                down, neither with the cache nor in the slots
``none``        published and forgotten: no confirms, nothing held, nothing written down

In each round the three run side by side, each with a Discord of its own, and get the traffic of ``bench.events``
in turn, a handful each: so what else the machine does weighs on all of them alike. What counts are the ratios.

    python -m bench.guarantees [--rounds 5] [--events 40000] [--shards 4] [--form batch]
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

from bench.events import FORMS, VARIANTS, Trial, another_vhost, measure
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
    broker = PrivateBroker()
    variants = [each for each in VARIANTS if options.form in ("both", FORMS[each.paced])]
    costs: Costs = {variant.name: {mode: [] for mode in MODES} for variant in variants}
    try:
        await broker.start()
        # Each has exchanges of the same names.
        uris = [(await another_vhost(broker.vhost)).uri for _ in MODES]
        for number in range(options.rounds):
            for variant in variants:
                trials = [
                    Trial(reactor, variant, options.shards, uri, environ(without))
                    for uri, without in zip(uris, MODES.values(), strict=True)
                ]
                events = options.events * (1 if variant.paced else MORE_IN_BATCHES)
                results = await measure(reactor, trials, variant.paced, events)
                for mode, result in zip(MODES, results, strict=True):
                    costs[variant.name][mode].append(round(result.per_event, 2))
                told = ", ".join(f"{mode} {runs[-1]:.1f}" for mode, runs in costs[variant.name].items())
                print(f"round {number + 1} of {options.rounds}: {variant.name}: {told} µs", file=sys.stderr, flush=True)
        report(costs)
    finally:
        await broker.remove()


def main(reactor: Any, *argv: str) -> Deferred[None]:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m bench.guarantees", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="(default %(default)s)")
    parser.add_argument(
        "--events", type=int, default=40_000, help="of each run; five times as many in batches (default %(default)s)"
    )
    parser.add_argument("--form", choices=(*FORMS, "both"), default="both", help="how events are offered")
    parser.add_argument("--shards", type=int, default=4, help="shards in batch form; 16 times as many paced")
    return Deferred.fromCoroutine(run(reactor, parser.parse_args(argv)))


if __name__ == "__main__":
    react(main, sys.argv[1:])
