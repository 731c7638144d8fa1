"""One connection: the fast path takes what Autobahn would take, and no close of ours ends a session."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rateway.model.closecodes import OwnClose
from rateway.shard import protocol
from rateway.shard.frames import Message, cut_messages, frame_end
from rateway.shard.protocol import CLOSE_TIMEOUT, LONGEST, GatewayConnection, connection_factory

from .wire import BINARY, CLOSE, PING, PONG, TEXT, Wire, accept_upgrade, close_frame, frame, opened, plug

URL = "ws://gateway.example:1234/?v=10&encoding=json"


class Owner:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.reads: list[list[Message]] = []
        self.ends: list[tuple[int | None, str]] = []
        self.gone = 0
        self.error: Exception | None = None

    @property
    def messages(self) -> list[Message]:
        return [message for read in self.reads for message in read]

    def messages_received(self, connection: GatewayConnection, messages: list[Message]) -> None:
        self.reads.append(messages)
        if self.error is not None:
            raise self.error

    def connection_ended(self, connection: GatewayConnection, code: int | None, detail: str, cause: Failure) -> None:
        self.ends.append((code, detail))

    def connection_gone(self, connection: GatewayConnection) -> None:
        self.gone += 1


def connection(owner: Owner, clock: Clock | None = None) -> GatewayConnection:
    """A connection not yet made."""
    built = connection_factory(clock or Clock(), URL, owner).buildProtocol(None)
    assert isinstance(built, GatewayConnection)
    return built


class Stock(WebSocketClientProtocol):
    """Autobahn as it is, but for its timers, and for what a close is answered with."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.messages.append((payload, isBinary))


def stock() -> Stock:
    """A stock connection with the same options."""
    ours = connection_factory(Clock(), URL, Owner())
    factory = WebSocketClientFactory(URL, reactor=Clock())
    for option in WebSocketClientProtocol.CONFIG_ATTRS:
        setattr(factory, option, getattr(ours, option))
    factory.protocol = Stock
    built = factory.buildProtocol(None)
    assert isinstance(built, Stock)
    return built


def deliver(protocol: Any, wire: Wire, stream: bytes, cuts: list[int]) -> None:
    """The stream in pieces, until somebody closes: ours then hears no further read, and stock Autobahn would."""
    positions = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for start, end in pairwise(positions):
        if start < end and not wire.aborted and protocol.state == protocol.STATE_OPEN:
            protocol.dataReceived(stream[start:end])


payloads = st.one_of(
    st.binary(max_size=40),
    st.integers(100, 140).map(lambda n: b"m" * n),
    st.integers(65500, 65600).map(lambda n: b"L" * n),
)
whole = st.builds(frame, payloads, st.sampled_from([TEXT, BINARY]))
control = st.builds(frame, st.binary(max_size=125), st.sampled_from([PING, PONG]))
fragmented = st.builds(
    lambda parts, opcode, between: b"".join(
        frame(part, opcode if index == 0 else 0, fin=index == len(parts) - 1) + (b"" if index else between)
        for index, part in enumerate(parts)
    ),
    st.lists(payloads, min_size=2, max_size=4),
    st.sampled_from([TEXT, BINARY]),
    st.one_of(st.just(b""), control),
)
unlawful = st.one_of(
    st.builds(frame, payloads, st.integers(0, 15), st.booleans(), st.sampled_from([b"", b"abcd"])),
    st.builds(lambda p, size: frame(p, size=size), st.binary(max_size=90), st.sampled_from([2, 8])),
    st.builds(lambda p, rsv: frame(p, rsv=rsv), st.binary(max_size=90), st.integers(1, 7)),
    st.builds(close_frame, st.sampled_from([None, 0, 999, 1000, 1005, 1012, 4004, 5000])),
    st.builds(
        lambda first, second, rest: bytes((first, second)) + rest,
        st.sampled_from([0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89]),
        st.integers(0, 255),
        st.binary(max_size=16),
    ),
    st.binary(max_size=20),
)
lawful_streams = st.lists(st.one_of(whole, whole, whole, control, fragmented), max_size=12).map(b"".join)
streams = st.lists(st.one_of(whole, whole, control, fragmented, unlawful), max_size=10).map(b"".join)
splits = st.lists(st.integers(0, 1 << 20), max_size=12)


