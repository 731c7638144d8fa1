"""One long absence of the broker under heavy load: what waits on disk takes no memory, and arrives in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .figures import MIB, Figures
from .node import Node
from .world import Layout, World

RATE, EVENT_BYTES = 2000.0, 580
"""Events a second, and what makes each about 600 bytes long."""

GROWTH = 100 * MIB
"""Bytes by which a child's memory may grow over what it had under the same load before."""

SETTLE, AFTER = 4.0, 4.0
"""Seconds of load before the broker goes, and after it is back."""


async def outage(
    reactor: Any, node: Node, seconds: float, seed: int = 1, tell: Callable[[str], None] = lambda words: None
) -> tuple[Figures, int]:
    """Kill the broker for so long, and check that all is delivered after it.

    :returns: what was counted, and the bytes by which the memory of a child grew.
    :raises AssertionError: if anything is not as it must be.
    """
    layout = Layout(shards=4, per_cluster=4, numbered=RATE, lively=0.0, event_bytes=EVENT_BYTES, small_disk=False)
    world = World(reactor, node, seed, layout, {})
    try:
        await world.begin()
        await world.pause(SETTLE)
        before = world.fleet.child_peak
        tell(f"the broker goes for {seconds:g} s; a child has {before / MIB:.0f} MiB")
        sent = world.traffic.sent
        world.figures.faults["broker-killed"] += 1
        await world.kill_broker(seconds)
        away = world.traffic.sent - sent
        tell(f"it is back; {away} events were sent meanwhile; a child had {world.fleet.child_peak / MIB:.0f} MiB")
        await world.pause(AFTER)
        await world.check(last=True)
        growth = world.fleet.child_peak - before
        if growth >= GROWTH:
            world.wrong.append(f"a child's memory grew by {growth / MIB:.0f} MiB")
        if away < seconds * RATE * 0.9:
            world.wrong.append(f"only {away} events were sent while the broker was away: this machine is too slow")
        if world.wrong:
            raise AssertionError("\n".join((*world.wrong, "rateway said:", world.fleet.text[-8000:])))
        return world.figures, growth
    finally:
        await world.end()
