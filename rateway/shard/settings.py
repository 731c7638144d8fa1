"""What all shards of a bot have in common."""

from __future__ import annotations

from collections.abc import Callable

from attrs import field, frozen


@frozen
class ShardSettings:
    """What all shards of a bot have in common.

    :ivar gateway_url: of GET /gateway/bot.
    :ivar distrusted: told why, where TLS to Discord fails.
    :ivar presence: JSON text for IDENTIFY, or None.
    """

    token: str = field(repr=False)
    intents: int
    total: int
    compression: str
    presence: str | None
    gateway_url: str
    distrusted: Callable[[str], None] = lambda why: None
