"""Tests for :mod:`rateway.gateway.memberline`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rateway.gateway.memberline import SPARE, Line, Want


class LineTests(SynchronousTestCase):
    """One shard's queues."""

    def entries(self, line: Line) -> int:
        return len(line._urgent) + len(line._ready) + len(line._later)

    def test_guilds_that_come_and_go(self) -> None:
        """However often one leaves and comes back behind a front that doesn't move: the queues are bounded."""
        for when in (0.0, 5.0):
            for urgent in (False, True):
                line = Line()
                line.enqueue(Want(1, 10, urgent, when), 0.0)
                for again in range(1000):
                    guild = 2 + again % 10
                    line.wants.pop(guild, None)
                    line.enqueue(Want(guild, 10, urgent, when and when + again), 0.0)
                self.assertLessEqual(self.entries(line), 3 * 11 + SPARE)
                order = []
                while (want := line.first(10_000.0)) is not None:
                    order.append(want.guild)
                    del line.wants[want.guild]
                self.assertEqual((order[0], sorted(order)), (1, [*range(1, 12)]))
