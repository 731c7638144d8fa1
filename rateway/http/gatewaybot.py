"""PURE: what GET /gateway/bot answers (Discord's docs, "Get Gateway Bot")."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from attrs import frozen

from rateway.errors import Unavailable

MOST_SHARDS = 1_000_000
"""More than any bot has; a larger number is a mistake, and would be planned for in vain."""

LONGEST_URL = 2_000
"""Characters of a gateway's URL."""


@frozen
class SessionStartLimit:
    """How many sessions may be started (Discord's docs, "Session Start Limit").

    :ivar reset_after: seconds; 0 if no window is open.
    """

    total: int
    remaining: int
    reset_after: float
    max_concurrency: int


@frozen
class GatewayBot:
    """What GET /gateway/bot answers: where to connect, and how many shards Discord recommends."""

    url: str
    shards: int
    limit: SessionStartLimit


def read_gateway_bot(said: Mapping[str, object]) -> GatewayBot:
    """Read the answer to GET /gateway/bot.

    :raises Unavailable: if it isn't one.
    """
    limit = said.get("session_start_limit")
    numbers = [said.get("shards")]
    if isinstance(limit, dict):
        numbers += [limit.get(key) for key in ("total", "remaining", "reset_after", "max_concurrency")]
    if len(numbers) != 5 or any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in numbers):
        raise Unavailable("Discord's answer to GET /gateway/bot makes no sense")
    shards, total, remaining, reset_after, max_concurrency = (n for n in numbers if isinstance(n, int))
    if shards > MOST_SHARDS:
        raise Unavailable(f"Discord recommends {shards} shards, which makes no sense")
    return GatewayBot(
        read_url(said.get("url")),
        max(1, shards),
        SessionStartLimit(total, remaining, reset_after / 1000, max(1, max_concurrency)),
    )


def read_url(value: object) -> str:
    """A gateway's URL.

    :raises Unavailable: if it isn't one.
    """
    if isinstance(value, str) and len(value) <= LONGEST_URL:
        try:
            split = urlsplit(value)
        except ValueError:
            split = urlsplit("")
        if split.scheme in ("ws", "wss") and split.hostname:
            return value
    raise Unavailable("Discord names no gateway to connect to")
