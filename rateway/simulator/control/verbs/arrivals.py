"""Connections to come."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta
from twisted.internet.defer import Deferred

from ...gateway.behaviour import Behaviour
from .action import MOST_SECONDS, Action, Count, ShardNumber

if TYPE_CHECKING:
    from ...simulator import Simulator


class OnConnect(Behaviour, Action, tag="on_connect", frozen=True, kw_only=True):
    """The next connections behave so, first come first served."""

    shard: Annotated[
        ShardNumber | None,
        Meta(description="only those that identify or resume this shard, from then on (so nothing of the opening)"),
    ] = None
    host: Annotated[
        str | None, Meta(description='only those to this address; "resume" is where sessions are resumed')
    ] = None
    times: Annotated[Count, Meta(description="how many connections")] = 1

    def act(self, simulator: Simulator) -> None:
        host = simulator.resume_host if self.host == "resume" else self.host
        simulator.on_connect(self.plain(), shard=self.shard, host=host, times=self.times)


class Behave(Behaviour, Action, tag="behave", frozen=True, kw_only=True):
    """All later connections that nothing else was said about behave so."""

    def act(self, simulator: Simulator) -> None:
        simulator.behave(self.plain())


class BehaveWell(Action, tag="behave_well", frozen=True, kw_only=True):
    """Forget all that was said about connections to come: they behave as Discord's do."""

    def act(self, simulator: Simulator) -> None:
        simulator.behave_well()


class HeartbeatInterval(Action, tag="heartbeat_interval", frozen=True, kw_only=True):
    """What HELLO tells later connections."""

    seconds: Annotated[
        Annotated[float, Meta(gt=0, le=MOST_SECONDS)] | None,
        Meta(description="the interval; the simulator's own where none is given"),
    ] = None

    def act(self, simulator: Simulator) -> None:
        simulator.behave(msgspec.structs.replace(simulator.hub.script.usual, interval=self.seconds))


class RefuseConnections(Action, tag="refuse_connections", frozen=True, kw_only=True):
    """The gateway refuses every connection for a while: an HTTP status answers the upgrade, or nothing does."""

    how: Annotated[
        Annotated[int, Meta(ge=400, le=599)] | Literal["silent", "fin", "rst"],
        Meta(description="the HTTP status (503, 429, …), or silent, fin, rst as in on_connect"),
    ] = 503
    seconds: Annotated[
        Annotated[float, Meta(gt=0, le=MOST_SECONDS)] | None,
        Meta(description="for how long; without it, until admit_connections"),
    ] = None
    retry_after: Annotated[
        Annotated[int, Meta(ge=0)] | None, Meta(description="the header Retry-After that goes with a status")
    ] = None

    def act(self, simulator: Simulator) -> None:
        simulator.refuse_connections(self.how, seconds=self.seconds, retry_after=self.retry_after)


class AdmitConnections(Action, tag="admit_connections", frozen=True, kw_only=True):
    """The gateway accepts connections again."""

    def act(self, simulator: Simulator) -> None:
        simulator.admit_connections()


class ResumeHost(Action, tag="resume_host", frozen=True, kw_only=True):
    """How the address fares where sessions are resumed."""

    state: Annotated[
        Literal["open", "refuses", "silent", "mute"],
        Meta(
            description="open; refuses TCP; silent: accepts TCP and answers nothing; mute: accepts the WebSocket and "
            "never says HELLO"
        ),
    ]

    def act(self, simulator: Simulator) -> Awaitable[object]:
        return Deferred.fromCoroutine(simulator.set_resume_host(self.state))


ARRIVALS = (
    OnConnect,
    Behave,
    BehaveWell,
    HeartbeatInterval,
    RefuseConnections,
    AdmitConnections,
    ResumeHost,
)
