"""Events that are worth nothing after a while (EVENT_TTL): how long each has left, and how many were dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from attrs import define, field
from twisted.logger import Logger

from rateway.model.dispatch import Dispatch
from rateway.spool.record import SpooledEvent

from .backlog import event_of
from .frames import EventEncoder
from .window import Entry

LATE = 100
"""Milliseconds after which it counts that an event had to wait before it came here, as behind a huge one."""

SAY_EVERY = 60.0
"""Seconds between log lines about dropped events."""


@define(eq=False)
class Expiry:
    """Counts the time of events from when they were received.

    :ivar ttl: event name → how long an event of that name is worth something, in ms.
    :ivar dropped: how many of each name were dropped.
    :ivar gone: by shard, session, sequence and place of the last one: it is settled once nothing before it is open.
    """

    _log = Logger()

    ttl: Mapping[str, int]
    _now: Callable[[], float]
    """The time in seconds since 1970."""
    _exchange: str
    dropped: Counter[str] = field(factory=Counter, init=False)
    gone: dict[int, tuple[str, int, int]] = field(factory=dict, init=False)
    _unsaid: Counter[str] = field(factory=Counter, init=False)
    _said: float | None = field(default=None, init=False)

    def expires(self, name: str, received_ms: int) -> int:
        """When, in ms since 1970; 0 for never."""
        ttl = self.ttl.get(name)
        return 0 if ttl is None else received_ms + ttl

    def is_late(self, received_ms: int) -> bool:
        """Whether an event that was received then, and comes now, may have less left than its whole time."""
        return bool(self.ttl) and self._now() * 1000 - received_ms > LATE

    def fresh(
        self,
        frames: Sequence[bytes],
        shard_id: int,
        session_id: str,
        dispatches: Sequence[Dispatch],
        received_ms: int,
    ) -> list[Entry]:
        """Events that came just now, as memory alone holds them."""
        pairs = zip(frames, dispatches, strict=True)
        if not self.ttl:
            return [(data, shard_id, session_id, dispatch[0], 0, 0) for data, dispatch in pairs]
        expires = self.expires
        return [
            (data, shard_id, session_id, dispatch[0], 0, expires(dispatch[1], received_ms)) for data, dispatch in pairs
        ]

    def entry(self, encoder: EventEncoder, event: SpooledEvent, place: int) -> Entry | None:
        """An event that has waited, as bytes with what is left of its time; ``None`` if nothing is."""
        expires = self.expires(event.name, event.received_ms)
        left = expires - int(self._now() * 1000) if expires else None
        if left is not None and left < 1:
            self._drop(event.name)
            return None
        frames = encoder.late(
            event.shard_id, event.session_id, (event.seq, event.name, event.body), event.received_ms, left
        )
        return (frames, event.shard_id, event.session_id, event.seq, place, expires)

    def waited(self, encoder: EventEncoder, entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
        """Entries that were in line: those still worth something, with what is left of their time; and the others."""
        left: list[Entry] = []
        gone: list[Entry] = []
        for entry in entries:
            changed = self.entry(encoder, event_of(entry), entry[4]) if entry[5] else entry
            if changed is None:
                gone.append(entry)
            else:
                left.append(changed)
        return left, gone

    def _drop(self, name: str) -> None:
        self.dropped[name] += 1
        self._unsaid[name] += 1
        now = self._now()
        if self._said is None or not 0 <= now - self._said < SAY_EVERY:
            self.say()

    def settle(self) -> Mapping[int, tuple[str, int, int]]:
        """What was let go: nothing before it is open any more."""
        gone, self.gone = self.gone, {}
        return gone

    def say(self) -> None:
        """Tell of those that nothing was said of yet."""
        if self._unsaid:
            self._said = self._now()
            counts = ", ".join(f"{count} {name}" for name, count in self._unsaid.most_common())
            self._unsaid.clear()
            self._log.warn(
                "events for {exchange} had waited longer than EVENT_TTL lets them, and were dropped: {counts}",
                exchange=self._exchange,
                counts=counts,
            )
