"""The REST side over real sockets: what a client is answered, and what is on record."""

from __future__ import annotations

import json
from typing import Any

import treq
from attrs import frozen
from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import Agent, HTTPConnectionPool

from rateway.simulator.rest.buckets import Bucket, Buckets, Route, generic_route, major_of
from rateway.simulator.rest.server import banned, json_answer, rate_limited
from rateway.simulator.simulator import Simulator
from tests.simulator.client import SimulatorTestCase, the_reactor

GOOD: dict[Any, Any] = {"Authorization": "Bot simulator-token", "User-Agent": "DiscordBot (https://example.invalid, 1)"}


@frozen
class Reply:
    """What came back."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        values = self.headers.getRawHeaders(name)
        return values[0] if values else None


class RestCase(SimulatorTestCase):
    """A REST client without any care for limits."""

    def setUp(self) -> None:
        pool = HTTPConnectionPool(the_reactor(), persistent=True)
        pool.maxPersistentPerHost = 20
        self.addCleanup(pool.closeCachedConnections)
        self.client = treq.client.HTTPClient(Agent(the_reactor(), pool=pool))

    async def ask(
        self, simulator: Simulator, path: str, method: str = "GET", headers: dict[Any, Any] | None = None, **more: Any
    ) -> Reply:
        given = GOOD if headers is None else headers
        response = await self.client.request(method, simulator.api_url + path, headers=given, **more)
        return Reply(response.code, response.headers, await treq.content(response))


class FixedRouteTests(RestCase):
    """The routes a gateway client needs."""

    async def test_gateway_bot(self) -> None:
        """GET /gateway/bot gives address, shards and the live session_start_limit."""
        simulator = await self.start(shards=3, max_concurrency=16, session_total=1000, session_remaining=1000)
        reply = await self.ask(simulator, "/gateway/bot")
        limits = {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 16}
        self.assertEqual(
            (reply.status, reply.json),
            (200, {"url": f"ws://127.0.0.1:{simulator.port}", "shards": 3, "session_start_limit": limits}),
        )
        await self.ready(simulator)
        after = (await self.ask(simulator, "/gateway/bot")).json["session_start_limit"]
        self.assertEqual(after["remaining"], 999)
        self.assertTrue(86_300_000 < after["reset_after"] <= 86_400_000)

    async def test_exhausted_at_start(self) -> None:
        """An allowance used up already shows when it is renewed."""
        simulator = await self.start(session_remaining=2, reset_after=60.0)
        limits = (await self.ask(simulator, "/gateway/bot")).json["session_start_limit"]
        self.assertEqual(limits["remaining"], 2)
        self.assertTrue(59_000 < limits["reset_after"] <= 60_000)

    async def test_gateway_needs_no_token(self) -> None:
        """GET /gateway works without Authorization; the slash at the end is a matter of choice."""
        simulator = await self.start(trailing_slash=True)
        reply = await self.ask(simulator, "/gateway", headers={"User-Agent": GOOD["User-Agent"]})
        self.assertEqual(reply.json, {"url": f"ws://127.0.0.1:{simulator.port}/"})
        self.assertEqual(simulator.breaches, [])

    async def test_who_am_i(self) -> None:
        """The bot and its application."""
        simulator = await self.start()
        me = (await self.ask(simulator, "/users/@me")).json
        application = (await self.ask(simulator, "/applications/@me")).json
        self.assertEqual((me["id"], me["bot"], application["id"]), (application["id"], True, me["id"]))

    async def test_wrong_token(self) -> None:
        """No token, a bare one, or another's: 401, and a breach."""
        simulator = await self.start()
        for authorization in (None, "simulator-token", "Bot x"):
            headers = {**GOOD, "Authorization": authorization or ""}
            reply = await self.ask(simulator, "/gateway/bot", headers=headers)
            self.assertEqual((reply.status, reply.json), (401, {"message": "401: Unauthorized", "code": 0}))
        self.assertEqual([breach.rule for breach in simulator.breaches], ["rest-token"] * 3)

    async def test_wrong_user_agent(self) -> None:
        """Another user agent than DiscordBot's is refused with code 40333."""
        simulator = await self.start()
        reply = await self.ask(simulator, "/gateway/bot", headers={**GOOD, "User-Agent": "Mozilla/5.0"})
        self.assertEqual((reply.status, reply.json["code"]), (403, 40333))
        self.assertEqual([breach.rule for breach in simulator.breaches], ["user-agent"])

    async def test_elsewhere(self) -> None:
        """Other versions don't exist; the site's root says what it is."""
        simulator = await self.start()
        base = simulator.api_url.removesuffix("/api/v10")
        response = await self.client.get(base + "/api/v6/gateway", headers=GOOD)
        self.assertEqual((response.code, json.loads(await treq.content(response))["code"]), (404, 0))
        response = await self.client.get(base + "/")
        self.assertEqual(response.code, 200)
        self.assertIn(b"/api/v10", await treq.content(response))

    async def test_request_log(self) -> None:
        """Method, path, query, body, headers, status and time of each request are on record."""
        simulator = await self.start()
        await self.ask(simulator, "/channels/123456/messages?x=1", "POST", json={"content": "hi"})
        (request,) = simulator.rest.requests("/channels/123456/messages", "POST")
        self.assertEqual((request.query, json.loads(request.body), request.status), ("x=1", {"content": "hi"}, 200))
        self.assertTrue(request.headers["content-type"].startswith("application/json"))
        assert request.answered_at is not None
        self.assertTrue(request.at <= request.answered_at)


