"""Tests of the spool: order, bounds, crashes, damage."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from rateway.errors import ConfigError
from rateway.spool.record import SpooledEvent, encode, missing, records, size_of
from rateway.spool.segment import HEADER, Segment
from rateway.spool.spool import Spool, SpoolFull

MIB = 1024 * 1024
FOLDER_MODE, FILE_MODE = 0o700, 0o600


def event(seq: int, *, shard: int = 0, body: bytes = b'{"a":1}', name: str = "MESSAGE_CREATE") -> SpooledEvent:
    return SpooledEvent(shard, "s" * 32, seq, name, 1_790_000_000_000 + seq, body)


def events(first: int, count: int, **more: object) -> list[SpooledEvent]:
    return [event(seq, **more) for seq in range(first, first + count)]  # type: ignore[arg-type]


any_event = st.builds(
    SpooledEvent,
    st.integers(0, 2**32 - 1),
    st.text(max_size=40),
    st.integers(0, 2**64 - 1),
    st.text(max_size=40),
    st.integers(0, 2**64 - 1),
    st.binary(max_size=300),
)


class RecordTests(SynchronousTestCase):
    """The bytes of a record."""

    @given(st.lists(any_event, max_size=5))
    def test_what_is_written_is_read(self, written: list[SpooledEvent]) -> None:
        """Any numbers, names and bytes come back as they were."""
        data = b"".join(map(encode, written))
        self.assertEqual([found.event for found in records(data)], written)
        self.assertEqual([found.skipped for found in records(data)], [0] * len(written))

    @given(any_event, st.data())
    def test_half_a_record_is_none(self, one: SpooledEvent, data: st.DataObject) -> None:
        """A record that was cut anywhere is not believed, and how much is missing can be told."""
        whole = encode(one)
        cut = data.draw(st.integers(0, len(whole) - 1))
        self.assertEqual(list(records(whole[:cut])), [])
        self.assertGreater(missing(whole[:cut], 0), 0)
        self.assertEqual(missing(whole, 0), 0)

    @given(st.lists(any_event, min_size=3, max_size=3), st.data())
    def test_damage_costs_only_what_it_hit(self, written: list[SpooledEvent], data: st.DataObject) -> None:
        """A changed byte in the second record leaves the first and the third."""
        first, second, third = map(encode, written)
        place = data.draw(st.integers(0, len(second) - 1))
        broken = bytearray(second)
        broken[place] ^= data.draw(st.integers(1, 255))
        found = [item.event for item in records(first + bytes(broken) + third)]
        self.assertEqual(found, [written[0], written[2]])

    def test_size(self) -> None:
        """The size can be foreseen."""
        self.assertEqual(size_of(event(7)), len(encode(event(7))))


class SpoolTestCase(SynchronousTestCase):
    """A spool in a folder of its own."""

    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="rateway-spool-"))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.folder = self.root / "spool"

    def open(self, limit: int = MIB, segment_size: int = 4096) -> Spool:
        return Spool.open(self.folder, limit, segment_size)

    def read_all(self, spool: Spool, limit: int = 1000) -> list[SpooledEvent]:
        """Read and confirm, piece by piece."""
        found: list[SpooledEvent] = []
        while piece := spool.read(limit):
            found += [item for _, item in piece]
            spool.confirm(piece[-1][0])
        return found

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


class QueueTests(SpoolTestCase):
    """First in, first out, on disk."""

    def test_in_order(self) -> None:
        """What is appended is read in order, over many files; nothing is left when all is confirmed."""
        spool = self.open()
        for first in range(0, 500, 10):
            spool.append(events(first, 10))
        self.assertGreater(len(self.files()), 5)
        self.assertEqual(self.read_all(spool), events(0, 500))
        self.assertEqual((self.files(), spool.size, spool.is_empty), ([], 0, True))

    def test_modes(self) -> None:
        """Nobody else may look: folder 0700, files 0600."""
        spool = self.open()
        spool.append(events(0, 200))
        spool.confirm(spool.read(1)[0][0])
        self.assertEqual(stat.S_IMODE(self.folder.stat().st_mode), FOLDER_MODE)
        self.assertIn("head", self.files())
        for path in self.folder.iterdir():
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), FILE_MODE, path.name)

    def test_files_go_as_they_are_confirmed(self) -> None:
        """A file is deleted once all of it is confirmed, not before."""
        spool = self.open()
        spool.append(events(0, 100))
        spool.append(events(100, 100))
        before = self.files()
        piece = spool.read(MIB)
        spool.confirm(piece[10][0])
        self.assertEqual(self.files(), sorted([*before, "head"]))
        spool.confirm(piece[150][0])
        self.assertEqual(len(self.files()), 2)
        self.assertLess(spool.size, MIB // 2)

    def test_taken_is_not_read_again(self) -> None:
        """What is in memory too is only kept, for a crash; what follows on disk alone is read."""
        spool = self.open()
        last = spool.append(events(0, 5), taken=True)
        spool.append(events(5, 5))
        self.assertEqual([item.seq for _, item in spool.read(MIB)], [5, 6, 7, 8, 9])
        self.assertFalse(spool.is_empty)
        spool.confirm(last)
        spool.confirm(last + 5)
        self.assertEqual((self.files(), spool.is_empty), ([], True))

    def test_taken_behind_unread_is_a_bug(self) -> None:
        """Memory can't come behind the disk, or the order would be lost."""
        spool = self.open()
        spool.append(events(0, 5))
        self.assertRaises(ValueError, spool.append, events(5, 5), taken=True)

    def test_a_long_event(self) -> None:
        """One that is longer than what is read at once."""
        spool = self.open(limit=8 * MIB)
        long = event(2, body=b"x" * 2 * MIB)
        spool.append([event(1), long, event(3)])
        self.assertEqual(self.read_all(spool), [event(1), long, event(3)])

    def test_nothing(self) -> None:
        """Nothing appended leaves nothing behind."""
        spool = self.open()
        self.assertEqual((spool.append([]), spool.read(MIB), self.files()), (0, [], []))


