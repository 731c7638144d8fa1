"""A cache query from the inbox, and its answer (docs/user-guide.md, "Asking the cache")."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import Protocol

import ujson
from attrs import frozen
from twisted.logger import Logger
from twisted.python.failure import Failure

from rateway.amqp.inbox import Delivery
from rateway.errors import RequestRefused
from rateway.store.pages import PAGE_BYTES
from rateway.store.queries import Question, parse_query
from rateway.store.standing import Answer

from .bulk import ask_all, read_requests
from .chunking import Chunking
from .patience import Patience
from .turns import Turns

NOT_FOUND = b""
SHOWN = 120
"""Characters of a foreign text that a log line repeats at most."""


class Answers(Protocol):
    """What answers are sent through."""

    def answer(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        *,
        correlation_id: bytes | None = None,
        headers: Mapping[str, object] | None = None,
    ) -> None:
        """Publish an answer, without a confirm."""


class Queries(Protocol):
    """What questions are put to."""

    def ask(self, question: Question, room: int = PAGE_BYTES) -> Generator[None, None, Answer]:
        """The answer, with pauses where it takes long; raises :class:`RequestRefused`."""


@frozen(eq=False)
class Desk:
    """Where the clusters of a process hand in what bots ask: the cache, and the turns of what takes long.

    :ivar chunking: what asks Discord for member lists, where that is wanted.
    :ivar patience: where questions wait for them, if they do.
    """

    cache: Queries
    turns: Turns
    chunking: Chunking | None = None
    patience: Patience | None = None


def load_object(body: bytes) -> dict[str, object]:
    """A message's body, as a JSON object.

    :raises RequestRefused: if it is none.
    """
    try:
        value = ujson.loads(body)
    except (ValueError, OverflowError, RecursionError) as error:
        raise RequestRefused("the body is not JSON in UTF-8") from error
    if not isinstance(value, dict):
        raise RequestRefused("the body must be a JSON object")
    return value


def parse_question(fields: Mapping[str, object]) -> Question:
    """The question in a body.

    :raises RequestRefused: with a sentence for the bot's author.
    """
    kind, arguments = fields.get("type"), fields.get("arguments", [])
    if not isinstance(kind, str):
        raise RequestRefused('"type" must be the name of a query, such as "Guild"')
    if not isinstance(arguments, list):
        raise RequestRefused('"arguments" must be an array')
    return parse_query(kind, arguments)


def parse_return_key(fields: Mapping[str, object]) -> str | None:
    """``return_routing_key``, or ``None`` where it is missing.

    :raises RequestRefused: if it can't be a routing key (AMQP 0-9-1, 3.1.3.3: a short string of at most 255 bytes).
    """
    key = fields.get("return_routing_key")
    if key is None:
        return None
    try:
        if isinstance(key, str) and len(key.encode()) <= 255:
            return key
    except UnicodeEncodeError:
        pass
    raise RequestRefused('"return_routing_key" must be a string of at most 255 bytes')


@frozen
class _Return:
    """Where an answer goes."""

    exchange: str
    key: str
    correlation_id: bytes | None


@frozen(eq=False)
class CacheRequests:
    """Answers the queries of one cluster's inbox, from the cache of all clusters.

    What is looked up by its ids is answered at once, or, if it is much, before what may take long. That is done in
    turns, so that it holds up neither the former nor any event; and what Discord has to be asked for waits. Then an
    answer may come after that of a later question.
    """

    _log = Logger()

    _exchange: str
    _answers: Answers
    _desk: Desk

    def received(self, delivery: Delivery) -> None:
        """A message by the routing key ``cache``."""
        to = _Return("", delivery.reply_to, delivery.correlation_id) if delivery.reply_to else None
        try:
            fields = load_object(delivery.whole_body())
            if to is None:
                key = parse_return_key(fields)
                if key is None:
                    raise RequestRefused("there is neither reply_to nor return_routing_key to answer to")
                to = _Return(self._exchange, key, delivery.correlation_id)
            self._take(fields, to)
        except Exception:
            self._refuse(to, Failure())

    def _take(self, fields: Mapping[str, object], to: _Return) -> None:
        """Answer, now or after a wait for what the cache lacks."""
        together = "requests" in fields
        if together:
            if "type" in fields or "arguments" in fields:
                raise RequestRefused('a request has either "type" and "arguments", or "requests"')
            questions = read_requests(fields["requests"], parse_question)
        else:
            questions = [parse_question(fields)]
        patience = self._desk.patience
        held = None if patience is None else patience.hold(questions)
        if held is None:
            self._ask(questions, together, to)
            return
        held.addCallback(lambda _: self._ask(questions, together, to)).addErrback(partial(self._refuse, to))
        held.addErrback(self._failed)

    def _ask(self, questions: Sequence[Question], together: bool, to: _Return) -> None:
        """Send the answer, at once if it can be had so, or when it is there."""
        cache, turns = self._desk.cache, self._desk.turns
        is_short = all(question.query.steps is None for question in questions)
        work = ask_all(cache.ask, questions) if together else cache.ask(questions[0])
        if turns.is_idle or (is_short and not together):
            try:
                next(work)
            except StopIteration as end:
                self._send(to, end.value)
                return
        done = turns.add(work, is_short=is_short)
        done.addCallbacks(partial(self._send, to), partial(self._refuse, to))
        done.addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        self._log.failure("answering a cache query", failure)

    def _send(self, to: _Return, answer: Answer) -> None:
        body = NOT_FOUND if answer.body is None else answer.body
        self._answers.answer(
            to.exchange, to.key, body, correlation_id=to.correlation_id, headers=answer.headers or None
        )

    def _refuse(self, to: _Return | None, failure: Failure) -> None:
        if failure.check(RequestRefused):
            why = str(failure.value)
        else:
            self._log.failure("a cache query failed", failure)
            why = "rateway could not answer; its log says more"
        self._log.warn("refused a cache query on {exchange}: {why}", exchange=self._exchange, why=why[:SHOWN])
        if to is not None:
            self._send(to, Answer(None, {"error": why}))
