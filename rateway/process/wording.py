"""Numbers as an operator reads them."""

from __future__ import annotations

import signal
from collections.abc import Collection

from rateway.model.plan import Cluster
from rateway.store.found import Found


def duration(seconds: float) -> str:
    """``3 h 20 min``, ``5 min``, ``12 s``."""
    whole = max(1, round(seconds))
    if whole < 120:
        return f"{whole} s"
    minutes = round(whole / 60)
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def counted(number: int, noun: str) -> str:
    """``1 shard``, ``2 shards``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}{'es' if noun.endswith('s') else 's'}"


def clusters_named(clusters: tuple[Cluster, ...]) -> str:
    """``cluster 3``, ``clusters 1 to 4``; a process's share is always a run of numbers."""
    if len(clusters) == 1:
        return f"cluster {clusters[0].number}"
    return f"clusters {clusters[0].number} to {clusters[-1].number}"


def cache_found(found: Collection[Found], now: float) -> str:
    """What an earlier run left of a process's cache, and how old it is."""
    kept = [each for each in found if each.written is not None]
    if not kept:
        return "the cache begins empty: Discord fills it"
    guilds = counted(sum(each.guilds for each in kept), "guild")
    members = counted(sum(each.members for each in kept), "member")
    age = duration(now - max(each.written or 0.0 for each in kept))
    rest = len(found) - len(kept)
    without = f"; {rest} of {counted(len(found), 'cluster')} begin without one" if rest else ""
    return f"the cache has {guilds} and {members} from an earlier run, written until {age} ago{without}"


def end_of_process(exit_code: int | None, signal_number: int | None) -> str:
    """How a process ended."""
    if signal_number is not None:
        try:
            name = signal.Signals(signal_number).name
        except ValueError:
            name = str(signal_number)
        return f"was killed by {name}"
    return f"ended with exit code {exit_code}"
