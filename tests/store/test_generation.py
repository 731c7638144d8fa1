"""Tests of how a process learns that another began a store anew."""

from __future__ import annotations

import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rateway.store.generation import FILE, Generation, advance


class GenerationTests(SynchronousTestCase):
    """A folder with stores, and two who read them."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.one, self.other = Generation(self.folder), Generation(self.folder)

    def test_nothing_begun(self) -> None:
        """Where no store was ever begun, nothing changed."""
        self.assertFalse(self.one.has_changed())

    def test_each_reader_is_told_once(self) -> None:
        """Each reader learns of each beginning, and is not told again."""
        for _ in range(3):
            advance(self.folder)
            self.assertEqual([self.one.has_changed(), self.one.has_changed()], [True, False])
        self.assertEqual([self.other.has_changed(), self.other.has_changed()], [True, False])

    def test_several_at_once(self) -> None:
        """Of several beginnings since the last look none is missed."""
        advance(self.folder)
        self.assertTrue(self.one.has_changed())
        for _ in range(5):
            advance(self.folder)
        self.assertTrue(self.one.has_changed())

    def test_deleted(self) -> None:
        """Who deletes the file makes readers look anew; it begins again."""
        advance(self.folder)
        self.assertTrue(self.one.has_changed())
        (self.folder / FILE).unlink()
        self.assertTrue(self.one.has_changed())
        advance(self.folder)
        self.assertTrue(self.one.has_changed())

    def test_mode(self) -> None:
        """Nobody else may touch it."""
        advance(self.folder)
        self.assertEqual(stat.S_IMODE((self.folder / FILE).stat().st_mode), 0o600)