class LimitTests(RestCase):
    """Rate limits."""

    async def test_bucket(self) -> None:
        """Each answer counts down; beyond the limit comes a 429 of scope user, recorded as a breach."""
        simulator = await self.start()
        simulator.rest.route(Route(template="/channels/{}/messages", limit=2, per=0.4, bucket="abc"))
        replies = [await self.ask(simulator, "/channels/1/messages") for _ in range(3)]
        self.assertEqual([reply.status for reply in replies], [200, 200, 429])
        self.assertEqual([reply.header("X-RateLimit-Remaining") for reply in replies], ["1", "0", "0"])
        self.assertEqual({reply.header("X-RateLimit-Bucket") for reply in replies}, {"abc"})
        limited = replies[2]
        self.assertEqual((limited.header("X-RateLimit-Scope"), limited.json["global"]), ("user", False))
        self.assertEqual([breach.rule for breach in simulator.breaches], ["rest-bucket"])
        await deferLater(the_reactor(), limited.json["retry_after"] + 0.01)
        self.assertEqual((await self.ask(simulator, "/channels/1/messages")).status, 200)

    async def test_global_limit(self) -> None:
        """More requests a second than allowed over all routes: a global 429."""
        simulator = await self.start(global_limit=3)
        replies = [await self.ask(simulator, f"/things/{number}") for number in range(4)]
        self.assertEqual([reply.status for reply in replies], [200, 200, 200, 429])
        self.assertEqual((replies[3].header("X-RateLimit-Global"), replies[3].json["global"]), ("true", True))

    async def test_in_flight(self) -> None:
        """The most requests of a route answered at the same time are on record."""
        simulator = await self.start()
        simulator.rest.route(Route(template="/slow", limit=0, delay=0.1))
        await gatherResults([self.defer(self.ask(simulator, "/slow")) for _ in range(4)])
        await self.ask(simulator, "/slow")
        self.assertEqual(simulator.rest.in_flight_max["GET /slow"], 4)
        self.assertIsNone((await self.ask(simulator, "/slow")).header("X-RateLimit-Bucket"))

    async def test_client_goes_away(self) -> None:
        """A client that doesn't wait for its answer harms nothing."""
        simulator = await self.start()
        simulator.rest.route(Route(template="/slow", delay=0.05))
        asked = self.defer(self.ask(simulator, "/slow"))
        await simulator.until(lambda: simulator.rest.requests("/slow"))
        asked.cancel()
        await self.assertFailure(asked, Exception)
        await simulator.until(lambda: simulator.rest.requests("/slow")[0].status)

    @staticmethod
    def defer(coroutine: Any) -> Any:
        from twisted.internet.defer import Deferred

        return Deferred.fromCoroutine(coroutine)


