"""What a bot may send while its session runs: ops 3, 4, 8, 31 and 43, and what comes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rateway.model.intents import Intent
from rateway.model.snowflake import shard_of

from ..hub import encode
from ..records import Command
from ..world.guild import Guild
from ..world.payloads import Json
from . import botstate, memberlist
from .memberlist import PREFIX_LIMIT
from .rules import presence_trouble
from .sessions import GatewaySession

if TYPE_CHECKING:
    from .connection import Connection

_NONCE_LIMIT = 32


class _BadShape(Exception):
    """``d`` of a known op is not what it must be (close 4001)."""


def obey(connection: Connection, session: GatewaySession, op: int, d: object) -> None:
    """Do what the command asks, as Discord does."""
    hub = connection.hub
    if not isinstance(d, dict):
        return connection.refuse(4001, "command-shape", f"d of op {op} is no object")
    hub.journal.keep("commands", hub.journal.commands, Command(connection.number, session.shard, hub.now(), op, d))
    try:
        _OPS[op](connection, session, d)
    except _BadShape as error:
        connection.refuse(4001, "command-shape", f"op {op}: {error}")
    return None


def _presence(connection: Connection, session: GatewaySession, d: Json) -> None:
    trouble = presence_trouble(d)
    if trouble:
        raise _BadShape(trouble)
    limits = connection.presences
    if limits.count(connection.hub.now()):
        botstate.change_presence(connection.hub, session, d)
    else:
        detail = f"more than {limits.limit} presences in {limits.window:g} s"
        connection.hub.breach("presence-limit", session.shard, detail)


def _voice(connection: Connection, session: GatewaySession, d: Json) -> None:
    guild_id, mute, deaf = _id(d.get("guild_id")), d.get("self_mute"), d.get("self_deaf")
    if not isinstance(mute, bool) or not isinstance(deaf, bool):
        raise _BadShape("self_mute or self_deaf is no boolean")
    channel = None if d.get("channel_id") is None else _id(d["channel_id"])
    guild = _own_guild(connection, session, guild_id)
    if guild is not None:
        botstate.change_voice(connection.hub, session, guild, channel, mute, deaf)


def _members(connection: Connection, session: GatewaySession, d: Json) -> None:
    guild_id, nonce = _id(d.get("guild_id")), _nonce(connection, session, d)
    query, wanted = d.get("query"), d.get("user_ids")
    if query is None and wanted is None:
        raise _BadShape("neither query nor user_ids")
    if query is not None and (not isinstance(query, str) or type(d.get("limit")) is not int):
        raise _BadShape("query is no text, or has no limit")
    guild = _own_guild(connection, session, guild_id)
    if guild is None:
        return
    presences = bool(d.get("presences")) and bool(session.asked.intents & Intent.GUILD_PRESENCES)
    request = memberlist.Request(connection.hub, session, guild, nonce, presences)
    if wanted is not None:
        memberlist.send_some(request, *_by_ids(guild, wanted))
    elif query == "" and d["limit"] == 0:
        if _whole_list_allowed(connection, session, guild, nonce):
            memberlist.send_all(request)
    else:
        memberlist.search(request, str(query), min(d["limit"] or PREFIX_LIMIT, PREFIX_LIMIT))


def _nonce(connection: Connection, session: GatewaySession, d: Json) -> str | None:
    """The nonce of the answer: one that is too long is passed over."""
    nonce = d.get("nonce")
    if nonce is not None and not isinstance(nonce, str):
        raise _BadShape("nonce is no text")
    if nonce is not None and len(nonce.encode()) > _NONCE_LIMIT:
        detail = f"a nonce of {len(nonce.encode())} bytes, the limit is {_NONCE_LIMIT}"
        connection.hub.breach("nonce-size", session.shard, detail)
        return None
    return nonce


def _whole_list_allowed(connection: Connection, session: GatewaySession, guild: Guild, nonce: str | None) -> bool:
    """GUILD_MEMBERS, and one whole list per guild and 30 s."""
    hub = connection.hub
    if not session.asked.intents & Intent.GUILD_MEMBERS:
        hub.breach("members-intent", session.shard, "a whole member list without the intent GUILD_MEMBERS")
        return False
    wait = hub.lists.wait(guild.id, hub.now())
    if wait > 0:
        meta = {"guild_id": str(guild.id)} | ({} if nonce is None else {"nonce": nonce})
        limited = {"opcode": 8, "retry_after": round(wait, 3), "meta": meta}
        hub.breach("member-list-limit", session.shard, f"guild {guild.id} again, {wait:.3f} s too early")
        hub.deliver(session, "RATE_LIMITED", encode(limited))
        return False
    hub.lists.use(guild.id, hub.now())
    return True


def _by_ids(guild: Guild, wanted: object) -> tuple[list[int], list[object]]:
    """The ids of members, and those of nobody, as they were asked for."""
    ids = wanted if isinstance(wanted, list) else [wanted]
    if len(ids) > PREFIX_LIMIT:
        raise _BadShape("more than 100 user_ids")
    found: list[int] = []
    missing: list[object] = []
    for id in ids:
        number = int(id) if isinstance(id, int) or (isinstance(id, str) and id.isascii() and id.isdigit()) else None
        if number is not None and number in guild.members:
            found.append(number)
        else:
            missing.append(id)
    return found, missing


def _sounds(connection: Connection, session: GatewaySession, d: Json) -> None:
    ids = d.get("guild_ids")
    if not isinstance(ids, list):
        raise _BadShape("guild_ids is no list")
    for id in map(_id, ids):
        guild = _own_guild(connection, session, id)
        if guild is not None:
            answer = {"guild_id": str(id), "soundboard_sounds": list(guild.sounds.values())}
            connection.hub.deliver(session, "SOUNDBOARD_SOUNDS", encode(answer))


def _channel_info(connection: Connection, session: GatewaySession, d: Json) -> None:
    guild_id, fields = _id(d.get("guild_id")), d.get("fields")
    if not isinstance(fields, list) or not set(map(str, fields)) <= {"status", "voice_start_time"}:
        raise _BadShape("fields is no list of known fields")
    guild = _own_guild(connection, session, guild_id)
    if guild is not None:
        channels = [
            {"id": str(id), **{field: guild.channel_info.get(id, {}).get(field) for field in map(str, fields)}}
            for id in (*guild.voice_channels(), *guild.stage_channels())
        ]
        answer = {"guild_id": str(guild_id), "channels": channels}
        connection.hub.deliver(session, "CHANNEL_INFO", encode(answer))


def _own_guild(connection: Connection, session: GatewaySession, guild_id: int) -> Guild | None:
    """The guild if this shard owns it; Discord does not answer for others."""
    if shard_of(guild_id, session.total) != session.shard:
        connection.hub.breach("foreign-guild", session.shard, f"a command for guild {guild_id} of another shard")
        return None
    guild = connection.hub.world.guilds.get(guild_id)
    return None if guild is None or guild.unavailable else guild


def _id(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if type(value) is int and value >= 0:
        return value
    raise _BadShape("an id is missing or is none")


_OPS: dict[int, Callable[[Any, GatewaySession, Json], None]] = {
    3: _presence,
    4: _voice,
    8: _members,
    31: _sounds,
    43: _channel_info,
}
