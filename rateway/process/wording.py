"""Numbers as an operator reads them."""

from __future__ import annotations

import signal

from rateway.model.plan import Cluster


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


def end_of_process(exit_code: int | None, signal_number: int | None) -> str:
    """How a process ended."""
    if signal_number is not None:
        try:
            name = signal.Signals(signal_number).name
        except ValueError:
            name = str(signal_number)
        return f"was killed by {name}"
    return f"ended with exit code {exit_code}"
