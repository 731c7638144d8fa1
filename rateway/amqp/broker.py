"""One cluster's broker: events out, requests in, answers out, over one connection that comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint

from ..interfaces import IFatalReporter
from ..model.dispatch import Dispatch
from .uri import BrokerAddress

HIGH_WATER = 64 * 1024 * 1024


@frozen
class Delivery:
    """A message a bot sent.

    :ivar headers: empty where there were none.
    :ivar correlation_id: as the bot gave it, to be given back as it is.
    :ivar timestamp: seconds since 1970.
    """

    routing_key: str
    body: bytes
    headers: Mapping[str, object] = field(factory=dict)
    reply_to: str | None = None
    correlation_id: str | bytes | None = None
    timestamp: int | None = None
    message_id: str | bytes | None = None
    content_type: str | bytes | None = None
    expiration: str | bytes | None = None
    exchange: str = ""
    redelivered: bool = False


class ClusterBroker(Service):
    """The broker as a cluster sees it."""

    connected: bool = False
    held_events: int = 0
    held_bytes: int = 0

    def __init__(
        self,
        reactor: Any,
        address: BrokerAddress,
        cluster: int,
        handler: Callable[[Delivery], None],
        *,
        persistent: bool,
        ca_file: Path | None,
        fatal: IFatalReporter,
        on_kept: Callable[[Mapping[int, tuple[str, int]]], None],
        on_room: Callable[[bool], None],
        high_water: int = HIGH_WATER,
        endpoint: IStreamClientEndpoint | None = None,
    ) -> None:
        raise NotImplementedError

    def when_ready(self) -> Deferred[None]:
        """Fires when exchange, queue and consumer exist for the first time."""
        raise NotImplementedError

    def publish(self, shard_id: int, session_id: str, dispatches: Sequence[Dispatch], received_ms: int) -> None:
        """Encode events and hold them until the broker confirms them; never blocks, never raises."""
        raise NotImplementedError

    def flush(self) -> None:
        """Write what is due, in one write."""
        raise NotImplementedError

    def answer(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        *,
        correlation_id: str | bytes | None = None,
        headers: Mapping[str, object] | None = None,
    ) -> None:
        """Send an answer, unconfirmed; dropped while the broker is away."""
        raise NotImplementedError

    def stop_inbox(self) -> Deferred[None]:
        """Take no more requests; fires when none comes any more."""
        raise NotImplementedError

    def drained(self, timeout: float) -> Deferred[bool]:
        """Fires with ``True`` once every held event is confirmed, with ``False`` after ``timeout`` seconds."""
        raise NotImplementedError
