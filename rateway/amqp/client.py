"""One connection: txAMQP's channels and calls, on a receive path and a write path of our own.

txAMQP gives the channels, the waiting for answers, and the methods made from the specification. What is ours, and why
(docs/decisions/0050): frames are taken from the stream in one pass; confirms are read as bytes; bodies stay bytes;
field tables are whole; heartbeats count every byte received; and nothing that fails to encode silences the writer.

What the peer says reaches the owner by the ``on_...`` attributes, each called while a read is parsed, ``on_read`` at
its end.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IPushProducer
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from txamqp.client import ChannelClosed, Closed, ConnectionClosed, TwistedDelegate
from txamqp.connection import Frame, Method
from txamqp.message import Message
from txamqp.protocol import AMQChannel, AMQClient
from zope.interface import implementer

import rateway
from rateway.errors import LocalProtocolError, RatewayError, RemoteProtocolError, Unavailable
from rateway.tls import explain

from .codec import body_size, decode_arguments, encode_arguments
from .frames import (
    ACK,
    BODY,
    CONFIRM,
    CONFIRM_SIZE,
    DEFAULT_FRAME_MAX,
    FRAME_END,
    FRAME_PREFIX,
    HEADER,
    HEARTBEAT,
    HEARTBEAT_FRAME,
    METHOD,
    NACK,
    PROTOCOL_HEADER,
    frame,
)
from .spec import argument_kinds, load_spec
from .uri import BrokerAddress

CALL_TIMEOUT = 30.0
"""Seconds the broker may take to answer a method; a node that hangs is as good as one that is away."""

MAX_BODY = 8 * 1024 * 1024
"""Bytes of a body that are gathered; nothing rateway is sent is nearly that long, so the rest is let go by."""

_CHANNEL_MAX = 2047
_METHOD_ID = Struct(">HH")


class Refused(Unavailable):
    """The broker closed a channel or the connection and said why.

    :ivar code: AMQP's reply code.
    :ivar connection: the whole connection, not one channel.
    """

    def __init__(self, code: int, text: str, *, connection: bool) -> None:
        super().__init__(f"the broker closed the {'connection' if connection else 'channel'}: {code} {text}")
        self.code = code
        self.text = text
        self.connection = connection


@define
class Content:
    """A message as it came, its properties still encoded.

    :ivar method: basic.deliver or basic.return.
    :ivar size: bytes the body has; ``chunks`` hold fewer where it is over :data:`MAX_BODY`.
    """

    method: Any
    arguments: tuple[Any, ...]
    header: bytes = b""
    size: int = -1
    received: int = 0
    chunks: list[bytes] = field(factory=list)

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


class Channel(AMQChannel):
    """txAMQP's channel, whose calls end in time and in rateway's own errors."""

    calls = 0
    closed: bool

    def do_close(self, reason: Any) -> None:
        """Closed by the broker, or with the connection."""
        if self.closed:
            return
        self.closed = True
        self.reason = reason
        self.incoming.close()
        self.responses.close()
        if not self._closing:
            self.client.channel_failed(self, reason)

    async def call(self, method: str, **arguments: object) -> Any:
        """Invoke a method, and wait for the broker's answer.

        :raises Refused: if the broker closes the channel or the connection instead.
        :raises Unavailable: if the connection is lost, or no answer comes.
        """
        self.calls += 1
        try:
            return await getattr(self, method)(**arguments).addTimeout(CALL_TIMEOUT, self.client.clock)
        except TimeoutError:
            raise Unavailable(f"the broker does not answer {method.replace('_', '.', 1)}") from None
        except (ChannelClosed, ConnectionClosed) as error:
            raise refusal(error.args[0]) from None
        except Closed:
            raise self.client.reason or Unavailable("the connection to the broker is closed") from None
        except ValueError as error:
            raise RemoteProtocolError(f"the broker answers {method} with something else") from error
        finally:
            self.calls -= 1


def refusal(message: Any) -> Refused:
    """The reason in a channel.close or connection.close."""
    return Refused(message.reply_code, message.reply_text, connection=message.method.klass.name == "connection")


@frozen
class _Outgoing:
    """Stands where txAMQP has a queue and a writer that ends for ever when a frame can't be encoded."""

    _send: Callable[[Frame], None]

    def put(self, item: Frame) -> None:
        self._send(item)


