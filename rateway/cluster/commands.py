"""A gateway command from the inbox, and its answer (docs/user-guide.md, "Sending gateway commands")."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol

import ujson
from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from rateway.amqp.inbox import Delivery
from rateway.errors import RequestRefused
from rateway.gateway.command_check import check_command, encode_command
from rateway.model.snowflake import parse_id, shard_of

from .elsewhere import Send
from .requests import SHOWN, Answers

TIMESTAMP_GRAIN = 1.0
"""Seconds: an AMQP timestamp has whole ones, so a message may look older by up to one than it is."""


class CommandTarget(Protocol):
    """A shard, as commands see it."""

    def send(self, op: int, payload: bytes, deadline: float) -> Deferred[None]:
        """Fires when written; fails with :class:`RequestRefused`."""


def named_shard(headers: Mapping[str, object]) -> int | None:
    """The shard that the header ``shard_id`` names; ``None`` where there is none.

    :raises RequestRefused: if it is no integer.
    """
    shard_id = headers.get("shard_id")
    if shard_id is None or (isinstance(shard_id, int) and not isinstance(shard_id, bool)):
        return shard_id
    raise RequestRefused("the header shard_id must be an integer")


def owning_shard(data: Mapping[str, object], total: int) -> int:
    """The shard that owns the ``guild_id`` in ``d``.

    :raises RequestRefused: if there is no guild.
    """
    if data.get("guild_id") is None:
        raise RequestRefused("the header shard_id is missing, and there is no guild_id to find the shard by")
    try:
        return shard_of(parse_id(data["guild_id"]), total)
    except ValueError as error:
        raise RequestRefused(f"guild_id: {error}") from error


@frozen(eq=False)
class GatewayCommands:
    """Passes the commands of one cluster's inbox to its shards.

    :ivar ttl: seconds a command may wait for its shard, counted from the message's timestamp where it has one.
    """

    _log = Logger()

    _reactor: IReactorTime
    _exchange: str
    _answers: Answers
    _shards: Mapping[int, CommandTarget]
    _send_elsewhere: Send
    _total: int
    _per_cluster: int
    _ttl: float
    _now: Callable[[], float] = time.time

    def received(self, delivery: Delivery) -> None:
        """A message by the routing key ``gateway``."""
        try:
            sent = self._pass_on(delivery)
        except RequestRefused as error:
            self._refused(delivery, str(error))
            return
        except Exception:
            self._failed(Failure(), delivery)
            return
        sent.addCallbacks(lambda _: self._answer(delivery, {"status": "sent"}), self._failed, errbackArgs=(delivery,))
        sent.addErrback(lambda failure: self._log.failure("answering a gateway command", failure))

    def _pass_on(self, delivery: Delivery) -> Deferred[None]:
        op, data = check_command(delivery.whole_body())
        left = self._time_left(delivery.timestamp)
        payload = encode_command(op, data)
        shard_id = named_shard(delivery.headers)
        if shard_id is None:
            shard_id = owning_shard(data, self._total)
            if shard_id not in self._shards:
                return self._send_elsewhere(shard_id, op, payload, left)
        shard = self._shards.get(shard_id)
        if shard is None:
            raise RequestRefused(self._whose(shard_id))
        return shard.send(op, payload, self._reactor.seconds() + left)

    def _time_left(self, timestamp: int | None) -> float:
        age = 0.0 if timestamp is None else max(0.0, self._now() - timestamp - TIMESTAMP_GRAIN)
        if age >= self._ttl:
            raise RequestRefused(f"the command is {age:.0f} s old, COMMAND_TTL is {self._ttl:g} s")
        return self._ttl - age

    def _whose(self, shard_id: int) -> str:
        if 0 <= shard_id < self._total:
            return f"shard {shard_id} belongs to exchange rateway-{shard_id // self._per_cluster + 1}"
        return f"there is no shard {shard_id}; there are {self._total}, counted from 0"

    def _failed(self, failure: Failure, delivery: Delivery) -> None:
        if failure.check(RequestRefused):
            self._refused(delivery, str(failure.value))
        else:
            self._log.failure("a gateway command failed", failure)
            self._refused(delivery, "rateway could not send it; its log says more")

    def _refused(self, delivery: Delivery, why: str) -> None:
        if delivery.reply_to:
            self._answer(delivery, {"status": "refused", "error": why})
        else:
            self._log.warn("refused a gateway command on {exchange}: {why}", exchange=self._exchange, why=why[:SHOWN])

    def _answer(self, delivery: Delivery, answer: Mapping[str, str]) -> None:
        if delivery.reply_to:
            body = ujson.dumps(answer).encode()
            self._answers.answer("", delivery.reply_to, body, correlation_id=delivery.correlation_id)