class BoundTests(SpoolTestCase):
    """The limit and the disk."""

    def test_limit(self) -> None:
        """Beyond the limit nothing is written, and what there is stays whole; room comes with confirms."""
        spool = self.open(limit=10_000)
        spool.append(events(0, 60))
        error = self.assertRaises(SpoolFull, spool.append, events(60, 60))
        self.assertIn("SPOOL_LIMIT", str(error))
        piece = spool.read(MIB)
        self.assertEqual([item for _, item in piece], events(0, 60))
        spool.confirm(piece[-1][0])
        spool.append(events(60, 60))
        self.assertEqual(self.read_all(spool), events(60, 60))

    def test_full_disk(self) -> None:
        """A disk that takes half of a batch takes none of it."""
        spool = self.open()
        spool.append(events(0, 10))
        write = os.pwrite

        def half(fd: int, data: bytes, at: int) -> int:
            if len(data) > 200:
                return write(fd, data[:150], at)
            raise OSError(errno.ENOSPC, "No space left on device")

        with mock.patch("os.pwrite", half):
            error = self.assertRaises(SpoolFull, spool.append, events(10, 10))
        self.assertIn("No space left", str(error))
        spool.append(events(20, 10))
        self.assertEqual(self.read_all(spool), [*events(0, 10), *events(20, 10)])

    def test_full_disk_at_a_new_file(self) -> None:
        """Not even an empty file is left."""
        spool = self.open()
        with mock.patch("os.pwrite", side_effect=OSError(errno.ENOSPC, "No space left on device")):
            self.assertRaises(SpoolFull, spool.append, events(0, 1))
        self.assertEqual((self.files(), spool.size), ([], 0))

    def test_tidying_fails(self) -> None:
        """Confirms never fail: what can't be noted is read twice after a crash."""
        spool = self.open()
        spool.append(events(0, 10))
        piece = spool.read(MIB)
        with mock.patch("os.open", side_effect=OSError(errno.EIO, "Input/output error")):
            spool.confirm(piece[3][0])
        self.assertEqual([item for _, item in self.open().read(MIB)], events(0, 10))

    def test_room_before_the_head(self) -> None:
        """A disk without room for the head gets its room back file by file; that is said once, not at each confirm."""
        spool = self.open()
        for first in range(0, 300, 100):
            spool.append(events(first, 100))
        before = spool.size
        piece = spool.read(MIB)
        opening = os.open

        def refusing(path: str, *arguments: int) -> int:
            if str(path).endswith("head"):
                raise OSError(errno.ENOSPC, "No space left on device")
            return opening(path, *arguments)

        with mock.patch("os.open", refusing), mock.patch.object(Spool, "_log") as log:
            for index, _ in piece[:250]:
                spool.confirm(index)
        self.assertLess(spool.size, before // 2)
        self.assertEqual(log.warn.call_count, 1)
        self.assertEqual([item for _, item in self.open().read(MIB)][-50:], events(250, 50))

    def test_unusable_folder(self) -> None:
        """A file in its place is the operator's to move."""
        self.folder.write_text("")
        self.assertIn("can't be used", str(self.assertRaises(ConfigError, self.open)))


class CrashTests(SpoolTestCase):
    """What the next process finds."""

    def test_unconfirmed_comes_again(self) -> None:
        """What was read and not confirmed is there; what was confirmed is not."""
        spool = self.open()
        spool.append(events(0, 100))
        piece = spool.read(MIB)
        spool.confirm(piece[41][0])
        again = self.open()
        self.assertEqual(again.unread, 58)
        self.assertEqual(self.read_all(again), events(42, 58))

    def test_torn_tail(self) -> None:
        """A record half written is cut off, wherever it was torn; what comes after is whole."""
        whole = encode(event(10))
        for cut in range(1, len(whole)):
            shutil.rmtree(self.folder, ignore_errors=True)
            self.open().append(events(0, 10))
            path = self.folder / self.files()[0]
            with path.open("ab") as file:
                file.write(whole[:cut])
            spool = self.open()
            spool.append(events(11, 2))
            self.assertEqual(self.read_all(spool), [*events(0, 10), *events(11, 2)])
        self.assertEqual(spool.damaged, 0)

    def test_file_just_begun(self) -> None:
        """A crash between making a file and writing its first bytes."""
        self.open().append(events(0, 3))
        (self.folder / "events-0000000002.spool").write_bytes(HEADER[:5])
        spool = self.open()
        spool.append(events(3, 1))
        self.assertEqual(self.read_all(spool), events(0, 4))

    def test_mark_of_another_day(self) -> None:
        """A head that points nowhere, or is no head, counts for nothing."""
        for content in (b"", b"junk", b"\0" * 20, b"\xff" * 20):
            shutil.rmtree(self.folder, ignore_errors=True)
            self.open().append(events(0, 3))
            (self.folder / "head").write_bytes(content)
            self.assertEqual(self.read_all(self.open()), events(0, 3))

    def test_damage_is_said(self) -> None:
        """A byte that changed on disk costs its event, and that is logged and counted."""
        self.open().append(events(0, 10))
        path = self.folder / self.files()[0]
        data = bytearray(path.read_bytes())
        data[len(HEADER) + len(encode(event(0))) + 30] ^= 1
        path.write_bytes(data)
        spool = self.open()
        self.assertEqual(self.read_all(spool), [event(0), *events(2, 8)])
        self.assertEqual(spool.damaged, len(encode(event(1))))

    def test_a_file_damaged_from_the_start_of_its_records(self) -> None:
        """Nothing of a file can be read: the next file is."""
        spool = self.open(segment_size=1)
        for seq in range(3):
            spool.append([event(seq)])
        path = self.folder / self.files()[1]
        path.write_bytes(HEADER + b"x" * 50)
        self.assertEqual(self.read_all(self.open()), [event(0), event(2)])

    def test_gone_while_running(self) -> None:
        """Damage that comes after the opening ends, and is no endless loop."""
        spool = self.open()
        spool.append(events(0, 3))
        path = self.folder / self.files()[0]
        path.write_bytes(HEADER + b"x" * (path.stat().st_size - len(HEADER)))
        self.assertEqual((spool.read(MIB), spool.unread), ([], 0))
        self.assertGreater(spool.damaged, 0)

    def test_deleted_while_running(self) -> None:
        """A file that somebody deletes takes its events along, and no others; that is said."""
        spool = self.open(segment_size=1)
        for seq in range(3):
            spool.append([event(seq)])
        (self.folder / self.files()[1]).unlink()
        with mock.patch.object(Spool, "_log") as log:
            self.assertEqual([item for _, item in spool.read(MIB)], [event(0), event(2)])
        self.assertEqual((log.critical.call_count, spool.damaged), (1, len(encode(event(1)))))
        self.assertEqual((spool.unread, spool.read(MIB)), (0, []))

    def test_the_last_one_deleted_while_running(self) -> None:
        """What comes then goes into a new one."""
        spool = self.open()
        spool.append(events(0, 3))
        (self.folder / self.files()[0]).unlink()
        spool.append(events(3, 3))
        with mock.patch.object(Spool, "_log"):
            self.assertEqual([item for _, item in spool.read(MIB)], events(3, 3))
        spool.confirm_taken()
        self.assertEqual((self.files(), spool.is_empty), ([], True))

    def test_unreadable_for_a_while(self) -> None:
        """What can't be read just now is neither lost nor passed over."""
        spool = self.open(segment_size=1)
        for seq in range(3):
            spool.append([event(seq)])
        read, refused = Segment.read, iter((False, True, True))

        def reading(segment: Segment, start: int, count: int) -> bytes:
            if next(refused, False):
                raise OSError(errno.EMFILE, "Too many open files")
            return read(segment, start, count)

        with mock.patch.object(Segment, "read", reading), mock.patch.object(Spool, "_log") as log:
            self.assertEqual([item for _, item in spool.read(MIB)], [event(0)])
            self.assertEqual((spool.read(MIB), spool.unread, spool.damaged), ([], 2, 0))
            self.assertEqual([item for _, item in spool.read(MIB)], [event(1), event(2)])
        self.assertEqual((log.warn.call_count, log.critical.call_count), (1, 0))

    def test_after_a_power_cut(self) -> None:
        """Files that the disk had made but not written hold no event, wherever they are; those after them do."""
        spool = self.open(segment_size=1)
        for seq in range(6):
            spool.append([event(seq)])
        paths = [self.folder / name for name in self.files()]
        for path, left in ((paths[1], b""), (paths[2], HEADER[:3]), (paths[3], bytes(paths[3].stat().st_size))):
            path.write_bytes(left)
        with mock.patch.object(Spool, "_log") as log:
            again = self.open()
            self.assertEqual(again.unread, 3)
            self.assertEqual([item for _, item in again.read(MIB)], [event(0), event(4), event(5)])
        self.assertEqual(log.critical.call_count, 1)

    def test_a_damaged_beginning(self) -> None:
        """A file whose first bytes are no version at all is no other version's: its records are read."""
        self.open().append(events(0, 3))
        path = self.folder / self.files()[0]
        path.write_bytes(b"x" + path.read_bytes()[1:])
        self.assertEqual(self.read_all(self.open()), events(0, 3))

    def test_another_version(self) -> None:
        """Events of another version are not thrown away: the operator hears what to do."""
        self.open().append(events(0, 3))
        path = self.folder / self.files()[0]
        path.write_bytes(path.read_bytes().replace(b"spool 1", b"spool 9"))
        self.assertIn("another version", str(self.assertRaises(ConfigError, self.open)))

    def test_strangers_in_the_folder(self) -> None:
        """Other files are let alone."""
        self.open().append(events(0, 3))
        (self.folder / "events-x.spool").write_text("mine")
        self.assertEqual(self.read_all(self.open()), events(0, 3))
        self.assertEqual(self.files(), ["events-x.spool"])

    def test_synced(self) -> None:
        """Each file that was written since the last time, and the folder."""
        spool = self.open()
        for first in range(0, 100, 50):
            spool.append(events(first, 50))
        synced = 0

        def count(fd: int) -> None:
            nonlocal synced
            synced += 1

        with mock.patch("os.fdatasync", count), mock.patch("os.fsync"):
            spool.sync()
            spool.sync()
        self.assertEqual(synced, len(self.files()))

    def test_a_disk_that_fails(self) -> None:
        """What it refused to hold is tried again the next time."""
        spool = self.open()
        spool.append(events(0, 5))
        for place in ("os.fdatasync", "os.fsync"):
            with mock.patch(place, side_effect=OSError(errno.EIO, "Input/output error")):
                self.assertRaises(OSError, spool.sync)
            self.assertTrue(spool.is_dirty)
        spool.sync()
        self.assertFalse(spool.is_dirty)

    def test_synced_while_deleted(self) -> None:
        """A file that was confirmed meanwhile needs no syncing."""
        spool = self.open()
        spool.append(events(0, 5))
        Segment.all_in(self.folder)[0].delete()
        spool.sync()


class Model(RuleBasedStateMachine):
    """A list, against a spool whose process dies now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="rateway-spool-"))
        self.open: list[tuple[int, SpooledEvent]] = []
        self.waiting: list[SpooledEvent] = []
        self.seq = 0
        self.spool = self.fresh()

    def fresh(self) -> Spool:
        return Spool.open(self.root / "spool", 3000, 700)

    def make(self, count: int) -> list[SpooledEvent]:
        made = events(self.seq, count)
        self.seq += count
        return made

    @rule(count=st.integers(0, 12))
    def append(self, count: int) -> None:
        made = self.make(count)
        try:
            self.spool.append(made)
        except SpoolFull:
            return
        self.waiting += made

    @precondition(lambda self: not self.waiting)
    @rule(count=st.integers(0, 12))
    def append_taken(self, count: int) -> None:
        made = self.make(count)
        try:
            last = self.spool.append(made, taken=True)
        except SpoolFull:
            return
        self.open += list(zip(range(last - count + 1, last + 1), made, strict=True))

    @rule(limit=st.integers(1, 800))
    def read(self, limit: int) -> None:
        piece = self.spool.read(limit)
        assert [item for _, item in piece] == self.waiting[: len(piece)]
        assert bool(piece) == bool(self.waiting)
        del self.waiting[: len(piece)]
        self.open += piece

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        upto = data.draw(st.integers(0, len(self.open) - 1))
        self.spool.confirm(self.open[upto][0])
        del self.open[: upto + 1]

    @rule(torn=st.integers(0, 60))
    def crash(self, torn: int) -> None:
        files = Segment.all_in(self.root / "spool")
        if files:
            with files[-1].path.open("ab") as file:
                file.write(encode(event(1))[:torn])
        self.waiting = [item for _, item in self.open] + self.waiting
        self.open = []
        self.spool = self.fresh()

    @invariant()
    def bookkeeping(self) -> None:
        assert self.spool.unread == len(self.waiting)
        assert self.spool.is_empty == (not self.waiting and not self.open)
        assert self.spool.size <= 3000 + len(HEADER) * 10
        assert self.spool.size == sum(segment.size for segment in Segment.all_in(self.root / "spool"))
        assert self.spool.damaged == 0

    def teardown(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)


@contextmanager
def quiet() -> Iterator[None]:
    with mock.patch.object(Spool, "_log"):
        yield


class ModelTests(SynchronousTestCase):
    """Random appends, reads, confirms and crashes."""

    def test_same_as_a_list(self) -> None:
        """Whatever happens, what is unconfirmed is there, once and in order."""
        chosen = settings(max_examples=60, stateful_step_count=40, deadline=None)
        with quiet():
            run_state_machine_as_test(Model, settings=settings(chosen, suppress_health_check=list(HealthCheck)))
