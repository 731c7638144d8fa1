"""A payload's envelope (Discord's docs, "Gateway Events": Payload Structure)."""

from __future__ import annotations

import msgspec


class Envelope(msgspec.Struct, gc=False):
    """What a payload says of itself.

    :ivar d: a slice of the payload, exactly as sent; ``bytes(envelope.d)`` copies it out.
    """

    op: int
    d: msgspec.Raw
    s: int | None = None
    t: str | None = None


def decode(text: bytes | bytearray | memoryview) -> Envelope:
    """:raises RemoteProtocolError: no JSON object, no integer ``op``."""
    raise NotImplementedError
