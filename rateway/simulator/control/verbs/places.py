"""Guilds, and what happens in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from ...world.happenings.mixes import happenings
from .action import Action, Count, Guilds, find_guilds

if TYPE_CHECKING:
    from ...simulator import Simulator


class JoinGuild(Action, tag="join_guild", frozen=True, kw_only=True):
    """The bot joins a new guild: GUILD_CREATE without unavailable."""

    members: Annotated[
        Annotated[int, Meta(ge=0, le=1_000_000)] | None, Meta(description="how many members; else as the world has it")
    ] = None

    def act(self, simulator: Simulator) -> dict[str, str]:
        return {"guild": str(simulator.join_guild(self.members).id)}


class LeaveGuild(Action, tag="leave_guild", frozen=True, kw_only=True):
    """The bot is no longer in a guild."""

    guild: Guilds
    how: Annotated[
        Literal["told", "silently"],
        Meta(description="told by GUILD_DELETE, or silently: only a later READY shows it, by not listing the guild"),
    ] = "told"

    def act(self, simulator: Simulator) -> None:
        for guild_id in find_guilds(simulator, self.guild):
            simulator.leave_guild(guild_id, how=self.how)


class Outage(Action, tag="outage", frozen=True, kw_only=True):
    """Guilds become unavailable: GUILD_DELETE with unavailable, now and in each backfill."""

    guild: Guilds

    def act(self, simulator: Simulator) -> None:
        for guild_id in find_guilds(simulator, self.guild):
            simulator.outage(guild_id)


class Recover(Action, tag="recover", frozen=True, kw_only=True):
    """An outage ends: GUILD_CREATE with unavailable false."""

    guild: Guilds

    def act(self, simulator: Simulator) -> None:
        for guild_id in find_guilds(simulator, self.guild):
            simulator.recover(guild_id)


class Traffic(Action, tag="traffic", frozen=True, kw_only=True):
    """Things happen in the world from now on."""

    rate: Annotated[float, Meta(gt=0, le=1_000_000, description="events a second, over the whole world")]
    mix: Annotated[
        str | dict[str, Annotated[float, Meta(ge=0)]] | None,
        Meta(description='what happens: a preset, "message=5,presence=30", or an object of weights; else as before'),
    ] = None

    def __post_init__(self) -> None:
        if self.mix is not None:
            happenings(self.mix)

    def act(self, simulator: Simulator) -> None:
        simulator.traffic.start(self.rate, self.mix)


class StopTraffic(Action, tag="stop_traffic", frozen=True, kw_only=True):
    """Nothing happens in the world any more by itself."""

    def act(self, simulator: Simulator) -> None:
        simulator.traffic.stop()


class Happen(Action, tag="happen", frozen=True, kw_only=True):
    """About so many events of the world, now."""

    count: Annotated[Count, Meta(le=100_000, description="how many")] = 1

    def act(self, simulator: Simulator) -> dict[str, int]:
        return {"happened": simulator.traffic.happen(self.count)}


class Load(Action, tag="load", frozen=True, kw_only=True):
    """Packed events over all sessions, for benchmarks: far more than traffic can make, but nothing happens by them."""

    rate: Annotated[float, Meta(gt=0, le=10_000_000, description="events a second, over all sessions")]
    sessions: Annotated[Count, Meta(description="it begins as soon as so many sessions are there")] = 1

    def act(self, simulator: Simulator) -> None:
        simulator.load.start(self.rate, self.sessions)


class StopLoad(Action, tag="stop_load", frozen=True, kw_only=True):
    """The load ends."""

    def act(self, simulator: Simulator) -> None:
        simulator.load.stop()


PLACES = (JoinGuild, LeaveGuild, Outage, Recover, Traffic, StopTraffic, Happen, Load, StopLoad)
