"""What bots send: the queue ``rateway-incoming-{i}``, consumed exclusively, each message acknowledged whatever happens.

Nothing here is delivered twice: a message that can't be read, or that makes its handler raise, is logged and gone. So
no message can be poison.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from rateway.errors import FatalError, RatewayError, RemoteProtocolError, RequestRefused, Unavailable

from .channel import Channel, Refused
from .client import Client
from .codec import decode_properties
from .connection import ConnectAnew
from .frames import ack_frame
from .receiver import MAX_BODY, Content
from .topology import DURABLE_QUEUE_EXPIRES_MS, INBOX_KEYS, consumer_tag, exchange_name, queue_name

PREFETCH = 200
"""Messages that may lie here unacknowledged; they are acknowledged once per read."""

RETRY_EVERY = 2.0
"""Seconds between attempts to consume a queue that somebody else holds."""

NO_HEARTBEAT = 60.0
"""Seconds taken for a heartbeat interval where there are no heartbeats."""

SAY_EVERY = 60.0

_ACCESS_REFUSED, _NOT_FOUND, _LOCKED, _DECLARED_OTHERWISE = 403, 404, 405, 406
_TRANSIENT_REFUSED = frozenset({540, 541})
"""What newer RabbitMQ closes the connection with when asked for a transient queue that is not exclusive."""


@frozen
class Delivery:
    """A message a bot sent.

    :ivar body: empty if it was too long to be taken in.
    :ivar headers: empty where there were none; the values as ``fieldtable`` has them.
    :ivar correlation_id: as the bot gave it, to be given back as it is.
    :ivar timestamp: seconds since 1970.
    :ivar too_long: how many bytes its body has, if they are too many.
    """

    routing_key: str
    body: bytes
    headers: Mapping[str, object] = field(factory=dict)
    reply_to: str | None = None
    correlation_id: bytes | None = None
    timestamp: int | None = None
    message_id: str | None = None
    content_type: str | None = None
    expiration: str | None = None
    redelivered: bool = False
    too_long: int | None = None

    def whole_body(self) -> bytes:
        """The body.

        :raises RequestRefused: if it was too long to be taken in.
        """
        if self.too_long is not None:
            raise RequestRefused(f"a body of {self.too_long} bytes is too long")
        return self.body


def read_delivery(content: Content) -> Delivery:
    """The message as the rest of rateway sees it.

    :raises RemoteProtocolError: if its properties can't be read.
    """
    properties: Mapping[str, Any] = decode_properties(content.header)
    correlation_id = properties.get("correlation_id")
    return Delivery(
        routing_key=content.routing_key,
        body=content.body,
        headers=properties.get("headers") or {},
        reply_to=properties.get("reply_to") or None,
        correlation_id=None if correlation_id is None else correlation_id.encode(errors="surrogateescape"),
        timestamp=properties.get("timestamp"),
        message_id=properties.get("message_id"),
        content_type=properties.get("content_type"),
        expiration=properties.get("expiration"),
        redelivered=content.redelivered,
        too_long=content.size if content.size > MAX_BODY else None,
    )


@define(eq=False)
class Inbox:
    """The inbox of one cluster, over one connection after the other.

    :ivar ready: called the first time that the queue is consumed.
    :ivar settled: called on each connection once nothing is refused: the queue is consumed, or waited for.
    """

    _log = Logger()

    _clock: Any
    _cluster: int
    _handler: Callable[[Delivery], None]
    _ready: Callable[[], None]
    _settled: Callable[[], None]
    _known: bool = False
    """It was consumed before, by a process of ours that died."""
    _durable: bool = field(default=False, init=False)
    _was_ready: bool = field(default=False, init=False)
    _is_settled: bool = field(default=False, init=False)
    _stopped: bool = field(default=False, init=False)
    _client: Client | None = field(default=None, init=False)
    _channel: Channel | None = field(default=None, init=False)
    _unacknowledged: int = field(default=0, init=False)
    _number: int = field(default=0, init=False)
    _said: float = field(default=float("-inf"), init=False)

    @property
    def queue(self) -> str:
        return queue_name(self._cluster)

    async def open(self, client: Client) -> None:
        """Declare and bind on a new connection; returns when that is done, or can't be for now.

        :raises FatalError: if the broker won't have it.
        :raises ConnectAnew: if the queue must be declared in another way, on another connection.
        """
        self._client = client
        client.on_content = self._received
        client.on_cancelled = self._cancelled
        self._channel, self._unacknowledged = None, 0
        self._is_settled = False
        if self._stopped:
            return
        try:
            await self._declare(client)
        except Refused as error:
            # In a cluster the node that a durable queue lies on may be away. Events don't wait for it, once there are
            # any; that the queue can't be consumed is found out next.
            if error.connection or error.code != _NOT_FOUND or not (self._was_ready or self._known):
                raise

    def consume(self, client: Client) -> None:
        """Consume in the background: somebody else may hold the queue for a while."""
        consuming = Deferred.fromCoroutine(self._consume(client))
        consuming.addErrback(self._failed, client)

    def close(self) -> None:
        """The connection is gone."""
        self._client = self._channel = None

    async def stop(self) -> None:
        """Take nothing more; what was delivered before is handled and acknowledged."""
        self._stopped = True
        if self._channel is not None and self._client is not None:
            channel, self._channel = self._channel, None
            try:
                await channel.call("basic_cancel", consumer_tag=consumer_tag(self._cluster))
            except RatewayError as error:
                self._log.debug("cancelling the consumer of {queue}: {error}", queue=self.queue, error=error)

    def _failed(self, failure: Failure, client: Client) -> None:
        """Consuming ended for another reason than that somebody holds the queue."""
        error = failure.value
        if isinstance(error, RatewayError):
            client.fail(error)
        else:
            self._log.failure("opening the inbox {queue}", failure, queue=self.queue)
            client.fail(Unavailable("a fault of rateway's own kept the inbox from being opened"))

    # The queue

    async def _declare(self, client: Client) -> None:
        for passive in (False, True, False):
            channel = await client.open_channel()
            try:
                await self._declare_queue(channel, passive)
                await self._bind(channel)
                await channel.call("channel_close", reply_code=200, reply_text="declared")
                client.channels.pop(channel.id, None)
                return
            except Refused as error:
                if error.connection or error.code not in (_DECLARED_OTHERWISE, _ACCESS_REFUSED, _NOT_FOUND, _LOCKED):
                    raise
                last = error
                if error.code == _LOCKED:
                    break
        raise self._unusable(last)

    async def _declare_queue(self, channel: Channel, passive: bool) -> None:
        """By rateway's flags; or passively, which takes a queue as somebody else declared it."""
        arguments = {"x-expires": DURABLE_QUEUE_EXPIRES_MS} if self._durable and not passive else {}
        try:
            await channel.call(
                "queue_declare", queue=self.queue, passive=passive, durable=self._durable, arguments=arguments
            )
        except Refused as error:
            if error.connection and error.code in _TRANSIENT_REFUSED and not self._durable:
                self._durable = True
                self._log.info(
                    "the broker takes no transient queues ({text}): {queue} is declared durable instead",
                    text=error.text,
                    queue=self.queue,
                )
                raise ConnectAnew("the inbox queue must be declared durable") from None
            raise

    async def _bind(self, channel: Channel) -> None:
        for key in INBOX_KEYS:
            await channel.call(
                "queue_bind", queue=self.queue, exchange=exchange_name(self._cluster), routing_key=key, arguments={}
            )

    def _unusable(self, error: Refused) -> RatewayError:
        if error.code == _NOT_FOUND:
            return error
        if error.code == _LOCKED:
            return FatalError(
                f"the queue {self.queue} belongs to another connection exclusively ({error.text}): end the program "
                "that declared it, or give rateway a vhost of its own"
            )
        return FatalError(
            f"the queue {self.queue} can't be declared and bound ({error.text}): grant rateway's user configure, write "
            "and read permission on rateway-.*, or delete the queue if somebody else declared it"
        )

    # The consumer

    async def _consume(self, client: Client) -> None:
        began = self._clock.seconds()
        patience = 2 * (client.heartbeat or NO_HEARTBEAT)
        while client is self._client and not self._stopped:
            channel = await client.open_channel()
            try:
                await channel.call("basic_qos", prefetch_count=PREFETCH)
                self._channel = channel
                await channel.call(
                    "basic_consume",
                    queue=self.queue,
                    consumer_tag=consumer_tag(self._cluster),
                    exclusive=True,
                    arguments={},
                )
            except Refused as error:
                self._channel = None
                if error.connection or error.code not in (_ACCESS_REFUSED, _NOT_FOUND):
                    raise
                if error.code == _NOT_FOUND:
                    await self._declare(client)
                    continue
                if "refused for user" in error.text:
                    raise self._unusable(error) from None
                self._held(error, self._clock.seconds() - began >= patience)
                await deferLater(self._clock, RETRY_EVERY)
                continue
            self._opened()
            return

    def _tell_settled(self) -> None:
        if not self._is_settled:
            self._is_settled = True
            self._settled()

    def _opened(self) -> None:
        self._tell_settled()
        if not self._was_ready:
            self._was_ready = True
            self._ready()

    def _held(self, error: Refused, out_of_patience: bool) -> None:
        """Somebody else consumes the queue: perhaps an old connection of our own, which the broker ends in time."""
        sentence = (
            f"the queue {self.queue} is consumed by somebody else ({error.text}): most likely another rateway runs "
            f"cluster {self._cluster} on this broker. Stop it, or give one of them another vhost in AMQP_URI; "
            f"RabbitMQ's management page of the queue shows the consumer's address"
        )
        if out_of_patience and not (self._was_ready or self._known):
            raise FatalError(sentence)
        now = self._clock.seconds()
        self._tell_settled()
        if now - self._said >= SAY_EVERY:
            self._said = now
            log = self._log.error if out_of_patience else self._log.info
            log("{sentence}; trying again", sentence=sentence)

    def _cancelled(self, tag: str) -> None:
        """The broker ended the consumer: the queue was deleted, or its node left."""
        client = self._client
        if client is None or self._stopped:
            return
        self._log.warn("the queue {queue} is gone: it is declared anew", queue=self.queue)
        self.acknowledge()
        channel, self._channel = self._channel, None
        mending = Deferred.fromCoroutine(self._mend(client, channel))
        mending.addErrback(self._failed, client)

    async def _mend(self, client: Client, channel: Channel | None) -> None:
        if channel is not None:
            await channel.call("channel_close", reply_code=200, reply_text="the queue is gone")
            client.channels.pop(channel.id, None)
        await self._declare(client)
        await self._consume(client)

    # Messages

    def _received(self, number: int, content: Content) -> None:
        if content.returned:
            return
        if number != self._number:
            self.acknowledge()
        self._number, self._unacknowledged = number, content.delivery_tag
        try:
            delivery = read_delivery(content)
        except RemoteProtocolError as error:
            self._log.warn("a message to {queue} can't be read and is dropped: {error}", queue=self.queue, error=error)
            return
        try:
            self._handler(delivery)
        except Exception:
            self._log.failure("handling a message to {queue}", queue=self.queue)

    def acknowledge(self) -> None:
        """Acknowledge what the last read brought; called at its end."""
        if self._unacknowledged and self._client is not None:
            self._client.write(ack_frame(self._number, self._unacknowledged, multiple=True))
            self._unacknowledged = 0
