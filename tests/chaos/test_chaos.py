"""Sixty faults over ten seeds: nothing is lost, no session is begun anew, all comes in order.

A failure names its seed and the command that does the same once more.
"""

from __future__ import annotations

from itertools import islice
from random import Random

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from .faults import KINDS, draw
from .node import process_node
from .run import run

FAULTS = 6
BOUND = 240.0
"""Seconds that a seed may take; it takes some twenty."""
SEEDS = range(1, 11)


class ChaosTests(TestCase):
    """Each seed is a world of its own, with six faults."""

    timeout = 2 * BOUND

    async def under_faults(self, seed: int) -> None:
        """They happen, and everything holds."""
        from twisted.internet import reactor

        running = Deferred.fromCoroutine(run(reactor, process_node(), seed, FAULTS))
        # Cancelled, it ends all that it started, and says how far it came: trial's own timeout would do neither.
        figures = await running.addTimeout(BOUND, reactor)
        self.assertEqual(figures.faults.total(), FAULTS)
        self.assertGreater(figures.events, 1000)

    async def test_seed_1(self) -> None:
        """Seed 1."""
        await self.under_faults(1)

    async def test_seed_2(self) -> None:
        """Seed 2."""
        await self.under_faults(2)

    async def test_seed_3(self) -> None:
        """Seed 3."""
        await self.under_faults(3)

    async def test_seed_4(self) -> None:
        """Seed 4."""
        await self.under_faults(4)

    async def test_seed_5(self) -> None:
        """Seed 5."""
        await self.under_faults(5)

    async def test_seed_6(self) -> None:
        """Seed 6."""
        await self.under_faults(6)

    async def test_seed_7(self) -> None:
        """Seed 7."""
        await self.under_faults(7)

    async def test_seed_8(self) -> None:
        """Seed 8."""
        await self.under_faults(8)

    async def test_seed_9(self) -> None:
        """Seed 9."""
        await self.under_faults(9)

    async def test_seed_10(self) -> None:
        """Seed 10."""
        await self.under_faults(10)


class DrawingTests(SynchronousTestCase):
    """What the seeds mean."""

    def drawn(self, seed: int, count: int) -> list[str]:
        """In words."""
        return [fault.words for fault in islice(draw(Random(seed), 8, 4), count)]

    def test_same_seed_same_faults(self) -> None:
        """A failure can be seen again; another seed is another story."""
        self.assertEqual(self.drawn(5, 50), self.drawn(5, 50))
        self.assertNotEqual(self.drawn(5, 50), self.drawn(6, 50))

    def test_every_kind(self) -> None:
        """The seeds above have every kind of fault."""
        kinds = {fault.kind for seed in SEEDS for fault in islice(draw(Random(seed), 8, 4), FAULTS)}
        self.assertEqual(kinds, set(KINDS))
