"""What a bot may have Discord told in its name (Discord's docs, "Gateway Events": Send Events).

A payload that Discord doesn't understand closes the shard's connection (4001, 4002), for everybody. So it is checked
here, down to the kinds of the documented fields, and refused with a sentence for the bot's author. Keys we don't know
pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeGuard

import ujson

from rateway.errors import RequestRefused
from rateway.model.opcodes import COMMANDS, MAX_PAYLOAD, Opcode
from rateway.model.snowflake import parse_id

_INT64 = 1 << 63
"""What Discord's integers fit into."""

MAX_USERS = 100
"""``user_ids`` of one request for members."""

_CHANNEL_INFO = ("status", "voice_start_time")
_STATUSES = ("online", "dnd", "idle", "invisible", "offline")

Fields: TypeAlias = dict[str, object]
"""A payload's ``d``."""


def check_command(body: bytes) -> tuple[int, Fields]:
    """The op and the ``d`` of a bot's payload.

    :raises RequestRefused: with a sentence for the bot's author.
    """
    if len(body) > MAX_PAYLOAD:
        raise RequestRefused(f"the payload has {len(body)} bytes, Discord takes at most {MAX_PAYLOAD}")
    try:
        payload = ujson.loads(body)
    except (ValueError, OverflowError, RecursionError) as error:
        raise RequestRefused(f"the payload is no JSON: {error}") from error
    if not isinstance(payload, dict):
        raise RequestRefused("the payload has to be a JSON object with op and d")
    op, d = payload.get("op"), payload.get("d")
    if not isinstance(op, int) or isinstance(op, bool):
        raise RequestRefused("the payload's op has to be an integer")
    check = _CHECKS.get(op)
    if check is None:
        names = ", ".join(f"{int(known)}" for known in sorted(COMMANDS))
        raise RequestRefused(f"op {op} can't be sent through rateway, only {names}")
    if not isinstance(d, dict):
        raise RequestRefused("the payload's d has to be an object")
    check(d)
    encode_command(op, d)
    return op, d


def encode_command(op: int, d: Mapping[str, object]) -> bytes:
    """The payload to send for a checked command.

    It is written anew, so that what Discord reads is precisely what was checked: a key given twice, a number or a text
    in a spelling that only some readers take do not get through.

    :raises RequestRefused: it can't be written as JSON, or has become too long.
    """
    try:
        text = ujson.dumps(
            {"op": op, "d": d}, ensure_ascii=False, escape_forward_slashes=False, separators=(",", ":"), allow_nan=False
        )
        payload = text.encode()
    except (ValueError, OverflowError, RecursionError) as error:
        raise RequestRefused(f"the payload can't be written as JSON for Discord: {error}") from error
    if len(payload) > MAX_PAYLOAD:
        raise RequestRefused(f"the payload has {len(payload)} bytes, Discord takes at most {MAX_PAYLOAD}")
    return payload


def _presence_update(d: Fields) -> None:
    if d.get("status") not in _STATUSES:
        raise RequestRefused(f"a presence's status has to be one of {', '.join(_STATUSES)}")
    # Discord wants all of these; bots leave out what says nothing.
    since, activities = d.setdefault("since", None), d.setdefault("activities", [])
    if not (since is None or _is_int(since)):
        raise RequestRefused("a presence's since has to be an integer (ms since 1970), or null")
    if not isinstance(d.setdefault("afk", False), bool):
        raise RequestRefused("a presence's afk has to be true or false")
    if not isinstance(activities, list):
        raise RequestRefused("a presence's activities have to be a list, which may be empty")
    for activity in activities:
        if not isinstance(activity, dict) or not isinstance(activity.get("name"), str):
            raise RequestRefused("each of a presence's activities has to be an object with a name")
        if not _is_int(activity.get("type")):
            raise RequestRefused("an activity's type has to be an integer")
        for key in ("state", "url"):
            if not isinstance(activity.get(key), str | None):
                raise RequestRefused(f"an activity's {key} has to be text, or null")


def _voice_state_update(d: Fields) -> None:
    _id(d, "guild_id")
    if "channel_id" not in d:
        raise RequestRefused("a voice state needs channel_id: an id, or null to leave")
    if d["channel_id"] is not None:
        _id(d, "channel_id")
    for key in ("self_mute", "self_deaf"):
        _optional(d, key, bool, "true or false")


def _request_guild_members(d: Fields) -> None:
    _id(d, "guild_id")
    query, ids = d.get("query"), d.get("user_ids")
    if (query is None) == (ids is None):
        raise RequestRefused("a request for members needs either query and limit, or user_ids")
    if ids is not None:
        _ids(ids if isinstance(ids, list) else [ids], "user_ids")
    elif not isinstance(query, str):
        raise RequestRefused("query has to be text; empty for all members")
    elif not _is_int(limit := d.setdefault("limit", 0)) or limit < 0:
        raise RequestRefused("a query's limit has to be an integer; 0 for all members, with an empty query")
    _optional(d, "presences", bool, "true or false")
    _optional(d, "nonce", str, "text")


def _request_soundboard_sounds(d: Fields) -> None:
    _ids(d.get("guild_ids"), "guild_ids", most=None)


def _request_channel_info(d: Fields) -> None:
    _id(d, "guild_id")
    fields = d.get("fields")
    if not isinstance(fields, list) or not fields or not all(field in _CHANNEL_INFO for field in fields):
        raise RequestRefused(f"fields has to be a list of names out of {', '.join(_CHANNEL_INFO)}")


_CHECKS: Mapping[object, Callable[[Fields], None]] = {
    Opcode.PRESENCE_UPDATE: _presence_update,
    Opcode.VOICE_STATE_UPDATE: _voice_state_update,
    Opcode.REQUEST_GUILD_MEMBERS: _request_guild_members,
    Opcode.REQUEST_SOUNDBOARD_SOUNDS: _request_soundboard_sounds,
    Opcode.REQUEST_CHANNEL_INFO: _request_channel_info,
}


def _is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64


def _id(d: Fields, key: str) -> None:
    try:
        parse_id(d.get(key))
    except ValueError as error:
        raise RequestRefused(f"{key} has to be an id: {error}") from error


def _ids(values: object, key: str, most: int | None = MAX_USERS) -> None:
    if not isinstance(values, list) or not values:
        raise RequestRefused(f"{key} has to be a list of ids")
    if most is not None and len(values) > most:
        raise RequestRefused(f"{key} has {len(values)} ids, Discord takes at most {most}")
    for value in values:
        _id({key: value}, key)


def _optional(d: Fields, key: str, kind: type, words: str) -> None:
    if d.get(key) is not None and not isinstance(d[key], kind):
        raise RequestRefused(f"{key} has to be {words}")
