"""Conditions that may be waited for by HTTP: records of a kind, or the state of shards."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from ..records import KINDS
from .verbs.action import Count, ShardNumber
from .views import MOST_RECORDS, as_value, numbered

if TYPE_CHECKING:
    from ..simulator import Simulator

LONGEST = 3600.0
"""Seconds one may wait at most."""

STATES = ("ready", "away", "sent")
"""What can be waited for besides records."""


class Wait(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to wait for, until so many of it are there."""

    what: Annotated[
        str,
        Meta(
            description=f"records of a kind ({', '.join(KINDS)}); ready: shards that get their events; away: sessions "
            "without a connection; sent: events sent"
        ),
    ] = msgspec.field(name="for")
    count: Annotated[Count, Meta(description="how many of them")] = 1
    shard: Annotated[ShardNumber | list[ShardNumber] | None, Meta(description="only of this shard, or these")] = None
    after: Annotated[int, Meta(ge=0, description="only records with a number above this one")] = 0
    where: Annotated[dict[str, Any], Meta(description='only records with these fields, e.g. {"answer": "resumed"}')] = (
        msgspec.field(default_factory=dict)
    )
    timeout: Annotated[float, Meta(ge=0, le=LONGEST, description="seconds until it is given up")] = 10.0

    def __post_init__(self) -> None:
        if self.what not in KINDS and self.what not in STATES:
            raise ValueError(f"there is no waiting for {self.what!r}; there is {', '.join((*KINDS, *STATES))}")
        if self.what in STATES and (self.where or self.after):
            raise ValueError(f"where and after go with records, not with {self.what!r}")
        if self.what == "sent" and self.shard is not None:
            raise ValueError("events sent are counted over all shards")

    def met(self, simulator: Simulator) -> Callable[[], list[Any] | None]:
        """A predicate: what was waited for, or None while it isn't there."""

        if self.what == "sent":
            return lambda: [simulator.sent] if simulator.sent >= self.count else None
        hits = self._shards if self.what in STATES else self._records
        return lambda: self.found(simulator) if len(hits(simulator)) >= self._wanted() else None

    def found(self, simulator: Simulator) -> list[Any]:
        """What is there of it: the newest records, or shards, or a number."""
        if self.what == "sent":
            return [simulator.sent]
        if self.what in STATES:
            return self._shards(simulator)
        return [{"number": number, **as_value(record)} for number, record in self._records(simulator)[-MOST_RECORDS:]]

    def _shards(self, simulator: Simulator) -> list[int]:
        if self.what == "ready":
            return sorted(shard for shard in simulator.connected_shards() if self._concerns(shard))
        sessions = simulator.hub.sessions
        return sorted(s.shard for s in sessions if s.connection is None and self._concerns(s.shard))

    def _records(self, simulator: Simulator) -> list[tuple[int, Any]]:
        first, log = numbered(simulator, self.what)
        start = max(0, self.after + 1 - first)
        return [
            (number, record)
            for number, record in enumerate(log[start:], first + start)
            if self._concerns(getattr(record, "shard", None)) and self._matches(record)
        ]

    def _wanted(self) -> int:
        several = len(set(self.shard)) if isinstance(self.shard, list) and self.what in STATES else 1
        return max(self.count, several)

    def _concerns(self, shard: int | None) -> bool:
        if self.shard is None:
            return True
        return shard in self.shard if isinstance(self.shard, list) else shard == self.shard

    def _matches(self, record: Any) -> bool:
        return all(getattr(record, name, None) == value for name, value in self.where.items())


def parse_wait(value: object) -> Wait:
    """What a JSON object asks to be waited for.

    :raises ValueError: for what can't be waited for, in a sentence.
    """
    try:
        return msgspec.convert(value, Wait)
    except msgspec.ValidationError as error:
        raise ValueError(f"this can't be waited for: {error}") from None
