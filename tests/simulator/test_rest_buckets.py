"""The limits of REST without a socket: time is an argument."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.simulator.rest.answers import banned, is_invalid, json_answer, rate_limited
from rateway.simulator.rest.buckets import Bucket, Buckets, Route, generic_route, major_of, up, without_secrets
from rateway.simulator.rest.limits import InvalidRequests, SubLimits, Window, Windows
from rateway.simulator.rest.messages import Nonces, age_of


class RouteTests(SynchronousTestCase):
    """Which bucket a request counts against."""

    def test_major(self) -> None:
        """The major parameter is what stands behind a leading channels, guilds or webhooks, nothing else."""
        paths = ("/channels/1/messages", "/guilds/2", "/webhooks/3", "/webhooks/3/token/messages/4", "/gateway")
        self.assertEqual([major_of(path) for path in paths], ["1", "2", "3", "3/token", ""])
        self.assertEqual(major_of("/users/@me/guilds/4"), "")

    def test_shared(self) -> None:
        """Two routes of one hash share a counter; two majors don't."""
        buckets = Buckets()
        one, two = Route(template="/channels/{}/a", bucket="h"), Route(template="/channels/{}/b", bucket="h")
        self.assertIs(buckets.of(one, "/channels/1/a"), buckets.of(two, "/channels/1/b"))
        self.assertIsNot(buckets.of(one, "/channels/1/a"), buckets.of(one, "/channels/2/a"))

    def test_generic(self) -> None:
        """Undefined routes have a bucket per method and template: ids and tokens don't matter, methods do."""
        hashes = [
            generic_route(method, path).bucket
            for method, path in (
                ("GET", "/channels/100000/x/200000"),
                ("GET", "/channels/300000/x/400000"),
                ("PUT", "/channels/100000/x/200000"),
                ("PUT", "/webhooks/100000/aToken/x"),
                ("PUT", "/webhooks/200000/another/x"),
                ("PUT", "/channels/100000/messages/200000/reactions/x/@me"),
                ("PUT", "/channels/100000/messages/200000/reactions/y/@me"),
            )
        ]
        same = [first == second for first, second in pairwise(hashes)]
        self.assertEqual(same, [True, False, False, True, False, True])

    def test_templates(self) -> None:
        """A template matches whole paths, one part for each pair of braces, of its method."""
        route = Route(method="GET", template="/channels/{}/x.y/{}")
        self.assertTrue(route.matches("GET", "/channels/1/x.y/2"))
        self.assertEqual(route.parts("/channels/1/x.y/2%2F3"), ("1", "2%2F3"))
        for method, path in (("PUT", "/channels/1/x.y/2"), ("GET", "/channels/1/xzy/2"), ("GET", "/channels/1/x.y")):
            self.assertFalse(route.matches(method, path))

    def test_forgotten(self) -> None:
        """Buckets that are whole again are forgotten once there are very many."""
        buckets, route = Buckets(), Route(template="/channels/{}", limit=1, per=1.0)
        kept = buckets.of(route, "/channels/0", 0.0)
        assert kept is not None
        kept.ends = 100.0
        for number in range(1, 10_002):
            buckets.of(route, f"/channels/{number}", 50.0)
        self.assertIs(buckets.of(route, "/channels/0", 50.0), kept)
        self.assertLess(len(buckets), 10)

    def test_secrets(self) -> None:
        """What is logged of a path bears no token."""
        self.assertEqual(without_secrets("/webhooks/1/abc/messages/2"), "/webhooks/1/…/messages/2")
        self.assertEqual(without_secrets("/interactions/1/abc/callback"), "/interactions/1/…/callback")
        self.assertEqual(without_secrets("/channels/1/webhooks"), "/channels/1/webhooks")


class BucketTests(SynchronousTestCase):
    """One counter."""

    def test_whole(self) -> None:
        """A bucket refills as a whole when its window is over."""
        bucket = Bucket(2, 2.0)
        granted = [bucket.take(now) for now in (10.0, 11.0, 11.9, 12.0, 13.0, 13.9, 14.0)]
        self.assertEqual(granted, [True, True, False, True, True, False, True])
        self.assertEqual((bucket.wait(15.0), bucket.remaining(15.0)), (0.0, 1))

    def test_headers(self) -> None:
        """They say what is left, and when all of it is back, rounded up."""
        bucket = Bucket(5, 2.0)
        bucket.take(1000.0)
        headers = bucket.headers(1000.4996, "h")
        self.assertEqual(
            headers,
            {
                "X-RateLimit-Limit": "5",
                "X-RateLimit-Remaining": "4",
                "X-RateLimit-Reset": "1002.000",
                "X-RateLimit-Reset-After": "1.501",
                "X-RateLimit-Bucket": "h",
            },
        )

    def test_sliding(self) -> None:
        """A sliding one gets a place back every ``per / limit`` seconds."""
        bucket = Bucket(5, 5.0, sliding=True)
        self.assertEqual([bucket.take(10.0) for _ in range(6)], [True] * 5 + [False])
        self.assertAlmostEqual(bucket.wait(10.0), 1.0)
        self.assertEqual((bucket.reset_after(10.0), bucket.remaining(10.0)), (5.0, 0))
        self.assertEqual([bucket.take(now) for now in (10.9, 11.0, 11.0)], [False, True, False])
        self.assertEqual((bucket.reset_after(13.0), bucket.remaining(13.0)), (3.0, 2))

    @given(
        st.booleans(),
        st.integers(1, 20),
        st.floats(0.05, 60.0),
        st.lists(st.floats(0.0, 3.0), max_size=60),
    )
    @settings(max_examples=60, deadline=None)
    def test_who_waits_is_let_in(self, sliding: bool, limit: int, per: float, steps: list[float]) -> None:
        """Who was refused and waits as told is granted; who reads the headers after a grant knows what is left."""
        bucket, now = Bucket(limit, per, sliding), 1000.0
        for step in steps:
            now += step
            left = bucket.remaining(now)
            self.assertEqual(bucket.take(now), left > 0)
            if left > 0:
                self.assertEqual(bucket.remaining(now), left - 1)
            else:
                now += up(bucket.wait(now))
                self.assertTrue(bucket.take(now))

    @given(st.booleans(), st.integers(1, 10), st.lists(st.floats(0.0, 1.0), max_size=80))
    @settings(max_examples=60, deadline=None)
    def test_never_more_than_twice(self, sliding: bool, limit: int, steps: list[float]) -> None:
        """No window of any place has more than two windows' worth; from its start on never more than one."""
        bucket, now, granted = Bucket(limit, 2.0, sliding), 0.0, []
        for step in steps:
            now += step
            if bucket.take(now):
                granted.append(now)
        for start in granted:
            self.assertLessEqual(sum(start <= at < start + 2.0 for at in granted), 2 * limit)
        if granted:
            first = sum(at < granted[0] + 2.0 for at in granted)
            self.assertLessEqual(first, 2 * limit - 1 if sliding else limit)


