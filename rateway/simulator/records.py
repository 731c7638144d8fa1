"""What happened, kept for assertions, and a way to wait for it.

Times are those of the simulator's clock. Session ids and tokens are not shown by ``repr``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from attrs import Factory, define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

T = TypeVar("T")

_POLL = 0.05
"""A predicate may look at things the journal knows nothing of: it is tried this often besides."""


class Clock(Protocol):
    """What the simulator needs of a reactor to know the time: a reactor, or ``task.Clock``."""

    def seconds(self) -> float: ...

    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> IDelayedCall: ...


@frozen
class Breach:
    """The client broke a rule of Discord's."""

    rule: str
    shard: int | None
    detail: str
    at: float


@define
class Connected:
    """One WebSocket, from its opening to its end.

    :ivar host: the address the client connected to; ``name``: the one it named (the header Host), without the port.
    :ivar interval: the heartbeat interval announced by HELLO, in seconds; ``greeted_at`` says when.
    :ivar client_code: what the client closed with, if it did.
    :ivar server_code: what the simulator closed with, if it did.
    """

    number: int
    at: float
    host: str
    path: str
    query: Mapping[str, str]
    shard: int | None = None
    client_code: int | None = None
    server_code: int | None = None
    lost_at: float | None = None
    interval: float | None = None
    greeted_at: float | None = None
    name: str = ""


@frozen
class Frame:
    """One payload of a client; ``d`` without the token, ``op`` None where it couldn't be read."""

    connection: int
    shard: int | None
    at: float
    op: int | None
    size: int
    d: object


@frozen
class Identify:
    """An IDENTIFY with a readable shard. ``answer``: ``ready``, ``invalid``, ``silence``, or the close code as text."""

    connection: int
    shard: int
    total: int
    key: int
    at: float
    intents: int
    host: str
    query: Mapping[str, str]
    answer: str
    d: Mapping[str, object] = field(repr=False)


@frozen
class Resume:
    """A RESUME. ``answer``: ``resumed``, ``invalid``, ``silence``, or the close code as text.

    :ivar told: the last sequence that the session's former connection was sent.
    """

    connection: int
    shard: int | None
    session_id: str = field(repr=False)
    seq: int
    at: float
    host: str
    query: Mapping[str, str]
    answer: str
    replayed: int
    told: int = 0


@frozen
class ClientClose:
    """The client sent a close frame; ``code`` is None where it bore none."""

    connection: int
    shard: int | None
    code: int | None
    reason: str
    at: float


@frozen
class Command:
    """An op 3, 4, 8, 31 or 43 that was accepted."""

    connection: int
    shard: int
    at: float
    op: int
    d: Mapping[str, object]


@frozen
class Wasted:
    """A session that could have been resumed and was not: closed with 1000 or 1001, or identified anew."""

    shard: int
    session_id: str = field(repr=False)
    how: str
    at: float


@frozen
class Sent:
    """One event sent (or kept for a RESUME), ``d`` byte for byte."""

    shard: int
    session_id: str = field(repr=False)
    seq: int
    name: str
    d: bytes


@define
class RestRequest:
    """A REST request; ``status`` is 0 until it is answered.

    :ivar address: where it came from.
    :ivar audit_log_reason: X-Audit-Log-Reason, decoded.
    """

    method: str
    path: str
    query: str
    at: float
    headers: Mapping[str, str] = field(repr=False)
    body: bytes
    status: int = 0
    answered_at: float | None = None
    address: str = ""
    audit_log_reason: str | None = None


KINDS = (
    "connections",
    "frames",
    "identifies",
    "resumes",
    "closes",
    "commands",
    "wasted",
    "breaches",
    "requests",
    "events",
)
"""The kinds of records, named as the journal's lists are."""


@define(eq=False)
class _Waiter:
    predicate: Callable[[], object]
    result: Deferred[object]
    tick: IDelayedCall | None = None


@define
class Journal:
    """All records, oldest first. ``until`` waits for a predicate over them (or over anything).

    :ivar began: when it began, by its clock.
    """

    clock: Clock
    limit: int = 0
    began: float = field(default=Factory(lambda self: self.clock.seconds(), takes_self=True), init=False)
    breaches: list[Breach] = Factory(list)
    connections: list[Connected] = Factory(list)
    frames: list[Frame] = Factory(list)
    identifies: list[Identify] = Factory(list)
    resumes: list[Resume] = Factory(list)
    closes: list[ClientClose] = Factory(list)
    commands: list[Command] = Factory(list)
    wasted: list[Wasted] = Factory(list)
    requests: list[RestRequest] = Factory(list)
    events: list[Sent] = Factory(list)
    totals: dict[str, int] = Factory(dict)
    _waiters: list[_Waiter] = Factory(list)

    def keep(self, kind: str, log: list[T], record: T) -> T:
        """Add a record to its log, forgetting the oldest half of one that is full, and tell who waits."""
        log.append(record)
        if self.limit and len(log) > self.limit:
            del log[: self.limit // 2]
        self.count(kind)
        return record

    def clear(self) -> None:
        """Forget all records, and count anew."""
        for name in KINDS:
            log: list[object] = getattr(self, name)
            log.clear()
        self.totals.clear()
        self.began = self.clock.seconds()
        self.happened()

    def count(self, kind: str) -> None:
        """One more of a kind of which no record is kept."""
        self.totals[kind] = self.totals.get(kind, 0) + 1
        self.happened()

    @property
    def waiting(self) -> int:
        """How many predicates are being waited for."""
        return len(self._waiters)

    def happened(self) -> None:
        """Something changed: try the predicates of those who wait."""
        for waiter in tuple(self._waiters):
            self._try(waiter)

    def _try(self, waiter: _Waiter) -> None:
        if waiter not in self._waiters:
            return
        try:
            value = waiter.predicate()
        except Exception:
            self._settle(waiter)
            waiter.result.errback()
            return
        if value:
            self._settle(waiter)
            # Not from within the simulator's own doing: what the test does next must find it at rest.
            self.clock.callLater(0, waiter.result.callback, value)

    def _settle(self, waiter: _Waiter) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        if waiter.tick is not None and waiter.tick.active():
            waiter.tick.cancel()

    def until(self, predicate: Callable[[], T], timeout: float = 60.0, what: str = "") -> Deferred[T]:
        """Fires with the predicate's value as soon as it is true.

        It is tried at each happening, and every 50 ms for what the simulator can't see.

        :param timeout: seconds after which it fails with :class:`TimeoutError`.
        :param what: said in that error.
        """
        result: Deferred[object] = Deferred(lambda _: self._settle(waiter))
        waiter = _Waiter(predicate, result)
        self._waiters.append(waiter)
        start = self.clock.seconds()

        def tick() -> None:
            self._try(waiter)
            if waiter not in self._waiters:
                return
            if self.clock.seconds() - start >= timeout:
                self._settle(waiter)
                result.errback(TimeoutError(f"not within {timeout} s: {what or 'the condition waited for'}"))
                return
            waiter.tick = self.clock.callLater(_POLL, tick)

        tick()
        return result  # type: ignore[return-value]
