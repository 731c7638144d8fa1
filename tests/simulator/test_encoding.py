"""The three transports, read back by the plainest of readers."""

from __future__ import annotations

import zlib

import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.simulator.gateway.encoding import PlainEncoder, ZlibEncoder, ZstdEncoder, cut, make_encoder

MARKER = b"\x00\x00\xff\xff"
PAYLOADS = [b'{"op":10}', b'{"d":"' + bytes(range(32, 127)) * 50 + b'"}', b"{}", "\N{SNOWMAN}".encode() * 999]


class PlainTests(SynchronousTestCase):
    """No compression."""

    def test_text(self) -> None:
        """Each payload is one text message, byte for byte."""
        self.assertEqual([PlainEncoder().encode(p) for p in PAYLOADS], [[(p, False)] for p in PAYLOADS])

    def test_payload_compression(self) -> None:
        """Asked for by IDENTIFY, large payloads come as binary messages, each a whole zlib stream."""
        encoder = PlainEncoder()
        encoder.payload_compression = True
        self.assertEqual(encoder.encode(b"{}"), [(b"{}", False)])
        for _ in range(2):
            ((data, binary),) = encoder.encode(PAYLOADS[1])
            self.assertEqual((zlib.decompress(data), binary), (PAYLOADS[1], True))


class ZlibTests(SynchronousTestCase):
    """zlib-stream."""

    def test_stream(self) -> None:
        """Messages are chunks of one stream, each ending with the flush marker; the header comes once."""
        encoder, inflate = ZlibEncoder(), zlib.decompressobj()
        for index, payload in enumerate(PAYLOADS):
            ((data, binary),) = encoder.encode(payload)
            self.assertEqual((data[-4:], binary, data[:1] == b"\x78"), (MARKER, True, index == 0))
            self.assertEqual(inflate.decompress(data), payload)

    @settings(deadline=None, database=None, max_examples=60)
    @given(st.lists(st.binary(max_size=3000), min_size=1, max_size=5), st.integers(2, 6))
    def test_pieces(self, payloads: list[bytes], pieces: int) -> None:
        """Cut in pieces, the whole is the same, and no piece but the joined end bears the marker."""
        encoder, inflate = ZlibEncoder(), zlib.decompressobj()
        for payload in payloads:
            messages = [data for data, _ in encoder.encode(payload, pieces)]
            self.assertEqual(inflate.decompress(b"".join(messages)), payload)
            if len(messages) > 1:
                self.assertEqual((len(messages), messages[-1]), (pieces, b"\xff\xff"))

    def test_garbage(self) -> None:
        """What is corrupt ends with a marker, and can't be inflated."""
        ((data, _),) = ZlibEncoder().garbage()
        self.assertEqual(data[-4:], MARKER)
        self.assertRaises(zlib.error, zlib.decompressobj().decompress, data)


class ZstdTests(SynchronousTestCase):
    """zstd-stream."""

    def test_stream(self) -> None:
        """One message per payload, one frame for all, never ended; without checksum and with a window of 256 KiB."""
        encoder, inflate = ZstdEncoder(), zstandard.ZstdDecompressor().decompressobj()
        for index, payload in enumerate(PAYLOADS):
            ((data, binary),) = encoder.encode(payload)
            self.assertEqual((inflate.decompress(data), binary), (payload, True))
            if index == 0:
                self.assertEqual(data[:6], bytes.fromhex("28B52FFD0040"))

    def test_garbage(self) -> None:
        """What is corrupt can't be inflated."""
        encoder, inflate = ZstdEncoder(), zstandard.ZstdDecompressor().decompressobj()
        inflate.decompress(encoder.encode(b"{}")[0][0])
        self.assertRaises(zstandard.ZstdError, inflate.decompress, encoder.garbage()[0][0])


class ChoiceTests(SynchronousTestCase):
    """The query's choice."""

    def test_choice(self) -> None:
        """Three transports, and no other."""
        kinds = [type(make_encoder(name)) for name in (None, "zlib-stream", "zstd-stream", "zlib")]
        self.assertEqual(kinds, [PlainEncoder, ZlibEncoder, ZstdEncoder, type(None)])

    def test_cut_short(self) -> None:
        """What is too short to be cut stays whole."""
        self.assertEqual(cut(b"12345", 3), [b"12345"])
