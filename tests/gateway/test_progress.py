"""Tests for :mod:`rateway.gateway.progress`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rateway.gateway.progress import EVERY, SETTLE, Progress


class ProgressTests(SynchronousTestCase):
    """What is told, and when."""

    def setUp(self) -> None:
        self.progress = Progress()

    def test_nothing(self) -> None:
        """Where nothing is asked for, nothing is told."""
        self.assertIsNone(self.progress.next_time)
        self.assertIsNone(self.progress.line(1000.0))

    def test_long_round(self) -> None:
        """The beginning once it has settled, a line each minute, and the end as soon as it comes."""
        for _ in range(1500):
            self.progress.wanted(1000, 10.0)
        self.assertEqual(self.progress.next_time, 10.0 + SETTLE)
        self.assertIsNone(self.progress.line(14.0))
        self.assertEqual(
            self.progress.line(15.0), "asking Discord for the members of 1,500 guilds (1,500,000 members) so far"
        )
        self.assertEqual(self.progress.next_time, 15.0 + EVERY)
        for _ in range(600):
            self.progress.came(1000)
        self.assertIsNone(self.progress.line(74.0))
        self.assertEqual(
            self.progress.line(75.0),
            "the members of 600 of 1,500 guilds have come from Discord (600,000 of 1,500,000 members)",
        )
        for _ in range(900):
            self.progress.came(1000)
        self.assertEqual(
            self.progress.line(80.0),
            "the members of 1,500 guilds (1,500,000 members) have come from Discord, in 70 s",
        )
        self.assertIsNone(self.progress.next_time)
        self.assertIsNone(self.progress.line(500.0))

    def test_short_rounds(self) -> None:
        """Of a round that is over at once only the end is told; of many, one line a minute, which counts them all."""
        lines = []
        for second in range(130):
            self.progress.wanted(5, second)
            self.progress.came(5)
            line = self.progress.line(second)
            if line is not None:
                lines.append((second, line))
        self.assertEqual(
            lines,
            [
                (0, "the members of 1 guild (5 members) have come from Discord, in 1 s"),
                (60, "the members of 60 guilds (300 members) have come from Discord, in 59 s"),
                (120, "the members of 60 guilds (300 members) have come from Discord, in 59 s"),
            ],
        )
        self.assertEqual(self.progress.next_time, 120 + EVERY)

    def test_in_vain(self) -> None:
        """Guilds of which nothing came are counted apart."""
        for _ in range(3):
            self.progress.wanted(10, 0.0)
        self.progress.came(10)
        self.progress.came(10)
        self.progress.failed()
        line = self.progress.line(0.0)
        assert line is not None
        self.assertTrue(
            line.startswith("Discord sent the members of 2 guilds, and of 1 it was asked for in vain"), line
        )

    def test_all_dropped(self) -> None:
        """A session that ended before anything came is not worth a line."""
        self.progress.wanted(10, 0.0)
        self.progress.dropped(10)
        self.assertIsNone(self.progress.line(100.0))
        self.assertIsNone(self.progress.next_time)
