"""What was sent against what arrived.

First deliveries must be in order, but for one thing that no sender can help: a RabbitMQ that is killed may keep events
that it did not confirm, and lose earlier ones that it did not confirm either (a classic queue writes large messages to
another file than small ones). All of them are published again then, in order: the lost one comes for the first time
behind the others, and these come once more behind it. All of them were sent before it died: what is sent later goes to
the next broker, behind all that was not confirmed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeAlias
from zlib import crc32

from attrs import define, field

from rateway.simulator.records import Sent
from tests.integration.worker import Received

Identity: TypeAlias = tuple[int, str, int]
"""Shard, session, sequence: together they are an event's message_id."""

_NEVER_REPLAYED = "RESUMED"
"""It is part of no replay: who dies on receiving it never gets it again. So it may be missing."""

_SHOWN = 5


def identity(message_id: str) -> Identity:
    """:raises ValueError: if it is none of rateway's."""
    shard, session, seq = message_id.split(":")
    return int(shard), session, int(seq)


def digest(name: str, body: bytes) -> tuple[str, int, int]:
    """What two deliveries of the same event share."""
    return name, len(body), crc32(body)


@define(eq=False)
class Ledger:
    """Deliveries in order of arrival, judged as they come.

    :ivar wrong: what must not be, in words; every kind of fault is written out a few times and counted.
    :ivar arrived: events that came; ``duplicates`` how many came once more than needed; ``late`` how many came for the
        first time behind later ones, for the broker had lost them alone.
    """

    wrong: list[str] = field(factory=list)
    arrived: int = 0
    duplicates: int = 0
    late: int = 0
    _faults: Counter[str] = field(factory=Counter)
    _seen: dict[Identity, tuple[str, int, int]] = field(factory=dict)
    _seen_before: dict[Identity, tuple[str, int, int]] = field(factory=dict)
    """Of the period before: a process that dies may deliver its last events again."""
    _last: dict[int, tuple[str, int]] = field(factory=dict)
    """The newest first delivery of each shard."""
    _over: set[tuple[int, str]] = field(factory=set)
    """Sessions that another one of their shard followed."""
    _owed: set[Identity] = field(factory=set)
    """What came before an earlier event, and must come once more behind it."""
    _at_stake: dict[tuple[int, str], int] = field(factory=dict)
    """Shard and session → the sequence up to which a broker that died may have lost events amid others."""

    def broker_died(self, newest: Iterable[Identity]) -> None:
        """A broker is dead by now.

        :param newest: the newest event of each session, RESUMED included: of nothing later may the broker have lost
            some amid others.
        """
        self._at_stake.update({(shard, session): seq for shard, session, seq in newest})

    def arrive(self, event: Received) -> None:
        """A delivery."""
        try:
            key = identity(event.properties.message_id)
        except (ValueError, AttributeError):
            self._note("odd-id", f"{event.key} has the message_id {event.properties.message_id!r}")
            return
        if (event.shard, event.seq) != (key[0], key[2]):
            self._note("odd-headers", f"{key} has the headers shard_id {event.shard} and seq {event.seq}")
        new = digest(event.key, event.body)
        old = self._seen.get(key) or self._seen_before.get(key)
        if old is not None:
            self.duplicates += 1
            self._owed.discard(key)
            if old != new:
                self._note("unequal-duplicate", f"{key} came as {old}, then as {new}")
            return
        self._seen[key] = new
        self.arrived += 1
        self._check_order(key)

    def _check_order(self, key: Identity) -> None:
        shard, session, seq = key
        last = self._last.get(shard)
        if last is not None and last[0] == session:
            if seq < last[1]:
                if last[1] <= self._at_stake.get((shard, session), 0):
                    self.late += 1
                    self._owed |= self._came_between(key, last[1])
                else:
                    self._note("out-of-order", f"{key} came for the first time after sequence {last[1]}")
                return
        elif last is not None:
            self._over.add((shard, last[0]))
        if (shard, session) in self._over:
            self._note("out-of-order", f"{key} came for the first time after a later session's events")
            return
        self._last[shard] = (session, seq)

    def _came_between(self, key: Identity, last: int) -> set[Identity]:
        shard, session, first = key
        between = ((shard, session, seq) for seq in range(first + 1, last + 1))
        found = {each: self._seen.get(each) or self._seen_before.get(each) for each in between}
        return {each for each, seen in found.items() if seen is not None and seen[0] != _NEVER_REPLAYED}

    def lacks(self, sent: Mapping[Identity, Sent]) -> bool:
        """Whether some of these have not arrived, or not once more where they must."""
        if self._owed:
            return True
        if self.arrived and len(self._seen) < len(sent):
            return True
        return any(key not in self._seen and key not in self._seen_before for key in sent)

    def judge(self, sent: Iterable[Sent]) -> None:
        """All that was sent must have arrived, byte for byte, and nothing else."""
        known: set[Identity] = set()
        for event in sent:
            key = (event.shard, event.session_id, event.seq)
            known.add(key)
            found = self._seen.get(key)
            if found is None:
                self._note("lost", f"{key} {event.name} never came")
            elif found != digest(event.name, event.d):
                self._note("changed", f"{key} was sent as {digest(event.name, event.d)}, and came as {found}")
        for key, found in self._seen.items():
            if key not in known and found[0] != _NEVER_REPLAYED:
                self._note("invented", f"{key} {found[0]} was never sent")
        for key in self._owed:
            self._note("out-of-order", f"{key} came before an earlier event, and never again behind it")
        self._owed.clear()
        self._sum_up()

    def roll(self) -> None:
        """A new period: what is sent from now on is judged by itself."""
        self._seen_before, self._seen = self._seen, {}
        self._at_stake.clear()

    def _note(self, kind: str, words: str) -> None:
        self._faults[kind] += 1
        if self._faults[kind] <= _SHOWN:
            self.wrong.append(f"{kind}: {words}")

    def _sum_up(self) -> None:
        for kind, count in self._faults.items():
            if count > _SHOWN:
                self.wrong.append(f"{kind}: {count} times in all")
        self._faults.clear()


def by_identity(events: Iterable[Sent]) -> dict[Identity, Sent]:
    """Events under what becomes their message_id."""
    return {(event.shard, event.session_id, event.seq): event for event in events}
