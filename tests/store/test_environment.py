"""Tests of what lies beneath: files, locks, file systems."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rateway.errors import ConfigError
from rateway.store.environment import Damaged, Environment
from rateway.store.filesystem import refuse_network, type_of
from rateway.store.lock import FolderLock, holder

ROOT = Path(__file__).resolve().parents[2]


def other_process(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Python, with our package, in a process of its own; its stdin ends it."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that the process says."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


class FileSystemTests(SynchronousTestCase):
    """Where a store can be."""

    def test_network_is_refused(self) -> None:
        """A folder on a network file system is refused, and the setting named."""
        for found in (0x6969, 0xFF534D42, 0x01021997):
            error = self.assertRaises(ConfigError, refuse_network, Path("/x"), found)
            self.assertIn("STATE_DIR: /x lies on a network file system", str(error))

    def test_local_is_fine(self) -> None:
        """A folder on a disk of this machine is fine; the kernel says what it is."""
        for found in (0xEF53, 0x58465342, 0x9123683E, 0x01021994, 0):
            refuse_network(Path("/x"), found)
        self.assertGreater(type_of(Path("/proc")), 0)
        self.assertEqual(type_of(Path("/proc")), 0x9FA0)
        self.assertEqual(type_of(Path("/no/such/place")), 0)


class LockTests(SynchronousTestCase):
    """One writer for each folder."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def test_one_at_a_time(self) -> None:
        """The lock is one's until it is let go."""
        self.assertIsNone(holder(self.folder))
        first = FolderLock.try_lock(self.folder)
        assert first is not None
        self.assertIsNone(FolderLock.try_lock(self.folder))
        self.assertEqual(holder(self.folder), os.getpid())
        first.release()
        first.release()
        second = FolderLock.try_lock(self.folder)
        assert second is not None
        second.release()

    def test_ends_with_its_process(self) -> None:
        """A process that is killed lets go."""
        code = """
import sys, pathlib
from rateway.store.lock import FolderLock
lock = FolderLock.try_lock(pathlib.Path(sys.argv[1]))
print(lock is not None, flush=True)
sys.stdin.read()
"""
        process = other_process(code, str(self.folder))
        with process:
            self.assertEqual(line_of(process), "True")
            self.assertIsNone(FolderLock.try_lock(self.folder))
            self.assertEqual(holder(self.folder), process.pid)
            process.kill()
        lock = FolderLock.try_lock(self.folder)
        assert lock is not None
        lock.release()


class EnvironmentTests(SynchronousTestCase):
    """LMDB's files."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute()

    def test_steps(self) -> None:
        """A large file grows by an eighth, and for the same work by twice as much each time; a small one by 16 MiB."""
        writer = Environment.for_writing(self.path, 1 << 20)
        self.addCleanup(writer.close)
        writer.grow()
        self.assertEqual(writer.size, 17 << 20)
        os.truncate(self.path / "data.mdb", 256 << 20)
        writer._env.set_mapsize(256 << 20)
        for times, size in ((0, 288), (1, 360), (2, 540)):
            writer.grow(times)
            self.assertEqual(writer.size, size << 20)

    def test_one_per_path(self) -> None:
        """Who opens the same path again gets the same environment, and it is closed with its last user."""
        self.assertIsNone(Environment.for_reading(self.path))
        writer = Environment.for_writing(self.path, 1 << 20)
        reader = Environment.for_reading(self.path)
        self.assertIs(reader, writer)
        writer.close()
        with writer.reading() as transaction:
            self.assertIsNone(transaction.get(b"x"))
        assert reader is not None
        reader.close()
        again = Environment.for_reading(self.path)
        assert again is not None
        self.assertIsNot(again, writer)
        again.close()

    def test_reader_becomes_writer(self) -> None:
        """A process that read a store may become its writer; who read goes on."""
        Environment.for_writing(self.path, 1 << 20).close()
        reader = Environment.for_reading(self.path)
        assert reader is not None
        writer = Environment.for_writing(self.path, 1 << 20)
        with writer.writing() as transaction:
            transaction.put(b"a", b"b")
        with reader.reading() as transaction:
            self.assertEqual(transaction.get(b"a"), b"b")
        writer.close()
        reader.close()

    def test_no_environment(self) -> None:
        """A file of something else is told from one of ours, and nothing stays open."""
        self.path.mkdir()
        (self.path / "data.mdb").write_bytes(b"nonsense" * 4096)
        self.assertRaises(Damaged, Environment.for_writing, self.path, 1 << 20)
        self.assertIsNone(Environment.for_reading(self.path))

    def test_set_aside(self) -> None:
        """An environment whose files were moved away is no longer the path's; one opened then is the new."""
        old = Environment.for_writing(self.path, 1 << 20)
        self.assertTrue(old.is_current())
        self.path.rename(self.path.with_suffix(".aside"))
        self.assertFalse(old.is_current())
        old.close()
        new = Environment.for_writing(self.path, 1 << 20)
        self.assertTrue(new.is_current())
        self.assertFalse(old.is_current())
        new.close()

    def test_reader_of_another_process(self) -> None:
        """Another process reads while this one writes and grows; once it is dead, its place is free again."""
        writer = Environment.for_writing(self.path, 1 << 20)
        self.addCleanup(writer.close)
        with writer.writing() as transaction:
            transaction.put(b"n", b"0")
        code = """
import sys, pathlib
from rateway.store.environment import Environment
reader = Environment.for_reading(pathlib.Path(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    with reader.reading() as transaction:
        print(transaction.get(b"n").decode(), flush=True)
        hold = reader.reading() if line == "hold\\n" else None
        if hold:
            sys.stdin.read()
"""
        process = other_process(code, str(self.path))
        with process:
            assert process.stdin is not None
            self.assertEqual(line_of(process), "ready")
            for number in range(1, 40):
                with writer.writing() as transaction:
                    transaction.put(b"n", b"%d" % number)
                if number % 4 == 0:
                    writer.grow()
                    with writer.writing() as transaction:
                        for key in range(2000):
                            transaction.put(b"%d %d" % (number, key), b"x" * 1000)
                process.stdin.write("go\n")
                process.stdin.flush()
                self.assertEqual(line_of(process), str(number))
            process.stdin.write("hold\n")
            process.stdin.flush()
            line_of(process)
            process.kill()
        readers = writer._env.readers()
        self.assertIn(str(process.pid), readers)
        writer.check_readers()
        self.assertNotIn(str(process.pid), writer._env.readers())
