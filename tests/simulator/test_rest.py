"""The REST side over real sockets: who is let in, what a client is answered, and what is on record."""

from __future__ import annotations

import json
from io import BytesIO

import treq
from twisted.internet.defer import gatherResults

from rateway.simulator.rest.buckets import Route
from rateway.simulator.rest.server import Answer, banned, json_answer, rate_limited
from tests.simulator.rest import GOOD, TOKENLESS, RestCase, breaches, channel_of, messages_of


class BotRouteTests(RestCase):
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
        """An allowance used up already shows when it is renewed; then it is whole."""
        simulator = await self.start(session_remaining=2, reset_after=60.0)
        limits = (await self.ask(simulator, "/gateway/bot")).json["session_start_limit"]
        self.assertEqual(limits["remaining"], 2)
        self.assertTrue(59_000 < limits["reset_after"] <= 60_000)
        simulator.hub.allowance.ends = simulator.hub.now()
        limits = (await self.ask(simulator, "/gateway/bot")).json["session_start_limit"]
        self.assertEqual((limits["remaining"], limits["reset_after"]), (1000, 0))

    async def test_gateway_needs_no_token(self) -> None:
        """GET /gateway works without Authorization; the slash at the end is a matter of choice."""
        simulator = await self.start(trailing_slash=True)
        reply = await self.ask(simulator, "/gateway", headers=TOKENLESS)
        self.assertEqual(reply.json, {"url": f"ws://127.0.0.1:{simulator.port}/"})
        self.assertEqual(simulator.breaches, [])

    async def test_who_am_i(self) -> None:
        """The bot and its application, by both of its paths."""
        simulator = await self.start()
        me = (await self.ask(simulator, "/users/@me")).json
        application = (await self.ask(simulator, "/applications/@me")).json
        self.assertEqual((me["id"], me["bot"], application["id"]), (application["id"], True, me["id"]))
        self.assertEqual((await self.ask(simulator, "/oauth2/applications/@me")).json, application)

    async def test_flags_of_the_application(self) -> None:
        """They tell which privileged intents are enabled."""
        for intents, flags in ((0, 0), (1 << 1, 1 << 14), (1 << 8 | 1 << 15, 1 << 12 | 1 << 18)):
            simulator = await self.start(allowed_intents=intents)
            self.assertEqual((await self.ask(simulator, "/applications/@me")).json["flags"], flags)

    async def test_guilds(self) -> None:
        """The bot's guilds by rising id, in pages, with counts on demand."""
        simulator = await self.start(guilds=5)
        ids = [str(id) for id in sorted(simulator.world.guilds)]

        async def listed(query: str) -> list[str]:
            return [guild["id"] for guild in (await self.ask(simulator, f"/users/@me/guilds{query}")).json]

        self.assertEqual(await listed(""), ids)
        self.assertEqual(await listed(f"?after={ids[1]}&limit=2"), ids[2:4])
        self.assertEqual(await listed(f"?before={ids[4]}&limit=2"), ids[2:4])
        (guild,) = (await self.ask(simulator, f"/users/@me/guilds?with_counts=true&after={ids[3]}")).json
        self.assertEqual(guild["approximate_member_count"], simulator.guild(4).member_count)


