"""How messages become bytes: frames, fragments, segments, speed; and events that are held back."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rateway.simulator.gateway.behaviour import Behaviour, Script
from rateway.simulator.gateway.holdback import Holdback
from rateway.simulator.gateway.outflow import Outflow, fragmented, frame
from tests.simulator.frames import BINARY, CONTINUATION, PING, TEXT, WireFrame, frames

UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


class Timer:
    """The time of a ``task.Clock``."""

    def __init__(self) -> None:
        self.clock = Clock()

    def now(self) -> float:
        return self.clock.seconds()

    def later(self, delay: float, do: Callable[[], object]) -> None:
        self.clock.callLater(delay, do)


class OutflowCase(SynchronousTestCase):
    """A test of an outflow into a list."""

    def setUp(self) -> None:
        self.timer = Timer()
        self.writes: list[bytes] = []
        self.behaviour = Behaviour()
        self.outflow = Outflow(self.timer, self.writes.append, lambda: self.behaviour)

    def advance(self, seconds: float, steps: int = 100) -> None:
        for _ in range(steps):
            self.timer.clock.advance(seconds / steps)


class FrameTests(SynchronousTestCase):
    """Frames by the RFC."""

    def test_sizes(self) -> None:
        """Each way of giving the length is right at its limits."""
        for size in (0, 1, 125, 126, 65535, 65536):
            data = b"x" * size
            self.assertEqual(frames(UPGRADE + frame(data, False)), [WireFrame(TEXT, True, data)])
            self.assertEqual(frames(UPGRADE + frame(data, True)), [WireFrame(BINARY, True, data)])

    @settings(deadline=None, database=None, max_examples=80)
    @given(st.binary(max_size=400), st.integers(2, 50), st.booleans(), st.booleans())
    def test_fragments(self, data: bytes, count: int, binary: bool, pings: bool) -> None:
        """Whatever the cut: the first frame has the opcode, the last is final, together they are the message."""
        found = frames(UPGRADE + fragmented(data, binary, count, pings=pings))
        parts = [f for f in found if f.opcode != PING]
        self.assertEqual(b"".join(f.data for f in parts), data)
        self.assertLessEqual(len(parts), count)
        self.assertEqual([f.opcode for f in parts], [BINARY if binary else TEXT] + [CONTINUATION] * (len(parts) - 1))
        self.assertEqual([f.final for f in parts], [False] * (len(parts) - 1) + [True])
        self.assertEqual(len(found) - len(parts), (len(parts) - 1) * pings)


class PaceTests(OutflowCase):
    """Gathered, slow, in segments."""

    def test_gathered(self) -> None:
        """Messages of a while go out in one write, in order."""
        self.behaviour = Behaviour(gather=0.5)
        for text in (b"a", b"b", b"c"):
            self.outflow.send([(text, False)])
        self.assertEqual((self.writes, self.outflow.pending), ([], True))
        self.advance(0.6)
        self.assertEqual(self.writes, [frame(b"a", False) + frame(b"b", False) + frame(b"c", False)])
        self.assertFalse(self.outflow.pending)

    def test_slow(self) -> None:
        """So many bytes a second, and no more, over any time."""
        self.behaviour = Behaviour(bytes_per_second=1000)
        self.outflow.send([(b"x" * 9996, True)])
        for second in range(1, 10):
            self.advance(1.0)
            self.assertAlmostEqual(sum(map(len, self.writes)) / 1000, second, places=1)
        self.advance(2.0)
        self.assertEqual(b"".join(self.writes), frame(b"x" * 9996, True))
        self.assertFalse(self.outflow.pending)

    def test_slow_by_many_messages(self) -> None:
        """Small messages one after another are no way around the speed."""
        self.behaviour = Behaviour(bytes_per_second=100)
        for _ in range(50):
            self.outflow.send([(b"12345678", True)])
            self.advance(0.01, 1)
        self.advance(1.5)
        self.assertLess(sum(map(len, self.writes)), 220)
        self.advance(5.0, 500)
        self.assertEqual(sum(map(len, self.writes)), 500)

    def test_lifted(self) -> None:
        """What waits goes at once when the connection is slow no more."""
        self.behaviour = Behaviour(bytes_per_second=100)
        self.outflow.send([(b"x" * 1000, True)])
        self.advance(1.0)
        self.behaviour = Behaviour()
        self.advance(0.1)
        self.assertEqual(b"".join(self.writes), frame(b"x" * 1000, True))

    def test_segments(self) -> None:
        """Byte by byte, each in a write of its own."""
        self.behaviour = Behaviour(segment=1)
        self.outflow.send([(b"abc", False)])
        self.advance(0.01, 20)
        self.assertEqual(self.writes, [b"\x81", b"\x03", b"a", b"b", b"c"])

    def test_order_kept(self) -> None:
        """What is sent afterwards, pongs too, waits behind what is on its way, in whatever shape."""
        done: list[bool] = []
        self.behaviour = Behaviour(segment=1)
        self.outflow.send([(b"abc", False)])
        self.outflow.append(b"PONG")
        self.behaviour = Behaviour()
        self.outflow.send([(b"d", False)])
        self.outflow.then(lambda: done.append(True))
        self.assertEqual(done, [])
        self.advance(0.01, 50)
        self.assertEqual(b"".join(self.writes), frame(b"abc", False) + b"PONG" + frame(b"d", False))
        self.assertEqual(done, [True])

    def test_nothing_waits(self) -> None:
        """Without anything on its way all is done at once."""
        done: list[bool] = []
        self.outflow.append(b"x")
        self.outflow.then(lambda: done.append(True))
        self.assertEqual((self.writes, done), ([b"x"], [True]))

    def test_stopped(self) -> None:
        """What waits is forgotten when the connection is gone."""
        self.behaviour = Behaviour(segment=1)
        self.outflow.send([(b"abcdef", False)])
        self.outflow.then(lambda: self.fail("done for a connection that is gone"))
        self.outflow.stop()
        self.advance(0.1)
        self.assertEqual((self.writes, self.outflow.waiting), ([b"\x81"], 0))


class HoldbackTests(SynchronousTestCase):
    """Events withheld, or changing places."""

    def test_withheld(self) -> None:
        """Those named are kept in their order, others pass."""
        holdback = Holdback()
        names = ("A", "B")
        passed = [holdback.pass_on(name, name.encode(), names) for name in "ACBD"]
        self.assertEqual(passed, [[], [b"C"], [], [b"D"]])
        self.assertEqual((holdback.release(), holdback.release()), ([b"A", b"B"], []))

    def test_swapped(self) -> None:
        """Pairs change places, then nothing more does."""
        holdback = Holdback(swaps=2)
        passed = [holdback.pass_on("X", bytes([n]), ()) for n in range(6)]
        self.assertEqual(passed, [[], [b"\1", b"\0"], [], [b"\3", b"\2"], [b"\4"], [b"\5"]])


class ScriptOrderTests(SynchronousTestCase):
    """Which behaviour a connection gets."""

    def test_precedence(self) -> None:
        """Refusals first, then the host's standing behaviour, then those waiting, then the usual one."""
        script = Script()
        one, two, gate = Behaviour(hello=False), Behaviour(ack="none"), Behaviour(handshake=503)
        script.add(one, None, None, 1)
        script.at_host("127.0.0.2", two)
        script.gate = gate
        self.assertIs(script.opening("127.0.0.2"), gate)
        script.gate = None
        self.assertIs(script.opening("127.0.0.2"), two)
        self.assertIs(script.opening("127.0.0.9", "127.0.0.2"), two)
        self.assertIs(script.opening("127.0.0.1"), one)
        self.assertEqual(script.opening("127.0.0.1"), Behaviour())
        script.at_host("127.0.0.2", None)
        self.assertEqual(script.opening("127.0.0.2"), Behaviour())

    def test_by_name(self) -> None:
        """A host may be meant by the name that clients call it."""
        script = Script()
        script.add(Behaviour(hello=False), None, "resume.test", 1)
        self.assertEqual(script.opening("127.0.0.1", "gateway.test"), Behaviour())
        self.assertEqual(script.opening("127.0.0.1", "resume.test"), Behaviour(hello=False))
        script.add(Behaviour(ack="none"), 2, "resume.test", 1)
        self.assertIsNone(script.known(2, "127.0.0.1", "gateway.test"))
        self.assertIsNone(script.known(1, "127.0.0.1", "resume.test"))
        self.assertEqual(script.known(2, "127.0.0.1", "resume.test"), Behaviour(ack="none"))
