"""Events that memory has no room for, that the broker refuses, or that grow old."""

from __future__ import annotations

import errno
from pathlib import Path
from unittest import mock

from rateway.spool.segment import Segment
from rateway.spool.spool import Spool

from .bench import DISK, Bench, BenchTestCase
from .cluster import events
from .scripted import ScriptedBroker

FULL = OSError(errno.ENOSPC, "No space left on device")


def body_size(bench: Bench) -> int:
    """Bytes of events on disk."""
    assert bench.disk is not None
    return sum(path.stat().st_size for path in bench.disk.rglob("*.spool"))


class SpoolTests(BenchTestCase):
    """A broker that is away, or slow, for longer than memory lasts."""

    def away(self, *, memory: int = 5000, limit: int = DISK) -> Bench:
        """A bench whose broker has just gone."""
        bench = self.bench(disk=True, memory=memory, limit=limit)
        bench.publish(1, 1)
        bench.scripted.pump()
        bench.scripted.go_away()
        return bench

    def test_to_disk_and_back(self) -> None:
        """What memory can't hold waits on disk, and everything comes in order, with the same id, time and body."""
        bench = self.away()
        for first in range(2, 302, 10):
            bench.publish(first, 10, size=100)
            self.assertLess(bench.broker.held_bytes, 8000)
        self.assertEqual(bench.broker.held_events, 300)
        self.assertEqual(bench.recorder.room, [])
        received = {each.properties["timestamp"] for each in bench.taken()}
        bench.scripted.come_back()
        bench.scripted.advance(5)
        self.assertEqual(bench.sequences(), [*range(1, 302)])
        self.assertEqual((bench.broker.held_events, bench.broker.held_bytes), (0, 0))
        self.assertEqual(bench.recorder.cursor, {0: ("s", 301)})
        self.assertEqual({each.properties["timestamp"] for each in bench.taken()}, received)
        self.assertEqual([each.body for each in bench.taken()[1:]], [each[2] for each in events(2, 300, 100)])
        self.assertEqual(body_size(bench), 0)

    def test_kept_is_on_disk(self) -> None:
        """What lies on disk is kept: a new process need not hear it again, and publishes it."""
        bench = self.away()
        bench.publish(2, 200, size=100)
        self.assertEqual(bench.recorder.cursor, {0: ("s", 201)})
        bench.kill()
        bench.scripted.come_back()
        bench.start()
        bench.scripted.advance(5)
        self.assertEqual(bench.sequences(), [*range(1, 202)])
        self.assertEqual(bench.broker.held_events, 0)

    def test_unreadable_for_a_while(self) -> None:
        """What can't be read when the broker is back is read a little later, though nothing happens meanwhile."""
        bench = self.away()
        bench.publish(2, 100, size=100)
        with mock.patch.object(Segment, "read", side_effect=OSError(errno.EMFILE, "Too many open files")):
            bench.scripted.come_back()
            bench.scripted.advance(10)
            self.assertEqual(bench.broker.spooled_events, bench.broker.held_events)
        bench.scripted.advance(5)
        self.assertEqual((bench.sequences(), bench.broker.held_events), ([*range(1, 102)], 0))

    def test_new_behind_old(self) -> None:
        """What comes while the disk is being read goes behind what is there."""
        bench = self.away(memory=100_000, limit=4 * DISK)
        bench.publish(2, 50, size=20_000)
        bench.scripted.confirms = False
        bench.scripted.come_back()
        bench.scripted.advance(5)
        self.assertGreater(bench.broker.spooled_events, 10)
        bench.publish(52, 5, size=20_000)
        bench.scripted.confirms = True
        bench.scripted.now.confirm(0, multiple=True)
        bench.scripted.pump()
        self.assertEqual(bench.sequences(), [*range(1, 57)])
        self.assertEqual(bench.broker.held_events, 0)

    def test_in_flight_is_bounded(self) -> None:
        """A broker that takes events and doesn't confirm them gets no more than memory may hold."""
        bench = self.bench(ScriptedBroker(confirms=False), disk=True, memory=5000)
        for first in range(1, 501):
            bench.publish(first, 1, size=100)
        self.assertLess(bench.broker.held_bytes, 6000)
        self.assertLess(len(bench.sequences()), 30)
        bench.scripted.confirms = True
        bench.scripted.now.confirm(0, multiple=True)
        bench.scripted.pump()
        self.assertEqual(bench.sequences(), [*range(1, 501)])
        self.assertEqual((bench.broker.held_events, bench.recorder.room), (0, []))

    def test_disk_at_its_limit(self) -> None:
        """Memory, then disk, then reading stops; nothing is lost, and room is told of once there is some."""
        bench = self.away(limit=20_000)
        first = 2
        while not bench.recorder.room:
            bench.publish(first, 5, size=100)
            first += 5
        bench.publish(first, 3, size=100)
        self.assertEqual((bench.recorder.room, bench.broker.held_events), ([False], first + 1))
        self.assertLess(body_size(bench), 21_000)
        bench.scripted.come_back()
        bench.scripted.advance(10)
        self.assertEqual(bench.sequences(), [*range(1, first + 3)])
        self.assertEqual((bench.recorder.room, bench.broker.held_events), ([False, True], 0))
        self.assertEqual(bench.recorder.cursor, {0: ("s", first + 2)})

    def test_full_disk(self) -> None:
        """The same when the disk is full; when it has room again, what waited goes there, in order."""
        bench = self.away()
        with mock.patch("os.pwrite", side_effect=FULL):
            bench.publish(2, 40, size=100)
            bench.publish(42, 10, size=100)
            bench.scripted.advance(5)
            self.assertEqual((bench.recorder.room, bench.recorder.cursor), ([False], {0: ("s", 1)}))
        bench.scripted.advance(2)
        self.assertEqual((bench.recorder.room, bench.recorder.cursor), ([False, True], {0: ("s", 51)}))
        bench.scripted.come_back()
        bench.scripted.advance(40)
        self.assertEqual((bench.sequences(), bench.broker.held_events), ([*range(1, 52)], 0))

    def test_full_disk_amid_the_backlog(self) -> None:
        """A disk that fills up while events wait there: what comes then waits in memory, behind them."""
        bench = self.away()
        bench.publish(2, 40, size=100)
        with mock.patch("os.pwrite", side_effect=FULL):
            bench.publish(42, 5, size=100)
            self.assertEqual((bench.recorder.room, bench.broker.held_events), ([False], 45))
            bench.publish(47, 5, size=100)
            bench.scripted.come_back()
            bench.scripted.advance(5)
            self.assertEqual((bench.sequences(), bench.broker.held_events), ([*range(1, 52)], 0))
            self.assertEqual(bench.recorder.room, [False, True])

    def test_secured_amid_a_full_disk(self) -> None:
        """What found no room on disk is written down, too, if there is some by now."""
        bench = self.away()
        bench.publish(2, 40, size=100)
        with mock.patch("os.pwrite", side_effect=FULL):
            bench.publish(42, 5, size=100)
            bench.broker.secure()
            self.assertEqual(bench.recorder.cursor, {0: ("s", 41)})
        bench.broker.secure()
        self.assertEqual(bench.recorder.cursor, {0: ("s", 46)})

    def test_secured(self) -> None:
        """All that is held can be put on disk at once, and is published no more often for it."""
        bench = self.bench(ScriptedBroker(confirms=False), disk=True)
        bench.publish(1, 3)
        bench.scripted.now.producer.pauseProducing()
        bench.publish(4, 3)
        bench.broker.secure()
        self.assertEqual(bench.recorder.cursor, {0: ("s", 6)})
        bench.publish(7, 1)
        bench.scripted.confirms = True
        bench.scripted.now.producer.resumeProducing()
        bench.scripted.now.confirm(0, multiple=True)
        bench.scripted.pump()
        self.assertEqual((bench.sequences(), bench.broker.held_events), ([*range(1, 8)], 0))
        self.assertEqual(body_size(bench), 0)

    def test_secured_then_killed(self) -> None:
        """What was secured is published by the next process."""
        bench = self.bench(ScriptedBroker(confirms=False), disk=True)
        bench.publish(1, 3)
        bench.broker.secure()
        bench.publish(4, 1)
        bench.kill()
        bench.scripted.confirms = True
        bench.start()
        self.assertEqual((bench.sequences(), bench.broker.held_events), ([1, 2, 3, 4, 1, 2, 3], 0))

    def test_confirmed_out_of_order_before_a_break(self) -> None:
        """What is on disk of it is let go once all before it is confirmed, on the next connection."""
        bench = self.bench(ScriptedBroker(confirms=False), disk=True)
        bench.publish(1, 3)
        bench.broker.secure()
        bench.scripted.now.confirm(3)
        bench.scripted.pump()
        bench.scripted.now.break_off()
        bench.scripted.confirms = True
        bench.scripted.advance(10)
        self.assertEqual((bench.sequences(), bench.broker.held_events), ([1, 2, 3, 1, 2], 0))
        self.assertEqual(body_size(bench), 0)

    def test_drained_with_a_backlog(self) -> None:
        """A stop doesn't wait for what is on disk."""
        bench = self.away()
        bench.publish(2, 200, size=100)
        self.assertIs(self.successResultOf(bench.broker.drained(5)), False)

    def test_shorter_frames(self) -> None:
        """What is read from disk is cut as this connection wants it."""
        bench = self.away()
        bench.publish(2, 3, size=50_000)
        bench.scripted.frame_max = 4096
        bench.scripted.come_back()
        bench.scripted.advance(5)
        self.assertEqual([each.body for each in bench.taken()[1:]], [each[2] for each in events(2, 3, 50_000)])


