"""Autobahn below, ``connection`` above: messages and close frames cross here, and nothing is decided.

Data frames are written straight to the transport, unless the connection's behaviour cuts or paces them (``outflow``).
"""

from __future__ import annotations

from typing import Any

from autobahn.twisted.resource import WebSocketResource
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.interfaces import IAddress, IPushProducer
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from ..hub import Hub
from ..records import Connected
from .behaviour import Behaviour, Drop
from .connection import Connection
from .encoding import Message
from .outflow import Outflow, frame

_REASON_BYTES = 123
"""What a close frame has room for besides its code (RFC 6455, section 5.5)."""

_BACKLOG = 1 << 16
"""Bytes that may wait for a connection that is slow by order, before it counts as stuck."""

_CLOSE_TIMEOUT = 2.0
"""Seconds the client has to answer a close frame."""


@implementer(IPushProducer)
class _Gauge:
    """Tells a wire when its transport has taken more than the client reads."""

    def __init__(self, wire: GatewayProtocol) -> None:
        self._wire = wire

    def pauseProducing(self) -> None:
        self._wire.is_full = True

    def resumeProducing(self) -> None:
        self._wire.is_full = False

    def stopProducing(self) -> None:
        self._wire.is_full = True


class GatewayProtocol(WebSocketServerProtocol):
    """One WebSocket of a client."""

    hub: Hub
    behaviour: Behaviour
    connection: Connection | None = None
    is_full = False
    outflow: Outflow
    _query: dict[str, str]
    _path = _name = ""

    def onConnect(self, request: Any) -> None:
        self._path = request.path
        self._name = (request.host or "").partition(":")[0]
        self._query = {key: values[-1] for key, values in request.params.items()}

    def onOpen(self) -> None:
        # The HTTP channel that began the connection is its transport's producer still.
        self.transport.unregisterProducer()
        self.transport.registerProducer(_Gauge(self), True)
        hub = self.hub
        host = getattr(self.transport.getHost(), "host", "")
        number = next(hub.numbers)
        record = Connected(number, hub.now(), host, self._path, self._query, name=self._name)
        connection = self.connection = hub.connections[number] = Connection(hub, self, record, self.behaviour)
        self.outflow = Outflow(hub, self._write, lambda: connection.behaviour)
        GatewayResource.log.info(
            "connection {number} to {host} opened: {query}",
            number=number,
            host=host,
            query=hub.veil(", ".join(f"{key}={value}" for key, value in self._query.items())),
        )
        hub.journal.keep("connections", hub.journal.connections, record)
        connection.opened()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.connection is not None:
            self.connection.received(payload)

    def onCloseFrame(self, code: int | None, reasonRaw: bytes | None) -> Any:
        if self.connection is not None and self.state == self.STATE_OPEN:
            self.connection.client_closed(code, (reasonRaw or b"").decode(errors="replace"))
        return super().onCloseFrame(code, reasonRaw)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        if self.connection is not None:
            self.outflow.stop()
            self.connection.lost()

    # --- the wire of a connection

    @property
    def is_stuck(self) -> bool:
        return self.is_full or self.outflow.waiting > _BACKLOG

    def send_messages(self, messages: list[Message]) -> None:
        if self.state != self.STATE_OPEN or self.connection is None:
            return
        if self.connection.behaviour.is_shaped or self.outflow.pending:
            self.outflow.send(messages)
        else:
            self.transport.write(b"".join([frame(data, binary) for data, binary in messages]))

    def send_close(self, code: int | None, reason: str) -> None:
        self.outflow.then(lambda: self._send_close(code, reason))

    def _send_close(self, code: int | None, reason: str) -> None:
        if self.state != self.STATE_OPEN:
            return
        # Autobahn's own sendClose refuses codes that Discord uses (1001).
        words = reason.encode()[:_REASON_BYTES].decode(errors="ignore").encode()
        self.sendCloseFrame(code=code, reasonUtf8=words)
        self.hub.later(_CLOSE_TIMEOUT, lambda: self.drop("fin"))

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """What Autobahn sends by itself, pongs and close frames, must not come amid a frame that is on its way."""
        if self.connection is not None and self.outflow.pending:
            self.outflow.append(data)
        else:
            super().sendData(data, sync, chopsize)

    def _write(self, data: bytes) -> None:
        connection = self.connection
        if self.state != self.STATE_CLOSED and connection is not None and not connection.swallowed:
            self.transport.write(data)

    def drop(self, how: Drop) -> None:
        if self.state == self.STATE_CLOSED:
            return
        if self.connection is not None:
            self.outflow.stop()
        if how == "rst":
            self.transport.abortConnection()
        else:
            # A transport with a producer that is paused would not end.
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def read(self, reading: bool) -> None:
        if self.state == self.STATE_CLOSED:
            return
        if reading:
            self.transport.resumeProducing()
        else:
            self.transport.pauseProducing()


class _Builder:
    """Builds the protocol of one request, with its behaviour."""

    def __init__(self, hub: Hub, factory: Any, behaviour: Behaviour) -> None:
        self._hub, self._factory, self._behaviour = hub, factory, behaviour

    def buildProtocol(self, address: IAddress) -> Any:
        protocol = self._factory.buildProtocol(address)
        protocol.hub, protocol.behaviour = self._hub, self._behaviour
        return protocol


class GatewayResource(Resource):
    """``/`` of the site: WebSocket upgrades go to the gateway, after what a script wants of the connection."""

    log = Logger()

    def __init__(self, hub: Hub) -> None:
        super().__init__()
        self._hub = hub
        self._factory = WebSocketServerFactory()
        self._factory.protocol = GatewayProtocol
        # Close codes are echoed as real servers do; sizes are judged by the gateway's own rule, not by the frame.
        self._factory.setProtocolOptions(
            echoCloseCodeReason=True, openHandshakeTimeout=0, closeHandshakeTimeout=0, tcpNoDelay=True
        )

    def render_GET(self, request: Request) -> Any:
        if (request.getHeader("upgrade") or "").lower() != "websocket":
            request.setHeader(b"content-type", b"text/plain; charset=utf-8")
            return b"A simulated Discord: REST is below /api/v10, the gateway is a WebSocket at /.\n"
        host = getattr(request.getHost(), "host", "")
        name = request.getRequestHostname().decode("ascii", "replace")
        behaviour = self._hub.script.opening(host, name)
        if behaviour.handshake == "accept":
            return WebSocketResource(_Builder(self._hub, self._factory, behaviour)).render(request)
        self.log.info("a connection to {host} is met by {what}", host=host, what=behaviour.handshake)
        self._hub.journal.count("refused")
        if self._hub.resumption.is_for_resumes(host, name):
            self._hub.resumption.misbehaved(self._hub.now())
        transport: Any = request.channel.transport
        self._hub.transports.add(transport)
        if isinstance(behaviour.handshake, int):
            return _refuse(request, behaviour.handshake, behaviour.retry_after)
        if behaviour.handshake == "rst":
            transport.abortConnection()
        elif behaviour.handshake == "fin":
            transport.loseConnection()
        return NOT_DONE_YET


def _refuse(request: Request, status: int, retry_after: int | None) -> bytes:
    """The upgrade is answered by an HTTP status, as Discord's edge does when it has no room."""
    request.setResponseCode(status)
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    if retry_after is not None:
        request.setHeader(b"retry-after", b"%d" % retry_after)
    return b"%d: the gateway takes no connections\n" % status
