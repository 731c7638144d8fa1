"""Events on their way to the broker: none is let go until the broker confirms it.

An event is in one of these places, and goes from one to the next in order:

* *in line*: in memory, as the bytes that publish it, not written on this connection yet;
* *in flight* (``window``): written, and not confirmed yet;
* *on disk* (``backlog``): when memory is full, what it alone holds is written down, and so is what comes, until the
  disk's has been read again. In flight and in line are then copies of what lies at its front.

When a connection is lost, what was in flight goes back in front of the line: first deliveries stay in order. What the
broker refuses is put aside (``refused``). When the disk takes no more, the cluster stops reading from Discord.

``on_kept`` hears, per shard, up to which sequence *every* event of the session is confirmed or on disk; it never says
too much, and at times a little less than could be said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, succeed

from rateway.errors import Unavailable
from rateway.model.dispatch import Dispatch
from rateway.spool.record import SpooledEvent
from rateway.spool.spool import Spool, SpoolFull

from .backlog import Backlog, event_of
from .client import Client
from .drain import Drain
from .expiry import Expiry
from .frames import EventEncoder, resplit
from .line import Line, bytes_of
from .refused import Refused
from .room import Room
from .window import Entry, Window

CHUNK = 256 * 1024
"""Bytes of a write: after each, the transport says whether it takes more."""


@define(eq=False)
class Publisher:
    """Holds and sends the events of one cluster.

    :ivar held_bytes: what events in memory take, as frames.
    """

    _clock: Any
    _exchange: str
    _encoder: EventEncoder
    _expiry: Expiry
    _spool: Spool
    _refused_spool: Spool
    _on_kept: Callable[[Mapping[int, tuple[str, int]]], None]
    _on_room: Callable[[bool], None]
    _memory: int
    held_bytes: int = field(default=0, init=False)
    _in_memory: int = field(default=0, init=False)
    """Events in line and in flight."""
    _client: Client | None = field(default=None, init=False)
    _blocked: bool = field(default=False, init=False)
    _waited: bool = field(default=False, init=False)
    """What is in line was not written in the turn in which it came, or came late."""
    _line: Line = field(factory=Line, init=False)
    _window: Window = field(factory=Window, init=False)
    _done: int = field(default=0, init=False)
    """Up to which index of the spool all is settled."""
    _drain: Drain = field(init=False)
    _room: Room = field(init=False)
    _backlog: Backlog = field(init=False)
    _refused: Refused = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._drain = Drain(self._clock)
        self._room = Room(self._clock, self._exchange, self._on_room, self._make_room)
        self._backlog = Backlog(self._spool, self._room, self._on_kept, self._clock, self.flush)
        self._refused = Refused(self._clock, self._exchange, self._refused_spool, self._try_again)

    @property
    def held_events(self) -> int:
        """Events that the broker has not confirmed, wherever they are."""
        return self._in_memory + len(self._backlog) + self._refused.on_disk

    @property
    def spooled_events(self) -> int:
        """Those of them that are on disk alone."""
        return self._spool.unread + self._refused.on_disk

    @property
    def oldest_in_flight(self) -> Entry | None:
        """What was written first and is not settled, while the broker takes events."""
        return None if self._blocked else self._window.oldest()

    # Events

    def publish(self, shard_id: int, session_id: str, dispatches: Sequence[Dispatch], received_ms: int) -> None:
        """Prepare events and hold them; :meth:`flush` writes them."""
        if self._backlog.is_first:
            self._backlog.put(
                [SpooledEvent(shard_id, session_id, seq, name, received_ms, body) for seq, name, body in dispatches]
            )
            return
        if self._expiry.is_late(received_ms):
            self._waited = True
        frames = self._encoder.encode(shard_id, session_id, dispatches, received_ms)
        size = sum(map(len, frames))
        self._line.extend(self._expiry.fresh(frames, shard_id, session_id, dispatches, received_ms), size)
        self.held_bytes += size
        self._in_memory += len(frames)
        if self.held_bytes > self._memory and not self._room.full:
            self._spill(keep_line=False)

    def flush(self) -> None:
        """Write what is due, as long as the transport takes it."""
        self._backlog.tell()
        client, line = self._client, self._line
        if client is None or self._blocked:
            self._waited = True
            return
        while client.writable and not self._window.full and self.held_bytes - line.size < self._memory:
            if not line and self._spool.unread:
                self._read_spool()
            if not line:
                self._waited = False
                return
            entries = line.take(CHUNK)
            if self._waited:
                entries = self._unexpired(entries)
            if entries:
                self._window.add(entries)
                client.write_now(b"".join([entry[0] for entry in entries]))  # type: ignore[misc]
        self._waited = True

    # The connection

    def attach(self, client: Client) -> None:
        """A connection whose first channel is open, in confirm mode; the exchange exists."""
        self._client = client
        self._blocked = False
        frame_max = client.frame_max
        if frame_max < self._encoder.frame_max:
            before = self._line.size
            self._line.rewrite(lambda entry: (resplit(entry[0] or b"", frame_max), *entry[1:]))
            self.held_bytes += self._line.size - before
        self._encoder.frame_max = frame_max
        client.on_confirm = self.confirm
        client.on_writable = self.flush
        self._refused.start()
        self.flush()

    def detach(self) -> None:
        """The connection is gone: what it did not confirm is in line again, in front."""
        self._client, self._waited = None, True
        self.report()
        self._line.put_back(self._window.open())
        self._window.clear()

    def block(self, reason: str | None) -> None:
        """The broker is short of memory or disk, for this reason, or no longer is."""
        self._blocked = reason is not None
        if reason is None:
            self.flush()

    def _unexpired(self, entries: Sequence[Entry]) -> list[Entry]:
        """Those that are still worth something after they were in line, each with what is left of its time."""
        left, gone = self._expiry.waited(self._encoder, entries)
        for entry in gone:
            self._let_go(*entry[1:5])
        self.held_bytes += bytes_of(left) - bytes_of(entries)
        self._in_memory -= len(gone)
        return left

    def _let_go(self, shard_id: int, session_id: str, seq: int, place: int) -> None:
        """An event has expired."""
        if place < 0:
            self._refused.settled(1)
        else:
            self._expiry.gone[shard_id] = (session_id, seq, place)

    # The disk

    def secure(self) -> None:
        """Write down all that memory alone holds: no resume brings it back, or no process of ours will be there."""
        self._spill(keep_line=True)

    def _spill(self, *, keep_line: bool) -> bool:
        """Write down what memory alone holds, in order; says whether the disk took it.

        :param keep_line: if not, what is in line is let go from memory, to be read again.
        """
        if self._spool.unread:
            # Then nothing is in memory alone, but what the disk refused.
            return self._backlog.write_over()
        flying, waiting = [entry for entry in self._window.open() if entry[4] == 0], self._line.unplaced()
        places = self._backlog.write_down(flying)
        if places is None:
            return False
        self._window.place(places)
        if not keep_line and waiting:
            if not self._backlog.write(list(map(event_of, waiting))):
                return False
            self.held_bytes -= self._line.size
            self._line.drop_unplaced()
            self.held_bytes += self._line.size
            self._in_memory -= len(waiting)
        else:
            places = self._backlog.write_down(waiting)
            if places is None:
                return False
            self._line.place(places)
        self._backlog.tell()
        return True

    def _read_spool(self) -> None:
        """The next events from disk, unless memory holds enough."""
        while self._spool.unread and not self._line and self.held_bytes < self._memory // 2:
            batch = self._backlog.read(CHUNK)
            if batch is None:
                return
            self._take_in(batch)

    def _take_in(self, batch: Iterable[tuple[int, SpooledEvent]]) -> None:
        """Events from disk, with their places, are in line too; what has expired is let go."""
        for place, event in batch:
            entry = self._expiry.entry(self._encoder, event, place)
            if entry is None:
                self._let_go(event.shard_id, event.session_id, event.seq, place)
                continue
            size = len(entry[0] or b"")
            self._line.extend((entry,), size)
            self.held_bytes += size
            self._in_memory += 1

    def _make_room(self) -> bool:
        """Find a place for what had none; says whether reading may go on."""
        half = self._memory // 2
        if self._backlog.over and not self._spool.unread and self.held_bytes < half:
            self._take_in([(0, event) for event in self._backlog.take_over()])
            self.flush()
        elif self._backlog.over:
            if not self._spool.unread and not self._spill(keep_line=False):
                return False
            if not self._backlog.write_over():
                return False
        if self._spool.unread:
            return self._spool.size <= self._spool.limit // 4 * 3
        return self.held_bytes < half or self._spill(keep_line=False)

    # Confirms

    def confirm(self, first: int, last: int, ack: bool) -> None:
        """The broker confirmed or refused what has these delivery tags, as :class:`.receiver.Receiver` tells them."""
        window = self._window
        start, end = window.between(first, last)
        if start == end:
            return
        if not ack:
            self._refuse(start, end)
        elif start == window.head:
            self._settle(window.settle(end))
            return
        else:
            for _, entry in window.open_in(start, end):
                self.held_bytes -= len(entry[0] or b"")
                self._in_memory -= 1
                if entry[4] < 0:
                    self._refused.settled(1)
            window.mark(start, end)
        self._settle(window.settle(window.head))

    def _settle(self, settled: Sequence[Entry]) -> None:
        size = count = 0
        last: dict[int, Entry] = {}
        for entry in settled:
            frames, shard, _, _, place, _ = entry
            if frames is not None:
                size += len(frames)
                count += 1
            if not place:
                last[shard] = entry
            elif place > 0:
                self._done = place
            elif frames is not None:
                self._refused.settled(1)
        for entry in last.values():
            self._backlog.note(entry[1], entry[2], entry[3])
        self.held_bytes -= size
        self._in_memory -= count

    def _refuse(self, first: int, end: int) -> None:
        """Put events aside. If they can't be, all that is in flight is sent again, on a new connection."""
        open_ones = self._window.open_in(first, end)
        for again in (False, True):
            refused = [(index, entry) for index, entry in open_ones if (entry[4] < 0) == again]
            if not refused:
                continue
            try:
                self._refused.put([event_of(entry) for _, entry in refused], again=again)
                if any(entry[4] > 0 for _, entry in refused):
                    # The copy in the other spool, which the disk itself may hold, goes with the next confirm.
                    self._refused_spool.sync()
            except (SpoolFull, OSError) as full:
                raise Unavailable(f"the broker refuses events, and they can't be put aside: {full}") from None
            for index, entry in refused:
                self._window.mark(index, index + 1)
                self.held_bytes -= len(entry[0] or b"")
            self._in_memory -= len(refused)

    def _try_again(self, batch: Sequence[tuple[int, SpooledEvent]]) -> None:
        self._take_in([(-index, event) for index, event in batch])
        self.flush()

    def report(self) -> None:
        """Tell what the last read settled; called at its end."""
        self._backlog.tell()
        if not self._in_memory:
            # Also what was confirmed out of order on a connection that broke then.
            self._spool.confirm_taken()
        elif self._done:
            self._spool.confirm(self._done)
        self._done = 0
        if self._expiry.gone and not self._in_memory:
            self._backlog.let_go(self._expiry.settle())
        if self._room.full:
            self._room.check()
        if self._spool.unread or self._line:
            self.flush()
        if self._drain and not self._in_memory:
            self._drain.done(not self._spool.unread)

    def drained(self, timeout: float) -> Deferred[bool]:
        """Fires with whether everything was confirmed within that many seconds.

        At once with ``False`` if more waits on disk: that is a matter of longer than a stop may last.
        """
        self.flush()
        if self._backlog.is_first or not self._in_memory:
            return succeed(not self._backlog.is_first)
        return self._drain.wait(timeout)

    def stop(self) -> None:
        """No more retries."""
        self._refused.stop()
        self._room.stop()
        self._backlog.stop()
        self._expiry.say()
