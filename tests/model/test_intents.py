"""Tests of intents: the numbers, and reading them from text."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.model.intents import ALL, PRIVILEGED, Intent, names_of, parse_intents

UNDEFINED = (17, 18, 19, 22, 23, 26, 27, 31, 40, 60)


class IntentTests(SynchronousTestCase):
    """The bits."""

    def test_all(self) -> None:
        """All documented intents together make the documented number."""
        self.assertEqual(int(ALL), 53608447)

    def test_privileged(self) -> None:
        """So do the privileged, and all but these."""
        self.assertEqual(int(PRIVILEGED), 33026)
        self.assertEqual(int(ALL & ~PRIVILEGED), 53575421)

    def test_undefined_bits(self) -> None:
        """Bits that Discord has not defined are in none."""
        for bit in UNDEFINED:
            self.assertFalse(int(ALL) & 1 << bit, bit)


class ParseIntentsTests(SynchronousTestCase):
    """From text."""

    @given(st.sets(st.sampled_from(list(Intent))))
    @settings(deadline=None, database=None)
    def test_number_and_names_agree(self, chosen: set[Intent]) -> None:
        """Any choice of intents reads the same from its number, and from its names in any order."""
        value = sum(chosen)
        self.assertEqual(parse_intents(str(value)), value)
        names = names_of(value)
        self.assertEqual(set(names), {intent.name for intent in chosen})
        if names:
            self.assertEqual(parse_intents(" , ".join(reversed(names)).lower()), value)

    def test_old_names(self) -> None:
        """Names that Discord has replaced are still known."""
        self.assertEqual(parse_intents("GUILD_BANS"), Intent.GUILD_MODERATION)
        self.assertEqual(parse_intents("GUILD_EMOJIS_AND_STICKERS"), Intent.GUILD_EXPRESSIONS)

    def test_plain_number(self) -> None:
        """The result is a plain number, fit for JSON."""
        for text in "1", "GUILDS":
            self.assertIs(type(parse_intents(text)), int)

    def test_no_intents(self) -> None:
        """A bot may want no intents at all, but must say so."""
        self.assertEqual(parse_intents("0"), 0)
        for text in "", " ", ",", " , ":
            self.assertRaisesRegex(ValueError, "no intent is given", parse_intents, text)

    def test_undefined_bits(self) -> None:
        """A number with a bit that is no intent is refused, and the bit named."""
        for bit in UNDEFINED:
            error = self.assertRaises(ValueError, parse_intents, str(1 | 1 << bit))
            self.assertIn(f"({1 << bit})", str(error))

    def test_unknown_name(self) -> None:
        """An unknown name is refused, with the one that was probably meant."""
        error = self.assertRaises(ValueError, parse_intents, "GUILDS,GUILD_MEMBER")
        self.assertEqual(str(error), "GUILD_MEMBER is no intent of Discord's (the nearest is GUILD_MEMBERS)")

    def test_strange_text(self) -> None:
        """What looks neither like a number nor like a name is refused without repeating it."""
        for text in "-1", "0x201", "1.5", "٣", "9" * 30, "abc.def", "amqp://u:pass@h":
            error = self.assertRaises(ValueError, parse_intents, text)
            self.assertEqual(str(error), "it is neither a number nor names joined by commas (GUILDS,GUILD_MESSAGES)")
