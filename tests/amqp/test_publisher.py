"""Events on their way to the broker, in memory: none lost, none early, and the cursor never says too much."""

from __future__ import annotations

from twisted.internet.defer import CancelledError

from .bench import BenchTestCase
from .cluster import events
from .scripted import ScriptedBroker


class PublisherTests(BenchTestCase):
    """Publishing while all is well."""

    def test_one_write(self) -> None:
        """What is published between two flushes is one write, in order."""
        bench = self.bench()
        bench.broker.publish(0, "s", events(1, 50), 0)
        bench.broker.publish(1, "t", events(1, 50), 0)
        writes = len(bench.scripted.now.writes)
        bench.broker.flush()
        self.assertEqual(len(bench.scripted.now.writes), writes + 1)
        self.assertEqual(bench.sequences(), [*range(1, 51)] * 2)

    def test_nothing_to_write(self) -> None:
        """A flush without events writes nothing."""
        bench = self.bench()
        writes = len(bench.scripted.now.writes)
        bench.broker.flush()
        self.assertEqual(len(bench.scripted.now.writes), writes)

    def test_kept(self) -> None:
        """Confirmed events are let go, and the cursor of each shard moves; once per read."""
        bench = self.bench()
        bench.publish(1, 3, shard=4)
        bench.publish(1, 2, shard=5, session="u")
        self.assertEqual(bench.broker.held_events, 5)
        self.assertGreater(bench.broker.held_bytes, 5 * 20)
        bench.scripted.pump()
        self.assertEqual((bench.broker.held_events, bench.broker.held_bytes), (0, 0))
        self.assertEqual(bench.recorder.kept, [{4: ("s", 3), 5: ("u", 2)}])

    def test_out_of_order(self) -> None:
        """A confirm out of order doesn't move the cursor past what is still open."""
        bench = self.bench(ScriptedBroker(confirms=False))
        bench.publish(1, 4)
        bench.scripted.now.confirm(3)
        bench.scripted.now.confirm(2)
        bench.scripted.pump()
        self.assertEqual((bench.recorder.kept, bench.broker.held_events), ([], 2))
        bench.scripted.now.confirm(1)
        bench.scripted.pump()
        self.assertEqual((bench.recorder.cursor, bench.broker.held_events), ({0: ("s", 3)}, 1))

    def test_acks_in_a_row(self) -> None:
        """Acks of one tag each that come together count each once: those that came before, and those out of order."""
        bench = self.bench(ScriptedBroker(confirms=False))
        bench.publish(1, 8)
        for tags, cursor, held in (((4, 5), 0, 6), ((1, 2), 2, 4), ((2, 3, 4), 5, 3), ((7, 8), 5, 1), ((5, 6), 8, 0)):
            for tag in tags:
                bench.scripted.now.confirm(tag)
            bench.scripted.pump()
            told = bench.recorder.cursor.get(0, ("s", 0))[1]
            self.assertEqual((told, bench.broker.held_events, bool(bench.broker.held_bytes)), (cursor, held, held > 0))

    def test_multiple(self) -> None:
        """One confirm may stand for all up to it; tag 0 stands for all there are."""
        bench = self.bench(ScriptedBroker(confirms=False))
        bench.publish(1, 10)
        bench.scripted.now.confirm(7, multiple=True)
        bench.scripted.pump()
        self.assertEqual((bench.recorder.cursor, bench.broker.held_events), ({0: ("s", 7)}, 3))
        bench.scripted.now.confirm(0, multiple=True)
        bench.scripted.pump()
        self.assertEqual((bench.recorder.cursor, bench.broker.held_events), ({0: ("s", 10)}, 0))

    def test_never_empty(self) -> None:
        """A list of what is sent that never runs empty keeps its count, and doesn't grow for ever."""
        bench = self.bench(ScriptedBroker(confirms=False))
        for start in range(1, 5001, 100):
            bench.publish(start, 100)
            bench.scripted.now.confirm(start + 49, multiple=True)
            bench.scripted.pump()
            self.assertEqual((bench.recorder.cursor, bench.broker.held_events), ({0: ("s", start + 49)}, 50))
            self.assertLess(len(bench.broker._publisher._window._entries), 600)

    def test_confirmed_twice(self) -> None:
        """A confirm that comes again counts once."""
        bench = self.bench(ScriptedBroker(confirms=False))
        bench.publish(1, 3)
        for tag, multiple in ((2, False), (2, False), (1, False), (1, True), (1, False)):
            bench.scripted.now.confirm(tag, multiple=multiple)
        bench.scripted.pump()
        self.assertEqual((bench.recorder.cursor, bench.broker.held_events), ({0: ("s", 2)}, 1))

    def test_confirm_of_nothing(self) -> None:
        """A confirm of what was never sent is the broker's fault: the connection is made anew."""
        bench = self.bench(ScriptedBroker(confirms=False))
        bench.publish(1, 1)
        bench.scripted.now.confirm(2)
        bench.scripted.pump()
        self.assertTrue(bench.scripted.now.aborted)
        bench.scripted.confirms = True
        bench.scripted.advance(3)
        self.assertEqual((bench.sequences(), bench.broker.held_events), ([1, 1], 0))

    def test_drained(self) -> None:
        """A stop waits for what is held, but not for ever."""
        bench = self.bench(ScriptedBroker(confirms=False))
        self.assertIs(self.successResultOf(bench.broker.drained(1)), True)
        bench.publish(1, 2)
        patient, hasty, cancelled = bench.broker.drained(5), bench.broker.drained(1), bench.broker.drained(5)
        cancelled.cancel()
        self.failureResultOf(cancelled, CancelledError)
        bench.scripted.advance(2)
        self.assertIs(self.successResultOf(hasty), False)
        self.assertNoResult(patient)
        bench.scripted.now.confirm(2, multiple=True)
        bench.scripted.pump()
        self.assertIs(self.successResultOf(patient), True)

    def test_large(self) -> None:
        """A large event goes out in frames no longer than the broker wants."""
        bench = self.bench(ScriptedBroker(frame_max=4096))
        bench.publish(1, 2, size=100_000)
        bench.scripted.pump()
        self.assertEqual([each.body for each in bench.taken()], [each[2] for each in events(1, 2, 100_000)])
        self.assertEqual((bench.broker.held_events, bench.broker.held_bytes), (0, 0))


