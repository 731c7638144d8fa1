"""REST rate limits as Discord counts them, without I/O (Discord's docs, "Rate Limits")."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Literal, TypeAlias

from attrs import Factory, define, field, frozen

from .calls import Handler

_MAJOR = re.compile(r"^/(?:(?:channels|guilds)/(\d+)|webhooks/(\d+(?:/[^/]+)?))(?:/|$)")
_IDS = re.compile(r"/\d{5,}")
_REACTION = re.compile(r"/reactions/.*")
_SECRET = re.compile(r"^(/webhooks/\d+|/interactions/\d+)/[^/]+")
_MOST = 10_000
"""Buckets remembered before those that are whole again are forgotten."""

Vary: TypeAlias = Callable[[tuple[str, ...]], "Route | None"]


@frozen(kw_only=True)
class Route:
    """How a route answers and how it is limited.

    :ivar method: an HTTP method, or ``*``.
    :ivar template: the path below ``/api/v10``; ``{}`` stands for one part of it.
    :ivar limit: requests per ``per`` seconds; 0 = no bucket of its own.
    :ivar bucket: the hash in X-RateLimit-Bucket; routes with the same one share their counter, per major parameter.
    :ivar sliding: the bucket refills bit by bit, not as a whole.
    :ivar scope: ``shared``: others use up the limit too; its 429 is held against nobody.
    :ivar delay: seconds before the answer.
    :ivar perform: gives the answer; None: ``status`` and ``body`` are it.
    :ivar sub_limited: keys of the body that have a limit of their own, which the headers don't show.
    :ivar vary: the route whose bucket counts instead, by the braces' parts; it may give None.
    """

    method: str = "*"
    template: str = "/{}"
    limit: int = 5
    per: float = 1.0
    bucket: str = ""
    sliding: bool = False
    scope: Literal["user", "shared"] = "user"
    delay: float = 0.0
    status: int = 200
    body: bytes = b"{}"
    perform: Handler | None = None
    sub_limited: tuple[str, ...] = ()
    vary: Vary | None = None
    pattern: re.Pattern[str] = field(init=False, repr=False, eq=False)

    @pattern.default
    def _compile(self) -> re.Pattern[str]:
        return re.compile("/".join("([^/]+)" if part == "{}" else re.escape(part) for part in self.template.split("/")))

    @property
    def hash(self) -> str:
        """What X-RateLimit-Bucket says."""
        return self.bucket or f"{hash_of(self.method + self.template):016x}"

    def matches(self, method: str, path: str) -> bool:
        return self.method in ("*", method) and self.pattern.fullmatch(path) is not None

    def parts(self, path: str) -> tuple[str, ...]:
        """What stands for the braces in a path that matches."""
        found = self.pattern.fullmatch(path)
        return () if found is None else found.groups()


def major_of(path: str) -> str:
    """The major parameter of a path: the id behind a leading ``/channels``, ``/guilds`` or ``/webhooks``.

    A webhook's token belongs to it.
    """
    found = _MAJOR.match(path)
    return "" if found is None else found[1] or found[2]


def generic_route(method: str, path: str) -> Route:
    """What holds for a path nobody has defined: its own bucket of five a second."""
    masked = _IDS.sub("/{}", _REACTION.sub("/reactions", _SECRET.sub(r"\1/token", path)))
    return Route(method=method, template=path, bucket=f"{hash_of(method + masked):016x}")


def without_secrets(path: str) -> str:
    """A path as it may be logged: tokens of webhooks and interactions left out."""
    return _SECRET.sub(r"\1/…", path)


def hash_of(text: str) -> int:
    """A hash that is the same in every run."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


def up(seconds: float) -> float:
    """Rounded up to milliseconds: who waits so long is not too early."""
    return math.ceil(round(seconds * 1000, 6)) / 1000


@define
class Bucket:
    """A counter that refills as a whole ``per`` seconds after the first request of a window, or bit by bit.

    :ivar used: requests of the window; with ``sliding`` those that have not drained yet, in fractions.
    :ivar ends: when all of it is there again.
    """

    limit: int
    per: float
    sliding: bool = False
    used: float = 0
    ends: float = 0.0

    def _refill(self, now: float) -> None:
        if now >= self.ends:
            self.used = 0
        elif self.sliding:
            self.used = (self.ends - now) * self.limit / self.per

    def take(self, now: float) -> bool:
        """Count a request; False when there is no room."""
        self._refill(now)
        # Fractions of fractions: a request that comes when its place is free must find it free.
        if self.used + 1 > self.limit + 1e-6:
            return False
        if self.sliding:
            self.ends = max(self.ends, now) + self.per / self.limit
        elif not self.used:
            self.ends = now + self.per
        self.used += 1
        return True

    def wait(self, now: float) -> float:
        """Seconds until there is room."""
        self._refill(now)
        if self.used + 1 <= self.limit + 1e-6:
            return 0.0
        return (self.used + 1 - self.limit) * self.per / self.limit if self.sliding else self.ends - now

    def remaining(self, now: float) -> int:
        self._refill(now)
        return max(0, int(self.limit - self.used + 1e-6))

    def reset_after(self, now: float) -> float:
        """Seconds until all of it is there again."""
        return up(max(0.0, self.ends - now))

    def headers(self, now: float, hash: str) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining(now)),
            "X-RateLimit-Reset": f"{up(self.ends):.3f}",
            "X-RateLimit-Reset-After": f"{self.reset_after(now):.3f}",
            "X-RateLimit-Bucket": hash,
        }


@define
class Buckets:
    """All buckets, by hash and major parameter."""

    _buckets: dict[tuple[str, str], Bucket] = Factory(dict)

    def of(self, route: Route, path: str, now: float = 0.0) -> Bucket | None:
        """The bucket a request counts against; None when the route has none."""
        if not route.limit:
            return None
        if len(self._buckets) > _MOST:
            self._buckets = {key: bucket for key, bucket in self._buckets.items() if bucket.ends > now}
        key = (route.hash, major_of(path))
        return self._buckets.setdefault(key, Bucket(route.limit, route.per, route.sliding))

    def __len__(self) -> int:
        return len(self._buckets)

    def clear(self) -> None:
        """All are whole again."""
        self._buckets.clear()
