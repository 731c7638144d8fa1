"""The spools of a cluster: its own, and what clusters that are no more have left."""

from __future__ import annotations

import errno
import shutil
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from attrs import evolve
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rateway.cluster.spools import LEAST_MEMORY, MEMORY, MOST_MEMORY, Spools, open_spools
from rateway.config import Config
from rateway.errors import ConfigError
from rateway.model.plan import make_plan
from rateway.spool.record import SpooledEvent
from rateway.spool.spool import Spool
from rateway.store.lock import FolderLock

LIMIT = 1024 * 1024


def event(seq: int, shard: int = 0, size: int = 10) -> SpooledEvent:
    return SpooledEvent(shard, "s", seq, "X", 0, b"x" * size)


class SpoolsTests(SynchronousTestCase):
    """A STATE_DIR with spools in it."""

    def setUp(self) -> None:
        self.state_dir = Path(tempfile.mkdtemp(prefix="rateway-spools-"))
        self.addCleanup(shutil.rmtree, self.state_dir, ignore_errors=True)
        self.config = Config(token="t.o.k", intents=1, amqp_uri="amqp://h", state_dir=self.state_dir, spool_limit=LIMIT)
        self.log: list[tuple[LogLevel, str]] = []
        globalLogPublisher.addObserver(self.observe)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)  # type: ignore[arg-type]

    def observe(self, event: LogEvent) -> None:
        self.log.append((event["log_level"], formatEvent(event)))

    def texts(self, level: LogLevel) -> list[str]:
        return [text for found, text in self.log if found is level]

    def leave(self, cluster: int, first: int, count: int, name: str = "spool", size: int = 10) -> None:
        """What an earlier run's cluster had not got rid of."""
        folder = self.state_dir / f"cluster-{cluster}" / name
        Spool.open(folder, LIMIT * 4, 4096).append([event(seq, size=size) for seq in range(first, first + count)])

    def open(self, number: int = 1, clusters: int = 1, siblings: int = 1, **changes: Any) -> Spools:
        plan = make_plan(clusters, 1)
        (self.state_dir / f"cluster-{number}").mkdir(exist_ok=True)
        return open_spools(plan.clusters[number - 1], plan, evolve(self.config, **changes), siblings)

    def waiting(self, spools: Spools) -> list[int]:
        """The sequences of what will be published, in order."""
        found: list[int] = []
        while piece := spools.events.read(4096):
            found += [event.seq for _, event in piece]
            spools.events.confirm(piece[-1][0])
        return found

    def test_own(self) -> None:
        """What the cluster itself left comes again, with a line in the log."""
        self.leave(1, 1, 5)
        self.leave(1, 6, 2, "refused")
        spools = self.open()
        self.assertEqual((spools.events.unread, spools.refused.unread), (5, 2))
        self.assertIn("has 7 events of an earlier run on disk", self.texts(LogLevel.info)[0])
        self.assertEqual(spools.refused.limit, LIMIT // 4)

    def test_shared_memory(self) -> None:
        """The clusters of a process share its memory, within bounds."""
        for siblings, bytes_each in ((1, MOST_MEMORY), (8, MEMORY // 8), (1000, LEAST_MEMORY)):
            self.assertEqual(self.open(siblings=siblings).memory, bytes_each)

    def test_clusters_that_are_no_more(self) -> None:
        """Their events go to those that there are, by number, behind their own; nothing is left in their place."""
        for cluster in range(1, 6):
            self.leave(cluster, cluster * 10, 3)
        self.leave(4, 100, 2, "refused")
        got = {number: self.waiting(self.open(number, 2)) for number in (1, 2)}
        self.assertEqual(got, {1: [10, 11, 12, 30, 31, 32, 50, 51, 52], 2: [20, 21, 22, 40, 41, 42, 100, 101]})
        self.assertEqual([path for n in (3, 4, 5) for path in (self.state_dir / f"cluster-{n}").rglob("*.spool")], [])
        self.assertEqual(len(self.texts(LogLevel.warn)), 3)
        self.assertEqual([self.waiting(self.open(number, 2)) for number in (1, 2)], [[], []])

    def test_no_room(self) -> None:
        """What has no room stays where it is, in order, and comes at a start that has."""
        self.leave(1, 1, 4, size=LIMIT // 8)
        self.leave(2, 5, 6, size=LIMIT // 8)
        spools = self.open()
        self.assertIn("stay there until the next start: it holds", self.texts(LogLevel.error)[0])
        first = self.waiting(spools)
        self.assertTrue(4 <= len(first) < 10, first)
        rest = self.waiting(self.open())
        self.assertEqual(first + rest, [*range(1, 11)])

    def test_killed_amid(self) -> None:
        """A process that dies while it takes them in costs some of them a second delivery, and none its first."""
        size = LIMIT // 4
        for dies in range(1, 4):
            shutil.rmtree(self.state_dir)
            self.state_dir.mkdir()
            self.leave(1, 1, 2)
            self.leave(2, 3, 9, size=size)
            calls = 0
            confirm = Spool.confirm

            def dying(spool: Spool, index: int, dies: int = dies, confirm: Any = confirm) -> None:
                nonlocal calls
                calls += 1
                if calls == dies:
                    raise MemoryError("killed")
                confirm(spool, index)

            with mock.patch.object(Spool, "confirm", dying):
                self.assertRaises(MemoryError, self.open, spool_limit=LIMIT * 4)
            got = self.waiting(self.open(spool_limit=LIMIT * 8))
            self.assertEqual(set(got), set(range(1, 12)))
            self.assertEqual(list(dict.fromkeys(got)), [*range(1, 12)])
            self.assertGreater(len(got), 11)

    def test_power_cut_amid(self) -> None:
        """Before an event leaves its old place, the disk has the new one."""
        self.leave(2, 1, 5)
        order: list[str] = []
        confirm, sync = Spool.confirm, Spool.sync

        def syncing(spool: Spool) -> None:
            order.append("sync")
            sync(spool)

        def letting_go(spool: Spool, index: int) -> None:
            order.append("let go")
            confirm(spool, index)

        with mock.patch.object(Spool, "sync", syncing), mock.patch.object(Spool, "confirm", letting_go):
            self.open()
        self.assertEqual(order, ["sync", "let go"])

    def test_a_disk_that_fails_amid(self) -> None:
        """It is told, and they stay for the next start; the cluster starts all the same."""
        self.leave(2, 1, 5)
        with mock.patch("os.fdatasync", side_effect=OSError(errno.EIO, "Input/output error")):
            self.open()
        self.assertIn("Input/output error", self.texts(LogLevel.error)[0])
        self.assertEqual(set(self.waiting(self.open())), {1, 2, 3, 4, 5})

    def test_files_that_cannot_be_read_now(self) -> None:
        """They stay for the next start, every one."""
        self.leave(2, 1, 5)
        piece = OSError(errno.EMFILE, "Too many open files")
        with mock.patch.object(Spool, "_piece", side_effect=piece):
            self.open()
        self.assertIn("can't be read just now", self.texts(LogLevel.error)[0])
        self.assertEqual(self.waiting(self.open()), [1, 2, 3, 4, 5])

    def test_in_use(self) -> None:
        """A cluster that somebody still runs is let alone."""
        self.leave(2, 1, 5)
        lock = FolderLock.try_lock(self.state_dir / "cluster-2")
        assert lock is not None
        self.assertEqual(self.open().events.unread, 0)
        self.assertIn("is in use by another process", self.texts(LogLevel.warn)[0])
        lock.release()
        self.assertEqual(self.waiting(self.open()), [1, 2, 3, 4, 5])

    def test_another_version(self) -> None:
        """Events of a version that isn't known end the start with a sentence, wherever they lie."""
        for cluster in (1, 2):
            self.leave(cluster, 1, 1)
            (path,) = (self.state_dir / f"cluster-{cluster}" / "spool").glob("*.spool")
            good = path.read_bytes()
            path.write_bytes(good.replace(b"spool 1", b"spool 2"))
            error = self.assertRaises(ConfigError, self.open)
            self.assertIn(str(path), str(error))
            self.assertIn("another version", str(error))
            path.write_bytes(good)

    def test_a_file_in_the_way(self) -> None:
        """Where the spool's folder should be there is a file."""
        for name in ("spool", "refused"):
            folder = self.state_dir / "cluster-1"
            folder.mkdir(exist_ok=True)
            (folder / name).write_text("mine")
            error = self.assertRaises(ConfigError, self.open)
            self.assertIn(f"STATE_DIR: {folder / name} can't be used", str(error))
            (folder / name).unlink()
