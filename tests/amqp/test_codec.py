"""Methods and content headers: what is written is read, and garbage is refused."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from pika import BasicProperties
from pika.frame import Header
from twisted.trial.unittest import SynchronousTestCase

from rateway.amqp.codec import (
    PROPERTIES,
    body_size,
    decode_arguments,
    decode_properties,
    encode_arguments,
    encode_content_header,
)
from rateway.amqp.spec import argument_kinds, load_spec
from rateway.errors import LocalProtocolError, RemoteProtocolError

short_texts = st.text(st.characters(codec="utf-8"), max_size=60)
values = {
    "bit": st.booleans(),
    "octet": st.integers(0, 255),
    "short": st.integers(0, (1 << 16) - 1),
    "long": st.integers(0, (1 << 32) - 1),
    "longlong": st.integers(0, (1 << 64) - 1),
    "timestamp": st.integers(0, (1 << 64) - 1),
    "shortstr": short_texts,
    "longstr": st.binary(max_size=300),
    "table": st.dictionaries(short_texts, st.integers(-9, 9), max_size=3),
}
arguments = st.lists(st.sampled_from(sorted(values)).flatmap(lambda kind: st.tuples(st.just(kind), values[kind])))
properties = st.fixed_dictionaries({}, optional={name: values[kind] for name, kind in PROPERTIES})


class ArgumentTests(SynchronousTestCase):
    """The arguments of methods."""

    @settings(deadline=None, database=None, max_examples=100)
    @given(arguments)
    def test_there_and_back(self, pairs: list[tuple[str, object]]) -> None:
        """Arguments of any types come back, bits packed by eight."""
        kinds, given_values = [pair[0] for pair in pairs], tuple(pair[1] for pair in pairs)
        self.assertEqual(decode_arguments(kinds, encode_arguments(kinds, given_values)), given_values)

    def test_bits(self) -> None:
        """Neighbouring bits share a byte, from the lowest bit up; other fields part them."""
        data = encode_arguments(["bit"] * 9 + ["octet", "bit"], [1, 0, 0, 0, 0, 0, 0, 1, 1, 7, 1])
        self.assertEqual(data, b"\x81\x01\x07\x01")

    def test_bytes_survive(self) -> None:
        """A short string that isn't UTF-8 is given back byte for byte."""
        (text,) = decode_arguments(["shortstr"], b"\x02\xff\xfe")
        self.assertEqual(encode_arguments(["shortstr"], [text]), b"\x02\xff\xfe")

    def test_text_is_counted_in_bytes(self) -> None:
        """The length of a text is that of its UTF-8."""
        self.assertEqual(encode_arguments(["longstr"], ["é"]), b"\0\0\0\x02\xc3\xa9")

    def test_unwritable(self) -> None:
        """A value its field can't hold is refused before anything is written."""
        for kind, value in (("octet", 256), ("short", -1), ("long", "x"), ("shortstr", "x" * 256), ("table", 5)):
            self.assertRaises(LocalProtocolError, encode_arguments, [kind], [value])
        self.assertRaises(LocalProtocolError, encode_arguments, ["bit"], [])

    @settings(deadline=None, database=None, max_examples=100)
    @given(st.lists(st.sampled_from(sorted(values))), st.binary(max_size=60))
    def test_garbage(self, kinds: list[str], data: bytes) -> None:
        """Any bytes are such arguments, or refused as the broker's fault."""
        with contextlib.suppress(RemoteProtocolError):
            decode_arguments(kinds, data)


class ContentHeaderTests(SynchronousTestCase):
    """The properties of messages."""

    @settings(deadline=None, database=None, max_examples=100)
    @given(st.integers(0, (1 << 64) - 1), properties)
    def test_there_and_back(self, size: int, found: dict[str, object]) -> None:
        """Any set of properties comes back, and the size with it."""
        header = encode_content_header(size, found)
        self.assertEqual(body_size(header), size)
        self.assertEqual(decode_properties(header), found)

    def test_as_others_write_it(self) -> None:
        """An independent client's header is read, and written the same."""
        wanted: dict[str, object] = {
            "content_type": "text/plain",
            "headers": {"shard_id": 3, "ok": True},
            "delivery_mode": 2,
            "priority": 1,
            "correlation_id": "c",
            "reply_to": "r",
            "expiration": "60000",
            "message_id": "m",
            "timestamp": 1_700_000_000,
            "type": "t",
            "user_id": "u",
            "app_id": "a",
            "cluster_id": "z",
            "content_encoding": "utf-8",
        }
        theirs = Header(1, 5, BasicProperties(**wanted)).marshal()[7:-1]
        self.assertEqual(decode_properties(theirs), wanted)
        self.assertEqual(encode_content_header(5, wanted), theirs)

    def test_another_class(self) -> None:
        """A content header of another class than basic is refused."""
        self.assertRaises(RemoteProtocolError, body_size, b"\0\x0a" + b"\0" * 12)
        self.assertRaises(RemoteProtocolError, body_size, b"\0\x3c")

    @settings(deadline=None, database=None, max_examples=150)
    @given(st.binary(max_size=120))
    def test_garbage(self, data: bytes) -> None:
        """Any bytes are properties, or refused; nothing else is raised."""
        for candidate in (data, b"\0\x3c\0\0" + b"\0" * 8 + data):
            with contextlib.suppress(RemoteProtocolError):
                decode_properties(candidate)

    @settings(deadline=None, database=None, max_examples=80)
    @given(properties, st.data())
    def test_truncated(self, found: dict[str, object], data: st.DataObject) -> None:
        """A header that is cut anywhere is refused."""
        header = encode_content_header(0, found)
        cut = data.draw(st.integers(0, len(header) - 1))
        self.assertRaises(RemoteProtocolError, decode_properties, header[:cut])


class SpecTests(SynchronousTestCase):
    """The description of the protocol that ships with rateway."""

    def test_against_pika(self) -> None:
        """Every method has the number, and the bytes, that an independent client gives it."""
        import pika.spec

        for klass in load_spec().classes:
            for method in klass.methods:
                their_class = getattr(pika.spec, klass.name.capitalize())
                theirs = getattr(their_class, "".join(part.capitalize() for part in method.name.split("-")))
                self.assertEqual(theirs.INDEX, klass.id << 16 | method.id, theirs)
                kinds = argument_kinds(method)
                values = [
                    {"bit": True, "shortstr": "é", "longstr": b"x", "table": {"a": 1}}.get(kind, 7) for kind in kinds
                ]
                # What the specification has as reserved, pika writes as it likes: it is left empty.
                for index, each in enumerate(method.fields):
                    if "reserved" in each.name:
                        values[index] = {"bit": False, "shortstr": "", "longstr": b""}.get(kinds[index], 0)
                names = [name for name in vars(theirs()) if not name.startswith("_")]
                self.assertEqual(len(names), len(kinds), theirs)
                other = theirs(**dict(zip(names, values, strict=True)))
                self.assertEqual(b"".join(other.encode()), encode_arguments(kinds, values), theirs)

    def test_loaded_once(self) -> None:
        """The specification is read once for the process."""
        self.assertIs(load_spec(), load_spec())
