"""Tests for :mod:`rateway.gateway.identify` and :mod:`rateway.gateway.breaker`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from twisted.trial.unittest import SynchronousTestCase

from rateway.gateway.breaker import Breaker
from rateway.gateway.identify import DAY, HOLD, RESET_SLACK, SPACING, IdentifyQueue, Limits

PLENTY = Limits(total=1000, remaining=1000, reset_after=3600.0, max_concurrency=1)


def _queue(
    max_concurrency: int = 1, *, total: int = 1000, remaining: int | None = None, now: float = 0.0
) -> IdentifyQueue:
    left = total if remaining is None else remaining
    return IdentifyQueue(Limits(total, left, 3600.0, max_concurrency), now)


def _ask(queue: IdentifyQueue, shards: Iterable[int], now: float = 0.0) -> None:
    for shard_id in shards:
        queue.ask(shard_id, now)


def _identify(queue: IdentifyQueue, shard_id: int, now: float) -> None:
    """The shard identifies and is answered, at once."""
    queue.used(shard_id, now)
    queue.settled(shard_id, now)


def _run(queue: IdentifyQueue, now: float, end: float) -> list[tuple[float, int]]:
    """Let time pass until nothing waits, or the end: who identified when?"""
    log: list[tuple[float, int]] = []
    while True:
        for shard_id in queue.grants(now):
            _identify(queue, shard_id, now)
            log.append((now, shard_id))
        following = queue.next_time(now)
        if following is None or following > end:
            return log
        now = following


class OrderTests(SynchronousTestCase):
    """Who goes first, and how far apart."""

    def test_one_at_a_time(self) -> None:
        """With max_concurrency 1, shards go one after another, lowest first, 5.25 s apart."""
        queue = _queue()
        _ask(queue, (3, 1, 0, 2))
        self.assertEqual(_run(queue, 0.0, 60.0), [(0.0, 0), (SPACING, 1), (2 * SPACING, 2), (3 * SPACING, 3)])

    def test_groups(self) -> None:
        """With 16, shards 0-15 go together, then 16-31."""
        queue = _queue(16)
        _ask(queue, reversed(range(32)))
        self.assertEqual(_run(queue, 0.0, 60.0), [(0.0, s) for s in range(16)] + [(SPACING, s) for s in range(16, 32)])

    def test_higher_group_waits(self) -> None:
        """No shard overtakes one of a lower group, though its own key be free."""
        queue = _queue(2)
        _ask(queue, (0, 2))
        self.assertEqual(queue.grants(0.0), [0])
        queue.used(0, 0.0)
        queue.ask(5, 1.0)
        self.assertEqual(queue.grants(1.0), [])
        queue.settled(0, 2.0)
        self.assertEqual(queue.grants(SPACING), [2, 5])

    def test_spacing_counts_from_use(self) -> None:
        """The 5 s count from the IDENTIFY, not from the permit."""
        queue = _queue()
        _ask(queue, (0, 1))
        self.assertEqual(queue.grants(0.0), [0])
        queue.used(0, 1.5)
        queue.settled(0, 1.6)
        self.assertEqual(queue.next_time(1.6), 1.5 + SPACING)
        self.assertEqual(queue.grants(1.4 + SPACING), [])
        self.assertEqual(queue.grants(1.5 + SPACING), [1])

    def test_key_is_held_until_answered(self) -> None:
        """Nobody gets the key before the IDENTIFY is answered."""
        queue = _queue()
        _ask(queue, (0, 1))
        queue.grants(0.0)
        queue.used(0, 0.0)
        self.assertEqual(queue.grants(10.0), [])
        queue.settled(0, 10.0)
        self.assertEqual(queue.grants(10.0), [1])

    def test_silent_holder(self) -> None:
        """Who identified and never says what came of it holds the key for 30 s."""
        queue = _queue()
        _ask(queue, (0, 1))
        queue.grants(0.0)
        queue.used(0, 1.0)
        self.assertEqual(queue.next_time(2.0), 1.0 + HOLD)
        self.assertEqual(queue.grants(1.0 + HOLD), [1])

    def test_silent_before_use(self) -> None:
        """Who got a permit and is never heard of again is taken to have used it when it ran out."""
        queue = _queue()
        _ask(queue, (0, 1))
        queue.grants(0.0)
        self.assertEqual(queue.grants(HOLD), [])
        self.assertEqual(queue.remaining, 999)
        self.assertEqual(queue.grants(HOLD + SPACING), [1])

    def test_given_back(self) -> None:
        """A permit given back costs nothing, and the next one has the key at once."""
        queue = _queue()
        _ask(queue, (0, 1))
        queue.grants(0.0)
        queue.give_back(0)
        self.assertEqual(queue.grants(0.1), [1])
        self.assertEqual(queue.remaining, 1000)

    def test_too_late_to_give_back(self) -> None:
        """What was used can't be given back, and what wasn't used can't be answered."""
        queue = _queue()
        _ask(queue, (0, 1))
        queue.grants(0.0)
        queue.settled(0, 1.0)
        self.assertEqual(queue.grants(20.0), [])
        queue.used(0, 20.0)
        queue.give_back(0)
        self.assertEqual(queue.grants(20.0 + SPACING), [])

    def test_withdrawn(self) -> None:
        """Who withdraws is passed over, and leaves a permit that crossed its word."""
        queue = _queue()
        _ask(queue, (0, 1, 2))
        queue.withdraw(1)
        self.assertEqual(queue.grants(0.0), [0])
        queue.withdraw(0)
        self.assertEqual(queue.grants(0.0), [2])

    def test_asks_again(self) -> None:
        """Who asks again has done with its permit: used, the spacing remains; unused, it costs nothing."""
        queue = _queue()
        queue.ask(0, 0.0)
        queue.grants(0.0)
        queue.used(0, 0.0)
        queue.ask(0, 1.0)
        self.assertEqual(queue.grants(1.0), [])
        self.assertEqual(queue.grants(SPACING), [0])
        queue.ask(0, 6.0)
        self.assertEqual(queue.grants(6.0), [0])
        self.assertEqual(queue.remaining, 999)

    def test_unknown_shards(self) -> None:
        """Words about shards that hold nothing harm nothing; an IDENTIFY out of turn is counted all the same."""
        queue = _queue()
        queue.settled(7, 0.0)
        queue.give_back(7)
        queue.withdraw(7)
        queue.used(7, 0.0)
        queue.ask(0, 1.0)
        self.assertEqual(queue.grants(1.0), [])
        self.assertEqual(queue.remaining, 999)

    def test_nothing_to_do(self) -> None:
        """An empty queue has nothing to wake up for."""
        self.assertIsNone(_queue().next_time(0.0))

    def test_nonsense_concurrency(self) -> None:
        """A max_concurrency below 1 is taken for 1."""
        queue = _queue(0)
        _ask(queue, (0, 1))
        self.assertEqual(queue.grants(0.0), [0])


