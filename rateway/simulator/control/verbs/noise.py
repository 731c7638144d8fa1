"""Payloads that can't be read, or make no sense."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from ...gateway.noise import Nonsense
from .action import ShardAction

if TYPE_CHECKING:
    from ...simulator import Simulator


class _Bytes(ShardAction, frozen=True, kw_only=True):
    text: Annotated[str | None, Meta(description="the bytes as text, UTF-8")] = None
    base64: Annotated[str | None, Meta(description="any bytes, in base64, in place of text")] = None

    def __post_init__(self) -> None:
        if (self.text is None) == (self.base64 is None):
            raise ValueError("give either text or base64")
        self.content()

    def content(self) -> bytes:
        if self.text is not None:
            return self.text.encode()
        return b64decode(self.base64 or "", validate=True)


class SendText(_Bytes, tag="send_text", frozen=True, kw_only=True):
    """Any bytes as one payload, through the connection's compression."""

    def act(self, simulator: Simulator) -> None:
        self.each_connected(simulator, lambda shard: simulator.send_text(shard, self.content()))


class SendRaw(_Bytes, tag="send_raw", frozen=True, kw_only=True):
    """Any bytes as one WebSocket message, past the compression."""

    binary: Annotated[bool, Meta(description="whether it is a binary message")] = True

    def act(self, simulator: Simulator) -> None:
        self.each_connected(simulator, lambda shard: simulator.send_raw(shard, self.content(), binary=self.binary))


class Corrupt(ShardAction, tag="corrupt", frozen=True, kw_only=True):
    """A message that can't be inflated; without compression, half a JSON text."""

    def act(self, simulator: Simulator) -> None:
        self.each_connected(simulator, simulator.corrupt)


class SendNonsense(ShardAction, tag="nonsense", frozen=True, kw_only=True):
    """A payload that compression and WebSocket carry well, but that Discord would not send."""

    kind: Annotated[
        Nonsense,
        Meta(
            description="json: no JSON; utf8: text that is no UTF-8; op: op 99; event: an event nobody knows; "
            "fields: keys nobody knows; shape: JSON that is no object"
        ),
    ] = "json"

    def act(self, simulator: Simulator) -> None:
        self.each_connected(simulator, lambda shard: simulator.send_nonsense(shard, self.kind))


NOISE = (SendText, SendRaw, Corrupt, SendNonsense)
