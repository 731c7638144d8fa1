"""Payloads that no Discord would send, though compression and WebSocket carry them well."""

from __future__ import annotations

from typing import Literal, TypeAlias

Nonsense: TypeAlias = Literal["json", "utf8", "op", "event", "fields", "shape"]


def nonsense(kind: Nonsense) -> bytes | tuple[str, bytes]:
    """A whole payload, or ``(name, d)`` of an event that needs the next sequence."""
    return _PAYLOADS[kind]


_PAYLOADS: dict[Nonsense, bytes | tuple[str, bytes]] = {
    "json": b'{"t":null,"s":null,"op":11,"d":}',
    "utf8": b'{"t":null,"s":null,"op":11,"d":"\xff\xfe\xfa"}',
    "op": b'{"t":null,"s":null,"op":99,"d":{"unheard":"of"}}',
    "event": ("UNHEARD_OF", b'{"guild_id":"1","unheard":["of",null,1.5]}'),
    "fields": b'{"t":null,"s":null,"op":11,"d":null,"unheard":{"of":true}}',
    "shape": b"[1,2,3]",
}
