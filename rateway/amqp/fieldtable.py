"""Field tables: the typed name-value lists of AMQP's headers and arguments, both ways.

Types are those RabbitMQ writes and reads (RabbitMQ's docs, "AMQP 0-9-1 Errata", field types), which differ in part
from the specification's table: ``s`` is a signed 16-bit integer. ``L`` is read as unsigned, as the specification
says. What the peer wrote is never trusted: a length that points beyond its table, an unknown type, or nesting deeper
than :data:`MAX_DEPTH` raises :class:`RemoteProtocolError`, nothing else does.

=======  ======================  =====================================================
code     meaning                 in Python
=======  ======================  =====================================================
t        boolean                 ``bool``
b B      8 bit, signed or not    ``int``
s u      16 bit                  ``int``
I i      32 bit                  ``int``
l L      64 bit                  ``int``
f d      floating point          ``float``
D        decimal                 :class:`~decimal.Decimal`
S        long string             ``str``, or ``bytes`` where it isn't UTF-8
x        byte array              ``bytes``
A        array                   ``list``
F        table                   ``dict``
T        timestamp               :class:`Timestamp`, so that it is no integer by mistake
V        void                    ``None``
=======  ======================  =====================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from struct import Struct
from struct import error as struct_error

from attrs import frozen

from rateway.errors import LocalProtocolError, RemoteProtocolError

MAX_DEPTH = 32
"""Tables within tables within arrays: deeper is somebody's mischief."""


@frozen
class Timestamp:
    """Seconds since 1970, as they stand on the wire (64 bit, unsigned)."""

    seconds: int


@frozen
class Typed:
    """A value to be written as the type of this code, where the natural one won't do."""

    code: str
    value: object


_NUMBERS = {
    code: Struct(layout)
    for code, layout in {
        "b": ">b",
        "B": ">B",
        "s": ">h",
        "u": ">H",
        "I": ">i",
        "i": ">I",
        "l": ">q",
        "L": ">Q",
        "f": ">f",
        "d": ">d",
    }.items()
}
_LENGTH = Struct(">I")
_DECIMAL = Struct(">Bi")
_TIMESTAMP = Struct(">Q")


def _long(data: bytes, position: int, end: int) -> tuple[bytes, int]:
    start = position + 4
    if start > end:
        raise RemoteProtocolError("a field table ends within a length")
    stop = start + _LENGTH.unpack_from(data, position)[0]
    if stop > end:
        raise RemoteProtocolError("a field's length points beyond its table")
    return data[start:stop], stop


def _value(data: bytes, position: int, end: int, depth: int) -> tuple[object, int]:
    """One typed value and where the next begins."""
    if position >= end:
        raise RemoteProtocolError("a field table ends before a value")
    code = chr(data[position])
    position += 1
    number = _NUMBERS.get(code)
    if number is not None:
        stop = position + number.size
        if stop > end:
            raise RemoteProtocolError("a field table ends within a number")
        return number.unpack_from(data, position)[0], stop
    reader = _READERS.get(code)
    if reader is None:
        raise RemoteProtocolError(f"a field table has a value of unknown type {code!r}")
    return reader(data, position, end, depth)


def _read_string(data: bytes, position: int, end: int, depth: int) -> tuple[object, int]:
    raw, stop = _long(data, position, end)
    try:
        return raw.decode(), stop
    except UnicodeDecodeError:
        return raw, stop


def _read_bytes(data: bytes, position: int, end: int, depth: int) -> tuple[object, int]:
    return _long(data, position, end)


def _read_boolean(data: bytes, position: int, end: int, depth: int) -> tuple[object, int]:
    if position >= end:
        raise RemoteProtocolError("a field table ends within a boolean")
    return data[position] != 0, position + 1


def _read_void(data: bytes, position: int, end: int, depth: int) -> tuple[object, int]:
    return None, position


def _read_decimal(data: bytes, position: int, end: int, depth: int) -> tuple[object, int]:
    stop = position + _DECIMAL.size
    if stop > end:
        raise RemoteProtocolError("a field table ends within a decimal")
    scale, value = _DECIMAL.unpack_from(data, position)
    return Decimal((int(value < 0), tuple(map(int, str(abs(value)))), -scale)), stop


def _read_timestamp(data: bytes, position: int, end: int, depth: int) -> tuple[object, int]:
    stop = position + _TIMESTAMP.size
    if stop > end:
        raise RemoteProtocolError("a field table ends within a timestamp")
    return Timestamp(_TIMESTAMP.unpack_from(data, position)[0]), stop


def _read_array(data: bytes, position: int, end: int, depth: int) -> tuple[object, int]:
    if depth >= MAX_DEPTH:
        raise RemoteProtocolError("a field table is nested too deep")
    raw, stop = _long(data, position, end)
    items: list[object] = []
    at = stop - len(raw)
    while at < stop:
        item, at = _value(data, at, stop, depth + 1)
        items.append(item)
    return items, stop


