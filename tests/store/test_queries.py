"""Tests of the queries: their arguments, and the sentences for wrong ones."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.errors import RequestRefused
from rateway.store.queries import QUERIES, parse_query


class ParseTests(SynchronousTestCase):
    """From what a bot wrote to ids."""

    def refused(self, kind: object, arguments: object) -> str:
        """The sentence of a refusal."""
        return str(self.assertRaises(RequestRefused, parse_query, kind, arguments))

    def test_thirteen_types(self) -> None:
        """All types of the contract are there, with as many arguments as it says."""
        wanted = {
            "CurrentUser": 0,
            "Guild": 1,
            "GuildChannel": 1,
            "PrivateChannel": 1,
            "Emoji": 1,
            "Member": 2,
            "Message": 2,
            "Presence": 2,
            "Role": 1,
            "User": 1,
            "VoiceState": 2,
            "VoiceChannelStates": 1,
            "Group": 1,
        }
        self.assertEqual({kind: len(query.arguments) for kind, query in QUERIES.items()}, wanted)

    def test_ids(self) -> None:
        """Ids are integers, or strings of digits."""
        self.assertEqual(parse_query("Member", [1, "2"])[1], (1, 2))
        self.assertEqual(parse_query("CurrentUser", ())[1], ())

    def test_unknown_type(self) -> None:
        """A type that isn't one is named, and those that are."""
        self.assertIn("'Guilt' is no type of query", self.refused("Guilt", [1]))
        self.assertIn("VoiceChannelStates", self.refused("guild", [1]))
        kinds: list[object] = [None, 5, [], {}, ["Guild"], True, "x" * 10_000, "\ud800"]
        for kind in kinds:
            self.assertLess(len(self.refused(kind, [1])), 400)

    def test_wrong_number(self) -> None:
        """Too many or too few arguments are told, with what they should be."""
        self.assertEqual(self.refused("Member", [1]), "Member takes 2 (guild, user) as arguments, not 1")
        self.assertEqual(self.refused("CurrentUser", [1]), "CurrentUser takes none as arguments, not 1")
        self.assertIn("Guild takes 1 (guild)", self.refused("Guild", []))

    def test_no_list(self) -> None:
        """Arguments that are no list are refused."""
        for arguments in (None, 5, "12", b"12", {"guild": 1}, 1.5):
            self.assertEqual(self.refused("Guild", arguments), "the arguments of Guild must be a list")

    def test_no_ids(self) -> None:
        """What is no id is shown, shortened."""
        values: list[object] = [True, 1.0, None, -1, 1 << 64, "", "x", "-1", "1.0", [1], {}, "٣", "9" * 1000, " 1"]
        for value in values:
            self.assertIn("Guild:", self.refused("Guild", [value]))
        self.assertLess(len(self.refused("Role", ["9" * 100_000])), 200)

    @settings(deadline=None, database=None)
    @given(st.sampled_from(sorted(QUERIES)), st.lists(st.integers() | st.text() | st.none() | st.floats(), max_size=3))
    def test_anything(self, kind: str, arguments: list[object]) -> None:
        """Any list is either ids of the right number, or refused."""
        try:
            query, ids = parse_query(kind, arguments)
        except RequestRefused as refusal:
            self.assertTrue(str(refusal))
        else:
            self.assertEqual(len(ids), len(query.arguments))
            self.assertTrue(all(0 <= number < 1 << 64 for number in ids))
