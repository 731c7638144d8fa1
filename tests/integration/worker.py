"""A bot's worker, by a client library that isn't rateway's (pika): so that both ends can't share a mistake."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

import ujson
from attrs import define, field, frozen
from pika import BasicProperties, URLParameters
from pika.adapters.twisted_connection import TwistedProtocolConnection
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol

from tests.support.waiting import PATIENCE

_tags = itertools.count(1)


@frozen
class Received:
    """A message as it arrived."""

    exchange: str
    key: str
    body: bytes
    properties: BasicProperties

    @property
    def seq(self) -> int:
        """Discord's sequence."""
        return int(self.properties.headers["seq"])

    @property
    def shard(self) -> int:
        """The shard it came by."""
        return int(self.properties.headers["shard_id"])


def _bounded(answer: Deferred[Received]) -> Deferred[Received]:
    """In vain after a while, so that a test says where it waited."""
    from twisted.internet import reactor

    return answer.addTimeout(2 * PATIENCE, reactor)


@define(eq=False)
class Worker:
    """One connection of a bot's: its events, its commands and queries.

    :ivar events: what came, in order of arrival, over all clusters.
    """

    _connection: Any
    _channel: Any
    events: list[Received] = field(factory=list)
    _answers: dict[str, Deferred[Received]] = field(factory=dict)
    _reply_queue: str = ""

    @classmethod
    async def connect(cls, reactor: Any, uri: str) -> Self:
        """Connect to the broker."""
        parameters = URLParameters(uri)
        endpoint = HostnameEndpoint(reactor, parameters.host, parameters.port)
        connection = await connectProtocol(endpoint, TwistedProtocolConnection(parameters))
        await connection.ready
        channel = await connection.channel()
        worker = cls(connection, channel)
        declared = await channel.queue_declare("", exclusive=True)
        worker._reply_queue = declared.method.queue
        await worker._consume(worker._reply_queue, worker._answered)
        return worker

    async def bind(
        self,
        cluster: int,
        names: Iterable[str],
        queue: str = "",
        durable: bool = False,
        take: Callable[[Received], object] | None = None,
    ) -> str:
        """Declare the cluster's exchange as a bot does, bind a queue to it by these names, and consume it.

        :param take: is given what comes, instead of ``events``.
        """
        exchange = f"rateway-{cluster}"
        await self._channel.exchange_declare(exchange, "direct", durable=True)
        declared = await self._channel.queue_declare(queue, exclusive=not durable, durable=durable)
        for name in names:
            await self._channel.queue_bind(declared.method.queue, exchange, name)
        await self._consume(declared.method.queue, take or self.events.append)
        return str(declared.method.queue)

    async def query(self, cluster: int, kind: str, *arguments: object) -> Any:
        """Ask the cache by ``reply_to``: the entity, or ``None`` where it isn't known."""
        request = ujson.dumps({"type": kind, "arguments": arguments}).encode()
        answer = await _bounded(self.ask(cluster, "cache", request))
        assert not (answer.properties.headers or {}).get("error"), answer.properties.headers
        return ujson.loads(answer.body) if answer.body else None

    async def command(self, cluster: int, payload: object, shard: int | None = None, **properties: Any) -> Any:
        """Send a gateway command and return rateway's answer."""
        body = payload if isinstance(payload, bytes) else ujson.dumps(payload, ensure_ascii=False).encode()
        headers = {} if shard is None else {"shard_id": shard}
        answer = await _bounded(self.ask(cluster, "gateway", body, headers, **properties))
        return ujson.loads(answer.body)

    def ask(
        self, cluster: int, key: str, body: bytes, headers: Mapping[str, object] | None = None, **properties: Any
    ) -> Deferred[Received]:
        """Publish to the cluster's exchange with ``reply_to``; fires with the answer."""
        tag = str(next(_tags))
        answer = self.expect(tag)
        sent = self.publish(cluster, key, body, headers, reply_to=self._reply_queue, correlation_id=tag, **properties)
        sent.addErrback(answer.errback)
        return answer

    def expect(self, tag: str) -> Deferred[Received]:
        """Fires with the answer that bears this correlation id, whoever asks for it in our name."""
        answer = self._answers[tag] = Deferred()
        return answer

    @property
    def reply_queue(self) -> str:
        """Where answers are taken from."""
        return self._reply_queue

    def publish(
        self, cluster: int, key: str, body: bytes, headers: Mapping[str, object] | None = None, **properties: Any
    ) -> Any:
        """Publish to the cluster's exchange."""
        return self._channel.basic_publish(
            f"rateway-{cluster}", key, body, BasicProperties(headers=dict(headers or {}), **properties)
        )

    async def close(self) -> None:
        """Leave."""
        if self._connection.is_open:
            await self._connection.close()

    def names(self) -> list[str]:
        """The names of the events, in order of arrival."""
        return [event.key for event in self.events]

    def of_shard(self, shard: int) -> list[Received]:
        """A shard's events, in order of arrival."""
        return [event for event in self.events if event.shard == shard]

    def _answered(self, answer: Received) -> None:
        waiting = self._answers.pop(answer.properties.correlation_id, None)
        if waiting is not None:
            waiting.callback(answer)

    async def _consume(self, queue: str, take: Any) -> None:
        messages, _ = await self._channel.basic_consume(queue, auto_ack=True)

        def received(message: Any) -> None:
            _, method, properties, body = message
            take(Received(method.exchange, method.routing_key, body, properties))
            listen()

        def listen() -> None:
            # The queue ends with an error when the channel closes: that is the end of listening, not a fault.
            messages.get().addCallbacks(received, lambda _: None)

        listen()
