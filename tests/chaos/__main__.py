"""``python -m tests.chaos``: any number of faults, or one long outage, as one command."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from scripts import rabbitmq_node

from .figures import MIB, Figures
from .node import Node
from .outage import outage
from .run import CHECK_EVERY, run


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description="rateway, a simulated Discord and a RabbitMQ of its own, under faults drawn at random; ends with "
        "what was counted, and with exit code 1 if anything was lost, out of order, or identified anew.",
    )
    parser.add_argument("--faults", type=int, default=60, help="how many, over all worlds (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the first world; the others have the next ones")
    parser.add_argument("--worlds", type=int, default=1, help="how many run beside each other, with a node each")
    parser.add_argument("--every", type=int, default=CHECK_EVERY, help="faults between checks (default: %(default)s)")
    parser.add_argument(
        "--outage",
        type=float,
        metavar="SECONDS",
        help="instead of faults: the broker is away for so long at 2,000 events/s of 600 bytes; ten minutes take this "
        "process 2 GB of memory",
    )
    return parser.parse_args()


def _tell(words: str) -> None:
    print(words, flush=True)


async def _soak(reactor: Any, options: argparse.Namespace) -> Figures:
    nodes = [Node(reactor) for _ in range(options.worlds)]
    for node in nodes:
        reactor.addSystemEventTrigger("after", "shutdown", node.remove_blocking)
    shares = [
        options.faults // options.worlds + (turn < options.faults % options.worlds) for turn in range(options.worlds)
    ]
    runs = [
        Deferred.fromCoroutine(run(reactor, node, options.seed + turn, share, options.every, _tell))
        for turn, (node, share) in enumerate(zip(nodes, shares, strict=True))
    ]
    total = Figures()
    for figures in await gatherResults(runs, consumeErrors=True):
        total.add(figures)
    return total


async def _one_outage(reactor: Any, options: argparse.Namespace) -> Figures:
    node = Node(reactor)
    reactor.addSystemEventTrigger("after", "shutdown", node.remove_blocking)
    figures, growth = await outage(reactor, node, options.outage, options.seed, _tell)
    _tell(f"a child's memory grew by {growth / MIB:.0f} MiB")
    return figures


def main() -> int:
    options = _arguments()
    rabbitmq_node.ensure_installed()
    from twisted.internet import reactor as untyped

    reactor: Any = untyped
    code = 1

    def done(figures: Figures) -> None:
        nonlocal code
        code = 0
        print(figures.report(), flush=True)

    def failed(failure: Any) -> None:
        print(failure.getErrorMessage() or failure.getTraceback(), flush=True)

    def begin() -> None:
        work = Deferred.fromCoroutine((_one_outage if options.outage else _soak)(reactor, options))
        work.addCallbacks(done, failed)
        work.addCallback(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    return code


if __name__ == "__main__":
    sys.exit(main())