class ExpectationTests(SynchronousTestCase):
    """Shards that are about to ask."""

    def test_waits_for_lower_groups(self) -> None:
        """A shard that asks early waits for expected ones of lower groups, not for those of its own."""
        queue = _queue(2)
        queue.expect(range(4), until=10.0)
        _ask(queue, (3, 1))
        self.assertEqual(queue.grants(0.0), [1])
        queue.give_back(1)
        self.assertEqual(queue.grants(1.0), [])
        queue.ask(0, 2.0)
        self.assertEqual(queue.grants(2.0), [0, 3])

    def test_not_for_ever(self) -> None:
        """It waits until the time given, and no longer."""
        queue = _queue()
        queue.expect((0,), until=10.0)
        queue.ask(1, 0.0)
        self.assertEqual(queue.grants(0.0), [])
        self.assertEqual(queue.next_time(0.0), 10.0)
        self.assertEqual(queue.grants(10.0), [1])

    def test_will_not_ask(self) -> None:
        """A shard that resumes instead, or whose process died, is not waited for."""
        queue = _queue()
        queue.expect((0, 1), until=10.0)
        queue.ask(2, 0.0)
        queue.withdraw(0)
        self.assertEqual(queue.grants(0.0), [])
        queue.lost((1,), 1.0)
        self.assertEqual(queue.grants(1.0), [2])

    def test_asked_already(self) -> None:
        """Who waits already isn't expected as well."""
        queue = _queue()
        queue.ask(0, 0.0)
        queue.expect((0,), until=10.0)
        self.assertEqual(queue.grants(0.0), [0])
        _identify(queue, 0, 0.0)
        queue.ask(1, 1.0)
        self.assertEqual(queue.grants(SPACING), [1])


