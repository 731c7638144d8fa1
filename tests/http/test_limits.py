from __future__ import annotations

import heapq

from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.errors import Unavailable
from rateway.http.answers import Answer, Quota, Refusal
from rateway.http.buckets import Ticket
from rateway.http.limits import INVALID_SLOW, INVALID_STOP, INVALID_WINDOW, SLOW_PER_SECOND, RateLimits
from rateway.http.routes import Route, route_of

MESSAGES = route_of("GET", "/channels/1/messages")
PINS = route_of("GET", "/channels/1/pins")


def told(bucket: str = "b", limit: int = 5, remaining: int = 4, reset_after: float = 10.0, status: int = 200) -> Answer:
    return Answer(status, Quota(bucket, limit, remaining, reset_after))


def refused(refusal: Refusal, retry_after: float, quota: Quota | None = None) -> Answer:
    return Answer(429, quota, refusal, retry_after)


class DiscoveryTests(SynchronousTestCase):
    """A route nobody has used yet."""

    def test_ten_first_uses_go_one_by_one(self) -> None:
        """Until the first answer, one is in flight; after it, as many as the bucket has left."""
        limits = RateLimits()
        for _ in range(10):
            limits.ask(MESSAGES, 0.0)
        first = limits.take(0.0)
        self.assertEqual(len(first), 1)
        self.assertEqual(limits.take(0.0), [])
        self.assertIsNone(limits.next_time(0.0))
        limits.answered(first[0], told(limit=5, remaining=4), 0.1)
        self.assertEqual(len(limits.take(0.1)), 4)
        self.assertEqual(limits.next_time(0.1), 10.1)

    def test_routes_of_one_hash_share_the_count(self) -> None:
        """What one route used, the other hasn't."""
        limits = RateLimits()
        for route in (MESSAGES, PINS):
            limits.answered(_sent(limits, route, 0.0), told(limit=5, remaining=2), 0.0)
        for route in (MESSAGES, PINS) * 2:
            limits.ask(route, 0.0)
        self.assertEqual(len(limits.take(0.0)), 2)

    def test_resources_of_one_hash_do_not(self) -> None:
        """Another channel has a bucket of its own, which is discovered by one request."""
        limits = RateLimits()
        limits.answered(_sent(limits, MESSAGES, 0.0), told(remaining=0), 0.0)
        elsewhere = route_of("GET", "/channels/2/messages")
        limits.ask(elsewhere, 0.0)
        limits.ask(elsewhere, 0.0)
        self.assertEqual([ticket.route for ticket in limits.take(0.0)], [elsewhere])

    def test_what_is_in_flight_elsewhere_counts_after_a_merge(self) -> None:
        """Two unknown routes turn out to be one bucket: the second's request is still under way."""
        limits = RateLimits()
        one, other = _sent(limits, MESSAGES, 0.0), _sent(limits, PINS, 0.0)
        limits.answered(one, told(limit=3, remaining=2), 0.0)
        limits.answered(other, told(limit=3, remaining=1), 0.0)
        third = _sent(limits, MESSAGES, 0.0)
        limits.ask(PINS, 0.0)
        self.assertEqual(limits.take(0.0), [])
        limits.answered(third, told(limit=3, remaining=0), 0.1)
        self.assertEqual(limits.take(0.2), [])

    def test_another_resource_under_way_stays_the_only_one(self) -> None:
        """The hash becomes known while another channel's first request is in flight: it stays alone."""
        limits = RateLimits()
        here, there = MESSAGES, route_of("GET", "/channels/2/messages")
        first, alone = _sent(limits, here, 0.0), _sent(limits, there, 0.0)
        limits.answered(first, told(), 0.0)
        limits.ask(there, 0.0)
        self.assertEqual(limits.take(0.0), [])
        limits.answered(alone, told(), 0.0)
        self.assertEqual(len(limits.take(0.0)), 1)

    def test_a_new_hash_takes_the_queue_along(self) -> None:
        """Discord re-files a route: those who wait for it wait in the new bucket, in their order."""
        limits = RateLimits()
        limits.answered(_sent(limits, MESSAGES, 0.0), told("old", remaining=1), 0.0)
        last = _sent(limits, MESSAGES, 0.0)
        waiting = [limits.ask(MESSAGES, 0.0) for _ in range(3)]
        limits.answered(last, told("new", limit=5, remaining=3), 0.0)
        self.assertEqual(limits.take(0.0), waiting)

    def test_a_route_without_a_bucket_is_free(self) -> None:
        """Only the global limit holds it."""
        limits = RateLimits()
        limits.answered(_sent(limits, MESSAGES, 0.0), Answer(200), 0.0)
        for _ in range(30):
            limits.ask(MESSAGES, 0.0)
        self.assertEqual(len(limits.take(0.0)), 30)

    def test_an_answer_without_headers_does_not_free_a_known_bucket(self) -> None:
        """Some errors come without the headers; the bucket is there all the same."""
        limits = RateLimits()
        limits.answered(_sent(limits, MESSAGES, 0.0), told(remaining=1), 0.0)
        limits.answered(_sent(limits, MESSAGES, 0.0), Answer(404), 0.0)
        limits.ask(MESSAGES, 0.0)
        self.assertEqual(limits.take(0.0), [])


