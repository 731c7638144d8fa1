"""How payloads become WebSocket messages: the three transports, and their faults.

Sources: Discord's docs, "Gateway: Encoding and Compression", "Zlib-stream", "Zstd-stream".
"""

from __future__ import annotations

import zlib
from typing import TypeAlias

import zstandard

Message: TypeAlias = tuple[bytes, bool]
"""``(bytes, binary?)`` of one WebSocket message."""

_WINDOW_LOG = 18
_LEVEL = 3
_GARBAGE = b"\xde\xad\xbe\xef" * 16
_LARGE = 2048
"""Payload compression is used from this many bytes on."""


def cut(data: bytes, pieces: int) -> list[bytes]:
    """``data`` in so many pieces, the last one beginning inside of the four bytes of the flush marker."""
    if pieces < 2 or len(data) < pieces + 4:
        return [data]
    body, tail = data[:-2], data[-2:]
    count = pieces - 1
    size = -(-len(body) // count)
    return [*(body[i * size : (i + 1) * size] for i in range(count)), tail]


class PlainEncoder:
    """One text message per payload; large ones zlib-compressed once IDENTIFY asked for it (``compress``)."""

    payload_compression = False

    def encode(self, payload: bytes, pieces: int = 1) -> list[Message]:
        if self.payload_compression and len(payload) >= _LARGE:
            return [(zlib.compress(payload), True)]
        return [(payload, False)]

    def garbage(self) -> list[Message]:
        """What can't be read by any means."""
        return [(b'{"t":"MESSAGE_CREATE","s":', False)]


class ZlibEncoder:
    """``zlib-stream``: one endless stream per connection, flushed after each payload."""

    payload_compression = False

    def __init__(self) -> None:
        self._stream = zlib.compressobj(_LEVEL)

    def encode(self, payload: bytes, pieces: int = 1) -> list[Message]:
        data = self._stream.compress(payload) + self._stream.flush(zlib.Z_SYNC_FLUSH)
        return [(data, True)] if pieces < 2 else [(piece, True) for piece in cut(data, pieces)]

    def garbage(self) -> list[Message]:
        return [(_GARBAGE + b"\x00\x00\xff\xff", True)]


class ZstdEncoder:
    """``zstd-stream``: one frame per connection that never ends, a block flushed after each payload."""

    payload_compression = False

    def __init__(self) -> None:
        parameters = zstandard.ZstdCompressionParameters.from_level(
            1, window_log=_WINDOW_LOG, write_checksum=False, write_content_size=False
        )
        self._stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()

    def encode(self, payload: bytes, pieces: int = 1) -> list[Message]:
        data = self._stream.compress(payload) + self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        return [(data, True)]

    def garbage(self) -> list[Message]:
        return [(_GARBAGE, True)]


Encoder: TypeAlias = PlainEncoder | ZlibEncoder | ZstdEncoder

_ENCODERS: dict[str | None, type[PlainEncoder] | type[ZlibEncoder] | type[ZstdEncoder]] = {
    None: PlainEncoder,
    "zlib-stream": ZlibEncoder,
    "zstd-stream": ZstdEncoder,
}


def make_encoder(compress: str | None) -> Encoder | None:
    """The encoder for the query's ``compress``; None if there is no such transport."""
    found = _ENCODERS.get(compress)
    return None if found is None else found()
