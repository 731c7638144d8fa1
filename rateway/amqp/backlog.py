"""What of a cluster's events lies on disk, or had to be left where nothing has room for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall

from rateway.spool.record import SpooledEvent
from rateway.spool.spool import Spool, SpoolFull

from .frames import read_event
from .room import Room
from .window import Entry

READ_AGAIN = 1.0
"""Seconds after which a spool is read again that could not be read."""


def event_of(entry: Entry) -> SpooledEvent:
    """An entry with frames, as the spool has it."""
    name, received_ms, body = read_event(entry[0] or b"")
    return SpooledEvent(entry[1], entry[2], entry[3], name, received_ms, body)


@define(eq=False)
class Backlog:
    """The spool, and what didn't fit into it; and which sequences are kept by being here.

    :ivar _readable: called when the spool may be read again that could not be.
    :ivar over: events that the disk doesn't take either, in memory: reading from Discord has stopped meanwhile.
    """

    spool: Spool
    _room: Room
    _on_kept: Callable[[Mapping[int, tuple[str, int]]], None]
    _clock: Any
    _readable: Callable[[], None]
    over: list[SpooledEvent] = field(factory=list, init=False)
    _call: IDelayedCall | None = field(default=None, init=False)
    _kept: dict[int, tuple[str, int]] = field(factory=dict, init=False)
    _told: dict[int, tuple[str, int]] = field(factory=dict, init=False)

    @property
    def is_first(self) -> bool:
        """Events that are not in memory come before what comes now."""
        return bool(self.spool.unread or self.over)

    def __len__(self) -> int:
        """Events that are not among those in flight or in line."""
        return self.spool.unread + len(self.over)

    def put(self, events: Sequence[SpooledEvent]) -> None:
        """Behind all that is here."""
        if self.over or not self.write(events):
            self.over += events

    def write(self, events: Sequence[SpooledEvent]) -> bool:
        """Write events down that are on disk alone from now on; ``False`` if the disk doesn't take them."""
        try:
            self.spool.append(events)
        except SpoolFull as full:
            self._room.is_full(str(full))
            return False
        self._note(events)
        return True

    def write_down(self, entries: Sequence[Entry]) -> range | None:
        """Write entries down that stay in memory; their places, or ``None`` if the disk doesn't take them."""
        events = list(map(event_of, entries))
        try:
            last = self.spool.append(events, taken=True)
        except SpoolFull as full:
            self._room.is_full(str(full))
            return None
        self._note(events)
        return range(last - len(events) + 1, last + 1)

    def write_over(self) -> bool:
        """Try to write down what the disk refused before."""
        over, self.over = self.over, []
        if over and not self.write(over):
            self.over = over
        self.tell()
        return not self.over

    def take_over(self) -> list[SpooledEvent]:
        """What the disk refused, for memory has room for it now."""
        over, self.over = self.over, []
        return over

    def note(self, shard_id: int, session_id: str, seq: int) -> None:
        """All of the session's events up to this one are confirmed or on disk."""
        self._kept[shard_id] = (session_id, seq)

    def tell(self) -> None:
        """Tell of what is kept since this was last called."""
        if self._kept:
            kept, self._kept = self._kept, {}
            self._told.update(kept)
            self._on_kept(kept)

    def read(self, limit: int) -> list[tuple[int, SpooledEvent]] | None:
        """The next events of the spool; ``None`` if they can't be read just now: whoever wants them is called then."""
        batch = self.spool.read(limit)
        if batch or not self.spool.unread:
            return batch
        if self._call is None or not self._call.active():
            self._call = self._clock.callLater(READ_AGAIN, self._readable)
        return None

    def stop(self) -> None:
        """Read no more."""
        if self._call is not None and self._call.active():
            self._call.cancel()

    def let_go(self, gone: Mapping[int, tuple[str, int, int]]) -> None:
        """The last expired event of each shard, nothing before it being open: session, sequence, place in the spool."""
        for shard, (session, seq, place) in gone.items():
            if place > 0:
                self.spool.confirm(place)
            else:
                self.note_expired(shard, session, seq)
        self.tell()

    def note_expired(self, shard_id: int, session_id: str, seq: int) -> None:
        """An event that nothing is open before any more; a later one may have been told of."""
        told = self._told.get(shard_id)
        if told is None or told[0] != session_id or told[1] < seq:
            self.note(shard_id, session_id, seq)

    def _note(self, events: Sequence[SpooledEvent]) -> None:
        for event in events:
            self._kept[event.shard_id] = (event.session_id, event.seq)