def _read_table(data: bytes, position: int, end: int, depth: int) -> tuple[dict[str, object], int]:
    if depth >= MAX_DEPTH:
        raise RemoteProtocolError("a field table is nested too deep")
    raw, stop = _long(data, position, end)
    at = stop - len(raw)
    table: dict[str, object] = {}
    while at < stop:
        key_end = at + 1 + data[at]
        if key_end > stop:
            raise RemoteProtocolError("a field's name points beyond its table")
        key = data[at + 1 : key_end].decode(errors="surrogateescape")
        table[key], at = _value(data, key_end, stop, depth)
    return table, stop


_Reader = Callable[[bytes, int, int, int], tuple[object, int]]
_READERS: dict[str, _Reader] = {
    "S": _read_string,
    "x": _read_bytes,
    "t": _read_boolean,
    "V": _read_void,
    "D": _read_decimal,
    "T": _read_timestamp,
    "A": _read_array,
    "F": lambda data, position, end, depth: _read_table(data, position, end, depth + 1),
}


def decode_table(data: bytes, position: int = 0) -> tuple[dict[str, object], int]:
    """The table whose length stands at ``position``, and where the byte after it is.

    :raises RemoteProtocolError: if it isn't one, whole.
    """
    return _read_table(data, position, len(data), 0)


def _raw(text: str | bytes) -> bytes:
    if isinstance(text, str):
        return text.encode(errors="surrogateescape")
    if isinstance(text, bytes | bytearray | memoryview):
        return bytes(text)
    raise LocalProtocolError(f"a {type(text).__name__} is no string")


def short_string(text: str | bytes) -> bytes:
    """A length byte and up to 255 bytes.

    :raises LocalProtocolError: if there are more.
    """
    raw = _raw(text)
    if len(raw) > 255:
        raise LocalProtocolError(f"a short string of {len(raw)} bytes: AMQP allows 255")
    return bytes((len(raw),)) + raw


def long_string(text: str | bytes) -> bytes:
    """A length of four bytes, and the bytes; text is written as UTF-8."""
    raw = _raw(text)
    return _LENGTH.pack(len(raw)) + raw


def _integer_code(value: int) -> str:
    if -(1 << 31) <= value < 1 << 31:
        return "I"
    return "l" if value < 1 << 63 else "L"


def _natural_code(value: object) -> str:
    """The type a Python value is written as unless :class:`Typed` says otherwise; ``bool`` before ``int``."""
    match value:
        case None:
            return "V"
        case bool():
            return "t"
        case int():
            return _integer_code(value)
        case float():
            return "d"
        case str():
            return "S"
        case bytes() | bytearray() | memoryview():
            return "x"
        case Mapping():
            return "F"
        case Decimal():
            return "D"
        case Timestamp():
            return "T"
        case Sequence():
            return "A"
        case _:
            raise LocalProtocolError(f"a {type(value).__name__} can't be written into a field table")


def _encode_decimal(value: object) -> bytes:
    sign, digits, exponent = Decimal(str(value)).as_tuple()
    if not isinstance(exponent, int):
        raise LocalProtocolError("a decimal that is no number can't be written into a field table")
    unscaled = int("".join(map(str, digits))) * (-1 if sign else 1) * 10 ** max(exponent, 0)
    return _DECIMAL.pack(max(-exponent, 0), unscaled)


def _encode_value(value: object) -> bytes:
    code, plain = (value.code, value.value) if isinstance(value, Typed) else (_natural_code(value), value)
    number = _NUMBERS.get(code)
    if number is not None:
        payload = number.pack(plain)
    elif code == "S" or code == "x":
        payload = long_string(plain)  # type: ignore[arg-type]
    elif code == "t":
        payload = b"\x01" if plain else b"\x00"
    elif code == "V":
        payload = b""
    elif code == "D":
        payload = _encode_decimal(plain)
    elif code == "T":
        payload = _TIMESTAMP.pack(plain.seconds if isinstance(plain, Timestamp) else plain)
    elif code == "A":
        payload = long_string(b"".join(map(_encode_value, plain)))  # type: ignore[call-overload]
    elif code == "F":
        payload = encode_table(plain)  # type: ignore[arg-type]
    else:
        raise LocalProtocolError(f"{code!r} is no type of a field table's value")
    return code.encode() + payload


def encode_table(table: Mapping[str, object]) -> bytes:
    """A table with its length in front.

    :raises LocalProtocolError: for what no field type can hold.
    """
    try:
        return long_string(b"".join(short_string(key) + _encode_value(value) for key, value in table.items()))
    except (struct_error, TypeError, ValueError, OverflowError, AttributeError, RecursionError) as problem:
        raise LocalProtocolError(f"a field table can't be written: {problem}") from problem