class AdmissionTests(RestCase):
    """Who is let in."""

    async def test_wrong_token(self) -> None:
        """No token, a bare one, or another's: 401, and a breach."""
        simulator = await self.start()
        for authorization in (None, "simulator-token", "Bot x"):
            headers = {**GOOD, "Authorization": authorization or ""}
            reply = await self.ask(simulator, "/gateway/bot", headers=headers)
            self.assertEqual((reply.status, reply.json), (401, {"message": "401: Unauthorized", "code": 0}))
        self.assertEqual(breaches(simulator), ["rest-token"] * 3)

    async def test_wrong_user_agent(self) -> None:
        """Another user agent than DiscordBot's is refused with code 40333."""
        simulator = await self.start()
        reply = await self.ask(simulator, "/gateway/bot", headers={**GOOD, "User-Agent": "Mozilla/5.0"})
        self.assertEqual(reply.code, (403, 40333))
        self.assertEqual(breaches(simulator), ["user-agent"])

    async def test_other_versions(self) -> None:
        """Only version 10 is spoken; another one, and none, is a breach. What is no path at all is only unknown."""
        simulator = await self.start()
        base = simulator.api_url.removesuffix("/api/v10")
        answers = []
        for path in ("/api/v6/gateway", "/api/gateway", "/api/v100/gateway", "/api", "/api/v10", "/api/v10/"):
            response = await self.client.get(base + path, headers=GOOD)
            answers.append((response.code, json.loads(await treq.content(response))["code"]))
        self.assertEqual(answers, [(400, 50041)] * 3 + [(404, 0)] * 3)
        self.assertEqual(breaches(simulator), ["api-version"] * 3)
        response = await self.client.get(base + "/")
        self.assertEqual(response.code, 200)
        self.assertIn(b"/api/v10", await treq.content(response))

    async def test_methods(self) -> None:
        """HEAD is GET without a body, OPTIONS says what is allowed; what isn't is 405."""
        simulator = await self.start()
        head, get = await self.ask(simulator, "/users/@me", "HEAD"), await self.ask(simulator, "/users/@me")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.header("Content-Length"), str(len(get.body)))
        options = await self.ask(simulator, "/gateway/bot", "OPTIONS", headers=TOKENLESS)
        self.assertEqual((options.status, options.header("Allow")), (204, "GET, HEAD, OPTIONS"))
        options = await self.ask(simulator, "/channels/1/typing", "OPTIONS", headers=TOKENLESS)
        self.assertEqual((options.status, options.header("Allow")), (204, "OPTIONS, POST"))
        for method, path in (("DELETE", "/gateway/bot"), ("PUT", "/channels/1/messages"), ("BREW", "/coffee")):
            self.assertEqual((await self.ask(simulator, path, method)).code, (405, 0))
        self.assertEqual(simulator.breaches, [])

    async def test_bodies(self) -> None:
        """A body needs a type that Discord takes, and must be what it says."""
        simulator = await self.start()
        path = messages_of(simulator.guild(0))
        for type, body, code in (
            ("application/json", b"{", 50109),
            ("application/json", b"\xff", 50109),
            ("application/json", b"[1]", 50035),
            ("text/plain", b"hello", 50035),
            ("", b"hello", 50035),
            ("multipart/form-data", b"hello", 50035),
        ):
            simulator.rest.buckets.clear()
            headers = {**GOOD, "Content-Type": type} if type else GOOD
            if type.startswith("multipart"):
                # Twisted itself refuses what isn't even that, for POST.
                reply = await self.ask(simulator, "/things", "PUT", headers, data=body)
            else:
                reply = await self.ask(simulator, path, "POST", headers, data=body)
            self.assertEqual(reply.code, (400, code), (type, body))
        self.assertEqual(simulator.breaches, [])

    async def test_form(self) -> None:
        """A message may come as a form, or in a multipart body with files."""
        simulator = await self.start()
        path = messages_of(simulator.guild(0))
        reply = await self.ask(simulator, path, "POST", data={"content": "by form", "tts": "true"})
        self.assertEqual((reply.json["content"], reply.json["tts"]), ("by form", True))
        payload = json.dumps({"content": "with a file", "attachments": [{"id": 0, "description": "a cat"}]})
        cat = {"files[0]": ("cat.png", BytesIO(b"\x89PNG\r\n\r\n--meow"))}
        reply = await self.ask(simulator, path, "POST", data={"payload_json": payload}, files=cat)
        (attachment,) = reply.json["attachments"]
        self.assertEqual(
            (reply.json["content"], attachment["filename"], attachment["size"]), ("with a file", "cat.png", 14)
        )
        self.assertEqual(attachment["description"], "a cat")

    async def test_unknown_route(self) -> None:
        """Every other route answers an empty object, with a bucket of its own."""
        simulator = await self.start()
        reply = await self.ask(simulator, "/sticker-packs")
        self.assertEqual((reply.status, reply.json, reply.header("X-RateLimit-Limit")), (200, {}, "5"))


