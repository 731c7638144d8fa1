"""Somebody who asks for a guild's members all the time, page after page: in a process of its own, which costs the one
that measures nothing."""

from __future__ import annotations

import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import pika
import ujson

_REPLIES = "amq.rabbitmq.reply-to"
"""RabbitMQ's own answer queue."""
_QUIET = 60.0


class ListAsker:
    """One question under way at any time, from the start on until :meth:`stop`."""

    def __init__(self, amqp: str, cluster: int, guild: int, limit: int) -> None:
        context = get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_ask, args=(theirs, amqp, cluster, guild, limit), daemon=True)
        self._process.start()
        if not self._ours.poll(_QUIET):
            raise RuntimeError("nobody answers a list")
        self._ours.recv()

    def stop(self) -> tuple[list[float], int]:
        """How long each page took, in seconds, and how many members there were on average."""
        self._ours.send(None)
        if not self._ours.poll(_QUIET):
            raise RuntimeError("nobody answers a list any more")
        took, members = self._ours.recv()
        self._process.join(_QUIET)
        return took, members


def _ask(ours: Connection[Any, Any], amqp: str, cluster: int, guild: int, limit: int) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(amqp))
    channel = connection.channel()
    answers: list[tuple[Any, bytes]] = []
    channel.basic_consume(_REPLIES, lambda _, __, properties, body: answers.append((properties, body)), auto_ack=True)
    took, members, after = [], 0, None
    while not ours.poll():
        question = ujson.dumps({"type": "GuildMembers", "arguments": [guild, after, limit]}).encode()
        began = time.perf_counter()
        channel.basic_publish(f"rateway-{cluster}", "cache", question, pika.BasicProperties(reply_to=_REPLIES))
        while not answers:
            connection.process_data_events(time_limit=1)
        took.append(time.perf_counter() - began)
        properties, body = answers.pop()
        headers = properties.headers or {}
        if "error" in headers:
            raise RuntimeError(headers["error"])
        members += body.count(b'"joined_at":')
        after = headers.get("next")
        if len(took) == 1:
            ours.send(None)
    connection.close()
    ours.send((took, members // len(took)))
