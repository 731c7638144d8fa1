"""The broker's stream: however it is cut into reads, the same is heard."""

from __future__ import annotations

import contextlib
from typing import Any

from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.amqp.codec import encode_arguments, encode_content_header
from rateway.amqp.frames import CONFIRM, HEADER, METHOD, NACK, ack_frame, body_frames, frame
from rateway.amqp.receiver import MAX_BODY, Content, Receiver
from rateway.errors import RemoteProtocolError

HEARTBEAT = b"\x08\0\0\0\0\0\0\xce"


def deliver(channel: int, tag: int, key: str, body: bytes, room: int = 100) -> bytes:
    """A whole delivery."""
    arguments = encode_arguments(["shortstr", "longlong", "bit", "shortstr", "shortstr"], ["c", tag, True, "e", key])
    return b"".join(
        (
            frame(METHOD, channel, b"\0\x3c\0\x3c" + arguments),
            frame(HEADER, channel, encode_content_header(len(body), {"type": "t"})),
            *body_frames(channel, body, room + 8),
        )
    )


def nack_frame(channel: int, tag: int, *, multiple: bool) -> bytes:
    return CONFIRM.pack(METHOD, channel, 13, NACK, tag, int(multiple), 0xCE)


@define
class Heard:
    """What a receiver told, in order."""

    told: list[Any] = field(factory=list)

    def receiver(self) -> Receiver:
        return Receiver(
            self._confirm,
            lambda channel, payload: self.told.append(("method", channel, payload)),
            self._content,
        )

    def _confirm(self, first: int, last: int, ack: bool) -> None:
        tags = [last] if first == 0 else range(first, last + 1)
        self.told += [("confirm", tag, first == 0, ack) for tag in tags]

    def _content(self, channel: int, content: Content) -> None:
        self.told.append((channel, content.delivery_tag, content.routing_key, content.redelivered, content.body))


confirms = st.builds(
    lambda make, tag, multiple: (
        make(1, tag, multiple=multiple or not tag),
        ("confirm", tag, multiple or not tag, make is ack_frame),
    ),
    st.sampled_from([ack_frame, ack_frame, nack_frame]),
    st.integers(0, 9) | st.integers(0, 1 << 63),
    st.booleans(),
)
methods = st.builds(
    lambda channel, payload: (frame(METHOD, channel, payload), ("method", channel, payload)),
    st.integers(0, 9),
    st.binary(max_size=12).map(lambda tail: b"\0\x0a\0\x0a" + tail),
)
deliveries = st.builds(
    lambda channel, tag, key, body: (deliver(channel, tag, key, body), (channel, tag, key, True, body)),
    st.integers(1, 9),
    st.integers(0, 1 << 63),
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.binary(max_size=400),
)
heartbeats = st.just((HEARTBEAT, None))


