"""A cache query from the inbox, and its answer (docs/user-guide.md, "Asking the cache")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import ujson
from attrs import frozen
from twisted.logger import Logger

from rateway.amqp.inbox import Delivery
from rateway.errors import RequestRefused

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

    def query(self, kind: str, arguments: Sequence[object]) -> bytes | None:
        """The entity as JSON, or ``None``; raises :class:`RequestRefused`."""


@frozen
class Query:
    """A question as a bot put it."""

    kind: str
    arguments: Sequence[object]


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


def parse_query(fields: Mapping[str, object]) -> Query:
    """The question in a body.

    :raises RequestRefused: with a sentence for the bot's author.
    """
    kind, arguments = fields.get("type"), fields.get("arguments", [])
    if not isinstance(kind, str):
        raise RequestRefused('"type" must be the name of a query, such as "Guild"')
    if not isinstance(arguments, list):
        raise RequestRefused('"arguments" must be an array')
    return Query(kind, arguments)


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


@frozen(eq=False)
class CacheRequests:
    """Answers the queries of one cluster's inbox, from the cache of all clusters."""

    _log = Logger()

    _exchange: str
    _answers: Answers
    _cache: Queries

    def received(self, delivery: Delivery) -> None:
        """A message by the routing key ``cache``."""
        exchange, key, refusal, body = self._exchange, None, None, None
        if delivery.reply_to:
            exchange, key = "", delivery.reply_to
        try:
            fields = load_object(delivery.body)
            if key is None:
                key = parse_return_key(fields)
                if key is None:
                    raise RequestRefused("there is neither reply_to nor return_routing_key to answer to")
            query = parse_query(fields)
            body = self._cache.query(query.kind, query.arguments)
        except RequestRefused as error:
            refusal = str(error)
        except Exception:
            self._log.failure("a cache query failed")
            refusal = "rateway could not answer; its log says more"
        if refusal is not None:
            self._log.warn("refused a cache query on {exchange}: {why}", exchange=self._exchange, why=refusal[:SHOWN])
        if key is not None:
            self._answers.answer(
                exchange,
                key,
                NOT_FOUND if body is None else body,
                correlation_id=delivery.correlation_id,
                headers=None if refusal is None else {"error": refusal},
            )
