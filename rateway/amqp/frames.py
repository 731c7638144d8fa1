"""Frames (AMQP 0-9-1, 2.3.5 "Frame Details"), and the frames of events, as near to pre-encoded as they can be.

A message is a method frame (where to), a header frame (size and properties), and body frames. Of an event's, all but
its sequence, its id and its sizes is the same for a whole batch or for every event of that name, so an event costs
two small packs and one join.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import Struct

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
    return b"".join(
        (
            publish_method(channel, exchange, routing_key),
            frame(HEADER, channel, encode_content_header(len(body), properties)),
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


def cut_utf8(text: str, limit: int = 255) -> bytes:
    """The text as UTF-8, cut at a character where it is longer than a short string; never fails."""
    raw = text.encode(errors="replace")
    return raw if len(raw) <= limit else raw[:limit].decode(errors="ignore").encode()


class EventEncoder:
    """Turns events into the frames that publish them.

    Properties: content_type ``application/json``, headers ``shard_id``, ``received_at`` (ms) and ``seq``,
    delivery_mode, message_id ``{shard}:{session_id}:{seq}``, timestamp (s), type (the event's name), app_id.
    """

    def __init__(self, channel: int, exchange: str, *, persistent: bool) -> None:
        self.frame_max = DEFAULT_FRAME_MAX
        self._channel = channel
        self._exchange = exchange
        flags = ("content_type", "headers", "delivery_mode", "message_id", "timestamp", "type", "app_id")
        self._flags = sum(FLAGS[name] for name in flags).to_bytes(2, "big") + short_string("application/json")
        self._mode = b"\x02" if persistent else b"\x01"
        self._names: dict[str, tuple[bytes, bytes]] = {}

    def _name(self, name: str) -> tuple[bytes, bytes]:
        """What depends on the event's name alone: the method frame, and the end of the header frame."""
        key = cut_utf8(name)
        pieces = (
            publish_method(self._channel, self._exchange, key),
            short_string(key) + short_string("rateway") + _END,
        )
        if len(self._names) >= _CACHED_NAMES:
            self._names.clear()
        self._names[name] = pieces
        return pieces

    def encode(self, shard_id: int, session_id: str, dispatches: Sequence[Dispatch], received_ms: int) -> list[bytes]:
        """The frames of each event, joined."""
        table = b"".join(
            (
                b"\x08shard_idI",
                shard_id.to_bytes(4, "big"),
                b"\x0breceived_atl",
                _LONG_FIELD.pack(received_ms),
                b"\x03seql",
            )
        )
        start = self._flags + (len(table) + 8).to_bytes(4, "big") + table
        id_start = b"%d:%b:" % (shard_id, cut_utf8(session_id, 200))
        timestamp = _TIMESTAMP.pack(received_ms // 1000)
        fixed = 12 + len(start) + 8 + 1 + 1 + 8
        names, channel, mode, room = self._names, self._channel, self._mode, self.frame_max - 8
        header_start, long_field, body_prefix, join = _HEADER_START.pack, _LONG_FIELD.pack, FRAME_PREFIX.pack, b"".join
        frames = []
        for seq, name, body in dispatches:
            method, header_end = names.get(name) or self._name(name)
            message_id = b"%b%d" % (id_start, seq)
            size = len(body)
            pieces = [
                method,
                header_start(HEADER, channel, fixed + len(message_id) + len(header_end) - 1, BASIC_CLASS, 0, size),
                start,
                long_field(seq),
                mode,
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