class ReceiverTests(SynchronousTestCase):
    """Frames out of a stream."""

    @settings(deadline=None, database=None, max_examples=150)
    @given(st.lists(st.one_of(confirms, methods, deliveries, heartbeats), max_size=12), st.data())
    def test_any_cut(self, said: list[tuple[bytes, Any]], data: st.DataObject) -> None:
        """Whatever the broker says is heard in order, whole, and once, cut anywhere."""
        stream = frame(METHOD, 0, b"hello") + b"".join(each[0] for each in said)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
        heard = Heard()
        receiver = heard.receiver()
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            receiver.feed(stream[start:end])
        expected = [("method", 0, b"hello"), *(each[1] for each in said if each[1] is not None)]
        self.assertEqual(heard.told, expected)

    def test_acks_in_a_row(self) -> None:
        """Acks of one tag after the other are one confirm; whatever is between them, or cuts them, parts them."""
        told: list[tuple[int, int, bool]] = []
        receiver = Receiver(lambda *confirm: told.append(confirm), lambda *_: None, lambda *_: None)
        acks = [ack_frame(1, tag, multiple=False) for tag in range(1, 13)]
        receiver.feed(frame(METHOD, 0, b"hello") + b"".join(acks[:4]) + acks[4][:7])
        receiver.feed(acks[4][7:] + acks[5] + acks[7] + HEARTBEAT + acks[8] + nack_frame(1, 10, multiple=False))
        receiver.feed(ack_frame(1, 11, multiple=True) + acks[11] + ack_frame(2, 13, multiple=False))
        self.assertEqual(
            told,
            [
                *((1, 4, True), (5, 6, True), (8, 8, True), (9, 9, True)),
                *((10, 10, False), (0, 11, True), (12, 12, True), (13, 13, True)),
            ],
        )
        self.assertRaises(RemoteProtocolError, receiver.feed, ack_frame(1, 0, multiple=False))

    def test_interleaved(self) -> None:
        """Messages on two channels, and heartbeats between their frames, don't get mixed up."""
        first, second = deliver(1, 1, "a", b"x" * 250), deliver(2, 2, "b", b"y" * 250)

        def frames(data: bytes) -> list[bytes]:
            found = []
            while data:
                size = int.from_bytes(data[3:7], "big") + 8
                found.append(data[:size])
                data = data[size:]
            return found

        heard = Heard()
        mixed = b"".join(piece + HEARTBEAT + other for piece, other in zip(frames(first), frames(second), strict=True))
        heard.receiver().feed(mixed)
        self.assertEqual(heard.told, [(1, 1, "a", True, b"x" * 250), (2, 2, "b", True, b"y" * 250)])

    def test_huge(self) -> None:
        """A body too long to be meant is let go by, and what follows is heard."""
        size = MAX_BODY + 1
        heard = Heard()
        receiver = heard.receiver()
        data = deliver(1, 1, "k", b"z" * size, room=100_000) + ack_frame(1, 5, multiple=False)
        for start in range(0, len(data), 65536):
            receiver.feed(data[start : start + 65536])
        self.assertEqual(heard.told, [(1, 1, "k", True, b""), ("confirm", 5, False, True)])

    def test_returned(self) -> None:
        """A returned message is told from a delivered one."""
        found: list[Content] = []
        receiver = Receiver(lambda *_: None, lambda *_: None, lambda _, content: found.append(content))
        receiver.feed(
            frame(METHOD, 1, b"\0\x3c\0\x32" + b"\0\0\0\0\0") + frame(HEADER, 1, encode_content_header(0, {}))
        )
        self.assertTrue(found[0].returned)

    def test_stopped(self) -> None:
        """Nothing is heard after a stop, not even from the same read."""
        told: list[int] = []

        def once(channel: int, payload: bytes) -> None:
            told.append(channel)
            receiver.stop()

        receiver = Receiver(lambda *_: None, once, lambda *_: None)
        receiver.feed(frame(METHOD, 1, b"aaaa") + frame(METHOD, 2, b"bbbb"))
        receiver.feed(frame(METHOD, 3, b"cccc"))
        self.assertEqual(told, [1])

    def test_broken(self) -> None:
        """What is no AMQP ends in a refusal, not in silence: old versions, other protocols, frames out of place."""
        fine = frame(METHOD, 0, b"fine")
        body = b"".join(body_frames(1, b"xyz", 4096))
        for wrong in (
            b"AMQP\0\0\x09\x01",
            b"HTTP/1.1 400 Bad Request\r\n",
            fine[:-1] + b"x",
            fine + frame(4, 0, b""),
            fine + body,
            fine + frame(HEADER, 1, encode_content_header(1, {})),
            fine + deliver(1, 1, "k", b"abc")[:-10] + body + body,
            fine + b"\x01\0\0\xff\xff\xff\xff\0\0",
            fine + frame(METHOD, 1, b"\0\x3c\0\x3c\xff"),
        ):
            self.assertRaises(RemoteProtocolError, Heard().receiver().feed, wrong)

    @settings(deadline=None, database=None, max_examples=150)
    @given(st.binary(max_size=300))
    def test_garbage(self, data: bytes) -> None:
        """Any bytes are frames, or refused; nothing else is raised."""
        for candidate in (data, frame(METHOD, 0, b"fine") + data):
            with contextlib.suppress(RemoteProtocolError):
                Heard().receiver().feed(candidate)
