"""The hot path."""

from __future__ import annotations

import itertools

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rateway.cluster.checkpoint import WRITE_DELAY, Checkpoint
from rateway.cluster.pipeline import BACKLOG, MOST, SLICE, Pipeline
from rateway.interfaces import IDispatchSink
from rateway.model.session import Session

from .fakes import RecordingPublisher, RecordingStore

A = Session("a", "ws://resume", 2)
B = Session("b", "ws://resume", 1)


class TurningClock(Clock):
    """A clock that, unlike Clock, can have one turn: what is scheduled for at once in a turn comes in the next."""

    def turn(self) -> None:
        due, self.calls = self.calls, []
        for call in due:
            call.called = 1
            call.func(*call.args, **call.kw)


class PipelineTests(SynchronousTestCase):
    """Batches of reads on their way to store and broker."""

    def setUp(self) -> None:
        self.calls: list[tuple[str, object]] = []
        self.clock = TurningClock()
        self.store = RecordingStore(self.calls)
        self.checkpoint = checkpoint = Checkpoint(self.clock, self.store)
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

    def test_without_an_effect_there_is_no_transaction(self) -> None:
        """Events that change nothing are published at once; what the broker confirmed is written a little later."""
        self.pipeline.take(0, A, [(1, "READY", b"1")])
        self.clock.advance(0)
        self.checkpoint.confirmed({0: ("a", 1)})
        self.calls.clear()
        self.store.idle = True
        self.pipeline.take(0, A, [(2, "X", b"2")])
        self.clock.advance(0)
        self.assertEqual([name for name, _ in self.calls], ["publish", "flush"])
        self.clock.advance(WRITE_DELAY)
        self.assertEqual(self.calls[2:], [("apply", ([], {0: ("a", 1)}))])

    def test_only_a_new_session_is_secured(self) -> None:
        """A session goes to disk before the store has it, and only once."""
        self.pipeline.take(0, A, [(1, "READY", b"1")])
        self.clock.advance(0)
        self.calls.clear()
        self.pipeline.take(0, A, [(2, "X", b"2")])
        self.clock.advance(0)
        self.assertEqual([name for name, _ in self.calls], ["publish", "apply", "flush"])

    def test_what_was_secured_is_kept_with_the_session(self) -> None:
        """The store hears of both in one transaction: a process that dies right after it resumes the session."""
        secure = RecordingPublisher.secure

        def securing(publisher: RecordingPublisher) -> None:
            secure(publisher)
            self.checkpoint.confirmed({0: ("a", 2)})

        self.patch(RecordingPublisher, "secure", securing)
        self.pipeline.take(0, A, [(1, "READY", b"1"), (2, "X", b"2")])
        self.clock.turn()
        self.assertEqual(dict(self.calls)["apply"][1], {0: ("a", 2)})  # type: ignore[index]
        self.store.slices = 2
        self.pipeline.take(0, Session("b", "ws://r", 1), [(1, "READY", b"1")])
        self.patch(RecordingPublisher, "secure", lambda _: self.checkpoint.confirmed({0: ("b", 1)}))
        while "finish" not in self.names():
            self.clock.turn()
        self.assertEqual(dict(self.calls)["finish"], {0: ("b", 1)})

    def test_cursors_go_along_with_what_is_written(self) -> None:
        """A batch takes its own shards' along; the others', and those of one without effect, wait a moment."""
        for shard in (0, 1):
            self.pipeline.take(shard, A, [(1, "X", b"1")])
        self.clock.advance(0)
        self.checkpoint.confirmed({0: ("a", 1), 1: ("a", 1)})
        self.calls.clear()
        self.pipeline.take(1, A, [(2, "X", b"2")])
        self.clock.advance(0)
        self.assertEqual(self.calls[1], ("apply", ([(1, "a", [(2, "X", b"2")])], {1: ("a", 1)})))
        self.checkpoint.confirmed({1: ("a", 2)})
        self.store.idle = True
        self.pipeline.take(1, A, [(3, "X", b"3")])
        self.clock.advance(0)
        self.assertEqual(self.names().count("apply"), 1)
        self.clock.advance(WRITE_DELAY)
        self.assertEqual(self.calls[-1], ("apply", ([], {0: ("a", 1), 1: ("a", 2)})))

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

    def long_batch(self, slices: int, a_turn: int = 1) -> None:
        """A batch that takes so many slices, of which so many go into a turn; then an event of another shard."""
        self.store.slices = slices
        ticks = itertools.count()
        self.pipeline._timer = lambda: next(ticks) * SLICE / a_turn
        self.pipeline.take(0, A, [(1, "GUILD_DELETE", b"1")])
        self.clock.turn()
        self.store.slices = 0
        self.pipeline.take(1, B, [(1, "X", b"2")])

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def test_a_long_batch_leaves_turns_to_others(self) -> None:
        """A slice a turn; what comes meanwhile waits, and each is in the cache before it is published."""
        self.long_batch(4)
        while "apply" not in self.names():
            self.calls.append(("turn", None))
            self.clock.turn()
        self.assertEqual(
            self.names(),
            [
                *("begin", "step", "turn", "step", "turn", "step"),
                *("turn", "step", "publish", "secure", "finish", "flush"),
                *("turn", "publish", "secure", "apply", "flush"),
            ],
        )
        self.assertEqual([call[0] for name, call in self.calls if name == "publish"], [0, 1])  # type: ignore[index]
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_received_when_it_was_read(self) -> None:
        """What waits behind a long batch bears the time at which it came, not that at which it goes on."""
        times = itertools.count(1)
        self.pipeline._now = lambda: float(next(times))
        self.long_batch(4)
        self.pipeline.take(1, B, [(2, "X", b"3")])
        self.clock.pump([0] * 20)
        published = [call[3] for name, call in self.calls if name == "publish"]  # type: ignore[index]
        self.assertEqual(published, [1000, 2000, 3000])

    def test_slices_share_a_turn(self) -> None:
        """As many of them as go into five milliseconds."""
        self.long_batch(5, a_turn=3)
        self.assertEqual(self.names().count("step"), 3)
        self.clock.turn()
        self.assertEqual(self.names().count("step"), 5)
        self.assertIn("finish", self.names())

    def test_what_waits_behind_makes_slices_longer(self) -> None:
        """The more is read meanwhile, the less of a turn is left for reading: memory is bounded."""
        self.long_batch(60)
        steps = []
        for waiting in (0, 0, BACKLOG, 3 * BACKLOG, 10 * BACKLOG):
            self.pipeline.take(1, B, [(2, "X", b"x" * (waiting - self.pipeline._behind)), (3, "Y", b"")])
            before = self.names().count("step")
            self.clock.turn()
            steps.append(self.names().count("step") - before)
        self.assertEqual(steps, [1, 1, 2, 4, 11])
        self.pipeline.flush()
        self.store.slices = 2
        self.pipeline.take(0, A, [(2, "GUILD_DELETE", b"1")])
        self.assertEqual(self.pipeline._behind, 0)

    def test_too_much_waits_behind(self) -> None:
        """Then nothing more is read until the long batch is done, however that comes."""
        told: list[bool] = []
        self.pipeline._hold = told.append
        for end in (lambda: self.clock.pump([0] * 200), self.pipeline.flush):
            self.long_batch(60)
            self.pipeline.take(1, B, [(2, "X", b"x" * (MOST - 1))])
            self.assertEqual(told, [])
            self.pipeline.take(1, B, [(3, "X", b"3")])
            self.pipeline.take(1, B, [(4, "X", b"4")])
            self.assertEqual(told, [True])
            end()
            self.assertEqual(told, [True, False])
            told.clear()

    def test_what_cannot_wait_ends_a_long_batch(self) -> None:
        """A session's end, and the process's, find everything stored and published, in order."""
        for end in (self.pipeline.flush, lambda: self.pipeline.forget_session(0)):
            self.calls.clear()
            self.long_batch(9)
            end()
            self.assertLess(self.names().index("finish"), self.names().index("apply"))
            published = [call[0] for name, call in self.calls if name == "publish"]  # type: ignore[index]
            self.assertEqual(published, [0, 1])
            done = len(self.calls)
            self.clock.advance(0)
            self.assertEqual(len(self.calls), done)

    def test_a_store_that_cannot_begin(self) -> None:
        """The batch is put in at once, and published."""

        def broken(*_: object) -> bool:
            raise RuntimeError

        self.patch(RecordingStore, "begin", broken)
        self.pipeline.take(0, A, [(1, "GUILD_DELETE", b"1")])
        self.clock.advance(0)
        self.assertEqual(self.names(), ["publish", "secure", "apply", "flush"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_who_wants_to_be_told(self) -> None:
        """Is told of events once they are in the cache and published, of a long batch too; not of those once kept."""
        told: list[object] = []

        def tell(events: object) -> None:
            self.calls.append(("tell", None))
            told.append(events)

        self.pipeline._tell = tell
        self.checkpoint.kept[0] = ("a", 1)
        self.pipeline.take(0, A, [(1, "X", b"1"), (2, "Y", b"2")])
        self.clock.advance(0)
        self.assertEqual(self.names(), ["publish", "apply", "flush", "tell"])
        self.assertEqual(told, [[(0, "a", [(2, "Y", b"2")])]])
        self.calls.clear()
        self.long_batch(2)
        while "apply" not in self.names():
            self.clock.turn()
        steps = ["finish", "flush", "tell", "publish", "secure", "apply", "flush", "tell"]
        self.assertEqual(self.names()[-8:], steps)
        self.assertEqual(told[1:], [[(0, "a", [])], [(1, "b", [(1, "X", b"2")])]])

    def test_flushing_nothing_does_nothing(self) -> None:
        """An empty batch costs no transaction."""
        self.pipeline.flush()
        self.assertEqual(self.calls, [])
