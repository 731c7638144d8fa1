"""What the facts say about an expectation: met, failed, or not known yet."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

from attrs import frozen

from .conditions import meets
from .facts import Delivery, Fact
from .format import Apart, Expect, Kind

State: TypeAlias = Literal["pending", "met", "failed"]

_VARIETY = 0.05
"""How far apart the least and the greatest value of ``varies`` must be."""


class Seen(Protocol):
    """What is to be seen of clients, see :class:`~rateway.simulator.scenario.facts.Facts`."""

    @property
    def now(self) -> float: ...

    def of(self, kind: Kind) -> list[Fact]: ...

    def deliveries(self) -> list[Delivery]: ...


@frozen
class Outcome:
    """What is known of one expectation.

    :ivar reason: why it failed, or what it waits for.
    """

    state: State
    reason: str = ""


@frozen
class Moment:
    """From when on, and how sternly, expectations are judged.

    :ivar start: the client's arrival.
    :ivar marks: the moments of the steps that have one and were done.
    :ivar owed: the sequence of each session when the last step was done; None before.
    :ivar slack: seconds allowed to the machine: added to every upper bound of a time.
    """

    start: float
    marks: Mapping[str, float]
    owed: Mapping[str, int] | None = None
    slack: float = 0.0


def judge(expect: Expect, seen: Seen, moment: Moment) -> Outcome:
    """What is known of an expectation now; once failed, it stays so."""
    since = moment.marks.get(expect.since) if expect.since else None
    if expect.since and since is None:
        return Outcome("pending", f"the step {expect.since!r} has not been done")
    kind = expect.kind
    if kind is None:
        return _delivered(expect, seen, moment, since)
    facts = [fact for fact in seen.of(kind) if (since is None or fact["at"] >= since) and meets(fact, expect.where)]
    begin = moment.start if since is None else since
    if expect.never:
        return Outcome("failed", f"seen {_told(facts[0], begin)}") if facts else Outcome("met")
    if expect.always:
        return _always(facts, expect, begin)
    return _see(facts, expect, seen.now, begin, moment.slack)


def is_about_the_end(expect: Expect) -> bool:
    """Whether it can still fail once it is met."""
    return bool(expect.never or expect.always) or expect.most is not None


def _told(fact: Fact, begin: float) -> str:
    fields = ", ".join(f"{name} {value}" for name, value in fact.items() if name != "at" and value != "")
    return f"after {fact['at'] - begin:.2f} s: {fields}"


def _always(facts: Sequence[Fact], expect: Expect, begin: float) -> Outcome:
    for fact in facts:
        if not meets(fact, expect.must):
            return Outcome("failed", f"must be {dict(expect.must)}, seen {_told(fact, begin)}")
    return Outcome("met")


def _see(facts: Sequence[Fact], expect: Expect, now: float, begin: float, slack: float) -> Outcome:
    trouble = _trouble(facts, expect, begin, slack)
    if trouble:
        return Outcome("failed", trouble)
    least, within = expect.least, expect.within
    enough = len(facts) >= least
    if within is not None and least:
        latest = facts[least - 1]["at"] if enough else now
        if latest > begin + within + slack:
            late = f"{least} came after {latest - begin:.2f} s" if enough else f"{len(facts)} of {least} came"
            return Outcome("failed", f"not within {within:g} s: {late}")
    if enough:
        return Outcome("met")
    return Outcome("pending", f"{len(facts)} of {least} {expect.kind} came")


def _trouble(facts: Sequence[Fact], expect: Expect, begin: float, slack: float) -> str:
    """What is wrong with the facts there are, whatever may follow."""
    most = expect.most
    if most is not None and len(facts) > most:
        return f"more than {most}: the next {_told(facts[most], begin)}"
    if expect.not_before is not None and facts and facts[0]["at"] < begin + expect.not_before:
        return f"not before {expect.not_before:g} s, but {_told(facts[0], begin)}"
    if expect.apart is not None:
        trouble = _too_near_or_far(facts, expect.apart, expect.per, slack)
        if trouble:
            return trouble
    if expect.rising:
        values = [fact[expect.rising] for fact in facts]
        for earlier, later in itertools.pairwise(values):
            if later < earlier:
                return f"{expect.rising} must not fall, but {later} came after {earlier}: {values}"
    enough = len(facts) >= expect.least
    if expect.varies and enough:
        values = [fact[expect.varies] for fact in facts]
        if max(values, default=0) - min(values, default=0) < _VARIETY:
            return f"{expect.varies} must differ, but is {', '.join(f'{value:.3f}' for value in values)}"
    if expect.regular is not None:
        return _irregular(facts, expect.regular, slack, enough)
    return ""


def _grouped(facts: Iterable[Fact], name: str) -> dict[Any, list[Fact]]:
    groups: dict[Any, list[Fact]] = {}
    for fact in facts:
        groups.setdefault(fact[name] if name else None, []).append(fact)
    return groups


def _too_near_or_far(facts: Sequence[Fact], apart: Apart, per: str, slack: float) -> str:
    for value, group in _grouped(facts, per).items():
        whose = f" of {per} {value}" if per else ""
        for earlier, later in itertools.pairwise(group):
            gap = later["at"] - earlier["at"]
            if apart.least is not None and gap < apart.least:
                return f"two{whose} were {gap:.3f} s apart, must be {apart.least:g} s at least"
            if apart.most is not None and gap > apart.most + slack:
                return f"two{whose} were {gap:.3f} s apart, must be {apart.most:g} s at most"
    return ""


def _irregular(facts: Sequence[Fact], share: float, slack: float, enough: bool) -> str:
    for connection, beats in _grouped(facts, "connection").items():
        seconds = beats[0]["interval"]
        first = beats[0]
        if first["number"] == 1 and first["phase"] * seconds > (1.0 + share) * seconds + slack:
            return f"the first heartbeat of connection {connection} came {first['phase']:.3f} intervals after HELLO"
        gaps = [fact["gap"] for fact in beats if fact["gap"] >= 0]
        for gap in gaps:
            if abs(gap - 1.0) * seconds > share * seconds + slack:
                return f"two heartbeats of connection {connection} were {gap:.3f} intervals apart"
        mean = sum(gaps) / len(gaps) if gaps else 1.0
        if enough and gaps and abs(mean - 1.0) * seconds > share * seconds + slack / len(gaps):
            return f"the heartbeats of connection {connection} were {mean:.3f} intervals apart in the mean"
    return ""


def _delivered(expect: Expect, seen: Seen, moment: Moment, since: float | None) -> Outcome:
    if moment.owed is None:
        return Outcome("pending", "not all steps are done")
    found = seen.deliveries()
    missing = [
        f"shard {each.shard}: {each.acknowledged} of {moment.owed.get(each.session_id, each.seq)}"
        for each in found
        if each.acknowledged < moment.owed.get(each.session_id, each.seq)
    ]
    if found and not missing:
        return Outcome("met")
    reason = "acknowledged are " + ", ".join(missing) if found else "no session lives"
    begin = moment.start if since is None else since
    if expect.within is not None and seen.now > begin + expect.within + moment.slack:
        return Outcome("failed", f"not within {expect.within:g} s: {reason}")
    return Outcome("pending", reason)
