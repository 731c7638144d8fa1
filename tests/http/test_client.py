from __future__ import annotations

import json
from collections.abc import Coroutine
from typing import Any, TypeVar

from treq.testing import RequestTraversalAgent
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.error import DNSLookupError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseNeverReceived
from twisted.web.iweb import IAgent
from zope.interface import implementer

from rateway.errors import FatalError, Unavailable
from rateway.http.client import DiscordClient, GatewayBot, RateLimited, SessionStartLimit
from rateway.http.gatewaybot import LONGEST_URL, MOST_SHARDS

from .servers import Reply, ScriptedResource, quota

T = TypeVar("T")
TOKEN = "MTA.secret.token"
GATEWAY = {
    "url": "wss://gateway.discord.gg",
    "shards": 9,
    "session_start_limit": {"total": 1000, "remaining": 999, "reset_after": 14400000, "max_concurrency": 1},
}


@implementer(IAgent)
class BrokenAgent:
    """An agent whose first requests fail, and whose later ones are another's."""

    def __init__(self, failures: list[Exception], then: IAgent) -> None:
        self.failures = failures
        self.tries = 0
        self._then = then

    def request(self, method: bytes, uri: bytes, headers: Any = None, bodyProducer: Any = None) -> Deferred[Any]:
        self.tries += 1
        if self.failures:
            failed: Deferred[Any] = Deferred()
            failed.errback(Failure(self.failures.pop(0)))
            return failed
        return self._then.request(method, uri, headers, bodyProducer)


