"""Each rule of REST, broken by plain HTTP."""

from __future__ import annotations

import json

from tests.simulator.client import TOKEN
from tests.simulator.rulebreaking import Answered, RuleTestCase, breaks


def body_of(answer: Answered) -> dict[str, object]:
    value = json.loads(answer.body)
    assert isinstance(value, dict)
    return value


class WhoTests(RuleTestCase):
    """Who asks, and for what."""

    @breaks("user-agent")
    async def test_user_agent(self) -> None:
        """None, or one that isn't a bot's: 403 with code 40333."""
        simulator = await self.start()
        for drop, agent in (({"User-Agent"}, ""), (set[str](), "Mozilla/5.0"), (set[str](), "DiscordBot")):
            answer = await self.get(simulator, "/api/v10/gateway/bot", drop=drop, User_Agent=agent)
            self.assertEqual((answer.status, body_of(answer)["code"]), (403, 40333))
        self.assertEqual(len(simulator.breaches), 3)

    @breaks("rest-token")
    async def test_token(self) -> None:
        """None, another, or one without its prefix: 401."""
        simulator = await self.start()
        for drop, value in (({"Authorization"}, ""), (set[str](), "Bot another"), (set[str](), TOKEN)):
            answer = await self.get(simulator, "/api/v10/users/@me", drop=drop, Authorization=value)
            self.assertEqual((answer.status, body_of(answer)), (401, {"message": "401: Unauthorized", "code": 0}))
        self.assertEqual(len(simulator.breaches), 3)
        self.assertEqual((await self.get(simulator, "/api/v10/gateway", drop={"Authorization"})).status, 200)

    @breaks("api-version")
    async def test_version(self) -> None:
        """Another version than 10, and none: an error."""
        simulator = await self.start()
        for path in ("/api/v9/gateway", "/api/gateway"):
            self.assertEqual((await self.get(simulator, path)).status, 400)
        self.assertEqual(len(simulator.breaches), 2)


class LimitTests(RuleTestCase):
    """How often."""

    @breaks("rest-bucket")
    async def test_bucket(self) -> None:
        """One more than the bucket holds: 429 of scope user, with the bucket's headers."""
        simulator = await self.start()
        first = await self.get(simulator, "/api/v10/nonsense")
        limit = int(first.headers["x-ratelimit-limit"])
        for _ in range(limit - 1):
            await self.get(simulator, "/api/v10/nonsense")
        answer = await self.get(simulator, "/api/v10/nonsense")
        self.assertEqual((answer.status, answer.headers["x-ratelimit-scope"]), (429, "user"))
        self.assertEqual(answer.headers["x-ratelimit-bucket"], first.headers["x-ratelimit-bucket"])
        self.assertFalse(body_of(answer)["global"])
        self.assertEqual(len(simulator.breaches), 1)

    @breaks("rest-global-limit")
    async def test_global(self) -> None:
        """More requests a second than are allowed over all routes: 429 of scope global."""
        simulator = await self.start(global_limit=2)
        answers = [await self.get(simulator, f"/api/v10/nonsense{number}") for number in range(3)]
        self.assertEqual([answer.status for answer in answers[:2]], [200, 200])
        self.assertEqual((answers[2].status, answers[2].headers["x-ratelimit-global"]), (429, "true"))
        self.assertTrue(body_of(answers[2])["global"])

    @breaks("rest-invalid-requests")
    async def test_invalid_requests(self) -> None:
        """Too many answers of 401, 403 and 429: the edge bans the address, and says so without the API's headers."""
        simulator = await self.start(invalid_limit=3)
        # Scripted, for a client that is refused by the API has broken another rule already.
        simulator.rest.script("/nonsense", [(403, {"Content-Type": "application/json"}, b"{}")] * 3)
        for _ in range(3):
            self.assertEqual((await self.get(simulator, "/api/v10/nonsense")).status, 403)
        answer = await self.get(simulator, "/api/v10/nonsense")
        self.assertEqual(answer.status, 429)
        self.assertNotIn("via", answer.headers)
        self.assertNotIn("x-ratelimit-scope", answer.headers)

    @breaks("rest-dead-webhook")
    async def test_dead_webhook(self) -> None:
        """A webhook that answered 404 is asked again: 404, and recorded."""
        simulator = await self.start()
        for _ in range(2):
            answer = await self.get(simulator, "/api/v10/webhooks/1234567890/sometoken", drop={"Authorization"})
            self.assertEqual((answer.status, body_of(answer)["code"]), (404, 10015))
        self.assertEqual(len(simulator.breaches), 1)
