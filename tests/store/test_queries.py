"""Tests of the queries: their arguments, and the sentences for wrong ones."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.errors import RequestRefused
from rateway.store.kinds import KINDS
from rateway.store.queries import LIMIT, MOST, QUERIES, SEARCH_LIMIT, SEARCH_MOST, parse_query

TAKES = {
    "CurrentUser": (0, 0),
    "Guild": (1, 1),
    "GuildChannel": (1, 1),
    "PrivateChannel": (1, 1),
    "Emoji": (1, 1),
    "Member": (2, 2),
    "Message": (2, 2),
    "Presence": (2, 2),
    "Role": (1, 1),
    "User": (1, 1),
    "VoiceState": (2, 2),
    "VoiceChannelStates": (1, 1),
    "Group": (1, 1),
    "Sticker": (1, 1),
    "StageInstance": (1, 1),
    "ScheduledEvent": (1, 1),
    "SoundboardSound": (1, 1),
    "AutoModerationRule": (1, 1),
    "ChannelInfo": (2, 2),
    "ThreadMembers": (1, 1),
    "GuildInvites": (1, 1),
    "Permissions": (2, 3),
    "GuildChannels": (1, 3),
    "GuildThreads": (1, 3),
    "GuildRoles": (1, 3),
    "GuildEmojis": (1, 3),
    "GuildStickers": (1, 3),
    "GuildMembers": (1, 3),
    "GuildPresences": (1, 3),
    "GuildVoiceStates": (1, 3),
    "GuildScheduledEvents": (1, 3),
    "GuildStageInstances": (1, 3),
    "GuildSoundboardSounds": (1, 3),
    "GuildIntegrations": (1, 3),
    "GuildAutoModerationRules": (1, 3),
    "ChannelMessages": (1, 3),
    "UserGuilds": (1, 3),
    "Guilds": (0, 2),
    "SearchMembers": (2, 3),
}
"""Type → the fewest and the most arguments."""


class ParseTests(SynchronousTestCase):
    """From what a bot wrote to values."""

    def refused(self, kind: object, arguments: object) -> str:
        """The sentence of a refusal."""
        return str(self.assertRaises(RequestRefused, parse_query, kind, arguments))

    def test_every_type(self) -> None:
        """All types are there, with as many arguments as the guide says."""
        found = {
            kind: (sum(not each.optional for each in query.arguments), len(query.arguments))
            for kind, query in QUERIES.items()
        }
        self.assertEqual(found, TAKES)

    def test_kinds_are_known(self) -> None:
        """Each is about kinds that a store can keep; but for groups, which nobody keeps."""
        kinds = {kind for name, query in QUERIES.items() if name != "Group" for kind in query.kinds}
        self.assertEqual(kinds - set(KINDS), set())
        for name, query in QUERIES.items():
            self.assertTrue(query.kinds, name)
            self.assertNotEqual(bool(query.attempts), query.steps is not None, name)

    def test_ids(self) -> None:
        """Ids are integers, or strings of digits."""
        self.assertEqual(parse_query("Member", [1, "2"]).values, (1, 2))
        self.assertEqual(parse_query("CurrentUser", ()).values, ())

    def test_left_out(self) -> None:
        """What may be left out has a default, and null is as good as nothing."""
        self.assertEqual(parse_query("GuildMembers", [1]).values, (1, -1, LIMIT))
        self.assertEqual(parse_query("GuildMembers", [1, "7"]).values, (1, 7, LIMIT))
        self.assertEqual(parse_query("GuildMembers", [1, None, MOST]).values, (1, -1, MOST))
        self.assertEqual(parse_query("Guilds", []).values, (-1, LIMIT))
        self.assertEqual(parse_query("Permissions", [1, 2]).values, (1, 2, None))
        self.assertEqual(parse_query("SearchMembers", [1, "Al"]).values, (1, "Al", SEARCH_LIMIT))

    def test_limits(self) -> None:
        """A limit is a number of at least one, and no more than an answer may hold."""
        values: list[object] = [0, -1, MOST + 1, True, "5", 1.0, [], {}]
        for value in values:
            self.assertEqual(
                self.refused("GuildMembers", [1, 2, value]).partition(" is ")[2],
                f"no limit: a limit is a number from 1 to {MOST}",
            )
        self.assertIn(f"from 1 to {SEARCH_MOST}", self.refused("SearchMembers", [1, "a", SEARCH_MOST + 1]))

    def test_prefixes(self) -> None:
        """A prefix is a text, and none longer than any name."""
        self.assertEqual(parse_query("SearchMembers", [1, ""]).values[1], "")
        for value in (5, None, ["a"], "x" * 101, True, "\ud800", "a\udfff"):
            self.assertIn("is no prefix", self.refused("SearchMembers", [1, value]))

    def test_unknown_type(self) -> None:
        """A type that isn't one is named, and those that are."""
        self.assertIn("'Guilt' is no type of query", self.refused("Guilt", [1]))
        self.assertIn("VoiceChannelStates", self.refused("guild", [1]))
        kinds: list[object] = [None, 5, [], {}, ["Guild"], True, "x" * 10_000, "\ud800"]
        for kind in kinds:
            self.assertLess(len(self.refused(kind, [1])), 700)

    def test_wrong_number(self) -> None:
        """Too many or too few arguments are told, with what they should be."""
        self.assertEqual(self.refused("Member", [1]), "Member takes 2 (guild, user) as arguments, not 1")
        self.assertEqual(self.refused("CurrentUser", [1]), "CurrentUser takes none as arguments, not 1")
        self.assertIn("Guild takes 1 (guild)", self.refused("Guild", []))
        self.assertEqual(
            self.refused("GuildMembers", []),
            "GuildMembers takes 1 to 3 (guild, after_user?, limit?) as arguments, not 0",
        )

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
    @given(
        st.sampled_from(sorted(QUERIES)),
        st.lists(st.integers() | st.text() | st.none() | st.floats() | st.lists(st.integers()), max_size=4),
    )
    def test_anything(self, kind: str, arguments: list[object]) -> None:
        """Any list is either values of the right number, each in its bounds, or refused."""
        try:
            question = parse_query(kind, arguments)
        except RequestRefused as refusal:
            self.assertTrue(str(refusal))
            return
        self.assertEqual(len(question.values), len(question.query.arguments))
        for argument, value in zip(question.query.arguments, question.values, strict=True):
            if value != argument.default:
                self.assertEqual(argument.parse(value), value)
