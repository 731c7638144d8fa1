"""WebSocket messages into payloads (Discord's docs, "Gateway": Encoding and Compression)."""

from __future__ import annotations

from typing import Protocol


class Inflater(Protocol):
    """One connection's decompression: made anew for each connection."""

    def feed(self, message: bytes, binary: bool) -> list[bytes]:
        """The payloads that this message completes, in order: mostly one, none when more is needed.

        :raises RemoteProtocolError: corrupt data: the stream is lost, close and resume.
        """


def make_inflater(compression: str) -> Inflater:
    """:param compression: ``zlib-stream``, ``zstd-stream`` or ``none``."""
    raise NotImplementedError