class WindowTests(SynchronousTestCase):
    """The limits that no header shows."""

    def test_window(self) -> None:
        """A limit slides; what was refused doesn't count."""
        window = Window(2, 1.0)
        waits = [window.take(now) for now in (0.0, 0.4, 0.5, 0.9, 1.0, 1.1)]
        self.assertEqual([wait == 0 for wait in waits], [True, True, False, False, True, False])
        self.assertAlmostEqual(waits[2], 0.5)
        self.assertAlmostEqual(waits[5], 0.3)

    def test_windows(self) -> None:
        """Each key has its own."""
        windows = Windows(1, 1.0)
        self.assertEqual([windows.take(key, 0.0) for key in "aba"], [0.0, 0.0, 1.0])

    def test_invalid_requests(self) -> None:
        """So many within the period bring a ban, once; after it all is forgotten. Other addresses are not concerned."""
        invalid = InvalidRequests(3, 10.0, 60.0)
        noted = [invalid.note("a", now) for now in (0.0, 1.0, 10.5, 10.6, 10.7)]
        self.assertEqual(noted, [False, False, False, True, False])
        self.assertAlmostEqual(invalid.banned_for("a", 20.6), 50.0)
        self.assertEqual(invalid.banned_for("b", 20.6), 0.0)
        self.assertEqual((invalid.banned_for("a", 70.6), invalid.count("a", 12.0)), (0.0, 1))
        self.assertFalse(invalid.note("a", 71.0))

    def test_no_limit(self) -> None:
        """0 is no limit."""
        window, invalid = Window(0, 1.0), InvalidRequests(0, 10.0, 60.0)
        self.assertEqual({window.take(0.0) for _ in range(200)}, {0.0})
        self.assertFalse(any(invalid.note("a", 0.0) for _ in range(200)))

    def test_discords_threshold(self) -> None:
        """9,999 in ten minutes are borne, the next one isn't."""
        invalid = InvalidRequests(10_000, 600.0, 3600.0)
        noted = [invalid.note("a", number * 0.05) for number in range(10_000)]
        self.assertEqual((noted.index(True), sum(noted)), (9_999, 1))

    def test_slow_enough(self) -> None:
        """Whoever stays below the rate is never banned."""
        invalid = InvalidRequests(100, 600.0, 3600.0)
        self.assertFalse(any(invalid.note("a", number * 6.1) for number in range(1000)))

    def test_what_counts(self) -> None:
        """401, 403 and 429 count, but not what is shared with others, nor the edge's own."""
        for answer, counts in (
            (json_answer(401, {}), True),
            (json_answer(403, {}), True),
            (rate_limited("user"), True),
            (rate_limited("global"), True),
            (rate_limited("shared"), False),
            (banned(), False),
            (json_answer(404, {}), False),
            (json_answer(200, {}), False),
        ):
            self.assertEqual(is_invalid(answer), counts, answer)

    def test_sub_limits(self) -> None:
        """Two changes of a field in ten minutes; a refusal costs none of them, and only ignoring it is early."""
        limits = SubLimits()
        self.assertEqual([limits.take(["name"], now) for now in (0.0, 100.0)], [(0.0, False)] * 2)
        self.assertEqual(limits.take(["name", "topic"], 200.0), (400.0, False))
        self.assertEqual(limits.take(["name"], 300.0), (300.0, True))
        self.assertEqual([limits.take(["topic"], now) for now in (601.0, 602.0)], [(0.0, False)] * 2)
        self.assertEqual(limits.take(["name"], 603.0), (0.0, False))

    def test_nonces(self) -> None:
        """A nonce is remembered for a while, by channel."""
        nonces = Nonces()
        nonces.note(1, "n", 7, 0.0)
        nonces.note(1, 5, 8, 0.0)
        found = [nonces.find(channel, nonce, now) for channel, nonce, now in ((1, "n", 299.0), (2, "n", 1.0))]
        self.assertEqual(found, [7, None])
        self.assertEqual([nonces.find(1, "5", 1.0), nonces.find(1, "n", 300.0)], [8, None])
        for number in range(1000):
            nonces.note(3, number, number, 1.0)
        self.assertIsNone(nonces.find(1, "n", 1.0))

    def test_age(self) -> None:
        """An id says when it was given out."""
        self.assertAlmostEqual(age_of(175928847299117063, 1462015105.796 + 60), 60.0, places=3)
