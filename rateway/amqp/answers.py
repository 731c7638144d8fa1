"""Answers to bots: unconfirmed, on a channel of their own, which is opened anew where the broker closes it.

RabbitMQ closes the channel on which it refuses an answer, say for want of write permission on the default exchange,
which answers to ``reply_to`` go through. That must not cost the connection, which carries events. What was written
between the refused answer and the channel's end is lost with it, for the broker doesn't read it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from rateway.complaints import Complaints
from rateway.errors import LocalProtocolError, RatewayError, Unavailable

from .channel import Refused
from .client import Client
from .frames import publish_frames

CHANNEL = 2

LIMIT = 16 * 1024 * 1024
"""Bytes of answers that wait for the transport or the channel; more are dropped, as if the broker were away."""

_PIECE = 256 * 1024
"""Bytes of a write: after each, the transport says whether it takes more."""

_ACCESS_REFUSED = 403


@define(eq=False)
class Answers:
    """The answers of one cluster, over one connection after the other."""

    _log = Logger()

    _clock: Any
    _client: Client | None = field(default=None, init=False)
    _open: bool = field(default=False, init=False)
    _waiting: deque[bytes] = field(factory=deque, init=False)
    _size: int = field(default=0, init=False)
    _complaints: Complaints = field(factory=Complaints, init=False)

    async def attach(self, client: Client) -> None:
        """A new connection: open the channel.

        :raises Unavailable: if the broker doesn't let us.
        """
        await client.open_channel(CHANNEL)
        client.on_channel_closed[CHANNEL] = partial(self._closed, client)
        self._client, self._open = client, True

    def detach(self) -> None:
        """The connection is gone: who waits for an answer is gone as well."""
        self._client, self._open = None, False
        self._waiting.clear()
        self._size = 0

    def send(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        *,
        correlation_id: str | bytes | None,
        headers: Mapping[str, object] | None,
    ) -> None:
        """Send an answer; dropped while the broker is away or can't keep up."""
        client = self._client
        if client is None or self._size > LIMIT:
            self._log.debug("an answer to {key} is dropped: the broker is away", key=routing_key)
            return
        properties = {"correlation_id": correlation_id, "headers": headers or None, "app_id": "rateway"}
        if body:
            properties["content_type"] = "application/json"
        try:
            frames = publish_frames(CHANNEL, exchange, routing_key, properties, body, client.frame_max)
        except LocalProtocolError as error:
            self._log.warn("an answer to {key!r} can't be sent: {error}", key=routing_key, error=error)
            return
        if self._open and client.writable:
            client.write(frames)
        else:
            self._waiting.append(frames)
            self._size += len(frames)

    def flush(self) -> None:
        """Write what waits, as far as the transport takes it."""
        while self._client is not None and self._open and self._client.writable and self._waiting:
            piece: list[bytes] = []
            size = 0
            while self._waiting and size < _PIECE:
                piece.append(self._waiting.popleft())
                size += len(piece[-1])
            self._size -= size
            self._client.write(b"".join(piece))

    def _closed(self, client: Client, error: Refused) -> None:
        """The broker refused an answer, and closed the channel."""
        if client is not self._client:
            return
        self._open = False
        if self._complaints.worth_saying(error.text, self._clock.seconds()):
            remedy = (
                "grant rateway's user write permission on amq.default and rateway-.*"
                if error.code == _ACCESS_REFUSED
                else "see the broker's log"
            )
            self._log.warn(
                "the broker refuses answers to bots ({error}): {remedy}. Such answers are lost; events flow on",
                error=error,
                remedy=remedy,
            )
        opening = Deferred.fromCoroutine(self._open_again(client))
        opening.addErrback(self._failed, client)

    async def _open_again(self, client: Client) -> None:
        await client.open_channel(CHANNEL)
        if client is self._client:
            self._open = True
            self.flush()

    def _failed(self, failure: Failure, client: Client) -> None:
        """Then a new connection mends it, as it does for any other channel."""
        error = failure.value
        if not isinstance(error, RatewayError):
            self._log.failure("opening the channel for answers", failure)
            error = Unavailable("a fault of rateway's own kept the channel for answers from being opened")
        client.fail(error)
