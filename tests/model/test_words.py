"""Tests of the small words: opcodes, ids, sessions, kinds."""

from __future__ import annotations

from attrs.exceptions import FrozenInstanceError
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.model.kinds import KINDS
from rateway.model.opcodes import COMMANDS, MAX_PAYLOAD, Opcode
from rateway.model.session import Session
from rateway.model.snowflake import bot_of, created_ms, parse_id, shard_of

ids = st.integers(0, (1 << 64) - 1)
quick = settings(deadline=None, database=None)


class OpcodeTests(SynchronousTestCase):
    """What payloads are."""

    def test_numbers(self) -> None:
        """The documented opcodes; 5 and 12 are retired."""
        self.assertEqual(sorted(Opcode), [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 31, 43])

    def test_commands(self) -> None:
        """Bots may send presence, voice state, and the three requests; never what belongs to the shard's own life."""
        self.assertEqual(sorted(COMMANDS), [3, 4, 8, 31, 43])

    def test_limit(self) -> None:
        """Discord takes 4096 bytes."""
        self.assertEqual(MAX_PAYLOAD, 4096)


class IdTests(SynchronousTestCase):
    """Snowflakes."""

    @given(ids)
    @quick
    def test_both_forms(self, number: int) -> None:
        """An id is the same as an integer and as a string of digits."""
        self.assertEqual(parse_id(number), number)
        self.assertEqual(parse_id(str(number)), number)

    @given(
        st.booleans()
        | st.floats()
        | st.none()
        | st.binary()
        | st.lists(st.integers())
        | st.integers(max_value=-1)
        | st.integers(min_value=1 << 64)
        | st.integers(min_value=1 << 64).map(str)
        | st.text().filter(lambda text: not (text.isascii() and text.isdigit()))
    )
    @quick
    def test_anything_else(self, value: object) -> None:
        """Anything else is refused, also what Python would take for a number."""
        self.assertRaises(ValueError, parse_id, value)

    def test_lookalikes(self) -> None:
        """Signs, blanks, underscores, other scripts' digits and true are no ids."""
        for value in ("+1", "-1", " 1", "1_0", "", "٣", "1.0", "0" * 21, True, 1.0, str(1 << 64)):
            self.assertRaises(ValueError, parse_id, value)

    def test_created(self) -> None:
        """The example of Discord's docs: 175928847299117063 was made on 2016-04-30 at 11:18:25.796 UTC."""
        self.assertEqual(created_ms(175928847299117063), 1462015105796)

    def test_bot_of_a_token(self) -> None:
        """A token begins with its bot's id; what doesn't is nobody's."""
        self.assertEqual(bot_of("MTIzNDU2Nzg5.secret.more"), 123456789)
        self.assertEqual(bot_of("MTE5OTQ5NDM3NzA3Mjg4MTY2NA.x.y"), 1199494377072881664)
        for token in (
            "simulator-token",
            "",
            ".",
            "x.y",
            "MTIz",
            "ééé.y",
            "NDI=.x",
            "LTE.x",
            "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAx.x",
        ):
            self.assertEqual(bot_of(token), 42 if token.startswith("NDI") else 0, token)

    @given(ids, st.integers(1, 1000))
    @quick
    def test_shard_of(self, guild: int, total: int) -> None:
        """Every guild has a shard, by the formula of Discord's docs."""
        shard = shard_of(guild, total)
        self.assertTrue(0 <= shard < total)
        self.assertEqual(shard, (guild >> 22) % total)


class SessionTests(SynchronousTestCase):
    """The record that lets a connection go on."""

    session = Session("3a8c2fd0", "wss://gateway-us-east1-b.discord.gg", 7)

    def test_at(self) -> None:
        """The same session at another sequence is another value; the first stays as it was."""
        later = self.session.at(9)
        self.assertEqual(later, Session("3a8c2fd0", "wss://gateway-us-east1-b.discord.gg", 9))
        self.assertEqual(self.session.seq, 7)

    def test_frozen(self) -> None:
        """A session can't be changed behind somebody's back."""
        with self.assertRaises(FrozenInstanceError):
            self.session.seq = 8  # type: ignore[misc]

    def test_id_not_in_repr(self) -> None:
        """With its id and the token a session can be taken over: the id is not in what a log shows."""
        self.assertNotIn("3a8c2fd0", repr(self.session))


class KindTests(SynchronousTestCase):
    """What the cache can keep."""

    def test_requests(self) -> None:
        """Everything that can be asked for by itself can be chosen by that name."""
        asked = {"CurrentUser", "Guild", "GuildChannel", "PrivateChannel", "Emoji", "Member", "Message"}
        asked |= {"Presence", "Role", "User", "VoiceState"}
        self.assertEqual(asked - KINDS, set())
