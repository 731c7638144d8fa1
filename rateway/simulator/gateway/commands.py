"""What a bot may send while its session runs: ops 3, 4, 8, 31 and 43, and what comes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rateway.model.intents import Intent
from rateway.model.snowflake import shard_of

from ..hub import encode
from ..records import Command
from ..world.guild import Guild
from ..world.payloads import Json, voice_state
from ..world.world import BOT_ID
from .rules import CHUNK_SIZE, presence_trouble
from .sessions import GatewaySession

if TYPE_CHECKING:
    from .connection import Connection

_NONCE_LIMIT = 32
_PREFIX_LIMIT = 100


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
    if not connection.presences.count(connection.hub.now()):
        limits = connection.presences
        connection.hub.breach(
            "presence-limit", session.shard, f"more than {limits.limit} presences in {limits.window:g} s"
        )


def _voice(connection: Connection, session: GatewaySession, d: Json) -> None:
    guild_id, channel_id = _id(d.get("guild_id")), d.get("channel_id")
    if not isinstance(d.get("self_mute"), bool) or not isinstance(d.get("self_deaf"), bool):
        raise _BadShape("self_mute or self_deaf is no boolean")
    guild = _own_guild(connection, session, guild_id)
    if guild is None:
        return
    hub = connection.hub
    if channel_id is None:
        channel = None
        guild.voice_states.pop(BOT_ID, None)
    else:
        channel = _id(channel_id)
        if guild.channels.get(channel, {}).get("type") not in (2, 13):
            return
    state = voice_state(str(BOT_ID), channel, hub.world.token(), self_mute=d["self_mute"], self_deaf=d["self_deaf"])
    if channel is not None:
        guild.voice_states[BOT_ID] = state
    hub.emit(guild.id, "VOICE_STATE_UPDATE", {"guild_id": str(guild.id), **state, "member": guild.members[BOT_ID]})
    if channel is not None:
        server = {
            "token": hub.world.token()[:16],
            "guild_id": str(guild.id),
            "endpoint": "sim-voice-1.example.invalid:2087",
        }
        hub.deliver(session, "VOICE_SERVER_UPDATE", encode(server))


def _members(connection: Connection, session: GatewaySession, d: Json) -> None:
    guild_id = _id(d.get("guild_id"))
    nonce = d.get("nonce")
    if nonce is not None and not isinstance(nonce, str):
        raise _BadShape("nonce is no text")
    if nonce is not None and len(nonce.encode()) > _NONCE_LIMIT:
        detail = f"a nonce of {len(nonce.encode())} bytes, the limit is {_NONCE_LIMIT}"
        connection.hub.breach("nonce-size", session.shard, detail)
        nonce = None
    query, wanted = d.get("query"), d.get("user_ids")
    if query is None and wanted is None:
        raise _BadShape("neither query nor user_ids")
    if query is not None and (not isinstance(query, str) or type(d.get("limit")) is not int):
        raise _BadShape("query is no text, or has no limit")
    guild = _own_guild(connection, session, guild_id)
    if guild is None:
        return
    missing: list[object] = []
    if wanted is not None:
        found, missing = _by_ids(guild, wanted)
    elif query == "" and d["limit"] == 0:
        if not _whole_list_allowed(connection, session, guild, nonce):
            return
        found = list(guild.members.values())
    else:
        prefix = query.lower() if isinstance(query, str) else ""
        limit = min(d["limit"] or _PREFIX_LIMIT, _PREFIX_LIMIT)
        found = [m for m in guild.members.values() if m["user"]["username"].lower().startswith(prefix)][:limit]
    presences = bool(d.get("presences")) and bool(session.asked.intents & Intent.GUILD_PRESENCES)
    _send_chunks(connection, session, guild, found, missing, nonce, presences)


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


def _by_ids(guild: Guild, wanted: object) -> tuple[list[Json], list[object]]:
    """The members with these ids, and the ids of nobody."""
    ids = wanted if isinstance(wanted, list) else [wanted]
    if len(ids) > _PREFIX_LIMIT:
        raise _BadShape("more than 100 user_ids")
    found: list[Json] = []
    missing: list[object] = []
    for id in ids:
        member = guild.members.get(int(id)) if isinstance(id, int) or (isinstance(id, str) and id.isdigit()) else None
        if member is None:
            missing.append(id)
        else:
            found.append(member)
    return found, missing


def _send_chunks(
    connection: Connection,
    session: GatewaySession,
    guild: Guild,
    found: list[Json],
    missing: list[object],
    nonce: str | None,
    presences: bool,
) -> None:
    count = max(1, -(-len(found) // CHUNK_SIZE))
    for index in range(count):
        members = found[index * CHUNK_SIZE : (index + 1) * CHUNK_SIZE]
        chunk: Json = {
            "guild_id": str(guild.id),
            "chunk_index": index,
            "chunk_count": count,
            "members": [{key: value for key, value in member.items() if key != "banner"} for member in members],
        }
        if nonce is not None:
            chunk["nonce"] = nonce
        if presences:
            ids = {int(member["user"]["id"]) for member in members}
            chunk["presences"] = [presence for id, presence in guild.presences.items() if id in ids]
        if missing and index == count - 1:
            chunk["not_found"] = missing
        connection.hub.deliver(session, "GUILD_MEMBERS_CHUNK", encode(chunk))


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
        channels = [{"id": str(id), **dict.fromkeys(map(str, fields))} for id in guild.voice_channels()]
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
