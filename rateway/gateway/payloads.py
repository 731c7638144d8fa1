"""The payloads a shard writes itself, and what it reads of those that concern it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
import ujson
from attrs import frozen

from rateway.errors import ConfigError, RemoteProtocolError
from rateway.model.opcodes import MAX_PAYLOAD, Opcode
from rateway.model.session import Session
from rateway.model.snowflake import parse_id

Data: TypeAlias = bytes | msgspec.Raw
"""The bytes of a payload's ``d``."""

VERSION = "10"
"""Of Discord's gateway."""

LARGE_THRESHOLD = 250
"""The most Discord allows: GUILD_CREATE of guilds up to this size lists all members."""

_PROPERTIES = {"os": "linux", "browser": "rateway", "device": "rateway"}


@frozen
class Ready:
    """What READY tells that we act upon.

    :ivar session: at the sequence of READY itself.
    :ivar guilds: how many guilds the shard holds.
    """

    session: Session
    guilds: int
    user_id: int


def gateway_url(base: str, compression: str) -> str:
    """Where to connect: ``base`` (of /gateway/bot or READY) with version, encoding and compression.

    A path or query that Discord gave stays, but for our own three keys.

    :raises RemoteProtocolError: ``base`` is no WebSocket URL.
    """
    try:
        parts = urlsplit(base)
        usable = parts.scheme in ("ws", "wss") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise RemoteProtocolError(f"Discord gave {base!r} as the gateway's URL, which is no ws:// or wss:// URL")
    ours = {"v": VERSION, "encoding": "json"}
    kept = [
        (key, value)
        for key, value in parse_qsl(parts.query, keep_blank_values=True)
        if key not in ("v", "encoding", "compress")
    ]
    if compression != "none":
        ours["compress"] = compression
    return urlunsplit((parts.scheme, parts.netloc, parts.path or "/", urlencode([*kept, *ours.items()]), ""))


def heartbeat(seq: int | None) -> bytes:
    """HEARTBEAT; ``seq`` is the last one received in the session."""
    return b'{"op":1,"d":null}' if seq is None else b'{"op":1,"d":%d}' % seq


def identify(token: str, intents: int, shard_id: int, total: int, presence: str | None = None) -> bytes:
    """IDENTIFY.

    :param presence: JSON text of an initial presence; ``{{shard}}`` in it becomes the shard's number.
    :raises ConfigError: ``presence`` can't be used.
    """
    d: dict[str, object] = {
        "token": token,
        "intents": intents,
        "properties": _PROPERTIES,
        "large_threshold": LARGE_THRESHOLD,
        "shard": [shard_id, total],
    }
    if presence is not None:
        d["presence"] = _presence(presence, shard_id)
    payload = _encode(Opcode.IDENTIFY, d)
    if len(payload) > MAX_PAYLOAD:
        raise ConfigError(f"PRESENCE is too long: with it IDENTIFY has {len(payload)} bytes of at most {MAX_PAYLOAD}")
    return payload


def resume(token: str, session: Session) -> bytes:
    """RESUME, from the session's sequence on."""
    return _encode(Opcode.RESUME, {"token": token, "session_id": session.id, "seq": session.seq})


class _Hello(msgspec.Struct):
    heartbeat_interval: float


class _User(msgspec.Struct):
    id: str | int


class _Guild(msgspec.Struct):
    """Counted, not read."""


class _Ready(msgspec.Struct):
    session_id: str
    resume_gateway_url: str
    user: _User
    guilds: list[_Guild] = []


_decode_hello = msgspec.json.Decoder(_Hello).decode
_decode_ready = msgspec.json.Decoder(_Ready).decode


def parse_hello(d: Data) -> float:
    """The heartbeat interval in seconds.

    :raises RemoteProtocolError: there is none.
    """
    try:
        interval = _decode_hello(d).heartbeat_interval / 1000
    except (msgspec.MsgspecError, ValueError) as error:
        raise RemoteProtocolError(f"Discord sent a HELLO that can't be read: {error}") from error
    if interval <= 0:
        raise RemoteProtocolError("Discord sent a HELLO whose heartbeat interval is not above zero")
    return interval


def parse_ready(d: Data, seq: int) -> Ready:
    """What READY, which came with sequence ``seq``, tells.

    :raises RemoteProtocolError: there is no session in it that could be resumed.
    """
    try:
        ready = _decode_ready(d)
        user_id = parse_id(ready.user.id)
        gateway_url(ready.resume_gateway_url, "none")
    except (msgspec.MsgspecError, ValueError) as error:
        raise RemoteProtocolError(f"Discord sent a READY that can't be read: {error}") from error
    if not ready.session_id:
        raise RemoteProtocolError("Discord sent a READY without a session id")
    return Ready(Session(ready.session_id, ready.resume_gateway_url, seq), len(ready.guilds), user_id)


def _encode(op: Opcode, d: Mapping[str, object]) -> bytes:
    text = ujson.dumps({"op": int(op), "d": d}, ensure_ascii=False, escape_forward_slashes=False, separators=(",", ":"))
    return text.encode()


def _presence(text: str, shard_id: int) -> object:
    try:
        presence = ujson.loads(text.replace("{{shard}}", str(shard_id)))
    except ValueError as error:
        raise ConfigError(f"PRESENCE is no JSON: {error}") from error
    if not isinstance(presence, dict):
        raise ConfigError("PRESENCE has to be a JSON object: status, activities, since, afk")
    return presence
