"""Events compressed once for any number of connections: all of them but the sequence.

A compressed stream is a row of blocks, and a row compressed by itself may be put into anybody's stream, as long as
nothing in it points back beyond its own beginning, and nothing after it points back into or beyond it. The sequence
goes before it in a block that is stored, not compressed.

zlib (RFC 1951): a raw stream of its own, ended by a sync flush, is such a row; it begins and ends at a whole byte.

zstd (RFC 8878): blocks of a frame of its own are such a row if they use none of the three repeat offsets that a frame
begins with (section 3.1.2.5), for in the middle of a frame these have other values. A frame's first block can't rely on
tables of an earlier one. Blocks that do use them are replaced by raw blocks.
"""

from __future__ import annotations

import zlib

import zstandard
from attrs import define, field, frozen

ZLIB_LEVEL = 3
"""The level of streams and of packed events."""

ZSTD_WINDOW_LOG = 18
"""Of the frames that connections get: 256 KiB."""

_WORDED = b',"op":0,"d":'
"""Between the sequence and ``d``."""

_BLOCK_LIMIT = 1 << 17
"""Bytes that one zstd block may hold (RFC 8878, section 3.1.1.2.4)."""

_RAW, _RLE, _COMPRESSED = 0, 1, 2
"""Types of zstd blocks."""


def zstd_compressor(level: int) -> zstandard.ZstdCompressor:
    """One that compresses within the frames' window, and without a checksum."""
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level, window_log=ZSTD_WINDOW_LOG, write_checksum=False, write_content_size=False
    )
    return zstandard.ZstdCompressor(compression_params=parameters)


_COMPRESSOR = zstd_compressor(3)
"""Of packed events: at level 3 one event in fifty uses a repeat offset that it must not, at level 1 one in three."""

ZSTD_FRAME_HEADER = zstandard.MAGIC_NUMBER.to_bytes(4, "little") + bytes((0, (ZSTD_WINDOW_LOG - 10) << 3))
"""What a connection's frame begins with: no checksum, no content size, the window's size."""


def stored(data: bytes) -> bytes:
    """A deflate block that holds up to 65,535 bytes as they are, put at a whole byte (RFC 1951, section 3.2.4)."""
    size = len(data)
    return b"\x00" + size.to_bytes(2, "little") + (size ^ 0xFFFF).to_bytes(2, "little") + data


def deflated(data: bytes) -> bytes:
    """Deflate blocks that point to nothing before them, ended by a sync flush."""
    stream = zlib.compressobj(ZLIB_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH)


def _zstd_block(kind: int, size: int, content: bytes) -> bytes:
    """A block that isn't its frame's last (RFC 8878, section 3.1.1.2)."""
    return (kind << 1 | size << 3).to_bytes(3, "little") + content


def raw_blocks(data: bytes) -> bytes:
    """zstd blocks that hold the data as it is."""
    pieces = [data[start : start + _BLOCK_LIMIT] for start in range(0, len(data), _BLOCK_LIMIT)]
    return b"".join([_zstd_block(_RAW, len(piece), piece) for piece in pieces])


@frozen
class _Probe:
    """The beginning of a frame after which any use of a repeat offset shows.

    It holds nothing but 0xFF, and ends with three matches of three bytes each, from further back than the data to be
    judged is long. From then on the repeat offsets are those of the matches, and who uses one copies a byte that no
    UTF-8 text has.

    :ivar limit: bytes that the data may have.
    :ivar frame: the beginning of the frame.
    :ivar size: bytes that it holds.
    """

    limit: int
    frame: bytes
    size: int

    @classmethod
    def of(cls, code: int) -> _Probe:
        """One for data of up to ``2 ** code`` bytes."""
        limit = 1 << code
        offsets = [limit + 1000 * number for number in (1, 2, 3)]
        bits = 1
        for offset in offsets:
            bits = bits << code | (offset + 3 - limit)
        stream = bits.to_bytes(-(-bits.bit_length() // 8), "little")
        # No literals; three sequences whose codes never change: no literals, an offset of so many bits, three bytes.
        content = bytes((0, len(offsets), 0b01_01_01_00, 0, code, 0)) + stream
        ones = _zstd_block(_RLE, limit, b"\xff")
        frame = ZSTD_FRAME_HEADER + ones * 2 + _zstd_block(_COMPRESSED, len(content), content)
        return cls(limit, frame, 2 * limit + 3 * len(offsets))

    def shows(self, blocks: bytes, data: bytes) -> bool:
        """Whether the blocks hold the data after this beginning too."""
        try:
            found = zstandard.ZstdDecompressor().decompressobj().decompress(self.frame + blocks)
        except zstandard.ZstdError:
            return False
        return len(found) == self.size + len(data) and found.endswith(data)


_PROBES = (_Probe.of(13), _Probe.of(17))


def _stand_alone(blocks: bytes, data: bytes) -> bool:
    """Whether the blocks hold this data wherever in a frame they are put."""
    if b"\xff" in data:
        return False
    probe = next((probe for probe in _PROBES if len(data) <= probe.limit), None)
    return probe is not None and probe.shows(blocks, data)


def zstd_blocks(data: bytes) -> bytes:
    """zstd blocks that rely on nothing before them: compressed if that can be had, else raw."""
    frame = _COMPRESSOR.compress(data)
    start = zstandard.frame_header_size(frame)
    blocks = bytearray(frame[start:])
    place = 0
    while True:
        header = int.from_bytes(blocks[place : place + 3], "little")
        if header & 1:
            blocks[place] &= 0xFE
            break
        place += 3 + (1 if header >> 1 & 3 == _RLE else header >> 3)
    alone = bytes(blocks)
    return alone if _stand_alone(alone, data) else raw_blocks(data)


@define(eq=False)
class Packed:
    """An event without its sequence: what comes before that, and what comes after it.

    :ivar head: ``{"t":NAME,"s":``.
    :ivar tail: ``,"op":0,"d":…}``.
    """

    name: str
    head: bytes
    tail: bytes = field(repr=False)
    _deflated: bytes | None = field(default=None, repr=False, init=False)
    _zstd: bytes | None = field(default=None, repr=False, init=False)

    @classmethod
    def of(cls, name: str, d: bytes) -> Packed:
        """The event in the order that Discord sends the envelope's keys in."""
        return cls(name, b'{"t":"%b","s":' % name.encode(), b"%b%b}" % (_WORDED, d))

    @property
    def d(self) -> bytes:
        return self.tail[len(_WORDED) : -1]

    def payload(self, seq: int) -> bytes:
        """The whole JSON text."""
        return b"%b%d%b" % (self.head, seq, self.tail)

    def deflate(self) -> bytes:
        """The tail as deflate blocks, compressed when it is asked for the first time."""
        if self._deflated is None:
            self._deflated = deflated(self.tail)
        return self._deflated

    def zstd(self) -> bytes:
        """The tail as zstd blocks, compressed when it is asked for the first time."""
        if self._zstd is None:
            self._zstd = zstd_blocks(self.tail)
        return self._zstd

    def in_deflate(self, seq: int) -> bytes:
        """The payload as deflate blocks that begin and end at a whole byte."""
        return stored(b"%b%d" % (self.head, seq)) + self.deflate()

    def in_zstd(self, seq: int) -> bytes:
        """The payload as zstd blocks, none of them a frame's last."""
        return raw_blocks(b"%b%d" % (self.head, seq)) + self.zstd()
