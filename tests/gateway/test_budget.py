"""Tests for :mod:`rateway.gateway.budget`."""

from __future__ import annotations

import math
from bisect import bisect_left

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from twisted.trial.unittest import SynchronousTestCase

from rateway.gateway.budget import SLACK, SendBudget
from rateway.gateway.heartbeat import Beat, Heartbeat


class SendBudgetTests(SynchronousTestCase):
    """120 payloads in 60 s, heartbeats included."""

    def setUp(self) -> None:
        self.budget = SendBudget(41.25)

    def _spend(self, count: int, now: float) -> None:
        for _ in range(count):
            self.budget.sent(now)

    def test_commands(self) -> None:
        """At Discord's usual interval 115 commands may go out at once, and no more."""
        self._spend(114, 0.0)
        self.assertTrue(self.budget.may_send(0.0))
        self._spend(1, 0.0)
        self.assertFalse(self.budget.may_send(0.0))

    def test_identify_counts(self) -> None:
        """IDENTIFY is one of them."""
        self._spend(1, 0.0)
        sent = 0
        while self.budget.may_send(0.1):
            self.budget.sent(0.1)
            sent += 1
        self.assertEqual(sent, 114)

    def test_room_for_op_1(self) -> None:
        """Commands leave room for the heartbeats Discord asks for, but no flood of those goes through."""
        self._spend(115, 0.0)
        for _ in range(2):
            self.assertTrue(self.budget.may_answer(1.0))
            self.budget.sent(1.0)
        self.assertFalse(self.budget.may_answer(1.0))
        self.assertTrue(self.budget.may_answer(60.0 + SLACK))

    def test_slides(self) -> None:
        """The window slides: room comes back as each payload grows old, not all at once."""
        self._spend(100, 0.0)
        self._spend(15, 30.0)
        self.assertFalse(self.budget.may_send(60.0))
        self.assertEqual(self.budget.next_slot(31.0), 60.0 + SLACK)
        self.assertTrue(self.budget.may_send(60.0 + SLACK))
        self._spend(100, 60.0 + SLACK)
        self.assertEqual(self.budget.next_slot(61.0), 90.0 + SLACK)

    def test_next_slot_now(self) -> None:
        """With room left the next slot is now."""
        self.assertEqual(self.budget.next_slot(5.0), 5.0)

    def test_next_slot_beyond_the_spare(self) -> None:
        """Where answers to op 1 used the spare room, commands wait for those as well."""
        self._spend(113, 0.0)
        self._spend(4, 10.0)
        slot = self.budget.next_slot(10.0)
        self.assertEqual(slot, 60.0 + SLACK)
        self._spend(110, slot)
        self.assertEqual(self.budget.next_slot(slot), slot)

    def test_frequent_heartbeats(self) -> None:
        """With heartbeats every second they have their room, and commands the rest."""
        budget, sent = SendBudget(1.0), 0
        while budget.may_send(0.0):
            budget.sent(0.0)
            sent += 1
        self.assertEqual(sent, 120 - 62 - 2)

    def test_no_room_at_all(self) -> None:
        """Where heartbeats fill the limit, no command ever goes out."""
        budget = SendBudget(0.1)
        self.assertFalse(budget.may_send(0.0))
        self.assertEqual(budget.next_slot(0.0), math.inf)

    @settings(deadline=None, database=None, max_examples=100)
    @given(sends=st.lists(st.floats(0.0, 200.0), max_size=200), now=st.floats(0.0, 260.0))
    def test_next_slot_is_right(self, sends: list[float], now: float) -> None:
        """At the next slot there is room, and just before there is none."""
        budget = SendBudget(20.0)
        for when in sorted(sends):
            budget.sent(when)
        now = max([now, *sends])
        slot = budget.next_slot(now)
        if slot > now:
            self.assertFalse(budget.may_send(math.nextafter(slot, 0.0)))
        self.assertTrue(budget.may_send(slot))


class _Connection(RuleBasedStateMachine):
    """A connection that sends as much as it may, and a Discord that counts."""

    @initialize(interval=st.floats(0.6, 60.0), jitter=st.floats(0.0, 1.0))
    def open(self, interval: float, jitter: float) -> None:
        self.now = 1000.0
        self.budget = SendBudget(interval)
        self.heart = Heartbeat(interval, jitter, self.now)
        self.written: list[float] = []
        self.checked = 0
        self._write()

    def _write(self, regular: bool = False) -> None:
        if not regular:
            self.budget.sent(self.now)
        self.written.append(self.now)

    @rule(seconds=st.floats(0.0, 1.0) | st.floats(0.0, 70.0), late=st.floats(0.0, 0.2) | st.floats(0.0, 30.0))
    def time_passes(self, seconds: float, late: float) -> None:
        end = self.now + seconds
        while self.heart.due <= end:
            self.now = max(self.now, self.heart.due)
            self._beat()
        self.now = end
        if late > 0.2:
            self.now += late
            if self.heart.due <= self.now:
                self._beat()

    def _beat(self) -> None:
        assert self.heart.tick(self.now) is Beat.SEND
        self.heart.acknowledged(self.now)
        self._write(regular=True)

    @rule(count=st.integers(1, 150))
    def commands(self, count: int) -> None:
        for _ in range(count):
            if self.budget.may_send(self.now):
                self._write()

    @rule(count=st.integers(1, 150))
    def asked_to_beat(self, count: int) -> None:
        for _ in range(count):
            if self.budget.may_answer(self.now):
                self._write()

    @invariant()
    def never_over(self) -> None:
        written = getattr(self, "written", [])
        for index in range(self.checked if written else 0, len(written)):
            window = index + 1 - bisect_left(written, written[index] - 60.0)
            assert window <= 120, f"{window} payloads in the 60 s before {written[index]}"
        if written:
            self.checked = len(written)


class LimitTests(SynchronousTestCase):
    """The limit holds, whatever happens."""

    def test_never_over_120(self) -> None:
        """Heartbeats on schedule or late, op 1 and commands in any mixture: never over 120 in any 60 s."""
        case = _Connection.TestCase
        case.settings = settings(deadline=None, database=None, max_examples=60, stateful_step_count=30)
        case("runTest").debug()