class BucketTests(SynchronousTestCase):
    """A bucket that is known."""

    def test_an_empty_bucket_opens_at_its_reset(self) -> None:
        """Remaining 0, reset after 1.5 s: the next goes at 1.5 s, not before."""
        limits = RateLimits()
        limits.answered(_sent(limits, MESSAGES, 0.0), told(remaining=0, reset_after=1.5), 0.0)
        limits.ask(MESSAGES, 0.0)
        self.assertEqual(limits.take(1.499), [])
        self.assertEqual(limits.next_time(1.499), 1.5)
        self.assertEqual(len(limits.take(1.5)), 1)

    def test_a_late_answer_does_not_raise_what_is_left(self) -> None:
        """Answers overtake one another; the lower count holds."""
        limits = RateLimits()
        limits.answered(_sent(limits, MESSAGES, 0.0), told(limit=5, remaining=4), 0.0)
        two = [_sent(limits, MESSAGES, 0.0), _sent(limits, MESSAGES, 0.0)]
        limits.answered(two[1], told(limit=5, remaining=2), 0.0)
        limits.answered(two[0], told(limit=5, remaining=3), 0.0)
        for _ in range(5):
            limits.ask(MESSAGES, 0.0)
        self.assertEqual(len(limits.take(0.0)), 2)

    def test_nobody_waits_for_an_answer_that_never_comes(self) -> None:
        """All requests of a window are lost: one goes and asks anew."""
        limits = RateLimits()
        limits.answered(_sent(limits, MESSAGES, 0.0), told(limit=1, remaining=0, reset_after=1.0), 0.0)
        limits.leave(_sent(limits, MESSAGES, 1.0))
        limits.ask(MESSAGES, 1.0)
        self.assertEqual(len(limits.take(1.0)), 1)

    def test_who_leaves_the_queue_is_forgotten(self) -> None:
        """Leaving twice is leaving once."""
        limits = RateLimits()
        ticket = limits.ask(MESSAGES, 0.0)
        limits.leave(ticket)
        limits.leave(ticket)
        self.assertEqual((limits.take(0.0), limits.next_time(0.0)), ([], None))

    def test_idle_buckets_are_dropped_and_hashes_kept(self) -> None:
        """A bot that meets a million channels doesn't remember them all."""
        limits = RateLimits()
        for channel in range(100):
            route = route_of("GET", f"/channels/{channel}/messages")
            limits.answered(_sent(limits, route, 0.0 + channel), told(), 0.0 + channel)
        limits.take(10_000.0)
        self.assertEqual(limits._buckets, {})
        self.assertEqual(len(limits._hashes), 1)


