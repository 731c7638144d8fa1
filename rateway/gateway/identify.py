"""Who of the fleet may IDENTIFY, and when (Discord's docs, "Gateway": Rate Limiting, Session Start Limit).

Discord takes one IDENTIFY per key in 5 s, the key being ``shard % max_concurrency``, and wants shards started in
groups: those below ``max_concurrency`` first, then the next as many. A bot that uses up its daily allowance has its
token reset, so the last tenth of it is never touched. RESUMEs are free, and don't come here.

A permit is held from :meth:`IdentifyQueue.grants` until it is given back, or used and answered; nobody else gets its
key meanwhile. Who holds one and falls silent loses it after :data:`HOLD` seconds.

Three things keep a shard waiting, each told by a moment in time: its key, the allowance, and its own breaker.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, TypeAlias

import msgspec
from attrs import define, evolve, field, frozen

from . import breaker
from .breaker import Breaker

SPACING = 5.25
"""Seconds between two IDENTIFYs of a key: Discord's 5, and slack."""

HOLD = 30.0
"""Seconds after which a permit nobody answers for is void."""

DAY = 86_400.0
RESET_SLACK = 1.0
"""Seconds for Discord to have reset the allowance before we believe it."""

_Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
_Time: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1e12)]


class _Snapshot(msgspec.Struct):
    """JSON's types only; times in seconds since 1970."""

    remaining: _Count
    reset_at: _Time | None
    recent: list[tuple[int, _Time]]
    breakers: list[tuple[int, Annotated[list[_Time], msgspec.Meta(min_length=1)], _Count, _Time]]


def _at_least_one(value: int) -> int:
    return max(value, 1)


