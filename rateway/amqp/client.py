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

from attrs import define
from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from txamqp.client import Closed
from txamqp.connection import Frame, Method
from txamqp.message import Message
from txamqp.protocol import AMQClient

from rateway.errors import LocalProtocolError, RatewayError, RemoteProtocolError, Unavailable
from rateway.tls import explain

from .channel import Channel, Delegate, Outgoing, Refused, refusal
from .codec import decode_arguments, encode_arguments
from .frames import DEFAULT_FRAME_MAX, HEARTBEAT_FRAME, METHOD, PROTOCOL_HEADER, frame
from .outlet import Outlet
from .receiver import Content, Receiver
from .spec import argument_kinds, load_spec
from .uri import BrokerAddress

_CHANNEL_MAX = 2047
_METHOD_ID = Struct(">HH")


def _nothing(*arguments: object) -> None:
    """For an event nobody has asked for yet."""


class Client(AMQClient):
    """A connection to the broker.

    :ivar lost: fires with the reason once the connection is gone.
    :ivar on_channel_closed: channel's number → told when the broker closes it, instead of giving the connection up.
    :ivar phase: how far the handshake went.
    """

    _log = Logger()

    channelClass = Channel

    def __init__(self, address: BrokerAddress, clock: Any, name: str) -> None:
        super().__init__(Delegate(), address.vhost, load_spec(), heartbeat=0, clock=clock)
        self.outgoing = Outgoing(self.send_frame)
        self.address = address
        self.name = name
        self.frame_max = DEFAULT_FRAME_MAX
        self.heartbeat = 0
        self.phase = "greeting"
        self.reason: RatewayError | None = None
        self.lost: Deferred[RatewayError] = Deferred()
        self.on_confirm: Callable[[int, int, bool], None] = _nothing
        self.on_content: Callable[[int, Content], None] = _nothing
        self.on_cancelled: Callable[[str], None] = _nothing
        self.on_blocked: Callable[[str | None], None] = _nothing
        self.on_writable: Callable[[], None] = _nothing
        self.on_read: Callable[[], None] = _nothing
        self.on_channel_closed: dict[int, Callable[[Refused], None]] = {}
        self._receiver = Receiver(self._confirmed, self._method, self._content)
        self._connected = False
        self._outlet: Outlet | None = None
        self._wrote = self._heard = False
        self._silent = 0
        self._beat: LoopingCall | None = None

    @property
    def writable(self) -> bool:
        """The socket takes what is written; what may wait should wait while it does not."""
        return self._outlet is not None and self._outlet.writable

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
        self._give_up(error)
        if self._connected:
            self.transport.abortConnection()

    def closed_by_broker(self, error: RatewayError) -> None:
        """The broker said why it closes; what it sent before is all there is."""
        self._give_up(error)

    def _give_up(self, error: RatewayError) -> None:
        self._receiver.stop()
        if self._outlet is not None:
            self._outlet.close()
        if self.reason is None:
            self.reason = error

    def drop(self) -> None:
        """Close the transport, once what was written is out."""
        if self._connected and self._outlet is not None:
            self._outlet.close()
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    # The transport

    def connectionMade(self) -> None:
        self._connected = True
        for option in ("setTcpNoDelay", "setTcpKeepAlive"):
            getattr(self.transport, option, _nothing)(True)
        self._outlet = Outlet(self.transport, lambda: self.on_writable())
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
        """Write whole frames, with all else that is written in this turn of the reactor."""
        self._wrote = True
        if self._connected and self._outlet is not None:
            self._outlet.write(data)

    def write_now(self, data: bytes) -> None:
        """Write whole frames at once: nothing more will come in this turn that they could go with."""
        self._wrote = True
        if self._connected and self._outlet is not None:
            self._outlet.write_now(data)

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
            self._receiver.feed(data)
            self.on_read()
        except RatewayError as error:
            self.fail(error)
        except Exception:
            self._log.failure("reading from the broker; the connection is given up")
            self.fail(Unavailable("a fault of rateway's own ended the connection"))

    def _confirmed(self, first: int, last: int, ack: bool) -> None:
        self.on_confirm(first, last, ack)

    def _content(self, number: int, content: Content) -> None:
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
        name = f"{method.klass.name}.{method.name}"
        channel = self.channel_by_id(0) if number == 0 else self.channels.get(number)
        if channel is None:
            raise RemoteProtocolError(f"the broker sent {name} on a channel that isn't open")
        if method.response:
            channel.responses.put(Frame(number, Method(method, *arguments)))
            return
        handler = getattr(self.delegate, name.replace(".", "_").replace("-", "_"), None)
        if handler is None:
            raise RemoteProtocolError(f"the broker sent {name}, which is the client's to send")
        handler(channel, Message(method, arguments))

    # What txAMQP and the delegate tell

    def tuned(self, channel: Channel, channel_max: int, frame_max: int, heartbeat: int) -> None:
        """The broker's limits are known."""
        wanted = self.address.heartbeat
        self.heartbeat = min(wanted, heartbeat) if wanted and heartbeat else wanted or heartbeat
        self.frame_max = min(frame_max, DEFAULT_FRAME_MAX) if frame_max else DEFAULT_FRAME_MAX
        self._receiver.frame_max = self.frame_max
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
        """The broker closed a channel while nobody waited for an answer on it.

        Whoever can go on without it has said so; otherwise a new connection mends it.
        """
        mend = None if self.reason is not None or self.closed else self.on_channel_closed.get(channel.id)
        if mend is None:
            self.fail(refusal(reason))
        else:
            mend(refusal(reason))

    def _tick(self) -> None:
        """Twice per heartbeat interval: speak if we were silent, give up after two intervals without a byte."""
        if not self._wrote:
            self.write(HEARTBEAT_FRAME)
        self._wrote = False
        self._silent = 0 if self._heard else self._silent + 1
        self._heard = False
        if self._silent >= 4:
            self.fail(Unavailable(f"the broker was silent for {2 * self.heartbeat} s"))


@define(eq=False, slots=False)
class ClientFactory(Factory):
    """Makes clients that know where they connect to."""

    noisy = False

    _address: BrokerAddress
    _clock: Any
    _name: str

    def buildProtocol(self, address: IAddress | None) -> Client:
        return Client(self._address, self._clock, self._name)
