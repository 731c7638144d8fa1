"""Ready-made answers: each by name, as a client sees it."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseFailed

from rateway.simulator.rest.presets import PRESETS, describe, preset
from rateway.simulator.simulator import Simulator
from tests.simulator.rest import GOOD, Reply, RestCase, messages_of

_PLAIN = {
    "unauthorized": (401, 0),
    "forbidden": (403, 50013),
    "missing-access": (403, 50001),
    "blocked-agent": (403, 40333),
    "not-found": (404, 0),
    "server-error": (500, 0),
}
_PAGES = {
    "bad-gateway": (502, "text/html"),
    "unavailable": (503, "text/plain"),
    "gateway-timeout": (504, "text/html"),
    "origin-timeout": (524, "text/html"),
    "html": (200, "text/html"),
}
_QUOTA = ("Limit", "Remaining", "Reset-After", "Bucket")


class PresetTests(RestCase):
    """What comes over the wire."""

    async def staged(self, simulator: Simulator, name: str, **parameters: Any) -> Reply:
        simulator.rest.stage("/users/@me", name, **parameters)
        return await self.ask(simulator, "/users/@me")

    async def test_errors(self) -> None:
        """401, 403, 404 and 500 are JSON with a code."""
        simulator = await self.start()
        for name, code in _PLAIN.items():
            reply = await self.staged(simulator, name)
            self.assertEqual((reply.code, reply.header("Via")), (code, "1.1 google"), name)

    async def test_pages(self) -> None:
        """What proxies and the edge answer is no JSON."""
        simulator = await self.start()
        for name, (status, type) in _PAGES.items():
            reply = await self.staged(simulator, name)
            self.assertEqual((reply.status, (reply.header("Content-Type") or "").partition(";")[0]), (status, type))
            self.assertRaises(ValueError, json.loads, reply.body)

    async def test_429_of_the_api(self) -> None:
        """User, sub-limit and shared bear the bucket; the global one doesn't. Each says how long, rounded up too."""
        simulator = await self.start()
        for name, scope, left, code in (
            ("user-429", "user", "0", None),
            ("sub-limit-429", "user", "3", None),
            ("shared-429", "shared", "3", 40062),
            ("global-429", "global", None, None),
        ):
            reply = await self.staged(simulator, name, retry_after=2.25)
            self.assertEqual((reply.status, reply.json["retry_after"], reply.header("Retry-After")), (429, 2.25, "3"))
            self.assertEqual((reply.header("X-RateLimit-Scope"), reply.json.get("code")), (scope, code))
            self.assertEqual(reply.header("X-RateLimit-Remaining"), left)
            self.assertEqual(reply.json["global"], scope == "global")
            present = [reply.header(f"X-RateLimit-{part}") is not None for part in _QUOTA]
            self.assertEqual(present, [scope != "global"] * 4)
            self.assertEqual(reply.header("X-RateLimit-Global"), "true" if scope == "global" else None)

    async def test_429_of_the_edge(self) -> None:
        """No Via, no header of a limit, no retry_after in the body; Retry-After is a matter of choice."""
        simulator = await self.start()
        for name, type in (("", "text/html"), ("json-", "application/json"), ("text-", "text/plain")):
            for seconds, header in ((90, "90"), (0, None)):
                reply = await self.staged(simulator, f"cloudflare-{name}429", retry_after=seconds)
                self.assertEqual((reply.status, reply.header("Content-Type")), (429, type))
                self.assertEqual((reply.header("Retry-After"), reply.header("Via")), (header, None))
                self.assertEqual([reply.header(f"X-RateLimit-{part}") for part in (*_QUOTA, "Scope")], [None] * 5)
                self.assertNotIn(b"retry_after", reply.body)

    async def test_broken_json(self) -> None:
        """JSON by its label, cut in its text."""
        reply = await self.staged(await self.start(), "broken-json")
        self.assertEqual((reply.status, reply.header("Content-Type")), (200, "application/json"))
        self.assertRaises(ValueError, json.loads, reply.body)

    async def test_slow(self) -> None:
        """The usual answer, no sooner than told."""
        simulator = await self.start()
        reply = await self.staged(simulator, "slow", delay=0.2)
        self.assertEqual((reply.status, reply.json["id"]), (200, simulator.world.bot["id"]))
        (request,) = simulator.rest.requests()
        self.assertGreaterEqual((request.answered_at or 0) - request.at, 0.2)

    async def test_never(self) -> None:
        """Nothing comes and nothing is done, but the connection stays; the next request is answered."""
        simulator = await self.start()
        path = messages_of(simulator.guild(0))
        simulator.rest.stage(path, "never")
        asked = self.under_way(simulator, path, "POST", json={"content": "x"})
        await simulator.until(lambda: simulator.rest.requests(path))
        self.assertEqual((await self.ask(simulator, path)).json, [])
        self.assertFalse(asked.called)
        (request, _) = simulator.rest.requests(path)
        self.assertEqual(request.status, 0)
        asked.cancel()
        await self.assertFailure(asked, Exception)

    async def test_reset(self) -> None:
        """The connection is lost before any answer; nothing is done."""
        simulator = await self.start()
        path = messages_of(simulator.guild(0))
        simulator.rest.stage(path, "reset", method="POST")
        await self.assertFailure(self.under_way(simulator, path, "POST", json={"content": "x"}), ResponseFailed)
        self.assertEqual((await self.ask(simulator, path)).json, [])

    async def test_cut(self) -> None:
        """The connection ends in the middle of the body; what was asked for is done."""
        simulator = await self.start()
        path = messages_of(simulator.guild(0))
        simulator.rest.stage(path, "cut", method="POST", after=10)
        failure = await self.fails(simulator, path, "POST", json={"content": "x"})
        self.assertEqual(failure.response.code, 200)
        self.assertEqual([message["content"] for message in (await self.ask(simulator, path)).json], ["x"])

    async def test_wrong_length(self) -> None:
        """Content-Length promises more than comes, or less."""
        simulator = await self.start()
        simulator.rest.stage("/gateway", "wrong-length", by=7)
        await self.fails(simulator, "/gateway")
        whole = (await self.ask(simulator, "/gateway")).body
        simulator.rest.stage("/gateway", "wrong-length", by=-7)
        self.assertEqual((await self.ask(simulator, "/gateway")).body, whole[:-7])

    async def fails(self, simulator: Simulator, path: str, method: str = "GET", **more: Any) -> ResponseFailed:
        """The error of an answer that ends too early, with what had come of it."""
        try:
            await self.ask(simulator, path, method, GOOD, **more)
        except ResponseFailed as error:
            return error
        raise AssertionError("the whole answer came")

    async def test_times_and_method(self) -> None:
        """As often as told, for the method told; then as usual."""
        simulator = await self.start()
        simulator.rest.stage("*", "server-error", times=2, method="PUT")
        answers = [await self.ask(simulator, path, method) for path, method in (("/a", "PUT"), ("/a", "GET"))]
        answers += [await self.ask(simulator, path, "PUT") for path in ("/b", "/c")]
        self.assertEqual([reply.status for reply in answers], [500, 200, 500, 200])