class FramesTests(SynchronousTestCase):
    """Cutting frames, without a connection."""

    def test_what_is_no_whole_message_is_left(self) -> None:
        """Cutting stops in front of what it doesn't understand or what isn't all there."""
        message = frame(b"one")
        for rest in (b"", b"\x81", b"\x81\x05abc", frame(b"", PING), frame(b"x", fin=False), frame(b"x", mask=b"1234")):
            messages: list[Message] = []
            self.assertEqual(cut_messages(message + rest, 0, messages), len(message))
            self.assertEqual(messages, [(b"one", False)])

    @settings(deadline=None, database=None)
    @given(payload=payloads, opcode=st.sampled_from([0, 1, 2]), fin=st.booleans())
    def test_the_end_of_a_frame(self, payload: bytes, opcode: int, fin: bool) -> None:
        """From each part of a frame, the end that is told is never beyond the real one, and leads there."""
        data = frame(payload, opcode, fin)
        known = 1
        while known < len(data):
            end = frame_end(data[:known], 0)
            self.assertGreater(end, known)
            self.assertLessEqual(end, len(data))
            known = end


class SameAsAutobahnTests(SynchronousTestCase):
    """The fast path is nothing but faster."""

    @settings(deadline=None, database=None, max_examples=300)
    @given(stream=lawful_streams, cuts=splits)
    def test_lawful_frames(self, stream: bytes, cuts: list[int]) -> None:
        """Any lawful frames, in any pieces, give the messages and pongs that stock Autobahn gives."""
        self.compare(stream, cuts)

    @settings(deadline=None, database=None, max_examples=400)
    @given(stream=streams, cuts=splits)
    def test_any_frames(self, stream: bytes, cuts: list[int]) -> None:
        """So do frames that break the rules: the same messages, and the connection dropped where Autobahn drops it."""
        self.compare(stream, cuts)

    def compare(self, stream: bytes, cuts: list[int]) -> None:
        """Both get the same bytes in the same pieces."""
        owner, theirs = Owner(), stock()
        ours = connection(owner)
        our_wire, their_wire = opened(ours), opened(theirs)
        deliver(ours, our_wire, stream, cuts)
        deliver(theirs, their_wire, stream, cuts)
        self.assertEqual(owner.messages, theirs.messages)
        self.assertEqual(our_wire.aborted, their_wire.aborted)
        ours_said = [said for said in our_wire.sent() if said[0] != CLOSE]
        self.assertEqual(ours_said, [said for said in their_wire.sent() if said[0] != CLOSE])

    def test_messages_of_one_read_come_together(self) -> None:
        """However many frames a read brings, the owner is called once, in order."""
        owner = Owner()
        ours = connection(owner)
        opened(ours)
        owner.reads.clear()
        ours.dataReceived(frame(b"1") + frame(b"2", BINARY) + frame(b"?", PING) + frame(b"3") + b"\x81")
        self.assertEqual(owner.reads, [[(b"1", False), (b"2", True), (b"3", False)]])

    def test_messages_right_behind_the_upgrade(self) -> None:
        """HELLO may be in the read that accepts the upgrade."""
        owner = Owner()
        ours = connection(owner)
        wire = plug(ours)
        ours.dataReceived(accept_upgrade(wire.value()) + frame(b"hello") + frame(b"more"))
        self.assertEqual(owner.messages, [(b"hello", False), (b"more", False)])

    def test_back_on_the_fast_path(self) -> None:
        """After fragments and controls, even cut in two, the next whole messages don't go through Autobahn."""
        owner = Owner()
        ours = connection(owner)
        opened(ours)
        odd = frame(b"a", fin=False) + frame(b"p", PING) + frame(b"b", 0) + frame(b"q", PONG)
        for cut in range(1, len(odd)):
            ours.dataReceived(odd[:cut])
            ours.dataReceived(odd[cut:])
            self.assertFalse(ours.gathering)
            self.assertEqual(ours.data, b"")
            slow: list[bytes] = []
            ours._dataReceived = slow.append
            ours.dataReceived(frame(b"fast"))
            del ours._dataReceived
            self.assertEqual(slow, [])

    def test_ac36_a_huge_frame_costs_its_length(self) -> None:
        """20 MB in reads of 64 KiB: the pieces are kept as they came and joined once, not added up read by read."""
        owner = Owner()
        ours = connection(owner)
        opened(ours)
        data = frame(b"x" * 20_000_000, BINARY) + frame(b"next")
        for number, start in enumerate(range(0, len(data), 65536), 1):
            ours.dataReceived(data[start : start + 65536])
            if start + 65536 < 20_000_000:
                self.assertTrue(ours.gathering)
                self.assertEqual(len(ours._parts), number)
        self.assertFalse(ours.gathering)
        self.assertEqual(
            [(len(payload), binary) for payload, binary in owner.messages], [(20_000_000, True), (4, False)]
        )

    def test_text_is_not_checked_here(self) -> None:
        """What is no UTF-8 is passed on: the payload's reader judges it."""
        owner = Owner()
        ours = connection(owner)
        opened(ours)
        ours.dataReceived(frame(b"\xff\xfe") + frame(b"\xff", fin=False) + frame(b"\xff", 0))
        self.assertEqual(owner.messages, [(b"\xff\xfe", False), (b"\xff\xff", False)])


