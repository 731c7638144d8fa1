"""A bot's worker whose durable queues outlive it and the broker; it reads them when it is asked to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from attrs import define

from tests.integration.program import until
from tests.integration.worker import Received, Worker
from tests.simulator.schema.events import EVENTS

NAMES = (*EVENTS, "READY", "RESUMED", "TEST")
"""Every event that there is; TEST is none of Discord's."""


@define(eq=False)
class Mailbox:
    """A queue for each cluster.

    :ivar uri: of the broker.
    """

    _reactor: Any
    uri: str
    _clusters: int

    async def declare(self) -> None:
        """Exchanges as a bot declares them, and durable queues bound to them by every name."""
        reader = await _Reader.connect(self._reactor, self.uri)
        try:
            for cluster in self._numbers():
                await reader.declare(cluster, NAMES)
        finally:
            await reader.close()

    async def open(self, take: Callable[[Received], None]) -> Worker:
        """A worker that takes what lies in the queues, and what comes, until it is closed."""
        reader = await _Reader.connect(self._reactor, self.uri)
        for cluster in self._numbers():
            await reader.consume(cluster, take)
        return reader

    async def read(self, take: Callable[[Received], None], complete: Callable[[], bool], patience: float) -> Worker:
        """Take until all is complete; the worker is still open then.

        :param patience: seconds for which nothing may come at all.
        :raises AssertionError: if nothing comes for so long, and it isn't complete.
        """
        arrivals = 0

        def counted(event: Received) -> None:
            nonlocal arrivals
            arrivals += 1
            take(event)

        reader = await self.open(counted)
        try:
            while not complete():
                before = arrivals
                await until(
                    self._reactor,
                    lambda before=before: arrivals > before or complete(),  # type: ignore[misc]
                    "another event in the queues",
                    patience,
                )
        except BaseException:
            await reader.close()
            raise
        return reader

    def _numbers(self) -> Iterable[int]:
        return range(1, self._clusters + 1)


class _Reader(Worker):
    """A worker with durable queues."""

    async def declare(self, cluster: int, names: Iterable[str]) -> None:
        exchange, queue = f"rateway-{cluster}", f"lasting-{cluster}"
        await self._channel.exchange_declare(exchange, "direct", durable=True)
        await self._channel.queue_declare(queue, durable=True)
        for name in names:
            await self._channel.queue_bind(queue, exchange, name)

    async def consume(self, cluster: int, take: Callable[[Received], None]) -> None:
        await self._consume(f"lasting-{cluster}", take)
