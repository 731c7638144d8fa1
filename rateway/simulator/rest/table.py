"""The table of routes: which there are, and what is known of all of them."""

from __future__ import annotations

import re

from ..hub import Hub
from .applications import Applications
from .buckets import Route
from .channels import Channels
from .commands import Commands
from .guilds import Guilds
from .interactions import Interactions
from .messages import Messages
from .reactions import Reactions
from .webhooks import Webhooks

_TOKENLESS = re.compile(r"/gateway|/interactions/[^/]+/[^/]+/callback|/webhooks/[^/]+/[^/]+(?:/.*)?")
"""Paths that need no Authorization."""
_CLOSED = tuple(
    Route(template=template)
    for template in (
        "/gateway",
        "/gateway/bot",
        "/applications/{}/commands",
        "/channels/{}/messages",
        "/channels/{}/messages/bulk-delete",
        "/channels/{}/typing",
        "/interactions/{}/{}/callback",
        "/oauth2/applications/@me",
        "/users/@me/channels",
        "/users/{}",
    )
)
"""Paths of which every method is known."""


def table(hub: Hub) -> list[Route]:
    """Every route that does more than answer ``{}``; the first that matches answers."""
    return [
        *Applications(hub).routes(),
        *Commands(hub).routes(),
        *Guilds(hub).routes(),
        *Channels(hub).routes(),
        *Messages(hub).routes(),
        *Reactions(hub).routes(),
        *Interactions(hub).routes(),
        *Webhooks(hub).routes(),
    ]


def needs_token(path: str) -> bool:
    """Whether Authorization is needed; interactions and webhooks bear their own token in the path."""
    return _TOKENLESS.fullmatch(path) is None


def is_known(path: str) -> bool:
    """Whether all methods of this path are in the table: any other is not allowed."""
    return any(route.matches("*", path) for route in _CLOSED)
