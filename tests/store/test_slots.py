"""What survives a power cut: two slots, written in turn."""

from __future__ import annotations

import errno
import shutil
import stat
import tempfile
from pathlib import Path
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.model.session import Session
from rateway.store.slots import Slots, read_slots

ONE, TWO = Session("one", "wss://r.example", 7), Session("two", "wss://s.example", 9)
SHARDS = range(8, 16)
FULL = OSError(errno.ENOSPC, "No space left on device")


class SlotTests(SynchronousTestCase):
    """Writing in turn, reading the newer."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rateway-slots-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def slots(self) -> Slots:
        return Slots(self.folder, 32, SHARDS, 513)

    def read(self, total: int = 32, shards: range = SHARDS, intents: int = 513) -> dict[int, Session]:
        return read_slots(self.folder, total, shards, intents)

    def test_the_newer_counts(self) -> None:
        """Each writing goes to the other file; a new process goes on counting."""
        self.assertEqual(self.read(), {})
        slots = self.slots()
        slots.write({8: ONE})
        slots.write({8: TWO})
        self.assertEqual(self.read(), {8: TWO})
        self.slots().write({8: ONE, 9: TWO})
        self.assertEqual(self.read(), {8: ONE, 9: TWO})
        files = sorted(self.folder.iterdir())
        self.assertEqual([path.name for path in files], ["sessions.0", "sessions.1"])
        self.assertEqual({stat.S_IMODE(path.stat().st_mode) for path in files}, {0o600})

    @settings(deadline=None)
    @given(st.integers(0, 400), st.binary(max_size=4))
    def test_torn_while_written(self, length: int, junk: bytes) -> None:
        """Whatever became of the one that was being written, the other one is read."""
        slots = self.slots()
        slots.write({8: ONE})
        slots.write({8: TWO})
        newest = max(self.folder.iterdir(), key=lambda path: b'"two"' in path.read_bytes())
        whole = newest.read_bytes()
        newest.write_bytes(whole[:length] + junk)
        expected = TWO if newest.read_bytes() == whole else ONE
        self.assertEqual(self.read(), {8: expected})

    def test_a_full_disk(self) -> None:
        """However often writing fails, one slot stays whole; and what has its room on the disk needs no more."""
        slots = self.slots()
        slots.write({8: ONE})
        slots.write({8: TWO})
        for refusal in ({"side_effect": FULL}, {"return_value": 20}):
            for _ in range(3):
                with mock.patch("os.pwrite", **refusal):
                    self.assertRaises(OSError, slots.write, {8: ONE})
                self.assertEqual(self.read(), {8: TWO})
        with mock.patch("os.ftruncate") as cut:
            slots.write({8: ONE.at(8)})
        self.assertEqual(self.read(), {8: ONE.at(8)})
        self.assertGreater(cut.call_args[0][1], 0)
        slots.write({})
        self.assertEqual(self.read(), {})

    def test_of_other_shards_or_intents(self) -> None:
        """They are of no use: a RESUME changes neither."""
        self.slots().write({8: ONE})
        self.assertEqual(self.read(total=16), {})
        self.assertEqual(self.read(shards=range(8)), {})
        self.assertEqual(self.read(intents=1), {})

    def test_never_from_the_beginning(self) -> None:
        """A session that nothing is kept of can't be resumed."""
        self.slots().write({8: ONE.at(0)})
        self.assertEqual(self.read(), {})

    def test_of_another_version(self) -> None:
        """A layout that isn't known is not guessed at."""
        self.slots().write({8: ONE})
        for path in self.folder.iterdir():
            path.write_bytes(b"00000000\n{}")
        self.assertEqual(self.read(), {})
