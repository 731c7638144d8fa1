"""What answers the bots' queries: every cluster's store of this host, read as one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from inspect import GEN_CLOSED, getgeneratorstate
from pathlib import Path
from typing import Any, TypeVar

from rateway.errors import RequestRefused

from . import doubt, keys, membership, standing
from .cluster import ClusterStore
from .layout import Layout
from .membership import Membership
from .pages import PAGE_BYTES, Steps
from .queries import About, Attempt, Find, Query, Question, Where, parse_query
from .sources import Sources
from .standing import Answer
from .view import Reader

T = TypeVar("T")

_REMEMBERED = 100_000
"""Ids of which it is remembered in whose store they were found."""

_DISABLED = "CACHE_ENABLED is false"
_STALE = {"stale": True}
"""Of what isn't one guild's, if a store stopped; of a guild's the store says it."""
_ANY: frozenset[str] = frozenset()
"""The kinds that have to be kept for what is kept in any case."""


class Cache:
    """The host's cache as one process reads it."""

    def __init__(
        self, state_dir: Path, *, total: int, per_cluster: int, own: Mapping[int, ClusterStore], enabled: bool
    ) -> None:
        """
        :param state_dir: holds ``cluster-1``, ``cluster-2``, …
        :param total: of shards, by which a guild's cluster is found.
        :param own: the stores this process writes, by the cluster's number; looked into anew for each query.
        :param enabled: if not, every well-formed query answers "not found".
        """
        self._layout = Layout(total, per_cluster)
        self._clusters = self._layout.clusters
        self._sources = Sources(state_dir, own)
        self._enabled = enabled
        self._found_in: OrderedDict[tuple[Find, int], int] = OrderedDict()

    def query(self, kind: str, arguments: Sequence[object]) -> bytes | None:
        """The JSON that answers, or ``None`` if nothing is known: at once, however long it takes.

        :raises RequestRefused: for an unknown kind, or arguments that don't fit it.
        """
        return self.answer(parse_query(kind, arguments)).body

    def answer(self, question: Question) -> Answer:
        """The answer, at once.

        :raises RequestRefused: if it can't be finished.
        """
        steps = self.ask(question)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                answer: Answer = end.value
                return answer

    def ask(self, question: Question, room: int = PAGE_BYTES) -> Generator[None, None, Answer]:
        """The answer, with pauses where it takes long; what is looked up by its ids comes without a pause.

        :param room: bytes that a list may have.
        :raises RequestRefused: if it can't be finished.
        """
        query = question.query
        if not self._enabled:
            return Answer(None, _not_maintained(_DISABLED))
        if query.steps is None:
            answer = self._look_up(question)
        else:
            answer = yield from self._run(query.kinds, query.steps(self._layout, question.values, room))
        if self._sources.stopped and "shard_id" not in answer.headers:
            answer = Answer(answer.body, {**answer.headers, **_STALE})
        gap = self._sources.gap(doubt.concerned(question, answer))
        if gap is None or doubt.is_about(question, answer, self._bot()):
            return answer
        return Answer(answer.body, {**answer.headers, **_not_maintained(gap)})

    def lacks(self, question: Question) -> int | None:
        """The guild whose member list could make the answer whole, if the answer isn't whole without it."""
        query, values = question.query, question.values
        if query.members is None or not self._enabled:
            return None
        guild = values[0]
        user = values[1] if query.members is About.ONE else None
        assert isinstance(guild, int) and (user is None or isinstance(user, int)), "as they were parsed"

        def find(reader: Reader) -> bool:
            return membership.lacking(reader, guild, user)

        return guild if self._sources.read(self._layout.owner(guild), query.kinds, find) else None

    def membership(self, guild: int) -> Membership | None:
        """What is known of a guild's members; ``None`` if the bot isn't in it."""
        return self._sources.read(self._layout.owner(guild), _ANY, lambda reader: membership.of_guild(reader, guild))

    def unfinished(self, shard: int) -> Generator[None, None, list[tuple[int, int]]]:
        """The guilds of a shard of which not all members are known, with how many they have; with pauses.

        :raises RequestRefused: if they can't be read to the end.
        """
        layout = self._layout
        return self._run(_ANY, membership.unfinished(layout.cluster(shard), shard, layout.total))

    def close(self) -> None:
        """Close what was opened for reading; the own stores are their owners' to close."""
        self._sources.close()

    def _bot(self) -> int:
        """The bot's user id, of which events tell whatever the intents; 0 if no READY said it yet."""
        found = self._sources.each(self._clusters, _ANY, lambda reader: reader.get(keys.SELF))
        return next((keys.to_id(row[8:16]) for _, row in found), 0)

    def _run(self, kinds: frozenset[str], steps: Steps[T]) -> Generator[None, None, T]:
        """Give the steps the readers they want, each good for one step.

        :param kinds: that a store has to keep.
        """
        try:
            wanted = next(steps)
            while True:
                following = self._sources.read(wanted, kinds, steps.send)
                if following is None:
                    if getgeneratorstate(steps) == GEN_CLOSED:
                        # What couldn't be read was under their hands.
                        raise RequestRefused("the cache can't be read just now: ask again")
                    following = steps.send(None)
                wanted = following
                yield
        except StopIteration as end:
            result: T = end.value
            return result

    def _look_up(self, question: Question) -> Answer:
        answer = Answer(None)
        for attempt in question.query.attempts:
            found = self._attempt(question.query, attempt, question.values)
            if found.body is not None:
                return found
            if found.headers:
                answer = found
        return answer

    def _attempt(self, query: Query, attempt: Attempt, values: tuple[Any, ...]) -> Answer:
        if attempt.where is Where.OWNER:
            guild = values[attempt.by]
            find = partial(self._in_guild, query, attempt, values, guild)
            return self._sources.read(self._layout.owner(guild), query.kinds, find) or Answer(None)
        if attempt.where is Where.ANY:
            return self._anywhere(query, attempt, values)
        copies = self._sources.each(self._clusters, query.kinds, lambda reader: attempt.find(reader, *values))
        newest = max((found for _, found in copies), key=_time, default=None)
        return Answer(None if newest is None else newest[8:])

    def _anywhere(self, query: Query, attempt: Attempt, values: tuple[Any, ...]) -> Answer:
        memory = (attempt.find, values[attempt.by])
        find = partial(self._with_its_guild, attempt, values)
        remembered = self._found_in.get(memory)
        if remembered is not None:
            answer = self._sources.read(remembered, query.kinds, find)
            if answer is not None:
                self._found_in.move_to_end(memory)
                return answer
        for cluster, answer in self._sources.each(self._clusters, query.kinds, find):
            self._found_in[memory] = cluster
            if len(self._found_in) > _REMEMBERED:
                self._found_in.popitem(last=False)
            return answer
        return Answer(None, _STALE if self._sources.stopped else {})

    def _in_guild(self, query: Query, attempt: Attempt, values: tuple[Any, ...], guild: int, reader: Reader) -> Answer:
        if len(query.attempts) > 1 and not reader.has(keys.guild_state(guild)):
            # It may be something else's id, and then nothing is to be said of its shard.
            return Answer(None)
        headers = standing.of_guild(reader, guild, self._layout.shard(guild))
        if query.tells_members:
            headers |= standing.of_members(reader, guild)
        return Answer(attempt.find(reader, *values), headers)

    def _with_its_guild(self, attempt: Attempt, values: tuple[Any, ...], reader: Reader) -> Answer | None:
        body = attempt.find(reader, *values)
        if body is None and not attempt.in_place:
            return None
        guild = attempt.guild_of(reader, values[attempt.by])
        if guild is None:
            return None if body is None else Answer(body)
        return Answer(body, standing.of_guild(reader, guild, self._layout.shard(guild)))


def _time(copy: bytes) -> bytes:
    """When it was seen: the beginning of what :attr:`Where.NEWEST` finds."""
    return copy[:8]


def _not_maintained(reason: str) -> dict[str, object]:
    return {"maintained": False, "reason": reason}
