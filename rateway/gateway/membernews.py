"""What events tell of member lists: a chunk of one, that one was refused, that a guild is listed anew or gone.

Of a chunk or a guild, which may have megabytes, nothing is decoded but what is asked here.
"""

from __future__ import annotations

import math

import msgspec
from attrs import frozen

from rateway.model.opcodes import Opcode

_LIMIT = 1 << 64

SHORTEST, LONGEST = 1.0, 3600.0
"""Seconds that RATE_LIMITED may have us wait: what is said beyond can't be meant."""


@frozen
class Chunk:
    """GUILD_MEMBERS_CHUNK, without the members.

    :ivar nonce: of the request it answers; ``None`` where that had none.
    """

    guild: int
    nonce: str | None
    index: int
    count: int


@frozen
class Limited:
    """RATE_LIMITED, of a whole list.

    :ivar seconds: until the list may be asked for.
    """

    guild: int
    nonce: str | None
    seconds: float


class _Chunk(msgspec.Struct, gc=False):
    guild_id: int
    chunk_index: int = 0
    chunk_count: int = 1
    nonce: str | int | None = None


class _Meta(msgspec.Struct, gc=False):
    guild_id: int
    nonce: str | int | None = None


class _Limited(msgspec.Struct, gc=False):
    opcode: int
    retry_after: float
    meta: _Meta


class _Guild(msgspec.Struct, gc=False):
    id: int
    unavailable: bool = False


_chunk = msgspec.json.Decoder(_Chunk, strict=False).decode
_limited = msgspec.json.Decoder(_Limited, strict=False).decode
_guild = msgspec.json.Decoder(_Guild, strict=False).decode


def read_chunk(d: bytes) -> Chunk | None:
    """The chunk; ``None`` for what is none."""
    try:
        told = _chunk(d)
    except msgspec.MsgspecError:
        return None
    if not 0 < told.guild_id < _LIMIT or not 0 <= told.chunk_index < told.chunk_count:
        return None
    return Chunk(told.guild_id, _text(told.nonce), told.chunk_index, told.chunk_count)


def read_limited(d: bytes) -> Limited | None:
    """The refusal of a list; ``None`` for that of anything else."""
    try:
        told = _limited(d)
    except msgspec.MsgspecError:
        return None
    guild, seconds = told.meta.guild_id, told.retry_after
    if told.opcode != Opcode.REQUEST_GUILD_MEMBERS or not 0 < guild < _LIMIT or math.isnan(seconds):
        return None
    return Limited(guild, _text(told.meta.nonce), min(max(seconds, SHORTEST), LONGEST))


def read_guild(d: bytes) -> tuple[int, bool] | None:
    """The id of GUILD_CREATE or GUILD_DELETE, and whether it is about an outage; ``None`` if there is none."""
    try:
        told = _guild(d)
    except msgspec.MsgspecError:
        return None
    return (told.id, told.unavailable) if 0 < told.id < _LIMIT else None


def _text(nonce: str | int | None) -> str | None:
    return None if nonce is None else str(nonce)