class ClientTestCase(SynchronousTestCase):
    """A client in front of a server in memory, at a clock of its own."""

    def setUp(self) -> None:
        self.clock = Clock()

    def serve(self, *replies: Reply, broken: list[Exception] | None = None, **options: Any) -> DiscordClient:
        self.resource = ScriptedResource(*replies, clock=self.clock.seconds)
        self.memory = RequestTraversalAgent(self.resource)
        self.agent = BrokenAgent(broken or [], self.memory)
        self.script = self.resource.script
        return DiscordClient(
            self.clock,
            "http://discord.test/api/v10/",
            TOKEN,
            agent=self.agent,
            uniform=lambda low, high: high,
            **options,
        )

    def run_(self, work: Coroutine[Any, Any, T]) -> Deferred[T]:
        running = Deferred.fromCoroutine(work)
        self.memory.flush()
        return running

    def later(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.memory.flush()


class RequestTests(ClientTestCase):
    """What goes over the wire."""

    def test_who_asks_is_said_as_discord_demands(self) -> None:
        """The user agent names the library, the authorisation is the bot's."""
        client = self.serve(Reply())
        response = self.successResultOf(self.run_(client.request("GET", "/users/@me")))
        asked = self.script.asked[0]
        self.assertEqual((response.status, response.json()), (200, {}))
        self.assertEqual((asked.method, asked.path), ("GET", "/api/v10/users/@me"))
        self.assertRegex(asked.headers["user-agent"], r"^DiscordBot \(https://\S+, \S+\)")
        self.assertEqual(asked.headers["authorization"], f"Bot {TOKEN}")

    def test_a_body_is_json_and_says_so(self) -> None:
        """Without a content type Discord refuses the body. The reason for the audit log is percent-encoded."""
        client = self.serve(Reply())
        self.successResultOf(
            self.run_(
                client.request("patch", "/channels/1", json={"name": "a/ü"}, params={"x": "1"}, reason="Größe / Ü")
            )
        )
        asked = self.script.asked[0]
        self.assertEqual(json.loads(asked.body), {"name": "a/ü"})
        self.assertEqual(asked.headers["content-type"], "application/json")
        self.assertEqual(asked.headers["x-audit-log-reason"], "Gr%C3%B6%C3%9Fe%20%2F%20%C3%9C")
        self.assertEqual(asked.path, "/api/v10/channels/1?x=1")

    def test_a_webhooks_own_token_is_enough(self) -> None:
        """The bot's token isn't sent along, and a 401 there doesn't kill it."""
        client = self.serve(Reply(401))
        response = self.successResultOf(self.run_(client.request("POST", "/webhooks/1/abc", json={})))
        self.assertEqual(response.status, 401)
        self.assertNotIn("authorization", self.script.asked[0].headers)
        self.assertFalse(client.token_dead)

    def test_the_token_is_in_no_repr(self) -> None:
        """Neither of the client nor of what it gives."""
        client = self.serve(Reply())
        response = self.successResultOf(self.run_(client.request("GET", "/users/@me")))
        self.assertNotIn(
            TOKEN, repr(client) + repr(response) + repr(vars(response) if hasattr(response, "__dict__") else "")
        )

    def test_an_endless_body_is_cut_off(self) -> None:
        """No answer of Discord's is that long; memory has an end."""
        client = self.serve(Reply(body=b"x" * 2000), max_body=1000)
        running = self.run_(client.request("GET", "/users/@me", attempts=1))
        self.assertIn("longer than any", str(self.failureResultOf(running, Unavailable).value))

    def test_silence_is_not_waited_for_for_ever(self) -> None:
        """No answer within the time given is a failure like a broken connection."""
        client = self.serve(Reply(gate=Deferred()), response_timeout=20.0)
        running = self.run_(client.request("GET", "/users/@me", attempts=1))
        self.later(19.9)
        self.assertNoResult(running)
        self.later(0.1)
        self.assertIn("no answer in time", str(self.failureResultOf(running, Unavailable).value))

    def test_who_gives_up_asking_is_not_served(self) -> None:
        """A cancelled request is not repeated, and leaves nothing behind."""
        client = self.serve(Reply(gate=Deferred()))
        running = self.run_(client.request("GET", "/users/@me"))
        running.cancel()
        self.failureResultOf(running, CancelledError)
        self.later(100.0)
        self.assertEqual((len(self.script.asked), self.clock.getDelayedCalls()), (1, []))


class RepeatTests(ClientTestCase):
    """What is asked again, and what is not."""

    def test_a_server_error_is_asked_again(self) -> None:
        """Twice 503, then well: the backoff grows."""
        client = self.serve(Reply(503), Reply(503), Reply())
        running = self.run_(client.request("GET", "/users/@me"))
        self.later(1.0)
        self.assertEqual(len(self.script.asked), 2)
        self.later(1.9)
        self.assertNoResult(running)
        self.later(0.1)
        self.assertEqual(self.successResultOf(running).status, 200)
        self.assertEqual([asked.at for asked in self.script.asked], [0.0, 1.0, 3.0])

    def test_after_a_bounded_number_it_is_given_up(self) -> None:
        """With a sentence that says what was the matter."""
        client = self.serve(Reply(502))
        running = self.run_(client.request("GET", "/users/@me", attempts=3))
        for _ in range(10):
            self.later(10.0)
        self.assertIn("502", str(self.failureResultOf(running, Unavailable).value))
        self.assertEqual(len(self.script.asked), 3)

    def test_a_post_is_not_repeated_unless_told(self) -> None:
        """Discord may have acted upon it before it failed."""
        client = self.serve(Reply(503), Reply())
        self.assertEqual(self.successResultOf(self.run_(client.request("POST", "/channels/1/messages"))).status, 503)
        client = self.serve(Reply(503), Reply())
        running = self.run_(client.request("POST", "/channels/1/messages", repeat=True))
        self.later(1.0)
        self.assertEqual(self.successResultOf(running).status, 200)

    def test_a_broken_connection(self) -> None:
        """A GET is sent again; a POST only if it can't have arrived."""
        lost = ResponseNeverReceived([Failure(ConnectionResetError("reset"))])
        client = self.serve(Reply(), broken=[lost])
        running = self.run_(client.request("GET", "/users/@me"))
        self.later(1.0)
        self.assertEqual(self.successResultOf(running).status, 200)
        client = self.serve(Reply(), broken=[lost])
        self.assertIn(
            "reset",
            str(self.failureResultOf(self.run_(client.request("POST", "/channels/1/messages")), Unavailable).value),
        )
        client = self.serve(Reply(), broken=[Refused(), DNSLookupError("discord.test")])
        running = self.run_(client.request("POST", "/channels/1/messages"))
        self.later(1.0)
        self.later(2.0)
        self.assertEqual(self.successResultOf(running).status, 200)


class LimitTests(ClientTestCase):
    """The limits, seen from outside."""

    def test_first_uses_of_a_route_go_one_by_one(self) -> None:
        """Ten at once: one in flight until the bucket is known, and no 429."""
        gate: Deferred[None] = Deferred()
        client = self.serve(Reply(headers=quota(limit=20, remaining=19), gate=gate), Reply(headers=quota(limit=20)))
        running = [self.run_(client.request("GET", "/channels/1/messages")) for _ in range(10)]
        self.assertEqual(len(self.script.asked), 1)
        gate.callback(None)
        self.memory.flush()
        self.assertEqual([self.successResultOf(d).status for d in running], [200] * 10)

    def test_a_429_is_waited_for_and_repeated(self) -> None:
        """Whatever the method: nothing was done."""
        limited = Reply(429, b'{"message":"","retry_after":1.5,"global":false}', {"X-RateLimit-Scope": "user"})
        client = self.serve(limited, Reply())
        running = self.run_(client.request("POST", "/channels/1/messages", json={}))
        self.later(1.4)
        self.assertEqual(len(self.script.asked), 1)
        self.later(0.2)
        self.assertEqual(self.successResultOf(running).status, 200)

    def test_a_429_with_no_wait_at_all(self) -> None:
        """A retry_after of 0 is asked again at once, and bounded like any other."""
        client = self.serve(Reply(429, b'{"retry_after":0}'), Reply())
        running = self.run_(client.request("GET", "/users/@me"))
        self.later(0.0)
        self.assertEqual(self.successResultOf(running).status, 200)

    def test_too_long_a_wait_is_the_askers_to_decide(self) -> None:
        """Nobody is kept for a quarter of an hour without a word."""
        client = self.serve(Reply(429, b'{"retry_after":1337}', {"X-RateLimit-Scope": "shared"}))
        error = self.failureResultOf(self.run_(client.request("PUT", "/guilds/1/x")), RateLimited).value
        self.assertEqual(error.retry_after, 1337.0)

    def test_waiting_behind_others_is_bounded_too(self) -> None:
        """The queue's end hears within the time it would bear."""
        client = self.serve(Reply(gate=Deferred()), response_timeout=500.0, max_wait=60.0)
        self.run_(client.request("GET", "/users/@me"))
        second = self.run_(client.request("GET", "/users/@me"))
        self.later(60.0)
        self.failureResultOf(second, RateLimited)

    def test_a_ban_is_said_once_and_obeyed(self) -> None:
        """Not a single request more."""
        client = self.serve(Reply(429, b"<html>error 1015</html>", {"Retry-After": "120"}))
        for _ in range(3):
            self.failureResultOf(self.run_(client.request("GET", "/users/@me")), Unavailable)
        self.assertEqual(len(self.script.asked), 1)


class TokenTests(ClientTestCase):
    """A refused token."""

    def test_a_401_ends_all_calls(self) -> None:
        """Those that wait, and those that come; with the remedy, without the token."""
        gate: Deferred[None] = Deferred()
        client = self.serve(Reply(401, gate=gate))
        running: list[Deferred[Any]] = [self.run_(client.request("GET", "/users/@me")) for _ in range(3)]
        gate.callback(None)
        self.memory.flush()
        running.append(self.run_(client.gateway_bot()))
        for failed in running:
            sentence = str(self.failureResultOf(failed, FatalError).value)
            self.assertIn("DISCORD_TOKEN", sentence)
            self.assertNotIn(TOKEN, sentence)
        self.assertEqual(len(self.script.asked), 1)
        self.assertTrue(client.token_dead)


class GatewayBotTests(ClientTestCase):
    """GET /gateway/bot."""

    def test_what_it_tells(self) -> None:
        """Milliseconds become seconds."""
        client = self.serve(Reply(body=json.dumps(GATEWAY).encode()))
        self.assertEqual(
            self.successResultOf(self.run_(client.gateway_bot())),
            GatewayBot("wss://gateway.discord.gg", 9, SessionStartLimit(1000, 999, 14400.0, 1)),
        )

    def test_nonsense_is_no_answer(self) -> None:
        """A proxy's page, a missing number, a URL that is none: try again later, don't crash."""
        for body in (
            b"<html>",
            b"[]",
            b"{}",
            json.dumps(GATEWAY | {"shards": "9"}).encode(),
            json.dumps(GATEWAY | {"shards": True}).encode(),
            json.dumps(GATEWAY | {"shards": MOST_SHARDS + 1}).encode(),
            json.dumps(GATEWAY | {"url": "wss://gateway.example/" + "x" * LONGEST_URL}).encode(),
            json.dumps(GATEWAY | {"session_start_limit": {}}).encode(),
            json.dumps(GATEWAY | {"url": "https://discord.com"}).encode(),
            json.dumps(GATEWAY | {"url": "wss://[broken"}).encode(),
        ):
            client = self.serve(Reply(body=body))
            self.failureResultOf(self.run_(client.gateway_bot()), Unavailable)

    def test_another_status_is_said(self) -> None:
        """As of a wrong DISCORD_API_URL."""
        client = self.serve(Reply(404, b"{}"))
        self.assertIn("404", str(self.failureResultOf(self.run_(client.gateway_bot()), Unavailable).value))

    def test_the_url_without_a_token(self) -> None:
        """GET /gateway, when the other is not served."""
        client = self.serve(Reply(body=b'{"url":"wss://gateway.discord.gg/"}'))
        self.assertEqual(self.successResultOf(self.run_(client.gateway_url())), "wss://gateway.discord.gg/")

    def test_closing_ends_what_waits(self) -> None:
        """No timer is left behind."""
        client = self.serve(Reply(429, b'{"retry_after":30}'))
        running = self.run_(client.request("GET", "/users/@me"))
        self.successResultOf(self.run_(client.close()))
        self.failureResultOf(running, Unavailable)
        self.assertEqual(self.clock.getDelayedCalls(), [])
