"""The simulator's state and records as values that JSON can carry. The token is in none of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from ..records import KINDS, Breach

if TYPE_CHECKING:
    from ..simulator import Simulator

MOST_RECORDS = 1000
"""Records in one answer."""

_SECRET_HEADERS = {"authorization", "proxy-authorization", "cookie"}


def state(simulator: Simulator) -> dict[str, Any]:
    """What there is now: addresses, shards, sessions, connections, guilds."""
    hub = simulator.hub
    return {
        "time": hub.now(),
        "world_time": hub.world_time(),
        "addresses": {
            "api": simulator.api_url,
            "gateway": simulator.gateway_url,
            "resume": simulator.resume_url,
            "resume_host": simulator.resume_host,
        },
        "recommended_shards": simulator.options.shards,
        "connected_shards": sorted(simulator.connected_shards()),
        "sessions": [
            {
                "shard": session.shard,
                "total": session.total,
                "session_id": session.id,
                "seq": session.seq,
                "intents": session.asked.intents,
                "connection": None if session.connection is None else session.connection.number,
                "detached_at": session.detached_at if session.connection is None else None,
                "backfilling": session.backfilling,
            }
            for session in hub.sessions
        ],
        "connections": [
            {
                "number": number,
                "shard": connection.shard,
                "host": connection.record.host,
                "since": connection.record.at,
                "query": dict(connection.record.query),
                "has_session": connection.session is not None,
                "over": connection.over,
                "swallowed": connection.swallowed,
            }
            for number, connection in sorted(hub.connections.items())
        ],
        "guilds": [
            {"id": str(guild.id), "unavailable": guild.unavailable} for _, guild in sorted(hub.world.guilds.items())
        ],
        "session_starts_left": hub.allowance.remaining,
        "token_dead": hub.token_dead,
        "events_sent": hub.sent,
    }


def numbered(simulator: Simulator, kind: str) -> tuple[int, Sequence[Any]]:
    """``(number of the first record that is still known, the records known)``; numbers begin at 1.

    :raises LookupError: for a kind that is none.
    """
    if kind not in KINDS:
        raise LookupError(f"there are no records of {kind!r}; there are {', '.join(KINDS)}")
    journal = simulator.hub.journal
    log: Sequence[Any] = getattr(journal, kind)
    return max(journal.totals.get(kind, 0), len(log)) - len(log) + 1, log


def records(
    simulator: Simulator, kind: str, after: int = 0, shard: int | None = None, limit: int = MOST_RECORDS
) -> dict[str, Any]:
    """Records of a kind with numbers above ``after``, oldest first, at most ``limit`` of them.

    ``next`` is what to give as ``after`` for those that follow.

    :raises LookupError: for a kind that is none.
    """
    first, log = numbered(simulator, kind)
    chosen: list[dict[str, Any]] = []
    next = max(after, first - 1)
    for number, record in enumerate(log[max(0, after + 1 - first) :], max(first, after + 1)):
        if len(chosen) >= limit:
            break
        next = number
        if shard is None or getattr(record, "shard", None) == shard:
            chosen.append({"number": number, **as_value(record)})
    return {"kind": kind, "total": first + len(log) - 1, "known_from": first, "next": next, "records": chosen}


def breaches(simulator: Simulator) -> list[dict[str, Any]]:
    """The rules broken so far that are still on record."""
    found: Sequence[Breach] = simulator.breaches
    return [as_value(breach) for breach in found]


def as_value(record: Any) -> dict[str, Any]:
    """One record: bytes as JSON where they are JSON, else as text; no header that holds a secret."""
    value = {field.name: getattr(record, field.name) for field in attrs.fields(type(record))}
    if isinstance(value.get("d"), bytes):
        value["d"] = _json(value["d"])
    if isinstance(value.get("body"), bytes):
        value["body"] = value["body"].decode(errors="replace")
    if "headers" in value:
        value["headers"] = {
            name: "(not shown)" if name in _SECRET_HEADERS else text for name, text in value["headers"].items()
        }
    return value


def _json(data: bytes) -> object:
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return data.decode(errors="replace")
    return msgspec.Raw(data)
