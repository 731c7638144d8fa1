"""Every limit of the REST API, as requests meet them; what a client does against them is a breach."""

from __future__ import annotations

from attrs import Factory, define, field

from ..hub import Hub
from ..records import RestRequest
from .answers import Answer, banned, is_invalid, rate_limited
from .buckets import Bucket, Buckets, Route, major_of, up, without_secrets
from .limits import InvalidRequests, SubLimits, Windows


def _overall(limiter: Limiter) -> Windows:
    return Windows(limiter.hub.options.global_limit, 1.0)


def _invalid(limiter: Limiter) -> InvalidRequests:
    options = limiter.hub.options
    return InvalidRequests(options.invalid_limit, options.invalid_window, options.ban_time)


@define(eq=False)
class Limiter:
    """All counters.

    They protect Discord from its clients, and count in the clients' seconds: by ``hub.clock``.

    :ivar overall: requests a second by Authorization, or by address without one.
    :ivar invalid: what counts against an address.
    """

    hub: Hub
    buckets: Buckets = Factory(Buckets)
    overall: Windows = field(default=Factory(_overall, takes_self=True))
    invalid: InvalidRequests = field(default=Factory(_invalid, takes_self=True))
    sub_limits: SubLimits = Factory(SubLimits)
    _dead_webhooks: set[str] = Factory(set)

    def ban(self, request: RestRequest) -> Answer | None:
        """The edge's answer to an address that is banned."""
        left = self.invalid.banned_for(request.address, self.hub.now())
        if not left:
            return None
        self.hub.breach(
            "rest-invalid-requests", None, f"{request.method} {without_secrets(request.path)} by a banned address"
        )
        return banned(retry_after=max(1, round(left)))

    def note(self, request: RestRequest, answer: Answer) -> None:
        """Count an answer that goes out, if it is one that counts against the address."""
        if is_invalid(answer) and self.invalid.note(request.address, self.hub.now()):
            limit, period = self.invalid.limit, self.invalid.period
            detail = f"{limit} answers with 401, 403 or 429 within {period:g} s: {request.address} is banned"
            self.hub.breach("rest-invalid-requests", None, detail)

    def refuse_globally(self, request: RestRequest) -> Answer | None:
        """429 of the limit over all routes; None when there is room.

        Interactions, and the webhook that follows them, don't count (Discord's docs, "Global Rate Limit").
        """
        if request.path.startswith(("/interactions/", f"/webhooks/{self.hub.world.bot['id']}/")):
            return None
        authorization = request.headers.get("authorization", "")
        key = authorization if self.hub.knows(authorization) else request.address
        wait = self.overall.take(key, self.hub.now())
        if not wait:
            return None
        self.hub.breach("rest-global-limit", None, f"more than {self.overall.limit} requests in a second")
        return rate_limited("global", up(wait))

    def refuse_by_bucket(self, request: RestRequest, route: Route) -> Answer | None:
        """429 of the route's bucket; None when there is room."""
        now = self.hub.now()
        bucket = self.buckets.of(route, request.path, now)
        if bucket is None or bucket.take(now):
            return None
        if route.scope == "user":
            self.hub.breach(
                "rest-bucket", None, f"{request.method} {without_secrets(request.path)}: bucket {route.hash} is empty"
            )
        return _limited(route, bucket, up(bucket.wait(now)), now)

    def refuse_fields(self, request: RestRequest, route: Route, fields: list[str]) -> Answer | None:
        """429 of fields that have a limit of their own; a breach if the client was told to wait for longer."""
        now = self.hub.now()
        wait, early = self.sub_limits.take([(major_of(request.path), name) for name in fields], now)
        if not wait:
            return None
        if early:
            self.hub.breach(
                "rest-bucket", None, f"{without_secrets(request.path)}: {' and '.join(fields)} again before its time"
            )
        return _limited(
            route, self.buckets.of(route, request.path, now) or Bucket(route.limit or 5, 1.0), up(wait), now
        )

    def headers(self, request: RestRequest, route: Route) -> dict[str, str]:
        """The state of the route's bucket; nothing where it has none."""
        now = self.hub.now()
        bucket = self.buckets.of(route, request.path, now)
        return {} if bucket is None else bucket.headers(now, route.hash)

    def watch_webhooks(self, request: RestRequest, answer: Answer) -> None:
        """A webhook that answered 404 must not be called again (Discord's docs, "Invalid Request Limit")."""
        webhook = major_of(request.path) if request.path.startswith("/webhooks/") else ""
        if webhook in self._dead_webhooks:
            self.hub.breach("rest-dead-webhook", None, f"webhook {webhook.partition('/')[0]} after its 404")
        elif webhook and answer[0] == 404 and b'"code":10015' in answer[2]:
            self._dead_webhooks.add(webhook)


def _limited(route: Route, bucket: Bucket, wait: float, now: float) -> Answer:
    """429 with the state of the bucket."""
    return rate_limited(
        route.scope,
        wait,
        bucket=route.hash,
        limit=bucket.limit,
        remaining=bucket.remaining(now),
        reset_after=bucket.reset_after(now),
        reset=up(bucket.ends),
    )
