"""Tests of the plan: shards into clusters, clusters into processes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.model.plan import decide_total, make_plan, multiple_for, share_out

totals = st.integers(1, 600)
sizes = st.integers(1, 100)
quick = settings(deadline=None, database=None)


class PlanTests(SynchronousTestCase):
    """Shards into clusters."""

    @given(totals, sizes)
    @quick
    def test_each_shard_once(self, total: int, per_cluster: int) -> None:
        """Every shard is in exactly one cluster, in order, and clusters count from 1."""
        plan = make_plan(total, per_cluster)
        self.assertEqual([shard for cluster in plan.clusters for shard in cluster.shards], list(range(total)))
        self.assertEqual([cluster.number for cluster in plan.clusters], list(range(1, len(plan.clusters) + 1)))
        self.assertEqual(len(plan.clusters), -(-total // per_cluster))

    @given(totals, sizes)
    @quick
    def test_sizes(self, total: int, per_cluster: int) -> None:
        """Every cluster is full but the last, which is never empty."""
        *full, last = (len(cluster.shards) for cluster in make_plan(total, per_cluster).clusters)
        self.assertEqual(full, [per_cluster] * len(full))
        self.assertTrue(1 <= last <= per_cluster)

    @given(totals, sizes)
    @quick
    def test_cluster_of(self, total: int, per_cluster: int) -> None:
        """A shard is found in the cluster that its number says."""
        plan = make_plan(total, per_cluster)
        for shard in range(total):
            cluster = plan.cluster_of(shard)
            self.assertIn(shard, cluster.shards)
            self.assertEqual(cluster.number, shard // per_cluster + 1)

    def test_no_such_shard(self) -> None:
        """A shard outside the plan is in no cluster."""
        for shard in -1, 8, 9:
            self.assertRaises(IndexError, make_plan(8, 3).cluster_of, shard)

    def test_nothing_to_plan(self) -> None:
        """There is no plan without shards, nor with empty clusters."""
        for total, per_cluster in ((0, 8), (8, 0), (-1, 8)):
            self.assertRaises(ValueError, make_plan, total, per_cluster)

    def test_five_and_three_by_three(self) -> None:
        """5 recommended shards and 3 extra, 3 per cluster, are 3 clusters."""
        plan = make_plan(decide_total(5, extra=3, multiple=multiple_for(4)).shards, 3)
        self.assertEqual([list(cluster.shards) for cluster in plan.clusters], [[0, 1, 2], [3, 4, 5], [6, 7]])


class ShareOutTests(SynchronousTestCase):
    """Clusters into processes."""

    @given(totals, sizes, st.integers(1, 64))
    @quick
    def test_each_cluster_once(self, total: int, per_cluster: int, processes: int) -> None:
        """Every cluster runs in exactly one process, in order; no process is idle, and the shares are even."""
        plan = make_plan(total, per_cluster)
        shares = share_out(plan, processes)
        self.assertEqual([cluster for share in shares for cluster in share], list(plan.clusters))
        self.assertEqual(len(shares), min(processes, len(plan.clusters)))
        sizes = [len(share) for share in shares]
        self.assertGreaterEqual(min(sizes), 1)
        self.assertLessEqual(max(sizes) - min(sizes), 1)

    def test_two_children(self) -> None:
        """3 clusters in 2 processes: two in the first, one in the second."""
        shares = share_out(make_plan(8, 3), 2)
        self.assertEqual([[cluster.number for cluster in share] for share in shares], [[1, 2], [3]])

    def test_no_process(self) -> None:
        """Without a process there is nothing to share out to."""
        self.assertRaises(ValueError, share_out, make_plan(8, 3), 0)


class MultipleTests(SynchronousTestCase):
    """What the total must be a multiple of."""

    def test_small_bots(self) -> None:
        """A bot below the concurrency of a large one may have any total."""
        for concurrency in 1, 2, 4, 15:
            self.assertEqual(multiple_for(concurrency), 1)

    def test_large_bots(self) -> None:
        """From 16 on, the concurrency is the number."""
        for concurrency in 16, 32, 64:
            self.assertEqual(multiple_for(concurrency), concurrency)

    def test_chosen(self) -> None:
        """SHARDS_MULTIPLE overrides, either way."""
        self.assertEqual(multiple_for(1, 8), 8)
        self.assertEqual(multiple_for(16, 1), 1)


class TotalTests(SynchronousTestCase):
    """How many shards there shall be."""

    def test_recommended_and_extra(self) -> None:
        """The recommendation and the extra shards, without comment."""
        total = decide_total(5, extra=3, multiple=1)
        self.assertEqual((total.shards, total.note), (8, ""))

    def test_large_bot(self) -> None:
        """16 recommended and 3 extra, at a concurrency of 16, are 32."""
        self.assertEqual(decide_total(16, extra=3, multiple=multiple_for(16)).shards, 32)
        self.assertEqual(decide_total(16, extra=0, multiple=multiple_for(16)).shards, 16)

    def test_chosen(self) -> None:
        """TOTAL_SHARDS is taken as it is, whatever else says otherwise."""
        self.assertEqual(decide_total(5, extra=3, multiple=16, chosen=7, remembered=12).shards, 7)

    def test_chosen_too_few(self) -> None:
        """A TOTAL_SHARDS below the recommendation is remarked upon."""
        self.assertIn("TOTAL_SHARDS=4 is below the 5", decide_total(5, extra=3, multiple=1, chosen=4).note)
        self.assertEqual(decide_total(5, extra=3, multiple=1, chosen=5).note, "")

    def test_remembered(self) -> None:
        """The total of the last run is kept while the recommendation doesn't exceed it, and the log says so."""
        for recommended in 4, 6, 7, 8:
            total = decide_total(recommended, extra=3, multiple=1, remembered=8)
            self.assertEqual(total.shards, 8)
            self.assertIn("keeping the 8 shards of the last run, so that sessions survive", total.note)
            self.assertIn(f"a fresh start would take {recommended + 3} (", total.note)

    def test_remembered_is_the_same(self) -> None:
        """When nothing drifted there is nothing to say."""
        self.assertEqual(decide_total(5, extra=3, multiple=1, remembered=8).note, "")

    def test_recommendation_above(self) -> None:
        """A recommendation above the last run's total changes it, and the log says so."""
        total = decide_total(9, extra=3, multiple=1, remembered=8)
        self.assertEqual(total.shards, 12)
        self.assertIn("8 shards of the last run", total.note)

    def test_remembered_no_multiple(self) -> None:
        """A total that Discord would refuse with 4010 is not kept."""
        self.assertEqual(decide_total(16, extra=3, multiple=16, remembered=24).shards, 32)
        self.assertEqual(decide_total(16, extra=3, multiple=16, remembered=48).shards, 48)

    @given(
        st.integers(1, 500),
        st.integers(0, 50),
        st.sampled_from((1, 2, 16, 32)),
        st.none() | st.integers(1, 600),
    )
    @quick
    def test_invariants(self, recommended: int, extra: int, multiple: int, remembered: int | None) -> None:
        """The total is never below the recommendation, always a multiple, and a second start never changes it."""
        total = decide_total(recommended, extra=extra, multiple=multiple, remembered=remembered)
        self.assertGreaterEqual(total.shards, recommended)
        self.assertEqual(total.shards % multiple, 0)
        again = decide_total(recommended, extra=extra, multiple=multiple, remembered=total.shards)
        self.assertEqual(again.shards, total.shards)
