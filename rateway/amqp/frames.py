"""Frames (AMQP 0-9-1, 2.3.5 "Frame Details"), and the frames of events, as near to pre-encoded as they can be.

A message is a method frame (where to), a header frame (size and properties), and body frames. Of an event's, all but
its sequence, its id and its sizes is the same for a whole batch or for every event of that name, so an event costs
two small packs and one join.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import Struct
from typing import TypeAlias

from rateway.errors import LocalProtocolError
from rateway.model.dispatch import Dispatch

from .codec import BASIC_CLASS, FLAGS, encode_content_header
from .fieldtable import short_string

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
FRAME_END = 0xCE
FRAME_MIN_SIZE = 4096
"""What every peer must take (AMQP 0-9-1, constant frame-min-size)."""
DEFAULT_FRAME_MAX = 131_072
"""RabbitMQ's default; nothing is gained above it."""
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
HEARTBEAT_FRAME = b"\x08\x00\x00\x00\x00\x00\x00\xce"

FRAME_PREFIX = Struct(">BHI")
CONFIRM = Struct(">BHIIQBB")
"""A whole frame of basic.ack or basic.nack, 21 bytes: type, channel, size, class and method, tag, bits, end."""
CONFIRM_SIZE = 13
"""The size such a frame states of its payload."""
ACK = BASIC_CLASS << 16 | 80
NACK = BASIC_CLASS << 16 | 120

_PUBLISH = BASIC_CLASS << 16 | 40
_END = bytes((FRAME_END,))
_METHOD_ID = Struct(">I")
_HEADER_START = Struct(">BHIHHQ")
_LONG_FIELD = Struct(">q")
_TIMESTAMP = Struct(">Q")
_CACHED_NAMES = 1024
_RECEIVED_AT = b"\x0breceived_atl"


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    """One frame, whole."""
    return b"".join((FRAME_PREFIX.pack(kind, channel, len(payload)), payload, _END))


def ack_frame(channel: int, tag: int, *, multiple: bool) -> bytes:
    """basic.ack."""
    return CONFIRM.pack(METHOD, channel, CONFIRM_SIZE, ACK, tag, int(multiple), FRAME_END)


def body_frames(channel: int, body: bytes, frame_max: int) -> list[bytes]:
    """The pieces of a body's frames, to be joined; none for an empty body."""
    room = frame_max - 8
    if not body:
        return []
    if len(body) <= room:
        return [FRAME_PREFIX.pack(BODY, channel, len(body)), body, _END]
    pieces: list[bytes] = []
    for start in range(0, len(body), room):
        chunk = body[start : start + room]
        pieces += (FRAME_PREFIX.pack(BODY, channel, len(chunk)), chunk, _END)
    return pieces


def publish_method(channel: int, exchange: str, routing_key: str | bytes) -> bytes:
    """The method frame of basic.publish, neither mandatory nor immediate."""
    return frame(
        METHOD,
        channel,
        b"".join((_METHOD_ID.pack(_PUBLISH), b"\x00\x00", short_string(exchange), short_string(routing_key), b"\x00")),
    )


def publish_frames(
    channel: int, exchange: str, routing_key: str, properties: Mapping[str, object], body: bytes, frame_max: int
) -> bytes:
    """A whole message, of any properties.

    :raises LocalProtocolError: for what AMQP can't carry.
    """
    header = encode_content_header(len(body), properties)
    if len(header) + 8 > frame_max:
        raise LocalProtocolError(f"its headers of {len(header)} bytes are longer than a frame may be")
    return b"".join(
        (
            publish_method(channel, exchange, routing_key),
            frame(HEADER, channel, header),
            *body_frames(channel, body, frame_max),
        )
    )


def resplit(message: bytes, frame_max: int) -> bytes:
    """A prepared message whose body frames are cut to a smaller ``frame_max``."""
    position = 0
    kept: list[bytes] = []
    body: list[bytes] = []
    channel = 0
    while position < len(message):
        kind, channel, size = FRAME_PREFIX.unpack_from(message, position)
        end = position + size + 8
        if kind == BODY:
            body.append(message[position + 7 : end - 1])
        else:
            kept.append(message[position:end])
        position = end
    return b"".join((*kept, *body_frames(channel, b"".join(body), frame_max)))


def read_event(message: bytes) -> tuple[str, int, bytes]:
    """``(name, received_ms, body)`` of an event that :class:`EventEncoder` made: what can't be told from its entry."""
    key_at = 14 + message[13]
    name = message[key_at + 1 : key_at + 1 + message[key_at]]
    place = FRAME_PREFIX.unpack_from(message, 0)[2] + 8
    header_size = FRAME_PREFIX.unpack_from(message, place)[2]
    received_ms = _LONG_FIELD.unpack_from(message, message.index(_RECEIVED_AT, place) + len(_RECEIVED_AT))[0]
    place += header_size + 8
    body: list[bytes] = []
    while place < len(message):
        end = place + 7 + FRAME_PREFIX.unpack_from(message, place)[2]
        body.append(message[place + 7 : end])
        place = end + 1
    return name.decode(errors="replace"), received_ms, body[0] if len(body) == 1 else b"".join(body)