class RecordTests(RestCase):
    """What is on record."""

    async def test_request_log(self) -> None:
        """Method, path, query, body, headers, reason, address, status and time of each request are on record."""
        simulator = await self.start()
        path = f"/channels/{channel_of(simulator.guild(0))}"
        headers = {**GOOD, "X-Audit-Log-Reason": "sauber%20machen%20%E2%9C%85"}
        await self.ask(simulator, path + "?x=1", "PATCH", headers, json={"nsfw": True})
        (request,) = simulator.rest.requests(path, "PATCH")
        self.assertEqual((request.query, json.loads(request.body), request.status), ("x=1", {"nsfw": True}, 200))
        self.assertEqual((request.audit_log_reason, request.address), ("sauber machen \u2705", "127.0.0.1"))
        self.assertTrue(request.headers["content-type"].startswith("application/json"))
        assert request.answered_at is not None
        self.assertTrue(request.at <= request.answered_at)

    async def test_in_flight(self) -> None:
        """The most requests of a route answered at the same time are on record."""
        simulator = await self.start()
        simulator.rest.route(Route(template="/slow", limit=0, delay=0.5))
        await gatherResults([self.under_way(simulator, "/slow") for _ in range(4)])
        await self.ask(simulator, "/slow")
        self.assertEqual(simulator.rest.in_flight_max["GET /slow"], 4)
        self.assertIsNone((await self.ask(simulator, "/slow")).header("X-RateLimit-Bucket"))

    async def test_many_paths(self) -> None:
        """Of very many paths the latest are remembered."""
        simulator = await self.start()
        for number in range(10_001):
            simulator.rest.in_flight_max[f"GET /{number}"] = 1
        await self.ask(simulator, "/gateway")
        self.assertNotIn("GET /0", simulator.rest.in_flight_max)
        self.assertEqual(simulator.rest.in_flight_max["GET /gateway"], 1)
        self.assertEqual(simulator.rest.in_flight, {})

    async def test_bug(self) -> None:
        """A bug of the simulator's is a 500, and a failure in the log."""
        simulator = await self.start()

        def fail(call: object) -> Answer:
            raise ZeroDivisionError

        simulator.rest.route(Route(template="/bug", perform=fail))
        self.assertEqual((await self.ask(simulator, "/bug")).code, (500, 0))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_client_goes_away(self) -> None:
        """A client that doesn't wait for its answer harms nothing."""
        simulator = await self.start()
        simulator.rest.route(Route(template="/slow", delay=0.5))
        asked = self.under_way(simulator, "/slow")
        await simulator.until(lambda: simulator.rest.requests("/slow"))
        asked.cancel()
        await self.assertFailure(asked, Exception)
        await simulator.until(lambda: simulator.rest.requests("/slow")[0].status)


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

    async def test_by_template(self) -> None:
        """A script may be for a template, or for all paths; it can be taken back."""
        simulator = await self.start()
        simulator.rest.script("/a/{}", [(500, {}, b"")])
        simulator.rest.script("*", [(502, {}, b"")] * 9)
        statuses = [(await self.ask(simulator, path)).status for path in ("/a/b/c", "/a/b", "/a/b", "/gateway")]
        self.assertEqual(statuses, [502, 500, 502, 502])
        simulator.rest.clear_scripts()
        self.assertEqual((await self.ask(simulator, "/gateway")).status, 200)

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

    async def test_route(self) -> None:
        """A route that a test defines wins over the table's."""
        simulator = await self.start()
        simulator.rest.route(Route(method="GET", template="/users/@me", status=206, body=b'{"mine":true}'))
        reply = await self.ask(simulator, "/users/@me")
        self.assertEqual((reply.status, reply.json), (206, {"mine": True}))
