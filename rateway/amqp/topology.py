"""The names and flags of what rateway declares on the broker.

Bots redeclare the exchange and declare their queues against these flags, so they are part of the public contract.
"""

from __future__ import annotations

CACHE_KEY = "cache"
"""Routing key of cache requests."""

COMMAND_KEY = "gateway"
"""Routing key of gateway commands."""

INBOX_KEYS = (CACHE_KEY, COMMAND_KEY)

DURABLE_QUEUE_EXPIRES_MS = 24 * 60 * 60 * 1000
"""How long the durable stand-in for the inbox queue outlives its last consumer, in milliseconds."""


def exchange_name(cluster: int) -> str:
    """The exchange of a cluster: direct, durable, neither auto-deleted nor internal, without arguments."""
    return f"rateway-{cluster}"


def queue_name(cluster: int) -> str:
    """The queue bots send to: neither durable, exclusive nor auto-deleted; bound by :data:`INBOX_KEYS`."""
    return f"rateway-incoming-{cluster}"


def consumer_tag(cluster: int) -> str:
    """What the broker's own tools show as the consumer's name."""
    return f"rateway-{cluster}"
