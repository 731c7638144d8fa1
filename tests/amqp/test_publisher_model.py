"""Whatever happens to events in whatever order, none is lost, and none is said to be kept that isn't."""

from __future__ import annotations

import errno
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from .bench import Bench, BenchTestCase
from .scripted import Published, ScriptedBroker

SHARDS = 3
steps = st.one_of(
    st.tuples(st.just("publish"), st.integers(0, SHARDS - 1), st.integers(1, 6)),
    st.tuples(st.just("publish"), st.integers(0, SHARDS - 1), st.integers(1, 6)),
    st.tuples(st.just("confirm"), st.integers(0, 12), st.booleans(), st.sampled_from([True, True, True, False])),
    st.tuples(st.just("pump")),
    st.tuples(st.just("advance"), st.sampled_from([0.5, 3, 70])),
    st.tuples(st.just("break")),
    st.tuples(st.just("session"), st.integers(0, SHARDS - 1)),
    st.tuples(st.just("pause"), st.booleans()),
    st.tuples(st.just("disk"), st.booleans()),
    st.tuples(st.just("kill")),
)

Key = tuple[int, str, int]


def key(message: Published) -> Key:
    shard, session, seq = str(message.properties["message_id"]).split(":")
    return int(shard), session, int(seq)


class Story:
    """One run: what Discord sent, what the broker said of it, and what is claimed to be kept.

    :ivar published: every event Discord ever sent, in order per shard.
    :ivar confirmed: those that the broker took.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.published: list[Key] = []
        self.confirmed: set[Key] = set()
        self.refused = False
        self.killed = False
        self._sessions = [0] * SHARDS
        self._numbers = [0] * SHARDS
        self._said: set[int] = set()
        self._connections = 0
        self._full = mock.patch("os.pwrite", side_effect=OSError(errno.ENOSPC, "No space left on device"))
        self._is_full = False

    def step(self, kind: str, *arguments: Any) -> None:
        getattr(self, f"do_{kind}")(*arguments)
        if len(self.bench.scripted.connections) != self._connections:
            self._connections = len(self.bench.scripted.connections)
            self._said.clear()

    def _session(self, shard: int) -> str:
        return f"s{self._sessions[shard]}"

    def do_publish(self, shard: int, count: int) -> None:
        if self.bench.recorder.room[-1:] == [False]:
            # Nobody reads from Discord now.
            return
        session, first = self._session(shard), self._numbers[shard] + 1
        self._numbers[shard] += count
        self.published += [(shard, session, first + number) for number in range(count)]
        self.bench.publish(first, count, shard=shard, session=session)

    def do_session(self, shard: int) -> None:
        """Discord ended it: what was received of it comes from nobody else."""
        if self._is_full:
            return
        self.bench.broker.secure()
        self._sessions[shard] += 1
        self._numbers[shard] = 0

    def do_confirm(self, tag: int, multiple: bool, ack: bool) -> None:
        connection = self.bench.scripted.now
        sent = [each for each in connection.published if each.tag]
        if not connection.open or not 0 < tag <= len(sent):
            return
        tags = [each for each in range(1 if multiple else tag, tag + 1) if each not in self._said]
        if not tags:
            return
        self._said.update(tags)
        if ack:
            self.confirmed |= {key(sent[each - 1]) for each in tags}
        else:
            self.refused = True
        connection.confirm(tag, multiple=multiple, ack=ack)
        connection.pump()

    def do_pump(self) -> None:
        self.bench.scripted.pump()

    def do_advance(self, seconds: float) -> None:
        self.bench.scripted.advance(seconds, 5)

    def do_break(self) -> None:
        self.bench.scripted.now.break_off()

    def do_pause(self, paused: bool) -> None:
        connection = self.bench.scripted.now
        if connection.open:
            (connection.producer.pauseProducing if paused else connection.producer.resumeProducing)()

    def do_disk(self, full: bool) -> None:
        if full != self._is_full:
            self._is_full = full
            if full:
                self._full.start()
            else:
                self._full.stop()

    def do_kill(self) -> None:
        """The next process resumes behind what is kept, and Discord replays what came after it."""
        self.do_disk(False)
        cursor = dict(self.bench.recorder.cursor)
        self.killed = True
        self.bench.kill()
        self.bench.recorder.room.clear()
        self.bench.start()
        for shard in range(SHARDS):
            session, seq = cursor.get(shard, ("", 0))
            kept = seq if session == self._session(shard) else 0
            if kept < self._numbers[shard]:
                self.bench.publish(kept + 1, self._numbers[shard] - kept, shard=shard, session=self._session(shard))

    def check(self, test: BenchTestCase) -> None:
        """The cursor passes no event that is neither confirmed nor on disk; the counts are true."""
        on_disk = {(event.shard_id, event.session_id, event.seq) for event in self._on_disk()}
        for shard, (session, seq) in self.bench.recorder.cursor.items():
            earlier = {each for each in self.published if each[:2] == (shard, session) and each[2] <= seq}
            test.assertLessEqual(earlier, self.confirmed | on_disk)
        if not self.killed:
            test.assertEqual(self.bench.broker.held_events, len(set(self.published) - self.confirmed))

    def _on_disk(self) -> list[Any]:
        from rateway.spool.record import records

        assert self.bench.disk is not None
        files = self.bench.disk.rglob("*.spool")
        return [found.event for path in files for found in records(path.read_bytes())]

    def finish(self, test: BenchTestCase) -> None:
        """The broker takes everything again: in the end it has all, and nothing is left here."""
        self.do_disk(False)
        scripted = self.bench.scripted
        scripted.confirms = True
        scripted.now.break_off()
        scripted.advance(300, 5)
        taken = [key(each) for each in self.bench.taken()]
        test.assertEqual(set(taken), set(self.published))
        test.assertEqual((self.bench.broker.held_events, self.bench.broker.held_bytes), (0, 0))
        test.assertEqual(self._on_disk(), [])
        test.assertIn(self.bench.recorder.room[-1:], ([], [True]))
        for shard in range(SHARDS):
            sent = [each for each in self.published if each[0] == shard]
            got = [each for each in dict.fromkeys(taken) if each[0] == shard]
            if self.refused and self.killed:
                # What was refused lies apart, so that the order is that of the others.
                test.assertEqual(set(got), set(sent))
            else:
                test.assertEqual(got, sent)

    def close(self) -> None:
        self.do_disk(False)


class ModelTests(BenchTestCase):
    """Events published, confirmed, refused; connections broken; disks full; processes killed."""

    def tell(self, story: list[tuple[Any, ...]], **more: Any) -> None:
        bench = self.bench(ScriptedBroker(confirms=False), disk=True, **more)
        run = Story(bench)
        try:
            for each in story:
                run.step(*each)
                run.check(self)
            run.finish(self)
        finally:
            run.close()
            self.stop(bench)

    @settings(deadline=None, database=None, max_examples=120)
    @given(st.lists(steps, max_size=40))
    def test_little_memory(self, story: list[tuple[Any, ...]]) -> None:
        """Memory for a handful of events, and a small disk."""
        self.tell(story, memory=900, limit=4000)

    @settings(deadline=None, database=None, max_examples=80)
    @given(st.lists(steps, max_size=40))
    def test_enough_of_all(self, story: list[tuple[Any, ...]]) -> None:
        """Memory and disk enough."""
        self.tell(story)
