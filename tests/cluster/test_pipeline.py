"""The hot path."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rateway.cluster.checkpoint import Checkpoint
from rateway.cluster.pipeline import Pipeline
from rateway.interfaces import IDispatchSink
from rateway.model.session import Session

from .fakes import RecordingPublisher, RecordingStore

A = Session("a", "ws://resume", 2)
B = Session("b", "ws://resume", 1)


class PipelineTests(SynchronousTestCase):
    """Batches of reads on their way to store and broker."""

    def setUp(self) -> None:
        self.calls: list[tuple[str, object]] = []
        self.clock = Clock()
        self.store = RecordingStore(self.calls)
        checkpoint = Checkpoint(self.clock, self.store)
        self.pipeline = Pipeline(self.clock, self.store, RecordingPublisher(self.calls), checkpoint, lambda: 12.5)

    def test_is_a_dispatch_sink(self) -> None:
        """Shards can give it their events."""
        verifyObject(IDispatchSink, self.pipeline)

    def test_reads_of_one_turn_are_one_transaction_and_one_write(self) -> None:
        """What several shards read in a turn is prepared, stored once, then written once."""
        self.pipeline.take(0, A, [(1, "X", b"1"), (2, "Y", b"2")])
        self.pipeline.take(1, B, [(1, "Z", b"3")])
        self.assertEqual(self.calls, [])
        self.clock.advance(0)
        self.assertEqual(
            self.calls,
            [
                ("publish", (0, "a", [(1, "X", b"1"), (2, "Y", b"2")], 12500)),
                ("publish", (1, "b", [(1, "Z", b"3")], 12500)),
                ("secure", None),
                (
                    "apply",
                    (
                        [(0, "a", [(1, "X", b"1"), (2, "Y", b"2")]), (1, "b", [(1, "Z", b"3")])],
                        {0: ("a", 0), 1: ("b", 0)},
                    ),
                ),
                ("flush", None),
            ],
        )
        self.assertEqual(self.pipeline.events, 3)

    def test_next_turn_is_a_batch_of_its_own(self) -> None:
        """Nothing is stored or published twice."""
        self.pipeline.take(0, A, [(1, "X", b"1")])
        self.clock.advance(0)
        self.pipeline.take(0, A, [(2, "X", b"2")])
        self.clock.advance(0)
        published = [call for name, call in self.calls if name == "publish"]
        self.assertEqual(published, [(0, "a", [(1, "X", b"1")], 12500), (0, "a", [(2, "X", b"2")], 12500)])

    def test_only_a_new_session_is_secured(self) -> None:
        """A session goes to disk before the store has it, and only once."""
        self.pipeline.take(0, A, [(1, "READY", b"1")])
        self.clock.advance(0)
        self.calls.clear()
        self.pipeline.take(0, A, [(2, "X", b"2")])
        self.clock.advance(0)
        self.assertEqual([name for name, _ in self.calls], ["publish", "apply", "flush"])

    def test_a_broken_store_keeps_no_event_from_the_broker(self) -> None:
        """A fault of the store is logged; the events go out."""
        self.store.broken = True
        self.pipeline.take(0, A, [(1, "X", b"1")])
        self.clock.advance(0)
        self.assertEqual([name for name, _ in self.calls], ["publish", "secure", "flush"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_forgetting_a_session_flushes_it_first(self) -> None:
        """What was taken of a session that Discord ended is not lost with it."""
        self.pipeline.take(0, A, [(1, "X", b"1")])
        self.pipeline.forget_session(0)
        self.assertEqual([name for name, _ in self.calls], ["publish", "secure", "apply", "flush", "secure", "forget"])
        self.clock.advance(0)
        self.assertEqual(len(self.calls), 6)

    def test_flushing_nothing_does_nothing(self) -> None:
        """An empty batch costs no transaction."""
        self.pipeline.flush()
        self.assertEqual(self.calls, [])
