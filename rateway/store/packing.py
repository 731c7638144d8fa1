"""PURE: rows that are many and cold, members and their users, as they lie on disk: compressed.

Each is a few hundred bytes of JSON that differ in little: zstd with a dictionary of what they have in common makes a
quarter of them, at a microsecond or two. A row of JSON begins with a brace, and no frame does.
"""

from __future__ import annotations

from importlib.resources import files

from zstandard import (
    FORMAT_ZSTD1_MAGICLESS,
    ZstdCompressionDict,
    ZstdCompressionParameters,
    ZstdCompressor,
    ZstdDecompressor,
    ZstdError,
)

MEMBER = ord("M")
USER = ord("U")
PACKED = frozenset({MEMBER, USER})
"""First bytes of the keys whose rows are compressed."""

STAMP = 8
"""Bytes before a user's JSON: when it last changed."""

LEVEL = 3
"""Of zstd: higher ones take several times as long, for a twentieth less."""

SHORTEST = 40
"""Bytes of JSON that are worth a frame."""

_BRACE = ord("{")

_dictionary = ZstdCompressionDict(files(__package__).joinpath("people.dict").read_bytes())
# The key says what the row is, and LMDB how long: no magic number, no name of the dictionary, no checksum.
_parameters = ZstdCompressionParameters.from_level(
    LEVEL,
    format=FORMAT_ZSTD1_MAGICLESS,
    write_content_size=True,
    write_dict_id=False,
    write_checksum=False,
)
_dictionary.precompute_compress(compression_params=_parameters)
_compress = ZstdCompressor(dict_data=_dictionary, compression_params=_parameters).compress
_decompress = ZstdDecompressor(dict_data=_dictionary, format=FORMAT_ZSTD1_MAGICLESS).decompress


def pack(first: int, row: bytes) -> bytes:
    """The row of a member or a user, as it is to be stored.

    :param first: the first byte of its key, out of :data:`PACKED`.
    """
    if first == USER:
        return row[:STAMP] + _shorter(row[STAMP:])
    return _shorter(row)


def unpack(first: int, row: bytes) -> bytes:
    """The reverse of :func:`pack`.

    :raises ValueError: if it is no row that was packed.
    """
    if first == USER:
        return row[:STAMP] + _whole(row[STAMP:])
    return _whole(row)


def _shorter(data: bytes) -> bytes:
    if not data:
        return data
    is_plain = data[0] == _BRACE
    if is_plain and len(data) < SHORTEST:
        return data
    frame: bytes = _compress(data)
    return data if is_plain and len(frame) >= len(data) else frame


def _whole(data: bytes) -> bytes:
    if not data or data[0] == _BRACE:
        return data
    try:
        whole: bytes = _decompress(data)
    except (ZstdError, MemoryError) as error:
        raise ValueError(f"a row can't be decompressed: {error}") from None
    return whole
