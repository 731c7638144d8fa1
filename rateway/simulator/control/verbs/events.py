"""Dispatches and control payloads, and the sequences they have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ...gateway.behaviour import MOST_BYTES
from ...gateway.sessions import WIRE_ORDER
from .action import Action, Count, GuildNumber, ShardAction, find_guilds

if TYPE_CHECKING:
    from ...simulator import Simulator

_Key = Literal["t", "s", "op", "d"]
_WIRE: tuple[_Key, ...] = ("t", "s", "op", "d")

EventName = Annotated[str, Meta(pattern="^[A-Z0-9_]+$", description="the event's name, in capitals")]


class Dispatch(ShardAction, tag="dispatch", frozen=True, kw_only=True):
    """An event for each session of the shard, whatever its intents; sent now, or kept for a RESUME."""

    name: EventName
    d: Annotated[Any, Meta(description="what it says, any JSON value")] = msgspec.field(default_factory=dict)
    text: Annotated[str | None, Meta(description="what it says as JSON text, sent byte for byte, in place of d")] = None
    order: Annotated[tuple[_Key, ...], Meta(description="the order of the envelope's keys")] = _WIRE
    times: Annotated[Count, Meta(description="how often, each with a sequence of its own")] = 1

    def __post_init__(self) -> None:
        if sorted(self.order) != sorted(_WIRE):
            raise ValueError("order must name t, s, op and d once each")

    def act(self, simulator: Simulator) -> dict[str, list[int]]:
        d = self.d if self.text is None else self.text.encode()
        order = WIRE_ORDER if self.order == _WIRE else self.order

        def give(shard: int) -> int:
            return [simulator.dispatch(shard, self.name, d, order=order) for _ in range(self.times)][-1]

        return {"sequences": self.each_with_session(simulator, give)}


class Emit(Action, tag="emit", frozen=True, kw_only=True):
    """An event of a guild, to whom Discord would send it: by shard and by intents."""

    name: EventName
    d: Annotated[dict[str, Any], Meta(description="what it says, a JSON object")] = msgspec.field(default_factory=dict)
    guild: Annotated[
        GuildNumber | str | None,
        Meta(description="the guild's id, or its place from 0; without one the event goes to shard 0"),
    ] = None

    def act(self, simulator: Simulator) -> None:
        guild_id = None if self.guild is None else find_guilds(simulator, [self.guild])[0]
        simulator.emit(guild_id, self.name, self.d)


class HugeGuild(Action, tag="huge_guild", frozen=True, kw_only=True):
    """A GUILD_CREATE of a guild of the world, made large by members nobody has seen."""

    guild: Annotated[GuildNumber | str, Meta(description="the guild's id, or its place from 0")] = 0
    size: Annotated[int, Meta(ge=0, le=MOST_BYTES, description="its size in bytes, at least")] = 20_000_000

    def act(self, simulator: Simulator) -> dict[str, int]:
        guild_id = find_guilds(simulator, [self.guild])[0]
        return {"size": simulator.dispatch_huge_guild(guild_id, self.size)}


class SkipSequences(ShardAction, tag="skip_sequences", frozen=True, kw_only=True):
    """Leave a gap in the sequence."""

    count: Annotated[Count, Meta(description="how many sequences are never used")] = 1

    def act(self, simulator: Simulator) -> None:
        self.each_with_session(simulator, lambda shard: simulator.skip_sequences(shard, self.count))


class RepeatEvents(ShardAction, tag="repeat", frozen=True, kw_only=True):
    """Send the last events once more, with the sequences they had."""

    count: Annotated[Count, Meta(description="how many of them")] = 1

    def act(self, simulator: Simulator) -> None:
        self.each_connected(simulator, lambda shard: simulator.repeat(shard, self.count))


class SwapEvents(ShardAction, tag="swap", frozen=True, kw_only=True):
    """The next two events change places: the first waits for the second."""

    pairs: Annotated[Count, Meta(description="how many pairs of neighbours")] = 1

    def act(self, simulator: Simulator) -> None:
        self.each_connected(simulator, lambda shard: simulator.swap(shard, self.pairs))


class SendOp(ShardAction, tag="send_op", frozen=True, kw_only=True):
    """A payload that is no dispatch, of any op."""

    op: Annotated[int, Meta(description="the op, known or unknown")]
    d: Annotated[Any, Meta(description="any JSON value")] = None

    def act(self, simulator: Simulator) -> None:
        self.each_connected(simulator, lambda shard: simulator.send_op(shard, self.op, self.d))


class RequestHeartbeat(ShardAction, tag="request_heartbeat", frozen=True, kw_only=True):
    """Op 1: the client shall send a heartbeat at once."""

    def act(self, simulator: Simulator) -> None:
        self.each_connected(simulator, simulator.request_heartbeat)


class RequestReconnect(ShardAction, tag="request_reconnect", frozen=True, kw_only=True):
    """Op 7: the client shall reconnect and resume; the connection stays open."""

    def act(self, simulator: Simulator) -> None:
        self.each_connected(simulator, simulator.request_reconnect)


class Invalidate(ShardAction, tag="invalidate", frozen=True, kw_only=True):
    """Op 9: the session is invalid."""

    resumable: Annotated[bool, Meta(description="whether it may be resumed; otherwise it is over")] = False

    def act(self, simulator: Simulator) -> None:
        self.each_connected(simulator, lambda shard: simulator.invalidate(shard, resumable=self.resumable))


EVENTS = (
    Dispatch,
    Emit,
    HugeGuild,
    SkipSequences,
    RepeatEvents,
    SwapEvents,
    SendOp,
    RequestHeartbeat,
    RequestReconnect,
    Invalidate,
)
