"""What is said at the end: a line of numbers, and the rules that were broken."""

from __future__ import annotations

from collections.abc import Sequence

from .records import Breach, Journal

_LISTED = 20
"""Breaches up to this many are listed one by one; more are grouped."""

_COUNTED = (
    ("connections", "connections"),
    ("identifies", "identifies"),
    ("resumes", "resumes"),
    ("wasted", "sessions wasted"),
    ("requests", "REST requests"),
    ("breaches", "breaches"),
)


def summary(journal: Journal, *, live: int, sent: int, rows: Sequence[str] = ()) -> str:
    """What happened, in one line.

    :param live: sessions that live.
    :param sent: events sent.
    :param rows: further parts.
    """
    seconds = journal.clock.seconds() - journal.began
    parts = [f"{live} sessions live"]
    parts += [f"{journal.totals.get(kind, 0)} {name}" for kind, name in _COUNTED]
    return ", ".join([*parts, f"{sent} events sent", *rows, f"{seconds:.1f} s"])


def report(journal: Journal) -> str:
    """``no rule broken``, or the breaches with their times (seconds since the simulator began), shards and details.

    More than 20 are grouped by rule and shard, with the first and the last time and the last detail.
    """
    total = journal.totals.get("breaches", 0)
    if not total:
        return "no rule broken"
    lines = ["1 rule broken:" if total == 1 else f"rules broken {total} times:"]
    breaches = journal.breaches
    if total <= _LISTED:
        lines += [f"  {_when(journal, breach.at)} {_where(breach)}: {breach.detail}" for breach in breaches]
    else:
        lines += _grouped(journal)
    if total > len(breaches):
        lines.append(f"  of the first {total - len(breaches)} only the number is known")
    return "\n".join(lines)


def _grouped(journal: Journal) -> list[str]:
    groups: dict[tuple[str, int | None], list[Breach]] = {}
    for breach in journal.breaches:
        groups.setdefault((breach.rule, breach.shard), []).append(breach)
    lines = []
    for group in sorted(groups.values(), key=lambda group: -len(group)):
        first, last = group[0], group[-1]
        times = _when(journal, first.at)
        if len(group) > 1:
            times = f"{len(group)} times from {times} to {_when(journal, last.at)}"
        lines.append(f"  {_where(first)}, {times}: {last.detail}")
    return lines


def _when(journal: Journal, at: float) -> str:
    return f"+{at - journal.began:.3f} s"


def _where(breach: Breach) -> str:
    return breach.rule if breach.shard is None else f"{breach.rule}, shard {breach.shard}"
