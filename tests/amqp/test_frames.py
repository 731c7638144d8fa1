"""The frames of events: as an independent client reads them."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pika import frame as pika_frame
from pika import spec as pika_spec
from twisted.trial.unittest import SynchronousTestCase

from rateway.amqp.frames import EventEncoder, ack_frame, cut_utf8, publish_frames, resplit
from rateway.errors import LocalProtocolError

texts = st.text(max_size=300)


def read(data: bytes) -> list[Any]:
    """All frames, as pika sees them."""
    frames = []
    while data:
        used, found = pika_frame.decode_frame(data)
        assert used, "a frame that isn't whole"
        frames.append(found)
        data = data[used:]
    return frames


def message(data: bytes) -> tuple[pika_spec.Basic.Publish, pika_spec.BasicProperties, bytes, list[int]]:
    """One message: method, properties, body, and the sizes of its body frames."""
    method, header, *bodies = read(data)
    body = b"".join(each.fragment for each in bodies)
    assert header.body_size == len(body)
    assert len({each.channel_number for each in (method, header, *bodies)}) == 1
    return method.method, header.properties, body, [len(each.fragment) for each in bodies]


class EventEncoderTests(SynchronousTestCase):
    """An event's message is what the contract says."""

    def test_properties(self) -> None:
        """Everything a bot may read stands in the message."""
        encoder = EventEncoder(1, "rateway-3", persistent=True)
        (data,) = encoder.encode(5, "abc", [(42, "MESSAGE_CREATE", b'{"a":"\xc3\xa9"}')], 1_700_000_000_123)
        method, properties, body, _ = message(data)
        self.assertEqual((method.exchange, method.routing_key), ("rateway-3", "MESSAGE_CREATE"))
        self.assertFalse(method.mandatory or method.immediate)
        self.assertEqual(body, b'{"a":"\xc3\xa9"}')
        self.assertEqual(
            {name: value for name, value in vars(properties).items() if value is not None},
            {
                "content_type": "application/json",
                "headers": {"shard_id": 5, "seq": 42, "received_at": 1_700_000_000_123},
                "delivery_mode": 2,
                "message_id": "5:abc:42",
                "timestamp": 1_700_000_000,
                "type": "MESSAGE_CREATE",
                "app_id": "rateway",
            },
        )

    def test_transient(self) -> None:
        """Without AMQP_PERSISTENT events are transient."""
        (data,) = EventEncoder(1, "x", persistent=False).encode(0, "s", [(1, "E", b"1")], 0)
        self.assertEqual(message(data)[1].delivery_mode, 1)

    @settings(deadline=None, database=None, max_examples=150)
    @given(
        st.integers(0, 100_000),
        texts,
        st.lists(st.tuples(st.integers(0, 1 << 62), texts, st.binary(max_size=300)), max_size=5),
        st.integers(0, 1 << 45),
        st.integers(16, 200),
    )
    def test_any(
        self, shard: int, session: str, dispatches: list[tuple[int, str, bytes]], received: int, frame_max: int
    ) -> None:
        """Any event makes frames another client can read: odd names, odd sessions, empty bodies, short frames."""
        encoder = EventEncoder(1, "rateway-1", persistent=True)
        encoder.frame_max = frame_max
        found = encoder.encode(shard, session, dispatches, received)
        self.assertEqual(len(found), len(dispatches))
        for data, (seq, name, body) in zip(found, dispatches, strict=True):
            method, properties, read_body, sizes = message(data)
            self.assertEqual(read_body, body)
            self.assertTrue(all(0 < size <= frame_max - 8 for size in sizes))
            self.assertEqual(properties.headers, {"shard_id": shard, "seq": seq, "received_at": received})
            self.assertEqual(method.routing_key, cut_utf8(name).decode())
            self.assertEqual(properties.type, method.routing_key)
            self.assertTrue(properties.message_id.startswith(f"{shard}:"))
            self.assertTrue(properties.message_id.endswith(f":{seq}"))

    def test_many_names(self) -> None:
        """Names without end don't fill the memory."""
        encoder = EventEncoder(1, "rateway-1", persistent=True)
        for number in range(5000):
            encoder.encode(0, "s", [(number, f"E{number}", b"1")], 0)
        self.assertLessEqual(len(encoder._names), 1024)


class CutTests(SynchronousTestCase):
    """Names that are too long."""

    @settings(deadline=None, database=None, max_examples=100)
    @given(st.text(max_size=400))
    def test_cut(self, text: str) -> None:
        """What fits is whole; what doesn't is cut between characters."""
        found = cut_utf8(text)
        self.assertLessEqual(len(found), 255)
        whole = text.encode(errors="replace")
        self.assertTrue(whole.startswith(found))
        self.assertLess(min(len(whole), 255) - len(found), 4)
        found.decode()


class PublishFramesTests(SynchronousTestCase):
    """Messages of any properties."""

    def test_answer(self) -> None:
        """A message's properties, routing key and body arrive, and a large body in several frames."""
        data = publish_frames(2, "", "réponse", {"correlation_id": "7", "headers": {"error": "x"}}, b"y" * 10_000, 4096)
        method, properties, body, sizes = message(data)
        self.assertEqual((method.exchange, method.routing_key), ("", "réponse"))
        self.assertEqual((properties.correlation_id, properties.headers), ("7", {"error": "x"}))
        self.assertEqual((body, sizes), (b"y" * 10_000, [4088, 4088, 1824]))

    def test_impossible(self) -> None:
        """A routing key AMQP can't carry is refused before anything is written."""
        self.assertRaises(LocalProtocolError, publish_frames, 2, "", "x" * 256, {}, b"", 4096)
        headers = {"errors": {str(number): "x" * 100 for number in range(50)}}
        self.assertRaises(LocalProtocolError, publish_frames, 2, "", "k", {"headers": headers}, b"", 4096)
        self.assertTrue(publish_frames(2, "", "k", {"headers": headers}, b"", 8192))

    @settings(deadline=None, database=None, max_examples=60)
    @given(st.binary(max_size=2000), st.integers(32, 500), st.integers(32, 500))
    def test_resplit(self, body: bytes, before: int, after: int) -> None:
        """A prepared message cut to other frames is the one that would have been prepared for them."""
        prepared = publish_frames(1, "e", "k", {"type": "t"}, body, before)
        self.assertEqual(resplit(prepared, after), publish_frames(1, "e", "k", {"type": "t"}, body, after))

    def test_ack(self) -> None:
        """basic.ack is what others take for one."""
        (found,) = read(ack_frame(3, 77, multiple=True))
        self.assertEqual((found.channel_number, found.method.delivery_tag, found.method.multiple), (3, 77, True))
