"""Asking Discord for the members of guilds (CHUNK_GUILDS), for all clusters of a process.

What is to be asked is decided in :mod:`rateway.gateway.memberlists`. Here is what it hears: the few events that tell
of member lists, after they are in the cache; how much the cache knows; and who waits for a list.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from typing import Protocol

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from rateway.errors import RequestRefused
from rateway.gateway.memberlists import SILENCE, MemberLists, Room
from rateway.gateway.membernews import read_chunk, read_guild, read_limited
from rateway.gateway.spare import LOOK_AGAIN, Spare
from rateway.model.snowflake import shard_of
from rateway.shard.timer import Timer
from rateway.store.membership import Membership

from .pipeline import Fresh
from .turns import Turns

SOONEST = 0.001
"""Seconds from one look at what is to be asked to the next, at least."""


class Speech(Protocol):
    """A shard's outbox, as it is seen from here."""

    @property
    def spare(self) -> Spare:
        """What bots' commands leave."""

    def room(self) -> Room | None:
        """The room for a request; ``None`` while nothing can be sent."""

    def say(self, payload: bytes) -> None:
        """Write what has taken its room."""


class Members(Protocol):
    """What the cache knows of members."""

    def membership(self, guild: int) -> Membership | None:
        """A guild's; ``None`` if the bot isn't in it."""

    def unfinished(self, shard: int) -> Generator[None, None, list[tuple[int, int]]]:
        """A shard's guilds of which not all members are known, and how many they have."""


