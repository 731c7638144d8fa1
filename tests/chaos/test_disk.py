"""The small disk: full is full, and nothing of it stays behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from .disk import PREFIX, SmallDisk, sweep_stale

_LEAVE = """
import os, sys
from pathlib import Path
from tests.chaos.disk import SmallDisk
folder = Path(sys.argv[1] + str(os.getpid()) + "-x")
folder.mkdir()
print(folder / "disk" if SmallDisk(folder / "disk").mounted else "")
"""


def mounts() -> str:
    return Path("/proc/self/mounts").read_text()


class DiskTests(SynchronousTestCase):
    """Mounting one takes root."""

    def disk(self) -> tuple[Path, SmallDisk]:
        home = Path(self.mktemp()).resolve()
        home.mkdir()
        folder = home / "disk"
        disk = SmallDisk(folder)
        self.addCleanup(disk.remove)
        if not disk.mounted:
            raise SkipTest("only root may mount a disk")
        return folder, disk

    def test_full(self) -> None:
        """Not a byte more fits, until the ballast is thrown out; then the spools have room again."""
        folder, disk = self.disk()
        disk.hold_spools(folder.parent / "state", [1, 2])
        spool = folder.parent / "state" / "cluster-2" / "spool" / "file"
        disk.fill()
        self.assertEqual(disk.fillings, 1)
        self.assertEqual({path.name for path in folder.iterdir()}, {"1", "2", "ballast"})
        with self.assertRaises(OSError):
            spool.write_bytes(b"x" * 8192)
        disk.clear()
        spool.write_bytes(b"x" * 8192)
        self.assertEqual((folder / "2" / "file").stat().st_size, 8192)

    def test_not_full(self) -> None:
        """A disk that takes a block more is noticed: a fault that does nothing proves nothing."""
        _, disk = self.disk()
        self.patch(disk, "_take_all", lambda: None)
        self.assertRaises(AssertionError, disk.fill)
        self.assertEqual(disk.fillings, 0)

    def test_room_made_meanwhile(self) -> None:
        """Whoever deletes something while it is filled only has it filled once more."""
        folder, disk = self.disk()
        (folder / "file").write_bytes(b"x" * 8192)
        take_all, taken = disk._take_all, []

        def take() -> None:
            take_all()
            (folder / "file").unlink(missing_ok=True)
            taken.append(1)

        self.patch(disk, "_take_all", take)
        disk.fill()
        self.assertEqual((len(taken), disk.fillings), (2, 1))

    def test_removed(self) -> None:
        """Nothing is mounted any more, and its folder is gone."""
        folder, disk = self.disk()
        self.assertIn(str(folder), mounts())
        disk.remove()
        self.assertNotIn(str(folder), mounts())
        self.assertFalse(folder.exists())

    def test_left_by_a_dead_process(self) -> None:
        """The next one that needs a disk unmounts it."""
        home = Path(self.mktemp()).resolve()
        home.mkdir()
        stem = str(home / PREFIX)
        root = Path(__file__).resolve().parents[2]
        done = subprocess.run(
            [sys.executable, "-c", _LEAVE, stem], cwd=root, capture_output=True, text=True, check=True
        )
        left = done.stdout.strip()
        if not left:
            raise SkipTest("only root may mount a disk")
        self.assertIn(left, mounts())
        sweep_stale()
        self.assertNotIn(left, mounts())
