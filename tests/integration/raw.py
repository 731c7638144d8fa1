"""An AMQP publisher without a codec: what it sends is what the test wrote, byte for byte (AMQP 0-9-1, 2.3 and 4.2).

It blocks: use it in a thread (``deferToThread``).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from typing import Self
from urllib.parse import unquote, urlsplit

METHOD, HEADER, BODY = 1, 2, 3
TIMEOUT = 60.0
FRAME_MAX = 131072

CONTENT_TYPE, HEADERS, CORRELATION_ID, REPLY_TO = 1 << 15, 1 << 13, 1 << 10, 1 << 9
"""The flags of properties that tests set, in the order in which they stand in a content header."""


class Closed(Exception):
    """The broker closed the channel or the connection, and said why."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code


def short(text: str | bytes) -> bytes:
    """A short string."""
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack(">B", len(raw)) + raw


def long(data: bytes) -> bytes:
    """A long string, or a table whose fields are given."""
    return struct.pack(">I", len(data)) + data


def table(fields: Mapping[str, bytes] | Mapping[bytes, bytes]) -> bytes:
    """A field table; each value is its type octet and its bytes."""
    return long(b"".join(short(name) + value for name, value in fields.items()))


def integer(code: str, value: int) -> bytes:
    """A value of one of RabbitMQ's integer types."""
    layout = {"b": "b", "B": "B", "s": "h", "u": "H", "I": "i", "i": "I", "l": "q", "L": "Q"}[code]
    return code.encode() + struct.pack(">" + layout, value)


def properties(flags: int, *values: bytes) -> bytes:
    """Property flags, and the properties that stand for them."""
    return struct.pack(">H", flags) + b"".join(values)


class RawPublisher:
    """A connection with one channel in confirm mode."""

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        assert parts.hostname and parts.port and parts.username and parts.password
        self._rest = b""
        self._published = 0
        self._socket = socket.create_connection((parts.hostname, parts.port), TIMEOUT)
        self._socket.sendall(b"AMQP\0\0\x09\x01")
        self._expect(10, 10)
        login = f"\0{unquote(parts.username)}\0{unquote(parts.password)}".encode()
        self._method(0, 10, 11, table({}) + short("PLAIN") + long(login) + short("en_US"))
        self._expect(10, 30)
        self._method(0, 10, 31, struct.pack(">HIH", 10, FRAME_MAX, 0))
        self._method(0, 10, 40, short(unquote(parts.path[1:])) + short("") + b"\0")
        self._expect(10, 41)
        self._method(1, 20, 10, short(""))
        self._expect(20, 11)
        self._method(1, 85, 10, b"\0")
        self._expect(85, 11)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._socket.close()

    def publish(self, exchange: str, key: str, header: bytes, body: bytes) -> None:
        """Publish a message and wait for the broker's confirm.

        :param header: property flags and properties.
        :raises Closed: the broker takes no such message.
        """
        self._method(1, 60, 40, b"\0\0" + short(exchange) + short(key) + b"\0")
        self._frame(1, HEADER, struct.pack(">HHQ", 60, 0, len(body)) + header)
        for start in range(0, len(body), FRAME_MAX - 8):
            self._frame(1, BODY, body[start : start + FRAME_MAX - 8])
        self._published += 1
        while struct.unpack(">Q", self._expect(60, 80)[:8])[0] < self._published:
            pass

    def _frame(self, channel: int, kind: int, payload: bytes) -> None:
        self._socket.sendall(struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce")

    def _method(self, channel: int, klass: int, method: int, arguments: bytes) -> None:
        self._frame(channel, METHOD, struct.pack(">HH", klass, method) + arguments)

    def _expect(self, klass: int, method: int) -> bytes:
        """The arguments of the next method, which has to be this one."""
        kind, payload = self._read_frame()
        assert kind == METHOD, kind
        got = struct.unpack(">HH", payload[:4])
        if got in ((10, 50), (20, 40)):
            (code,) = struct.unpack(">H", payload[4:6])
            raise Closed(code, payload[7 : 7 + payload[6]].decode())
        assert got == (klass, method), got
        return payload[4:]

    def _read_frame(self) -> tuple[int, bytes]:
        kind, _, size = struct.unpack(">BHI", self._read(7))
        return kind, self._read(size + 1)[:-1]

    def _read(self, size: int) -> bytes:
        while len(self._rest) < size:
            data = self._socket.recv(65536)
            if not data:
                raise Closed(0, "the broker closed the socket")
            self._rest += data
        data, self._rest = self._rest[:size], self._rest[size:]
        return data
