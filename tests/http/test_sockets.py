from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase
from twisted.web.server import Site

from rateway.errors import FatalError, Unavailable
from rateway.http.client import DiscordClient, RateLimited
from rateway.http.limits import RateLimits
from tests.support.certificates import Certificates, Pair, make_certificates, server_context

from .servers import Reply, ScriptedResource, quota


class SocketTests(TestCase):
    """The client over real sockets."""

    def serve(self, *replies: Reply, limits: RateLimits | None = None) -> DiscordClient:
        from twisted.internet import reactor as untyped

        reactor: Any = untyped

        self.resource = ScriptedResource(*replies, clock=reactor.seconds)
        self.script = self.resource.script
        port = reactor.listenTCP(0, Site(self.resource), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        client = DiscordClient(reactor, f"http://127.0.0.1:{port.getHost().port}/api/v10", "t.o.k", limits=limits)
        self.addCleanup(lambda: Deferred.fromCoroutine(client.close()))
        return client

    async def test_ten_first_uses(self) -> None:
        """One in flight until the headers are known, then as the bucket allows; no 429 (criterion 64)."""
        client = self.serve(
            Reply(headers=quota(limit=4, remaining=3, reset_after=0.3)),
            Reply(headers=quota(limit=4, remaining=2, reset_after=0.3)),
        )
        await gatherResults([Deferred.fromCoroutine(client.request("GET", "/channels/1/messages")) for _ in range(10)])
        times = [asked.at for asked in self.script.asked]
        self.assertEqual(len(times), 10)
        for earlier, later in zip(times, times[4:], strict=False):
            self.assertGreaterEqual(later - earlier, 0.25)

    async def test_remaining_nothing(self) -> None:
        """Remaining 0, reset after 1.5 s: the next request comes no earlier (criterion 66); the socket is kept."""
        client = self.serve(Reply(headers=quota(remaining=0, reset_after=1.5)), Reply())
        await client.request("GET", "/channels/1/messages")
        await client.request("GET", "/channels/1/messages")
        first, second = (asked.at for asked in self.script.asked)
        self.assertGreaterEqual(second - first, 1.49)

    async def test_each_429(self) -> None:
        """Every kind is obeyed, and all but the shared one are held against us (criterion 67)."""
        for headers, body, counted in (
            ({"X-RateLimit-Scope": "user"}, b'{"retry_after":0.1}', 1),
            ({"X-RateLimit-Scope": "shared"}, b'{"retry_after":0.1}', 0),
            ({"X-RateLimit-Global": "true"}, b'{"retry_after":0.1,"global":true}', 1),
            (quota(remaining=3) | {"X-RateLimit-Scope": "user"}, b'{"retry_after":0.1}', 1),
        ):
            limits = RateLimits()
            client = self.serve(Reply(429, body, headers), Reply(), limits=limits)
            response = await client.request("PATCH", "/channels/1", json={"name": "x"})
            first, second = (asked.at for asked in self.script.asked)
            self.assertEqual(response.status, 200)
            self.assertGreaterEqual(second - first, 0.09)
            self.assertEqual(limits.invalid_requests(second), counted, headers)

    async def test_a_page_of_html(self) -> None:
        """A 429 that isn't Discord's is Cloudflare's ban (criterion 67)."""
        client = self.serve(Reply(429, b"<html>1015"))
        for _ in range(2):
            error = await self.assertFailure(Deferred.fromCoroutine(client.request("GET", "/users/@me")), Unavailable)
        self.assertNotIsInstance(error, FatalError)
        self.assertEqual(len(self.script.asked), 1)

    async def test_a_dead_token(self) -> None:
        """One 401, and no call more (criterion 68)."""
        client = self.serve(Reply(401, b'{"message":"401: Unauthorized","code":0}'))
        for _ in range(3):
            await self.assertFailure(Deferred.fromCoroutine(client.gateway_bot()), FatalError)
        self.assertEqual(len(self.script.asked), 1)

    async def test_nobody_listens(self) -> None:
        """An unreachable Discord is a sentence, and no traceback."""
        from twisted.internet import reactor as untyped

        reactor: Any = untyped

        port = reactor.listenTCP(0, Site(ScriptedResource(Reply())), interface="127.0.0.1")
        number = port.getHost().port
        await port.stopListening()
        client = DiscordClient(reactor, f"http://127.0.0.1:{number}", "t")
        error = await self.assertFailure(Deferred.fromCoroutine(client.gateway_bot(attempts=1)), Unavailable)
        self.assertIn("refused", str(error).lower())
        await client.close()

    async def test_an_impatient_asker(self) -> None:
        """A wait of minutes is handed back at once, with its length."""
        client = self.serve(Reply(429, b'{"retry_after":600}'))
        error = await self.assertFailure(Deferred.fromCoroutine(client.request("GET", "/users/@me")), RateLimited)
        self.assertEqual(getattr(error, "retry_after", None), 600.0)


class EncryptedTests(TestCase):
    """Who answers is verified before anything is asked."""

    def setUp(self) -> None:
        before = dict(os.environ)
        self.addCleanup(os.environ.update, before)
        self.addCleanup(os.environ.clear)

    async def ask(self, host: str, pair: Callable[[Certificates], Pair]) -> tuple[ScriptedResource, Deferred[Any]]:
        from twisted.internet import reactor as untyped

        reactor: Any = untyped
        certificates = make_certificates(Path(self.mktemp()))
        os.environ["SSL_CERT_FILE"] = str(certificates.authority)
        resource = ScriptedResource(Reply())
        port = reactor.listenSSL(0, Site(resource), server_context(pair(certificates)), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        client = DiscordClient(reactor, f"https://{host}:{port.getHost().port}", "t.o.k")
        self.addCleanup(lambda: Deferred.fromCoroutine(client.close()))
        return resource, Deferred.fromCoroutine(client.request("GET", "/users/@me", attempts=1))

    async def test_the_right_one(self) -> None:
        """A certificate of the host's name, by an authority that is trusted."""
        resource, asking = await self.ask("localhost", lambda made: made.good)
        response = await asking
        self.assertEqual((response.status, len(resource.script.asked)), (200, 1))

    async def test_the_wrong_ones(self) -> None:
        """Another name, another authority, an expired one: refused with the reason, and not a byte of the token."""
        for pair, word in (
            (lambda made: made.wrong_name, "elsewhere.example"),
            (lambda made: made.unknown_authority, "authority"),
            (lambda made: made.expired, "expired"),
        ):
            resource, asking = await self.ask("localhost", pair)
            error = await self.assertFailure(asking, Unavailable)
            self.assertIn(word, str(error))
            self.assertEqual(resource.script.asked, [])
