"""A broker that does what a test tells it to: the real client talks to it, without a socket and on a fake clock.

It speaks AMQP by rateway's own codec; that this is the AMQP others speak is what the tests over a real broker show.
What it says waits until :meth:`ScriptedBroker.pump`, as a network's bytes wait for the reactor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from rateway.amqp.client import Client
from rateway.amqp.codec import body_size, decode_arguments, decode_properties, encode_arguments, encode_content_header
from rateway.amqp.frames import BODY, FRAME_PREFIX, HEADER, METHOD, PROTOCOL_HEADER, body_frames, frame
from rateway.amqp.spec import argument_kinds, load_spec


@define
class Published:
    """A message the client published.

    :ivar tag: its delivery tag, 0 on a channel without confirms.
    """

    channel: int
    exchange: str
    routing_key: str
    tag: int
    properties: dict[str, object] = field(factory=dict)
    body: bytes = b""
    size: int = 0


Answer = Callable[["Connection", int, Mapping[str, Any]], None]


@define(eq=False)
class Connection:
    """One connection, from the broker's end; it is the client's transport as well."""

    broker: ScriptedBroker
    client: Client
    calls: list[tuple[str, dict[str, Any]]] = field(factory=list)
    published: list[Published] = field(factory=list)
    writes: list[bytes] = field(factory=list)
    heartbeats: int = 0
    acknowledged: list[tuple[int, int, bool]] = field(factory=list)
    open: bool = True
    aborted: bool = False
    consumer: int | None = None
    producer: Any = None
    disconnecting: bool = False
    _replies: list[bytes] = field(factory=list)
    _received: bytes = b""
    _greeted: bool = False
    _tags: dict[int, int] = field(factory=dict)
    _unfinished: dict[int, Published] = field(factory=dict)
    _delivered: int = 0

    # The client's transport

    def write(self, data: bytes) -> None:
        assert self.open, "the client writes to a connection that is closed"
        self.writes.append(data)
        self._received += data
        if not self._greeted and len(self._received) >= len(PROTOCOL_HEADER):
            assert self._received.startswith(PROTOCOL_HEADER)
            self._received = self._received[len(PROTOCOL_HEADER) :]
            self._greeted = True
            self.send(0, "connection", "start", 0, 9, {}, self.broker.mechanisms, b"en_US")
        while len(self._received) >= 8:
            kind, channel, size = FRAME_PREFIX.unpack_from(self._received)
            if len(self._received) < size + 8:
                break
            assert self._received[size + 7] == 0xCE
            payload, self._received = self._received[7 : size + 7], self._received[size + 8 :]
            assert size + 8 <= self.broker.frame_max
            self._frame(kind, channel, payload)

    def loseConnection(self) -> None:
        self._lose(Failure(ConnectionDone()))

    def abortConnection(self) -> None:
        self.aborted = True
        self._lose(Failure(ConnectionLost()))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    # The broker

    def send(self, channel: int, class_name: str, method_name: str, *arguments: object) -> None:
        """Say a method."""
        method = load_spec().classes.byname[class_name].methods.byname[method_name]
        head = method.klass.id.to_bytes(2, "big") + method.id.to_bytes(2, "big")
        self.send_raw(frame(METHOD, channel, head + encode_arguments(argument_kinds(method), arguments)))

    def send_raw(self, data: bytes) -> None:
        """Say these bytes."""
        self._replies.append(data)

    def deliver(
        self,
        body: bytes,
        key: str = "gateway",
        *,
        header: bytes | None = None,
        frame_max: int = 4096,
        **properties: object,
    ) -> int:
        """Deliver a message to the client's consumer; returns its tag."""
        assert self.consumer is not None
        self._delivered += 1
        self.send(self.consumer, "basic", "deliver", "tag", self._delivered, False, "rateway-1", key)
        payload = encode_content_header(len(body), properties) if header is None else header
        self.send_raw(frame(HEADER, self.consumer, payload))
        self.send_raw(b"".join(body_frames(self.consumer, body, frame_max)))
        return self._delivered

    def confirm(self, tag: int, *, multiple: bool = False, ack: bool = True) -> None:
        """Confirm a message on channel 1, or refuse it."""
        if ack:
            self.send(1, "basic", "ack", tag, multiple)
        else:
            self.send(1, "basic", "nack", tag, multiple, False)

    def break_off(self) -> None:
        """The network is gone."""
        self._lose(Failure(ConnectionLost()))

    def pump(self) -> bool:
        """Let the client hear what was said; whether there was anything."""
        if not self._replies or not self.open:
            return False
        data, self._replies = b"".join(self._replies), []
        self.client.dataReceived(data)
        return True

    def _lose(self, reason: Failure) -> None:
        if self.open:
            self.open = False
            self._replies.clear()
            self.client.connectionLost(reason)

    def _frame(self, kind: int, channel: int, payload: bytes) -> None:
        if kind == METHOD:
            method = (
                load_spec()
                .classes.byid[int.from_bytes(payload[:2], "big")]
                .methods.byid[int.from_bytes(payload[2:4], "big")]
            )
            values = decode_arguments(argument_kinds(method), payload, 4)
            arguments = {each.name: value for each, value in zip(method.fields, values, strict=True)}
            self._method(channel, f"{method.klass.name}.{method.name}", arguments)
        elif kind == HEADER:
            message = self._unfinished[channel]
            message.size = body_size(payload)
            message.properties = decode_properties(payload)
            self._finish(channel, message)
        elif kind == BODY:
            message = self._unfinished[channel]
            message.body += payload
            self._finish(channel, message)
        else:
            self.heartbeats += 1

    def _finish(self, channel: int, message: Published) -> None:
        if len(message.body) == message.size:
            del self._unfinished[channel]
            self.published.append(message)
            if message.tag and self.broker.confirms:
                self.confirm(message.tag)

    def _method(self, channel: int, name: str, arguments: dict[str, Any]) -> None:
        self.calls.append((name, arguments))
        scripted = self.broker.script.get(name)
        if scripted is not None:
            scripted(self, channel, arguments)
        else:
            self.answer(channel, name, arguments)

    def answer(self, channel: int, name: str, arguments: Mapping[str, Any]) -> None:
        """What an ordinary broker answers."""
        class_name, method_name = name.split(".")
        if name == "connection.start-ok":
            self.send(0, "connection", "tune", 2047, self.broker.frame_max, self.broker.heartbeat)
        elif name == "basic.publish":
            assert channel not in self._unfinished, "a message begins within another"
            tag = 0
            if channel in self._tags:
                self._tags[channel] = tag = self._tags[channel] + 1
            self._unfinished[channel] = Published(channel, arguments["exchange"], arguments["routing-key"], tag)
        elif name == "basic.ack":
            self.acknowledged.append((channel, arguments["delivery-tag"], arguments["multiple"]))
        elif name == "queue.declare":
            self.send(channel, "queue", "declare-ok", arguments["queue"], 0, 0)
        elif name in ("basic.consume", "basic.cancel"):
            self.consumer = channel if method_name == "consume" else None
            self.send(channel, "basic", f"{method_name}-ok", arguments["consumer-tag"])
        elif method_name in ("tune-ok", "close-ok"):
            pass
        else:
            if name == "confirm.select":
                self._tags[channel] = 0
            reserved: dict[str, object] = {"connection.open": "", "channel.open": b""}
            self.send(channel, class_name, f"{method_name}-ok", *([reserved[name]] if name in reserved else []))


