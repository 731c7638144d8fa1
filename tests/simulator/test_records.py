"""Waiting for what happens, and how much of it is kept."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rateway.simulator.records import Breach, Journal


class UntilTests(SynchronousTestCase):
    """``until``."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.journal = Journal(self.clock)

    def happen(self, rule: str = "x") -> None:
        self.journal.keep("breaches", self.journal.breaches, Breach(rule, 0, "", self.clock.seconds()))

    def test_already_true(self) -> None:
        """What is true already fires on the reactor's next turn, with its value."""
        waiting = self.journal.until(lambda: 7)
        self.assertNoResult(waiting)
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(waiting), 7)

    def test_at_a_happening(self) -> None:
        """It fires at the happening that makes it true, for everybody who waits."""
        waiting = [self.journal.until(lambda: self.journal.breaches) for _ in range(2)]
        self.clock.advance(0.01)
        self.happen()
        self.clock.advance(0)
        self.assertEqual([len(self.successResultOf(one)) for one in waiting], [1, 1])

    def test_polled(self) -> None:
        """What the journal can't see is looked at every 50 ms."""
        seen: list[int] = []
        waiting = self.journal.until(lambda: seen)
        seen.append(1)
        self.clock.advance(0.05)
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(waiting), [1])

    def test_timeout(self) -> None:
        """After the timeout it fails, saying what was waited for; nothing is left behind."""
        waiting = self.journal.until(lambda: False, 1.0, "a miracle")
        self.clock.pump([0.05] * 21)
        self.assertIn("a miracle", str(self.failureResultOf(waiting, TimeoutError).value))
        self.assertEqual(self.clock.calls, [])

    def test_predicate_fails(self) -> None:
        """A predicate that raises fails the wait, not the simulator."""
        waiting = self.journal.until(lambda: self.journal.breaches and 1 // 0)
        self.happen()
        self.failureResultOf(waiting, ZeroDivisionError)
        self.clock.advance(1.0)
        self.assertEqual(self.clock.calls, [])

    def test_true_once_is_enough(self) -> None:
        """What was true for a moment counts, though it no longer is when the waiter hears of it."""
        waiting = self.journal.until(lambda: len(self.journal.breaches) == 1)
        self.happen()
        self.happen()
        self.clock.advance(0)
        self.assertTrue(self.successResultOf(waiting))


class LimitTests(SynchronousTestCase):
    """A journal of a simulator that runs for long."""

    def test_oldest_forgotten(self) -> None:
        """Only the newest records are kept; the totals count all."""
        journal = Journal(Clock(), limit=10)
        for number in range(100):
            journal.keep("breaches", journal.breaches, Breach(str(number), 0, "", 0.0))
        self.assertTrue(len(journal.breaches) <= 10)
        self.assertEqual((journal.breaches[-1].rule, journal.totals["breaches"]), ("99", 100))
