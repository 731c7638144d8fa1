"""PRESENCE: what the bot shows when it comes online, as Discord's op 3 takes it.

Source: Discord's docs, "Gateway Events": Update Presence. Fields that are left out get the values that change
nothing: no activity, online, not away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from .values import nearest, shown

STATUSES = ("online", "dnd", "idle", "invisible", "offline")
_DEFAULTS: Mapping[str, object] = {"since": None, "activities": [], "status": "online", "afk": False}

MAX_BYTES = 3000
"""IDENTIFY must stay below 4096 bytes with the token and all else that is in it."""


def presence(given: object) -> str:
    """A reader (see ``values``): JSON text or a TOML table in, complete JSON text out.

    ``{{shard}}`` stays as it is: each shard puts its number there.
    """
    fields = _parsed(given) if isinstance(given, str) else given
    if not isinstance(fields, dict):
        raise ValueError('it must be a JSON object, like {"status": "idle", "activities": []}')
    for name in fields:
        if name not in _DEFAULTS:
            raise ValueError(f"{shown(name)} is no field of a presence (the nearest is {nearest(name, _DEFAULTS)})")
    complete = {**_DEFAULTS, **fields}
    _check(complete)
    try:
        encoded = json.dumps(complete, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        size = len(encoded.encode())
    except (TypeError, ValueError):
        raise ValueError("it holds a value that JSON has no form for (a date, NaN, half a surrogate pair)") from None
    if size > MAX_BYTES:
        raise ValueError(f"it takes {size} bytes as JSON, and at most {MAX_BYTES} go into IDENTIFY: shorten it")
    return encoded


def _check(fields: Mapping[str, Any]) -> None:
    since, activities = fields["since"], fields["activities"]
    if since is not None and (not _whole(since) or since < 0):
        raise ValueError("its since must be null, or a time in milliseconds since 1970")
    if fields["status"] not in STATUSES:
        raise ValueError(f"its status must be one of {', '.join(STATUSES)}, not {shown(fields['status'])}")
    if not isinstance(fields["afk"], bool):
        raise ValueError("its afk must be true or false")
    if not isinstance(activities, list):
        raise ValueError('its activities must be a list, like [{"name": "shard {{shard}}", "type": 0}]')
    for activity in activities:
        named = isinstance(activity, dict) and isinstance(activity.get("name"), str)
        if not named or not _whole(activity.get("type")):
            raise ValueError('each of its activities needs a "name" (text) and a "type" (a number, 0 is "Playing")')


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _parsed(text: str) -> object:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        where = f" (near character {error.pos + 1})" if isinstance(error, json.JSONDecodeError) else ""
        raise ValueError(f"it is no JSON{where}: it must be an object, in double quotes throughout") from None
    except RecursionError:
        raise ValueError("it is no JSON that a presence could be: it is nested too deeply") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