@implementer(IStreamClientEndpoint)
@define(eq=False, slots=False)
class ScriptedBroker:
    """Where the client connects to.

    :ivar script: method name → what happens instead of the ordinary answer.
    :ivar confirms: every message on a channel in confirm mode is confirmed at once.
    :ivar connect_error: why nobody can connect; ``None`` if everybody can.
    """

    clock: Clock = field(factory=Clock)
    script: dict[str, Answer] = field(factory=dict)
    confirms: bool = True
    connect_error: Exception | None = None
    frame_max: int = 131_072
    heartbeat: int = 60
    mechanisms: bytes = b"PLAIN AMQPLAIN"
    attempts: int = 0
    connections: list[Connection] = field(factory=list)

    def connect(self, factory: IProtocolFactory) -> Deferred[Any]:
        self.attempts += 1
        if self.connect_error is not None:
            return fail(self.connect_error)
        client: Any = factory.buildProtocol(None)  # type: ignore[arg-type]
        connection = Connection(self, client)
        self.connections.append(connection)
        client.makeConnection(connection)
        return succeed(client)

    @property
    def now(self) -> Connection:
        """The newest connection."""
        return self.connections[-1]

    def pump(self) -> None:
        """Let everything be heard, until nobody says anything more."""
        heard = True
        while heard:
            heard = False
            for connection in list(self.connections):
                heard |= connection.pump()
            self.clock.advance(0)

    def advance(self, seconds: float, step: float = 0.5) -> None:
        """Let time pass, in steps, with all that is said meanwhile."""
        while seconds > 0:
            self.clock.advance(min(step, seconds))
            seconds -= step
            self.pump()

    def refuse(self, channel_code: int, text: str) -> Answer:
        """A script: close the channel with this code."""
        return lambda connection, channel, _: connection.send(channel, "channel", "close", channel_code, text, 0, 0)

    def close(self, code: int, text: str) -> Answer:
        """A script: close the connection with this code."""
        return lambda connection, channel, _: connection.send(0, "connection", "close", code, text, 0, 0)

    def go_away(self) -> None:
        """Break every connection, and let nobody in."""
        self.connect_error = ConnectionRefusedError()
        for connection in self.connections:
            connection.break_off()

    def come_back(self) -> None:
        """Let everybody in again."""
        self.connect_error = None