class ScriptTests(RestCase):
    """Answers that a test wants."""

    async def test_in_turn(self) -> None:
        """Scripted answers come in turn, also without a right token; then the usual one."""
        simulator = await self.start()
        simulator.rest.script("/gateway/bot", [(503, {}, b""), (503, {}, b""), json_answer(401, {"code": 0})])
        statuses = [(await self.ask(simulator, "/gateway/bot")).status for _ in range(4)]
        self.assertEqual(statuses, [503, 503, 401, 200])
        self.assertEqual(simulator.breaches, [])

    async def test_by_method(self) -> None:
        """A script may wait for a method."""
        simulator = await self.start()
        simulator.rest.script("/x", [(500, {}, b"")], method="POST")
        self.assertEqual((await self.ask(simulator, "/x")).status, 200)
        self.assertEqual((await self.ask(simulator, "/x", "POST")).status, 500)

    async def test_every_429(self) -> None:
        """User, sub-limit, shared, global, and the edge's two: as Discord writes them."""
        simulator = await self.start()
        answers = [
            rate_limited("user", 1.387),
            rate_limited("user", 300.5, remaining=3),
            rate_limited("shared", 610.25, remaining=3, reset_after=20.0),
            rate_limited("global", 0.631),
            banned(),
            banned(html=False, retry_after=3600),
        ]
        simulator.rest.script("/x", answers)
        user, sub, shared, overall, html, edge = [await self.ask(simulator, "/x") for _ in answers]
        self.assertEqual((user.json["retry_after"], user.header("Retry-After")), (1.387, "2"))
        self.assertEqual((sub.header("X-RateLimit-Remaining"), sub.json["retry_after"]), ("3", 300.5))
        self.assertEqual((shared.header("X-RateLimit-Scope"), shared.json["code"]), ("shared", 40062))
        self.assertEqual(shared.header("X-RateLimit-Reset-After"), "20.000")
        self.assertEqual((overall.json["global"], overall.header("X-RateLimit-Bucket")), (True, None))
        self.assertEqual((html.status, html.body[:9], html.header("Via")), (429, b"<!DOCTYPE", None))
        self.assertEqual((edge.header("Retry-After"), "retry_after" in edge.json), ("3600", False))


class BucketTests(SynchronousTestCase):
    """Buckets without a socket."""

    def test_major(self) -> None:
        """The major parameter is the id behind a leading channels, guilds or webhooks, nothing else."""
        paths = ("/channels/1/messages", "/guilds/2", "/webhooks/3/token", "/users/@me/guilds/4", "/gateway")
        self.assertEqual([major_of(path) for path in paths], ["1", "2", "3", "", ""])

    def test_shared(self) -> None:
        """Two routes of one hash share a counter; two majors don't."""
        buckets = Buckets()
        one, two = Route(template="/channels/{}/a", bucket="h"), Route(template="/channels/{}/b", bucket="h")
        self.assertIs(buckets.of(one, "/channels/1/a"), buckets.of(two, "/channels/1/b"))
        self.assertIsNot(buckets.of(one, "/channels/1/a"), buckets.of(one, "/channels/2/a"))

    def test_window(self) -> None:
        """A bucket refills when its window is over."""
        bucket = Bucket(1, 2.0)
        self.assertEqual([bucket.take(now) for now in (10.0, 11.9, 12.0)], [True, False, True])
        self.assertEqual(bucket.headers(13.5, "h")["X-RateLimit-Reset-After"], "0.500")

    def test_generic(self) -> None:
        """Undefined routes have a bucket per method and template: ids don't matter, methods do."""
        hashes = [
            generic_route(method, path).bucket
            for method, path in (
                ("GET", "/channels/100000/x/200000"),
                ("GET", "/channels/300000/x/400000"),
                ("PUT", "/channels/100000/x/200000"),
            )
        ]
        self.assertEqual((hashes[0] == hashes[1], hashes[0] == hashes[2]), (True, False))

    def test_templates(self) -> None:
        """A template matches whole paths, one part for each pair of braces, of its method."""
        route = Route(method="GET", template="/channels/{}/x.y")
        self.assertTrue(route.matches("GET", "/channels/1/x.y"))
        for method, path in (("PUT", "/channels/1/x.y"), ("GET", "/channels/1/xzy"), ("GET", "/channels/1/2/x.y")):
            self.assertFalse(route.matches(method, path))
