"""How an event lies in a spool, without I/O.

A record is a mark, the size and the CRC-32 of what follows, and the event: its numbers, its session, its name and
the bytes of ``d``. The mark is what a reader looks for behind a damaged place.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

MARK = b"\xf5\x0aRw"
_HEAD = struct.Struct(">4sII")
_FIXED = struct.Struct(">IQQBH")
_LONGEST_NAME, _LONGEST_SESSION = 65_535, 255


class SpooledEvent(NamedTuple):
    """One event as a spool keeps it.

    :ivar received_ms: when rateway received it, in ms since 1970.
    """

    shard_id: int
    session_id: str
    seq: int
    name: str
    received_ms: int
    body: bytes


class Found(NamedTuple):
    """A record in a buffer; ``skipped`` bytes before it were none."""

    event: SpooledEvent
    end: int
    skipped: int


def encode(event: SpooledEvent) -> bytes:
    """The record of an event."""
    session = event.session_id.encode()[:_LONGEST_SESSION]
    name = event.name.encode()[:_LONGEST_NAME]
    payload = b"".join(
        (
            _FIXED.pack(event.shard_id, event.seq, event.received_ms, len(session), len(name)),
            session,
            name,
            event.body,
        )
    )
    return _HEAD.pack(MARK, len(payload), zlib.crc32(payload)) + payload


def size_of(event: SpooledEvent) -> int:
    """Bytes its record takes, near enough for a bound: names outside ASCII count by character."""
    return _HEAD.size + _FIXED.size + len(event.session_id) + len(event.name) + len(event.body)


def _payload_at(data: bytes, start: int) -> bytes | None:
    """What the whole, intact record at this place holds; ``None`` if there is none."""
    if len(data) - start < _HEAD.size:
        return None
    mark, size, crc = _HEAD.unpack_from(data, start)
    if mark != MARK or size < _FIXED.size:
        return None
    payload = data[start + _HEAD.size : start + _HEAD.size + size]
    return payload if len(payload) == size and zlib.crc32(payload) == crc else None


def _decode(payload: bytes) -> SpooledEvent:
    shard_id, seq, received_ms, session_size, name_size = _FIXED.unpack_from(payload)
    session_end = _FIXED.size + session_size
    name_end = session_end + name_size
    return SpooledEvent(
        shard_id,
        payload[_FIXED.size : session_end].decode(errors="replace"),
        seq,
        payload[session_end:name_end].decode(errors="replace"),
        received_ms,
        payload[name_end:],
    )


def records(data: bytes, start: int = 0) -> Iterator[Found]:
    """The intact records from ``start`` on; what is damaged is passed over, up to the next mark that leads to one."""
    place, skipped = start, 0
    while True:
        payload = _payload_at(data, place)
        if payload is not None:
            place += _HEAD.size + len(payload)
            yield Found(_decode(payload), place, skipped)
            skipped = 0
            continue
        following = data.find(MARK, place + 1)
        if following < 0:
            return
        skipped += following - place
        place = following


def missing(data: bytes, start: int) -> int:
    """Bytes that must follow for the record at ``start`` to be whole; 0 if it is whole, or is none.

    A reader that takes a file piece by piece asks this before it calls the end of a piece damaged.
    """
    left = len(data) - start
    if left < _HEAD.size:
        return _HEAD.size - left if MARK.startswith(data[start : start + len(MARK)]) else 0
    mark, size, _ = _HEAD.unpack_from(data, start)
    return max(0, _HEAD.size + size - left) if mark == MARK else 0
