"""One cluster's broker: events out, requests in, answers out, over one connection that comes back.

Channel 1 carries events, in confirm mode; channel 2 carries answers; what is declared and consumed has channels of its
own, for the broker closes a channel to say no.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.logger import Logger

from rateway.errors import FatalError, LocalProtocolError
from rateway.interfaces import IFatalReporter
from rateway.model.deadlines import GOODBYE
from rateway.model.dispatch import Dispatch
from rateway.tls import client_endpoint

from .channel import Refused
from .client import Client
from .connection import Connector
from .frames import EventEncoder, publish_frames
from .inbox import Delivery, Inbox
from .outages import Outages
from .publisher import Publisher
from .topology import exchange_name
from .uri import BrokerAddress

HIGH_WATER = 64 * 1024 * 1024
"""Bytes of events held at which reading from Discord stops."""

ANSWERS_LIMIT = 16 * 1024 * 1024
"""Bytes of answers that wait for the transport; more are dropped, as if the broker were away."""

_EVENTS, _ANSWERS = 1, 2
_ACCESS_REFUSED, _NOT_FOUND, _DECLARED_OTHERWISE = 403, 404, 406


class ClusterBroker(Service):
    """The broker as a cluster sees it.

    :ivar connected: events can be written.
    """

    _log = Logger()

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
        outages: Outages | None = None,
        high_water: int = HIGH_WATER,
        endpoint: IStreamClientEndpoint | None = None,
    ) -> None:
        """
        :param handler: called with each message; whatever it does, the message is acknowledged.
        :param ca_file: PEM file of the authority that signed the broker's certificate, instead of the system's.
        :param on_kept: called with shard → (session id, sequence up to which every event is confirmed).
        :param on_room: called with ``False`` when ``high_water`` bytes are held, with ``True`` at half of it.
        :param outages: of the process, if it has more clusters than this one.
        :param endpoint: where to connect to, instead of what the address says.
        """
        self._reactor = reactor
        self._exchange = exchange_name(cluster)
        self._client: Client | None = None
        self._answers: list[bytes] = []
        self._answers_size = 0
        self._is_ready = False
        self._ready: list[Deferred[None]] = []
        encoder = EventEncoder(_EVENTS, self._exchange, persistent=persistent)
        self._publisher = Publisher(reactor, self._exchange, encoder, on_kept, on_room, high_water)
        self._inbox = Inbox(reactor, cluster, handler, self._became_ready, fatal)
        self._connector = Connector(
            reactor,
            address,
            endpoint
            or client_endpoint(
                reactor,
                address.host,
                address.port,
                tls=address.tls,
                ca_file=ca_file,
                timeout=address.connection_timeout,
            ),
            self._exchange,
            self._set_up,
            self._connection_ended,
            fatal,
            outages or Outages(reactor),
        )

    @property
    def connected(self) -> bool:
        return self._client is not None

    @property
    def held_events(self) -> int:
        return self._publisher.held_events

    @property
    def held_bytes(self) -> int:
        return self._publisher.held_bytes

    def when_ready(self) -> Deferred[None]:
        """Fires when exchange, queue and consumer exist for the first time."""
        if self._is_ready:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._ready.append(waiter)
        return waiter

    def publish(self, shard_id: int, session_id: str, dispatches: Sequence[Dispatch], received_ms: int) -> None:
        """Encode events and hold them until the broker confirms them; never blocks, never raises."""
        self._publisher.publish(shard_id, session_id, dispatches, received_ms)

    def flush(self) -> None:
        """Write what is due, in one write."""
        self._publisher.flush()

    def answer(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        *,
        correlation_id: str | bytes | None = None,
        headers: Mapping[str, object] | None = None,
    ) -> None:
        """Send an answer, unconfirmed; dropped while the broker is away or can't keep up."""
        client = self._client
        if client is None or self._answers_size > ANSWERS_LIMIT:
            self._log.debug("an answer to {key} is dropped: the broker is away", key=routing_key)
            return
        properties = {"correlation_id": correlation_id, "headers": headers or None, "app_id": "rateway"}
        if body:
            properties["content_type"] = "application/json"
        try:
            frames = publish_frames(_ANSWERS, exchange, routing_key, properties, body, client.frame_max)
        except LocalProtocolError as error:
            self._log.warn("an answer to {key!r} can't be sent: {error}", key=routing_key, error=error)
            return
        if client.writable:
            client.write(frames)
        else:
            self._answers.append(frames)
            self._answers_size += len(frames)

    def startService(self) -> None:
        super().startService()
        self._connector.start()

    def stop_inbox(self, within: float) -> Deferred[None]:
        """Take no more requests; fires when none comes any more, or after that many seconds."""
        stopping = Deferred.fromCoroutine(self._inbox.stop())
        return stopping.addTimeout(within, self._reactor, onTimeoutCancel=lambda _, __: None)

    def drained(self, timeout: float) -> Deferred[bool]:
        """Fires with ``True`` once every held event is confirmed, with ``False`` after ``timeout`` seconds."""
        return self._publisher.drained(timeout)

    def stopService(self) -> Deferred[None]:
        """Close the connection cleanly, within two seconds, and stay away."""
        return self.leave(GOODBYE)

    def leave(self, within: float) -> Deferred[None]:
        """The same, with so many seconds for the broker to say goodbye."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop(within))

    async def _stop(self, within: float) -> None:
        await self._connector.stop(within)
        self._publisher.stop()

    # The connection

    async def _set_up(self, client: Client) -> None:
        events = await client.open_channel(_EVENTS)
        await events.call("confirm_select")
        await client.open_channel(_ANSWERS)
        await self._declare_exchange(client)
        client.on_blocked = self._publisher.block
        client.on_read = self._read_ended
        self._publisher.attach(client)
        client.on_writable = self._writable
        self._client = client
        await self._inbox.open(client)
        self._inbox.consume(client)

    async def _declare_exchange(self, client: Client) -> None:
        refused: Refused | None = None
        for passive in (False, True):
            channel = await client.open_channel()
            try:
                await channel.call(
                    "exchange_declare",
                    exchange=self._exchange,
                    type="direct",
                    passive=passive,
                    durable=True,
                    arguments={},
                )
                await channel.call("channel_close", reply_code=200, reply_text="declared")
                client.channels.pop(channel.id, None)
                return
            except Refused as error:
                if error.connection or error.code not in (_ACCESS_REFUSED, _NOT_FOUND, _DECLARED_OTHERWISE):
                    raise
                if error.code == _DECLARED_OTHERWISE:
                    raise FatalError(
                        f"the exchange {self._exchange} exists with other properties ({error.text}): bots declare it "
                        "as a durable direct exchange, and so does rateway. Delete it; rateway declares it anew"
                    ) from None
                refused = refused or error
        assert refused is not None
        raise FatalError(
            f"rateway's user may not declare the exchange {self._exchange} ({refused.text}): grant it configure, write "
            "and read permission on rateway-.*"
        )

    def _connection_ended(self) -> None:
        self._client = None
        self._answers.clear()
        self._answers_size = 0
        self._inbox.close()
        self._publisher.detach()

    def _became_ready(self) -> None:
        self._is_ready = True
        waiting, self._ready = self._ready, []
        for waiter in waiting:
            waiter.callback(None)

    def _read_ended(self) -> None:
        self._inbox.acknowledge()
        self._publisher.report()

    def _writable(self) -> None:
        """The transport takes more: answers first, for somebody waits for each."""
        if self._client is not None and self._answers:
            answers, self._answers, self._answers_size = self._answers, [], 0
            self._client.write(b"".join(answers))
        self._publisher.flush()