class RefusalTests(SynchronousTestCase):
    """Each kind of 429."""

    def _after(self, refusal: Refusal, seconds: float = 5.0) -> tuple[RateLimits, Ticket]:
        limits = RateLimits()
        limits.answered(_sent(limits, MESSAGES, 0.0), told(remaining=4), 0.0)
        ticket = _sent(limits, MESSAGES, 0.0)
        limits.answered(ticket, refused(refusal, seconds, Quota("b", 5, 3, 1.0)), 0.0)
        return limits, ticket

    def test_bucket_and_shared_block_the_bucket(self) -> None:
        """Others of the bucket wait as well, other buckets don't; the refused one keeps its place."""
        for refusal in (Refusal.BUCKET, Refusal.SHARED):
            limits, ticket = self._after(refusal)
            limits.ask(MESSAGES, 0.0)
            limits.again(ticket, 0.0)
            free = limits.ask(PINS, 0.0)
            self.assertEqual(limits.take(4.9), [free])
            self.assertEqual(limits.take(5.0)[0], ticket)

    def test_only_shared_is_not_held_against_us(self) -> None:
        """The others count towards the ban of an address."""
        for refusal in Refusal:
            self.assertEqual(self._after(refusal)[0].invalid_requests(0.0), int(refusal is not Refusal.SHARED), refusal)

    def test_a_sublimit_delays_only_its_like(self) -> None:
        """A channel's name may be changed twice in ten minutes; its other fields more often."""
        limits, patch = RateLimits(), route_of("PATCH", "/channels/1")
        name = frozenset({"name"})
        first = limits.ask(patch, 0.0, name)
        limits.take(0.0)
        limits.answered(first, refused(Refusal.SUBLIMIT, 500.0, Quota("b", 5, 4, 10.0)), 0.0)
        again, other = limits.ask(patch, 0.0, name), limits.ask(patch, 0.0, frozenset({"nsfw"}))
        self.assertEqual(limits.take(0.0), [other])
        self.assertEqual(limits.next_time(0.0), 500.0)
        self.assertEqual(limits.take(500.0), [again])

    def test_the_global_limit_stops_all_but_interactions(self) -> None:
        """Every bucket waits."""
        limits, _ = self._after(Refusal.GLOBAL)
        limits.ask(PINS, 0.0)
        callback = limits.ask(route_of("POST", "/interactions/1/t/callback"), 0.0)
        self.assertEqual(limits.take(4.9), [callback])
        self.assertEqual(len(limits.take(5.0)), 1)

    def test_a_ban_stops_everything(self) -> None:
        """Who waits goes on waiting, who asks is told."""
        limits = RateLimits()
        waiting = limits.ask(PINS, 0.0)
        sent = limits.ask(MESSAGES, 0.0)
        limits.take(0.0)
        limits.leave(waiting)
        limits.again(waiting, 0.0)
        limits.answered(sent, refused(Refusal.BANNED, 3600.0), 0.0)
        self.assertEqual(limits.take(3599.0), [])
        self.assertRaises(Unavailable, limits.ask, PINS, 3599.0)
        self.assertEqual(limits.take(3600.0), [waiting])


class InvalidRequestTests(SynchronousTestCase):
    """Discord bans an address after 10,000 invalid requests in ten minutes."""

    def _spoiled(self, count: int) -> RateLimits:
        limits = RateLimits(per_second=1_000_000, waiting_limit=1_000_000)
        limits.answered(_sent(limits, MESSAGES, 0.0), Answer(200), 0.0)
        for _ in range(count):
            limits.ask(MESSAGES, 0.0)
        for ticket in limits.take(0.0):
            limits.answered(ticket, Answer(403), 0.0)
        return limits

    def test_many_slow_everything_down(self) -> None:
        """From the threshold on, five requests a second at most."""
        limits = self._spoiled(INVALID_SLOW)
        for _ in range(20):
            limits.ask(MESSAGES, 2.0)
        self.assertEqual(len(limits.take(2.0)), SLOW_PER_SECOND)

    def test_at_the_brink_nothing_is_asked(self) -> None:
        """Until the old ones are ten minutes past."""
        limits = self._spoiled(INVALID_STOP)
        self.assertRaises(Unavailable, limits.ask, MESSAGES, 1.0)
        self.assertIsNotNone(limits.ask(MESSAGES, INVALID_WINDOW))

    def test_slow_stays_below_the_brink(self) -> None:
        """Ten minutes of nothing but refusals at the slow pace don't reach it."""
        self.assertLess(INVALID_SLOW + SLOW_PER_SECOND * INVALID_WINDOW, INVALID_STOP)

    def test_the_queue_is_bounded(self) -> None:
        """Who asks when too many wait is told at once."""
        limits = RateLimits(waiting_limit=3)
        for _ in range(3):
            limits.ask(MESSAGES, 0.0)
        self.assertRaises(Unavailable, limits.ask, MESSAGES, 0.0)


