"""Sessions: what survives a connection (Discord's docs, "Gateway: Resuming")."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from attrs import Factory, define, field

from .packing import Packed
from .rules import Asked

if TYPE_CHECKING:
    from .connection import Connection

Kept: TypeAlias = tuple[int, float, bytes]
"""``(sequence, when, the whole payload)``."""

Logged: TypeAlias = tuple[int, float, bytes, bytes | None]
"""``(sequence, when, what comes before the sequence, what comes after it)``, or the whole payload and None.

A packed event's parts are shared by all sessions that got it. Entries hold no object that could be part of a cycle: the
garbage collector soon leaves them alone, however many there are.
"""

WIRE_ORDER = ("t", "s", "op", "d")
"""The order of the envelope's keys that Discord sends."""


def envelope(name: str, seq: int, d: bytes, order: Sequence[str] = WIRE_ORDER) -> bytes:
    """A dispatch with ``d`` byte for byte as given."""
    if order is WIRE_ORDER:
        return b'{"t":"%b","s":%d,"op":0,"d":%b}' % (name.encode(), seq, d)
    values = {"t": b'"%b"' % name.encode(), "s": b"%d" % seq, "op": b"0", "d": d}
    return b"{" + b",".join(b'"%b":%b' % (key.encode(), values[key]) for key in order) + b"}"


@define(eq=False)
class GatewaySession:
    """A session, with its replay buffer.

    :ivar seq: of the last dispatch.
    :ivar connection: where events go now; None while the client is away or being replayed to.
    :ivar detached_at: since when there is none; ``left_at``: the same by the world's clock, for its age.
    :ivar unseen: the client may never have seen its READY.
    :ivar told: the last sequence that was sent on the connection it had before.
    :ivar presence: what stands for the bot's newest presence.
    :ivar backfilling: the guilds that READY listed have not all been sent.
    """

    id: str = field(repr=False)
    asked: Asked
    log: deque[Logged] = field(repr=False)
    replay_age: float
    replay_bytes: int
    seq: int = 0
    connection: Connection | None = field(default=None, repr=False)
    detached_at: float = 0.0
    left_at: float = 0.0
    backfilling: bool = False
    told: int = 0
    unseen: bool = False
    presence: object = field(default=None, repr=False)
    _skipped: set[int] = Factory(set)
    _size: int = 0
    """Bytes of what is in the buffer and nowhere else."""

    @property
    def shard(self) -> int:
        return self.asked.shard

    @property
    def total(self) -> int:
        return self.asked.total

    def keep(self, name: str, d: bytes, now: float, order: Sequence[str] = WIRE_ORDER) -> bytes:
        """Give the event the next sequence and put it in the buffer; the payload to send is returned."""
        self.seq += 1
        payload = envelope(name, self.seq, d, order)
        self._forget(now, len(payload))
        self.log.append((self.seq, now, payload, None))
        self._size += len(payload)
        return payload

    def keep_packed(self, events: Sequence[Packed], now: float) -> int:
        """Give the events the next sequences and put them in the buffer; the first sequence is returned."""
        first = self.seq + 1
        self.seq += len(events)
        self._forget(now, 0, len(events))
        self.log.extend([(seq, now, event.head, event.tail) for seq, event in enumerate(events, first)])
        return first

    def _forget(self, now: float, size: int, count: int = 1) -> None:
        """Let go of what is too old, and of what has no room beside so many new events of so many bytes."""
        log, oldest = self.log, now - self.replay_age
        room, most = self.replay_bytes - size, log.maxlen or 0
        while log and (log[0][1] < oldest or self._size > room or len(log) + count > most):
            _, _, head, tail = log.popleft()
            if tail is None:
                self._size -= len(head)

    def missed(self, seq: int) -> list[Kept] | None:
        """What was sent after ``seq``; None when the buffer no longer reaches back that far."""
        first = self.log[0][0] if self.log else self.seq + 1
        if any(number not in self._skipped for number in range(seq + 1, first)):
            return None
        return [
            (number, when, head if tail is None else b"%b%d%b" % (head, number, tail))
            for number, when, head, tail in self.log
            if number > seq
        ]

    def skip(self, count: int) -> None:
        """Leave out sequences, as Discord sometimes does."""
        self._skipped.update(range(self.seq + 1, self.seq + count + 1))
        self.seq += count

    def is_over(self, now: float) -> bool:
        """Away for too long to be resumed."""
        return self.connection is None and now - self.left_at > self.replay_age


@define
class Sessions:
    """All sessions, by id and by the place ``(shard, total)`` they serve."""

    replay_limit: int
    replay_age: float
    replay_bytes: int
    _by_id: dict[str, GatewaySession] = Factory(dict)
    _by_place: dict[tuple[int, int], list[GatewaySession]] = Factory(dict)
    _totals: Counter[int] = Factory(Counter)

    def __iter__(self) -> Iterator[GatewaySession]:
        return iter(tuple(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def totals(self) -> Collection[int]:
        """The shard counts in use: usually one, several while a fleet is being rescaled."""
        return self._totals

    def start(self, id: str, asked: Asked) -> GatewaySession:
        session = GatewaySession(id, asked, deque(maxlen=self.replay_limit), self.replay_age, self.replay_bytes)
        self._by_id[id] = session
        self._totals[asked.total] += 1
        self._by_place.setdefault((asked.shard, asked.total), []).append(session)
        return session

    def end(self, session: GatewaySession) -> None:
        """It can't be resumed any more."""
        if self._by_id.pop(session.id, None) is None:
            return
        self._totals[session.total] -= 1
        if not self._totals[session.total]:
            del self._totals[session.total]
        place = (session.shard, session.total)
        self._by_place[place].remove(session)
        if not self._by_place[place]:
            del self._by_place[place]

    def find(self, id: str, now: float) -> GatewaySession | None:
        session = self._by_id.get(id)
        if session is not None and session.is_over(now):
            self.end(session)
            return None
        return session

    def at(self, shard: int, total: int, now: float) -> list[GatewaySession]:
        """The sessions of a place; those away for too long are ended on the way."""
        found = self._by_place.get((shard, total), [])
        over = [session for session in found if session.is_over(now)]
        for session in over:
            self.end(session)
        return found.copy()

    def of_shard(self, shard: int, now: float) -> list[GatewaySession]:
        """The sessions of a shard number, whatever their total; oldest first."""
        return [session for session in self if session.shard == shard and self.find(session.id, now) is not None]