class BackPressureTests(BenchTestCase):
    """A broker that can't keep up."""

    def test_full_transport(self) -> None:
        """While the transport is full events are held here; then they go out in order."""
        bench = self.bench()
        bench.scripted.now.producer.pauseProducing()
        bench.publish(1, 3)
        bench.publish(4, 3)
        self.assertEqual((bench.sequences(), bench.broker.held_events), ([], 6))
        bench.scripted.now.producer.resumeProducing()
        self.assertEqual(bench.sequences(), [*range(1, 7)])

    def test_full_on_the_way(self) -> None:
        """What waits is written in pieces, and no more than the transport takes."""
        bench = self.bench()
        connection = bench.scripted.now
        connection.producer.pauseProducing()
        bench.publish(1, 100, size=20_000)
        written = len(connection.writes)
        connection.producer.resumeProducing()
        self.assertGreater(len(connection.writes) - written, 3)
        self.assertLess(max(map(len, connection.writes)), 300_000)
        self.assertEqual(bench.sequences(), [*range(1, 101)])

    def test_blocked(self) -> None:
        """A broker short of memory gets nothing until it says so."""
        bench = self.bench()
        bench.scripted.now.send(0, "connection", "blocked", "low on memory")
        bench.scripted.pump()
        bench.publish(1, 3)
        self.assertEqual(bench.sequences(), [])
        bench.scripted.now.send(0, "connection", "unblocked")
        bench.scripted.pump()
        self.assertEqual((bench.sequences(), bench.broker.held_events), ([1, 2, 3], 0))

    def test_blocked_then_gone(self) -> None:
        """A new connection isn't blocked because the last one was."""
        bench = self.bench()
        bench.scripted.now.send(0, "connection", "blocked", "low on disk")
        bench.scripted.pump()
        bench.publish(1, 1)
        bench.scripted.now.break_off()
        bench.scripted.advance(2)
        self.assertEqual(bench.sequences(), [1])

    def test_room(self) -> None:
        """At the high water mark reading stops, at half of it it goes on; each is said once."""
        bench = self.bench(ScriptedBroker(confirms=False), memory=20_000)
        for first in range(1, 11):
            bench.publish(first, 1, size=3000)
        self.assertEqual(bench.recorder.room, [False])
        for tag in range(1, 11):
            bench.scripted.now.confirm(tag)
            bench.scripted.pump()
            self.assertEqual(bench.recorder.room, [False] if bench.broker.held_bytes >= 10_000 else [False, True])
        self.assertEqual(bench.recorder.room, [False, True])

    def test_room_while_away(self) -> None:
        """The mark holds while the broker is away, too."""
        bench = self.bench(memory=1000, start=False)
        bench.scripted.go_away()
        bench.start()
        bench.publish(1, 5, size=500)
        self.assertEqual(bench.recorder.room, [False])
        bench.scripted.come_back()
        bench.scripted.advance(5)
        self.assertEqual((bench.recorder.room, bench.broker.held_events), ([False, True], 0))


