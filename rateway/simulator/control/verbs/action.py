"""The base of all actions, and the fields that many of them have.

A field is described where it is declared (``Meta(description=…)``), so that the table of actions describes itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from inspect import isawaitable
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta
from twisted.internet.defer import succeed

if TYPE_CHECKING:
    from ...simulator import Simulator

MOST_SECONDS = 1e9

ShardNumber: TypeAlias = Annotated[int, Meta(ge=0)]
Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=MOST_SECONDS)]
Count: TypeAlias = Annotated[int, Meta(ge=1)]
Shards: TypeAlias = Annotated[
    ShardNumber | list[ShardNumber] | Literal["all"],
    Meta(description="a shard, a list of shards, or all that are there"),
]
GuildNumber: TypeAlias = Annotated[int, Meta(ge=0)]
Guilds: TypeAlias = Annotated[
    GuildNumber | str | list[GuildNumber | str],
    Meta(description='a guild\'s id, its place in the order of ids from 0, a list of these, or "all"'),
]

_PLACES = 100_000
"""Guild numbers below this are places in the order of ids: no snowflake is as small."""


class Action(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="do"):
    """Something done to a running simulator."""

    @property
    def verb(self) -> str:
        """What it is called: the field ``do``."""
        return str(type(self).__struct_config__.tag)

    def act(self, simulator: Simulator) -> object:
        """Do it; the value, awaited where it can be, is what the one who asked is told.

        :raises LookupError: when what it is about is not there.
        :raises ValueError: when it makes no sense as things are.
        """
        raise NotImplementedError

    def perform(self, simulator: Simulator) -> Awaitable[object] | None:
        """Do it; None, or something to wait for, whose value can be written as JSON.

        :raises LookupError: when what it is about is not there: nothing was done then.
        :raises ValueError: when it makes no sense as things are.
        """
        result = self.act(simulator)
        if result is None or isawaitable(result):
            return result
        return succeed(result)


class ShardAction(Action, frozen=True, kw_only=True):
    """Something done to shards."""

    shard: Shards = "all"

    def each_connected(self, simulator: Simulator, do: Callable[[int], object]) -> None:
        """Do it to each shard chosen, all of which must have a connection."""
        each_connected(simulator, self.shard, do)

    def each_with_session(self, simulator: Simulator, do: Callable[[int], Any]) -> list[Any]:
        """Do it to each shard chosen, all of which must have a session."""
        return [do(shard) for shard in _chosen(self.shard, simulator.shards_with_session(), simulator.session)]


def each_connected(simulator: Simulator, shards: Shards, do: Callable[[int], object]) -> None:
    """Do it to each of the shards.

    :raises LookupError: when one has no connection: nothing was done then.
    """
    for shard in _chosen(shards, simulator.shards_with_connection(), simulator.connection):
        do(shard)


def _chosen(shards: Shards, there: set[int], check: Callable[[int], object]) -> Sequence[int]:
    if shards == "all":
        if not there:
            raise LookupError("no shard is there")
        return sorted(there)
    chosen = [shards] if isinstance(shards, int) else list(dict.fromkeys(shards))
    for shard in chosen:
        check(shard)
    return chosen


def find_guilds(simulator: Simulator, guilds: int | str | Iterable[int | str]) -> list[int]:
    """The ids of the guilds meant.

    :raises LookupError: when one is not there.
    """
    known = sorted(simulator.world.guilds)
    if guilds == "all":
        return known
    if isinstance(guilds, int | str):
        guilds = [guilds]
    found = []
    for guild in guilds:
        if isinstance(guild, str) and not (guild.isascii() and guild.isdigit()):
            raise LookupError(f"there is no guild {guild!r}: give an id, a place from 0, or all")
        number = int(guild)
        if number < _PLACES and number < len(known):
            number = known[number]
        if number not in simulator.world.guilds:
            raise LookupError(f"there is no guild {guild}: the world has {len(known)}")
        found.append(number)
    return found
