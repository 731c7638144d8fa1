from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rateway.model.plan import make_plan
from rateway.process.wording import cache_found, clusters_named, counted, duration, end_of_process
from rateway.store.found import Found


class WordingTests(SynchronousTestCase):
    """Numbers and names as an operator reads them."""

    def test_durations(self) -> None:
        """Rounded to what matters."""
        self.assertEqual(
            [duration(seconds) for seconds in (0.0, 1.4, 119.0, 120.0, 3540.0, 3600.0, 12_000.0, 86_400.0)],
            ["1 s", "1 s", "119 s", "2 min", "59 min", "1 h", "3 h 20 min", "24 h"],
        )

    def test_counts(self) -> None:
        """One or many."""
        self.assertEqual(
            [counted(1, "shard"), counted(2, "shard"), counted(2, "process")], ["1 shard", "2 shards", "2 processes"]
        )

    def test_clusters(self) -> None:
        """A share is a run."""
        clusters = make_plan(9, 3).clusters
        self.assertEqual([clusters_named(clusters[:1]), clusters_named(clusters)], ["cluster 1", "clusters 1 to 3"])

    def test_cache_found(self) -> None:
        """How much there is, how old, and of how many clusters there is nothing."""
        first, second = Found(1, 1, 100.0), Found(4, 2000, 400.0)
        prefix = "from an earlier run, written until"
        for found, expected in (
            ([], "the cache begins empty: Discord fills it"),
            ([Found(), Found()], "the cache begins empty: Discord fills it"),
            ([first], f"the cache has 1 guild and 1 member {prefix} 15 min ago"),
            ([first, second], f"the cache has 5 guilds and 2001 members {prefix} 10 min ago"),
            (
                [first, Found()],
                f"the cache has 1 guild and 1 member {prefix} 15 min ago; 1 of 2 clusters begin without one",
            ),
        ):
            self.assertEqual(cache_found(found, 1000.0), expected)

    def test_ends(self) -> None:
        """A code or a signal, known or not."""
        self.assertEqual(
            [end_of_process(1, None), end_of_process(None, 9), end_of_process(None, 99)],
            ["ended with exit code 1", "was killed by SIGKILL", "was killed by 99"],
        )
