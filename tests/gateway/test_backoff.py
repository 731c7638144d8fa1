"""Tests for :mod:`rateway.gateway.backoff`."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.gateway.backoff import Backoff


class BackoffTests(SynchronousTestCase):
    """How long a shard waits before it connects again; jitter 1 shows the longest wait."""

    def setUp(self) -> None:
        self.backoff = Backoff()
        self.now = 0.0

    def _live(self, seconds: float) -> float:
        """Connect, live, lose the connection: how long to wait?"""
        self.backoff.connected(self.now)
        self.now += seconds
        return self.backoff.delay(self.now, 1.0)

    def _fail(self) -> float:
        self.now += 1.0
        return self.backoff.delay(self.now, 1.0)

    def test_at_once(self) -> None:
        """A session that worked is resumed at once, within half a second."""
        self.assertEqual(self._live(3600.0), 0.5)

    def test_failing(self) -> None:
        """Attempts that fail wait 1, 2, 4 … 60 s."""
        self._live(3600.0)
        self.assertEqual([self._fail() for _ in range(9)], [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0])

    def test_never_connected(self) -> None:
        """So do those of a shard that never was connected."""
        self.assertEqual([self._fail() for _ in range(3)], [1.0, 2.0, 4.0])

    def test_connected_resets(self) -> None:
        """READY or RESUMED ends the waiting."""
        for _ in range(5):
            self._fail()
        self.assertEqual(self._live(60.0), 0.5)
        self.assertEqual(self._fail(), 1.0)

    def test_short_lives(self) -> None:
        """Three lives of under 5 s in a row wait again, longer each time."""
        self.assertEqual([self._live(4.9) for _ in range(6)], [0.5, 0.5, 1.0, 2.0, 4.0, 8.0])

    def test_a_long_life_forgives(self) -> None:
        """One life of 5 s breaks the row."""
        for _ in range(4):
            self._live(1.0)
        self.assertEqual(self._live(5.0), 0.5)
        self.assertEqual([self._live(1.0) for _ in range(3)], [0.5, 0.5, 1.0])

    def test_failures_between_short_lives(self) -> None:
        """Failed attempts between them don't break the row."""
        self._live(1.0)
        self._fail()
        self._live(1.0)
        self.assertEqual([self._fail() for _ in range(3)], [1.0, 2.0, 4.0])
        self.assertEqual(self._live(1.0), 1.0)
        self.assertEqual(self._fail(), 2.0)

    def test_full_jitter(self) -> None:
        """The wait is the random part of the longest one."""
        self.backoff.connected(0.0)
        self.assertEqual(self.backoff.delay(100.0, 0.5), 0.25)
        self.assertEqual(self.backoff.delay(100.0, 0.0), 0.0)
        self.assertEqual(self.backoff.delay(100.0, 0.25), 0.5)

    @settings(deadline=None, database=None, max_examples=100)
    @given(lives=st.lists(st.none() | st.floats(0.0, 10.0), max_size=200), jitter=st.floats(0.0, 1.0))
    def test_bounds(self, lives: list[float | None], jitter: float) -> None:
        """Whatever happens, nobody waits longer than a minute."""
        backoff, now = Backoff(), 0.0
        for life in lives:
            if life is not None:
                backoff.connected(now)
                now += life
            self.assertTrue(0.0 <= backoff.delay(now, jitter) <= 60.0)

    def test_fails_for_ever(self) -> None:
        """Years of failures don't overflow."""
        for _ in range(5000):
            self._fail()
        self.assertEqual(self._fail(), 60.0)
