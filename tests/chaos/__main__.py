"""``python -m tests.chaos``: any number of faults, or one long outage, as one command."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.error import ReactorNotRunning
from twisted.python.failure import Failure

from scripts import rabbitmq_node

from .figures import MIB, Figures
from .node import Node
from .outage import outage
from .run import CHECK_EVERY, Broken, run


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


async def _one_world(reactor: Any, node: Node, seed: int, faults: int, every: int, figures: Figures) -> None:
    try:
        await run(reactor, node, seed, faults, every, _tell, figures)
    except Exception as error:
        # At once: the other worlds may go on for hours.
        _tell(str(error) if isinstance(error, Broken) else Failure().getTraceback())
        raise


async def _soak(reactor: Any, options: argparse.Namespace) -> Figures:
    counted = [Figures() for _ in range(options.worlds)]
    try:
        await _all_worlds(reactor, options, counted)
    except BaseException:
        total = _sum(counted)
        if total.checks:
            _tell(f"what was checked before, and was well:\n{total.report()}")
        raise
    return _sum(counted)


def _sum(counted: list[Figures]) -> Figures:
    total = Figures()
    for figures in counted:
        total.add(figures)
    return total


async def _all_worlds(reactor: Any, options: argparse.Namespace, counted: list[Figures]) -> None:
    """Each ends what it started; a world that breaks leaves the others alone.

    :raises Broken: if one of them broke.
    """
    nodes = [Node(reactor) for _ in range(options.worlds)]
    for node in nodes:
        reactor.addSystemEventTrigger("after", "shutdown", node.remove_blocking)
    shares = [
        options.faults // options.worlds + (turn < options.faults % options.worlds) for turn in range(options.worlds)
    ]
    runs = [
        Deferred.fromCoroutine(_one_world(reactor, node, options.seed + turn, share, options.every, figures))
        for turn, (node, share, figures) in enumerate(zip(nodes, shares, counted, strict=True))
    ]
    broken = [result for good, result in await DeferredList(runs, consumeErrors=True) if not good]
    if broken:
        raise Broken(f"{len(broken)} of {options.worlds} worlds broke: see above")


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

    async def work() -> None:
        nonlocal code
        try:
            figures = await (_one_outage if options.outage else _soak)(reactor, options)
        except (AssertionError, CancelledError) as error:
            _tell(str(error) or "ended before its time")
        else:
            _tell(figures.report())
            code = 0

    def begin() -> None:
        working = Deferred.fromCoroutine(work())
        ended: Deferred[None] = Deferred()

        def end(_: object) -> None:
            ended.callback(None)
            # After Ctrl-C it is stopping already.
            with suppress(ReactorNotRunning):
                reactor.stop()

        def interrupt() -> Deferred[None]:
            """What was started is ended before this process is."""
            working.cancel()
            return ended

        working.addErrback(lambda failure: _tell(failure.getTraceback()))
        working.addCallback(end)
        reactor.addSystemEventTrigger("before", "shutdown", interrupt)

    reactor.callWhenRunning(begin)
    reactor.run()
    return code


if __name__ == "__main__":
    sys.exit(main())
