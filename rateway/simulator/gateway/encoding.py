"""How payloads become WebSocket messages: the three transports, and their faults.

Each transport takes ordinary payloads (``encode``) and packed events (``splice``), in any order.

Sources: Discord's docs, "Gateway: Encoding and Compression", "Zlib-stream", "Zstd-stream".
"""

from __future__ import annotations

import zlib
from typing import Protocol, TypeAlias

import zstandard

from .packing import ZLIB_LEVEL, ZSTD_FRAME_HEADER, Packed, zstd_blocks, zstd_compressor

Message: TypeAlias = tuple[bytes, bool]
"""``(bytes, binary?)`` of one WebSocket message."""

_ZLIB_HEADER = zlib.compressobj(ZLIB_LEVEL).flush(zlib.Z_SYNC_FLUSH)[:2]
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

    def prepare(self, event: Packed) -> None:
        """Compress ahead what :meth:`splice` will need."""

    def splice(self, event: Packed, seq: int) -> Message:
        (message,) = self.encode(event.payload(seq))
        return message

    def garbage(self) -> list[Message]:
        """What can't be read by any means."""
        return [(b'{"t":"MESSAGE_CREATE","s":', False)]


class _Compressor(Protocol):
    """What ``zlib.compressobj`` returns."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self, mode: int, /) -> bytes: ...


class ZlibEncoder:
    """``zlib-stream``: one endless stream per connection, flushed after each payload.

    The client's window holds what was spliced in, the compressor's doesn't: it would point back across it. So it is let
    go, and the next ordinary payload begins with a new one, which has nothing to point back to.
    """

    payload_compression = False

    def __init__(self) -> None:
        self._stream: _Compressor | None = zlib.compressobj(ZLIB_LEVEL)
        self._begun = False

    def encode(self, payload: bytes, pieces: int = 1) -> list[Message]:
        if self._stream is None:
            self._stream = zlib.compressobj(ZLIB_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._begun = True
        data = self._stream.compress(payload) + self._stream.flush(zlib.Z_SYNC_FLUSH)
        return [(data, True)] if pieces < 2 else [(piece, True) for piece in cut(data, pieces)]

    def prepare(self, event: Packed) -> None:
        event.deflate()

    def splice(self, event: Packed, seq: int) -> Message:
        data = event.in_deflate(seq)
        self._stream = None
        if not self._begun:
            self._begun = True
            data = _ZLIB_HEADER + data
        return data, True

    def garbage(self) -> list[Message]:
        return [(_GARBAGE + b"\x00\x00\xff\xff", True)]


class ZstdEncoder:
    """``zstd-stream``: one frame per connection that never ends, a block flushed after each payload.

    zstd knows no full flush: its compressor can't be told to forget. From the first packed event on, ordinary payloads
    become blocks that stand alone too.
    """

    payload_compression = False

    def __init__(self) -> None:
        self._stream: zstandard.ZstdCompressionObj | None = zstd_compressor(1).compressobj()
        self._begun = False

    def encode(self, payload: bytes, pieces: int = 1) -> list[Message]:
        if self._stream is None:
            return [(zstd_blocks(payload), True)]
        self._begun = True
        return [(self._stream.compress(payload) + self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK), True)]

    def prepare(self, event: Packed) -> None:
        event.zstd()

    def splice(self, event: Packed, seq: int) -> Message:
        data = event.in_zstd(seq)
        if self._stream is not None:
            self._stream = None
            if not self._begun:
                data = ZSTD_FRAME_HEADER + data
        return data, True

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
