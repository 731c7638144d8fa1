"""WebSocket messages into payloads (Discord's docs, "Gateway": Encoding and Compression).

With ``zlib-stream`` all messages of a connection are pieces of one endless zlib stream. After each payload Discord
flushes it (``Z_SYNC_FLUSH``), and the flush ends in four bytes that mark the payload's end. We don't rely on messages
and payloads being the same thing: the marker is looked for in all that has come since the last one, so it may be cut in
two, and several payloads may share a message. Compressed data may hold the four bytes by chance as well; then the text
so far is not a whole JSON object, and it waits for the rest.

With ``zstd-stream`` a message is a payload, and the frame it is part of never ends.
"""

from __future__ import annotations

import re
from typing import Protocol

import zstandard
from zlib_ng import zlib_ng

from rateway.errors import ConfigError, RemoteProtocolError

MAX_PAYLOAD = 256 * 1024 * 1024
"""Bytes of one payload, inflated. A READY or a GUILD_CREATE may have tens of MB; more than this is a fault."""

_MARKER = b"\x00\x00\xff\xff"
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+("?)', re.DOTALL)
_ZlibError: type[Exception] = zlib_ng.error  # type: ignore[assignment]  # its stub takes it for an instance
_ZSTD_GAIN = 32 * 1024
"""What one byte of zstd can inflate to: a block of 128 KiB may take 4 bytes."""


class Inflater(Protocol):
    """One connection's decompression: made anew for each connection."""

    def feed(self, message: bytes, binary: bool) -> list[bytes]:
        """The payloads that this message completes, in order: mostly one, none when more is needed.

        :raises RemoteProtocolError: corrupt data: the stream is lost, close and resume.
        """


def make_inflater(compression: str, *, limit: int = MAX_PAYLOAD) -> Inflater:
    """An inflater for one connection.

    :param compression: ``zlib-stream``, ``zstd-stream`` or ``none``.
    :param limit: bytes of one payload; a bigger one is a RemoteProtocolError.
    """
    if compression == "zlib-stream":
        return _Zlib(limit)
    if compression == "zstd-stream":
        return _Zstd(limit)
    if compression == "none":
        return _Plain()
    raise ConfigError(f"COMPRESSION={compression!r} is not known: zlib-stream, zstd-stream or none")


class _Plain:
    """A message is a payload; as binary it is the same JSON, should Discord ever send it so."""

    def feed(self, message: bytes, binary: bool) -> list[bytes]:
        return [message]


class _Held:
    """Text that a marker, or a message, ended without being a whole object."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._text = b""

    def __bool__(self) -> bool:
        return bool(self._text)

    def add(self, text: bytes, *, within: bool = False) -> list[bytes]:
        """The payload that this text completes, or nothing.

        :param within: the text ended within a message, where the marker is likelier to be there by chance.
        """
        text = self._text + text
        if len(text) > self._limit:
            raise _too_big(self._limit)
        if text and ((text[-1:] == b"}" and not within) or _is_whole(text)):
            self._text = b""
            return [text]
        self._text = text
        return []


class _Zlib:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._stream = zlib_ng.decompressobj()
        self._waiting: list[bytes] = []
        self._size = 0
        self._tail = b""
        self._held = _Held(limit)

    def feed(self, message: bytes, binary: bool) -> list[bytes]:
        if not binary:
            raise _not_compressed("zlib-stream")
        if not self._waiting and message.find(_MARKER) == len(message) - 4 >= 0:
            text = self._inflate(message)
            if text[-1:] == b"}" and not self._held:
                return [text]
            return self._held.add(text)
        return self._gather(message)

    def _gather(self, message: bytes) -> list[bytes]:
        """A message that doesn't simply hold one payload."""
        self._waiting.append(message)
        self._size += len(message)
        recent = self._tail + message
        if _MARKER not in recent:
            if self._size > self._limit:
                raise _too_big(self._limit)
            self._tail = recent[-3:]
            return []
        data = b"".join(self._waiting)
        payloads, start = [], 0
        while (found := data.find(_MARKER, start)) >= 0:
            end = found + 4
            payloads += self._held.add(self._inflate(data[start:end]), within=end < len(data))
            start = end
        rest = data[start:]
        self._waiting = [rest] if rest else []
        self._size, self._tail = len(rest), rest[-3:]
        return payloads

    def _inflate(self, data: bytes) -> bytes:
        stream = self._stream
        try:
            text: bytes = stream.decompress(data, self._limit)
        except _ZlibError as error:
            raise RemoteProtocolError(f"Discord's zlib stream is corrupt: {error}") from error
        if stream.unconsumed_tail:
            raise _too_big(self._limit)
        if stream.eof:
            raise RemoteProtocolError("Discord ended the zlib stream, which has to last as long as the connection")
        return text


class _Zstd:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._slice = max(limit // _ZSTD_GAIN, 1)
        self._stream = zstandard.ZstdDecompressor().decompressobj()
        self._held = _Held(limit)

    def feed(self, message: bytes, binary: bool) -> list[bytes]:
        if not binary:
            raise _not_compressed("zstd-stream")
        text = self._inflate(message)
        if text[-1:] == b"}" and not self._held:
            return [text]
        return self._held.add(text)

    def _inflate(self, message: bytes) -> bytes:
        """The library knows no bound, so what may inflate beyond ours is given to it in slices."""
        stream, step = self._stream, self._slice
        try:
            if len(message) <= step:
                text = stream.decompress(message)
            else:
                parts, size = [], 0
                for start in range(0, len(message), step):
                    parts.append(stream.decompress(message[start : start + step]))
                    size += len(parts[-1])
                    if size > self._limit:
                        raise _too_big(self._limit)
                text = b"".join(parts)
        except zstandard.ZstdError as error:
            raise RemoteProtocolError(f"Discord's zstd stream is corrupt: {error}") from error
        if stream.eof:
            raise RemoteProtocolError("Discord ended the zstd stream, which has to last as long as the connection")
        return text


def _is_whole(text: bytes) -> bool:
    """Is every string ended, and every brace that opens closed? What is well-formed is for the envelope to say."""
    bones, strings = _STRING.subn(rb"\1", text)
    return bones.count(b'"') == strings and bones.count(b"{") <= bones.count(b"}")


def _too_big(limit: int) -> RemoteProtocolError:
    return RemoteProtocolError(f"Discord sent a payload of more than {limit} bytes")


def _not_compressed(compression: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"Discord sent a text message on a connection that is compressed by {compression}")
