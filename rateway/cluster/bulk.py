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
    """What the answers say of themselves, said once.

    The shard only where all are of the same, then with the lowest sequence; the rest of any of them.
    """

    headers: dict[str, object] = field(factory=dict)
    shards: set[object] = field(factory=set)
    sequences: set[object] = field(factory=set)
    following: dict[str, object] = field(factory=dict)

    def add(self, number: int, answer: Answer) -> None:
        """One answer more."""
        for name in ("stale", "maintained", "reason"):
            if name in answer.headers:
                self.headers.setdefault(name, answer.headers[name])
        self.shards.add(answer.headers.get("shard_id"))
        self.sequences.add(answer.headers.get("as_of_seq"))
        if "next" in answer.headers:
            self.following[str(number)] = answer.headers["next"]

    def merged(self) -> dict[str, object]:
        """The headers of the one answer."""
        (shard, *others) = self.shards or {None}
        if shard is not None and not others:
            self.headers["shard_id"] = shard
            sequences = [each for each in self.sequences if isinstance(each, int)]
            if len(sequences) == len(self.sequences):
                self.headers["as_of_seq"] = min(sequences)
        if self.following:
            self.headers["next"] = self.following
        return self.headers


def ask_all(ask: Ask, questions: Sequence[Question]) -> Generator[None, None, Answer]:
    """The answers as one array, in the order of the questions: ``null`` for what isn't known.

    ``next`` is a table then: number of the request → id to go on behind. The lists share the room of one.
    """
    bodies: list[bytes] = []
    together, room = _Together(), PAGE_BYTES
    for number, question in enumerate(questions):
        answer = yield from ask(question, room)
        body = b"null" if answer.body is None else answer.body
        bodies.append(body)
        room -= len(body) + 1
        together.add(number, answer)
        yield
    return Answer(b"[" + b",".join(bodies) + b"]", together.merged())
