"""What is told of a broker that is away."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import LogEvent, eventAsText, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rateway.amqp.outages import GATHER, Outages
from rateway.amqp.uri import BrokerAddress
from rateway.complaints import SAY_EVERY

from .bench import ADDRESS, Bench
from .scripted import ScriptedBroker


class OutagesTests(SynchronousTestCase):
    """The losses of a process's clusters, told together."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.outages = Outages(self.clock)
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self.observe)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)  # type: ignore[arg-type]

    def observe(self, event: LogEvent) -> None:
        if event["log_level"].name == "warn":
            self.lines.append(eventAsText(event, includeTimestamp=False, includeSystem=False))

    def lose(self, *clusters: int, started: bool = True, reason: str = "the connection was lost") -> None:
        for cluster in clusters:
            self.outages.lost(f"rateway-{cluster}", ADDRESS, reason, started=started)

    def test_one_line_for_all(self) -> None:
        """With how many they are."""
        self.lose(1, 2, 3)
        self.clock.advance(GATHER)
        (line,) = self.lines
        self.assertEqual(
            line,
            f"no connection to the broker at {ADDRESS} for 3 clusters of this process, rateway-1 among them: "
            "the connection was lost. It is tried again until it works; events are held meanwhile",
        )

    def test_at_the_start(self) -> None:
        """There may be sessions, and events of them; no shard identifies without a broker."""
        self.lose(1, started=False, reason="connection refused")
        self.clock.advance(GATHER)
        self.assertIn("for rateway-1: connection refused.", self.lines[0])
        self.assertTrue(self.lines[0].endswith("nobody identifies before that"))

    def test_some_of_both(self) -> None:
        """A child may have been started while the broker goes away."""
        self.lose(1)
        self.lose(2, started=False)
        self.clock.advance(GATHER)
        self.assertTrue(
            "events are held meanwhile; in clusters that have just begun nobody identifies" in self.lines[0], self.lines
        )

    def test_once_a_minute(self) -> None:
        """However many clusters try however often, with those that wait then."""
        for _ in range(125):
            self.lose(1, 2, 3, 4)
            self.clock.advance(1.0)
        self.assertEqual(len(self.lines), 3)
        self.outages.back("rateway-1")
        for _ in range(60):
            self.lose(2, 3, 4)
            self.clock.advance(1.0)
        self.assertIn("for 3 clusters", self.lines[-1])

    def test_a_loss_that_passed(self) -> None:
        """It is told too, as what it was; and losses that follow each other don't fill the log."""
        for _ in range(30):
            self.lose(1)
            self.outages.back("rateway-1")
            self.clock.advance(2.0)
        self.assertEqual(len(self.lines), 1)
        self.assertIn("was lost for rateway-1 (the connection was lost), and is there again", self.lines[0])
        self.clock.advance(SAY_EVERY)
        self.assertEqual(len(self.lines), 2)
        self.clock.advance(SAY_EVERY * 3)
        self.assertEqual(len(self.lines), 2)

    def test_whoever_stops_is_not_told_of(self) -> None:
        """And leaves no timer behind."""
        self.lose(1, 2)
        self.outages.left("rateway-1")
        self.outages.left("rateway-2")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.lines, [])

    def test_clusters_share_it(self) -> None:
        """Two clusters of a process against a broker that is away: one line."""
        scripted = ScriptedBroker(clock=self.clock, connect_error=ConnectionRefusedError("refused"))
        brokers = [
            Bench(scripted).recorder.broker(
                self.clock, BrokerAddress("broker.example"), endpoint=scripted, cluster=number, outages=self.outages
            )
            for number in (1, 2)
        ]
        for broker in brokers:
            broker.startService()
        for _ in range(30):
            self.clock.advance(1.0)
        (line,) = self.lines
        self.assertIn("for 2 clusters of this process", line)
        self.assertTrue(line.endswith("nobody identifies before that"))
        for broker in brokers:
            self.successResultOf(broker.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])
