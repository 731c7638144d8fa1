"""Limits over real HTTP: the headers of every answer, each kind of 429, and what is held against whom."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.task import deferLater

from rateway.simulator.rest.buckets import Route
from tests.simulator.client import the_reactor
from tests.simulator.rest import GOOD, TOKENLESS, Reply, RestCase, breaches, channel_of, messages_of


def quota(reply: Reply) -> tuple[str | None, ...]:
    """Limit, remaining and hash."""
    return tuple(reply.header(f"X-RateLimit-{name}") for name in ("Limit", "Remaining", "Bucket"))


class BucketTests(RestCase):
    """The buckets of routes."""

    async def test_bucket(self) -> None:
        """Each answer counts down; beyond the limit comes a 429 of scope user, recorded as a breach."""
        simulator = await self.start()
        simulator.rest.route(Route(template="/channels/{}/messages", limit=2, per=1.5, bucket="abc"))
        replies = [await self.ask(simulator, "/channels/1/messages") for _ in range(3)]
        self.assertEqual([reply.status for reply in replies], [200, 200, 429])
        self.assertEqual([quota(reply) for reply in replies], [("2", left, "abc") for left in "100"])
        limited = replies[2]
        self.assertEqual((limited.header("X-RateLimit-Scope"), limited.json["global"]), ("user", False))
        self.assertEqual(limited.header("Via"), "1.1 google")
        self.assertIsNotNone(limited.header("X-RateLimit-Reset"))
        self.assertEqual(breaches(simulator), ["rest-bucket"])
        await deferLater(the_reactor(), limited.json["retry_after"])
        self.assertEqual((await self.ask(simulator, "/channels/1/messages")).status, 200)

    async def test_every_answer(self) -> None:
        """Errors cost a place in the bucket too, and bear its headers."""
        simulator = await self.start()
        simulator.rest.limit("POST", "/channels/{}/messages", 5, 600.0)
        replies = [await self.ask(simulator, "/channels/4711/messages", "POST", json={"content": "x"}) for _ in "123"]
        self.assertEqual([reply.code for reply in replies], [(404, 10003)] * 3)
        self.assertEqual([reply.header("X-RateLimit-Remaining") for reply in replies], ["4", "3", "2"])
        self.assertTrue(0 < float(replies[0].header("X-RateLimit-Reset-After") or 0) <= 600.0)

    async def test_majors_and_methods(self) -> None:
        """Another channel has a bucket of its own, though of the same hash; another method has another hash."""
        simulator = await self.start(guilds=2)
        for method in ("GET", "POST"):
            simulator.rest.limit(method, "/channels/{}/messages", 5, 600.0)
        one, two = (messages_of(simulator.guild(index)) for index in range(2))
        first, again, other, post = [
            await self.ask(simulator, path, method, json={"content": "x"} if method == "POST" else None)
            for path, method in ((one, "GET"), (one, "GET"), (two, "GET"), (one, "POST"))
        ]
        self.assertEqual([reply.header("X-RateLimit-Remaining") for reply in (first, again, other, post)], list("4344"))
        hashes = [reply.header("X-RateLimit-Bucket") for reply in (first, again, other, post)]
        self.assertEqual([hash == hashes[0] for hash in hashes], [True, True, True, False])

    async def test_shared_hash(self) -> None:
        """Routes with the same hash share their count: adding and removing a reaction."""
        simulator = await self.start()
        routes = simulator.rest.routes
        routes[:] = [evolve(route, per=600.0) if "/reactions" in route.template else route for route in routes]
        path = messages_of(simulator.guild(0))
        id = (await self.post(simulator, path, {"content": "x"})).json["id"]
        reaction = f"{path}/{id}/reactions/%F0%9F%91%8D/@me"
        added = await self.ask(simulator, reaction, "PUT")
        removed = await self.ask(simulator, reaction, "DELETE")
        self.assertEqual((added.status, removed.status), (204, 429))
        self.assertEqual(added.header("X-RateLimit-Bucket"), removed.header("X-RateLimit-Bucket"))

    async def test_hash_by_request(self) -> None:
        """Messages are deleted on different buckets by their age."""
        simulator = await self.start()
        path = messages_of(simulator.guild(0))
        fresh = (await self.post(simulator, path, {"content": "x"})).json["id"]
        aged = str(int(fresh) - (60_000 << 22))
        old = str(int(fresh) - (15 * 86_400_000 << 22))
        replies = [await self.ask(simulator, f"{path}/{id}", "DELETE") for id in (fresh, aged, old, "x")]
        self.assertEqual([reply.status for reply in replies], [204, 404, 404, 400])
        hashes = [reply.header("X-RateLimit-Bucket") for reply in replies]
        self.assertEqual((len(set(hashes)), hashes[3]), (3, hashes[1]))

    async def test_limit_of_choice(self) -> None:
        """A test may give a route of the table another limit; its effect stays."""
        simulator = await self.start()
        simulator.rest.limit("POST", "/channels/{}/messages", 1, 10.0)
        path = messages_of(simulator.guild(0))
        replies = [await self.post(simulator, path, {"content": "x"}) for _ in range(2)]
        self.assertEqual([reply.status for reply in replies], [200, 429])
        self.assertTrue(9.0 < replies[1].json["retry_after"] <= 10.0)
        self.assertRaises(LookupError, simulator.rest.limit, "PUT", "/nowhere", 1)

    async def test_shared_resource(self) -> None:
        """A limit used up by others: scope shared, code 40062; no breach, and not held against the address."""
        simulator = await self.start(invalid_limit=2)
        simulator.rest.route(Route(template="/guilds/{}/emojis", limit=1, per=60.0, scope="shared"))
        replies = [await self.ask(simulator, "/guilds/1/emojis") for _ in range(5)]
        self.assertEqual([reply.status for reply in replies], [200, 429, 429, 429, 429])
        self.assertEqual((replies[4].header("X-RateLimit-Scope"), replies[4].json["code"]), ("shared", 40062))
        self.assertEqual(simulator.breaches, [])

    async def test_sub_limit(self) -> None:
        """A channel's name changes twice in ten minutes: 429 though the bucket isn't empty, known only by trying."""
        simulator = await self.start()
        path = f"/channels/{channel_of(simulator.guild(0))}"
        replies = [await self.ask(simulator, path, "PATCH", json={"name": f"n{n}"}) for n in range(3)]
        self.assertEqual([reply.status for reply in replies], [200, 200, 429])
        limited = replies[2]
        self.assertEqual((limited.header("X-RateLimit-Scope"), limited.header("X-RateLimit-Remaining")), ("user", "2"))
        self.assertTrue(590 < limited.json["retry_after"] <= 600)
        self.assertLess(float(limited.header("X-RateLimit-Reset-After") or "inf"), 16)
        self.assertEqual((await self.ask(simulator, path, "PATCH", json={"nsfw": True})).status, 200)
        self.assertEqual(simulator.breaches, [])
        self.assertEqual((await self.ask(simulator, path, "PATCH", json={"name": "n4"})).status, 429)
        self.assertEqual(breaches(simulator), ["rest-bucket"])


class GlobalTests(RestCase):
    """The limit over all routes."""

    async def test_global_limit(self) -> None:
        """More requests a second than allowed over all routes: a global 429."""
        simulator = await self.start(global_limit=3)
        simulator.rest.limiter.overall.period = 60.0
        replies = [await self.ask(simulator, f"/things/{number}") for number in range(4)]
        self.assertEqual([reply.status for reply in replies], [200, 200, 200, 429])
        limited = replies[3]
        self.assertEqual((limited.header("X-RateLimit-Global"), limited.json["global"]), ("true", True))
        self.assertEqual((limited.header("X-RateLimit-Scope"), limited.header("X-RateLimit-Bucket")), ("global", None))
        self.assertTrue(50 < limited.json["retry_after"] <= 60)
        self.assertEqual(breaches(simulator), ["rest-global-limit"])

    async def test_second(self) -> None:
        """After a second at most there is room again."""
        simulator = await self.start(global_limit=1)
        reply = await self.ask(simulator, "/gateway")
        while reply.status == 200:
            reply = await self.ask(simulator, "/gateway")
        self.assertTrue(0 < reply.json["retry_after"] <= 1.0)
        await deferLater(the_reactor(), reply.json["retry_after"])
        self.assertEqual((await self.ask(simulator, "/gateway")).status, 200)

    async def test_exempt(self) -> None:
        """Interactions and what follows them are not bound by it, other webhooks are; nobody pays for another."""
        simulator = await self.start(global_limit=1)
        simulator.rest.limiter.overall.period = 60.0
        bot = simulator.world.bot["id"]
        self.assertEqual((await self.ask(simulator, "/gateway")).status, 200)
        for path in ("/interactions/1/token/callback", f"/webhooks/{bot}/token"):
            for _ in range(2):
                self.assertEqual((await self.post(simulator, path, {"type": 1}, headers=TOKENLESS)).status, 404)
        statuses = [(await self.post(simulator, f"/webhooks/{n}/t", {}, headers=TOKENLESS)).status for n in (5, 6)]
        self.assertEqual(statuses, [404, 429])
        self.assertEqual((await self.ask(simulator, "/gateway")).status, 429)


class InvalidRequestTests(RestCase):
    """The limit that costs an address its access."""

    async def test_ban(self) -> None:
        """Too many of 401, 403 and 429: the edge bans the address, for all tokens and paths, and says for how long."""
        simulator = await self.start(invalid_limit=3)
        wrong = {**GOOD, "Authorization": "Bot wrong"}
        self.assertEqual((await self.ask(simulator, "/users/@me", headers=wrong)).status, 401)
        self.assertEqual((await self.ask(simulator, "/x", headers={**GOOD, "User-Agent": "curl"})).status, 403)
        simulator.rest.stage("/users/@me", "user-429")
        self.assertEqual((await self.ask(simulator, "/users/@me")).status, 429)
        for path in ("/users/@me", "/gateway"):
            reply = await self.ask(simulator, path)
            self.assertEqual((reply.status, reply.header("Content-Type")), (429, "text/html"))
            self.assertEqual([reply.header(name) for name in ("Via", "X-RateLimit-Scope")], [None, None])
            self.assertEqual(reply.header("Retry-After"), "3600")
        rules = ["rest-token", "user-agent", "rest-invalid-requests", "rest-invalid-requests", "rest-invalid-requests"]
        self.assertEqual(breaches(simulator), rules)

    async def test_not_counted(self) -> None:
        """A shared 429, an answer of the edge's, 404 and 5xx bring nobody nearer to the ban."""
        simulator = await self.start(invalid_limit=1)
        for name in ("shared-429", "cloudflare-429", "not-found", "bad-gateway"):
            simulator.rest.stage("/x", name)
            await self.ask(simulator, "/x")
        self.assertEqual((await self.ask(simulator, "/x")).status, 200)
        self.assertEqual(simulator.breaches, [])