@frozen
class Limits:
    """``session_start_limit`` of GET /gateway/bot.

    :ivar reset_after: seconds from the moment these numbers were fetched.
    """

    total: int
    remaining: int
    reset_after: float
    max_concurrency: int = field(converter=_at_least_one)

    @property
    def reserve(self) -> int:
        """What is never used: a tenth, and at least one where there is more than one."""
        return max(self.total // 10, 1) if self.total > 1 else 0


@define
class _Permit:
    """:ivar since: when it was granted, or used if it was."""

    since: float
    used: bool = False


class IdentifyQueue:
    """The one queue of all shards of the bot.

    After every call ask :meth:`grants`, and again at :meth:`next_time`.
    """

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._reset_at = _reset_time(limits, now)
        self._expected: dict[int, float] = {}
        self._waiting: set[int] = set()
        self._permits: dict[int, _Permit] = {}
        self._recent: dict[int, float] = {}
        self._breakers: dict[int, Breaker] = {}

    @property
    def remaining(self) -> int:
        """IDENTIFYs left of the allowance, as far as we know."""
        return self._limits.remaining

    def expect(self, shard_ids: Iterable[int], until: float) -> None:
        """These are about to ask: until then, or until they do, shards of later groups wait for them."""
        self._expected.update((shard_id, until) for shard_id in shard_ids if shard_id not in self._waiting)

    def ask(self, shard_id: int, now: float) -> None:
        """The shard waits for a permit from now on; one that it still holds has ended."""
        self._expected.pop(shard_id, None)
        self._permits.pop(shard_id, None)
        self._waiting.add(shard_id)

    def withdraw(self, shard_id: int) -> None:
        """It no longer waits, or won't ask at all; a permit it was given unseen is given back."""
        self._expected.pop(shard_id, None)
        self._waiting.discard(shard_id)
        self.give_back(shard_id)

    def grants(self, now: float) -> list[int]:
        """The shards that may IDENTIFY now, lowest first; each holds its key from here on."""
        self._advance(now)
        granted: list[int] = []
        room = self._room()
        busy = self._busy_keys()
        last_group: float = min((self._group(shard_id) for shard_id in self._expected), default=math.inf)
        for shard_id in sorted(self._waiting):
            if self._group(shard_id) > last_group or len(granted) >= room:
                break
            if self.blocked_until(shard_id) > now:
                continue
            key = self._key(shard_id)
            if key in busy:
                last_group = self._group(shard_id)
                continue
            busy[key] = math.inf
            granted.append(shard_id)
        for shard_id in granted:
            self._waiting.remove(shard_id)
            self._permits[shard_id] = _Permit(now)
        return granted

    def used(self, shard_id: int, now: float) -> None:
        """Its IDENTIFY was written."""
        self._advance(now)
        if shard_id in self._permits:
            self._permits[shard_id] = _Permit(now, used=True)
        self._count(shard_id, now)

    def settled(self, shard_id: int, now: float) -> None:
        """Its IDENTIFY was answered; its key is free as soon as its 5 s are over."""
        permit = self._permits.get(shard_id)
        if permit is not None and permit.used:
            del self._permits[shard_id]

    def give_back(self, shard_id: int) -> None:
        """The permit was not used, so its key is free at once."""
        permit = self._permits.get(shard_id)
        if permit is not None and not permit.used:
            del self._permits[shard_id]

    def lost(self, shard_ids: Iterable[int], now: float) -> None:
        """The process of these shards died: permits it may have used unseen count as used now."""
        self._advance(now)
        for shard_id in shard_ids:
            self._expected.pop(shard_id, None)
            self._waiting.discard(shard_id)
            permit = self._permits.pop(shard_id, None)
            if permit is not None and not permit.used:
                self._count(shard_id, now)

    def next_time(self, now: float) -> float | None:
        """When :meth:`grants` may next have something, if nothing is called before; None if not by time alone."""
        busy = self._busy_keys()
        times = [permit.since + HOLD for permit in self._permits.values()]
        if self._waiting:
            times += self._expected.values()
            times.append(math.inf if self._reset_at is None else self._reset_at)
        for shard_id in self._waiting:
            times.append(self.blocked_until(shard_id))
            times.append(busy.get(self._key(shard_id), math.inf))
        return min((time for time in times if now < time < math.inf), default=None)

    def exhausted_until(self, now: float) -> float | None:
        """When the allowance is filled again, if it doesn't suffice for those who wait; else None."""
        self._advance(now)
        if self._reset_at is None or len(self._waiting) <= self._room():
            return None
        return self._reset_at

    def blocked_until(self, shard_id: int) -> float:
        """Until when the shard's breaker holds it; in the past, or minus infinity, if it doesn't."""
        known = self._breakers.get(shard_id)
        return -math.inf if known is None else known.until

    def refresh(self, limits: Limits, now: float) -> None:
        """Discord's newer numbers. Within one window the lower count is believed: Discord's may lag behind ours."""
        self._advance(now)
        reset_at = _reset_time(limits, now)
        if self._same_window(reset_at):
            limits = evolve(limits, remaining=min(limits.remaining, self._limits.remaining))
        self._limits, self._reset_at = limits, reset_at

    def snapshot(self, now: float, wall: float) -> dict[str, object]:
        """What a later process needs: the last IDENTIFYs, the count of the day, the breakers.

        :param wall: now, in seconds since 1970.
        """
        self._advance(now)
        ahead = wall - now
        snapshot = _Snapshot(
            remaining=max(self._limits.remaining - self._out(), 0),
            reset_at=None if self._reset_at is None else self._reset_at + ahead,
            recent=[
                (shard_id, time + ahead)
                for shard_id, time in {**self._recent, **dict.fromkeys(self._permits, now)}.items()
            ],
            breakers=[
                (
                    shard_id,
                    [time + ahead for time in known.times],
                    known.trips,
                    max(known.until, known.times[-1]) + ahead,
                )
                for shard_id, known in self._breakers.items()
            ],
        )
        return msgspec.structs.asdict(snapshot)

    def restore(self, data: object, now: float, wall: float) -> bool:
        """Take over an earlier process's snapshot, after this one's limits, if it can be read; whether it could."""
        try:
            snapshot = msgspec.convert(data, _Snapshot)
        except msgspec.ValidationError:
            return False
        ahead = wall - now
        if snapshot.reset_at is not None and self._same_window(snapshot.reset_at - ahead):
            self._limits = evolve(self._limits, remaining=min(snapshot.remaining, self._limits.remaining))
        for shard_id, time in snapshot.recent:
            self._recent[shard_id] = min(time - ahead, now)
        for shard_id, times, trips, until in snapshot.breakers:
            past = sorted(min(time - ahead, now) for time in times)
            self._breakers[shard_id] = Breaker(past, trips, min(until - ahead, now + breaker.CAP))
        return True

    def forgot(self, now: float) -> None:
        """An earlier process identified, nobody knows whom and when: it may have been just now."""
        self._recent.update(dict.fromkeys(range(self._limits.max_concurrency), now))

    def _key(self, shard_id: int) -> int:
        return shard_id % self._limits.max_concurrency

    def _group(self, shard_id: int) -> int:
        return shard_id // self._limits.max_concurrency

    def _room(self) -> int:
        """How many more permits the allowance has, beside those that are out."""
        return max(self._limits.remaining - self._limits.reserve - self._out(), 0)

    def _out(self) -> int:
        return sum(not permit.used for permit in self._permits.values())

    def _busy_keys(self) -> dict[int, float]:
        """The keys that nobody gets now, and until when; infinity while a permit is held."""
        busy: dict[int, float] = {}
        for shard_id, time in self._recent.items():
            key = self._key(shard_id)
            busy[key] = max(busy.get(key, -math.inf), time + SPACING)
        for shard_id in self._permits:
            busy[self._key(shard_id)] = math.inf
        return busy

    def _count(self, shard_id: int, now: float) -> None:
        """An IDENTIFY of this shard, now."""
        self._recent[shard_id] = now
        self._limits = evolve(self._limits, remaining=max(self._limits.remaining - 1, 0))
        if self._reset_at is None:
            self._reset_at = now + DAY
        self._breakers.setdefault(shard_id, Breaker()).identified(now)

    def _advance(self, now: float) -> None:
        """What time alone changes."""
        if self._reset_at is not None and now >= self._reset_at:
            self._limits = evolve(self._limits, remaining=self._limits.total)
            self._reset_at = None
        self._expected = {shard_id: until for shard_id, until in self._expected.items() if now < until}
        self._recent = {shard_id: time for shard_id, time in self._recent.items() if now < time + SPACING}
        self._breakers = {shard_id: known for shard_id, known in self._breakers.items() if not known.forgotten(now)}
        for shard_id, permit in list(self._permits.items()):
            if now >= permit.since + HOLD:
                del self._permits[shard_id]
                if not permit.used:
                    self._count(shard_id, now)

    def _same_window(self, reset_at: float | None) -> bool:
        if self._reset_at is None or reset_at is None:
            return False
        return abs(self._reset_at - reset_at) < 60.0


def _reset_time(limits: Limits, now: float) -> float | None:
    """When the allowance is full again; None while no window is open, for the first IDENTIFY opens it."""
    if limits.reset_after > 0:
        return now + limits.reset_after + RESET_SLACK
    return None if limits.remaining >= limits.total > 0 else now + DAY
