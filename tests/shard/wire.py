"""The server's end of a WebSocket, in memory: frames made by hand, so that they can also be wrong."""

from __future__ import annotations

import base64
import hashlib
import struct

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IProtocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(
    payload: bytes, opcode: int = TEXT, fin: bool = True, mask: bytes = b"", size: int = 0, rsv: int = 0
) -> bytes:
    """A frame; ``size`` is the number of bytes its length is written in (0: as few as can be)."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    length, bit = len(payload), 0x80 if mask else 0
    if size == 8 or length > 0xFFFF:
        head = struct.pack("!BBQ", first, bit | 127, length)
    elif size == 2 or length > 125:
        head = struct.pack("!BBH", first, bit | 126, length)
    else:
        head = struct.pack("!BB", first, bit | length)
    return head + mask + (mask_with(mask, payload) if mask else payload)


def close_frame(code: int | None, reason: str = "") -> bytes:
    """A close frame."""
    return frame(b"" if code is None else struct.pack("!H", code) + reason.encode(), CLOSE)


def mask_with(mask: bytes, payload: bytes) -> bytes:
    """The payload, masked, or unmasked."""
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def parse_frames(data: bytes) -> list[tuple[int, bytes]]:
    """Opcode and payload of each of a client's frames, all masked."""
    frames = []
    while data:
        first, second = data[0], data[1]
        assert first & 0x80 and second & 0x80, "a client's frames are whole and masked"
        length, start = second & 0x7F, 2
        if length == 126:
            length, start = struct.unpack("!H", data[2:4])[0], 4
        mask, start = data[start : start + 4], start + 4
        frames.append((first & 0x0F, mask_with(mask, data[start : start + length])))
        data = data[start + length :]
    return frames


def accept_upgrade(request: bytes) -> bytes:
    """The answer that opens the connection."""
    lines = request.decode().split("\r\n")
    key = next(line.split(": ")[1] for line in lines if line.lower().startswith("sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


class Wire(StringTransport):
    """A client's transport: remembers how it was ended, and that it was told about Nagle."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False
        self.no_delay = False
        self.protocol: IProtocol | None = None

    def abortConnection(self) -> None:
        """Noted; the end of the connection is told when :meth:`lose` is called."""
        self.aborted = True

    def unregisterProducer(self) -> None:
        """A real one takes it without a producer, too."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Noted."""
        self.no_delay = enabled

    def lose(self) -> None:
        """The socket is closed."""
        assert self.protocol is not None
        protocol, self.protocol = self.protocol, None
        protocol.connectionLost(Failure(ConnectionAborted() if self.aborted else ConnectionDone()))

    def sent(self) -> list[tuple[int, bytes]]:
        """The frames sent since this was last asked; none while the upgrade isn't accepted."""
        frames = [] if self.value().startswith(b"GET ") else parse_frames(self.value())
        self.clear()
        return frames


def plug(protocol: IProtocol) -> Wire:
    """Connect a protocol to a wire."""
    wire = Wire()
    wire.protocol = protocol
    protocol.makeConnection(wire)
    return wire


def opened(protocol: IProtocol) -> Wire:
    """Connect a protocol, and accept its upgrade."""
    wire = plug(protocol)
    request = wire.value()
    wire.clear()
    protocol.dataReceived(accept_upgrade(request))
    return wire
