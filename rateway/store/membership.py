"""PURE: how much of a guild's members is known, and of which guilds it isn't all."""

from __future__ import annotations

from attrs import frozen

from rateway.model.snowflake import shard_of

from . import keys, standing
from .pages import Steps, each
from .view import Reader


@frozen
class Membership:
    """What is known of a guild's members.

    :ivar known: how many are in the cache.
    :ivar total: how many there are; ``None`` where the guild's own fields aren't kept, so that it isn't known.
    :ivar available: whether the guild is there, and not in an outage.
    """

    known: int
    total: int | None
    available: bool

    @property
    def may_grow(self) -> bool:
        """Whether Discord can tell of members who aren't known."""
        return self.available and (self.total is None or self.known < self.total)


def of_guild(reader: Reader, guild: int) -> Membership | None:
    """A guild's; ``None`` if the bot isn't in it."""
    state = reader.get(keys.guild_state(guild))
    if state is None:
        return None
    told = standing.of_members(reader, guild)
    known, total = told["known"], told.get("total")
    assert isinstance(known, int) and (total is None or isinstance(total, int)), "counts"
    return Membership(known, total, not standing.is_unavailable(state))


def lacking(reader: Reader, guild: int, user: int | None) -> bool:
    """Whether Discord can tell of members who aren't known: of this user, or of anybody."""
    if user is not None and reader.get(keys.member(guild, user)) is not None:
        return False
    found = of_guild(reader, guild)
    return found is not None and found.may_grow


def unfinished(cluster: int, shard: int, total: int) -> Steps[list[tuple[int, int]]]:
    """The guilds of a shard of which not all members are known, each with how many members it has, as far as known.

    :param cluster: that has the shard.
    :param total: of shards.
    """
    found: list[tuple[int, int]] = []

    def visit(reader: Reader, key: bytes, row: bytes) -> bool:
        guild = keys.last_id(key)
        if shard_of(guild, total) == shard:
            members = of_guild(reader, guild)
            if members is not None and members.may_grow:
                found.append((guild, members.total or 0))
        return True

    reader = yield cluster
    if reader is not None:
        yield from each(reader, cluster, keys.GUILD_STATES, b"", visit)
    return found
