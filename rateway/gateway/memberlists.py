"""Whose member list Discord is asked for, and when: for all shards of a process, so that they don't all come at once.

A guild is *wanted* until it is its turn: those that a bot waits for first, the others in the order they came. It is
*asked for* until all chunks of the answer are there, in whatever order. If they stop coming it is wanted again, a few
times; if Discord says that it is too early, it is wanted again when Discord says. A list is *whole* until the guild is
listed anew, which replaces its members by those that Discord lists then.

A few lists are under way at a time, and the next is asked for when one has come: what comes has to be put into the
cache, beside all other events. How many may be asked for in a minute, and that a guild isn't asked for twice in 30 s,
is the connection's to say (``spare``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from attrs import frozen

from .budget import SLACK, SendBudget
from .memberline import Asked, Line, Want
from .membernews import Chunk, Limited
from .progress import Progress
from .spare import LOOK_AGAIN, Spare
from .wholelists import WINDOW

PATIENCE = 5.0
"""Seconds that a bot's question waits for a list."""

SILENCE = WINDOW + SLACK
"""Seconds without a chunk after which a list is asked for again: by then Discord allows it."""

MOST_TRIES = 5
"""Times that a list is asked for in vain."""

PER_SHARD, AT_ONCE = 2, 4
"""Lists under way: of one shard, and of all."""

Room: TypeAlias = tuple[Spare, SendBudget]
"""What a shard's connection has to spare, and its budget."""


@frozen
class Ask:
    """A list is asked for: the payload is booked, and to be written."""

    shard: int
    payload: bytes