class AllowanceTests(SynchronousTestCase):
    """The daily allowance is never used up."""

    def test_reserve(self) -> None:
        """A tenth is never touched; at least one, where there is more than one."""
        for total, reserve in ((1000, 100), (2000, 200), (10, 1), (5, 1), (2, 1), (1, 0), (0, 0)):
            self.assertEqual(Limits(total, total, 0.0, 1).reserve, reserve)

    def test_criterion_27_two_left(self) -> None:
        """Two left, four shards to start: none goes beyond the two, and it is told when there will be more."""
        for total in (2, 3, 10, 1000):
            queue = _queue(4, total=total, remaining=2)
            _ask(queue, range(4))
            granted = queue.grants(0.0)
            self.assertLess(len(granted), 2)
            for shard_id in granted:
                _identify(queue, shard_id, 0.0)
            self.assertEqual(queue.exhausted_until(0.0), 3600.0 + RESET_SLACK)
            self.assertEqual(queue.grants(3599.0), [])

    def test_refilled(self) -> None:
        """When the window is over, the others go."""
        queue = _queue(4, total=1000, remaining=102)
        _ask(queue, range(4))
        self.assertEqual(queue.grants(0.0), [0, 1])
        for shard_id in (0, 1):
            _identify(queue, shard_id, 0.0)
        self.assertEqual(queue.remaining, 100)
        self.assertEqual(_run(queue, 1.0, 4000.0), [(3600.0 + RESET_SLACK, 2), (3600.0 + RESET_SLACK, 3)])
        self.assertEqual(queue.remaining, 998)
        self.assertIsNone(queue.exhausted_until(3602.0))

    def test_permits_that_are_out_count(self) -> None:
        """A permit not used yet has its place in the allowance; given back, it is free for another."""
        queue = _queue(4, total=1000, remaining=101)
        _ask(queue, range(4))
        self.assertEqual(queue.grants(0.0), [0])
        self.assertEqual(queue.grants(0.0), [])
        queue.give_back(0)
        self.assertEqual(queue.grants(0.0), [1])

    def test_one_and_only(self) -> None:
        """An allowance of one can be used."""
        queue = _queue(total=1)
        queue.ask(0, 0.0)
        self.assertEqual(queue.grants(0.0), [0])

    def test_no_allowance(self) -> None:
        """An allowance of nothing is waited for, and said."""
        queue = IdentifyQueue(Limits(0, 0, 0.0, 1), 0.0)
        queue.ask(0, 0.0)
        self.assertEqual(queue.grants(0.0), [])
        self.assertEqual(queue.exhausted_until(0.0), DAY)

    def test_window_opens_with_the_first(self) -> None:
        """Where no window is open, the first IDENTIFY opens one of a day."""
        queue = IdentifyQueue(Limits(2, 2, 0.0, 2), 100.0)
        _ask(queue, (0, 1), 100.0)
        self.assertIsNone(queue.exhausted_until(100.0))
        self.assertEqual(queue.grants(100.0), [0])
        _identify(queue, 0, 101.0)
        self.assertEqual(queue.exhausted_until(101.0), 101.0 + DAY)

    def test_partly_used_without_a_reset_time(self) -> None:
        """Where Discord doesn't say when a used allowance is refilled, a day is waited."""
        queue = IdentifyQueue(Limits(1000, 2, 0.0, 1), 0.0)
        queue.ask(0, 0.0)
        self.assertEqual(queue.exhausted_until(0.0), DAY)

    def test_out_of_turn_to_nothing(self) -> None:
        """The count doesn't fall below zero."""
        queue = _queue(total=2, remaining=1)
        queue.used(0, 0.0)
        queue.used(1, 0.0)
        self.assertEqual(queue.remaining, 0)

    def test_refresh(self) -> None:
        """In the same window the lower count is believed; in another one Discord's."""
        queue = _queue(remaining=500)
        queue.refresh(Limits(1000, 510, 3590.0, 1), 10.0)
        self.assertEqual(queue.remaining, 500)
        queue.refresh(Limits(1000, 450, 3580.0, 1), 20.0)
        self.assertEqual(queue.remaining, 450)
        queue.refresh(Limits(1000, 990, 80000.0, 1), 30.0)
        self.assertEqual(queue.remaining, 990)

    def test_refresh_after_the_reset(self) -> None:
        """Once a window is over, a fresh count stands by itself."""
        queue = _queue(remaining=500)
        queue.refresh(Limits(1000, 700, 3600.0, 1), 4000.0)
        self.assertEqual(queue.remaining, 700)
        queue.refresh(Limits(1000, 1000, 0.0, 1), 4001.0)
        self.assertEqual(queue.remaining, 1000)

    def test_refresh_with_other_concurrency(self) -> None:
        """When Discord raises max_concurrency, keys are counted anew, and what was used a moment ago still counts."""
        queue = _queue(1)
        _ask(queue, range(4))
        queue.grants(0.0)
        _identify(queue, 0, 0.0)
        queue.refresh(Limits(1000, 999, 3600.0, 2), 1.0)
        self.assertEqual(queue.grants(1.0), [1])
        _identify(queue, 1, 1.0)
        self.assertEqual(queue.grants(SPACING), [2])


