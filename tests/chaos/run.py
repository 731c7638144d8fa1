"""One seed: faults drawn by it, checks in between, and on failure all that is needed to see the same again."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from random import Random
from typing import Any

from tests.support.processes import own_memory

from .faults import draw
from .figures import MIB, Figures
from .node import Node
from .world import Layout, World

CHECK_EVERY = 6
"""Faults after which everything is healed and judged."""

_SAID = 8000
"""Characters of rateway's log that are shown."""


class Broken(AssertionError):
    """What was promised doesn't hold; the text says after which faults."""


async def run(
    reactor: Any,
    node: Node,
    seed: int,
    faults: int,
    every: int = CHECK_EVERY,
    tell: Callable[[str], None] = lambda words: None,
    figures: Figures | None = None,
) -> Figures:
    """So many faults.

    :param tell: hears of each fault and each check.
    :param figures: what is counted goes there: so it is known as well of a run that breaks off.
    :raises Broken: if anything is not as it must be.
    """
    random, layout = Random(seed), Layout()
    settings = {"COMPRESSION": random.choice(("zlib-stream", "zstd-stream", "none"))}
    world = World(reactor, node, seed, layout, settings, query=random.choice(("", "?heartbeat=2")))
    world.figures = figures = figures or Figures()
    history: list[str] = []

    def note(words: str) -> None:
        history.append(f"{reactor.seconds() - began:7.1f} s  {words}")
        tell(f"seed {seed}: {history[-1]}")

    began = reactor.seconds()
    try:
        await world.begin()
        for number, fault in enumerate(islice(draw(random, layout.shards, layout.clusters), faults), start=1):
            figures.faults[fault.kind] += 1
            note(f"{number}. {fault.words}")
            await fault.do(world)
            await world.pause(fault.gap)
            if number % every == 0 or number == faults:
                await world.check(last=number == faults)
                note(f"checked: {figures.events} events so far; this process has {own_memory() / MIB:.0f} MiB")
            if world.wrong:
                raise AssertionError("what was promised doesn't hold")
    except Exception as error:
        raise Broken(_explain(error, seed, faults, every, history, world)) from error
    finally:
        await world.end()
    return figures


def _explain(error: Exception, seed: int, faults: int, every: int, history: list[str], world: World) -> str:
    said = world.fleet.text[-_SAID:] if hasattr(world, "fleet") else "nothing"
    return "\n".join(
        (
            f"{type(error).__name__}: {error}",
            f"seed {seed}; for the same once more: python -m tests.chaos --seed {seed} --faults {faults} "
            f"--every {every}",
            "the faults so far:",
            *history,
            "what is wrong:",
            *(world.wrong or ["(nothing but the error above)"]),
            "rateway said:",
            said,
        )
    )
