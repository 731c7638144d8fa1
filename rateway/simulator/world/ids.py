"""Ids for a made-up world: snowflakes whose order and whose shards are easy to foresee."""

from __future__ import annotations

from attrs import define

from rateway.model.snowflake import DISCORD_EPOCH_MS

_GUILDS_MS = 720_720 * 262_500
"""A multiple of 1 to 16, so that guild ``i`` is on shard ``i % total`` of any small total."""
_USERS_MS = 100_000_000_000
_THINGS_MS = 200_000_000_000
_EVENTS_MS = 330_000_000_000


def guild_id(index: int) -> int:
    """The id of the world's guild number ``index``; it is owned by shard ``index % total`` for totals up to 16."""
    return (_GUILDS_MS + index) << 22


def user_id(index: int) -> int:
    return (_USERS_MS + index * 997) << 22 | 1


def user_index(id: int) -> int | None:
    """The number of the user with this id; None if it is none of the world's."""
    index, rest = divmod((id >> 22) - _USERS_MS, 997)
    return index if not rest and index >= 0 and id & (1 << 22) - 1 == 1 else None


def direct_id(user: int) -> int:
    """The id of the bot's direct channel with a user."""
    return user | 1 << 12


@define
class Ids:
    """Gives out ids, each higher than the one before."""

    _made: int = _THINGS_MS << 22
    _live: int = _EVENTS_MS << 22

    def made(self) -> int:
        """For what was there from the beginning."""
        self._made += (1 << 22) + 1
        return self._made

    def live(self, now: float) -> int:
        """For what happens at ``now`` (seconds since 1970)."""
        stamp = (int(now * 1000) - DISCORD_EPOCH_MS) << 22
        self._live = max(self._live + 1, stamp)
        return self._live