class LossTests(SynchronousTestCase):
    """A process that died with permits in its hands."""

    def test_lost(self) -> None:
        """A permit that may have been used counts as used now; who waited no longer waits."""
        queue = _queue()
        _ask(queue, (0, 1, 2))
        queue.grants(0.0)
        queue.lost((0, 1), 4.0)
        self.assertEqual(queue.remaining, 999)
        self.assertEqual(queue.grants(4.1), [])
        self.assertEqual(queue.grants(4.0 + SPACING), [2])

    def test_lost_after_use(self) -> None:
        """One used before isn't counted again, and its answer isn't waited for."""
        queue = _queue()
        _ask(queue, (0, 1))
        queue.grants(0.0)
        queue.used(0, 0.0)
        queue.lost((0,), 4.0)
        self.assertEqual(queue.remaining, 999)
        self.assertEqual(queue.grants(SPACING), [1])


class BreakerTests(SynchronousTestCase):
    """A shard that identifies again and again."""

    def _loop(self, queue: IdentifyQueue, start: float, count: int) -> list[float]:
        """The shard asks as soon as it may: how long between its IDENTIFYs?"""
        times: list[float] = []
        now = start
        while len(times) < count:
            queue.ask(0, now)
            while not queue.grants(now):
                following = queue.next_time(now)
                assert following is not None
                now = following
            _identify(queue, 0, now)
            times.append(now)
        return [b - a for a, b in pairwise(times)]

    def test_doubles(self) -> None:
        """From the fifth time within 10 minutes it waits 30 s, doubling, up to an hour."""
        self.assertEqual(
            self._loop(_queue(), 0.0, 14),
            [SPACING] * 3 + [30.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 3600.0, 3600.0, 3600.0],
        )

    def test_others_go_on(self) -> None:
        """A shard held by its breaker holds up nobody, not even higher groups."""
        queue = _queue()
        self._loop(queue, 0.0, 4)
        now = 3 * SPACING
        _ask(queue, (0, 5), now)
        self.assertEqual(queue.blocked_until(0), now + 30.0)
        self.assertEqual(_run(queue, now, 100.0), [(now + SPACING, 5), (now + 30.0, 0)])

    def test_slow(self) -> None:
        """Identifying now and then, less than five times in 10 minutes, is no loop."""
        queue, now = _queue(), 0.0
        for _ in range(20):
            queue.ask(0, now)
            self.assertEqual(queue.grants(now), [0])
            _identify(queue, 0, now)
            now += 201.0

    def test_forgives(self) -> None:
        """Ten quiet minutes after the wait, the shard starts with a clean sheet."""
        queue = _queue()
        self._loop(queue, 0.0, 6)
        later = queue.blocked_until(0) + 601.0
        self.assertEqual(self._loop(queue, later, 5), [SPACING] * 3 + [30.0])

    def test_not_forgiven_too_soon(self) -> None:
        """Identifying within ten minutes after the wait counts on."""
        queue = _queue()
        self._loop(queue, 0.0, 5)
        self.assertEqual(self._loop(queue, queue.blocked_until(0) + 500.0, 2), [120.0])

    def test_long_ago(self) -> None:
        """Thousands of times don't overflow."""
        breaker = Breaker()
        for time in range(3000):
            breaker.identified(float(time))
        self.assertEqual(breaker.until, 2999.0 + 3600.0)


