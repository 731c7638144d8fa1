"""Doubles for the cluster's neighbours, each recording what it was asked to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import define, field
from twisted.internet.defer import Deferred

from rateway.amqp.inbox import Delivery
from rateway.model.dispatch import Dispatch
from rateway.model.session import Session


@define
class RecordingStore:
    """A store that remembers each transaction, and fails on demand."""

    calls: list[tuple[str, object]]
    broken: bool = False
    busy: bool = False
    idle: bool = False
    """Whether no batch has an effect."""
    slices: int = 0
    """How many a batch takes; 0 if it is put in at once."""
    _left: int = field(default=0, init=False)

    def pass_over(self, batch: Sequence[tuple[int, Session, Sequence[Dispatch]]]) -> bool:
        return self.idle

    def begin(self, batch: Sequence[tuple[int, Session, Sequence[Dispatch]]]) -> bool:
        if self.slices:
            self.apply(batch, {})
            _, noted = self.calls.pop()
            self.calls.append(("begin", noted))
            self.busy, self._left = True, self.slices
        return self.busy

    def step(self) -> bool:
        self.calls.append(("step", None))
        self._left -= 1
        return self._left <= 0

    def finish(self, kept: Mapping[int, tuple[str, int]]) -> None:
        self.calls.append(("finish", dict(kept)))
        self.busy, self._left = False, 0

    def apply(
        self, batch: Sequence[tuple[int, Session, Sequence[Dispatch]]], kept: Mapping[int, tuple[str, int]]
    ) -> None:
        if self.broken:
            raise RuntimeError("the store is broken")
        self.calls.append(("apply", ([(shard, session.id, list(got)) for shard, session, got in batch], dict(kept))))

    def forget_session(self, shard_id: int) -> None:
        self.calls.append(("forget", shard_id))


@define
class RecordingPublisher:
    """A publisher that remembers what it was given."""

    calls: list[tuple[str, object]]

    def publish(self, shard_id: int, session_id: str, dispatches: Sequence[Dispatch], received_ms: int) -> None:
        self.calls.append(("publish", (shard_id, session_id, list(dispatches), received_ms)))

    def flush(self) -> None:
        self.calls.append(("flush", None))

    def secure(self) -> None:
        self.calls.append(("secure", None))


@define
class RecordingAnswers:
    """Keeps answers instead of sending them."""

    sent: list[tuple[str, str, bytes, object, object]] = field(factory=list)

    def answer(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        *,
        correlation_id: bytes | None = None,
        headers: Mapping[str, object] | None = None,
    ) -> None:
        self.sent.append((exchange, routing_key, body, correlation_id, headers))


@define
class RecordingShard:
    """A shard that keeps commands until told how they end."""

    sent: list[tuple[int, bytes, float]] = field(factory=list)
    waiting: list[Deferred[None]] = field(factory=list)

    def send(self, op: int, payload: bytes, deadline: float) -> Deferred[None]:
        self.sent.append((op, payload, deadline))
        done: Deferred[None] = Deferred()
        self.waiting.append(done)
        return done


def delivery(
    body: bytes,
    *,
    routing_key: str = "cache",
    headers: Mapping[str, object] | None = None,
    reply_to: str | None = None,
    correlation_id: bytes | None = None,
    timestamp: int | None = None,
) -> Delivery:
    """A message of the inbox."""
    return Delivery(
        routing_key=routing_key,
        body=body,
        headers=headers or {},
        reply_to=reply_to,
        correlation_id=correlation_id,
        timestamp=timestamp,
    )
