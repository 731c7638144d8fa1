"""What a connection holds back, slows down, or cuts into pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from ...gateway.behaviour import MOST_BYTES, Behaviour
from .action import Action, Seconds, ShardAction, Shards, each_connected

if TYPE_CHECKING:
    from ...simulator import Simulator


class Freeze(ShardAction, tag="freeze", frozen=True, kw_only=True):
    """Send nothing more, not even ACKs: it waits until the connection is thawed."""

    deaf: Annotated[bool, Meta(description="whether nothing is read either")] = False

    def act(self, simulator: Simulator) -> None:
        self.each_connected(simulator, lambda shard: simulator.freeze(shard, deaf=self.deaf))


class Thaw(ShardAction, tag="thaw", frozen=True, kw_only=True):
    """Send what a frozen connection held back, and go on."""

    def act(self, simulator: Simulator) -> None:
        self.each_connected(simulator, simulator.thaw)


class Acknowledge(ShardAction, tag="acknowledge", frozen=True, kw_only=True):
    """How heartbeats are acknowledged from now on."""

    how: Annotated[
        Literal["full", "bare", "none"], Meta(description="full, bare (without d, s and t), or none: not at all")
    ] = "full"

    def act(self, simulator: Simulator) -> None:
        self.each_connected(simulator, lambda shard: simulator.acknowledge(shard, self.how))


class Withhold(ShardAction, tag="withhold", frozen=True, kw_only=True):
    """Hold events back; all else, ACKs too, goes on. A RESUME brings them as it brings everything missed."""

    events: Annotated[tuple[str, ...], Meta(min_length=1, description='the names of the events; "*" is any')] = ("*",)

    def act(self, simulator: Simulator) -> None:
        self.each_connected(simulator, lambda shard: simulator.withhold(shard, *self.events))


class Release(ShardAction, tag="release", frozen=True, kw_only=True):
    """Hold no events back any more."""

    how: Annotated[
        Literal["late", "dropped"], Meta(description="whether those held back are delivered late, or dropped")
    ] = "late"

    def act(self, simulator: Simulator) -> dict[str, list[int]]:
        counts: list[int] = []
        self.each_connected(simulator, lambda shard: counts.append(simulator.release(shard, self.how)))
        return {"held_back": counts}


class Slow(ShardAction, tag="slow", frozen=True, kw_only=True):
    """Send no faster than so many bytes a second."""

    bytes_per_second: Annotated[int, Meta(ge=0, le=MOST_BYTES, description="0: as fast as possible again")]
    connections_to_come: Annotated[
        bool, Meta(description="whether all later connections are as slow too, of whatever shard")
    ] = False

    def act(self, simulator: Simulator) -> None:
        if self.connections_to_come:
            usual = simulator.hub.script.usual
            simulator.behave(msgspec.structs.replace(usual, bytes_per_second=self.bytes_per_second))
            if self.shard == "all" and not simulator.shards_with_connection():
                return
        self.each_connected(simulator, lambda shard: simulator.shape(shard, bytes_per_second=self.bytes_per_second))


class Shape(ShardAction, tag="shape", frozen=True, kw_only=True):
    """How payloads become messages, frames and segments from now on; fields not named are as Discord does it."""

    pieces: Annotated[
        int, Meta(ge=1, le=10_000, description="messages per payload, the last cut inside the zlib-stream marker")
    ] = 1
    fragments: Annotated[int, Meta(ge=1, le=10_000, description="WebSocket fragments per message")] = 1
    pings: Annotated[bool, Meta(description="whether a WebSocket ping comes between fragments")] = False
    gather: Annotated[Seconds, Meta(description="seconds for which messages are gathered into one write")] = 0.0
    segment: Annotated[int, Meta(ge=0, le=MOST_BYTES, description="bytes per TCP segment; 0: as they come")] = 0

    def act(self, simulator: Simulator) -> None:
        def shape(shard: int) -> None:
            simulator.shape(
                shard,
                pieces=self.pieces,
                fragments=self.fragments,
                pings=self.pings,
                gather=self.gather,
                segment=self.segment,
            )

        self.each_connected(simulator, shape)


class SetBehaviour(Behaviour, Action, tag="set_behaviour", frozen=True, kw_only=True):
    """From now on the connection behaves so; what comes before READY is past."""

    shard: Shards = "all"

    def act(self, simulator: Simulator) -> None:
        behaviour = self.plain()
        each_connected(simulator, self.shard, lambda shard: simulator.set_behaviour(shard, behaviour))


SILENCE = (Freeze, Thaw, Acknowledge, Withhold, Release, Slow, Shape, SetBehaviour)