class SnapshotTests(SynchronousTestCase):
    """A restart doesn't forget."""

    def _reborn(self, queue: IdentifyQueue, now: float, wall: float, later: float, limits: Limits) -> IdentifyQueue:
        """Another process, ``later`` seconds after, whose monotonic clock starts anew."""
        data = json.loads(json.dumps(queue.snapshot(now, wall)))
        reborn = IdentifyQueue(limits, 50.0)
        reborn.restore(data, 50.0, wall + later)
        return reborn

    def test_spacing_survives(self) -> None:
        """The 5 s hold across the restart, for a permit that was out as well."""
        queue = _queue(2)
        _ask(queue, range(4))
        queue.grants(1000.0)
        _identify(queue, 0, 1000.0)
        reborn = self._reborn(queue, 1001.0, 1.7e9, 1.0, PLENTY)
        reborn = self._reborn(queue, 1001.0, 1.7e9, 1.0, Limits(1000, 1000, 3600.0, 2))
        _ask(reborn, (2, 3), 50.0)
        self.assertEqual(reborn.grants(50.0), [])
        self.assertEqual(reborn.grants(48.0 + SPACING), [2])
        self.assertEqual(reborn.grants(49.0 + SPACING), [3])

    def test_count_survives(self) -> None:
        """Within the same window the lower count stands, less what was out; in another window Discord's."""
        queue = _queue(remaining=500)
        queue.ask(0, 0.0)
        queue.grants(0.0)
        same = self._reborn(queue, 10.0, 1.7e9, 5.0, Limits(1000, 505, 3585.0, 1))
        self.assertEqual(same.remaining, 499)
        lower = self._reborn(queue, 10.0, 1.7e9, 5.0, Limits(1000, 400, 3585.0, 1))
        self.assertEqual(lower.remaining, 400)
        other = self._reborn(queue, 10.0, 1.7e9, 5.0, Limits(1000, 1000, 80000.0, 1))
        self.assertEqual(other.remaining, 1000)

    def test_no_window(self) -> None:
        """A snapshot taken with no window open has nothing to say of the count."""
        queue = IdentifyQueue(Limits(1000, 1000, 0.0, 1), 0.0)
        reborn = self._reborn(queue, 10.0, 1.7e9, 5.0, Limits(1000, 700, 3600.0, 1))
        self.assertEqual(reborn.remaining, 700)

    def test_breaker_survives(self) -> None:
        """A shard in a loop goes on waiting, and counting, where it was."""
        queue = _queue()
        for now in (0.0, 10.0, 20.0, 30.0, 60.0):
            queue.used(0, now)
        reborn = self._reborn(queue, 70.0, 1.7e9, 10.0, PLENTY)
        self.assertAlmostEqual(reborn.blocked_until(0), 50.0 + 40.0, places=3)
        reborn.used(0, 90.0)
        self.assertAlmostEqual(reborn.blocked_until(0), 90.0 + 120.0, places=3)

    def test_count_towards_the_breaker_survives(self) -> None:
        """So do the IDENTIFYs of a shard that isn't held yet."""
        queue = _queue()
        for now in (0.0, 10.0, 20.0):
            queue.used(0, now)
        reborn = self._reborn(queue, 30.0, 1.7e9, 1.0, PLENTY)
        reborn.used(0, 60.0)
        self.assertEqual(reborn.blocked_until(0), 90.0)

    def test_clock_set_back(self) -> None:
        """A wall clock that was set back makes nobody wait for years."""
        queue = _queue()
        for now in range(5):
            queue.used(0, float(now))
        reborn = self._reborn(queue, 5.0, 1.7e9, -1e8, PLENTY)
        reborn.ask(1, 50.0)
        self.assertEqual(reborn.grants(50.0 + SPACING), [1])
        self.assertLessEqual(reborn.blocked_until(0), 50.0 + 3600.0)

    def test_nonsense(self) -> None:
        """A snapshot that can't be read is as none."""
        good = {"remaining": 1, "reset_at": 3601.0 + 1.7e9, "recent": [], "breakers": []}
        broken: tuple[object, ...] = (
            None,
            [],
            {},
            {**good, "remaining": "1"},
            {**good, "remaining": -1},
            {**good, "reset_at": "soon"},
            {**good, "reset_at": float("nan")},
            {**good, "recent": [[1]]},
            {**good, "recent": [[1, 1e300]]},
            {**good, "recent": 5},
            {**good, "breakers": [[0, [], 1, 0.0]]},
            {**good, "breakers": [[0, ["x"], 1, 0.0]]},
        )
        for data in broken:
            queue = _queue()
            self.assertFalse(queue.restore(data, 0.0, 1.7e9))
            self.assertEqual(queue.remaining, 1000)
        self.assertTrue(queue.restore(good, 0.0, 1.7e9))
        self.assertEqual(queue.remaining, 1)


