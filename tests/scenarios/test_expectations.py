"""What facts say about expectations."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import msgspec
from attrs import Factory, define
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.simulator.scenario.conditions import meets
from rateway.simulator.scenario.expectations import Moment, Outcome, judge
from rateway.simulator.scenario.facts import Delivery, Fact
from rateway.simulator.scenario.format import Expect, Kind


@define
class Told:
    """What is to be seen, as a test tells it."""

    facts: list[Fact]
    now: float = 100.0
    sessions: list[Delivery] = Factory(list)

    def of(self, kind: Kind) -> list[Fact]:
        return self.facts

    def deliveries(self) -> list[Delivery]:
        return self.sessions


def resume(at: float, **fields: object) -> Fact:
    return {"at": at, "shard": 0, "answer": "resumed", "behind": 0, **fields}


class ConditionTests(SynchronousTestCase):
    """``where``."""

    def test_conditions(self) -> None:
        """Values, lists, bounds, exclusions, patterns."""
        fact = {"code": 4000, "host": "resume", "null": True, "d": -1}
        for where, wanted in (
            ({}, True),
            ({"code": 4000, "host": "resume"}, True),
            ({"code": 4000, "host": "main"}, False),
            ({"code": [1000, 4000]}, True),
            ({"code": [1000, 1001]}, False),
            ({"code": {"not": [1000, 1001]}}, True),
            ({"code": {"not": 4000}}, False),
            ({"code": {"least": 4000, "most": 4000}}, True),
            ({"code": {"least": 4001}}, False),
            ({"code": {"most": 3999.5}}, False),
            ({"host": {"matches": "re.*"}}, True),
            ({"host": {"matches": "re"}}, False),
            ({"host": {"least": 1}}, False),
            ({"code": {"matches": "4.*"}}, False),
            ({"null": True}, True),
            ({"null": 1}, False),
            ({"d": False}, False),
        ):
            self.assertEqual(meets(fact, where), wanted, where)


class JudgeTests(SynchronousTestCase):
    """Met, failed, or not known yet."""

    def judged(self, facts: Sequence[Fact], now: float = 100.0, slack: float = 0.0, **expect: Any) -> Outcome:
        moment = Moment(10.0, {"dropped": 20.0}, slack=slack)
        return judge(msgspec.convert(expect, Expect), Told(list(facts), now), moment)

    def test_count(self) -> None:
        """Too few may still come; too many never become fewer."""
        for count, state in ((0, "pending"), (1, "pending"), (2, "met"), (3, "failed")):
            facts = [resume(30.0 + n) for n in range(count)]
            self.assertEqual(self.judged(facts, see="resumes", count=2).state, state)
        self.assertEqual(self.judged([resume(1.0)] * 5, see="resumes").state, "met")
        self.assertEqual(self.judged([], see="resumes", at_least=0, at_most=2).state, "met")
        outcome = self.judged([resume(30.0), resume(31.0)], see="resumes", at_least=0, at_most=1)
        self.assertIn("more than 1: the next after 21.00 s", outcome.reason)

    def test_within(self) -> None:
        """The bound counts from the arrival or from the mark; the slack is added to it."""
        for at, now, slack, state in (
            (25.0, 26.0, 0.0, "met"),
            (25.1, 26.0, 0.0, "failed"),
            (25.1, 26.0, 0.2, "met"),
            (None, 24.9, 0.0, "pending"),
            (None, 25.1, 0.0, "failed"),
        ):
            facts = [] if at is None else [resume(at)]
            expect = {"see": "resumes", "since": "dropped", "within": 5.0}
            self.assertEqual(self.judged(facts, now, slack, **expect).state, state, (at, now, slack))
        self.assertEqual(self.judged([resume(15.1)], see="resumes", within=5.0).state, "failed")

    def test_since(self) -> None:
        """What came before the mark doesn't count; without the mark nothing is known."""
        self.assertEqual(self.judged([resume(19.9)], see="resumes", since="dropped").state, "pending")
        self.assertEqual(self.judged([resume(20.0)], see="resumes", since="dropped").state, "met")
        expect = msgspec.convert({"never": "resumes", "since": "later"}, Expect)
        self.assertEqual(judge(expect, Told([resume(30.0)]), Moment(10.0, {})).state, "pending")

    def test_not_before(self) -> None:
        """Too early is a failure, however many follow."""
        for at, state in ((20.9, "failed"), (21.0, "met")):
            facts = [resume(at), resume(40.0)]
            outcome = self.judged(facts, see="resumes", since="dropped", not_before=1.0)
            self.assertEqual(outcome.state, state)

    def test_never_and_always(self) -> None:
        """One that must not be, or isn't as it must, is a failure."""
        facts = [resume(30.0), resume(31.0, behind=3)]
        self.assertEqual(self.judged(facts, never="resumes", where={"behind": 4}).state, "met")
        self.assertIn("behind 3", self.judged(facts, never="resumes", where={"behind": 3}).reason)
        self.assertEqual(self.judged(facts, always="resumes", must={"answer": "resumed"}).state, "met")
        self.assertIn("behind 3", self.judged(facts, always="resumes", must={"behind": 0}).reason)

    def test_apart(self) -> None:
        """Successive ones must be as far apart as said, told apart by a field."""
        facts = [{"at": at, "key": key} for at, key in ((0.0, 0), (1.0, 1), (5.0, 0), (6.0, 1))]
        self.assertEqual(self.judged(facts, see="identifies", apart={"least": 5.0}, per="key").state, "met")
        self.assertIn("1.000 s apart", self.judged(facts, see="identifies", apart={"least": 5.0}).reason)
        self.assertIn("key 0", self.judged(facts, see="identifies", apart={"most": 4.0}, per="key").reason)
        self.assertEqual(self.judged(facts, slack=1.0, see="identifies", apart={"most": 4.0}, per="key").state, "met")

    def test_rising(self) -> None:
        """A field must not fall."""
        for shards, state in (((0, 1, 1, 3), "met"), ((0, 2, 1), "failed")):
            facts = [resume(30.0 + n, shard=shard) for n, shard in enumerate(shards)]
            self.assertEqual(self.judged(facts, see="resumes", rising="shard").state, state)

    def test_varies(self) -> None:
        """Values must differ, once there are enough of them."""
        for phases, state in (((0.5, 0.51), "failed"), ((0.5, 0.56), "met"), ((0.5,), "pending")):
            facts = [{"at": 30.0, "phase": phase} for phase in phases]
            self.assertEqual(self.judged(facts, see="heartbeats", at_least=2, varies="phase").state, state)

    def beats(self, interval: float, times: list[float]) -> list[Fact]:
        gaps = [-1.0, *[(b - a) / interval for a, b in itertools.pairwise(times)]]
        return [
            {"at": at, "connection": 1, "number": number, "interval": interval, "gap": gap, "phase": at / interval}
            for number, (at, gap) in enumerate(zip(times, gaps, strict=True), start=1)
        ]

    def test_regular(self) -> None:
        """Beats keep the interval in the mean; one may be late by the machine's slack."""
        late = [0.0, 1.0, 2.3, 3.0, 4.0, 5.0]
        for times, slack, state in (
            ([0.0, 1.0, 2.02, 3.0, 4.0, 5.0], 0.0, "met"),
            (late, 0.0, "failed"),
            (late, 0.3, "met"),
            ([n + 1.04 for n in range(6)], 0.0, "met"),
            ([n + 1.2 for n in range(6)], 0.0, "failed"),
            ([n + 1.2 for n in range(6)], 0.2, "met"),
            ([n * 0.8 for n in range(6)], 0.1, "failed"),
            ([n * 1.2 for n in range(6)], 0.3, "failed"),
        ):
            facts = self.beats(1.0, times)
            outcome = self.judged(facts, slack=slack, see="heartbeats", at_least=6, regular=0.05)
            self.assertEqual(outcome.state, state, (times, outcome.reason))

    @given(st.floats(0.5, 50.0), st.lists(st.floats(0.96, 1.04), min_size=2, max_size=20))
    @settings(deadline=None, database=None, max_examples=50)
    def test_regular_whatever_the_interval(self, interval: float, gaps: list[float]) -> None:
        """Gaps within 5 % of any interval are regular; one of two intervals isn't."""
        times = [0.0]
        for gap in gaps:
            times.append(times[-1] + gap * interval)
        self.assertEqual(self.judged(self.beats(interval, times), see="heartbeats", regular=0.05).state, "met")
        times.append(times[-1] + 2 * interval)
        self.assertEqual(self.judged(self.beats(interval, times), see="heartbeats", regular=0.05).state, "failed")

    def test_delivered(self) -> None:
        """Every session has acknowledged what it was owed; nothing is known before the steps are done."""
        expect = msgspec.convert({"delivered": True, "within": 50.0}, Expect)
        for acknowledged, seq, owed, now, state in (
            (7, 7, {"a": 7}, 20.0, "met"),
            (7, 9, {"a": 7}, 20.0, "met"),
            (6, 7, {"a": 7}, 20.0, "pending"),
            (6, 7, {"a": 7}, 61.0, "failed"),
            (6, 7, {}, 20.0, "pending"),
            (7, 7, None, 20.0, "pending"),
        ):
            told = Told([], now, [Delivery("a", 0, seq, acknowledged)])
            outcome = judge(expect, told, Moment(10.0, {}, owed))
            self.assertEqual(outcome.state, state, (acknowledged, seq, owed, now))
        self.assertIn("no session lives", judge(expect, Told([], 20.0), Moment(10.0, {}, {})).reason)
