"""The cursor of what the broker holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rateway.cluster.checkpoint import WRITE_DELAY, Checkpoint
from rateway.model.dispatch import Dispatch
from rateway.model.session import Session

from .fakes import RecordingStore


def events(*sequences: int) -> list[Dispatch]:
    return [(seq, "E", b"{}") for seq in sequences]


class CheckpointTests(SynchronousTestCase):
    """How far each session is kept."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = RecordingStore([])
        self.checkpoint = Checkpoint(self.clock, self.store)

    def test_new_session_keeps_nothing(self) -> None:
        """All events of a session never seen are to be published, and its cursor starts at 0."""
        self.assertEqual(self.checkpoint.unkept(3, "a", events(1, 2)), events(1, 2))
        self.assertEqual(self.checkpoint.changes(), {3: ("a", 0)})

    def test_replay_is_not_published_twice(self) -> None:
        """After a restart, what Discord replays at or below the cursor is left out."""
        checkpoint = Checkpoint(self.clock, self.store, {0: ("a", 5)})
        self.assertEqual(checkpoint.unkept(0, "a", events(4, 5, 6, 7)), events(6, 7))
        self.assertEqual(checkpoint.unkept(0, "a", events(8)), events(8))
        self.assertEqual(checkpoint.unkept(0, "a", []), [])

    def test_confirms_of_the_old_session_do_not_count_for_the_new(self) -> None:
        """A confirm that comes after a new session began moves nothing."""
        self.checkpoint.unkept(0, "old", events(1))
        self.checkpoint.unkept(0, "new", events(1))
        self.checkpoint.confirmed({0: ("old", 9)})
        self.assertEqual(self.checkpoint.kept, {0: ("new", 0)})

    def test_lost_sessions(self) -> None:
        """Each session that follows on another one of its shard is counted, the first one isn't."""
        checkpoint = Checkpoint(self.clock, self.store, {0: ("a", 5)})
        for shard, session in ((0, "a"), (1, "b"), (0, "c"), (0, "c"), (0, "d")):
            checkpoint.unkept(shard, session, events(1))
        self.assertEqual(checkpoint.lost_sessions, 2)

    def test_confirm_of_unknown_shard_is_ignored(self) -> None:
        """A shard that has published nothing has no cursor to move."""
        self.checkpoint.confirmed({7: ("x", 1)})
        self.assertEqual(self.checkpoint.kept, {})

    def test_a_busy_store(self) -> None:
        """While a huge event is written slice by slice, the cursors wait: they would have it finished in one go."""
        self.checkpoint.unkept(0, "a", events(1, 2))
        self.checkpoint.changes()
        self.store.busy = True
        self.checkpoint.confirmed({0: ("a", 2)})
        for _ in range(5):
            self.clock.advance(WRITE_DELAY)
        self.assertEqual(self.store.calls, [])
        self.store.busy = False
        self.clock.advance(WRITE_DELAY)
        self.assertEqual(self.store.calls, [("apply", ([], {0: ("a", 2)}))])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_store_that_fails(self) -> None:
        """Writing doesn't raise; what could not be written goes along with the next."""

        class Failing(RecordingStore):
            fails = True

            def apply(
                self, batch: Sequence[tuple[int, Session, Sequence[Dispatch]]], kept: Mapping[int, tuple[str, int]]
            ) -> None:
                if self.fails:
                    raise OSError(30, "Read-only file system")
                super().apply(batch, kept)

        store = Failing([])
        checkpoint = Checkpoint(self.clock, store, {0: ("a", 1), 1: ("b", 1)})
        checkpoint.confirmed({0: ("a", 2), 1: ("b", 2)})
        self.clock.advance(WRITE_DELAY)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        store.fails = False
        checkpoint.confirmed({0: ("a", 3)})
        checkpoint.write()
        self.assertEqual(store.calls, [("apply", ([], {0: ("a", 3), 1: ("b", 2)}))])

    def test_confirms_are_written_soon_without_events(self) -> None:
        """A cursor that moves while no event comes is written within a tenth of a second, once."""
        self.checkpoint.unkept(0, "a", events(1, 2))
        self.checkpoint.changes()
        self.checkpoint.confirmed({0: ("a", 1)})
        self.checkpoint.confirmed({0: ("a", 2)})
        self.assertEqual(self.store.calls, [])
        self.clock.advance(WRITE_DELAY)
        self.assertEqual(self.store.calls, [("apply", ([], {0: ("a", 2)}))])
        self.clock.advance(WRITE_DELAY * 10)
        self.assertEqual(len(self.store.calls), 1)

    def test_write_cancels_the_timer(self) -> None:
        """Writing by hand leaves nothing to be written later."""
        self.checkpoint.unkept(0, "a", events(1))
        self.checkpoint.confirmed({0: ("a", 1)})
        self.checkpoint.write()
        self.checkpoint.write()
        self.assertEqual(len(self.store.calls), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    @given(st.lists(st.integers(1, 50), max_size=30))
    @settings(deadline=None, database=None)
    def test_cursor_never_goes_back(self, confirmed: list[int]) -> None:
        """Whatever order confirms come in, the cursor only rises."""
        checkpoint = Checkpoint(Clock(), RecordingStore([]))
        checkpoint.unkept(0, "a", events(1))
        highest = 0
        for seq in confirmed:
            checkpoint.confirmed({0: ("a", seq)})
            highest = max(highest, seq)
            self.assertEqual(checkpoint.kept[0], ("a", highest))