class RefusedTests(BenchTestCase):
    """Events the broker nacks."""

    def refusing(self, *, disk: bool = True) -> Bench:
        return self.bench(ScriptedBroker(confirms=False), disk=disk)

    def test_retried(self) -> None:
        """A refused event is tried again with growing delays, while others flow on."""
        bench = self.refusing()
        bench.publish(1, 3)
        bench.scripted.now.confirm(2, ack=False)
        bench.scripted.now.confirm(1)
        bench.scripted.now.confirm(3)
        bench.scripted.pump()
        self.assertEqual(bench.broker.held_events, 1)
        times = []
        for tag in range(4, 10):
            before = bench.scripted.clock.seconds()
            while len(bench.taken()) < tag:
                bench.scripted.advance(0.25, 0.25)
            times.append(bench.scripted.clock.seconds() - before)
            bench.scripted.now.confirm(tag, ack=tag == 9)
            bench.scripted.pump()
        self.assertEqual(bench.sequences(), [1, 2, 3] + [2] * 6)
        self.assertEqual(times, [1, 1, 2, 4, 8, 16])
        self.assertEqual((bench.broker.held_events, body_size(bench)), (0, 0))

    def test_taken_again(self) -> None:
        """Once a batch is taken whole, the next one follows at once: much that waited is soon gone."""
        bench = self.bench(ScriptedBroker(confirms=False), disk=True, limit=8 * DISK)
        bench.publish(1, 200, size=10_000)
        bench.scripted.now.confirm(0, multiple=True, ack=False)
        bench.scripted.pump()
        bench.scripted.confirms = True
        bench.scripted.advance(1.1, 0.1)
        self.assertEqual((bench.broker.held_events, body_size(bench)), (0, 0))
        self.assertEqual(bench.sequences(), [*range(1, 201)] * 2)

    def test_cursor_goes_on(self) -> None:
        """A refused event lies on disk: the cursor goes past it."""
        bench = self.refusing()
        bench.publish(1, 4)
        bench.scripted.now.confirm(2, ack=False)
        bench.scripted.now.confirm(1)
        bench.scripted.pump()
        self.assertEqual(bench.recorder.cursor, {0: ("s", 2)})
        bench.scripted.now.confirm(4, multiple=True)
        bench.scripted.pump()
        self.assertEqual((bench.recorder.cursor, bench.broker.held_events), ({0: ("s", 4)}, 1))

    def test_killed(self) -> None:
        """The next process tries it."""
        bench = self.refusing()
        bench.publish(1, 2)
        bench.scripted.now.confirm(1, ack=False)
        bench.scripted.now.confirm(2)
        bench.scripted.pump()
        bench.kill()
        bench.scripted.confirms = True
        bench.start()
        bench.scripted.advance(2)
        self.assertEqual((bench.sequences(), bench.broker.held_events), ([1, 2, 1], 0))

    def test_many_at_once(self) -> None:
        """One nack may stand for all up to it."""
        bench = self.refusing()
        bench.publish(1, 4)
        bench.scripted.now.confirm(2)
        bench.scripted.now.confirm(3, multiple=True, ack=False)
        bench.scripted.pump()
        bench.scripted.advance(1.5)
        self.assertEqual(bench.sequences(), [1, 2, 3, 4, 1, 3])
        bench.scripted.now.confirm(6, multiple=True)
        bench.scripted.pump()
        self.assertEqual((bench.recorder.cursor, bench.broker.held_events), ({0: ("s", 4)}, 0))

    def test_some_of_a_batch(self) -> None:
        """Of a batch that is tried again some are taken: the others wait on."""
        bench = self.refusing()
        bench.publish(1, 4)
        bench.scripted.now.confirm(4, multiple=True, ack=False)
        bench.scripted.pump()
        bench.scripted.advance(1.5)
        bench.scripted.now.confirm(7)
        bench.scripted.now.confirm(5, ack=False)
        bench.scripted.now.confirm(6)
        bench.scripted.pump()
        self.assertEqual(bench.broker.held_events, 2)
        bench.scripted.now.confirm(8)
        bench.scripted.pump()
        bench.scripted.advance(1.5)
        bench.scripted.now.confirm(9)
        bench.scripted.pump()
        self.assertEqual(bench.sequences(), [1, 2, 3, 4, 1, 2, 3, 4, 1])
        self.assertEqual((bench.broker.held_events, body_size(bench)), (0, 0))

    def test_power_cut_amid(self) -> None:
        """Before a batch that was refused again leaves its place on disk, the disk itself has the new one."""
        bench = self.refusing()
        bench.publish(1, 4)
        bench.scripted.now.confirm(4, multiple=True, ack=False)
        bench.scripted.pump()
        bench.scripted.advance(1.5)
        kept = body_size(bench)
        bench.scripted.now.confirm(8, multiple=True, ack=False)
        with mock.patch("os.fdatasync", side_effect=OSError(errno.EIO, "Input/output error")) as sync:
            bench.scripted.pump()
        self.assertEqual((sync.call_count, bench.refused.unread), (1, 4))
        self.assertGreater(body_size(bench), kept)
        bench.scripted.confirms = True
        bench.scripted.advance(3)
        self.assertEqual((bench.broker.held_events, body_size(bench)), (0, 0))
        self.assertEqual(bench.sequences(), [*range(1, 5)] * 3)

    def test_power_cut_behind_the_spool(self) -> None:
        """What lies in the spool leaves it once the disk itself has it among the refused."""
        bench = self.refusing()
        bench.publish(1, 4)
        bench.broker.secure()
        order: list[Path] = []
        sync, confirm = Spool.sync, Spool.confirm

        def syncing(spool: Spool) -> None:
            order.append(spool.folder)
            sync(spool)

        def letting_go(spool: Spool, index: int) -> None:
            order.append(spool.folder)
            confirm(spool, index)

        bench.scripted.now.confirm(4, multiple=True, ack=False)
        with mock.patch.object(Spool, "sync", syncing), mock.patch.object(Spool, "confirm", letting_go):
            bench.scripted.pump()
        self.assertEqual(order[0], bench.refused.folder)
        self.assertEqual((len(set(order)), bench.refused.unread, bench.broker.held_events), (2, 4, 4))

    def test_while_away(self) -> None:
        """A refused event whose time comes while the broker is away goes out when it is back."""
        bench = self.refusing()
        bench.publish(1, 2)
        bench.scripted.now.confirm(1, ack=False)
        bench.scripted.pump()
        bench.scripted.go_away()
        bench.scripted.advance(10)
        bench.scripted.confirms = True
        bench.scripted.come_back()
        bench.scripted.advance(40)
        self.assertEqual(sorted(bench.sequences()), [1, 1, 2, 2])
        self.assertEqual(bench.broker.held_events, 0)

    def test_nowhere_to_put_it(self) -> None:
        """Without a disk nothing passes a refused event: it is sent again in its place, on a new connection."""
        bench = self.refusing(disk=False)
        bench.publish(1, 3)
        bench.scripted.now.confirm(1)
        bench.scripted.now.confirm(2, ack=False)
        bench.scripted.pump()
        self.assertEqual((bench.recorder.cursor, bench.recorder.room), ({0: ("s", 1)}, []))
        bench.scripted.confirms = True
        bench.scripted.advance(10)
        self.assertEqual(bench.sequences(), [1, 2, 3, 2, 3])
        self.assertEqual((bench.recorder.cursor, bench.broker.held_events), ({0: ("s", 3)}, 0))


