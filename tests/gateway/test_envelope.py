"""Tests for :mod:`rateway.gateway.envelope`."""

from __future__ import annotations

import json

import ujson
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.errors import RemoteProtocolError
from rateway.gateway.envelope import decode

_characters = st.characters()
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(_characters),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


class EnvelopeTests(SynchronousTestCase):
    """The envelope is split, and ``d`` is left alone."""

    def test_dispatch(self) -> None:
        """An event gives its op, sequence, name and data."""
        envelope = decode(b'{"t":"MESSAGE_CREATE","s":42,"op":0,"d":{"id":"1"}}')
        self.assertEqual((envelope.op, envelope.s, envelope.t), (0, 42, "MESSAGE_CREATE"))
        self.assertEqual(bytes(envelope.d), b'{"id":"1"}')

    def test_bare_ack(self) -> None:
        """An ACK without d, s and t is accepted; its data reads as null."""
        envelope = decode(b'{"op":11}')
        self.assertEqual((envelope.op, envelope.s, envelope.t, bytes(envelope.d)), (11, None, None, b"null"))

    def test_nulls(self) -> None:
        """Sequence and name may be null, as in a HELLO."""
        envelope = decode(b'{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":41250}}')
        self.assertEqual((envelope.op, envelope.s, envelope.t), (10, None, None))

    def test_no_sequence(self) -> None:
        """What couldn't be put into a header or on disk is refused; the highest that could is not."""
        self.assertEqual(decode(b'{"op":0,"s":9223372036854775807}').s, (1 << 63) - 1)
        for sequence in (b"-1", b"9223372036854775808", b"1e3000", b'"1"', b"1.5"):
            self.assertRaises(RemoteProtocolError, decode, b'{"op":0,"s":%b}' % sequence)

    def test_data_first(self) -> None:
        """Keys named op, t and s inside of d don't matter, wherever d stands."""
        inner = b'{"op":9,"t":"X","s":7,"d":{"op":1,"text":"\\"op\\":2"}}'
        envelope = decode(b'{"d":' + inner + b',"op":0,"s":1,"t":"Y"}')
        self.assertEqual((envelope.op, envelope.s, envelope.t, bytes(envelope.d)), (0, 1, "Y", inner))

    def test_spelling_of_data_is_kept(self) -> None:
        """Numbers, escapes and spaces of d stay as Discord wrote them."""
        inner = b'{ "n" : 1.0e+2, "big":123456789012345678901234567890, "u":"\\u00e9\\/", "e":"\xc3\xa9" }'
        self.assertEqual(bytes(decode(b'{"op":0,"d":' + inner + b"}").d), inner)

    def test_unknown_keys_and_ops(self) -> None:
        """A key or an op that nobody knows yet is no error."""
        self.assertEqual(decode(b'{"op":99,"x":[1,{"y":2}],"d":1}').op, 99)

    def test_bytearray(self) -> None:
        """A bytearray will do."""
        self.assertEqual(bytes(decode(bytearray(b'{"op":0,"d":[1]}')).d), b"[1]")

    def test_half_a_surrogate_pair(self) -> None:
        """An event with half a surrogate pair is passed on as it is: JSON allows it, a RESUME would bring it again."""
        for inner in (
            b'{"name":"\\ud800 and more text","full":"\\ud83d\\ude00"}',
            b'{"name":"\\uDFFF"}',
            b'{"name":"\\\\ud800","other":"\\ud800"}',
            b'"\\ud800"',
        ):
            envelope = decode(b'{"t":"GUILD_UPDATE","s":3,"op":0,"d":' + inner + b"}")
            self.assertEqual((envelope.s, envelope.t, bytes(envelope.d)), (3, "GUILD_UPDATE", inner))

    def test_half_a_surrogate_pair_beside_the_data(self) -> None:
        """One outside of d is no harm either."""
        envelope = decode(b'{"op":11,"x":"\\ud800 abcdef"}')
        self.assertEqual((envelope.op, bytes(envelope.d)), (11, b"null"))

    def test_refused(self) -> None:
        """What is no payload is the peer's error, whatever is wrong with it."""
        for text in (
            b"",
            b"null",
            b"[]",
            b"{}",
            b'{"d":{}}',
            b'{"op":null}',
            b'{"op":true}',
            b'{"op":"0"}',
            b'{"op":1.5}',
            b'{"op":0,"s":"1"}',
            b'{"op":0,"t":5}',
            b'{"op":0}x',
            b'{"op":0,"d":{"a":1}',
            b'{"op":0,"d":{"a":1,}}',
            b'{"op":0,"d":{"a":nope}}',
            b'{"op":0,"d":NaN}',
            b'{"op":0,"d":01}',
            b'{"op":0,"d":"\n"}',
            b'{"op":0,"d":"\\q"}',
            b'{"op":0,"d":"\\ud800"',
            b'{"op":null,"d":"\\ud800 abcdef"}',
            b'{"op":0,"d":' + b"[" * 5000 + b"]" * 5000 + b"}",
            b'{"op":0,"d":"\\ud800abcdef","x":' + b"[" * 5000 + b"]" * 5000 + b"}",
        ):
            self.assertRaises(RemoteProtocolError, decode, text)

    def test_not_utf8(self) -> None:
        """Bytes that are no UTF-8 are refused in d, in the name, in a key and in what we don't read."""
        for text in (
            b'{"op":0,"d":{"a":"\xff"}}',
            b'{"op":0,"t":"\xff","d":1}',
            b'{"op":0,"\xff":1}',
            b'{"op":0,"x":"\xed\xa0\x80"}',
        ):
            self.assertRaises(RemoteProtocolError, decode, text)

    def test_error_keeps_data_out(self) -> None:
        """The error doesn't quote the payload, which may hold a session id."""
        error = self.assertRaises(RemoteProtocolError, decode, b'{"op":0,"d":{"session_id":"secret"},}')
        self.assertNotIn("secret", str(error))

    @settings(deadline=None, database=None, max_examples=200)
    @given(data=_json, order=st.permutations(["op", "d", "s", "t"]), dense=st.booleans())
    def test_any_data_in_any_order(self, data: object, order: list[str], dense: bool) -> None:
        """Whatever d is and wherever it stands, its very bytes come out."""
        inner = json.dumps(data, ensure_ascii=dense).encode("utf-8", "surrogatepass")
        parts = {"op": b"0", "s": b"7", "t": b'"NAME"', "d": inner}
        text = b"{" + b",".join(b'"' + key.encode() + b'":' + parts[key] for key in order) + b"}"
        try:
            inner.decode()
        except UnicodeDecodeError:
            self.assertRaises(RemoteProtocolError, decode, text)
            return
        envelope = decode(text)
        self.assertEqual((envelope.op, envelope.s, envelope.t, bytes(envelope.d)), (0, 7, "NAME", inner))

    @settings(deadline=None, database=None, max_examples=300)
    @given(text=st.binary(max_size=60) | st.text(alphabet='{}[]":,opdst0123456789\\ue ', max_size=40).map(str.encode))
    def test_nonsense_is_refused_cleanly(self, text: bytes) -> None:
        """Any bytes at all give an envelope or the one error."""
        try:
            envelope = decode(text)
        except RemoteProtocolError:
            return
        self.assertEqual(ujson.loads(text)["op"], envelope.op)
