"""Waiting for a condition instead of for seconds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from twisted.internet.task import deferLater

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds for anything that must come about. Only a failure takes so long; a busy machine may take its time."""


async def eventually(
    check: Callable[[], Awaitable[T]], *, what: str, timeout: float = PATIENCE, every: float = 0.05
) -> T:
    """The first true value of ``check``, asked again and again.

    :param what: what is waited for, as the message of the failure says it.
    :raises AssertionError: it did not come true within ``timeout`` seconds; the last value is named.
    """
    from twisted.internet import reactor

    deadline = reactor.seconds() + timeout
    while True:
        value = await check()
        if value:
            return value
        if reactor.seconds() >= deadline:
            raise AssertionError(f"{what}: not within {timeout:g} s; the last answer was {value!r}")
        await deferLater(reactor, every)