class MemberLists:
    """The lists of a process's shards.

    :ivar progress: for the log.
    """

    def __init__(self, name: str, presences: bool) -> None:
        """
        :param name: of this process, in nonces: Discord may still send chunks that an earlier one asked for.
        :param presences: whether to ask for the presences too.
        """
        self.progress = Progress()
        self._name = name
        self._presences = presences
        self._lines: dict[int, Line] = {}
        self._asked: dict[int, int] = {}
        """Guilds under way → their shards."""
        self._count = 0
        self._settled: list[int] = []

    def want(
        self, shard: int, guild: int, members: int, now: float, *, urgent: bool = False, not_before: float = 0.0
    ) -> bool:
        """A guild's list is wanted, unless it is whole; whether it may come soon.

        :param members: that the guild has, for the log.
        :param urgent: a bot waits for it.
        """
        line = self._lines.setdefault(shard, Line())
        if guild in line.whole:
            return False
        if guild in line.asked:
            return True
        want = line.wants.get(guild)
        if want is None:
            want = Want(guild, members, urgent, not_before)
            line.enqueue(want, now)
            self.progress.wanted(members, now)
        elif urgent and not want.urgent:
            want.urgent = True
            line.enqueue(want, now)
        return _is_soon(want.not_before - now)

    @property
    def is_busy(self) -> bool:
        """Whether any list is wanted or under way."""
        return bool(self._asked) or any(line.wants for line in self._lines.values())

    def concerns(self, shard: int, guild: int) -> bool:
        """Whether the list is wanted or under way."""
        line = self._lines.get(shard)
        return line is not None and (guild in line.wants or guild in line.asked)

    def chunk(self, shard: int, chunk: Chunk, now: float) -> None:
        """A chunk came, of a list that was asked for here or of another."""
        line = self._lines.get(shard)
        asked = None if line is None else line.asked.get(chunk.guild)
        if asked is not None and asked.nonce == chunk.nonce:
            asked.heard = now
            asked.chunks.add(chunk.index)
            if len(asked.chunks) >= chunk.count:
                self.whole(shard, chunk.guild)

    def whole(self, shard: int, guild: int) -> None:
        """All members are known: by a list's last chunk, or by other events."""
        line = self._lines.setdefault(shard, Line())
        want = self._take_out(line, guild)
        if want is not None:
            line.whole.add(guild)
            self.progress.came(want.members)
            self._settled.append(guild)

    def limited(self, shard: int, limited: Limited, now: float) -> None:
        """RATE_LIMITED: what was asked for is wanted again later."""
        line = self._lines.get(shard)
        asked = None if line is None else line.asked.get(limited.guild)
        if line is None or asked is None or limited.nonce not in (None, asked.nonce):
            return
        want = self._take_out(line, limited.guild)
        if want is not None:
            self._put_off(line, want, limited.seconds + SLACK, now)

    def listed(self, shard: int, guild: int) -> None:
        """GUILD_CREATE replaced the guild's members: what came of its list before counts no more."""
        line = self._lines.get(shard)
        if line is not None:
            line.whole.discard(guild)
            if guild in line.asked:
                line.asked[guild].chunks.clear()

    def gone(self, shard: int, guild: int) -> None:
        """The bot left the guild, or there is an outage, in which Discord has nothing to say."""
        line = self._lines.get(shard)
        if line is not None:
            line.whole.discard(guild)
            want = self._take_out(line, guild)
            if want is not None:
                self.progress.dropped(want.members)
                self._settled.append(guild)

    def began(self, shard: int) -> None:
        """A new session: what was asked for in the old one is not answered any more, and its guilds are yet to come."""
        line = self._lines.get(shard)
        if line is not None:
            for guild in (*line.wants, *line.asked):
                self.gone(shard, guild)
            self._lines[shard] = Line(not_before=line.not_before)

    def asks(self, now: float, room: Callable[[int], Room | None]) -> list[Ask]:
        """What is to be asked for now: of each shard in turn, as far as there is room.

        :param room: a shard's; ``None`` while its connection takes nothing, or its answer could not be taken.
        """
        self._expire(now)
        found: list[Ask] = []
        for shard in [shard for shard, line in self._lines.items() if line.wants and line.not_before <= now]:
            line, turns = self._lines[shard], len(found)
            while len(line.asked) < PER_SHARD and len(self._asked) < AT_ONCE and (want := line.first(now)) is not None:
                there = room(shard)
                wait = LOOK_AGAIN if there is None else there[0].wait(there[1], now)
                if there is None or wait > 0:
                    line.not_before = now + wait
                    break
                wait = there[0].ask(want.guild, there[1], now)
                if wait > 0:
                    self._put_off(line, want, wait, now)
                else:
                    found.append(self._ask(shard, line, want, now))
            if len(found) > turns:
                # Whoever had their turn is behind the others now.
                self._lines[shard] = self._lines.pop(shard)
        return found

    def next_time(self, now: float) -> float | None:
        """When to call :meth:`asks` next, if nothing else happens before; ``None`` if there is nothing to do."""
        return min(self._times(now), default=None)

    def settled(self) -> list[int]:
        """Guilds for whose lists nobody need wait any longer, since this was last asked."""
        settled, self._settled = self._settled, []
        return settled

    def _times(self, now: float) -> Iterator[float]:
        for line in self._lines.values():
            yield from (asked.heard + SILENCE for asked in line.asked.values())
            if line.wants and len(line.asked) < PER_SHARD and len(self._asked) < AT_ONCE:
                time = line.next_time(now)
                if time is not None:
                    yield time
        if self.progress.next_time is not None:
            yield self.progress.next_time

    def _ask(self, shard: int, line: Line, want: Want, now: float) -> Ask:
        self._count += 1
        nonce = f"{self._name}-{self._count}"
        del line.wants[want.guild]
        line.asked[want.guild] = Asked(want, nonce, now)
        self._asked[want.guild] = shard
        presences = b',"presences":true' if self._presences else b""
        d = b'{"guild_id":"%d","query":"","limit":0%b,"nonce":"%b"}' % (want.guild, presences, nonce.encode())
        return Ask(shard, b'{"op":8,"d":%b}' % d)

    def _expire(self, now: float) -> None:
        """Lists whose chunks stopped coming."""
        for guild, shard in list(self._asked.items()):
            line = self._lines[shard]
            if now >= line.asked[guild].heard + SILENCE:
                want = self._take_out(line, guild)
                assert want is not None, "it was under way"
                want.tries += 1
                if want.tries < MOST_TRIES:
                    want.urgent = False
                    line.enqueue(want, now)
                else:
                    self.progress.failed()
                    self._settled.append(guild)

    def _put_off(self, line: Line, want: Want, wait: float, now: float) -> None:
        """Not now. Who waits for it is told, unless it is soon."""
        want.not_before = now + wait
        line.enqueue(want, now)
        if not _is_soon(wait):
            self._settled.append(want.guild)

    def _take_out(self, line: Line, guild: int) -> Want | None:
        self._asked.pop(guild, None)
        asked = line.asked.pop(guild, None)
        return line.wants.pop(guild, None) if asked is None else asked.want


def _is_soon(wait: float) -> bool:
    """Whether a list may come while a bot waits: also if it was asked for just now, by a bot."""
    return wait <= PATIENCE or wait > SILENCE - PATIENCE
