"""Events packed once, in anybody's stream: read back by clients that know nothing of it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zlib_ng import zlib_ng

from rateway.gateway.inflate import make_inflater
from rateway.model.intents import ALL
from rateway.simulator.gateway.encoding import Encoder, PlainEncoder, ZlibEncoder, ZstdEncoder, make_encoder
from rateway.simulator.gateway.packing import (
    ZSTD_FRAME_HEADER,
    Packed,
    deflated,
    raw_blocks,
    stored,
    zstd_blocks,
    zstd_compressor,
)
from rateway.simulator.gateway.rules import Asked
from rateway.simulator.gateway.sessions import envelope
from rateway.simulator.hub import Hub
from rateway.simulator.load.stock import Stock
from rateway.simulator.options import SimulatorOptions

TRANSPORTS: dict[str | None, str] = {None: "none", "zlib-stream": "zlib-stream", "zstd-stream": "zstd-stream"}
WORDS = ("harbour", "lamp ", "0000000000", '\\"kettle\\"', "\N{SNOWMAN}", "1,2,3,4,5,6,7,8,", "aaaaaaaaaaaaaaaa")

texts = st.lists(st.sampled_from(WORDS) | st.text(max_size=20), max_size=60).map("".join)
bodies = texts.map(lambda text: json.dumps({"id": "8100000000000", "content": text}, ensure_ascii=False).encode())


def independent(transport: str | None) -> list[Callable[[bytes], bytes]]:
    """Decoders of one connection, each by another library."""
    if transport == "zlib-stream":
        return [zlib.decompressobj().decompress, zlib_ng.decompressobj().decompress]
    if transport == "zstd-stream":
        return [zstandard.ZstdDecompressor().decompressobj().decompress]
    return [bytes]


class InterleavedTests(SynchronousTestCase):
    """Packed events and ordinary payloads on one connection, in any order."""

    @settings(deadline=None, database=None, max_examples=150)
    @given(
        st.sampled_from(list(TRANSPORTS)),
        st.lists(bodies, min_size=1, max_size=6),
        st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(1, 4)), min_size=1, max_size=40),
        st.integers(0, 10**12),
    )
    def test_any_order(
        self, transport: str | None, pool: list[bytes], script: list[tuple[bool, int, int]], seq: int
    ) -> None:
        """Each message is its payload, byte for byte, whatever came before it, ordinary ones cut in pieces too."""
        encoder = made(transport)
        events = [Packed.of(f"EVENT_{number}", d) for number, d in enumerate(pool)]
        decoders, inflater = independent(transport), make_inflater(TRANSPORTS[transport])
        for spliced, which, pieces in script:
            event = events[which % len(events)]
            seq += 1
            payload = envelope(event.name, seq, pool[which % len(events)])
            messages = [encoder.splice(event, seq)] if spliced else encoder.encode(payload, pieces)
            whole = b"".join(data for data, _ in messages)
            for decode in decoders:
                self.assertEqual(decode(whole), payload)
            found = [text for data, binary in messages for text in inflater.feed(data, binary)]
            self.assertEqual(found, [payload])

    @settings(deadline=None, database=None, max_examples=30)
    @given(st.sampled_from(["zlib-stream", "zstd-stream"]), st.integers(0, 99), st.integers(1, 400_000))
    def test_large(self, transport: str, seed: int, size: int) -> None:
        """So it is with payloads beyond the window of either stream, and with what no compression helps."""
        encoder, (decode, *_) = made(transport), independent(transport)
        noise = bytes(Random(seed).choices(range(32, 127), k=size))
        for number, d in enumerate((noise, b"1" * size, noise[: size // 2], b'{"a":"b"}' * (size // 9 + 1)), start=1):
            event = Packed.of("LARGE", d)
            self.assertEqual(decode(encoder.encode(noise)[0][0]), noise)
            self.assertEqual(decode(encoder.splice(event, number)[0]), event.payload(number))
            self.assertEqual(decode(encoder.splice(event, number + 1)[0]), event.payload(number + 1))

    def test_payload_compression(self) -> None:
        """A connection with payload compression gets large events as whole zlib streams, small ones as text."""
        encoder = PlainEncoder()
        encoder.payload_compression = True
        large, small = Packed.of("LARGE", b'"%b"' % (b"x" * 3000)), Packed.of("SMALL", b"{}")
        self.assertEqual(encoder.splice(small, 4), (small.payload(4), False))
        data, binary = encoder.splice(large, 5)
        self.assertEqual((zlib.decompress(data), binary), (large.payload(5), True))


class MessageTests(SynchronousTestCase):
    """What a spliced message looks like."""

    def test_marker(self) -> None:
        """In zlib-stream it ends with the flush marker, and what it holds beyond the sequence is compressed."""
        event, encoder = Packed.of("X", b'{"a":"%b"}' % (b"word " * 200)), ZlibEncoder()
        first, second = encoder.splice(event, 1)[0], encoder.splice(event, 2)[0]
        self.assertEqual((first[:1], first[-4:], second[-4:]), (b"\x78", b"\x00\x00\xff\xff", b"\x00\x00\xff\xff"))
        self.assertEqual(second, stored(b'{"t":"X","s":2') + deflated(event.tail))
        self.assertTrue(len(second) < len(event.tail) / 5)

    def test_shared(self) -> None:
        """What costs is done once: connections share the compressed bytes."""
        event = Packed.of("X", b"{}")
        self.assertIs(event.deflate(), event.deflate())
        self.assertIs(event.zstd(), event.zstd())

    def test_first_of_all(self) -> None:
        """In zstd-stream, as the very first message, it begins the frame; after another, it doesn't."""
        event = Packed.of("X", b"{}")
        early, late = ZstdEncoder(), ZstdEncoder()
        late.encode(b"{}")
        self.assertTrue(early.splice(event, 1)[0].startswith(ZSTD_FRAME_HEADER))
        self.assertFalse(late.splice(event, 1)[0].startswith(ZSTD_FRAME_HEADER))

    def test_prepared(self) -> None:
        """Prepared for a transport, an event is spliced into it as otherwise."""
        for transport in TRANSPORTS:
            event, other = Packed.of("X", b"[1]"), Packed.of("X", b"[1]")
            made(transport).prepare(event)
            self.assertEqual(made(transport).splice(event, 7), made(transport).splice(other, 7))

    def test_parts(self) -> None:
        """An event gives back the bytes of d."""
        d = b'{"a": 1.50 , "b":"\xc3\xa9"}'
        event = Packed.of("SOME_EVENT", d)
        self.assertEqual((event.d, event.payload(9)), (d, envelope("SOME_EVENT", 9, d)))


