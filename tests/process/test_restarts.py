from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.process.restarts import FIRST, LONG_LIFE, LONGEST, Restarts


class RestartsTests(SynchronousTestCase):
    """When a dead child comes back."""

    def test_ever_later(self) -> None:
        """Doubling to a minute."""
        restarts = Restarts()
        self.assertEqual([restarts.delay(0.0) for _ in range(8)], [1, 2, 4, 8, 16, 32, 60, 60])

    @settings(database=None, deadline=None)
    @given(st.lists(st.floats(0, 200), min_size=1, max_size=100))
    def test_bounds(self, lives: list[float]) -> None:
        """Never below a second nor above a minute, and a second after a long life."""
        restarts = Restarts()
        for lived in lives:
            delay = restarts.delay(lived)
            self.assertTrue(FIRST <= delay <= LONGEST)
            if lived >= LONG_LIFE:
                self.assertEqual(delay, FIRST)
