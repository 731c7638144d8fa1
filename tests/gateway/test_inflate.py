"""Tests for :mod:`rateway.gateway.inflate`."""

from __future__ import annotations

import json
import random
import re
import zlib
from collections.abc import Sequence
from itertools import pairwise

import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.errors import ConfigError, RemoteProtocolError
from rateway.gateway.inflate import make_inflater

_MARKER = b"\x00\x00\xff\xff"

_TEXTS = st.lists(
    st.dictionaries(st.text(max_size=5), st.text(max_size=30) | st.integers() | st.just({}), max_size=5).map(
        lambda d: json.dumps(d, ensure_ascii=False).encode()
    ),
    min_size=1,
    max_size=8,
)


def _zlib_messages(texts: Sequence[bytes], level: int = 6) -> list[bytes]:
    """The stream as Discord sends it: one message for each payload."""
    stream = zlib.compressobj(level)
    return [stream.compress(text) + stream.flush(zlib.Z_SYNC_FLUSH) for text in texts]


def _zstd_messages(texts: Sequence[bytes]) -> list[bytes]:
    stream = zstandard.ZstdCompressor().compressobj()
    return [stream.compress(text) + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) for text in texts]


def _cut(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = [0, *sorted(cuts), len(data)]
    return [data[a:b] for a, b in pairwise(places)]


def _noise(size: int) -> bytes:
    """A JSON object of text that hardly compresses."""
    return json.dumps({"d": random.Random(size).randbytes(size // 2).hex()}).encode()


class ZlibTests(SynchronousTestCase):
    """One endless zlib stream, whatever messages it is cut into."""

    def setUp(self) -> None:
        self.inflater = make_inflater("zlib-stream")

    def test_one_message_each(self) -> None:
        """Each message gives its payload at once."""
        texts = [b'{"op":10}', b'{"op":0,"d":{"a":1}}', b"{}"]
        for text, message in zip(texts, _zlib_messages(texts), strict=True):
            self.assertEqual(self.inflater.feed(message, True), [text])

    def test_marker_cut_in_two(self) -> None:
        """A payload in three messages, its marker cut in two: nothing comes early, all of it at the end."""
        text = _noise(500)
        (message,) = _zlib_messages([text])
        self.assertEqual(self.inflater.feed(message[:100], True), [])
        self.assertEqual(self.inflater.feed(message[100:-2], True), [])
        self.assertEqual(self.inflater.feed(message[-2:], True), [text])

    def test_several_payloads_in_one_message(self) -> None:
        """All of them are handed out, and what follows is kept for later."""
        texts = [b'{"a":1}', b'{"b":"}{"}', b'{"c":{}}']
        messages = _zlib_messages(texts)
        self.assertEqual(self.inflater.feed(messages[0] + messages[1] + messages[2][:3], True), texts[:2])
        self.assertEqual(self.inflater.feed(messages[2][3:], True), texts[2:])

    @settings(deadline=None, database=None, max_examples=200)
    @given(texts=_TEXTS, level=st.sampled_from([0, 1, 6]), data=st.data())
    def test_any_split(self, texts: list[bytes], level: int, data: st.DataObject) -> None:
        """Whatever the split, each payload comes with the message that completes it, never earlier, never later."""
        messages = _zlib_messages(texts, level)
        stream = b"".join(messages)
        pieces = _cut(stream, data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
        ends = [sum(map(len, messages[: i + 1])) for i in range(len(messages))]
        inflater, seen, got = make_inflater("zlib-stream"), 0, []
        for piece in pieces:
            seen += len(piece)
            got += inflater.feed(piece, True)
            self.assertEqual(got, texts[: sum(end <= seen for end in ends)])
        self.assertEqual(got, texts)

    def test_byte_by_byte(self) -> None:
        """A message for every byte, empty messages between them."""
        texts = [_noise(300), b"{}", _noise(301)]
        got = []
        for byte in b"".join(_zlib_messages(texts)):
            got += self.inflater.feed(bytes([byte]), True) + self.inflater.feed(b"", True)
        self.assertEqual(got, texts)

    def test_fresh_context(self) -> None:
        """The stream of a new connection needs an inflater of its own; the old one takes it for corrupt."""
        (message,) = _zlib_messages([b'{"op":10}'])
        self.inflater.feed(message, True)
        self.assertRaises(RemoteProtocolError, self.inflater.feed, message, True)
        self.assertEqual(make_inflater("zlib-stream").feed(message, True), [b'{"op":10}'])

    def test_marker_by_chance_at_the_end_of_a_message(self) -> None:
        """A marker that comes before the text is whole doesn't end the payload."""
        stream = zlib.compressobj()
        first = stream.compress(b'{"a":{"b":"x}') + stream.flush(zlib.Z_SYNC_FLUSH)
        more = stream.compress(b"y") + stream.flush(zlib.Z_SYNC_FLUSH)
        last = stream.compress(b'"}}') + stream.flush(zlib.Z_SYNC_FLUSH)
        self.assertEqual(self.inflater.feed(first[:-4] + first[-4:] + more, True), [])
        self.assertEqual(self.inflater.feed(last, True), [b'{"a":{"b":"x}y"}}'])

    def test_marker_by_chance_alone(self) -> None:
        """The same where the marker ends the message, and the rest comes in another."""
        stream = zlib.compressobj()
        first = stream.compress(b'{"a":"b') + stream.flush(zlib.Z_SYNC_FLUSH)
        last = stream.compress(b'c"}') + stream.flush(zlib.Z_SYNC_FLUSH)
        self.assertEqual(self.inflater.feed(first, True), [])
        self.assertEqual(self.inflater.feed(last, True), [b'{"a":"bc"}'])

    def test_marker_by_chance_within_a_message(self) -> None:
        """Text that a marker within a message ends after a brace is weighed: only a whole object goes out."""
        for head, rest in (
            (b'{"a":{}', b',"b":1}'),
            (b'{"a":"}', b'"}'),
            (b'{"a":"\\"}', b'"}'),
            (b'{"a":"\\', b'""}'),
            (b'{"a":{"b":"}"}', b"}"),
        ):
            stream = zlib.compressobj()
            message = stream.compress(head) + stream.flush(zlib.Z_SYNC_FLUSH)
            message += stream.compress(rest) + stream.flush(zlib.Z_SYNC_FLUSH)
            self.assertEqual(make_inflater("zlib-stream").feed(message, True), [head + rest])

    def test_marker_in_stored_data(self) -> None:
        """The four bytes inside of stored text, where a payload really holds them, harm nothing."""
        text = b'{"a":"' + _MARKER + b"}" + _MARKER + b'"}'
        (message,) = _zlib_messages([text], level=0)
        self.assertGreater(message.count(_MARKER), 1)
        self.assertEqual(self.inflater.feed(message, True), [text])

    def test_space_after_the_object(self) -> None:
        """A line end after the object doesn't hold it back."""
        (message,) = _zlib_messages([b'{"a":"}"}\n'])
        self.assertEqual(self.inflater.feed(message, True), [b'{"a":"}"}\n'])

    def test_flushed_twice(self) -> None:
        """A flush without text gives no payload."""
        stream = zlib.compressobj()
        message = stream.compress(b"{}") + stream.flush(zlib.Z_SYNC_FLUSH)
        again = b"\x00" + _MARKER
        self.assertEqual(self.inflater.feed(message + again, True), [b"{}"])
        self.assertEqual(self.inflater.feed(again, True), [])

    def test_corrupt(self) -> None:
        """Data that is no zlib stream is the peer's error."""
        self.assertRaises(RemoteProtocolError, self.inflater.feed, b"nonsense" + _MARKER, True)

    def test_ended(self) -> None:
        """A stream that ends is an error: whatever follows could never be read."""
        stream = zlib.compressobj()
        message = stream.compress(b"{}") + stream.flush(zlib.Z_FINISH)
        self.assertRaises(RemoteProtocolError, self.inflater.feed, message + _MARKER, True)

    def test_text_message(self) -> None:
        """A text message has no place on a compressed connection."""
        error = self.assertRaises(RemoteProtocolError, self.inflater.feed, b"{}", False)
        self.assertIn("zlib-stream", str(error))

    def test_bomb(self) -> None:
        """A payload beyond the bound is refused before it fills the memory; one at the bound passes."""
        inflater = make_inflater("zlib-stream", limit=1000)
        fits = b'{"a":"' + b"x" * 992 + b'"}'
        messages = _zlib_messages([fits, fits[:-2] + b'x"}'])
        self.assertEqual(inflater.feed(messages[0], True), [fits])
        self.assertRaises(RemoteProtocolError, inflater.feed, messages[1], True)

    def test_bomb_in_pieces(self) -> None:
        """The bound holds over text that came in several flushes, too."""
        inflater = make_inflater("zlib-stream", limit=1000)
        messages = _zlib_messages([b'{"a":"' + b"x" * 600, b"y" * 600])
        self.assertEqual(inflater.feed(messages[0], True), [])
        self.assertRaises(RemoteProtocolError, inflater.feed, messages[1], True)

    def test_never_a_marker(self) -> None:
        """Compressed data without an end is refused as well."""
        inflater = make_inflater("zlib-stream", limit=1000)
        self.assertEqual(inflater.feed(b"x" * 900, True), [])
        self.assertRaises(RemoteProtocolError, inflater.feed, b"x" * 900, True)

    def test_big_payload(self) -> None:
        """A payload of many MB in thousands of messages comes out whole."""
        text = _noise(6_000_000)
        (message,) = _zlib_messages([text], level=1)
        got = []
        for start in range(0, len(message), 4096):
            got += self.inflater.feed(message[start : start + 4096], True)
        self.assertEqual(list(map(len, got)), [len(text)])
        self.assertEqual(got[0], text)


class ZstdTests(SynchronousTestCase):
    """One zstd frame that never ends."""

    def setUp(self) -> None:
        self.inflater = make_inflater("zstd-stream")

    @settings(deadline=None, database=None, max_examples=100)
    @given(texts=_TEXTS)
    def test_one_message_each(self, texts: list[bytes]) -> None:
        """Each message gives its payload at once."""
        inflater = make_inflater("zstd-stream")
        for text, message in zip(texts, _zstd_messages(texts), strict=True):
            self.assertEqual(inflater.feed(message, True), [text])

    def test_many_blocks(self) -> None:
        """Payloads of several blocks, also ones that fill the library's buffer exactly, come whole."""
        for size in (131071, 131072, 131073, 262144, 1_000_000):
            text = b'{"a":"' + b"x" * (size - 8) + b'"}'
            self.assertEqual(make_inflater("zstd-stream").feed(_zstd_messages([text])[0], True), [text])

    def test_in_two_messages(self) -> None:
        """A payload cut in two comes with the second half."""
        first, last = _zstd_messages([b'{"a":"b', b'c"}'])
        self.assertEqual(self.inflater.feed(first, True), [])
        self.assertEqual(self.inflater.feed(last[:2], True), [])
        self.assertEqual(self.inflater.feed(last[2:], True), [b'{"a":"bc"}'])

    def test_corrupt(self) -> None:
        """Data that is no zstd frame is the peer's error."""
        self.assertRaises(RemoteProtocolError, self.inflater.feed, b"nonsense", True)

    def test_ended(self) -> None:
        """A frame that ends is an error."""
        self.assertRaises(RemoteProtocolError, self.inflater.feed, zstandard.ZstdCompressor().compress(b"{}"), True)

    def test_text_message(self) -> None:
        """A text message has no place on a compressed connection."""
        error = self.assertRaises(RemoteProtocolError, self.inflater.feed, b"{}", False)
        self.assertIn("zstd-stream", str(error))

    def test_bomb(self) -> None:
        """A message that would inflate beyond the bound is stopped on the way."""
        bomb = _zstd_messages([b'{"a":"' + b"x" * 50_000_000 + b'"}'])[0]
        inflater = make_inflater("zstd-stream", limit=1_000_000)
        self.assertRaises(RemoteProtocolError, inflater.feed, bomb, True)

    def test_small_bomb(self) -> None:
        """So is one that is small enough to be inflated at once."""
        bomb = _zstd_messages([b'{"a":"' + b"x" * 100_000])[0]
        inflater = make_inflater("zstd-stream", limit=50_000)
        self.assertRaises(RemoteProtocolError, inflater.feed, bomb, True)

    def test_slices(self) -> None:
        """A long message below the bound passes, slice by slice."""
        text = _noise(200_000)
        inflater = make_inflater("zstd-stream", limit=300_000)
        self.assertEqual(inflater.feed(_zstd_messages([text])[0], True), [text])


class PlainTests(SynchronousTestCase):
    """No compression."""

    def test_passes(self) -> None:
        """Each message is a payload as it stands, as text or as binary."""
        inflater = make_inflater("none")
        self.assertEqual(inflater.feed(b'{"op":1}', False), [b'{"op":1}'])
        self.assertEqual(inflater.feed(b'{"op":1}', True), [b'{"op":1}'])


class MakeInflaterTests(SynchronousTestCase):
    """The setting chooses the inflater."""

    def test_unknown(self) -> None:
        """An unknown compression names the setting and the choice."""
        error = self.assertRaises(ConfigError, make_inflater, "gzip")
        self.assertTrue(re.search("COMPRESSION.*zlib-stream, zstd-stream or none", str(error)))
