"""A stop in phases, and the times of all stops."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, eventAsText, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rateway.cluster.phases import MARGIN, Phase, run_phases
from rateway.model import deadlines


class PhasesTests(SynchronousTestCase):
    """One budget between them."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.given: dict[str, float] = {}
        self.began: dict[str, float] = {}
        self.waiting: dict[str, Deferred[None]] = {}
        self.warnings: list[str] = []
        globalLogPublisher.addObserver(self.observe)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)  # type: ignore[arg-type]

    def observe(self, event: LogEvent) -> None:
        if event["log_level"].name == "warn":
            self.warnings.append(eventAsText(event, includeTimestamp=False, includeSystem=False))

    def phase(self, name: str, at_most: float) -> Phase:
        def work(seconds: float) -> Deferred[None]:
            self.given[name], self.began[name] = seconds, self.clock.seconds()
            self.waiting[name] = Deferred()
            return self.waiting[name]

        return Phase(name, at_most, work)

    def run_(self, budget: float, *phases: Phase) -> Deferred[None]:
        return Deferred.fromCoroutine(run_phases(self.clock, "cluster 1", budget, phases))

    def test_one_after_the_other(self) -> None:
        """Each begins when the one before it is done."""
        running = self.run_(5.0, self.phase("a", 2.0), self.phase("b", 2.0))
        self.assertEqual(list(self.began), ["a"])
        self.clock.advance(0.5)
        self.waiting["a"].callback(None)
        self.assertEqual(self.began, {"a": 0.0, "b": 0.5})
        self.waiting["b"].callback(None)
        self.successResultOf(running)
        self.assertEqual((self.warnings, self.clock.getDelayedCalls()), ([], []))

    def test_what_hangs_takes_from_those_after_it(self) -> None:
        """Each has at most its own time and what is left; the last is begun even with none."""
        running = self.run_(5.0, *(self.phase(name, 2.0) for name in "abcd"))
        while not running.called:
            self.clock.advance(0.125)
        self.assertEqual(self.given, {"a": 2.0, "b": 2.0, "c": 0.75, "d": 0.0})
        self.assertEqual(self.clock.seconds(), 5.0 + 2 * MARGIN)
        self.assertEqual(self.warnings[0], "cluster 1: a took longer than 2.0 s, and is waited for no more")

    def test_what_fails_keeps_nobody_from_stopping(self) -> None:
        """It is logged, be it raised at once or later."""

        def broken(seconds: float) -> Deferred[None]:
            raise ZeroDivisionError

        running = self.run_(5.0, Phase("x", 1.0, broken), self.phase("a", 1.0), self.phase("b", 1.0))
        self.waiting["a"].errback(ZeroDivisionError())
        self.waiting["b"].callback(None)
        self.successResultOf(running)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)


class DeadlinesTests(SynchronousTestCase):
    """The times themselves."""

    def test_each_is_within_the_one_outside_it(self) -> None:
        """A cluster's phases within an orphan's time, that within its alarm, all of it within what containers give."""
        self.assertLess(deadlines.CLUSTER + 4 * MARGIN, deadlines.ORPHAN)
        self.assertLess(deadlines.ORPHAN, deadlines.ALARM)
        self.assertLess(deadlines.CLUSTER + 1.0, deadlines.KILL)
        self.assertLess(deadlines.KILL + 2 * deadlines.BURY, deadlines.STOP)
        self.assertLess(deadlines.STOP, 10.0)

    def test_a_cluster_has_time_for_its_goodbye(self) -> None:
        """Even where inbox, shards and confirms take all of theirs."""
        self.assertGreaterEqual(
            deadlines.CLUSTER - deadlines.INBOX - deadlines.SHARDS - deadlines.FLUSH, deadlines.GOODBYE / 2
        )