class HandshakeTests(SynchronousTestCase):
    """The upgrade."""

    def test_ac01_the_request(self) -> None:
        """The URL's query, no compression per message, TCP_NODELAY."""
        wire = plug(connection(Owner()))
        request = wire.value().decode()
        self.assertTrue(request.startswith("GET /?v=10&encoding=json HTTP/1.1\r\n"))
        self.assertIn("Host: gateway.example:1234\r\n", request)
        self.assertNotIn("Extensions", request)
        self.assertTrue(wire.no_delay)

    def test_a_refused_upgrade(self) -> None:
        """HTTP 503 or garbage instead of the upgrade: the connection is dropped and the owner told why, once."""
        for answer, words in (
            (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "503"),
            (b"\xff\xff\xff\r\n\r\n", "upgrade"),
            (b"nonsense\r\n\r\n", "HTTP"),
        ):
            owner = Owner()
            ours = connection(owner)
            wire = plug(ours)
            ours.dataReceived(answer)
            self.assertTrue(wire.aborted)
            wire.lose()
            ((code, detail),) = owner.ends
            self.assertIsNone(code)
            self.assertIn(words, detail)
            self.assertEqual(owner.gone, 1)

    def test_no_timer_but_our_own(self) -> None:
        """Autobahn's timers would run on another reactor: there are none."""
        clock = Clock()
        opened(connection(Owner(), clock))
        self.assertEqual(clock.getDelayedCalls(), [])