@define(eq=False)
class Chunking:
    """The asking of one process.

    :ivar startup: whether each guild is asked for as it comes; if not, only those that are waited for.
    :ivar _are_announced: whether guilds come by events (GUILDS); if not, READY alone tells of them.
    """

    _log = Logger()

    _clock: IReactorTime
    _cache: Members
    _turns: Turns
    _total: int
    _lists: MemberLists
    startup: bool
    _are_announced: bool = True
    _since: float = field(init=False)
    _shards: dict[int, tuple[Speech, Callable[[], bool]]] = field(factory=dict, init=False)
    _looked_at: set[int] = field(factory=set, init=False)
    """Shards whose guilds are known to have come, or were looked for in the cache."""
    _waiting: dict[int, list[Deferred[None]]] = field(factory=dict, init=False)
    _timer: Timer = field(init=False)
    _stopped: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._since = self._clock.seconds()
        self._timer = Timer(self._clock, self._turn)

    def take_on(self, shards: Mapping[int, Speech], is_fit: Callable[[], bool]) -> None:
        """Ask for the guilds of these shards too.

        :param is_fit: whether what Discord would answer can be taken, to the cache and to the broker.
        """
        for shard, speech in shards.items():
            self._shards[shard] = speech, is_fit

    def told(self, events: Fresh) -> None:
        """THE HOT PATH: events that are in the cache now. Never raises."""
        for shard, _, dispatches in events:
            for _, name, d in dispatches:
                if name in _HEARD:
                    try:
                        _HEARD[name](self, shard, d)
                    except Exception:
                        self._log.failure("hearing {name} of shard {shard}", name=name, shard=shard)

    def fetch(self, guild: int) -> Deferred[None]:
        """Ask for a guild's list, for a bot waits for it; fires when it is there, or isn't to be waited for."""
        shard = shard_of(guild, self._total)
        members = self._cache.membership(guild)
        if self._stopped or members is None or not members.may_grow:
            return succeed(None)
        if not self._lists.want(shard, guild, members.total or 0, self._clock.seconds(), urgent=True):
            return succeed(None)
        waiting: Deferred[None] = Deferred(lambda gone: self._waiting[guild].remove(gone))
        self._waiting.setdefault(guild, []).append(waiting)
        self._soon()
        return waiting

    def stop(self) -> None:
        """Ask for nothing more; nobody need wait."""
        self._stopped = True
        self._timer.cancel()
        for guild in list(self._waiting):
            self._settle(guild)

    def _ready(self, shard: int, d: bytes) -> None:
        self._looked_at.add(shard)
        self._lists.began(shard)
        self._soon()
        if self.startup and not self._are_announced:
            self._look(shard, is_replayed=False)

    def _resumed(self, shard: int, d: bytes) -> None:
        """An earlier process's session goes on here: no GUILD_CREATE will come."""
        if self.startup and shard not in self._looked_at:
            self._looked_at.add(shard)
            self._look(shard, is_replayed=True)

    def _guild_create(self, shard: int, d: bytes) -> None:
        told = read_guild(d)
        if told is None or told[1]:
            return
        guild = told[0]
        self._lists.listed(shard, guild)
        members = self._cache.membership(guild) if self.startup else None
        if members is not None and members.may_grow:
            self._want(shard, guild, members.total or 0, is_replayed=shard not in self._looked_at)
            self._soon()

    def _guild_delete(self, shard: int, d: bytes) -> None:
        told = read_guild(d)
        if told is not None:
            self._lists.gone(shard, told[0])
            self._soon()

    def _chunk(self, shard: int, d: bytes) -> None:
        chunk = read_chunk(d) if self._lists.is_busy else None
        if chunk is None or not self._lists.concerns(shard, chunk.guild):
            return
        self._lists.chunk(shard, chunk, self._clock.seconds())
        members = self._cache.membership(chunk.guild)
        if members is None or not members.may_grow:
            self._lists.whole(shard, chunk.guild)
        self._soon()

    def _limited(self, shard: int, d: bytes) -> None:
        limited = read_limited(d)
        if limited is not None and shard in self._shards:
            now = self._clock.seconds()
            self._shards[shard][0].spare.limited(limited.guild, limited.seconds, now)
            self._lists.limited(shard, limited, now)
            self._soon()

    def _look(self, shard: int, is_replayed: bool) -> None:
        if self._stopped:
            return
        try:
            looking = self._turns.add(self._cache.unfinished(shard))
        except RequestRefused:
            self._look_again(shard, is_replayed)
            return
        looking.addCallbacks(partial(self._found, shard, is_replayed), partial(self._not_found, shard, is_replayed))
        looking.addErrback(partial(self._log.failure, "wanting the members of shard {shard}", shard=shard))

    def _found(self, shard: int, is_replayed: bool, guilds: Sequence[tuple[int, int]]) -> None:
        for guild, members in guilds:
            self._want(shard, guild, members, is_replayed)
        self._soon()

    def _want(self, shard: int, guild: int, members: int, is_replayed: bool) -> None:
        """What an earlier process heard of, it may have asked for just now: not before Discord surely allows it."""
        not_before = self._since + SILENCE if is_replayed else 0.0
        self._lists.want(shard, guild, members, self._clock.seconds(), not_before=not_before)

    def _not_found(self, shard: int, is_replayed: bool, failure: Failure) -> None:
        failure.trap(RequestRefused)
        self._look_again(shard, is_replayed)

    def _look_again(self, shard: int, is_replayed: bool) -> None:
        self._clock.callLater(LOOK_AGAIN, self._look, shard, is_replayed)

    def _soon(self) -> None:
        """Look at what is to be asked, once this turn of the reactor is over."""
        if not self._stopped:
            self._timer.set(0)

    def _turn(self) -> None:
        now = self._clock.seconds()
        for ask in self._lists.asks(now, self._room):
            self._shards[ask.shard][0].say(ask.payload)
        for guild in self._lists.settled():
            self._settle(guild)
        line = self._lists.progress.line(now)
        if line is not None:
            self._log.info("{progress}", progress=line)
        then = self._lists.next_time(now)
        if then is not None and not self._stopped:
            self._timer.set(max(then - now, SOONEST))

    def _room(self, shard: int) -> Room | None:
        there = self._shards.get(shard)
        return there[0].room() if there is not None and there[1]() else None

    def _settle(self, guild: int) -> None:
        for waiting in self._waiting.pop(guild, ()):
            waiting.callback(None)


_HEARD: dict[str, Callable[[Chunking, int, bytes], None]] = {
    "READY": Chunking._ready,
    "RESUMED": Chunking._resumed,
    "GUILD_CREATE": Chunking._guild_create,
    "GUILD_DELETE": Chunking._guild_delete,
    "GUILD_MEMBERS_CHUNK": Chunking._chunk,
    "RATE_LIMITED": Chunking._limited,
}
"""The events that tell of member lists."""
