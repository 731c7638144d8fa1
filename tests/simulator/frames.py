"""Reading raw WebSocket bytes, so that a test sees frames and fragments."""

from __future__ import annotations

from attrs import frozen

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


@frozen
class WireFrame:
    """One frame (RFC 6455, section 5.2)."""

    opcode: int
    final: bool
    data: bytes


def frames(wire: bytes) -> list[WireFrame]:
    """The whole, unmasked frames in what a server sent; its answer to the upgrade is passed over."""
    _, end, rest = wire.partition(b"\r\n\r\n")
    found: list[WireFrame] = []
    if not end:
        return found
    at = 0
    while len(rest) - at >= 2:
        first, size = rest[at], rest[at + 1]
        head = at + 2
        if size > 125:
            length = 2 if size == 126 else 8
            if len(rest) < head + length:
                break
            size = int.from_bytes(rest[head : head + length], "big")
            head += length
        if len(rest) < head + size:
            break
        found.append(WireFrame(first & 0x0F, bool(first & 0x80), rest[head : head + size]))
        at = head + size
    return found
