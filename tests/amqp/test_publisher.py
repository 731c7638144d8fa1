"""Events on their way to the broker: none lost, none early, and the cursor never says too much."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError

from .bench import BenchTestCase
from .cluster import events
from .scripted import Published, ScriptedBroker


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
            self.assertLess(len(bench.broker._publisher._sent), 600)

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
        bench = self.bench(ScriptedBroker(confirms=False), high_water=20_000)
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
        bench = self.bench(high_water=1000, start=False)
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


class RefusedTests(BenchTestCase):
    """Events the broker nacks."""

    def test_retried(self) -> None:
        """A refused event is tried again with growing delays, while others flow on."""
        bench = self.bench(ScriptedBroker(confirms=False))
        bench.publish(1, 3)
        bench.scripted.now.confirm(2, ack=False)
        bench.scripted.now.confirm(1)
        bench.scripted.now.confirm(3)
        bench.scripted.pump()
        self.assertEqual(bench.broker.held_events, 1)
        times = []
        for tag in range(4, 8):
            before = bench.scripted.clock.seconds()
            while len(bench.taken()) < tag:
                bench.scripted.advance(0.25, 0.25)
            times.append(bench.scripted.clock.seconds() - before)
            bench.scripted.now.confirm(tag, ack=tag == 7)
            bench.scripted.pump()
        self.assertEqual(bench.sequences(), [1, 2, 3, 2, 2, 2, 2])
        self.assertEqual(times, [1, 2, 4, 8])
        self.assertEqual(bench.broker.held_events, 0)

    def test_cursor_waits(self) -> None:
        """The cursor stays before a refused event, and catches up once it is taken."""
        bench = self.bench(ScriptedBroker(confirms=False))
        bench.publish(1, 1)
        bench.scripted.now.confirm(1)
        bench.scripted.pump()
        bench.publish(2, 3)
        bench.scripted.now.confirm(2, ack=False)
        bench.scripted.now.confirm(4, multiple=True)
        bench.publish(1, 1, shard=9)
        bench.scripted.now.confirm(5)
        bench.scripted.pump()
        self.assertEqual(bench.recorder.cursor, {0: ("s", 1), 9: ("s", 1)})
        bench.scripted.advance(1.5)
        bench.scripted.now.confirm(6)
        bench.scripted.pump()
        self.assertEqual(bench.recorder.cursor, {0: ("s", 4), 9: ("s", 1)})

    def test_cursor_catches_up(self) -> None:
        """It catches up to the last of all that was settled meanwhile, whichever was settled first."""
        bench = self.bench(ScriptedBroker(confirms=False))
        bench.publish(1, 4)
        bench.scripted.now.confirm(4, ack=False)
        bench.scripted.pump()
        bench.scripted.now.confirm(2, multiple=True)
        bench.scripted.pump()
        bench.scripted.now.confirm(3)
        bench.scripted.pump()
        self.assertEqual(bench.recorder.cursor, {})
        bench.scripted.advance(1.5)
        bench.scripted.now.confirm(5)
        bench.scripted.pump()
        self.assertEqual(bench.recorder.cursor, {0: ("s", 4)})

    def test_taken_before_a_break(self) -> None:
        """A refused event that is taken while an earlier one is open doesn't move the cursor when the line breaks."""
        bench = self.bench(ScriptedBroker(confirms=False))
        bench.publish(1, 2)
        bench.scripted.now.confirm(2, ack=False)
        bench.scripted.pump()
        bench.scripted.advance(1.5)
        bench.scripted.now.confirm(3)
        bench.scripted.pump()
        bench.scripted.go_away()
        bench.scripted.come_back()
        bench.scripted.advance(5)
        bench.publish(1, 1, shard=1)
        bench.scripted.now.confirm(2)
        bench.scripted.pump()
        self.assertEqual(bench.recorder.cursor, {})
        bench.scripted.now.confirm(1)
        bench.scripted.pump()
        self.assertEqual(bench.recorder.cursor, {0: ("s", 1), 1: ("s", 1)})

    def test_new_session(self) -> None:
        """A refused event of a lost session doesn't hold up the cursor of the next."""
        bench = self.bench(ScriptedBroker(confirms=False))
        bench.publish(7, 1, session="old")
        bench.publish(1, 2, session="new")
        bench.scripted.now.confirm(1, ack=False)
        bench.scripted.now.confirm(3, multiple=True)
        bench.scripted.pump()
        self.assertEqual(bench.recorder.cursor, {0: ("new", 2)})

    def test_many_at_once(self) -> None:
        """One nack may stand for all up to it."""
        bench = self.bench(ScriptedBroker(confirms=False))
        bench.publish(1, 4)
        bench.scripted.now.confirm(2)
        bench.scripted.now.confirm(3, multiple=True, ack=False)
        bench.scripted.pump()
        bench.scripted.advance(1.5)
        self.assertEqual(bench.sequences(), [1, 2, 3, 4, 1, 3])
        bench.scripted.now.confirm(6, multiple=True)
        bench.scripted.pump()
        self.assertEqual((bench.recorder.cursor, bench.broker.held_events), ({0: ("s", 4)}, 0))

    def test_while_away(self) -> None:
        """A refused event whose time comes while the broker is away goes out with the rest."""
        bench = self.bench(ScriptedBroker(confirms=False))
        bench.publish(1, 2)
        bench.scripted.now.confirm(1, ack=False)
        bench.scripted.pump()
        bench.scripted.go_away()
        bench.scripted.advance(10)
        bench.scripted.confirms = True
        bench.scripted.come_back()
        bench.scripted.advance(40)
        self.assertEqual(bench.sequences(), [1, 2, 2, 1])
        self.assertEqual(bench.broker.held_events, 0)