class _Fleet(RuleBasedStateMachine):
    """Shards that ask, identify, fail and die as they like, within their duties; and a Discord that counts."""

    shards = st.integers(0, 11)

    @initialize(concurrency=st.integers(1, 4), total=st.integers(1, 60), part=st.floats(0.0, 1.0))
    def begin(self, concurrency: int, total: int, part: float) -> None:
        self.now = 500.0
        self.concurrency = concurrency
        self.remaining = round(total * part)
        self.reserve = Limits(total, total, 0.0, 1).reserve
        self.queue = IdentifyQueue(Limits(total, self.remaining, 1e6, concurrency), self.now)
        self.waiting: set[int] = set()
        self.granted: dict[int, float] = {}
        self.answering: set[int] = set()
        self.last_used: dict[int, float] = {}

    @rule(shard_id=shards)
    def ask(self, shard_id: int) -> None:
        if shard_id not in self.granted:
            self.queue.ask(shard_id, self.now)
            self.answering.discard(shard_id)
            self.waiting.add(shard_id)

    @rule(shard_id=shards)
    def withdraw(self, shard_id: int) -> None:
        self.queue.withdraw(shard_id)
        self.waiting.discard(shard_id)
        self.granted.pop(shard_id, None)

    @rule()
    def hand_out(self) -> None:
        granted = self.queue.grants(self.now)
        assert granted == sorted(granted)
        assert set(granted) <= self.waiting
        self.waiting -= set(granted)
        free = {shard_id for shard_id in self.waiting if self.queue.blocked_until(shard_id) <= self.now}
        for shard_id in granted:
            assert all(other // self.concurrency >= shard_id // self.concurrency for other in free)
            self.granted[shard_id] = self.now

    @precondition(lambda self: bool(getattr(self, "granted", None)))
    @rule(data=st.data(), how=st.sampled_from(["use", "use", "use", "give back", "lose"]))
    def act(self, data: st.DataObject, how: str) -> None:
        shard_id = data.draw(st.sampled_from(sorted(self.granted)))
        del self.granted[shard_id]
        if how == "give back":
            self.queue.give_back(shard_id)
            return
        if how == "use":
            self.queue.used(shard_id, self.now)
            self.answering.add(shard_id)
        else:
            self.queue.lost([shard_id], self.now)
        key = shard_id % self.concurrency
        assert self.now - self.last_used.get(key, -10.0) >= 5.0, "two IDENTIFYs of one key within 5 s"
        self.last_used[key] = self.now
        self.remaining -= 1

    @rule(shard_id=shards)
    def settle(self, shard_id: int) -> None:
        if shard_id in self.answering:
            self.answering.remove(shard_id)
            self.queue.settled(shard_id, self.now)

    @rule(seconds=st.floats(0.0, 6.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        for shard_id, since in list(self.granted.items()):
            if self.now - since > 10.0:
                del self.granted[shard_id]
                self.queue.give_back(shard_id)

    @rule()
    def wake_up(self) -> None:
        following = self.queue.next_time(self.now)
        if following is not None:
            assert following > self.now
            if following - self.now < 6.0:
                self.now = following

    @invariant()
    def within_the_allowance(self) -> None:
        if hasattr(self, "queue"):
            assert self.queue.remaining == self.remaining
            assert not self.granted or len(self.granted) <= self.remaining - self.reserve


class InvariantTests(SynchronousTestCase):
    """What holds in whatever order things happen."""

    def test_fleet(self) -> None:
        """Never two IDENTIFYs of a key within 5 s, never into the reserve, never a higher group first."""
        case = _Fleet.TestCase
        case.settings = settings(deadline=None, database=None, max_examples=100, stateful_step_count=40)
        case("runTest").debug()

    @settings(deadline=None, database=None, max_examples=60)
    @given(
        shards=st.lists(st.integers(0, 40), unique=True, min_size=1, max_size=25).flatmap(st.permutations),
        concurrency=st.integers(1, 16),
        expected=st.sets(st.integers(0, 40), max_size=6),
    )
    def test_everybody_comes(self, shards: list[int], concurrency: int, expected: set[int]) -> None:
        """With allowance enough, woken only when it says so, the queue lets everybody identify, group by group."""
        queue = _queue(concurrency)
        queue.expect(expected, until=20.0)
        _ask(queue, shards)
        order = [shard_id for _, shard_id in _run(queue, 0.0, 10_000.0)]
        self.assertEqual(sorted(order), sorted(shards))
        groups = [shard_id // concurrency for shard_id in order]
        self.assertEqual(groups, sorted(groups))
