"""Who may identify, and when (acceptance criteria 25-28; plans of shards)."""

from __future__ import annotations

import itertools

from rateway.simulator.gateway.behaviour import Behaviour
from rateway.simulator.simulator import Simulator

from .harness import WorldTestCase

WINDOW = 5.0
TOO_FEW = "Discord allows too few session starts for all shards that wait (a tenth of them is kept in reserve)"


class IdentifyTests(WorldTestCase):
    """Permits for the whole fleet."""

    timeout = 300

    async def test_criterion_25_one_by_one(self) -> None:
        """max_concurrency 1, four shards: 0 to 3 in order, at least 5 s apart."""
        simulator = await self.simulator(shards=4)
        self.rateway(simulator, SHARDS_PER_CLUSTER=2, PROCESSES=2)
        await self.all_active(simulator, 4)
        self.assertEqual([identify.shard for identify in simulator.identifies], [0, 1, 2, 3])
        times = [identify.at for identify in simulator.identifies]
        self.assertTrue(all(later - earlier >= WINDOW for earlier, later in itertools.pairwise(times)), times)

    async def test_criterion_26_sixteen_at_once(self) -> None:
        """max_concurrency 16, 16 recommended + 3 extra make 32 shards: 0 to 15 first, one per key and 5 s."""
        simulator = await self.simulator(shards=16, max_concurrency=16, guilds=64, members=2)
        program = self.rateway(simulator, EXTRA_SHARDS=3, PROCESSES=2)
        await self.all_active(simulator, 32)
        self.assertEqual({identify.total for identify in simulator.identifies}, {32})
        shards = [identify.shard for identify in simulator.identifies]
        self.assertEqual((sorted(shards[:16]), sorted(shards[16:])), (list(range(16)), list(range(16, 32))))
        by_key: dict[int, list[float]] = {}
        for identify in simulator.identifies:
            by_key.setdefault(identify.shard % 16, []).append(identify.at)
        self.assertTrue(all(second - first >= WINDOW for first, second in by_key.values()), by_key)
        self.assertTrue(program.said("32 shards"), program.text)

    async def never_more(self, simulator: Simulator, most: int, seconds: float) -> None:
        """For so long, no IDENTIFY beyond these comes."""
        began = self.reactor.seconds()
        await self.until(
            lambda: len(simulator.identifies) > most or self.reactor.seconds() - began >= seconds,
            "the end of the watch",
        )
        self.assertLessEqual(len(simulator.identifies), most)

    async def test_criterion_27_allowance_too_small(self) -> None:
        """Two session starts are left of 1000 and four shards wait: none is used, for they are of the reserve."""
        simulator = await self.simulator(
            shards=4, max_concurrency=4, session_total=1000, session_remaining=2, reset_after=3600.0
        )
        program = self.rateway(simulator)
        await program.until_said("Discord allows 2 session starts in the next 1 h, fewer than there are shards")
        await program.until_said(TOO_FEW)
        await self.never_more(simulator, 0, 3.0)
        self.assertEqual(sum(TOO_FEW in line for line in program.lines), 1, program.text)

    async def test_criterion_27_allowance_for_some(self) -> None:
        """Two more than the reserve are left, and four shards wait, all of whose keys are free: two identify."""
        simulator = await self.simulator(
            shards=4, max_concurrency=4, session_total=20, session_remaining=4, reset_after=3600.0
        )
        program = self.rateway(simulator)
        await program.until_said(TOO_FEW)
        await self.until(lambda: len(simulator.identifies) >= 2, "two IDENTIFYs")
        await self.never_more(simulator, 2, 3.0)
        # At the same time, by connections of their own: either may be the first.
        self.assertEqual(sorted(identify.shard for identify in simulator.identifies), [0, 1])
        self.assertEqual(sum(TOO_FEW in line for line in program.lines), 1, program.text)

    async def test_criterion_28_drop_after_ready(self) -> None:
        """A connection that drops after each READY, its session too: the fifth IDENTIFY has to wait half a minute."""
        simulator = await self.simulator(identify_window=0.5)
        simulator.behave(Behaviour(after=4003))
        program = self.rateway(simulator)
        await program.until_said("shard 0 identifies again and again", 120)
        # Half a minute from the last IDENTIFY, of which the backoff takes a part.
        self.assertRegex(program.text, r"again and again: it waits (1\d|2\d|30) s for its next permit")
        self.assertEqual(len(simulator.identifies), 4)
        gaps = [later.at - earlier.at for earlier, later in itertools.pairwise(simulator.identifies)]
        self.assertTrue(all(gap >= WINDOW for gap in gaps), gaps)
        await self.never_more(simulator, 4, WINDOW + 1.5)
        self.assertEqual(sum("identifies again and again" in line for line in program.lines), 1, program.text)
