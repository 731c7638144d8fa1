"""Discord's REST API: what a gateway client needs, every other route in a generic way, and scripted answers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from attrs import Factory, define
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from ..gateway.rules import SlidingLimit
from ..hub import Hub, encode
from ..records import RestRequest
from ..world.payloads import current_user
from .buckets import Buckets, Route, generic_route, hash_of

Answer: TypeAlias = tuple[int, Mapping[str, str], bytes]
"""``(status, headers, body)``."""

BASE = "/api/v10"
_JSON = {"Content-Type": "application/json"}
_FREE = {"/gateway"}
"""Paths that need no Authorization."""


def json_answer(status: int, value: object, headers: Mapping[str, str] | None = None) -> Answer:
    return status, {**_JSON, **(headers or {})}, encode(value)


def rate_limited(
    scope: str = "user",
    retry_after: float = 1.0,
    *,
    bucket: str = "9d1f0c2b3a4e5d6f",
    limit: int = 5,
    remaining: int = 0,
    reset_after: float | None = None,
) -> Answer:
    """A 429 as Discord writes it, for scripts: scope ``user``, ``shared`` or ``global``.

    ``user`` with ``remaining`` above 0 is a sub-limit: one that the headers don't show.
    """
    headers = {"Via": "1.1 google", "Retry-After": str(math.ceil(retry_after)), "X-RateLimit-Scope": scope}
    body: dict[str, object] = {
        "message": "You are being rate limited.",
        "retry_after": retry_after,
        "global": scope == "global",
    }
    if scope == "global":
        return json_answer(429, body, {**headers, "X-RateLimit-Global": "true"})
    if scope == "shared":
        body |= {"message": "The resource is being rate limited.", "code": 40062}
    reset = retry_after if reset_after is None else reset_after
    headers |= {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset-After": f"{reset:.3f}",
        "X-RateLimit-Bucket": bucket,
    }
    return json_answer(429, body, headers)


def banned(*, html: bool = True, retry_after: int | None = None) -> Answer:
    """A 429 of the edge, which bans the address: HTML, or JSON without ``retry_after``."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    if html:
        body = b"<!DOCTYPE html><html><head><title>Access denied</title></head><body>error code: 1015</body></html>"
        return 429, {"Content-Type": "text/html", **headers}, body
    message = "You are being blocked from accessing our API temporarily due to exceeding our rate limits frequently."
    return json_answer(429, {"message": message, "code": 0}, headers)


@define
class _Scripted:
    path: str
    method: str
    answers: list[Answer]


