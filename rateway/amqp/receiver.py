"""What the broker sends, taken apart: a stream of bytes in, confirms, methods and whole messages out.

Pure, and indifferent to how the stream is cut into reads. Confirms, which come by the thousand, are read where they
lie; a message's body stays bytes and is joined once. Whatever breaks the protocol raises
:class:`RemoteProtocolError`: then the connection can only be given up.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from attrs import define, field

from rateway.errors import RemoteProtocolError

from .codec import BASIC_CLASS, body_size, decode_arguments
from .frames import (
    ACK,
    BODY,
    CONFIRM,
    CONFIRM_SIZE,
    DEFAULT_FRAME_MAX,
    FRAME_END,
    FRAME_PREFIX,
    HEADER,
    HEARTBEAT,
    METHOD,
    NACK,
)

_PREFIX = Struct(">BHII")
_ACK = Struct(f">{_PREFIX.size}sQ2s")
"""A frame of basic.ack: up to its tag, the tag, and the rest, which says that it is of one tag alone."""
_ONE_TAG = bytes((0, FRAME_END))

MAX_BODY = 8 * 1024 * 1024
"""Bytes of a body that are gathered; nothing rateway is sent is nearly that long, so a longer one is let go by."""

_DELIVER = (BASIC_CLASS << 16 | 60).to_bytes(4, "big")
_DELIVER_KINDS = ("shortstr", "longlong", "bit", "shortstr", "shortstr")
_RETURN = (BASIC_CLASS << 16 | 50).to_bytes(4, "big")


@define
class Content:
    """A message as it came, its properties still encoded.

    :ivar returned: basic.return, not basic.deliver: a message of our own that nobody could be given.
    :ivar size: bytes the body has; ``body`` is shorter where that is over :data:`MAX_BODY`.
    """

    returned: bool
    delivery_tag: int = 0
    redelivered: bool = False
    exchange: str = ""
    routing_key: str = ""
    header: bytes = b""
    size: int = -1
    body: bytes = b""
    _received: int = 0
    _chunks: list[bytes] = field(factory=list)

    def begin(self, header: bytes) -> bool:
        """The content header came; whether that is all."""
        if self.size >= 0:
            raise RemoteProtocolError("the broker sent two content headers for one message")
        self.size = body_size(header)
        self.header = header
        return self.size == 0

    def add(self, chunk: bytes) -> bool:
        """A piece of the body came; whether that is all."""
        self._received += len(chunk)
        if self._received > self.size:
            raise RemoteProtocolError("the broker sent a body out of place, or a longer one than it said")
        if self.size <= MAX_BODY:
            self._chunks.append(chunk)
        if self._received < self.size:
            return False
        self.body = b"".join(self._chunks)
        self._chunks.clear()
        return True


def read_content(payload: bytes) -> Content | None:
    """The message that a method frame announces; ``None`` for a method that announces none."""
    method = payload[:4]
    if method == _DELIVER:
        _, tag, redelivered, exchange, key = decode_arguments(_DELIVER_KINDS, payload, 4)
        return Content(False, tag, redelivered, exchange, key)  # type: ignore[arg-type]
    return Content(True) if method == _RETURN else None


def _following(data: bytes, position: int, end: int, channel: int, tag: int) -> tuple[int, int]:
    """The last tag of the acks that follow in order on one of this tag, and where they end."""
    whole = (end - position) // CONFIRM.size * CONFIRM.size
    first = tag
    expected = _PREFIX.pack(METHOD, channel, CONFIRM_SIZE, ACK)
    for prefix, confirmed, rest in _ACK.iter_unpack(memoryview(data)[position : position + whole]):
        if confirmed != tag + 1 or prefix != expected or rest != _ONE_TAG:
            break
        tag = confirmed
    return tag, position + (tag - first) * CONFIRM.size


@define
class Receiver:
    """Parses one connection's stream.

    :ivar frame_max: bytes of a frame at most, as negotiated.
    :ivar confirm: called with the first and the last delivery tag that are confirmed, and whether by an ack. A first
        tag of 0 is that of the oldest message, a last one of 0 that of the newest. Acks of one tag each, as brokers
        send them by the thousand, are told together as far as they follow each other.
    :ivar method: called with the channel and the payload of every other method frame.
    :ivar content: called with the channel and a whole message.
    """

    confirm: Callable[[int, int, bool], None]
    method: Callable[[int, bytes], None]
    content: Callable[[int, Content], None]
    frame_max: int = DEFAULT_FRAME_MAX
    _rest: bytes = field(default=b"", init=False)
    _begun: bool = field(default=False, init=False)
    _stopped: bool = field(default=False, init=False)
    _contents: dict[int, Content] = field(factory=dict, init=False)

    def stop(self) -> None:
        """Take nothing more, not even what is left of this read."""
        self._stopped = True

    def feed(self, data: bytes) -> None:
        """Take all whole frames; what is left waits for the next read.

        :raises RemoteProtocolError: if the peer doesn't speak AMQP, or not well.
        """
        if self._rest:
            data = self._rest + data
        if not self._begun and data:
            if data[0] != METHOD:
                raise RemoteProtocolError("the other end does not speak AMQP 0-9-1")
            self._begun = True
        position, end = 0, len(data)
        unpack_prefix, unpack_confirm = FRAME_PREFIX.unpack_from, CONFIRM.unpack_from
        while end - position >= 8 and not self._stopped:
            kind, channel, size = unpack_prefix(data, position)
            after = position + size + 8
            if after > end:
                if size + 8 > self.frame_max:
                    raise RemoteProtocolError(f"the broker sent a frame of {size} bytes, more than was agreed")
                break
            if data[after - 1] != FRAME_END:
                raise RemoteProtocolError("the broker sent a frame without an end")
            if size == CONFIRM_SIZE and kind == METHOD:
                _, _, _, method, tag, bits, _ = unpack_confirm(data, position)
                if method == ACK and bits == 0 and tag:
                    last, position = _following(data, after, end, channel, tag)
                    self.confirm(tag, last, True)
                    continue
                if method in (ACK, NACK):
                    if not (tag or bits & 1):
                        raise RemoteProtocolError("the broker confirms a message without a tag")
                    self.confirm(0 if bits & 1 else tag, tag, method == ACK)
                    position = after
                    continue
            self._frame(kind, channel, data[position + 7 : after - 1])
            position = after
        self._rest = data[position:] if position < end else b""

    def _frame(self, kind: int, channel: int, payload: bytes) -> None:
        if kind == METHOD:
            announced = read_content(payload)
            if announced is None:
                self.method(channel, payload)
            else:
                self._contents[channel] = announced
        elif kind in (HEADER, BODY):
            content = self._contents.get(channel)
            if content is None:
                raise RemoteProtocolError("the broker sent content that no method announced")
            if content.begin(payload) if kind == HEADER else content.add(payload):
                del self._contents[channel]
                self.content(channel, content)
        elif kind != HEARTBEAT:
            raise RemoteProtocolError(f"the broker sent a frame of unknown type {kind}")