class ReconnectTests(BenchTestCase):
    """A broker that goes away and comes back."""

    def test_before_the_first(self) -> None:
        """Events from before the first connection are published once there is one."""
        bench = self.bench(start=False)
        bench.publish(1, 3)
        bench.start()
        self.assertEqual((bench.sequences(), bench.broker.held_events), ([1, 2, 3], 0))

    def test_in_order(self) -> None:
        """What was not confirmed is published again, oldest first, before anything new."""
        bench = self.bench(ScriptedBroker(confirms=False))
        bench.publish(1, 5)
        bench.scripted.now.confirm(1)
        bench.scripted.now.confirm(3)
        bench.scripted.pump()
        bench.scripted.go_away()
        bench.publish(6, 2)
        bench.scripted.come_back()
        bench.scripted.confirms = True
        bench.scripted.advance(5)
        bench.publish(8, 1)
        bench.scripted.pump()
        self.assertEqual(bench.sequences(), [1, 2, 3, 4, 5, 2, 4, 5, 6, 7, 8])
        self.assertEqual((bench.recorder.cursor, bench.broker.held_events), ({0: ("s", 8)}, 0))

    def test_same_bytes(self) -> None:
        """The same event has the same id, time and body when it is published again."""
        bench = self.bench(ScriptedBroker(confirms=False))
        bench.publish(1, 1)
        bench.scripted.now.break_off()
        bench.scripted.advance(5)
        first, again = bench.taken()
        self.assertEqual((first.properties, first.body), (again.properties, again.body))

    def test_shorter_frames(self) -> None:
        """If the next broker wants shorter frames, what is held is cut anew."""
        bench = self.bench(ScriptedBroker(confirms=False))
        bench.publish(1, 2, size=50_000)
        bench.scripted.go_away()
        bench.publish(3, 2, size=50_000)
        bench.scripted.frame_max, bench.scripted.confirms = 4096, True
        bench.scripted.come_back()
        bench.scripted.advance(5)
        self.assertEqual(
            [each.body for each in bench.scripted.now.published], [each[2] for each in events(1, 4, 50_000)]
        )
        self.assertEqual((bench.broker.held_events, bench.broker.held_bytes), (0, 0))


class SilenceTests(BenchTestCase):
    """A broker that is there, and doesn't confirm."""

    def test_confirm_that_never_comes(self) -> None:
        """After a minute or two the connection is given up, and the event sent again."""
        scripted = ScriptedBroker(confirms=False, heartbeat=0)
        bench = self.bench(scripted)
        bench.publish(1, 1)
        first = scripted.now
        for _ in range(130):
            scripted.advance(1)
            if scripted.now is not first:
                break
        self.assertIsNot(scripted.now, first)
        scripted.confirms = True
        scripted.now.confirm(0, multiple=True)
        scripted.pump()
        self.assertEqual((bench.sequences(), bench.broker.held_events), ([1, 1], 0))
        self.assertLess(scripted.clock.seconds(), 125)

    def test_confirms_that_keep_coming(self) -> None:
        """A connection on which confirms come is kept, however late each is."""
        scripted = ScriptedBroker(confirms=False, heartbeat=0)
        bench = self.bench(scripted)
        first = scripted.now
        bench.publish(1, 1)
        for seq in range(2, 10):
            bench.publish(seq, 1)
            scripted.advance(40)
            scripted.now.confirm(seq - 1)
            scripted.pump()
        self.assertIs(scripted.now, first)
        self.assertEqual(bench.broker.held_events, 1)
