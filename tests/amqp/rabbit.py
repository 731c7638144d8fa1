"""RabbitMQ as a world of the contract suite, with pika, an independent client, as the bot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from pika import BasicProperties, URLParameters
from pika.adapters.twisted_connection import TwistedProtocolConnection
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from rateway.amqp.frames import HEADER, body_frames, frame, publish_method
from rateway.amqp.uri import BrokerAddress, parse_uri
from tests.support.broker import Vhost
from tests.support.waiting import eventually

from .contract import Event

NAMES = ("READY", "MESSAGE_CREATE", "SOMETHING_NEW")


def event(message: Any) -> Event:
    """A message of pika's."""
    _, method, properties, body = message
    present = {name: value for name, value in vars(properties).items() if value is not None}
    return Event(method.routing_key, body, present)


@define(eq=False)
class RabbitWorld:
    """A vhost of RabbitMQ's, and a bot in it."""

    vhost: Vhost
    reactor: Any
    address: BrokerAddress
    _bot: Any
    _channel: Any
    endpoint: None = None
    _events: list[Event] = field(factory=list)
    _answers: list[Event] = field(factory=list)

    @classmethod
    async def make(cls, case: TestCase, vhost: Vhost) -> RabbitWorld:
        """Connect the bot; it leaves at the end of the test."""
        from twisted.internet import reactor

        bot = await connect(case, vhost.uri)
        world = cls(vhost, reactor, parse_uri(vhost.uri), bot, await bot.channel())
        await world._consume("answers", world._answers, exclusive=True)
        return world

    async def _consume(self, name: str, into: list[Event], **flags: Any) -> str:
        declared = await self._channel.queue_declare(name, **flags)
        queue, _ = await self._channel.basic_consume(declared.method.queue, auto_ack=True, exclusive=True)

        def next_one(message: Any) -> None:
            into.append(event(message))
            wait()

        def wait() -> None:
            queue.get().addCallbacks(next_one, lambda failure: None)

        wait()
        return str(declared.method.queue)

    async def until(self, met: Callable[[], bool], what: str) -> None:
        async def check() -> bool:
            return met()

        await eventually(check, what=what, every=0.02)

    async def pause(self, seconds: float) -> None:
        await deferLater(self.reactor, seconds)

    async def listen(self) -> None:
        await self._channel.exchange_declare("rateway-1", "direct", durable=True)
        name = await self._consume("worker", self._events, durable=True)
        for key in NAMES:
            await self._channel.queue_bind(name, "rateway-1", key)

    def events(self) -> list[Event]:
        return self._events

    def answers(self) -> list[Event]:
        return self._answers

    async def send(self, routing_key: str, body: bytes, **properties: Any) -> None:
        await self._channel.basic_publish("rateway-1", routing_key, body, BasicProperties(**properties))

    async def send_raw(self, routing_key: str, header: bytes, body: bytes) -> None:
        number = self._channel.channel_number
        method = publish_method(number, "rateway-1", routing_key)
        self._bot.transport.write(
            b"".join((method, frame(HEADER, number, header), *body_frames(number, body, 131_072)))
        )

    async def close_connections(self) -> None:
        """Close rateway's connections, as the management page does; the broker shows them after a while."""

        async def ours() -> list[dict[str, Any]]:
            found = await self.vhost.connections()
            return [each for each in found if each.get("client_properties", {}).get("product") == "rateway"]

        for each in await eventually(ours, what="the broker shows rateway's connection"):
            await self.call("DELETE", "connections", each["name"])

    async def delete_queue(self) -> None:
        await self.call("DELETE", "queues", self.vhost.name, "rateway-incoming-1")

    async def delete_exchange(self) -> None:
        await self.call("DELETE", "exchanges", self.vhost.name, "rateway-1")

    def call(self, *arguments: Any, **options: Any) -> Deferred[Any]:
        """Ask the management API."""
        from twisted.internet.threads import deferToThread

        return deferToThread(self.vhost.api.call, *arguments, **options)


async def connect(case: TestCase, uri: str) -> Any:
    """A connection of pika's, closed at the end of the test."""
    from twisted.internet import reactor

    parameters = URLParameters(uri)
    endpoint = HostnameEndpoint(reactor, parameters.host, parameters.port)
    connection = await connectProtocol(endpoint, TwistedProtocolConnection(parameters))
    await connection.ready

    async def close() -> None:
        if not connection.is_closed:
            await connection.close()

    case.addCleanup(lambda: Deferred.fromCoroutine(close()).addErrback(lambda failure: None))
    return connection