class StandAloneTests(SynchronousTestCase):
    """zstd blocks that may be put anywhere in a frame."""

    def test_repeat_offsets(self) -> None:
        """A block that uses a frame's first repeat offsets reads wrong in another's middle; it is sent raw instead."""
        data = b'{"id":"8' + b"0" * 40 + b'"}'
        frame = zstd_compressor(3).compress(data)
        blocks = bytearray(frame[zstandard.frame_header_size(frame) :])
        blocks[0] &= 0xFE
        self.assertTrue(len(blocks) < len(data))
        before = zstd_blocks(b'{"abcdefgh":"abcdefgh","ijklmnop":"ijklmnop","qrstuv":"qrstuv"}')
        self.assertNotEqual(after(before, bytes(blocks)), data)
        self.assertEqual(zstd_blocks(data), raw_blocks(data))
        self.assertEqual(after(before, zstd_blocks(data)), data)

    def test_compressed(self) -> None:
        """What uses none stays compressed: most events of the simulator's world do."""
        hub = Hub(Clock(), SimulatorOptions(guilds=2))
        asked = Asked(0, 1, int(ALL), 250, False, None)
        drawn = Stock(hub.world, asked, 300, Random(4)).draw(300, hub.world_time())
        self.assertEqual(len(drawn), 300)
        raw = sum(event.zstd() == raw_blocks(event.tail) for event in drawn)
        self.assertTrue(raw < 30, raw)
        for size in (sum(len(event.zstd()) for event in drawn), sum(len(event.deflate()) for event in drawn)):
            self.assertTrue(size < 0.75 * sum(len(event.tail) for event in drawn), size)

    def test_no_text(self) -> None:
        """Bytes that the judgement could mistake are left raw, and so is what is longer than a block."""
        for data in (b"\xff" * 200, b"ab" * 100_000):
            self.assertEqual(zstd_blocks(data), raw_blocks(data))

    @settings(deadline=None, database=None, max_examples=100)
    @given(bodies, bodies, st.binary(max_size=300))
    def test_after_anything(self, data: bytes, other: bytes, noise: bytes) -> None:
        """After any blocks, and before any, the data is the same."""
        for before in (zstd_blocks(other), raw_blocks(noise), zstd_blocks(other) + raw_blocks(noise)):
            self.assertEqual(after(before, zstd_blocks(data)), data)


def after(before: bytes, blocks: bytes) -> bytes | None:
    """What blocks hold after others in one frame; None where they can't be read there."""
    stream: Any = zstandard.ZstdDecompressor().decompressobj()
    stream.decompress(ZSTD_FRAME_HEADER + before)
    try:
        return bytes(stream.decompress(blocks))
    except zstandard.ZstdError:
        return None


def made(transport: str | None) -> Encoder:
    encoder = make_encoder(transport)
    assert encoder is not None
    return encoder
