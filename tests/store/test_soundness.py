"""Tests of the look at a store's rows: it sees what is wrong."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rateway.store import keys

from . import samples as s
from .soundness import faults
from .stores import dispatch, feed, open_store, rows
from .test_kinds import EVENTS

STRAY = {
    keys.overlay(s.GUILD, 5): b"{}",
    keys.thread_member(s.GUILD, 5, 6): b"{}",
    keys.member_count(s.OTHER): keys.number(1),
    keys.presence(s.OTHER, 5): b"{}",
    keys.user(5): keys.number(1) + b"{}",
    keys.reference(5, s.GUILD): b"",
    keys.NAMES + b"ghos" + keys.number(5): b"",
    keys.message_count(s.GUILD, 5): (1).to_bytes(4, "big"),
    keys.in_voice(s.VOICE, 5): keys.number(s.GUILD),
    keys.invite_pointer("none"): keys.number(s.GUILD),
}
"""Rows that hang on nothing."""


class SoundnessTests(SynchronousTestCase):
    """A guild with one of everything."""

    def setUp(self) -> None:
        store = open_store(Path(self.mktemp()).absolute() / "cluster-1", messages=5)
        self.addCleanup(store.close)
        nick = ("GUILD_MEMBER_UPDATE", s.member(nick="Ali") | {"guild_id": str(s.GUILD)})
        feed(store, *(dispatch(seq, *event) for seq, event in enumerate((*EVENTS, nick), start=1)))
        self.rows = rows(store)

    def test_sound(self) -> None:
        """As it is, nothing is wrong."""
        self.assertEqual(faults(self.rows), [])

    def test_stray_row(self) -> None:
        """One row too many."""
        for key, row in STRAY.items():
            self.assertNotIn(key, self.rows)
            self.assertTrue(faults(self.rows | {key: row}), key)

    def test_row_too_few(self) -> None:
        """Without any one of the rows that others need; the bot is known for more than one reason."""
        kinds = b"g" + b"MUmQqLNnWwFf" + b"".join(table.kind + table.pointer_kind for table in keys.TABLES)
        tried = set()
        for key in self.rows:
            if key[0] in kinds and key != keys.reference(s.BOT, 0):
                tried.add(key[:1])
                self.assertTrue(faults({k: row for k, row in self.rows.items() if k != key}), key)
        self.assertEqual(tried, {bytes((kind,)) for kind in kinds})
