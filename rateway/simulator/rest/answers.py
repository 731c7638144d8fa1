"""Answers of the REST API: what is sent, and how the sending may go wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, TypeAlias

from attrs import frozen

from ..hub import encode

Answer: TypeAlias = tuple[int, Mapping[str, str], bytes]
"""``(status, headers, body)``."""

Flaw: TypeAlias = Literal["none", "never", "reset", "cut", "length"]
"""``never``: nothing is sent, and the connection stays; ``reset``: it is reset instead of an answer; ``cut``: it ends
after ``amount`` bytes of the body; ``length``: Content-Length is wrong by ``amount``, and the connection ends."""

VIA = "1.1 google"
"""What shows that an answer is of Discord itself, not of the edge before it."""

_JSON = {"Content-Type": "application/json", "Via": VIA}

NO_CONTENT: Answer = (204, {"Via": VIA}, b"")


@frozen(kw_only=True)
class Staged:
    """An answer with what befalls it.

    :ivar answer: None for the one that would have been given anyhow.
    :ivar delay: seconds before it.
    :ivar amount: bytes, for the flaws ``cut`` and ``length``.
    """

    answer: Answer | None = None
    delay: float = 0.0
    flaw: Flaw = "none"
    amount: int = 0


def json_answer(status: int, value: object, headers: Mapping[str, str] | None = None) -> Answer:
    return status, {**_JSON, **(headers or {})}, encode(value)


def edge_answer(status: int, body: bytes, content_type: str, retry_after: int | None = None) -> Answer:
    """An answer of the edge: without ``Via``, and without any header about rate limits."""
    headers = {"Content-Type": content_type, "Server": "cloudflare"}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return status, headers, body


def rate_limited(
    scope: str = "user",
    retry_after: float = 1.0,
    *,
    bucket: str = "9d1f0c2b3a4e5d6f",
    limit: int = 5,
    remaining: int = 0,
    reset_after: float | None = None,
    reset: float | None = None,
) -> Answer:
    """A 429 as Discord writes it, for scripts: scope ``user``, ``shared`` or ``global``.

    ``user`` with ``remaining`` above 0 is a sub-limit: one that the headers don't show.

    :param reset: X-RateLimit-Reset, in seconds since 1970; left out without it.
    """
    headers = {"Retry-After": str(math.ceil(retry_after)), "X-RateLimit-Scope": scope}
    body: dict[str, object] = {
        "message": "You are being rate limited.",
        "retry_after": retry_after,
        "global": scope == "global",
    }
    if scope == "global":
        return json_answer(429, body, {**headers, "X-RateLimit-Global": "true"})
    if scope == "shared":
        body |= {"message": "The resource is being rate limited.", "code": 40062}
    after = retry_after if reset_after is None else reset_after
    headers |= {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset-After": f"{after:.3f}",
        "X-RateLimit-Bucket": bucket,
    }
    if reset is not None:
        headers["X-RateLimit-Reset"] = f"{reset:.3f}"
    return json_answer(429, body, headers)


def banned(*, html: bool = True, retry_after: int | None = None) -> Answer:
    """A 429 of the edge, which bans the address: HTML, or JSON without ``retry_after``."""
    if html:
        body = b"<!DOCTYPE html><html><head><title>Access denied</title></head><body>error code: 1015</body></html>"
        return edge_answer(429, body, "text/html", retry_after)
    message = "You are being blocked from accessing our API temporarily due to exceeding our rate limits frequently."
    return edge_answer(429, encode({"message": message, "code": 0}), "application/json", retry_after)


def is_invalid(answer: Answer) -> bool:
    """Whether it counts against the address (Discord's docs, "Invalid Request Limit"): 401, 403 and 429.

    A 429 of scope ``shared`` doesn't; nor does one of the edge, which is given by the ban itself.
    """
    status, headers, _ = answer
    if status == 429:
        return headers.get("X-RateLimit-Scope", "shared") != "shared"
    return status in (401, 403)
