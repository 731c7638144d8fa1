"""How connections, sessions and the token end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from ...gateway.behaviour import CloseCode, Drop
from .action import Action, ShardAction

if TYPE_CHECKING:
    from ...simulator import Simulator

_REASON_BYTES = 123
"""What a close frame has room for (RFC 6455, section 5.5)."""


class DropConnection(ShardAction, tag="drop", frozen=True, kw_only=True):
    """End the TCP connection without a close frame, or let the network swallow all that goes over it."""

    how: Annotated[
        Drop,
        Meta(description="fin, rst, or blackhole: nothing is read, what is sent is lost, the connection doesn't end"),
    ] = "fin"

    def act(self, simulator: Simulator) -> None:
        self.each_connected(simulator, lambda shard: simulator.drop(shard, self.how))


class EndBlackHoles(ShardAction, tag="end_blackholes", frozen=True, kw_only=True):
    """End the connections that a black hole has swallowed."""

    how: Annotated[Literal["fin", "rst"], Meta(description="how they end")] = "rst"

    def act(self, simulator: Simulator) -> dict[str, int]:
        shards = None if self.shard == "all" else {self.shard} if isinstance(self.shard, int) else set(self.shard)
        return {"ended": simulator.end_blackholes(shards, self.how)}


class CloseConnection(ShardAction, tag="close", frozen=True, kw_only=True):
    """Send a close frame; codes 4003, 4004, 4006, 4007, 4009 and 4010 to 4014 end the session too."""

    code: Annotated[CloseCode | None, Meta(description="the code; without one the close frame is empty")] = None
    reason: Annotated[str | None, Meta(description="at most 123 bytes; Discord's own words where none are given")] = (
        None
    )

    def __post_init__(self) -> None:
        if self.reason is not None and len(self.reason.encode()) > _REASON_BYTES:
            raise ValueError(f"the reason is longer than {_REASON_BYTES} bytes")
        if self.reason and self.code is None:
            raise ValueError("a close frame without a code has no room for a reason")

    def act(self, simulator: Simulator) -> None:
        self.each_connected(simulator, lambda shard: simulator.close(shard, self.code, self.reason))


class ForgetSession(ShardAction, tag="forget_session", frozen=True, kw_only=True):
    """The session can't be resumed any more (op 9 false answers a RESUME); its connection stays."""

    def act(self, simulator: Simulator) -> None:
        self.each_with_session(simulator, simulator.forget_session)


class ResetToken(Action, tag="reset_token", frozen=True, kw_only=True):
    """The token is no longer valid: every session ends, every connection is closed with 4004, REST answers 401."""

    def act(self, simulator: Simulator) -> None:
        simulator.reset_token()


ENDS = (DropConnection, EndBlackHoles, CloseConnection, ForgetSession, ResetToken)
