"""PURE: what an answer says about limits, and which kind of 429 it is (Discord's docs, "Rate Limits").

A 429's waiting time is taken from its body: the header ``X-RateLimit-Reset-After`` belongs to the bucket, and
differs where another limit was met. ``X-RateLimit-Reset`` needs the clocks to agree, and is not used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum

import ujson
from attrs import frozen

BAN_SECONDS = 3600.0
"""How long a Cloudflare ban lasts where the answer doesn't say."""
_BAN_WORDS = (b"error 1015", b"Error 1015", b"blocked from accessing our API")


class Refusal(Enum):
    """Which limit a request met."""

    BUCKET = "its bucket is empty"
    SUBLIMIT = "a limit of its own, beside the bucket's"
    SHARED = "a limit of the resource, shared with others"
    GLOBAL = "the limit over all requests"
    BANNED = "Cloudflare's ban of this address"


@frozen
class Quota:
    """The bucket's state as an answer's headers tell it.

    :ivar reset_after: seconds.
    """

    bucket: str
    limit: int
    remaining: int
    reset_after: float


@frozen
class Answer:
    """One answer, read for its limits.

    :ivar quota: ``None`` if the headers name no bucket.
    :ivar retry_after: seconds, where there is a refusal.
    :ivar invalid: counts towards the 10,000 invalid requests that get an address banned.
    """

    status: int
    quota: Quota | None = None
    refusal: Refusal | None = None
    retry_after: float = 0.0

    @property
    def invalid(self) -> bool:
        return self.status in (401, 403, 429) and self.refusal is not Refusal.SHARED

    @property
    def teaches(self) -> bool:
        """Whether the absence of a bucket in it means that the route has none."""
        return self.status < 500 and self.status not in (401, 429) and self.refusal is None


def read_answer(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """Read one answer.

    :param headers: by their names in lower case.
    """
    quota = _quota(headers)
    if status == 429:
        return _refused(headers, body, quota)
    if status == 403 and any(word in body for word in _BAN_WORDS):
        return Answer(status, None, Refusal.BANNED, _seconds(headers.get("retry-after")) or BAN_SECONDS)
    return Answer(status, quota)


def _refused(headers: Mapping[str, str], body: bytes, quota: Quota | None) -> Answer:
    try:
        said = ujson.loads(body)
    except ValueError:
        said = None
    retry_after = _seconds(said.get("retry_after")) if isinstance(said, dict) else None
    if retry_after is None:
        return Answer(429, None, Refusal.BANNED, _seconds(headers.get("retry-after")) or BAN_SECONDS)
    scope = headers.get("x-ratelimit-scope")
    if said.get("global") is True or headers.get("x-ratelimit-global", "").lower() == "true" or scope == "global":
        refusal = Refusal.GLOBAL
    elif scope == "shared":
        refusal = Refusal.SHARED
    elif quota is not None and quota.remaining > 0:
        refusal = Refusal.SUBLIMIT
    else:
        refusal = Refusal.BUCKET
    return Answer(429, quota, refusal, retry_after)


def _quota(headers: Mapping[str, str]) -> Quota | None:
    bucket = headers.get("x-ratelimit-bucket")
    limit = _seconds(headers.get("x-ratelimit-limit"))
    remaining = _seconds(headers.get("x-ratelimit-remaining"))
    reset_after = _seconds(headers.get("x-ratelimit-reset-after"))
    if not bucket or limit is None or limit < 1 or remaining is None or reset_after is None:
        return None
    return Quota(bucket, int(limit), int(remaining), reset_after)


def _seconds(value: object) -> float | None:
    """A finite number that isn't negative, or ``None``."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None
