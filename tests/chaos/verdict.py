"""What must hold once all is healed, and what of it doesn't."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .figures import MIB

if TYPE_CHECKING:
    from .world import World

STOP_WITHIN, EARLY_STOP_WITHIN = 5.0, 10.0
"""Seconds from SIGTERM to the end: of a rateway that had started, and of one that was starting. Those in which it was
ready to run, but the machine let others run, are not its own."""

PARENT_MEMORY, CHILD_MEMORY = 120 * MIB, 256 * MIB
"""What a process may have in memory (RSS). A child of two clusters holds 32 MiB of events that the broker hasn't
confirmed, and what one read of each shard brought."""

ENDING = frozenset({1000, 1001, None})
"""Codes that end a session when a client closes with them; None is a close frame without one."""


def find_wrong(world: World) -> list[str]:
    """All that isn't as it must be since the last check, in words."""
    simulator, fleet, ledger = world.simulator, world.fleet, world.ledger
    ledger.judge(simulator.events)
    fleet.look_for_dead_children()
    wrong = [*ledger.wrong, *fleet.wrong]
    ledger.wrong.clear()
    fleet.wrong.clear()
    wrong += [f"breach: {breach}" for breach in simulator.breaches]
    wrong += [f"wasted: {wasted}" for wasted in simulator.wasted]
    # None of the faults ends a session: each shard identifies once in the whole run.
    if world.figures.identifies + len(simulator.identifies) != world.layout.shards:
        wrong.append(f"identified anew: {simulator.identifies}")
    odd = {close.code for close in simulator.closes} & ENDING
    if odd:
        wrong.append(f"sessions closed for good: codes {odd}")
    if world.traffic.failure:
        wrong.append(world.traffic.failure)
    if world.disk is not None and world.disk.mounted and world.disk.fillings != world.figures.faults["full-disk"]:
        wrong.append(f"the disk was full {world.disk.fillings} times in {world.figures.faults['full-disk']} faults")
    for stops, within in ((fleet.stops, STOP_WITHIN), (fleet.early_stops, EARLY_STOP_WITHIN)):
        wrong += [f"SIGTERM took {took:.2f} s, {within:g} are allowed" for took in stops if took >= within]
    for who, peak, bound in (("parent", fleet.parent_peak, PARENT_MEMORY), ("child", fleet.child_peak, CHILD_MEMORY)):
        if not 0 < peak < bound:
            wrong.append(f"a {who} had {peak / MIB:.0f} MiB, {bound / MIB:.0f} are allowed")
    return wrong
