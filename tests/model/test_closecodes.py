"""Tests of what close codes mean."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.model.closecodes import OwnClose, Verdict, close_reason
from rateway.model.intents import PRIVILEGED, names_of

RESUMED = (None, 1000, 1001, 1006, 1011, 1012, 4000, 4001, 4002, 4005, 4015, 4999)
IDENTIFIED = (4003, 4006, 4007)
FATAL = (4004, 4010, 4011, 4012, 4013, 4014)


class CloseReasonTests(SynchronousTestCase):
    """What follows each close of Discord's."""

    def test_resumed(self) -> None:
        """After most closes the session goes on, after a clean or an unknown one too."""
        for code in RESUMED:
            self.assertIs(close_reason(code).verdict, Verdict.RESUME, code)

    def test_resumed_later(self) -> None:
        """Having sent too much, the session goes on after a pause."""
        self.assertIs(close_reason(4008).verdict, Verdict.RESUME_LATER)

    def test_resumed_once(self) -> None:
        """A session that timed out is tried once more."""
        self.assertIs(close_reason(4009).verdict, Verdict.RESUME_ONCE)

    def test_identified(self) -> None:
        """Where the session is gone or its sequence wrong, a new one begins."""
        for code in IDENTIFIED:
            self.assertIs(close_reason(code).verdict, Verdict.IDENTIFY, code)

    def test_fatal(self) -> None:
        """What only a person can mend ends the bot, each with a remedy of its own."""
        remedies = {code: close_reason(code).remedy for code in FATAL}
        for code in FATAL:
            self.assertIs(close_reason(code).verdict, Verdict.FATAL, code)
        self.assertEqual(len(set(remedies.values()) - {""}), len(FATAL))

    def test_remedies_name_the_setting(self) -> None:
        """The remedy names the setting to change."""
        for code, setting in (
            (4004, "DISCORD_TOKEN"),
            (4010, "SHARDS_MULTIPLE"),
            (4011, "TOTAL_SHARDS"),
            (4013, "INTENTS"),
            (4014, "INTENTS"),
        ):
            self.assertIn(setting, close_reason(code).remedy)
        self.assertEqual(names_of(PRIVILEGED), ("GUILD_MEMBERS", "GUILD_PRESENCES", "MESSAGE_CONTENT"))

    def test_our_bugs(self) -> None:
        """What Discord objects to in our own sending is marked as a bug of ours, and nothing else is."""
        bugs = {code for code in (None, *range(1000, 1016), *range(4000, 5000)) if close_reason(code).our_bug}
        self.assertEqual(bugs, {4001, 4002, 4005, 4008})

    @given(st.none() | st.integers(0, 65_535))
    @settings(deadline=None, database=None)
    def test_every_code(self, code: int | None) -> None:
        """Every code has a meaning; only the documented ones end a session or the bot, and only those have remedies."""
        reason = close_reason(code)
        self.assertEqual(reason.code, code)
        self.assertTrue(reason.meaning)
        self.assertEqual(bool(reason.remedy), reason.verdict is Verdict.FATAL)
        if code not in (*IDENTIFIED, *FATAL, 4008, 4009):
            self.assertIs(reason.verdict, Verdict.RESUME)


class OwnCloseTests(SynchronousTestCase):
    """The codes we close with."""

    def test_only_the_final_one_ends_the_session(self) -> None:
        """1000 and 1001 end a session with Discord: none of ours is either, but the one that is meant to."""
        self.assertEqual([close for close in OwnClose if close in (1000, 1001)], [OwnClose.FINAL])

    def test_allowed_on_the_wire(self) -> None:
        """All others are of the range that applications may use, and none is a code of Discord's."""
        for close in set(OwnClose) - {OwnClose.FINAL}:
            self.assertTrue(4900 <= close <= 4999, close)
