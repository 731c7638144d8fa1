"""Tests for :mod:`rateway.gateway.heartbeat`."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.gateway.heartbeat import LATE, Beat, Heartbeat


class ScheduleTests(SynchronousTestCase):
    """When heartbeats go out."""

    def test_first(self) -> None:
        """The first comes a random part of the interval after HELLO."""
        self.assertEqual(Heartbeat(40.0, 0.25, 100.0).due, 110.0)
        self.assertEqual(Heartbeat(40.0, 0.0, 100.0).due, 100.0)
        self.assertEqual(Heartbeat(40.0, 1.0, 100.0).due, 140.0)

    def test_early(self) -> None:
        """Before it is due there is nothing to do."""
        beat = Heartbeat(40.0, 0.5, 0.0)
        self.assertIs(beat.tick(19.9), Beat.WAIT)
        self.assertEqual(beat.due, 20.0)

    def test_regular(self) -> None:
        """One every interval after the first; a tick a little late doesn't move the schedule."""
        beat = Heartbeat(40.0, 0.5, 0.0)
        for now, following in ((20.0, 60.0), (60.1, 100.0), (100.0, 140.0)):
            self.assertIs(beat.tick(now), Beat.SEND)
            self.assertEqual(beat.due, following)
            beat.acknowledged(now + 0.05)

    def test_very_late(self) -> None:
        """After a stall the schedule starts anew, so that no two heartbeats come close together."""
        beat = Heartbeat(40.0, 0.5, 0.0)
        self.assertIs(beat.tick(59.9), Beat.SEND)
        self.assertEqual(beat.due, 99.9)

    @settings(deadline=None, database=None, max_examples=100)
    @given(
        interval=st.floats(1.0, 60.0),
        jitter=st.floats(0.0, 1.0),
        delays=st.lists(st.floats(0.0, 0.2) | st.floats(0.0, 200.0), max_size=30),
    )
    def test_never_bunched(self, interval: float, jitter: float, delays: list[float]) -> None:
        """However late the ticks: never less than the interval apart, but for the little a timer is late."""
        beat = Heartbeat(interval, jitter, 0.0)
        last = None
        for delay in delays:
            now = beat.due + delay
            self.assertIs(beat.tick(now), Beat.SEND)
            beat.acknowledged(now)
            if last is not None:
                self.assertGreater(now - last, interval - LATE - 1e-6)
            self.assertIs(beat.tick(now), Beat.WAIT)
            last = now


class ZombieTests(SynchronousTestCase):
    """When silence means that the connection is dead."""

    def setUp(self) -> None:
        self.beat = Heartbeat(40.0, 0.0, 0.0)
        self.assertIs(self.beat.tick(0.0), Beat.SEND)

    def test_acknowledged(self) -> None:
        """With an ACK the next heartbeat goes out."""
        self.beat.acknowledged(39.9)
        self.assertIs(self.beat.tick(40.0), Beat.SEND)

    def test_not_acknowledged(self) -> None:
        """Without one the connection is dead when the next is due, and not before."""
        self.assertIs(self.beat.tick(39.9), Beat.WAIT)
        self.assertIs(self.beat.tick(40.0), Beat.DEAD)

    def test_each_needs_its_own(self) -> None:
        """An ACK counts for one heartbeat only."""
        self.beat.acknowledged(0.1)
        self.beat.acknowledged(0.2)
        self.assertIs(self.beat.tick(40.0), Beat.SEND)
        self.assertIs(self.beat.tick(80.0), Beat.DEAD)

    def test_extra_heartbeat(self) -> None:
        """The ACK of a heartbeat that op 1 asked for is a sign of life, and breaks nothing."""
        self.beat.acknowledged(10.1)
        self.beat.acknowledged(10.2)
        self.assertIs(self.beat.tick(40.0), Beat.SEND)
        self.beat.acknowledged(40.1)
        self.assertIs(self.beat.tick(80.0), Beat.SEND)

    def test_late_tick_does_not_accuse(self) -> None:
        """When the process was busy the ACK may lie unread: the late tick beats, and the next one judges."""
        self.assertIs(self.beat.tick(45.0), Beat.SEND)
        self.assertEqual(self.beat.due, 85.0)
        self.assertIs(self.beat.tick(85.0), Beat.DEAD)

    def test_late_twice(self) -> None:
        """Being busy excuses one missing ACK, not two running."""
        self.assertIs(self.beat.tick(45.0), Beat.SEND)
        self.assertIs(self.beat.tick(90.0), Beat.DEAD)

    def test_excused_again_after_an_ack(self) -> None:
        """An ACK in between makes the next late tick the first again."""
        self.assertIs(self.beat.tick(45.0), Beat.SEND)
        self.beat.acknowledged(45.1)
        self.assertIs(self.beat.tick(85.0), Beat.SEND)
        self.assertIs(self.beat.tick(130.0), Beat.SEND)


class SuspensionTests(SynchronousTestCase):
    """While reading is paused."""

    def setUp(self) -> None:
        self.beat = Heartbeat(40.0, 0.0, 0.0)
        self.assertIs(self.beat.tick(0.0), Beat.SEND)

    def test_heartbeats_go_on(self) -> None:
        """They go out on time, and none is missed."""
        self.beat.suspend(10.0)
        self.assertEqual(self.beat.suspended_since, 10.0)
        for now in (40.0, 80.0, 120.0):
            self.assertIs(self.beat.tick(now), Beat.SEND)

    def test_suspended_twice(self) -> None:
        """The pause counts from its beginning."""
        self.beat.suspend(10.0)
        self.beat.suspend(20.0)
        self.assertEqual(self.beat.suspended_since, 10.0)

    def test_read_again(self) -> None:
        """After the pause what is due next is sent, and what comes after needs an ACK again."""
        self.beat.suspend(10.0)
        self.assertIs(self.beat.tick(40.0), Beat.SEND)
        self.beat.resume(50.0)
        self.assertIsNone(self.beat.suspended_since)
        self.assertIs(self.beat.tick(80.0), Beat.SEND)
        self.assertIs(self.beat.tick(120.0), Beat.DEAD)


class LatencyTests(SynchronousTestCase):
    """How long Discord takes to answer."""

    def test_latency(self) -> None:
        """From the regular heartbeat to its ACK; further ACKs don't count."""
        beat = Heartbeat(40.0, 0.0, 0.0)
        beat.acknowledged(0.0)
        self.assertIsNone(beat.latency)
        beat.tick(0.0)
        self.assertIsNone(beat.latency)
        beat.acknowledged(0.25)
        beat.acknowledged(7.0)
        self.assertEqual(beat.latency, 0.25)
