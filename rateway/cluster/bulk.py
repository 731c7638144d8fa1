"""Several queries in one request, and their answers in one."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TypeAlias

from attrs import define, field

from rateway.errors import RequestRefused
from rateway.store.pages import PAGE_BYTES
from rateway.store.queries import Question
from rateway.store.standing import Answer

MOST = 100
"""Queries of one request."""

Ask: TypeAlias = Callable[[Question, int], Generator[None, None, Answer]]
"""A question, and how many bytes its list may have."""


def read_requests(value: object, parse: Callable[[dict[str, object]], Question]) -> list[Question]:
    """The questions of ``requests``.

    :raises RequestRefused: if one of them is none; the sentence says which.
    """
    if not isinstance(value, list):
        raise RequestRefused('"requests" must be an array')
    if len(value) > MOST:
        raise RequestRefused(f'"requests" may hold {MOST} requests, not {len(value)}')
    questions = []
    for number, each in enumerate(value):
        try:
            if not isinstance(each, dict):
                raise RequestRefused("a request is a JSON object")
            if "return_routing_key" in each:
                raise RequestRefused("there is one return_routing_key for all of them, beside requests")
            questions.append(parse(each))
        except RequestRefused as error:
            raise RequestRefused(f"requests[{number}]: {error}") from None
    return questions


@define
class _Together:
    """What the answers say of themselves, in the headers of one.

    What may be doubtful is said of all, if it is of any. The shard and the lowest sequence are those of all, where all
    are of one shard. Everything else is a table: number of the request → what its answer says.
    """

    headers: dict[str, object] = field(factory=dict)
    tables: dict[str, dict[str, object]] = field(factory=dict)
    count: int = 0

    def add(self, answer: Answer) -> None:
        """The next answer."""
        for name, value in answer.headers.items():
            if name in _OF_ALL:
                self.headers.setdefault(name, value)
            else:
                self._note(name, value)
        self.count += 1

    def refused(self, why: str) -> None:
        """The next question has no answer."""
        self._note("errors", why)
        self.count += 1

    def merged(self) -> dict[str, object]:
        """The headers of the one answer."""
        tables: dict[str, object] = {**self.tables}
        shards, sequences = self.tables.get("shard_id", {}), self.tables.get("as_of_seq", {})
        if len(shards) == self.count and len({*shards.values()}) == 1:
            tables["shard_id"] = shards["0"]
            lowest = [each for each in sequences.values() if isinstance(each, int)]
            if len(lowest) == self.count:
                tables["as_of_seq"] = min(lowest)
        return {**self.headers, **tables}

    def _note(self, name: str, value: object) -> None:
        self.tables.setdefault(name, {})[str(self.count)] = value


_OF_ALL = frozenset({"stale", "maintained", "reason"})
"""What is said once."""


def ask_all(ask: Ask, questions: Sequence[Question]) -> Generator[None, None, Answer]:
    """The answers as one array, in the order of the questions: ``null`` for what isn't known.

    The lists share the room of one. A question that can't be answered, be it for want of room, costs only its own
    answer: it is ``null``, and ``errors`` says why.
    """
    bodies: list[bytes] = []
    together, room = _Together(), PAGE_BYTES
    for question in questions:
        body = b"null"
        try:
            answer = yield from ask(question, room)
        except RequestRefused as error:
            together.refused(str(error))
        else:
            together.add(answer)
            body = body if answer.body is None else answer.body
        bodies.append(body)
        room -= len(body) + 1
        yield
    return Answer(b"[" + b",".join(bodies) + b"]", together.merged())