@define
class Rest:
    """The REST side: what is scripted, what is limited, what was asked (``hub.journal.requests``).

    :ivar in_flight: requests being answered now, by ``"METHOD path"``; ``in_flight_max`` the most there ever were.
    """

    hub: Hub
    routes: list[Route] = Factory(list)
    buckets: Buckets = Factory(Buckets)
    in_flight: dict[str, int] = Factory(dict)
    in_flight_max: dict[str, int] = Factory(dict)
    _scripts: list[_Scripted] = Factory(list)
    _overall: SlidingLimit = Factory(lambda self: SlidingLimit(self.hub.options.global_limit, 1.0), takes_self=True)

    def script(self, path: str, answers: Iterable[Answer], method: str = "*") -> None:
        """The next requests of a path (below ``/api/v10``) are answered so, one each; then as usual again."""
        self._scripts.append(_Scripted(path, method, list(answers)))

    def route(self, route: Route) -> None:
        """Define a route; later ones win."""
        self.routes.insert(0, route)

    def requests(self, path: str | None = None, method: str | None = None) -> list[RestRequest]:
        """The requests so far, of one path or all."""
        return [
            request
            for request in self.hub.journal.requests
            if path in (None, request.path) and method in (None, request.method)
        ]

    # --- answering

    def answer(self, request: RestRequest) -> tuple[Answer, float]:
        """The answer, and the seconds to wait before giving it."""
        hub, path = self.hub, request.path
        scripted = self._next_scripted(request.method, path)
        agent = request.headers.get("user-agent", "")
        if not agent.startswith("DiscordBot ("):
            hub.breach("user-agent", None, f"{agent!r} does not begin with DiscordBot (url, version)")
            return json_answer(403, {"message": "internal network error", "code": 40333}), 0.0
        if scripted is not None:
            return scripted, self._route(request).delay
        if path not in _FREE and not self._authorized(request):
            hub.breach("rest-token", None, f"{request.method} {path} without the bot's token")
            return json_answer(401, {"message": "401: Unauthorized", "code": 0}), 0.0
        fixed = self._fixed(path) if request.method == "GET" else None
        if fixed is not None:
            return json_answer(200, fixed), 0.0
        return self._limited(request)

    def _limited(self, request: RestRequest) -> tuple[Answer, float]:
        hub, now = self.hub, self.hub.now()
        if not self._overall.count(now):
            hub.breach("rest-global-limit", None, f"more than {self._overall.limit} requests in a second")
            return rate_limited("global", 1.0), 0.0
        route = self._route(request)
        bucket = self.buckets.of(route, request.path)
        if bucket is None:
            return (route.status, _JSON, route.body), route.delay
        hash = route.bucket or f"{hash_of(route.method + route.template):016x}"
        if not bucket.take(now):
            hub.breach("rest-bucket", None, f"{request.method} {request.path}: bucket {hash} is empty")
            wait = round(bucket.ends - now, 3)
            return rate_limited("user", wait, bucket=hash, limit=bucket.limit), 0.0
        return (route.status, {**_JSON, "Via": "1.1 google", **bucket.headers(now, hash)}, route.body), route.delay

    def _route(self, request: RestRequest) -> Route:
        for route in self.routes:
            if route.matches(request.method, request.path):
                return route
        return generic_route(request.method, request.path)

    def _next_scripted(self, method: str, path: str) -> Answer | None:
        for script in self._scripts:
            if script.path == path and script.method in ("*", method):
                answer = script.answers.pop(0)
                if not script.answers:
                    self._scripts.remove(script)
                return answer
        return None

    def _authorized(self, request: RestRequest) -> bool:
        authorization = request.headers.get("authorization", "")
        return authorization.startswith("Bot ") and self.hub.knows(authorization)

    def _fixed(self, path: str) -> dict[str, object] | None:
        hub = self.hub
        if path == "/gateway":
            return {"url": hub.addresses.gateway}
        if path == "/gateway/bot":
            allowance, now = hub.allowance, hub.now()
            reset = round(allowance.reset_after(now) * 1000)
            limits = {
                "total": allowance.total,
                "remaining": allowance.remaining,
                "reset_after": reset,
                "max_concurrency": hub.options.max_concurrency,
            }
            return {"url": hub.addresses.gateway, "shards": hub.options.shards, "session_start_limit": limits}
        if path == "/users/@me":
            return current_user(hub.world.bot)
        if path == "/applications/@me":
            return {"id": hub.world.bot["id"], "name": hub.world.bot["username"], "flags": 1 << 12 | 1 << 14 | 1 << 18}
        return None


class RestResource(Resource):
    """``/api`` of the site."""

    isLeaf = True
    _log = Logger()

    def __init__(self, rest: Rest) -> None:
        super().__init__()
        self._rest = rest

    def render(self, request: Request) -> int:
        rest, journal = self._rest, self._rest.hub.journal
        rest.hub.transports.add(request.channel.transport)
        whole, _, query = request.uri.decode("ascii", "replace").partition("?")
        method = request.method.decode("ascii", "replace")
        known = whole.startswith(BASE + "/")
        path = whole[len(BASE) :] if known else whole
        body = request.content.read() if request.content is not None else b""
        record = RestRequest(method, path, query, rest.hub.now(), _headers(request), body)
        journal.keep("requests", journal.requests, record)
        key = f"{method} {path}"
        rest.in_flight[key] = rest.in_flight.get(key, 0) + 1
        rest.in_flight_max[key] = max(rest.in_flight_max.get(key, 0), rest.in_flight[key])
        answer, delay = (
            rest.answer(record) if known else (json_answer(404, {"message": "404: Not Found", "code": 0}), 0.0)
        )
        gone: list[bool] = []
        finished: Deferred[None] = request.notifyFinish()
        finished.addBoth(lambda _: gone.append(True))

        def reply() -> None:
            rest.in_flight[key] -= 1
            record.status, record.answered_at = answer[0], rest.hub.now()
            self._log.info("{method} {path}: {status}", method=method, path=path, status=answer[0])
            journal.happened()
            if not gone:
                _write(request, answer)

        if delay:
            rest.hub.later(delay, reply)
        else:
            reply()
        return NOT_DONE_YET


def _headers(request: Request) -> dict[str, str]:
    return {name.decode("latin-1").lower(): values[-1].decode("latin-1") for name, values in _raw_headers(request)}


def _raw_headers(request: Request) -> Iterable[tuple[bytes, Sequence[bytes]]]:
    return request.requestHeaders.getAllRawHeaders()


def _write(request: Request, answer: Answer) -> None:
    status, headers, body = answer
    request.setResponseCode(status)
    for name, value in headers.items():
        request.setHeader(name.encode(), value.encode())
    request.write(body)
    request.finish()
