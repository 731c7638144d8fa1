"""Events on their way to the broker: each is held, as the bytes that publish it, until the broker confirms it.

An event is in one of three places. *Waiting*: not written on this connection yet. *Sent*: written, in the order of
the delivery tags the broker counts; an event that is confirmed out of order stays there as a mark until all before it
are settled. *Refused*: the broker nacked it; it waits for its next try while others flow on.

When a connection is lost, what was sent and not confirmed goes back in front of what is waiting: first deliveries
stay in order. What was refused is sent again later, and order is not promised for it.

``on_kept`` hears, per shard, up to which sequence *every* event of the session is confirmed; it never says too much,
and at times a little less than could be said.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, TypeAlias

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from rateway.errors import RemoteProtocolError
from rateway.model.dispatch import Dispatch

from .client import Client
from .frames import EventEncoder, resplit

CHUNK = 256 * 1024
"""Bytes of a write: after each, the transport says whether it takes more."""

FIRST_RETRY, LONGEST_RETRY = 1.0, 60.0
"""Seconds until a refused event is tried again: doubling from the first to the longest."""

SAY_EVERY = 60.0
"""Seconds between log lines about refused events."""

_COMPACT = 256

Entry: TypeAlias = tuple[bytes | None, int, str, int]
"""``(frames, shard, session, sequence)``; without frames it is a mark: confirmed, but not all before it are."""

_Key: TypeAlias = tuple[int, str, int]


@define(eq=False)
class Publisher:
    """Holds and sends the events of one cluster.

    :ivar held_events: events that the broker has not confirmed.
    :ivar held_bytes: what they take, as frames.
    """

    _log = Logger()

    _clock: Any
    _exchange: str
    _encoder: EventEncoder
    _on_kept: Callable[[Mapping[int, tuple[str, int]]], None]
    _on_room: Callable[[bool], None]
    _high_water: int
    held_events: int = field(default=0, init=False)
    held_bytes: int = field(default=0, init=False)
    _client: Client | None = field(default=None, init=False)
    _blocked: bool = field(default=False, init=False)
    _full: bool = field(default=False, init=False)
    _waiting: deque[Entry] = field(factory=deque, init=False)
    _waiting_bytes: int = field(default=0, init=False)
    _sent: list[Entry | None] = field(factory=list, init=False)
    _base: int = field(default=1, init=False)
    """The delivery tag of the first of ``_sent``."""
    _head: int = field(default=0, init=False)
    """Where in ``_sent`` the first unsettled event is."""
    _kept: dict[int, Entry] = field(factory=dict, init=False)
    _refused: dict[_Key, int] = field(factory=dict, init=False)
    """How often each event was refused that is not confirmed yet."""
    _stuck: dict[tuple[int, str], int] = field(factory=dict, init=False)
    """How many refused events each session has: its cursor stands still meanwhile."""
    _behind: dict[tuple[int, str], Entry] = field(factory=dict, init=False)
    """Where the cursor of such a session goes then."""
    _retries: list[tuple[float, Entry]] = field(factory=list, init=False)
    _retry_call: IDelayedCall | None = field(default=None, init=False)
    _said: float | None = field(default=None, init=False)
    _refusals: int = field(default=0, init=False)
    _drained: list[Deferred[bool]] = field(factory=list, init=False)

    # Events

    def publish(self, shard_id: int, session_id: str, dispatches: Sequence[Dispatch], received_ms: int) -> None:
        """Prepare events and hold them; :meth:`flush` writes them."""
        frames = self._encoder.encode(shard_id, session_id, dispatches, received_ms)
        self._waiting.extend(
            [(data, shard_id, session_id, dispatch[0]) for data, dispatch in zip(frames, dispatches, strict=True)]
        )
        size = sum(map(len, frames))
        self._waiting_bytes += size
        self.held_bytes += size
        self.held_events += len(frames)
        if self.held_bytes > self._high_water and not self._full:
            self._full = True
            self._on_room(False)

    def flush(self) -> None:
        """Write what is waiting, as long as the transport takes it."""
        client = self._client
        if client is None or self._blocked:
            return
        waiting = self._waiting
        while waiting and client.writable:
            if self._waiting_bytes <= CHUNK:
                entries = list(waiting)
                waiting.clear()
                self._waiting_bytes = 0
            else:
                entries = self._take_chunk()
            self._sent += entries
            client.write(b"".join([entry[0] for entry in entries]))  # type: ignore[misc]

    def _take_chunk(self) -> list[Entry]:
        size = count = 0
        for entry in self._waiting:
            size += len(entry[0] or b"")
            count += 1
            if size >= CHUNK:
                break
        entries = list(islice(self._waiting, count))
        for _ in entries:
            self._waiting.popleft()
        self._waiting_bytes -= size
        return entries

    # The connection

    def attach(self, client: Client) -> None:
        """A connection whose first channel is open, in confirm mode; the exchange exists."""
        self._client = client
        self._blocked = False
        if client.frame_max < self._encoder.frame_max:
            self._recut(client.frame_max)
        self._encoder.frame_max = client.frame_max
        client.on_confirm = self.confirm
        client.on_writable = self.flush
        self.flush()

    def detach(self) -> None:
        """The connection is gone: what it did not confirm is waiting again, in front."""
        self._client = None
        self.report()
        for entry in self._sent[self._head :]:
            if entry is not None and entry[0] is None:
                # Confirmed, though not all before it: its cursor waits for the next event.
                self._forgiven(entry)
        self._kept.clear()
        unconfirmed = [entry for entry in self._sent[self._head :] if entry is not None and entry[0] is not None]
        self._waiting.extendleft(reversed(unconfirmed))
        self._waiting_bytes += sum(len(entry[0] or b"") for entry in unconfirmed)
        self._sent.clear()
        self._base, self._head = 1, 0

    def block(self, reason: str | None) -> None:
        """The broker is short of memory or disk, or no longer is."""
        self._blocked = reason is not None
        if reason is None:
            self._log.info("the broker takes events for {exchange} again", exchange=self._exchange)
            self.flush()
        else:
            self._log.warn(
                "the broker takes no events for now ({reason}): they are held. It is short of memory or disk: see its "
                "alarms",
                reason=reason,
            )

    def _recut(self, frame_max: int) -> None:
        """This connection's frames are shorter than those the held events were cut to."""

        def cut(entry: Entry) -> Entry:
            data = entry[0] or b""
            if len(data) <= frame_max:
                return entry
            recut = resplit(data, frame_max)
            self.held_bytes += len(recut) - len(data)
            return (recut, *entry[1:])

        self._waiting = deque(map(cut, self._waiting))
        self._waiting_bytes = sum(len(entry[0] or b"") for entry in self._waiting)
        self._retries = [(due, cut(entry)) for due, entry in self._retries]

    # Confirms

    def confirm(self, tag: int, multiple: bool, ack: bool) -> None:
        """The broker confirmed or refused what has this delivery tag, or all up to it."""
        index = tag - self._base if tag or not multiple else len(self._sent) - 1
        if index >= len(self._sent):
            raise RemoteProtocolError(f"the broker confirms {tag}, which it was never sent")
        if index < self._head:
            return
        if not ack:
            self._refuse(range(self._head if multiple else index, index + 1))
        elif multiple or index == self._head:
            self._settle(index + 1)
            return
        elif (entry := self._sent[index]) is not None and entry[0] is not None:
            self.held_bytes -= len(entry[0])
            self.held_events -= 1
            self._sent[index] = (None, *entry[1:])
        self._settle(self._head)

    def _settle(self, end: int) -> None:
        """All before ``end`` are settled, and so are the marks and gaps that follow."""
        sent, kept = self._sent, self._kept
        total = len(sent)
        while end < total and ((follower := sent[end]) is None or follower[0] is None):
            end += 1
        careful = bool(self._refused)
        size = count = 0
        for entry in islice(sent, self._head, end):
            if entry is None:
                continue
            if entry[0] is not None:
                size += len(entry[0])
                count += 1
            if not (careful and self._forgiven(entry)):
                kept[entry[1]] = entry
        self.held_bytes -= size
        self.held_events -= count
        if end == total:
            sent.clear()
            self._base += end
            end = 0
        elif end >= _COMPACT and end * 2 >= total:
            del sent[:end]
            self._base += end
            end = 0
        self._head = end

    def _forgiven(self, entry: Entry) -> bool:
        """Whether this event had been refused; with the last such of its session, the cursor catches up."""
        session = entry[1:3]
        if self._refused.pop((*session, entry[3]), None) is None:
            return False
        self._stuck[session] -= 1
        if not self._stuck[session]:
            del self._stuck[session]
            behind = self._behind.pop(session)
            current = self._kept.get(entry[1])
            if current is None or (current[2] == entry[2] and current[3] < behind[3]):
                self._kept[entry[1]] = behind
        return True

    def _fall_behind(self, entry: Entry) -> None:
        """The cursor of a session that is stuck goes at least this far once it no longer is."""
        session = entry[1:3]
        behind = self._behind.get(session)
        if behind is None or behind[3] < entry[3]:
            self._behind[session] = (None, *entry[1:])

    def report(self) -> None:
        """Tell what the last read settled; called at its end."""
        if self._kept:
            kept, self._kept = self._kept, {}
            if self._stuck:
                for shard, entry in list(kept.items()):
                    if entry[1:3] in self._stuck:
                        self._fall_behind(entry)
                        del kept[shard]
            if kept:
                self._on_kept({shard: (entry[2], entry[3]) for shard, entry in kept.items()})
        if self._full and self.held_bytes < self._high_water // 2:
            self._full = False
            self._on_room(True)
        if self._drained and not self.held_events:
            waiters, self._drained = self._drained, []
            for waiter in waiters:
                waiter.callback(True)

    def drained(self, timeout: float) -> Deferred[bool]:
        """Fires with whether everything held was confirmed within that many seconds."""
        self.flush()
        if not self.held_events:
            return succeed(True)
        waiter: Deferred[bool] = Deferred()
        self._drained.append(waiter)

        def too_late(_: object, __: float) -> bool:
            self._drained.remove(waiter)
            return False

        return waiter.addTimeout(timeout, self._clock, onTimeoutCancel=too_late)

    # Refusals

    def _refuse(self, indexes: range) -> None:
        """Put events aside, to be tried again."""
        for index in indexes:
            entry = self._sent[index]
            if entry is None or entry[0] is None:
                continue
            self._sent[index] = None
            key = (entry[1], entry[2], entry[3])
            times = self._refused.get(key, 0)
            if not times:
                self._stuck[key[:2]] = self._stuck.get(key[:2], 0) + 1
                self._fall_behind(entry)
            self._refused[key] = times + 1
            self._refusals += 1
            due = self._clock.seconds() + min(FIRST_RETRY * 2.0 ** min(times, 16), LONGEST_RETRY)
            self._retries.append((due, entry))
        self._say_refused()
        self._schedule_retry()

    def _say_refused(self) -> None:
        now = self._clock.seconds()
        if self._said is None or now - self._said >= SAY_EVERY:
            self._said = now
            self._log.warn(
                "the broker refused {count} events for {exchange} (basic.nack) and they are tried again, out of order: "
                "most likely a queue bound to it is full and has the overflow policy reject-publish",
                count=self._refusals,
                exchange=self._exchange,
            )
            self._refusals = 0

    def _schedule_retry(self) -> None:
        if self._retries and self._retry_call is None:
            due = min(due for due, _ in self._retries)
            self._retry_call = self._clock.callLater(max(0.0, due - self._clock.seconds()), self._retry)

    def _retry(self) -> None:
        self._retry_call = None
        now = self._clock.seconds()
        due = [entry for when, entry in self._retries if when <= now]
        self._retries = [(when, entry) for when, entry in self._retries if when > now]
        self._waiting.extend(due)
        self._waiting_bytes += sum(len(entry[0] or b"") for entry in due)
        self.flush()
        self._schedule_retry()

    def stop(self) -> None:
        """No more retries."""
        if self._retry_call is not None:
            self._retry_call.cancel()
            self._retry_call = None