class Delegate(TwistedDelegate):
    """What the broker's methods do."""

    client: Client

    def connection_start(self, channel: Any, message: Any) -> None:
        """Say who we are: PLAIN is what RabbitMQ and all that is like it take."""
        mechanisms = message.mechanisms.split()
        if b"PLAIN" not in mechanisms:
            raise RemoteProtocolError("the broker doesn't let anybody in by user and password (SASL PLAIN)")
        address = self.client.address
        self.client.phase = "login"
        channel.connection_start_ok(
            client_properties={
                "product": "rateway",
                "version": rateway.__version__,
                "platform": "Python, Twisted",
                "connection_name": self.client.name,
                "capabilities": {
                    "authentication_failure_close": True,
                    "basic.nack": True,
                    "connection.blocked": True,
                    "consumer_cancel_notify": True,
                    "exchange_exchange_bindings": True,
                    "publisher_confirms": True,
                },
            },
            mechanism="PLAIN",
            response=b"\0%b\0%b" % (address.user.encode(), address.password.encode()),
            locale="en_US",
        )

    def connection_tune(self, channel: Any, message: Any) -> None:
        """Settle on the smaller of what each side wants; 0 is no limit, or no heartbeats."""
        self.client.tuned(channel, message.channel_max, message.frame_max, message.heartbeat)

    def connection_close(self, channel: Any, message: Any) -> None:
        self.client.reason = refusal(message)
        channel.connection_close_ok()
        self.client.do_close(message)

    def channel_close(self, channel: Any, message: Any) -> None:
        channel.channel_close_ok()
        self.client.channels.pop(channel.id, None)
        channel.do_close(message)

    def connection_blocked(self, channel: Any, message: Any) -> None:
        self.client.on_blocked(message.reason)

    def connection_unblocked(self, channel: Any, message: Any) -> None:
        self.client.on_blocked(None)

    def basic_cancel(self, channel: Any, message: Any) -> None:
        self.client.on_cancelled(message.consumer_tag)

    def basic_ack(self, channel: Any, message: Any) -> None:
        self.client.on_confirm(message.delivery_tag, message.multiple, True)

    def basic_nack(self, channel: Any, message: Any) -> None:
        self.client.on_confirm(message.delivery_tag, message.multiple, False)

    def close(self, reason: object) -> None:
        self.client.closed = True
        self.client.started.fail_if_not_fired(Closed(reason))
        self.client.drop()


def _nothing(*arguments: object) -> None:
    """For an event nobody has asked for yet."""


