"""REST rate limits as Discord counts them, without I/O (Discord's docs, "Rate Limits")."""

from __future__ import annotations

import re

from attrs import Factory, define, field, frozen

_MAJOR = re.compile(r"^/(channels|guilds|webhooks)/(\d+)(?:/|$)")


@frozen(kw_only=True)
class Route:
    """How a route answers and how it is limited.

    :ivar method: an HTTP method, or ``*``.
    :ivar template: the path below ``/api/v10``; ``{}`` stands for one part of it.
    :ivar limit: requests per ``per`` seconds; 0 = no bucket of its own.
    :ivar bucket: the hash in X-RateLimit-Bucket; routes with the same one share their counter, per major parameter.
    :ivar delay: seconds before the answer.
    """

    method: str = "*"
    template: str = "/{}"
    limit: int = 5
    per: float = 1.0
    bucket: str = ""
    delay: float = 0.0
    status: int = 200
    body: bytes = b"{}"
    pattern: re.Pattern[str] = field(init=False, repr=False, eq=False)

    @pattern.default
    def _compile(self) -> re.Pattern[str]:
        return re.compile("/".join("[^/]+" if part == "{}" else re.escape(part) for part in self.template.split("/")))

    def matches(self, method: str, path: str) -> bool:
        return self.method in ("*", method) and self.pattern.fullmatch(path) is not None


def major_of(path: str) -> str:
    """The major parameter of a path: the id behind a leading ``/channels``, ``/guilds`` or ``/webhooks``."""
    found = _MAJOR.match(path)
    return "" if found is None else found[2]


def generic_route(method: str, path: str) -> Route:
    """What holds for a path nobody has defined: its own bucket of five a second."""
    masked = re.sub(r"/\d{5,}", "/{}", path)
    return Route(method=method, template=path, bucket=f"{hash_of(method + masked):016x}")


def hash_of(text: str) -> int:
    """A hash that is the same in every run."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


@define
class Bucket:
    """A counter that refills as a whole ``per`` seconds after the first request of a window."""

    limit: int
    per: float
    used: int = 0
    ends: float = 0.0

    def take(self, now: float) -> bool:
        """Count a request; False when the window is full."""
        if now >= self.ends:
            self.used, self.ends = 0, now + self.per
        if self.used >= self.limit:
            return False
        self.used += 1
        return True

    def headers(self, now: float, hash: str) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.limit - self.used),
            "X-RateLimit-Reset": f"{self.ends:.3f}",
            "X-RateLimit-Reset-After": f"{max(0.0, self.ends - now):.3f}",
            "X-RateLimit-Bucket": hash,
        }


@define
class Buckets:
    """All buckets, by hash and major parameter."""

    _buckets: dict[tuple[str, str], Bucket] = Factory(dict)

    def of(self, route: Route, path: str) -> Bucket | None:
        """The bucket a request counts against; None when the route has none."""
        if not route.limit:
            return None
        key = (route.bucket or f"{hash_of(route.method + route.template):016x}", major_of(path))
        return self._buckets.setdefault(key, Bucket(route.limit, route.per))