steps = st.one_of(
    st.tuples(st.just("publish"), st.integers(0, 2), st.integers(1, 4)),
    st.tuples(st.just("confirm"), st.integers(0, 12), st.booleans(), st.sampled_from([True, True, True, False])),
    st.tuples(st.just("pump")),
    st.tuples(st.just("advance"), st.sampled_from([0.5, 3, 70])),
    st.tuples(st.just("break")),
    st.tuples(st.just("session"), st.integers(0, 2)),
    st.tuples(st.just("pause"), st.booleans()),
)


class ModelTests(BenchTestCase):
    """Whatever happens in whatever order."""

    @settings(deadline=None, database=None, max_examples=120)
    @given(st.lists(steps, max_size=40))
    def test_anything(self, story: list[tuple[object, ...]]) -> None:
        """No event is lost, first deliveries are in order, the cursor passes no open event, and all ends empty."""
        bench = self.bench(ScriptedBroker(confirms=False))
        published: list[tuple[int, str, int]] = []
        confirmed: set[tuple[int, str, int]] = set()
        sessions, numbers = [0, 0, 0], [0, 0, 0]
        said: set[int] = set()

        def key(message: Published) -> tuple[int, str, int]:
            shard, session, seq = str(message.properties["message_id"]).split(":")
            return int(shard), session, int(seq)

        def step(kind: str, arguments: tuple[object, ...]) -> None:
            connection = bench.scripted.now
            if kind == "publish":
                shard, count = arguments
                assert isinstance(shard, int) and isinstance(count, int)
                session = f"s{sessions[shard]}"
                bench.publish(numbers[shard] + 1, count, shard=shard, session=session)
                published.extend((shard, session, numbers[shard] + number) for number in range(1, count + 1))
                numbers[shard] += count
            elif kind == "session":
                (shard,) = arguments
                assert isinstance(shard, int)
                sessions[shard] += 1
                numbers[shard] = 0
            elif kind == "confirm" and connection.open:
                sent = [each for each in connection.published if each.tag]
                tag, multiple, ack = arguments
                assert isinstance(tag, int)
                if not 0 < tag <= len(sent):
                    return
                tags = [each for each in range(1 if multiple else tag, tag + 1) if each not in said]
                if not multiple and not tags:
                    return
                connection.confirm(tag, multiple=bool(multiple), ack=bool(ack))
                connection.pump()
                said.update(tags)
                if ack:
                    confirmed.update(key(sent[each - 1]) for each in tags)
            elif kind == "pump":
                bench.scripted.pump()
            elif kind == "advance":
                bench.scripted.advance(float(str(arguments[0])), 5)
            elif kind == "break":
                connection.break_off()
                said.clear()
            elif kind == "pause" and connection.open:
                if arguments[0]:
                    connection.producer.pauseProducing()
                else:
                    connection.producer.resumeProducing()

        for kind, *arguments in story:
            connections = len(bench.scripted.connections)
            step(str(kind), tuple(arguments))
            if len(bench.scripted.connections) != connections:
                said.clear()
            for shard, (session, seq) in bench.recorder.cursor.items():
                earlier = {each for each in published if each[:2] == (shard, session) and each[2] <= seq}
                self.assertLessEqual(earlier, confirmed)
            self.assertEqual(bench.broker.held_events, len(published) - len(confirmed))

        bench.scripted.confirms = True
        bench.scripted.now.break_off()
        bench.scripted.advance(200, 5)
        self.assertEqual({key(each) for each in bench.taken()}, set(published))
        self.assertEqual((bench.broker.held_events, bench.broker.held_bytes), (0, 0))
        self.assertEqual(list(dict.fromkeys(key(each) for each in bench.taken())), published)
        for shard, (session, seq) in bench.recorder.cursor.items():
            self.assertIn((shard, session, seq), published)
        self.stop(bench)