class Client(AMQClient):
    """A connection to the broker.

    :ivar lost: fires with the reason once the connection is gone.
    :ivar writable: the socket takes what is written; what may wait should wait while it is not.
    :ivar phase: how far the handshake went.
    """

    _log = Logger()

    channelClass = Channel

    def __init__(self, address: BrokerAddress, clock: Any, name: str) -> None:
        super().__init__(Delegate(), address.vhost, load_spec(), heartbeat=0, clock=clock)
        self.outgoing = _Outgoing(self.send_frame)
        self.address = address
        self.name = name
        self.frame_max = DEFAULT_FRAME_MAX
        self.heartbeat = 0
        self.phase = "greeting"
        self.reason: RatewayError | None = None
        self.lost: Deferred[RatewayError] = Deferred()
        self.writable = True
        self.on_confirm: Callable[[int, bool, bool], None] = _nothing
        self.on_content: Callable[[int, Content], None] = _nothing
        self.on_cancelled: Callable[[str], None] = _nothing
        self.on_blocked: Callable[[str | None], None] = _nothing
        self.on_writable: Callable[[], None] = _nothing
        self.on_read: Callable[[], None] = _nothing
        self._rest = b""
        self._contents: dict[int, Content] = {}
        self._connected = False
        self._wrote = self._heard = False
        self._silent = 0
        self._beat: LoopingCall | None = None

    async def handshake(self) -> None:
        """Log in and enter the vhost.

        :raises Refused: if the broker says no.
        :raises Unavailable: if it can't be talked to.
        """
        try:
            await self.started.wait()
        except Closed:
            raise self.reason or Unavailable("the connection was lost during the handshake") from None
        await self.channel_by_id(0).call("connection_open", virtual_host=self.address.vhost)
        self.phase = "open"

    async def open_channel(self, number: int = 0) -> Channel:
        """An open channel, by this number, or by the first that is free from 3 on."""
        if not number:
            number = next(free for free in range(3, _CHANNEL_MAX + 1) if free not in self.channels)
        channel = self.channel_by_id(number)
        await channel.call("channel_open")
        return channel

    def channel_by_id(self, number: int) -> Channel:
        """txAMQP's channel of that number, made if there is none; without waiting, unlike ``channel``."""
        channel = self.channels.get(number)
        if channel is None:
            channel = self.channels[number] = self.channelFactory(number, self.outgoing, self)
        return channel  # type: ignore[no-any-return]

    async def close_cleanly(self, within: float) -> None:
        """Say goodbye, and wait for the answer, but no longer than that many seconds."""
        if not self.closed and self._connected and self.phase == "open":
            goodbye = self.channel_by_id(0).connection_close(reply_code=200, reply_text="rateway stops")
            goodbye.addTimeout(within, self.clock)
            goodbye.addErrback(lambda failure: failure.trap(TimeoutError, Closed))
            await goodbye
        self.fail(Unavailable("the connection is closed"))

    def fail(self, error: RatewayError) -> None:
        """Give the connection up at once for this reason; the owner hears of it by ``lost``."""
        if self.reason is None:
            self.reason = error
        if self._connected:
            self.transport.abortConnection()

    def drop(self) -> None:
        """Close the transport, once what was written is out."""
        if self._connected:
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    # The transport

    def connectionMade(self) -> None:
        self._connected = True
        for option in ("setTcpNoDelay", "setTcpKeepAlive"):
            getattr(self.transport, option, _nothing)(True)
        self.transport.registerProducer(_WriteGate(self), True)
        super().connectionMade()

    def send_init_string(self) -> None:
        self.write(PROTOCOL_HEADER)

    def connectionLost(self, reason: Failure) -> None:
        self._connected = False
        if self._beat is not None and self._beat.running:
            self._beat.stop()
        if self.reason is None:
            said = "" if reason.check(ConnectionDone) else f": {reason.getErrorMessage()}"
            self.reason = Unavailable(explain(reason) or f"the connection was lost{said}")
        super().connectionLost(reason)
        lost, self.lost = self.lost, succeed(self.reason)
        lost.callback(self.reason)

    def write(self, data: bytes) -> None:
        """Hand whole frames to the transport."""
        self._wrote = True
        if self._connected:
            self.transport.write(data)

    def send_frame(self, item: Frame) -> None:
        """A method of txAMQP's: contents don't come this way."""
        method, arguments = item.payload.method, item.payload.args
        payload = _METHOD_ID.pack(method.klass.id, method.id) + encode_arguments(argument_kinds(method), arguments)
        if len(payload) + 8 > self.frame_max:
            raise LocalProtocolError(f"{method.klass.name}.{method.name} is longer than a frame may be")
        self.write(frame(METHOD, item.channel, payload))

    def dataReceived(self, data: bytes) -> None:
        self._heard = True
        if self.reason is not None:
            return
        try:
            self._parse(data)
            self.on_read()
        except RatewayError as error:
            self.fail(error)
        except Exception:
            self._log.failure("reading from the broker; the connection is given up")
            self.fail(Unavailable("a fault of rateway's own ended the connection"))

    def _parse(self, data: bytes) -> None:
        """Take all whole frames; what is left waits for the next read."""
        if self._rest:
            data = self._rest + data
        elif data[:4] == b"AMQP":
            raise RemoteProtocolError("the broker does not speak AMQP 0-9-1")
        position, end = 0, len(data)
        unpack_prefix, unpack_confirm = FRAME_PREFIX.unpack_from, CONFIRM.unpack_from
        frame_max = self.frame_max
        while end - position >= 8:
            kind, channel, size = unpack_prefix(data, position)
            after = position + size + 8
            if after > end:
                if size + 8 > frame_max:
                    raise RemoteProtocolError("the broker sent a frame that is too long")
                break
            if data[after - 1] != FRAME_END:
                raise RemoteProtocolError("the broker sent a frame without an end")
            if size == CONFIRM_SIZE and kind == METHOD:
                _, _, _, method, tag, bits, _ = unpack_confirm(data, position)
                if method == ACK:
                    self.on_confirm(tag, bool(bits & 1), True)
                    position = after
                    continue
                if method == NACK:
                    self.on_confirm(tag, bool(bits & 1), False)
                    position = after
                    continue
            self._frame(kind, channel, data[position + 7 : after - 1])
            position = after
            if self.reason is not None:
                return
        self._rest = data[position:] if position < end else b""

    def _frame(self, kind: int, channel: int, payload: bytes) -> None:
        if kind == METHOD:
            self._method(channel, payload)
        elif kind == BODY:
            self._body(channel, payload)
        elif kind == HEADER:
            content = self._contents.get(channel)
            if content is None or content.size >= 0:
                raise RemoteProtocolError("the broker sent a content header out of place")
            content.size = body_size(payload)
            content.header = payload
            self._complete(channel, content)
        elif kind != HEARTBEAT:
            raise RemoteProtocolError(f"the broker sent a frame of unknown type {kind}")

    def _body(self, number: int, payload: bytes) -> None:
        content = self._contents.get(number)
        if content is None or content.size < 0:
            raise RemoteProtocolError("the broker sent a body out of place")
        content.received += len(payload)
        if content.size <= MAX_BODY:
            content.chunks.append(payload)
        self._complete(number, content)

    def _complete(self, number: int, content: Content) -> None:
        if content.received >= content.size:
            del self._contents[number]
            if content.received > content.size:
                raise RemoteProtocolError("the broker sent a longer body than it said")
            self.on_content(number, content)

    def _method(self, number: int, payload: bytes) -> None:
        if len(payload) < 4:
            raise RemoteProtocolError("the broker sent a method frame that is cut short")
        class_id, method_id = _METHOD_ID.unpack_from(payload)
        try:
            method = self.spec.classes.byid[class_id].methods.byid[method_id]
        except KeyError:
            raise RemoteProtocolError(f"the broker sent an unknown method {class_id}.{method_id}") from None
        arguments = decode_arguments(argument_kinds(method), payload, 4)
        if method.content:
            self._contents[number] = Content(method, arguments)
            return
        channel = self.channel_by_id(0) if number == 0 else self.channels.get(number)
        if channel is None:
            raise RemoteProtocolError(f"the broker sent {method.klass.name}.{method.name} on a channel that isn't open")
        if method.response:
            channel.responses.put(Frame(number, Method(method, *arguments)))
            return
        handler = getattr(self.delegate, f"{method.klass.name}_{method.name}".replace("-", "_"), None)
        if handler is None:
            raise RemoteProtocolError(
                f"the broker sent {method.klass.name}.{method.name}, which is the client's to send"
            )
        handler(channel, Message(method, arguments))

    # What txAMQP and the delegate tell

    def tuned(self, channel: Channel, channel_max: int, frame_max: int, heartbeat: int) -> None:
        """The broker's limits are known."""
        wanted = self.address.heartbeat
        self.heartbeat = min(wanted, heartbeat) if wanted and heartbeat else wanted or heartbeat
        self.frame_max = min(frame_max, DEFAULT_FRAME_MAX) if frame_max else DEFAULT_FRAME_MAX
        channel.connection_tune_ok(
            channel_max=min(channel_max, _CHANNEL_MAX) if channel_max else _CHANNEL_MAX,
            frame_max=self.frame_max,
            heartbeat=self.heartbeat,
        )
        self.phase = "entering"
        if self.heartbeat:
            self._beat = LoopingCall(self._tick)
            self._beat.clock = self.clock
            beating = self._beat.start(self.heartbeat / 2, now=False)
            beating.addErrback(lambda failure: self._log.failure("sending heartbeats to the broker", failure))
        self.started.fire()

    def channel_failed(self, channel: Channel, reason: Any) -> None:
        """A channel the broker closed while nobody waited for an answer on it is mended by a new connection."""
        if not channel.calls:
            self.fail(refusal(reason))

    def _tick(self) -> None:
        """Twice per heartbeat interval: speak if we were silent, give up after two intervals without a byte."""
        if not self._wrote:
            self.write(HEARTBEAT_FRAME)
        self._wrote = False
        self._silent = 0 if self._heard else self._silent + 1
        self._heard = False
        if self._silent >= 4:
            self.fail(Unavailable(f"the broker was silent for {2 * self.heartbeat} s"))


@implementer(IPushProducer)
@frozen
class _WriteGate:
    """How the transport says that its buffer is full; the client's own methods of these names are about reading."""

    _client: Client

    def pauseProducing(self) -> None:
        self._client.writable = False

    def resumeProducing(self) -> None:
        self._client.writable = True
        self._client.on_writable()

    def stopProducing(self) -> None:
        self._client.writable = False


@define(eq=False, slots=False)
class ClientFactory(Factory):
    """Makes clients that know where they connect to."""

    noisy = False

    _address: BrokerAddress
    _clock: Any
    _name: str

    def buildProtocol(self, address: IAddress | None) -> Client:
        return Client(self._address, self._clock, self._name)
