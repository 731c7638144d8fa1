"""PURE: what an answer says of itself, in its headers."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen
from msgspec import MsgspecError, Struct

from . import blob, keys
from .sessions import applied_of
from .view import Reader

_UNAVAILABLE = b'"unavailable":true'


@frozen
class Answer:
    """What is sent back.

    :ivar body: JSON, or ``None`` for what isn't known.
    """

    body: bytes | None
    headers: Mapping[str, object] = field(factory=dict)


class _Counted(Struct, gc=False):
    member_count: int | None = None


_counted = blob.decoder(_Counted)


def of_guild(reader: Reader, guild: int, shard: int) -> dict[str, object]:
    """As of which event of the guild's shard the answer is; and whether the guild is in an outage, or was not followed.

    ``as_of_seq``: whatever the session's events up to this sequence changed is in the answer.
    """
    headers: dict[str, object] = {"shard_id": shard}
    session = reader.get(keys.session(shard))
    if session is not None:
        headers["as_of_seq"] = applied_of(session)
    state = reader.get(keys.guild_state(guild))
    if (state is not None and is_unavailable(state)) or reader.has(keys.stale(guild)):
        headers["stale"] = True
    return headers


def is_unavailable(state: bytes) -> bool:
    """Whether a guild is in an outage, by the row of its state."""
    return _UNAVAILABLE in state


def of_members(reader: Reader, guild: int) -> dict[str, object]:
    """How many members of the guild are ``known`` here, out of how many it has in ``total``, where that is known."""
    count = reader.get(keys.member_count(guild))
    headers: dict[str, object] = {"known": 0 if count is None else keys.to_id(count)}
    for row in (reader.get(keys.guild_state(guild)), reader.get(keys.guild(guild))):
        total = None if row is None else _member_count(row)
        if total is not None:
            headers["total"] = total
            break
    return headers


def _member_count(row: bytes) -> int | None:
    try:
        return _counted(row).member_count
    except MsgspecError:
        return None