class CloseTests(SynchronousTestCase):
    """Ends of a connection."""

    def setUp(self) -> None:
        self.owner = Owner()
        self.clock = Clock()
        self.ours = connection(self.owner, self.clock)
        self.wire = opened(self.ours)
        self.owner.reads.clear()

    def close_codes(self) -> list[int]:
        """The codes of the close frames sent."""
        return [int.from_bytes(payload[:2]) for opcode, payload in self.wire.sent() if opcode == CLOSE]

    def test_our_close(self) -> None:
        """We close with the code we mean, hear nothing more, and abort if the other end doesn't follow."""
        self.ours.end(OwnClose.ZOMBIE)
        self.assertEqual(self.close_codes(), [4901])
        self.ours.dataReceived(frame(b"late"))
        self.assertEqual(self.owner.reads, [])
        self.clock.advance(CLOSE_TIMEOUT - 0.1)
        self.assertFalse(self.wire.aborted)
        self.clock.advance(0.2)
        self.assertTrue(self.wire.aborted)
        self.wire.lose()
        self.assertEqual((self.owner.ends, self.owner.gone), ([], 1))

    def test_a_final_close(self) -> None:
        """Only the final close sends 1000."""
        self.ours.end(OwnClose.FINAL)
        self.assertEqual(self.close_codes(), [1000])

    def test_the_abort_is_called_off(self) -> None:
        """A socket that closes in time leaves no timer behind."""
        self.ours.end(OwnClose.RECONNECT)
        self.wire.lose()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_ac12_discords_close_is_not_answered_with_1000(self) -> None:
        """Whatever Discord closes with, our answer keeps the session; the owner is told at once, and once."""
        for code in (None, 1000, 1001, 4000, 4009):
            self.setUp()
            self.ours.dataReceived(frame(b"last words") + close_frame(code, "bye" if code else ""))
            self.assertEqual(self.close_codes(), [OwnClose.RECONNECT])
            self.assertEqual(self.owner.messages, [(b"last words", False)])
            self.assertEqual(self.owner.ends, [(code, "bye" if code else "")])
            self.assertTrue(self.wire.disconnecting)
            self.clock.advance(CLOSE_TIMEOUT)
            self.assertTrue(self.wire.aborted)
            self.wire.lose()
            self.assertEqual((len(self.owner.ends), self.owner.gone), (1, 1))

    def test_ac10_a_lost_connection(self) -> None:
        """A reset is told without a code."""
        self.wire.lose()
        self.assertEqual([code for code, _ in self.owner.ends], [None])
        self.assertEqual(self.owner.gone, 1)

    def test_unlawful_frames_drop_the_connection(self) -> None:
        """A masked frame: no close frame with Autobahn's code, the connection is dropped."""
        self.ours.dataReceived(frame(b"x", mask=b"abcd"))
        self.assertTrue(self.wire.aborted)
        self.assertEqual(self.close_codes(), [])
        self.wire.lose()
        self.assertIn("masked", self.owner.ends[0][1])

    def test_endless_messages(self) -> None:
        """A frame, or fragments, beyond what a payload may have: dropped without a word, before they are gathered."""
        long = frame(b"", BINARY)[:1] + b"\x7f" + (LONGEST + 1).to_bytes(8, "big")
        part, more = frame(b"x" * 400, BINARY, fin=False), frame(b"x" * 400, 0, fin=False)
        for stream, limit in ((long + b"x" * 100, LONGEST), (part + more + more, 1000)):
            self.patch(protocol, "LONGEST", limit)
            owner = Owner()
            ours = connection(owner)
            wire = opened(ours)
            ours.dataReceived(stream)
            self.assertTrue(wire.aborted)
            self.assertEqual(wire.sent(), [])
            self.assertEqual(owner.messages, [])
            wire.lose()
            self.assertEqual([code for code, _ in owner.ends], [None])

    def test_a_bug_drops_only_the_connection(self) -> None:
        """An exception while reading is logged, and drops the connection: the process lives, the shard resumes."""
        self.owner.error = ZeroDivisionError("a bug")
        self.ours.dataReceived(frame(b"x"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(self.wire.aborted)
        self.wire.lose()
        self.assertEqual(len(self.owner.ends), 1)

    def test_nothing_is_sent_after_the_end(self) -> None:
        """A heartbeat that comes too late is not written."""
        self.ours.send(b"1")
        self.assertEqual(self.wire.sent(), [(TEXT, b"1")])
        self.ours.end(OwnClose.RECONNECT)
        self.wire.sent()
        self.ours.send(b"2")
        self.assertEqual(self.wire.sent(), [])

    def test_ended_before_the_upgrade(self) -> None:
        """A connection that isn't open can't be closed politely: it is dropped."""
        ours = connection(self.owner, self.clock)
        wire = plug(ours)
        ours.end(OwnClose.STOPPING)
        self.assertTrue(wire.aborted)

    def test_pausing(self) -> None:
        """Reading stops and goes on; a close reads again, or the end of the socket would not be seen."""
        self.ours.pause_reading()
        self.assertEqual(self.wire.producerState, "paused")
        self.ours.go_on_reading()
        self.assertEqual(self.wire.producerState, "producing")
        self.ours.pause_reading()
        self.ours.end(OwnClose.PAUSED)
        self.assertEqual(self.wire.producerState, "producing")

    def test_held(self) -> None:
        """It is read again once neither a pause nor a hold keeps it from that; a close reads in any case."""
        self.ours.hold(True)
        self.ours.pause_reading()
        self.ours.hold(False)
        self.assertEqual(self.wire.producerState, "paused")
        self.ours.hold(True)
        self.ours.go_on_reading()
        self.assertEqual(self.wire.producerState, "paused")
        self.ours.hold(False)
        self.assertEqual(self.wire.producerState, "producing")
        self.ours.hold(True)
        self.ours.end(OwnClose.PAUSED)
        self.assertEqual(self.wire.producerState, "producing")
