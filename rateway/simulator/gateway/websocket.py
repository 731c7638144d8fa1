"""Autobahn below, ``connection`` above: messages and close frames cross here, and nothing is decided.

Data frames are written straight to the transport: a server's are unmasked, so that a short header and the bytes do.
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

_CLOSE_TIMEOUT = 2.0
"""Seconds the client has to answer a close frame."""


def _frame(data: bytes, binary: bool) -> bytes:
    """A whole, final, unmasked data frame (RFC 6455, section 5.2)."""
    first = b"\x82" if binary else b"\x81"
    size = len(data)
    if size < 126:
        return first + size.to_bytes(1, "big") + data
    if size < 65536:
        return first + b"\x7e" + size.to_bytes(2, "big") + data
    return first + b"\x7f" + size.to_bytes(8, "big") + data


@implementer(IPushProducer)
class _Gauge:
    """Tells a wire when its transport has taken more than the client reads."""

    def __init__(self, wire: GatewayProtocol) -> None:
        self._wire = wire

    def pauseProducing(self) -> None:
        self._wire.is_stuck = True

    def resumeProducing(self) -> None:
        self._wire.is_stuck = False

    def stopProducing(self) -> None:
        self._wire.is_stuck = True


class GatewayProtocol(WebSocketServerProtocol):
    """One WebSocket of a client."""

    hub: Hub
    behaviour: Behaviour
    connection: Connection | None = None
    is_stuck = False
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
        number = hub.journal.totals.get("connections", 0) + 1
        record = Connected(number, hub.now(), host, self._path, self._query, name=self._name)
        self.connection = hub.connections[number] = Connection(hub, self, record, self.behaviour)
        GatewayResource.log.info(
            "connection {number} to {host} opened: {query}",
            number=number,
            host=host,
            query=hub.veil(", ".join(f"{key}={value}" for key, value in self._query.items())),
        )
        hub.journal.keep("connections", hub.journal.connections, record)
        self.connection.opened()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.connection is not None:
            self.connection.received(payload)

    def onCloseFrame(self, code: int | None, reasonRaw: bytes | None) -> Any:
        if self.connection is not None and self.state == self.STATE_OPEN:
            self.connection.client_closed(code, (reasonRaw or b"").decode(errors="replace"))
        return super().onCloseFrame(code, reasonRaw)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        if self.connection is not None:
            self.connection.lost()

    # --- the wire of a connection

    def send_messages(self, messages: list[Message]) -> None:
        if self.state == self.STATE_OPEN:
            self.transport.write(b"".join([_frame(data, binary) for data, binary in messages]))

    def send_close(self, code: int, reason: str) -> None:
        if self.state != self.STATE_OPEN:
            return
        # Autobahn's own sendClose refuses codes that Discord uses (1001).
        self.sendCloseFrame(code=code, reasonUtf8=reason.encode()[:120])
        self.hub.later(_CLOSE_TIMEOUT, lambda: self.drop("fin"))

    def drop(self, how: Drop) -> None:
        if self.state == self.STATE_CLOSED:
            return
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
        behaviour = self._hub.script.opening(host)
        if behaviour.handshake == "accept":
            return WebSocketResource(_Builder(self._hub, self._factory, behaviour)).render(request)
        self.log.info("a connection to {host} is met by {what}", host=host, what=behaviour.handshake)
        self._hub.journal.count("refused")
        if host == self._hub.resumption.resume:
            self._hub.resumption.misbehaved(self._hub.now())
        transport: Any = request.channel.transport
        self._hub.transports.add(transport)
        if behaviour.handshake == "rst":
            transport.abortConnection()
        elif behaviour.handshake == "fin":
            transport.loseConnection()
        return NOT_DONE_YET
