"""The limits as such."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.simulator.gateway.rules import Allowance, KeyedWindow, SlidingLimit


class SlidingLimitTests(SynchronousTestCase):
    """The sliding window as such."""

    @settings(deadline=None, database=None, max_examples=100)
    @given(st.lists(st.floats(0, 30), min_size=1, max_size=60))
    def test_same_as_counting(self, gaps: list[float]) -> None:
        """A happening passes exactly when no more than the limit lie in the window that ends with it."""
        limit, times, now = SlidingLimit(3, 10.0), [], 0.0
        for gap in gaps:
            now += gap
            times.append(now)
            self.assertEqual(limit.count(now), sum(now - 10.0 < time <= now for time in times) <= 3)


class KeyedWindowTests(SynchronousTestCase):
    """One happening per key and window."""

    def test_wait(self) -> None:
        """A used key is free again after the window; others are free all along."""
        window = KeyedWindow(5.0)
        self.assertEqual(window.wait("a", 100.0), 0.0)
        window.use("a", 100.0)
        self.assertEqual([window.wait("a", 103.0), window.wait("a", 105.0), window.wait("b", 103.0)], [2.0, 0.0, 0.0])


class AllowanceTests(SynchronousTestCase):
    """The daily allowance as such."""

    def test_used_up(self) -> None:
        """Once used up, nothing is left until the window ends."""
        allowance = Allowance(3, 1, 60.0)
        self.assertEqual([allowance.use(0.0), allowance.use(59.0), allowance.use(60.0)], [True, False, True])
        self.assertEqual(allowance.remaining, 2)
