"""The contract suite against the scripted broker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from rateway.amqp.codec import encode_content_header
from rateway.amqp.uri import BrokerAddress

from .contract import ContractTests, Event, World
from .scripted import Connection, Published, ScriptedBroker

NAMES = ("READY", "MESSAGE_CREATE", "SOMETHING_NEW")


def event(message: Published) -> Event:
    return Event(message.routing_key, message.body, message.properties)


@define(eq=False)
class ScriptedWorld:
    """A scripted broker, and a bot that sees what it got."""

    endpoint: ScriptedBroker = field(factory=ScriptedBroker)
    address: BrokerAddress = field(factory=lambda: BrokerAddress("broker.example"))

    def __attrs_post_init__(self) -> None:
        def log_in(connection: Connection, channel: int, arguments: Any) -> None:
            if arguments["response"] == b"\0guest\0guest":
                connection.answer(channel, "connection.start-ok", arguments)
            else:
                connection.send(0, "connection", "close", 403, "ACCESS_REFUSED - Login was refused", 0, 0)

        def enter(connection: Connection, channel: int, arguments: Any) -> None:
            if arguments["virtual-host"] == "/":
                connection.answer(channel, "connection.open", arguments)
            else:
                text = f"NOT_ALLOWED - vhost {arguments['virtual-host']} not found"
                connection.send(0, "connection", "close", 530, text, 0, 0)

        self.endpoint.script |= {"connection.start-ok": log_in, "connection.open": enter}

    @property
    def reactor(self) -> Clock:
        return self.endpoint.clock

    async def until(self, met: Callable[[], bool], what: str) -> None:
        self.endpoint.pump()
        for _ in range(1000):
            if met():
                return
            self.endpoint.advance(0.1)
        raise AssertionError(f"{what}: not within 100 s")

    async def pause(self, seconds: float) -> None:
        self.endpoint.advance(seconds)

    async def listen(self) -> None:
        """Everything is heard anyway."""

    def events(self) -> list[Event]:
        return [
            event(each)
            for connection in self.endpoint.connections
            for each in connection.published
            if each.exchange == "rateway-1" and each.routing_key in NAMES
        ]

    def answers(self) -> list[Event]:
        return [
            event(each) for each in self.endpoint.now.published if (each.exchange, each.routing_key) == ("", "answers")
        ]

    async def send(self, routing_key: str, body: bytes, **properties: Any) -> None:
        await self.send_raw(routing_key, encode_content_header(len(body), properties), body)

    async def send_raw(self, routing_key: str, header: bytes, body: bytes) -> None:
        await self.until(lambda: self.endpoint.now.consumer is not None, "a consumer")
        self.endpoint.now.deliver(body, routing_key, header=header)

    async def close_connections(self) -> None:
        self.endpoint.now.send(0, "connection", "close", 320, "CONNECTION_FORCED - closed by a test", 0, 0)

    async def delete_queue(self) -> None:
        connection = self.endpoint.now
        connection.send(connection.consumer or 0, "basic", "cancel", "rateway-1", True)
        connection.consumer = None

    async def delete_exchange(self) -> None:
        def missing(connection: Connection, channel: int, arguments: Any) -> None:
            del self.endpoint.script["basic.publish"]
            connection.answer(channel, "basic.publish", arguments)
            connection.published.clear()
            connection.send(channel, "channel", "close", 404, "NOT_FOUND - no exchange 'rateway-1'", 60, 40)

        self.endpoint.script["basic.publish"] = missing


class ScriptedContractTests(ContractTests, TestCase):
    """What passes here is what the other tests build on."""

    async def make_world(self) -> World:
        return ScriptedWorld()
