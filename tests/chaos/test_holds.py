"""What holds, one fault at a time: three restarts, three deaths of a part or the whole, a broker that goes twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from .node import process_node
from .outage import GROWTH, outage
from .verdict import STOP_WITHIN
from .world import Layout, World

T = TypeVar("T")

BOUND = 180.0
"""Seconds that a test may take; it takes ten to forty."""

LAYOUT = Layout(shards=4, per_cluster=2, numbered=300.0, lively=100.0, small_disk=False)
"""400 events a second on 4 shards, in two processes."""


class HoldingTests(TestCase):
    """Nothing lost, nothing identified anew, every stop in time."""

    timeout = 2 * BOUND

    async def setUp(self) -> None:  # type: ignore[override]
        from twisted.internet import reactor

        self.reactor: Any = reactor

    def bounded(self, work: Coroutine[Any, Any, T]) -> Deferred[T]:
        """In time, or cancelled: then it ends all that it started, which trial's own timeout would leave."""
        return Deferred.fromCoroutine(work).addTimeout(BOUND, self.reactor)

    async def under(self, do: Callable[[World], Awaitable[None]], times: int) -> World:
        """The same fault so many times, each once all is well again after the one before."""
        return await self.bounded(self._under(do, times))

    async def _under(self, do: Callable[[World], Awaitable[None]], times: int) -> World:
        world = World(self.reactor, process_node(), 1, LAYOUT, {})
        try:
            await world.begin()
            for _ in range(times):
                await world.flow(200)
                await do(world)
                await world.active()
            await world.flow(200)
            await world.check(last=True)
            self.assertEqual(world.wrong, [], world.fleet.text[-8000:])
        finally:
            await world.end()
        self.assertEqual(world.figures.identifies, LAYOUT.shards)
        return world

    async def test_sigterm_three_times(self) -> None:
        """Asked to stop, it stops within five seconds; started again, it goes on where it was."""
        world = await self.under(lambda world: world.fleet.terminate(world.PATIENCE), 3)
        self.assertEqual(world.figures.starts, 4)
        self.assertEqual(world.figures.resumes, 3 * LAYOUT.shards)
        self.assertTrue(0 < world.figures.longest_stop < STOP_WITHIN, world.figures.longest_stop)

    async def test_sigterm_while_the_broker_hangs(self) -> None:
        """What the broker doesn't confirm waits on disk, and nobody waits for the broker: it stops in time."""

        async def terminate(world: World) -> None:
            hanging = Deferred.fromCoroutine(world.node.hang(world.PATIENCE))
            await world.flow(100)
            await world.fleet.terminate(world.PATIENCE)
            self.assertFalse(hanging.called, "the broker went on too soon to prove anything")
            hanging.cancel()
            await self.assertFailure(hanging, CancelledError)

        world = await self.under(terminate, 1)
        self.assertEqual((world.figures.starts, world.figures.resumes), (2, LAYOUT.shards))
        # It did wait for an answer of the broker's: once, not in each phase of the stop.
        self.assertGreater(world.figures.longest_stop, 1.0)

    async def test_tree_killed_three_times(self) -> None:
        """kill -9 of the parent and all its children at once."""

        async def kill(world: World) -> None:
            world.fleet.kill_tree()
            await world.gone(range(LAYOUT.shards))

        world = await self.under(kill, 3)
        self.assertEqual((world.figures.starts, world.figures.resumes), (4, 3 * LAYOUT.shards))

    async def test_child_killed_three_times(self) -> None:
        """kill -9 of a child: the other one's shards don't notice."""

        async def kill(world: World) -> None:
            before = len(world.simulator.connections)
            await world.fleet.kill_child(0, world.PATIENCE)
            await world.until(
                lambda: len(world.simulator.connections) == before + LAYOUT.per_cluster, "the child's shards again"
            )

        world = await self.under(kill, 3)
        self.assertEqual((world.figures.starts, world.figures.resumes), (1, 3 * LAYOUT.per_cluster))

    async def test_broker_killed_twice(self) -> None:
        """kill -9 of RabbitMQ, away for some seconds: no shard's connection even ends."""
        world = await self.under(lambda world: world.kill_broker(2.0), 2)
        self.assertEqual((world.figures.starts, world.figures.resumes), (1, 0))

    async def test_outage_under_load(self) -> None:
        """The broker is away for twenty seconds and more at 2,000 events/s: all arrives, and memory stays small."""
        figures, growth = await self.bounded(outage(self.reactor, process_node(), 15.0))
        self.assertEqual((figures.starts, figures.resumes), (1, 0))
        self.assertLess(growth, GROWTH)
        self.assertGreater(figures.events, 40_000)
