"""Who of the fleet may IDENTIFY, and when (Discord's docs, "Gateway": Max Concurrency, Session Start Limit)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import frozen


@frozen
class Limits:
    """``session_start_limit`` of GET /gateway/bot.

    :ivar reset_after: seconds from the moment these numbers were fetched.
    """

    total: int
    remaining: int
    reset_after: float
    max_concurrency: int


class IdentifyQueue:
    """The one queue of all shards of the bot. After every call ask :meth:`grants`, and again at :meth:`next_time`."""

    def __init__(self, limits: Limits, now: float) -> None: ...

    def expect(self, shard_ids: Iterable[int], until: float) -> None:
        """These are about to ask: until then, or until they do, shards of later groups wait for them."""

    def ask(self, shard_id: int, now: float) -> None:
        """The shard waits for a permit from now on."""

    def withdraw(self, shard_id: int) -> None:
        """It no longer waits (or will never ask)."""

    def grants(self, now: float) -> list[int]:
        """The shards that may IDENTIFY now, lowest first; each holds its key from here on."""
        raise NotImplementedError

    def used(self, shard_id: int, now: float) -> None:
        """Its IDENTIFY was written."""

    def settled(self, shard_id: int, now: float) -> None:
        """Its IDENTIFY was answered."""

    def give_back(self, shard_id: int) -> None:
        """The permit was not used."""

    def lost(self, shard_ids: Iterable[int], now: float) -> None:
        """The process of these shards died: permits they held count as used now."""

    def next_time(self, now: float) -> float | None:
        """When :meth:`grants` may next have something without any other call before."""
        raise NotImplementedError

    def exhausted_until(self, now: float) -> float | None:
        """When the allowance is filled again, if it doesn't suffice for those who wait; else None."""
        raise NotImplementedError

    def refresh(self, limits: Limits, now: float) -> None:
        """Discord's newer numbers."""

    def snapshot(self, now: float, wall: float) -> dict[str, object]:
        """What a later process needs, in JSON's types; ``wall`` is now in seconds since 1970."""
        raise NotImplementedError

    def restore(self, data: Mapping[str, object], now: float, wall: float) -> None:
        """Take over an earlier process's snapshot; what can't be read is left out."""
