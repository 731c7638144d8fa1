"""Guilds, and what happens in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

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

    def act(self, simulator: Simulator) -> None:
        simulator.traffic.start(self.rate)


class StopTraffic(Action, tag="stop_traffic", frozen=True, kw_only=True):
    """Nothing happens in the world any more by itself."""

    def act(self, simulator: Simulator) -> None:
        simulator.traffic.stop()


class Happen(Action, tag="happen", frozen=True, kw_only=True):
    """About so many events of the world, now."""

    count: Annotated[Count, Meta(le=100_000, description="how many")] = 1

    def act(self, simulator: Simulator) -> dict[str, int]:
        return {"happened": simulator.traffic.happen(self.count)}


PLACES = (JoinGuild, LeaveGuild, Outage, Recover, Traffic, StopTraffic, Happen)
