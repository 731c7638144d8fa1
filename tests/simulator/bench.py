"""Connections without sockets: a hub on a ``task.Clock``, and wires that keep what was sent."""

from __future__ import annotations

import json
import zlib
from typing import Any

from attrs import Factory, define
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rateway.model.intents import ALL
from rateway.simulator.control.controls import Controls
from rateway.simulator.gateway.behaviour import Behaviour, Drop
from rateway.simulator.gateway.connection import Connection
from rateway.simulator.gateway.encoding import Message
from rateway.simulator.hub import Hub
from rateway.simulator.options import SimulatorOptions
from rateway.simulator.records import Connected

Payload = dict[str, Any]
NOW = 1_790_000_000.0
PLAIN = {"v": "10", "encoding": "json"}


@define(eq=False)
class RecordingWire:
    """A wire that goes nowhere."""

    messages: list[Message] = Factory(list)
    close: tuple[int | None, str] | None = None
    dropped: Drop | None = None
    reading: bool = True
    is_stuck: bool = False
    _inflate: Any = Factory(zlib.decompressobj)

    def send_messages(self, messages: list[Message]) -> None:
        self.messages.extend(messages)

    def send_close(self, code: int | None, reason: str) -> None:
        self.close = (code, reason)

    def drop(self, how: Drop) -> None:
        self.dropped = how

    def read(self, reading: bool) -> None:
        self.reading = reading

    @property
    def payloads(self) -> list[Payload]:
        return [json.loads(data) for data, _ in self.messages]

    def all(self, name_or_op: str | int) -> list[Payload]:
        key = "t" if isinstance(name_or_op, str) else "op"
        return [payload for payload in self.payloads if payload[key] == name_or_op]

    def names(self) -> list[str]:
        """The events so far."""
        return [payload["t"] for payload in self.payloads if payload["op"] == 0]


class Face(Controls):
    """The controls, without a simulator around them."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub


@define(eq=False)
class Client:
    """A client's end."""

    connection: Connection
    wire: RecordingWire

    def say(self, data: bytes) -> None:
        self.connection.received(data)

    def tell(self, op: int, d: object) -> None:
        self.say(json.dumps({"op": op, "d": d}).encode())

    def identify(self, shard: object = 0, total: int = 1, **more: object) -> None:
        d: Payload = {
            "token": "simulator-token",
            "intents": int(ALL),
            "properties": {"os": "linux", "browser": "raw", "device": "raw"},
            "shard": [shard, total],
            "large_threshold": 250,
        }
        d.update(more)
        self.tell(2, {key: value for key, value in d.items() if value is not None})

    def resume(self, session_id: object, seq: object, token: str = "simulator-token") -> None:
        self.tell(6, {"token": token, "session_id": session_id, "seq": seq})

    def leave(self) -> None:
        """The TCP connection goes away."""
        self.connection.lost()

    @property
    def session_id(self) -> str:
        return str(self.wire.all("READY")[0]["d"]["session_id"])


class BenchCase(SynchronousTestCase):
    """A test of connections on a clock."""

    clock: Clock
    hub: Hub
    face: Face

    def start(self, **options: Any) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.hub = Hub(self.clock, SimulatorOptions(**{"guilds": 0, **options}))
        self.face = Face(self.hub)

    def connect(self, query: dict[str, str] | None = None, host: str = "127.0.0.1") -> Client:
        wire = RecordingWire()
        behaviour: Behaviour = self.hub.script.opening(host)
        number = self.hub.journal.totals.get("connections", 0) + 1
        record = Connected(number, self.clock.seconds(), host, "/", PLAIN if query is None else query)
        connection = self.hub.connections[number] = Connection(self.hub, wire, record, behaviour)
        self.hub.journal.keep("connections", self.hub.journal.connections, record)
        connection.opened()
        return Client(connection, wire)

    def ready(self, shard: int = 0, total: int = 1, **more: object) -> Client:
        """A client with READY and all its guilds."""
        client = self.connect()
        client.identify(shard, total, **more)
        self.settle()
        return client

    def settle(self) -> None:
        """What was put off to the next turns happens."""
        while self.clock.calls and self.clock.calls[0].getTime() <= self.clock.seconds() + 1e-5:
            self.clock.advance(2e-6)

    def broken(self) -> list[str]:
        """The rules broken so far."""
        return [breach.rule for breach in self.hub.journal.breaches]

    def assert_closed(self, client: Client, code: int, rule: str) -> None:
        """Closed with this code, and this one breach was recorded."""
        assert client.wire.close is not None
        self.assertEqual((client.wire.close[0], self.broken()), (code, [rule]))