class NameTests(SynchronousTestCase):
    """Names and parameters."""

    def test_all_are_tested(self) -> None:
        """The presets are those that the tests above look at."""
        limited = {"user", "sub-limit", "shared", "global", "cloudflare", "cloudflare-json", "cloudflare-text"}
        others = {"broken-json", "slow", "never", "reset", "cut", "wrong-length"}
        self.assertEqual(set(PRESETS), {f"{name}-429" for name in limited} | set(_PLAIN) | set(_PAGES) | others)

    def test_described(self) -> None:
        """Each says what it is, and what it takes."""
        described = {entry["name"]: entry for entry in describe()}
        self.assertEqual(described["slow"]["parameters"], {"delay": 5.0})
        for entry in described.values():
            self.assertRegex(str(entry["meaning"]), r"^[A-Z0-9].*\.$")

    def test_refused(self) -> None:
        """A wrong name, parameter or value is told in a sentence."""
        for name, parameters, sentence in (
            ("nonsense", {}, "there is no answer 'nonsense'; there are user-429, "),
            ("slow", {"by": 1}, "the answer 'slow' takes only delay, not 'by'"),
            ("never", {"by": 1}, "the answer 'never' takes nothing, not 'by'"),
            ("slow", {"delay": "1"}, "'delay' of the answer 'slow' must be a number from 0 up, not '1'"),
            ("slow", {"delay": -1}, "must be a number from 0 up, not -1"),
            ("slow", {"delay": True}, "must be a number from 0 up, not True"),
            ("cut", {"after": 1.5}, "must be a whole number from 0 up, not 1.5"),
            ("wrong-length", {"by": "x"}, "must be a whole number, not 'x'"),
            ("user-429", {"bucket": 1}, "must be a text, not 1"),
        ):
            with self.assertRaises(ValueError) as caught:
                preset(name, **parameters)
            self.assertIn(sentence, str(caught.exception))

    def test_whole_numbers_are_numbers(self) -> None:
        """A number may be whole where it needn't be, and a length may be too small."""
        self.assertEqual(preset("slow", delay=2).delay, 2)
        self.assertEqual(preset("wrong-length", by=-3).amount, -3)
