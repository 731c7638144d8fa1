"""PURE: a request's route, and the resource its limit is counted for.

Discord counts requests per route and *top-level resource* (Discord's docs, "Rate Limits"): a channel, a guild or a
webhook, where it is the first parameter of the path. Every other id is masked, so that one route stays one route.
"""

from __future__ import annotations

import re

from attrs import field, frozen

_ID = re.compile(r"\d{1,20}\Z")
_TOP_LEVEL = frozenset({"channels", "guilds", "webhooks"})
_CODED = frozenset({"invites", "templates"})
"""Segments followed by a code instead of an id."""


@frozen
class Route:
    """What limits are learned for.

    :ivar key: method and path with every id but the top-level one masked: ``GET /channels/!/messages/*``.
    :ivar major: the top-level resource; of a webhook with its token, which is why no repr shows it.
    :ivar carries_token: the path bears its own credential: no ``Authorization`` is sent, and a 401 says nothing
        about the bot's token.
    :ivar unbound: not counted against the global limit: answers to interactions.
    """

    key: str
    major: str = field(default="", repr=False)
    carries_token: bool = False
    unbound: bool = False


def route_of(method: str, path: str) -> Route:
    """The route of a request.

    :param path: below the API's base, beginning with ``/``; a query is ignored.
    """
    parts = [part for part in path.partition("?")[0].split("/") if part]
    first = parts[0] if parts else ""
    if first == "interactions" and len(parts) >= 3:
        shown = ["interactions", "*", "*", *parts[3:]]
        return Route(f"{method.upper()} /{'/'.join(shown)}", parts[1], carries_token=True, unbound=True)
    major, start, shown = "", 0, []
    carries_token = False
    if first in _TOP_LEVEL and len(parts) >= 2 and _ID.match(parts[1]):
        major, start, shown = parts[1], 2, [first, "!"]
        if first == "webhooks" and len(parts) >= 3:
            major, start, carries_token = f"{parts[1]}/{parts[2]}", 3, True
            shown.append("!")
    shown.extend(_masked(parts[start:], parts[start - 1] if start else ""))
    return Route(f"{method.upper()} /{'/'.join(shown)}", major, carries_token)


def _masked(parts: list[str], before: str) -> list[str]:
    shown: list[str] = []
    for part in parts:
        if before == "reactions":
            shown.append("*")
            break
        shown.append("*" if _ID.match(part) or before in _CODED else part)
        before = part
    return shown
