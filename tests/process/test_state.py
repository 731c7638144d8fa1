from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from rateway.errors import ConfigError
from rateway.process.state import StateFolder

from .fakes import Heard


class StateFolderTests(SynchronousTestCase):
    """STATE_DIR, as far as the parent uses it."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute() / "deep" / "state"
        self.state = StateFolder(self.folder)

    def locked(self) -> StateFolder:
        self.state.lock()
        self.addCleanup(self.state.unlock)
        return self.state

    def test_the_folder_is_for_its_owner_alone(self) -> None:
        """Sessions and messages lie in it."""
        self.folder.mkdir(parents=True, mode=0o755)
        self.locked()
        self.assertEqual(stat.S_IMODE(self.folder.stat().st_mode), 0o700)

    def test_a_second_rateway_is_refused(self) -> None:
        """With the first one's process, and what to do."""
        self.locked()
        error = self.assertRaises(ConfigError, StateFolder(self.folder).lock)
        self.assertIn(f"process {os.getpid()}", str(error))
        self.assertIn(str(self.folder), str(error))

    def test_afterwards_it_is_free(self) -> None:
        """Whether it ended well or was killed."""
        self.state.lock()
        self.state.unlock()
        self.state.unlock()
        code = (
            f"import pathlib; from rateway.process.state import StateFolder as S; S(pathlib.Path({str(self.folder)!r}))"
            ".lock(); import os; os.kill(os.getpid(), 9)"
        )
        root = str(Path(__file__).resolve().parents[2])
        subprocess.run([sys.executable, "-c", code], cwd=root, check=False, timeout=60)
        self.locked()

    def test_a_folder_that_cant_be_made(self) -> None:
        """One sentence that names the setting."""
        self.folder.parent.parent.mkdir(parents=True)
        self.folder.parent.write_text("a file")
        error = self.assertRaises(ConfigError, self.state.lock)
        self.assertIn("STATE_DIR", str(error))
        self.assertEqual(str(error).count("\n"), 0)

    def test_a_full_disk(self) -> None:
        """Not even the process id has room: one sentence, and no lock is left."""
        with mock.patch("os.pwrite", side_effect=OSError(errno.ENOSPC, "No space left on device")):
            error = self.assertRaises(ConfigError, self.state.lock)
        self.assertIn(f"STATE_DIR: the folder {self.folder} can't be used (No space left on device)", str(error))
        self.locked()

    def test_things_in_the_way(self) -> None:
        """A folder where a file should be is an unusable lock, or an unreadable memory."""
        heard = Heard(self)
        for name in ("plan.json", "identify.json"):
            (self.folder / name).mkdir(parents=True)
        state = self.locked()
        self.assertEqual((state.remembered_total(), state.identify_snapshot()), (None, {"damaged": True}))
        state.remember_total(5)
        self.assertEqual(len(heard.texts("error")), 1)
        state.unlock()
        (self.folder / "lock").unlink()
        (self.folder / "lock").mkdir()
        self.assertIn("Is a directory", str(self.assertRaises(ConfigError, self.state.lock)))

    def test_the_total_is_remembered(self) -> None:
        """By the next run, in the same folder."""
        state = self.locked()
        self.assertIsNone(state.remembered_total())
        state.remember_total(40)
        self.assertEqual(StateFolder(self.folder).remembered_total(), 40)

    def test_a_broken_file_is_no_file(self) -> None:
        """Said once, and done without."""
        heard = Heard(self)
        state = self.locked()
        for content in (b"{", b"\xff", b"[]", b'{"total": "40"}', b'{"total": true}', b'{"total": 0}'):
            (self.folder / "plan.json").write_bytes(content)
            self.assertIsNone(state.remembered_total(), content)
        self.assertEqual(len(heard.texts("warn")), 2)

    def test_identify_times_are_kept(self) -> None:
        """Whatever the queue puts in."""
        state = self.locked()
        self.assertEqual(state.identify_snapshot(), {})
        state.keep_identify_snapshot({"recent": [[1, 2.5]], "reset_at": None})
        self.assertEqual(state.identify_snapshot(), {"recent": [[1, 2.5]], "reset_at": None})
        self.assertEqual(sorted(os.listdir(self.folder)), ["identify.json", "lock"])

    def test_files_are_private(self) -> None:
        """Whatever the umask says."""
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        state = self.locked()
        state.remember_total(4)
        state.keep_identify_snapshot({})
        self.assertEqual({stat.S_IMODE(path.stat().st_mode) for path in self.folder.iterdir()}, {0o600})

    def test_a_folder_that_cant_be_written_any_more(self) -> None:
        """Is said once, and doesn't stop a fleet."""
        heard = Heard(self)
        state = self.locked()
        (self.folder / "identify.json.new").mkdir()
        for _ in range(3):
            state.keep_identify_snapshot({})
        self.assertEqual(len(heard.texts("error")), 1)
        (self.folder / "identify.json.new").rmdir()
        state.keep_identify_snapshot({})
        (self.folder / "identify.json.new").mkdir()
        state.keep_identify_snapshot({})
        self.assertEqual(len(heard.texts("error")), 2)
