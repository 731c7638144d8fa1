"""A gateway that isn't who it says."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import LogEvent, eventAsText, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rateway.shard.distrust import Distrust


class DistrustTests(SynchronousTestCase):
    """What the operator hears of it."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self.observe)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)  # type: ignore[arg-type]

    def observe(self, event: LogEvent) -> None:
        if event["log_level"].name == "warn":
            self.lines.append(eventAsText(event, includeTimestamp=False, includeSystem=False))

    def test_once_a_minute_for_all_shards(self) -> None:
        """However many of them try however often."""
        distrust = Distrust(self.clock, "the shards of cluster 3")
        for _ in range(90):
            for _ in range(8):
                distrust.refused("the certificate of gateway.discord.gg expired on 2026-01-01: renew it")
            self.clock.advance(1.0)
        self.assertEqual(len(self.lines), 2)
        self.assertIn("the shards of cluster 3 can't connect to Discord", self.lines[0])
        self.assertIn("expired on 2026-01-01: renew it", self.lines[0])

    def test_another_reason_is_told_too(self) -> None:
        """It may need another remedy."""
        distrust = Distrust(self.clock, "the shards of cluster 3")
        distrust.refused("expired")
        distrust.refused("another name")
        self.assertEqual(len(self.lines), 2)
