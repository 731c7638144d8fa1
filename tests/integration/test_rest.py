"""Discord's REST and its limits, over real sockets (acceptance criteria 64 to 69)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from rateway.errors import FatalError, Unavailable
from rateway.http.client import DiscordClient, RateLimited, Response
from rateway.http.limits import RateLimits
from rateway.simulator.options import SimulatorOptions
from rateway.simulator.records import RestRequest
from rateway.simulator.rest.buckets import Route
from rateway.simulator.rest.server import banned, json_answer, rate_limited
from rateway.simulator.simulator import Simulator

from .harness import TOKEN

MESSAGES, PINS = "/channels/{}/messages", "/channels/{}/pins"
ONE, OTHER = "/channels/100000000000000001", "/channels/100000000000000002"
ROUND = 0.01
"""Discord's headers and our clocks are exact to the millisecond."""


def quota(bucket: str, limit: int, remaining: int, reset_after: float) -> dict[str, str]:
    """A bucket's state, as an answer's headers tell it."""
    return {
        "X-RateLimit-Bucket": bucket,
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset-After": f"{reset_after:.3f}",
    }


class RestTests(TestCase):
    """rateway's client against the simulator, which counts as Discord does."""

    timeout = 300

    async def setUp(self) -> None:  # type: ignore[override]
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.discord = Simulator(reactor, SimulatorOptions(token=TOKEN))
        # Limits are what these tests are about: their channels exist in no world.
        for template in ("/channels/{}", MESSAGES):
            self.discord.rest.route(Route(template=template))
        await self.discord.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.discord.stop()))
        self.limits = RateLimits()
        self.client = self.make_client()

    def make_client(self, token: str = TOKEN, uniform: Callable[[float, float], float] = max) -> DiscordClient:
        """A client whose backoff is the longest it may be."""
        client = DiscordClient(self.reactor, self.discord.api_url, token, limits=self.limits, uniform=uniform)
        self.addCleanup(lambda: Deferred.fromCoroutine(client.close()))
        return client

    def ask(self, method: str, path: str, **options: Any) -> Deferred[Response]:
        """A request, under way."""
        return Deferred.fromCoroutine(self.client.request(method, path, **options))

    def ask_gateway(self) -> Deferred[Any]:
        """GET /gateway/bot, as the parent asks it."""
        return Deferred.fromCoroutine(self.client.gateway_bot())

    async def ask_all(self, *paths: str) -> list[int]:
        """GET all of them at the same time; the answers' status."""
        return [response.status for response in await gatherResults([self.ask("GET", path) for path in paths])]

    def times(self, path: str | None = None) -> list[float]:
        """When requests came."""
        return [request.at for request in self.discord.rest.requests(path)]

    def assert_no_refusal(self) -> None:
        """No limit was ever met."""
        self.assertEqual(self.discord.breaches, [])
        self.assertNotIn(429, [request.status for request in self.discord.rest.requests()])

    async def refused(self, asked: Awaitable[object], kind: type[Exception]) -> Exception:
        """The error of a request that fails."""
        try:
            await asked
        except kind as error:
            return error
        raise AssertionError(f"no {kind.__name__}")

    # The tests

    async def test_criterion_64_first_use_of_a_route(self) -> None:
        """Ten at once on an unknown route: one goes, the rest wait for what it tells; no 429."""
        self.discord.rest.route(Route(method="GET", template=MESSAGES, limit=5, per=0.5, delay=0.1))
        self.assertEqual(set(await self.ask_all(*[f"{ONE}/messages"] * 10)), {200})
        first, *others = self.discord.rest.requests(f"{ONE}/messages")
        assert first.answered_at is not None
        self.assertEqual(len(others), 9)
        self.assertGreaterEqual(min(request.at for request in others), first.answered_at)
        self.assertGreater(self.discord.rest.in_flight_max[f"GET {ONE}/messages"], 1)
        self.assert_no_refusal()

    async def test_criterion_64_first_use_without_a_bucket(self) -> None:
        """Where the first answer shows that there is no bucket, all others go at once."""
        self.discord.rest.route(Route(method="GET", template=MESSAGES, limit=0, delay=0.5))
        await self.ask_all(*[f"{ONE}/messages"] * 10)
        first, *others = self.discord.rest.requests()
        assert first.answered_at is not None
        self.assertGreaterEqual(min(request.at for request in others), first.answered_at)
        self.assertEqual(self.discord.rest.in_flight_max[f"GET {ONE}/messages"], 9)

    async def test_criterion_65_routes_of_one_bucket(self) -> None:
        """Two routes of the same hash share their count; another channel has its own."""
        for template in (MESSAGES, PINS):
            self.discord.rest.route(Route(method="GET", template=template, limit=2, per=1.0, bucket="shared-by-both"))
        await self.ask_all(f"{ONE}/messages")
        await self.ask_all(f"{ONE}/pins")
        await self.ask_all(f"{ONE}/messages", f"{ONE}/pins", f"{OTHER}/messages", f"{OTHER}/pins")
        waited = [self.times(path)[-1] for path in (f"{ONE}/messages", f"{ONE}/pins")]
        self.assertGreaterEqual(min(waited) - self.times()[0], 1.0 - ROUND)
        self.assertLess(max(self.times(path)[-1] for path in (f"{OTHER}/messages", f"{OTHER}/pins")), min(waited))
        self.assert_no_refusal()

    async def test_criterion_66_nothing_remains(self) -> None:
        """Remaining 0, reset after 1.5 s: the next request comes no earlier."""
        self.discord.rest.script(f"{ONE}/messages", [json_answer(200, [], quota("b", 5, 0, 1.5))])
        await self.ask_all(f"{ONE}/messages")
        await self.ask_all(f"{ONE}/messages")
        first, second = self.times()
        self.assertGreaterEqual(second - first, 1.5 - ROUND)

    async def test_criterion_67_bucket(self) -> None:
        """429 of the bucket: all of it waits for retry_after, another channel doesn't; held against us."""
        self.discord.rest.route(Route(method="GET", template=MESSAGES, limit=5, per=0.1, bucket="reading"))
        await self.ask_all(f"{ONE}/messages", f"{OTHER}/messages")
        self.discord.rest.script(f"{ONE}/messages", [rate_limited("user", 1.0, bucket="reading")])
        asked = self.ask("GET", f"{ONE}/messages")
        await self.discord.until(lambda: self.invalid() == 1, what="the refusal")
        self.assertEqual(await self.ask_all(f"{ONE}/messages", f"{OTHER}/messages"), [200, 200])
        self.assertEqual((await asked).status, 200)
        refused, *later = self.after_refusal(f"{ONE}/messages")
        self.assertEqual(len(later), 2)
        self.assertGreaterEqual(min(request.at for request in later) - refused.at, 1.0 - ROUND)
        self.assertLess(self.times(f"{OTHER}/messages")[-1], min(request.at for request in later))
        self.assertEqual(self.invalid(), 1)

    async def test_criterion_67_shared(self) -> None:
        """429 of a resource others use too: waited for, and not held against us."""
        self.discord.rest.script(f"{ONE}/messages", [rate_limited("shared", 1.0)])
        self.assertEqual(await self.ask_all(f"{ONE}/messages"), [200])
        refused, again = self.after_refusal(f"{ONE}/messages")
        self.assertGreaterEqual(again.at - refused.at, 1.0 - ROUND)
        self.assertEqual(self.invalid(), 0)

    async def test_criterion_67_global(self) -> None:
        """429 of the limit over all: every request waits; held against us."""
        await self.ask_all(f"{ONE}/messages", f"{OTHER}/messages")
        self.discord.rest.script(f"{ONE}/messages", [rate_limited("global", 1.0)])
        asked = self.ask("GET", f"{ONE}/messages")
        await self.discord.until(lambda: self.invalid() == 1, what="the refusal")
        self.assertEqual(await self.ask_all(f"{OTHER}/messages", "/users/@me"), [200, 200])
        self.assertEqual((await asked).status, 200)
        refused, *_ = self.after_refusal(f"{ONE}/messages")
        for path in (f"{ONE}/messages", f"{OTHER}/messages", "/users/@me"):
            self.assertGreaterEqual(self.times(path)[-1] - refused.at, 1.0 - ROUND)

    async def test_criterion_67_sub_limit(self) -> None:
        """429 though the bucket isn't empty: only requests with the same fields wait, not the bucket."""
        self.discord.rest.route(Route(method="PATCH", template="/channels/{}", limit=50, per=10.0, bucket="edits"))
        await self.ask("PATCH", ONE, json={"nsfw": True})
        self.discord.rest.script(ONE, [rate_limited("user", 1.5, bucket="edits", limit=50, remaining=40)])
        renamed = self.ask("PATCH", ONE, json={"name": "x"})
        await self.discord.until(lambda: self.invalid() == 1, what="the refusal")
        await self.ask("PATCH", ONE, json={"nsfw": False})
        self.assertFalse(renamed.called)
        self.assertEqual((await renamed).status, 200)
        refused, other, again = self.after_refusal(ONE)
        self.assertLess(other.at, again.at)
        self.assertGreaterEqual(again.at - refused.at, 1.5 - ROUND)

    async def test_criterion_67_html(self) -> None:
        """A page of Cloudflare's: the address is banned, nothing is asked any more, nothing waits for an hour."""
        self.discord.rest.script("/users/@me", [banned(retry_after=3600)])
        error = await self.refused(self.ask("GET", "/users/@me"), RateLimited)
        self.assertIn("Cloudflare", str(error))
        self.assertIn("3600 s", str(error))
        await self.refused(self.ask("GET", f"{ONE}/messages"), Unavailable)
        await self.refused(self.client.gateway_bot(), Unavailable)
        self.assertEqual(len(self.discord.rest.requests()), 1)
        self.assertEqual(self.invalid(), 1)

    async def test_criterion_67_longer_than_anybody_waits(self) -> None:
        """A retry_after of an hour is told to who asked, instead of waited for."""
        self.discord.rest.script(f"{ONE}/messages", [rate_limited("user", 3600.0)])
        error = await self.refused(self.ask("GET", f"{ONE}/messages"), RateLimited)
        self.assertEqual(getattr(error, "retry_after", None), 3600.0)
        self.assertEqual(len(self.discord.rest.requests()), 1)

    async def test_criterion_68_dead_token(self) -> None:
        """401: a sentence for the operator; who waits hears it too, and nothing is asked again."""
        self.client = self.make_client("not-the-token-of-this-bot")
        asked = [self.ask("GET", f"{ONE}/messages") for _ in range(3)]
        for each in asked:
            error = await self.refused(each, FatalError)
            self.assertIn("DISCORD_TOKEN", str(error))
            self.assertNotIn("not-the-token", str(error))
        await self.refused(self.ask("GET", "/users/@me"), FatalError)
        await self.refused(self.client.gateway_bot(), FatalError)
        self.assertEqual([request.status for request in self.discord.rest.requests()], [401])

    async def test_criterion_69_trouble_and_then_not(self) -> None:
        """503 twice, then 200: asked again, after pauses that grow."""
        self.discord.rest.script("/gateway/bot", [(503, {}, b""), (503, {}, b"<html>")])
        found = await self.client.gateway_bot()
        self.assertEqual(found.url, self.discord.gateway_url)
        first, second, third = self.times("/gateway/bot")
        self.assertGreaterEqual(second - first, 1.0 - ROUND)
        self.assertGreaterEqual(third - second, 2.0 - ROUND)

    async def test_criterion_69_what_may_have_been_done(self) -> None:
        """A POST isn't repeated after 503, for Discord may have acted upon it; unless who asks says it may."""
        self.discord.rest.script(f"{ONE}/messages", [(503, {}, b"")])
        self.assertEqual((await self.ask("POST", f"{ONE}/messages", json={"content": "x"})).status, 503)
        self.assertEqual(len(self.discord.rest.requests()), 1)
        self.discord.rest.script(f"{ONE}/messages", [(503, {}, b"")])
        again = await self.ask("POST", f"{ONE}/messages", json={"content": "x", "nonce": "1"}, repeat=True)
        self.assertEqual(again.status, 200)
        self.assertEqual(len(self.discord.rest.requests()), 3)

    async def test_criterion_69_trouble_without_an_end(self) -> None:
        """503 as often as it is tried: who asked is told."""
        self.client = self.make_client(uniform=lambda low, high: 0.01)
        self.discord.rest.script("/gateway/bot", [(503, {}, b"")] * 9)
        error = await self.refused(self.ask("GET", "/gateway/bot"), Unavailable)
        self.assertIn("503", str(error))
        self.assertEqual(len(self.discord.rest.requests()), 4)

    def after_refusal(self, path: str) -> list[RestRequest]:
        """The refused request, and those that came after it."""
        requests = self.discord.rest.requests(path)
        refused = next(index for index, request in enumerate(requests) if request.status == 429)
        return requests[refused:]

    def invalid(self) -> int:
        """How many requests Discord holds against us."""
        return self.limits.invalid_requests(self.reactor.seconds())