def cut_utf8(text: str, limit: int = 255) -> bytes:
    """The text as UTF-8, cut at a character where it is longer than a short string; never fails."""
    raw = text.encode(errors="replace")
    return raw if len(raw) <= limit else raw[:limit].decode(errors="ignore").encode()


_Pieces: TypeAlias = tuple[bytes, bytes, bytes]
"""Of an event's name: the method frame, the end of the header frame, the expiration (empty if it has none)."""


class EventEncoder:
    """Turns events into the frames that publish them.

    Properties: content_type ``application/json``, headers ``shard_id``, ``received_at`` (ms) and ``seq``,
    delivery_mode, message_id ``{shard}:{session_id}:{seq}``, timestamp (s), type (the event's name), app_id; and
    expiration where the event's name has a time to live.
    """

    def __init__(self, channel: int, exchange: str, *, persistent: bool, ttl: Mapping[str, int] | None = None) -> None:
        """
        :param ttl: event name → how long the broker may keep an event of that name waiting, in ms.
        """
        self.frame_max = DEFAULT_FRAME_MAX
        self._channel = channel
        self._exchange = exchange
        flags = ("content_type", "headers", "delivery_mode", "message_id", "timestamp", "type", "app_id")
        bits = sum(FLAGS[name] for name in flags)
        self._flags = bits.to_bytes(2, "big") + short_string("application/json")
        self._expiring_flags = (bits | FLAGS["expiration"]).to_bytes(2, "big") + short_string("application/json")
        self._mode = b"\x02" if persistent else b"\x01"
        self._ttl = ttl or {}
        self._names: dict[str, _Pieces] = {}

    def _name(self, name: str) -> _Pieces:
        """What depends on the event's name alone."""
        if len(self._names) >= _CACHED_NAMES:
            self._names.clear()
        pieces = self._names[name] = self._pieces(name, self._ttl.get(name))
        return pieces

    def _pieces(self, name: str, ttl: int | None) -> _Pieces:
        key = cut_utf8(name)
        return (
            publish_method(self._channel, self._exchange, key),
            short_string(key) + short_string("rateway") + _END,
            b"" if ttl is None else short_string(str(ttl)),
        )

    def late(self, shard_id: int, session_id: str, dispatch: Dispatch, received_ms: int, left: int | None) -> bytes:
        """The frames of an event that has waited.

        :param left: of its time to live, in ms; ``None`` if it has none.
        """
        names = {dispatch[1]: self._pieces(dispatch[1], left)}
        return self.encode(shard_id, session_id, (dispatch,), received_ms, names)[0]

    def encode(
        self,
        shard_id: int,
        session_id: str,
        dispatches: Sequence[Dispatch],
        received_ms: int,
        names: dict[str, _Pieces] | None = None,
    ) -> list[bytes]:
        """The frames of each event, joined.

        :param names: what depends on an event's name, if not what this encoder was made for.
        """
        table = b"".join(
            (
                b"\x08shard_idI",
                shard_id.to_bytes(4, "big"),
                _RECEIVED_AT,
                _LONG_FIELD.pack(received_ms),
                b"\x03seql",
            )
        )
        table = (len(table) + 8).to_bytes(4, "big") + table
        start = self._flags + table
        id_start = b"%d:%b:" % (shard_id, cut_utf8(session_id, 200))
        timestamp = _TIMESTAMP.pack(received_ms // 1000)
        fixed = 12 + len(start) + 8 + 1 + 1 + 8
        if names is None:
            names = self._names
        channel, mode, room = self._channel, self._mode, self.frame_max - 8
        header_start, long_field, body_prefix, join = _HEADER_START.pack, _LONG_FIELD.pack, FRAME_PREFIX.pack, b"".join
        frames = []
        for seq, name, body in dispatches:
            method, header_end, expiration = names.get(name) or self._name(name)
            message_id = b"%b%d" % (id_start, seq)
            size = len(body)
            header_size = fixed + len(expiration) + len(message_id) + len(header_end) - 1
            pieces = [
                method,
                header_start(HEADER, channel, header_size, BASIC_CLASS, 0, size),
                self._expiring_flags + table if expiration else start,
                long_field(seq),
                mode + expiration,
                bytes((len(message_id),)),
                message_id,
                timestamp,
                header_end,
            ]
            if 0 < size <= room:
                pieces += (body_prefix(BODY, channel, size), body, _END)
            else:
                pieces += body_frames(channel, body, room + 8)
            frames.append(join(pieces))
        return frames
