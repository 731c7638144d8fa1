"""Field tables: every type both ways, and nothing but a clean refusal for what is none."""

from __future__ import annotations

import contextlib
import math
from decimal import Decimal
from struct import pack
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.amqp.fieldtable import MAX_DEPTH, Timestamp, Typed, decode_table, encode_table, short_string
from rateway.errors import LocalProtocolError, RemoteProtocolError

_BITS = {"b": (8, True), "B": (8, False), "s": (16, True), "u": (16, False), "I": (32, True), "i": (32, False)}
_BITS |= {"l": (64, True), "L": (64, False)}


def table_of(code: bytes, payload: bytes) -> bytes:
    """A table with one value of this type, by hand."""
    fields = b"\x01k" + code + payload
    return pack(">I", len(fields)) + fields


def integers(code: str) -> st.SearchStrategy[Typed]:
    bits, signed = _BITS[code]
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return st.integers(low, high).map(lambda value: Typed(code, value))


decimals = st.builds(
    lambda value, scale: Decimal(value).scaleb(-scale), st.integers(-(1 << 31), (1 << 31) - 1), st.integers(0, 20)
)
leaves = st.one_of(
    *map(integers, _BITS),
    st.none(),
    st.booleans(),
    st.floats(allow_nan=False),
    st.floats(width=32, allow_nan=False).map(lambda value: Typed("f", value)),
    st.text(st.characters(codec="utf-8")),
    st.binary(),
    decimals,
    st.integers(0, (1 << 64) - 1).map(Timestamp),
)
names = st.text(st.characters(codec="utf-8"), max_size=40).filter(lambda text: len(text.encode()) <= 255)
tables = st.dictionaries(
    names, st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=20)
)


def plain(value: Any) -> Any:
    """What a value is read back as."""
    if isinstance(value, Typed):
        return value.value
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value


class FieldTableTests(SynchronousTestCase):
    """What is written is read, and what can't be read harms nothing."""

    @settings(deadline=None, database=None, max_examples=100)
    @given(tables)
    def test_there_and_back(self, table: dict[str, object]) -> None:
        """Tables of all types, nested, come back as they were, types of numbers included."""
        data = encode_table(table)
        found, end = decode_table(b"before" + data + b"behind", 6)
        self.assertEqual(found, plain(table))
        self.assertEqual(end, 6 + len(data))
        self.assertEqual([type(value) for value in found.values()], [type(plain(value)) for value in table.values()])

    def test_every_type_by_hand(self) -> None:
        """Bytes as RabbitMQ's errata describe them are read as the value they mean."""
        for code, payload, value in (
            (b"t", b"\x01", True),
            (b"b", b"\xff", -1),
            (b"B", b"\xff", 255),
            (b"s", b"\xff\xfe", -2),
            (b"u", b"\xff\xfe", 65534),
            (b"I", b"\xff\xff\xff\xff", -1),
            (b"i", b"\xff\xff\xff\xff", 4294967295),
            (b"l", b"\xff" * 8, -1),
            (b"L", b"\xff" * 8, (1 << 64) - 1),
            (b"f", pack(">f", 1.5), 1.5),
            (b"d", pack(">d", 0.1), 0.1),
            (b"D", b"\x02" + pack(">i", -12345), Decimal("-123.45")),
            (b"S", b"\0\0\0\x02\xc3\xa9", "é"),
            (b"S", b"\0\0\0\x02\xff\xfe", b"\xff\xfe"),
            (b"A", b"\0\0\0\x03t\x00V", [False, None]),
            (b"T", pack(">Q", 1_700_000_000), Timestamp(1_700_000_000)),
            (b"F", b"\0\0\0\x03\x01aV", {"a": None}),
            (b"V", b"", None),
            (b"x", b"\0\0\0\x01S", b"S"),
        ):
            found = decode_table(table_of(code, payload))[0]
            self.assertEqual(found, {"k": value}, code)
            self.assertIs(type(found["k"]), type(value), code)

    def test_written_as_wanted(self) -> None:
        """Every type can be written, by name."""
        for code, value, payload in (("s", -2, b"\xff\xfe"), ("L", 1, b"\0" * 7 + b"\x01"), ("T", 5, pack(">Q", 5))):
            self.assertEqual(encode_table({"k": Typed(code, value)}), table_of(code.encode(), payload))

    def test_not_a_number(self) -> None:
        """NaN and the infinities are floats like others."""
        found = decode_table(encode_table({"n": math.nan, "i": -math.inf}))[0]
        self.assertTrue(math.isnan(found["n"]))  # type: ignore[arg-type]
        self.assertEqual(found["i"], -math.inf)

    @settings(deadline=None, database=None, max_examples=150)
    @given(st.binary(max_size=200))
    def test_garbage(self, data: bytes) -> None:
        """Any bytes are a table, or refused as the peer's fault; nothing else is raised."""
        for candidate in (data, pack(">I", len(data)) + data):
            with contextlib.suppress(RemoteProtocolError):
                decode_table(candidate)

    @settings(deadline=None, database=None, max_examples=80)
    @given(tables, st.data())
    def test_truncated(self, table: dict[str, object], data: st.DataObject) -> None:
        """A table that is cut anywhere is refused."""
        whole = encode_table(table)
        cut = data.draw(st.integers(0, len(whole) - 1))
        self.assertRaises(RemoteProtocolError, decode_table, whole[:cut])

    @settings(deadline=None, database=None, max_examples=80)
    @given(tables, st.data())
    def test_damaged(self, table: dict[str, object], data: st.DataObject) -> None:
        """A table with a byte changed is read as something, or refused."""
        whole = bytearray(encode_table(table))
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
        with contextlib.suppress(RemoteProtocolError):
            decode_table(bytes(whole))

    def test_cut_by_hand(self) -> None:
        """A value that ends before its type does is refused, whatever its type."""
        for code in b"tbBsuIilLfdDSATFx":
            self.assertRaises(RemoteProtocolError, decode_table, table_of(bytes((code,)), b""))
        self.assertRaises(RemoteProtocolError, decode_table, table_of(b"", b""))
        self.assertRaises(RemoteProtocolError, decode_table, b"\0\0\0\x02\x09a")

    def test_too_deep(self) -> None:
        """Nesting without end is refused before it exhausts the stack."""
        data = b""
        for _ in range(5000):
            data = b"A" + pack(">I", len(data)) + data
        self.assertRaises(RemoteProtocolError, decode_table, table_of(b"", data))
        nested: dict[str, object] = {}
        for _ in range(MAX_DEPTH - 1):
            nested = {"k": nested}
        self.assertEqual(decode_table(encode_table(nested))[0], nested)
        self.assertRaises(RemoteProtocolError, decode_table, encode_table({"k": {"k": nested}}))

    def test_unwritable(self) -> None:
        """What no field type holds is our own fault, said before a byte is written."""
        for value in (
            object(),
            {1, 2},
            1 << 64,
            -(1 << 63) - 1,
            Typed("b", 128),
            Typed("z", 1),
            Decimal("NaN"),
            Decimal(1 << 40),
            Typed("S", 5),
            Typed("T", "x"),
            {"k" * 256: 1},
            {5: 1},
        ):
            self.assertRaises(LocalProtocolError, encode_table, {"k": value})

    def test_short_string(self) -> None:
        """255 bytes are the most a short string holds."""
        self.assertEqual(short_string("é" * 127)[0], 254)
        self.assertRaises(LocalProtocolError, short_string, "é" * 128)
