"""The words at the end: a line of numbers, and the rules that were broken."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rateway.simulator.records import Breach, Journal
from rateway.simulator.report import report, summary
from tests.simulator.bench import BenchCase


class ReportTests(SynchronousTestCase):
    """``report``."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.journal = Journal(self.clock)

    def break_rule(self, rule: str, shard: int | None, detail: str, after: float = 1.0) -> None:
        self.clock.advance(after)
        self.journal.keep("breaches", self.journal.breaches, Breach(rule, shard, detail, self.clock.seconds()))

    def test_none(self) -> None:
        """Without a breach it says so."""
        self.assertEqual(report(self.journal), "no rule broken")

    def test_few(self) -> None:
        """Few are told one by one, with their times since the beginning."""
        self.break_rule("unknown-op", 3, "op 5", 1.25)
        self.assertEqual(report(self.journal), "1 rule broken:\n  +1.250 s unknown-op, shard 3: op 5")
        self.break_rule("rest-token", None, "GET /x", 2.0)
        self.assertEqual(
            report(self.journal).splitlines(),
            ["rules broken 2 times:", "  +1.250 s unknown-op, shard 3: op 5", "  +3.250 s rest-token: GET /x"],
        )

    def test_many(self) -> None:
        """Many are grouped by rule and shard, the most frequent first."""
        self.break_rule("unknown-op", 1, "op 5")
        for number in range(30):
            self.break_rule("send-limit", 0, f"number {number}")
        self.assertEqual(
            report(self.journal).splitlines(),
            [
                "rules broken 31 times:",
                "  send-limit, shard 0, 30 times from +2.000 s to +31.000 s: number 29",
                "  unknown-op, shard 1, +1.000 s: op 5",
            ],
        )

    def test_forgotten(self) -> None:
        """Of those that are no longer on record the number is told."""
        self.journal.limit = 4
        for number in range(5):
            self.break_rule("send-limit", 0, f"number {number}")
        lines = report(self.journal).splitlines()
        kept = len(self.journal.breaches)
        self.assertEqual((lines[0], len(lines)), ("rules broken 5 times:", kept + 2))
        self.assertEqual(lines[-1], f"  of the first {5 - kept} only the number is known")

    def test_summary(self) -> None:
        """The numbers, with how long it took."""
        self.break_rule("unknown-op", 0, "op 5", 2.5)
        self.journal.count("connections")
        self.assertEqual(
            summary(self.journal, live=1, sent=7),
            "1 sessions live, 1 connections, 0 identifies, 0 resumes, 0 sessions wasted, 0 REST requests, "
            "1 breaches, 7 events sent, 2.5 s",
        )


class VeilTests(BenchCase):
    """The token in what is told."""

    def test_detail(self) -> None:
        """A client that puts the token where it doesn't belong has it kept from the record, and so from the log."""
        self.start(token="a-secret-token")
        self.connect({"v": "a-secret-token", "encoding": "json"})
        (breach,) = self.hub.journal.breaches
        self.assertNotIn("a-secret-token", breach.detail)
        self.assertIn("(the token)", breach.detail)
