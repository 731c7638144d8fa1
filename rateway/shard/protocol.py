"""WebSocket bytes into messages, fast.

Whole messages are cut out of a read in one loop; everything else (handshake, control frames, fragments, what breaks
the rules) goes to Autobahn's own state machine, frame by frame, byte for byte. The messages of a read are handed over
together, at its end.
"""

from __future__ import annotations

from typing import Protocol

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from autobahn.websocket.types import ConnectionResponse
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from txaio.tx import make_logger

from rateway import __version__
from rateway.gateway.inflate import MAX_PAYLOAD
from rateway.model.closecodes import OwnClose

from .frames import Message, cut_messages, frame_end

CLOSE_TIMEOUT = 2.0
"""Seconds the other end has to close the TCP connection after a close frame, before we abort it."""

_HEAD = 10
"""Bytes of the longest head of a frame that isn't masked (RFC 6455, 5.2)."""

_CONTROL = 8
"""The first of the opcodes of control frames, which may come amid a message."""

LONGEST = MAX_PAYLOAD
"""Bytes of one message, in however many frames; whoever sends a longer one is dropped, and the session resumed."""


class ConnectionOwner(Protocol):
    """Who hears what happens on a connection."""

    def messages_received(self, connection: GatewayConnection, messages: list[Message]) -> None:
        """A read is over. No message: it was a piece of a larger one, or none of ours."""

    def connection_ended(self, connection: GatewayConnection, code: int | None, detail: str, cause: Failure) -> None:
        """Once, when Discord closes or the connection is lost; not after an end of our own."""

    def connection_gone(self, connection: GatewayConnection) -> None:
        """The socket is closed, whoever ended it."""


class GatewayConnection(WebSocketClientProtocol):
    """One connection to Discord's gateway."""

    _log = Logger()
    # Autobahn's own; what matters of it is told to the owner.
    log = make_logger(level="critical")
    # As the factory's option it comes too late: Autobahn reads it before it copies the options.
    tcpNoDelay = True

    def __init__(self, owner: ConnectionOwner) -> None:
        super().__init__()
        self._owner = owner
        self._over = False
        self._own_end: OwnClose | None = None
        self._messages: list[Message] = []
        self._parts: list[bytes] = []
        self._missing = 0
        self._paused = self._held = self._still = False
        self._abort: IDelayedCall | None = None

    @property
    def open(self) -> bool:
        """The upgrade is done, and nobody has closed."""
        return bool(self.state == self.STATE_OPEN)

    @property
    def gathering(self) -> bool:
        """A message has begun and isn't complete."""
        return self._missing > 0 or (self.open and bool(self.inside_message))

    def send(self, payload: bytes) -> None:
        """Write a text message, if the connection is open."""
        if self.state == self.STATE_OPEN:
            self.sendMessage(payload)

    def end(self, code: OwnClose) -> None:
        """Close with this code and hear nothing more; a connection that isn't open yet is dropped."""
        self._over, self._own_end = True, code
        self._paused = self._held = False
        self._set_reading()
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame()
            self._abort_later()
        elif self.transport is not None:
            self.transport.abortConnection()

    def pause_reading(self) -> None:
        """Read nothing more from the socket."""
        self._paused = True
        self._set_reading()

    def go_on_reading(self) -> None:
        """Read again."""
        self._paused = False
        self._set_reading()

    def hold(self, held: bool) -> None:
        """Read nothing for a moment, or go on, unless reading is paused for another reason."""
        self._held = held
        self._set_reading()

    def _set_reading(self) -> None:
        still = self._paused or self._held
        if still is not self._still:
            self._still = still
            if still:
                self.transport.pauseProducing()
            else:
                self.transport.resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        """Take what is whole, and hand over the messages."""
        if self._over:
            return
        try:
            self._take(data)
            messages, self._messages = self._messages, []
            self._owner.messages_received(self, messages)
            if self.state == self.STATE_CLOSING and not self._over:
                self._tell_end(self.remoteCloseCode, self.remoteCloseReason or "", Failure(ConnectionDone()))
                self.transport.loseConnection()
                self._abort_later()
        except Exception:
            if self.state == self.STATE_CONNECTING:
                self.wasNotCleanReason = "the answer to the WebSocket upgrade can't be read"
            else:
                self._log.failure("a bug met while reading from Discord; this connection is dropped")
            self.transport.abortConnection()

    def _take(self, data: bytes) -> None:
        if self._missing:
            # A list joined once: pieces added to pieces would cost the square of a frame's length.
            piece, data = data[: self._missing], data[self._missing :]
            self._parts.append(piece)
            self._missing -= len(piece)
            if self._missing:
                return
            whole, self._parts = b"".join(self._parts), []
            self._take(whole)
            if data:
                self._take(data)
            return
        position, end = 0, len(data)
        while position < end:
            if self.state != self.STATE_OPEN:
                self._dataReceived(data[position:])
                return
            if not self.inside_message:
                position = cut_messages(data, position, self._messages)
                if position == end:
                    return
            stop = frame_end(data, position)
            opcode = data[position] & 15
            misplaced = end - position > 1 and opcode < _CONTROL and (opcode == 0) != self.inside_message
            if misplaced or stop - position > LONGEST + _HEAD:
                # Autobahn refuses it by its head alone.
                self._dataReceived(data[position:])
                return
            if stop > end:
                self._parts, self._missing = [data[position:]], stop - end
                return
            self._dataReceived(data[position:stop])
            position = stop

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """A message that went through Autobahn's state machine."""
        self._messages.append((payload, isBinary))

    def sendCloseFrame(self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False) -> None:
        """Close, or answer a close, with our own code: Autobahn's 1000 would end the session at Discord."""
        super().sendCloseFrame(int(self._own_end or OwnClose.RECONNECT), None, isReply)

    def connectionLost(self, reason: Failure) -> None:
        """The socket is closed."""
        if self._abort is not None and self._abort.active():
            self._abort.cancel()
        super().connectionLost(reason)
        self._tell_end(None, self.wasNotCleanReason or reason.getErrorMessage(), reason)
        self._owner.connection_gone(self)

    def _abort_later(self) -> None:
        self._abort = self.factory.reactor.callLater(CLOSE_TIMEOUT, self.transport.abortConnection)

    def _tell_end(self, code: int | None, detail: str, cause: Failure) -> None:
        if not self._over:
            self._over = True
            self._owner.connection_ended(self, code, detail, cause)

    def _onOpen(self) -> None:
        """Autobahn's would keep the peer's certificate in memory, once for each shard."""

    def _onConnect(self, response: ConnectionResponse) -> None:
        """There is nothing to choose."""


def connection_factory(reactor: object, url: str, owner: ConnectionOwner) -> WebSocketClientFactory:
    """Makes the one connection to ``url``, which has its query.

    Time-outs are the life cycle's and heartbeats Discord's, so Autobahn's timers are off; and so are the check of
    UTF-8, and compression per message.
    """
    factory = WebSocketClientFactory(url, useragent=f"rateway/{__version__}", reactor=reactor)
    factory.noisy = False
    factory.setProtocolOptions(
        maxMessagePayloadSize=LONGEST,
        utf8validateIncoming=False,
        perMessageCompressionOffers=[],
        failByDrop=True,
        openHandshakeTimeout=0,
        closeHandshakeTimeout=0,
        serverConnectionDropTimeout=0,
        autoPingInterval=0,
    )
    factory.protocol = lambda: GatewayConnection(owner)
    return factory
