"""Method arguments and content headers, both ways (AMQP 0-9-1, 2.3.5 "Frame Details").

Bodies and frames are in ``frames``. Long strings stay ``bytes``: only who reads one knows whether it is text. Short
strings are ``str``; bytes that aren't UTF-8 survive as surrogate escapes, so that what a bot gave is given back as
it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from struct import Struct
from struct import error as struct_error

from rateway.errors import LocalProtocolError, RemoteProtocolError

from .fieldtable import decode_table, encode_table, long_string, short_string

BASIC_CLASS = 60

PROPERTIES: tuple[tuple[str, str], ...] = (
    ("content_type", "shortstr"),
    ("content_encoding", "shortstr"),
    ("headers", "table"),
    ("delivery_mode", "octet"),
    ("priority", "octet"),
    ("correlation_id", "shortstr"),
    ("reply_to", "shortstr"),
    ("expiration", "shortstr"),
    ("message_id", "shortstr"),
    ("timestamp", "timestamp"),
    ("type", "shortstr"),
    ("user_id", "shortstr"),
    ("app_id", "shortstr"),
    ("cluster_id", "shortstr"),
)
"""The properties of the class ``basic``, in the order of their flags: the first is bit 15."""

FLAGS = {name: 1 << (15 - index) for index, (name, _) in enumerate(PROPERTIES)}

_NUMBERS = {
    "octet": Struct(">B"),
    "short": Struct(">H"),
    "long": Struct(">I"),
    "longlong": Struct(">Q"),
    "timestamp": Struct(">Q"),
}
_CONTENT_HEADER = Struct(">HHQH")
_LENGTH = Struct(">I")


def _read(kind: str, data: bytes, position: int) -> tuple[object, int]:
    """One value of a basic type (not a bit) and where the next begins."""
    number = _NUMBERS.get(kind)
    if number is not None:
        return number.unpack_from(data, position)[0], position + number.size
    if kind == "table":
        return decode_table(data, position)
    if kind == "shortstr":
        start = position + 1
        stop = start + data[position]
    else:
        start = position + 4
        stop = start + _LENGTH.unpack_from(data, position)[0]
    if stop > len(data):
        raise RemoteProtocolError("a string's length points beyond its frame")
    raw = data[start:stop]
    return (raw.decode(errors="surrogateescape") if kind == "shortstr" else raw), stop


def decode_arguments(kinds: Iterable[str], data: bytes, position: int = 0) -> tuple[object, ...]:
    """The arguments of a method, by the types of its fields; neighbouring bits share a byte.

    :raises RemoteProtocolError: if the bytes are not such arguments.
    """
    values: list[object] = []
    bit = 8
    try:
        for kind in kinds:
            if kind != "bit":
                bit = 8
                value, position = _read(kind, data, position)
                values.append(value)
                continue
            if bit == 8:
                bit = 0
                position += 1
            values.append(bool(data[position - 1] >> bit & 1))
            bit += 1
    except (struct_error, IndexError) as problem:
        raise RemoteProtocolError("a method frame ends within its arguments") from problem
    return tuple(values)


def _write(kind: str, value: object) -> bytes:
    number = _NUMBERS.get(kind)
    if number is not None:
        return number.pack(value)
    if kind == "table":
        return encode_table(value)  # type: ignore[arg-type]
    if kind == "shortstr":
        return short_string(value)  # type: ignore[arg-type]
    return encode_table(value) if isinstance(value, Mapping) else long_string(value)  # type: ignore[arg-type]


def encode_arguments(kinds: Sequence[str], values: Sequence[object]) -> bytes:
    """The arguments of a method as bytes.

    :raises LocalProtocolError: for a value its field can't hold.
    """
    parts: list[bytes] = []
    bits: list[bool] = []
    try:
        for kind, value in zip(kinds, values, strict=True):
            if kind == "bit":
                bits.append(bool(value))
                continue
            if bits:
                parts.append(_pack_bits(bits))
            parts.append(_write(kind, value))
    except (struct_error, TypeError, ValueError, AttributeError) as problem:
        raise LocalProtocolError(f"arguments that can't be written: {problem}") from problem
    if bits:
        parts.append(_pack_bits(bits))
    return b"".join(parts)


def _pack_bits(bits: list[bool]) -> bytes:
    """The bits gathered, eight to a byte, and the list emptied."""
    value = sum(1 << index for index, bit in enumerate(bits) if bit)
    size = (len(bits) + 7) // 8
    bits.clear()
    return value.to_bytes(size, "little")


def body_size(header: bytes) -> int:
    """How many bytes of body follow a content header's payload.

    :raises RemoteProtocolError: if it is no content header of the class ``basic``.
    """
    try:
        class_id, _, size, _ = _CONTENT_HEADER.unpack_from(header)
    except struct_error as problem:
        raise RemoteProtocolError("a content header is cut short") from problem
    if class_id != BASIC_CLASS:
        raise RemoteProtocolError(f"a content header of class {class_id}, which carries no content")
    return int(size)


def decode_properties(header: bytes) -> dict[str, object]:
    """The properties in a content header's payload: only those that are there.

    :raises RemoteProtocolError: if they can't be read; the message is then lost, the connection isn't.
    """
    try:
        flags = _CONTENT_HEADER.unpack_from(header)[3]
        position = _CONTENT_HEADER.size
        more = flags
        while more & 1:
            (more,) = _NUMBERS["short"].unpack_from(header, position)
            position += 2
        properties: dict[str, object] = {}
        bit = 1 << 15
        for name, kind in PROPERTIES:
            if flags & bit:
                properties[name], position = _read(kind, header, position)
            bit >>= 1
    except (struct_error, IndexError) as problem:
        raise RemoteProtocolError("a content header ends within its properties") from problem
    return properties


def encode_content_header(size: int, properties: Mapping[str, object]) -> bytes:
    """A content header's payload; properties that are ``None`` are left out.

    :raises LocalProtocolError: for a value its property can't hold.
    """
    flags = 0
    parts: list[bytes] = []
    try:
        for name, kind in PROPERTIES:
            value = properties.get(name)
            if value is not None:
                flags |= FLAGS[name]
                parts.append(_write(kind, value))
    except (struct_error, TypeError, ValueError, AttributeError) as problem:
        raise LocalProtocolError(f"properties that can't be written: {problem}") from problem
    return _CONTENT_HEADER.pack(BASIC_CLASS, 0, size, flags) + b"".join(parts)
