"""One shard's guilds whose member lists are wanted, in the order of their turns, and those under way."""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush

from attrs import define, field

SPARE = 100
"""Entries of the queues that don't count any more, until they are tidied."""


@define
class Want:
    """A list that is to be asked for.

    :ivar members: that the guild has, for the log.
    :ivar urgent: a bot waits for it.
    :ivar not_before: monotonic seconds.
    :ivar tries: times it was asked for in vain.
    """

    guild: int
    members: int
    urgent: bool
    not_before: float
    tries: int = 0


@define
class Asked:
    """A list under way.

    :ivar heard: when it was asked for, or its last chunk came.
    :ivar chunks: the numbers of those that came.
    """

    want: Want
    nonce: str
    heard: float
    chunks: set[int] = field(factory=set)


@define
class Line:
    """One shard's guilds. What stands in the queues counts only while it is wanted.

    :ivar whole: guilds of which all members are known.
    :ivar not_before: when the shard may have room for a request again.
    """

    wants: dict[int, Want] = field(factory=dict)
    asked: dict[int, Asked] = field(factory=dict)
    whole: set[int] = field(factory=set)
    not_before: float = float("-inf")
    _urgent: deque[int] = field(factory=deque)
    _ready: deque[int] = field(factory=deque)
    _later: list[tuple[float, int]] = field(factory=list)

    def enqueue(self, want: Want, now: float) -> None:
        """It is wanted, from its time on."""
        self.wants[want.guild] = want
        if want.not_before > now:
            heappush(self._later, (want.not_before, want.guild))
        else:
            (self._urgent if want.urgent else self._ready).append(want.guild)
        if len(self._urgent) + len(self._ready) + len(self._later) > 3 * len(self.wants) + SPARE:
            self._tidy()

    def _tidy(self) -> None:
        """Each guild once in each queue: one that leaves and comes back is put in again each time."""
        self._urgent = deque(dict.fromkeys(guild for guild in self._urgent if guild in self.wants))
        self._ready = deque(dict.fromkeys(guild for guild in self._ready if guild in self.wants))
        self._later = sorted({(when, guild) for when, guild in self._later if self._is_due(guild, when)})

    def _is_due(self, guild: int, when: float) -> bool:
        want = self.wants.get(guild)
        return want is not None and want.not_before == when

    def first(self, now: float) -> Want | None:
        """Whose turn it is."""
        while self._later and self._later[0][0] <= now:
            _, guild = heappop(self._later)
            want = self.wants.get(guild)
            if want is not None and want.not_before <= now:
                (self._urgent if want.urgent else self._ready).append(guild)
        for queue in (self._urgent, self._ready):
            while queue:
                want = self.wants.get(queue[0])
                if want is not None and want.not_before <= now:
                    return want
                queue.popleft()
        return None

    def next_time(self, now: float) -> float | None:
        """When there is something to be asked for, whatever is under way."""
        if self.first(now) is not None:
            return max(self.not_before, now)
        return max(self.not_before, self._later[0][0]) if self._later else None