class ExpiryTests(BenchTestCase):
    """Events that are worth nothing after a while (EVENT_TTL)."""

    TTL = {"INTERACTION_CREATE": 3000}

    def expirations(self, bench: Bench) -> list[tuple[int, object]]:
        return [
            (int(str(each.properties["message_id"]).rpartition(":")[2]), each.properties.get("expiration"))
            for each in bench.taken()
        ]

    def test_fresh(self) -> None:
        """The broker is told how long it may keep such an event; others have no end."""
        bench = self.bench(ttl=self.TTL)
        bench.publish(1, 1, name="INTERACTION_CREATE")
        bench.publish(2, 1)
        self.assertEqual(self.expirations(bench), [(1, "3000"), (2, None)])

    def test_came_late(self) -> None:
        """What waited before it came here, as behind a huge guild, has what is left, or is dropped."""
        bench = self.bench(ttl=self.TTL)
        bench.scripted.advance(20)
        bench.publish(1, 1, name="INTERACTION_CREATE", ago=1.0)
        bench.publish(2, 1, name="INTERACTION_CREATE", ago=4.0)
        bench.publish(3, 1, name="INTERACTION_CREATE")
        bench.scripted.pump()
        self.assertEqual(self.expirations(bench), [(1, "2000"), (3, "3000")])
        self.assertEqual((bench.broker.expired, bench.broker.held_events), ({"INTERACTION_CREATE": 1}, 0))

    def test_waited_in_memory(self) -> None:
        """What waited has what is left of its time; what has none left is dropped, and counted as settled."""
        bench = self.bench(ttl=self.TTL)
        bench.scripted.go_away()
        bench.publish(1, 2, name="INTERACTION_CREATE")
        bench.publish(3, 1)
        bench.scripted.advance(2, 0.5)
        bench.publish(4, 1, name="INTERACTION_CREATE")
        bench.scripted.come_back()
        while not bench.taken():
            bench.scripted.advance(0.25, 0.25)
        waited = [(seq, int(str(left))) for seq, left in self.expirations(bench) if left is not None]
        self.assertEqual([seq for seq, _ in waited][-1], 4)
        self.assertTrue(all(0 < left < 3000 for _, left in waited), waited)
        self.assertEqual((bench.recorder.cursor, bench.broker.held_events), ({0: ("s", 4)}, 0))

    def test_expired_in_memory(self) -> None:
        """An outage that outlasts them all leaves nothing but the others, and a cursor behind everything."""
        bench = self.bench(ttl=self.TTL)
        bench.scripted.go_away()
        bench.publish(1, 1)
        bench.publish(2, 5, name="INTERACTION_CREATE")
        bench.scripted.advance(10)
        bench.scripted.come_back()
        bench.scripted.advance(10)
        self.assertEqual(self.expirations(bench), [(1, None)])
        self.assertEqual((bench.broker.held_events, bench.broker.held_bytes), (0, 0))
        self.assertEqual(bench.recorder.cursor, {0: ("s", 6)})
        self.assertEqual(bench.broker.expired, {"INTERACTION_CREATE": 5})

    def test_expired_on_disk(self) -> None:
        """The same on disk: it is left empty."""
        bench = self.bench(ttl=self.TTL, disk=True, memory=2000)
        bench.scripted.go_away()
        bench.publish(1, 20, size=100)
        bench.publish(21, 30, size=100, name="INTERACTION_CREATE")
        bench.scripted.advance(10)
        bench.scripted.come_back()
        bench.scripted.advance(10)
        self.assertEqual([seq for seq, _ in self.expirations(bench)], [*range(1, 21)])
        self.assertEqual((bench.broker.held_events, body_size(bench)), (0, 0))
        self.assertEqual(bench.broker.expired, {"INTERACTION_CREATE": 30})

    def test_expired_after_a_refusal(self) -> None:
        """One that was refused is tried as long as it is worth something."""
        bench = self.bench(ScriptedBroker(confirms=False), ttl=self.TTL, disk=True)
        bench.publish(1, 1, name="INTERACTION_CREATE")
        for tag in range(1, 10):
            if len(bench.taken()) >= tag:
                bench.scripted.now.confirm(tag, ack=False)
            bench.scripted.pump()
            bench.scripted.advance(1.2, 0.1)
        self.assertEqual(self.expirations(bench)[0], (1, "3000"))
        self.assertLess(len(bench.taken()), 4)
        self.assertEqual((bench.broker.held_events, body_size(bench)), (0, 0))

    def test_blocked(self) -> None:
        """A broker that takes nothing for a while is sent only what is still worth something."""
        bench = self.bench(ttl=self.TTL)
        bench.scripted.now.send(0, "connection", "blocked", "low on memory")
        bench.scripted.pump()
        bench.publish(1, 1, name="INTERACTION_CREATE")
        bench.scripted.advance(5)
        bench.publish(2, 1, name="INTERACTION_CREATE")
        bench.scripted.now.send(0, "connection", "unblocked")
        bench.scripted.pump()
        self.assertEqual(self.expirations(bench), [(2, "3000")])
        self.assertEqual((bench.recorder.cursor, bench.broker.held_events), ({0: ("s", 2)}, 0))

    def test_waited_for_the_transport(self) -> None:
        """A broker that is merely slow: what waited for it is judged when its turn comes, not when it was received."""
        bench = self.bench(ttl=self.TTL)
        producer = bench.scripted.now.producer
        producer.pauseProducing()
        bench.publish(1, 1)
        bench.publish(2, 3, name="INTERACTION_CREATE")
        bench.scripted.advance(2, 0.5)
        bench.publish(5, 1, name="INTERACTION_CREATE")
        bench.scripted.advance(2, 0.5)
        producer.resumeProducing()
        bench.scripted.pump()
        self.assertEqual(self.expirations(bench), [(1, None), (5, "1000")])
        self.assertEqual((bench.recorder.cursor, bench.broker.held_events), ({0: ("s", 5)}, 0))
        self.assertEqual(bench.broker.expired, {"INTERACTION_CREATE": 3})
