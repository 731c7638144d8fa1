"""One cluster's broker: events out, requests in, answers out, over one connection that comes back.

Channel 1 carries events, in confirm mode; channel 2 carries answers; what is declared and consumed has channels of its
own, for the broker closes a channel to say no.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from rateway.errors import FatalError, Unavailable
from rateway.interfaces import IFatalReporter
from rateway.model.deadlines import GOODBYE
from rateway.model.dispatch import Dispatch
from rateway.spool.spool import Spool
from rateway.tls import client_endpoint

from .answers import Answers
from .channel import Refused
from .client import Client
from .connection import Connector, NeedsAPerson
from .expiry import Expiry
from .frames import EventEncoder
from .inbox import Delivery, Inbox
from .outages import Outages
from .publisher import Publisher
from .topology import exchange_name
from .uri import BrokerAddress
from .window import Entry

MEMORY = 16 * 1024 * 1024
"""Bytes of events that may be held in memory."""

CONFIRM_WITHIN = 60.0
"""Seconds the broker has to confirm an event, at least, before the connection is given up."""

_EVENTS = 1
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
        memory: int = MEMORY,
        spool: Spool | None = None,
        refused: Spool | None = None,
        ttl: Mapping[str, int] | None = None,
        now: Callable[[], float] = time.time,
        known: bool = False,
        endpoint: IStreamClientEndpoint | None = None,
    ) -> None:
        """
        :param handler: called with each message; whatever it does, the message is acknowledged.
        :param ca_file: PEM file of the authority that signed the broker's certificate, instead of the system's.
        :param on_kept: called with shard → (session id, sequence up to which every event is confirmed or on disk).
        :param on_room: called with ``False`` when neither memory nor disk has room for more events, with ``True``
            when there is room again.
        :param memory: bytes of events that are held in memory; what is more goes to disk.
        :param spool: where events wait on disk; without one, memory is all there is.
        :param refused: where those wait that the broker nacked.
        :param ttl: event name → milliseconds after which an event of that name is worth nothing.
        :param outages: of the process, if it has more clusters than this one.
        :param known: whether the cluster ran before, by a process that died: then what the broker refuses now it let us
            have, and the others' events are not to end for it.
        :param endpoint: where to connect to, instead of what the address says.
        """
        self._reactor = reactor
        self._exchange = exchange_name(cluster)
        self._client: Client | None = None
        self._answers = Answers(reactor)
        self._is_ready = False
        self._known = known
        self._ready: list[Deferred[None]] = []
        self._was_tried = known
        self._tried: list[Deferred[None]] = []
        encoder = EventEncoder(_EVENTS, self._exchange, persistent=persistent, ttl=ttl)
        self._expiry = Expiry(ttl or {}, now, self._exchange)
        self._publisher = Publisher(
            reactor,
            self._exchange,
            encoder,
            self._expiry,
            spool or Spool.nowhere(),
            refused or Spool.nowhere(),
            on_kept,
            on_room,
            memory,
        )
        self._unconfirmed: Entry | None = None
        self._watch = LoopingCall(self._look_for_confirms)
        self._watch.clock = reactor
        self._inbox = Inbox(reactor, cluster, handler, self._became_ready, self._settled, known)
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
            self._became_tried,
            known,
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

    @property
    def spooled_events(self) -> int:
        """Those of the held events that are on disk alone."""
        return self._publisher.spooled_events

    @property
    def expired(self) -> Mapping[str, int]:
        """How many events of each name were dropped, for EVENT_TTL."""
        return self._expiry.dropped

    def when_ready(self) -> Deferred[None]:
        """Fires when exchange, queue and consumer exist for the first time."""
        return _wait(self._ready, self._is_ready)

    def when_tried(self) -> Deferred[None]:
        """Fires when they do, or it is clear that the broker can't be had for now: then nobody else has it either.

        At once if the cluster ran before.
        """
        return _wait(self._tried, self._was_tried)

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
        self._answers.send(exchange, routing_key, body, correlation_id=correlation_id, headers=headers)

    def startService(self) -> None:
        super().startService()
        self._connector.start()
        self._watch.start(CONFIRM_WITHIN, now=False)

    def stop_inbox(self, within: float) -> Deferred[bool]:
        """Take no more requests; fires when none comes any more, with ``False`` if the broker didn't answer in time."""
        stopping = Deferred.fromCoroutine(self._inbox.stop()).addCallback(lambda _: True)
        return stopping.addTimeout(within, self._reactor, onTimeoutCancel=lambda _, __: False)

    def secure(self) -> None:
        """Write all held events to disk, as far as it takes them: see :meth:`Publisher.secure`."""
        self._publisher.secure()

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
        if self._watch.running:
            self._watch.stop()
        await self._connector.stop(within)
        self._publisher.stop()

    # The connection

    async def _set_up(self, client: Client) -> None:
        events = await client.open_channel(_EVENTS)
        await events.call("confirm_select")
        await self._answers.attach(client)
        await self._declare_exchange(client)
        # Before events: who gets one may ask at once, and what no queue is bound to is dropped by the broker.
        await self._inbox.open(client)
        client.on_blocked = self._blocked
        client.on_read = self._read_ended
        self._publisher.attach(client)
        client.on_writable = self._writable
        self._answers.flush()  # what had to wait meanwhile
        self._client = client
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
                    # Once there are events, ending would lose what can be held: somebody may delete it in time.
                    raise (NeedsAPerson if self._is_ready or self._known else FatalError)(
                        f"the exchange {self._exchange} exists with other properties ({error.text}): bots declare it "
                        "as a durable direct exchange, and so does rateway. Delete it; rateway declares it anew"
                    ) from None
                refused = refused or error
        assert refused is not None
        raise FatalError(
            f"rateway's user may not declare the exchange {self._exchange} ({refused.text}): grant it configure, write "
            "and read permission on rateway-.*"
        )

    def _blocked(self, reason: str | None) -> None:
        if reason is None:
            self._log.info("the broker takes events for {exchange} again", exchange=self._exchange)
        else:
            self._log.warn(
                "the broker takes no events for now ({reason}): they are held. It is short of memory or disk: see its "
                "alarms",
                reason=reason,
            )
        self._publisher.block(reason)

    def _look_for_confirms(self) -> None:
        """A connection on which an event waited for its confirm from one look to the next is none."""
        oldest = self._publisher.oldest_in_flight
        if oldest is not None and oldest is self._unconfirmed and self._client is not None:
            self._client.fail(Unavailable(f"the broker confirmed nothing for {CONFIRM_WITHIN:g} s"))
        self._unconfirmed = oldest

    def _connection_ended(self) -> None:
        self._client = None
        self._answers.detach()
        self._inbox.close()
        self._publisher.detach()

    def _settled(self) -> None:
        self._connector.settled()

    def _became_ready(self) -> None:
        self._is_ready = self._connector.started = True
        _tell(self._ready)
        self._became_tried()

    def _became_tried(self) -> None:
        self._was_tried = True
        _tell(self._tried)

    def _read_ended(self) -> None:
        self._inbox.acknowledge()
        self._publisher.report()

    def _writable(self) -> None:
        """The transport takes more: answers first, for somebody waits for each."""
        self._answers.flush()
        self._publisher.flush()


def _wait(waiters: list[Deferred[None]], is_over: bool) -> Deferred[None]:
    if is_over:
        return succeed(None)
    waiter: Deferred[None] = Deferred()
    waiters.append(waiter)
    return waiter


def _tell(waiters: list[Deferred[None]]) -> None:
    waiting = waiters[:]
    waiters.clear()
    for waiter in waiting:
        waiter.callback(None)