@define
class FixedWindow:
    """Discord's side of one bucket: a window opens at its first request."""

    limit: int
    seconds: float
    opened: float = float("-inf")
    used: int = 0
    refusals: int = field(default=0, init=False)

    def request(self, now: float) -> Answer:
        if now >= self.opened + self.seconds:
            self.opened, self.used = now, 0
        rest = self.opened + self.seconds - now
        if self.used >= self.limit:
            self.refusals += 1
            return refused(Refusal.BUCKET, rest, Quota("b", self.limit, 0, rest))
        self.used += 1
        return told("b", self.limit, self.limit - self.used, rest)


class NeverAboveTests(SynchronousTestCase):
    """What must hold for any traffic."""

    @settings(deadline=None, database=None, max_examples=150)
    @given(
        limit=st.integers(1, 6),
        seconds=st.floats(0.5, 5.0),
        asks=st.lists(st.floats(0.0, 20.0), min_size=1, max_size=40),
        ways=st.lists(st.floats(0.001, 1.5), min_size=1, max_size=20),
    )
    def test_discord_never_refuses(self, limit: int, seconds: float, asks: list[float], ways: list[float]) -> None:
        """Whatever the latencies, each request arrives in a window that has room for it, and all arrive."""
        limits, server = RateLimits(), FixedWindow(limit, seconds)
        sequence = iter(range(1_000_000))
        events: list[tuple[float, int, str, object]] = [(at, next(sequence), "ask", None) for at in asks]
        heapq.heapify(events)
        answered = steps = 0
        while events and (steps := steps + 1) < 20_000:
            now, _, kind, what = heapq.heappop(events)
            if kind == "ask":
                limits.ask(MESSAGES, now)
            elif kind == "arrives":
                back = now + ways[next(sequence) % len(ways)]
                heapq.heappush(events, (back, next(sequence), "answer", (what, server.request(now))))
            elif kind == "answer":
                assert isinstance(what, tuple)
                ticket, answer = what
                limits.answered(ticket, answer, now)
                answered += 1
            for ticket in limits.take(now):
                there = now + ways[next(sequence) % len(ways)]
                heapq.heappush(events, (there, next(sequence), "arrives", ticket))
            following = limits.next_time(now)
            if following is not None:
                heapq.heappush(events, (max(now, following), next(sequence), "wake", None))
        self.assertEqual((server.refusals, answered), (0, len(asks)))

    @settings(deadline=None, database=None, max_examples=60)
    @given(st.lists(st.tuples(st.floats(0.0, 3.0), st.integers(0, 5)), min_size=1, max_size=200), st.integers(1, 50))
    def test_never_more_than_the_global_limit(self, asks: list[tuple[float, int]], per_second: int) -> None:
        """In any one second, over all buckets; and none waits for ever."""
        limits, sent = RateLimits(per_second), []
        pending = sorted(asks)
        now = 0.0
        while pending or limits.next_time(now) is not None:
            following = limits.next_time(now)
            upcoming = [pending[0][0]] if pending else []
            now = max(now, min([*upcoming, *([following] if following is not None else [])]))
            while pending and pending[0][0] <= now:
                limits.ask(Route(f"GET /{pending.pop(0)[1]}"), now)
            for ticket in limits.take(now):
                sent.append(now)
                limits.answered(ticket, Answer(200), now)
        self.assertEqual(len(sent), len(asks))
        for earlier, later in zip(sent, sent[per_second:], strict=False):
            self.assertGreaterEqual(later, earlier + 1.0)


def _sent(limits: RateLimits, route: Route, now: float) -> Ticket:
    """Ask and send at once."""
    ticket = limits.ask(route, now)
    assert ticket in limits.take(now), "the request should have been sent"
    return ticket
