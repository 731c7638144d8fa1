"""Searching members by the beginning of a name, against going through all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ujson
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.cluster import bulk
from rateway.store import derived
from rateway.store.cache import Cache
from rateway.store.cluster import ClusterStore
from rateway.store.queries import parse_query

from . import samples as s
from .stores import dispatch, feed, open_store, rows
from .test_lists import listed, run

FIRST, SECOND = 1 << 22, 2 << 22
NAMES = (
    "anna",
    "Anna",
    "ANNABEL",
    "an",
    "a",
    "Ännchen",
    "Straße",
    "STRASSE",
    "ﬁsh",
    "Fish",
    "Ωmega",
    "zoë",
    "名前",
    "名",
)
PREFIXES = (
    "a",
    "AN",
    "anna",
    "annab",
    "annabella",
    "ä",
    "strass",
    "STRASSE",
    "straß",
    "fi",
    "ω",
    "z",
    "名",
    "名前",
    "x",
)


def begins(name: object, prefix: str) -> bool:
    """The rule, in one line."""
    return isinstance(name, str) and name.casefold().startswith(prefix.casefold())


def matches(member: dict[str, Any], prefix: str) -> bool:
    """Whether a member has a name that begins so."""
    user = member["user"]
    return any(begins(name, prefix) for name in (user["username"], user["global_name"], member.get("nick")))


class SearchTestCase(SynchronousTestCase):
    """A store with two guilds, that share some users."""

    def setUp(self) -> None:
        self.open()

    def open(self) -> ClusterStore:
        """Begin anew."""
        folder = Path(self.mktemp()).absolute()
        self.store = open_store(folder / "cluster-1")
        self.addCleanup(self.store.close)
        self.cache = Cache(folder, total=1, per_cluster=1, own={1: self.store}, enabled=True)
        self.addCleanup(self.cache.close)
        self.seq = 1
        feed(self.store, dispatch(1, "READY", s.ready(FIRST, SECOND)))
        for guild in (FIRST, SECOND):
            self.happens("GUILD_CREATE", s.bare_guild(guild, members=[]))
        return self.store

    def happens(self, name: str, d: dict[str, Any]) -> None:
        """An event."""
        self.seq += 1
        feed(self.store, dispatch(self.seq, name, d))

    def search(self, guild: int, prefix: str, *limit: int) -> list[int]:
        """The ids of those found."""
        found = listed(run(self.cache, "SearchMembers", guild, prefix, *limit)[0])
        for each in found:
            self.assertEqual(each, ujson.loads(self.cache.query("Member", [guild, each["user_id"]]) or b""))
        return [int(each["user_id"]) for each in found]

    def all(self, guild: int) -> list[dict[str, Any]]:
        """Every member."""
        found: list[dict[str, Any]] = listed(run(self.cache, "GuildMembers", guild)[0])
        return found

    def join(self, guild: int, user: int, username: str, global_name: object = None, nick: object = None) -> None:
        """A member joins."""
        member = s.member(user, username, nick=nick)
        member["user"]["global_name"] = global_name
        self.happens("GUILD_MEMBER_ADD", member | {"guild_id": str(guild)})


class SearchTests(SearchTestCase):
    """Who is found."""

    def test_by_each_name(self) -> None:
        """By username, global name and nick, in whatever case; and not by the middle of a name."""
        self.join(FIRST, 1, "walter", "Walt", "Der Chef")
        self.join(FIRST, 2, "other", None, None)
        for prefix in ("w", "WALT", "walter", "der", "DER CHEF", "Walt"):
            self.assertEqual(self.search(FIRST, prefix), [1], prefix)
        for prefix in ("alter", "chef", "walters", "der chefs"):
            self.assertEqual(self.search(FIRST, prefix), [], prefix)

    def test_each_once_in_order_of_id(self) -> None:
        """Who is found by several names is found once, and all come in order of id."""
        for user in (7, 3, 9, 5):
            self.join(FIRST, user, f"sam{9 - user}", f"Sam {user}", "sammy")
        self.assertEqual(self.search(FIRST, "sam"), [3, 5, 7, 9])

    def test_everybody(self) -> None:
        """Nothing is the beginning of every name."""
        for user in range(1, 6):
            self.join(FIRST, user, f"u{user}")
        self.assertEqual(self.search(FIRST, ""), [1, 2, 3, 4, 5])
        self.assertEqual(self.search(FIRST, "", 2), [1, 2])

    def test_limit(self) -> None:
        """No more than asked for, and 100 without a word."""
        for user in range(1, 151):
            self.join(FIRST, user, f"sam{user}")
        self.assertEqual(len(self.search(FIRST, "sam", 5)), 5)
        self.assertEqual(len(self.search(FIRST, "sam")), 100)
        self.assertEqual(len(self.search(FIRST, "sam", 1000)), 150)

    def test_of_the_guild_alone(self) -> None:
        """Members of other guilds are not found, however many have such a name."""
        for user in range(1, 301):
            self.join(SECOND, user, f"sam{user}")
        self.join(FIRST, 200, "sam200")
        self.join(FIRST, 1000, "sam1000")
        self.join(FIRST, 1001, "pam")
        self.assertEqual(self.search(FIRST, "sam"), [200, 1000])
        self.assertEqual(len(self.search(SECOND, "sam", 1000)), 300)

    def test_limit_among_strangers(self) -> None:
        """No more than asked for, however many strangers have such a name too, and whatever they are called."""
        for stranger in range(1, 4):
            self.join(SECOND, stranger, f"al0{stranger}")
        for user in range(10, 14):
            self.join(FIRST, user, f"al{99 - user}")
            for limit in range(1, 6):
                found = self.search(FIRST, "al", limit)
                self.assertEqual(len(found), min(limit, user - 9), (user, limit))
                self.assertLessEqual(set(found), set(range(10, user + 1)))

    def test_renamed(self) -> None:
        """A new name is found and the old one isn't, in every guild of the user's."""
        for guild in (FIRST, SECOND):
            self.join(guild, 1, "before", "Before", "nicked")
        changed = s.member(1, "after", nick=None)
        self.happens("GUILD_MEMBER_UPDATE", changed | {"guild_id": str(FIRST)})
        for guild, nicked in ((FIRST, []), (SECOND, [1])):
            self.assertEqual(self.search(guild, "after"), [1])
            self.assertEqual(self.search(guild, "before"), [])
            self.assertEqual(self.search(guild, "nick"), nicked)

    def test_gone(self) -> None:
        """Who left is not found, and nothing of their names is left when they are forgotten."""
        self.join(FIRST, 1, "walter", "Walt", "chef")
        self.happens("GUILD_MEMBER_REMOVE", {"guild_id": str(FIRST), "user": s.user(1)})
        self.assertEqual(self.search(FIRST, "wal"), [])
        left = [key for key in rows(self.store) if key[:1] in (b"q", b"Q", b"L")]
        self.assertEqual(left, [key for key in left if key.startswith(b"qrate")], "all but the bot's own name")

    def test_unknown_guild(self) -> None:
        """Of a guild that isn't known there is no answer."""
        self.assertIsNone(run(self.cache, "SearchMembers", 3 << 22, "a")[0].body)

    def test_odd_names(self) -> None:
        """Names of another type than documented, as presences may bring, do no harm and are no names."""
        self.join(FIRST, 1, "walter")
        for value in (7, None, ["a"], {"a": 1}, True, 1.5, "", "x" * 400):
            user = {"id": "1", "username": value, "global_name": value, "avatar": "0" * 32}
            presence = {"guild_id": str(FIRST), "user": user, "status": "online", "activities": []}
            self.happens("PRESENCE_UPDATE", presence)
            self.assertEqual(self.search(FIRST, "walter"), [])
            self.assertEqual(self.search(FIRST, "x" * 100), [1] if isinstance(value, str) and value else [])
        self.assertEqual(self.store.failures, 0)
        self.assertFalse(self.store.stopped)


class RoomTests(SearchTestCase):
    """Searches that share an answer with others."""

    def test_none_left(self) -> None:
        """A search among others that left no room for what it finds has no answer, and says why; the others have."""
        self.join(FIRST, 1, "sam")
        self.join(FIRST, 2, "pam")
        asked = [("GuildMembers", [FIRST]), ("SearchMembers", [FIRST, "sa"]), ("SearchMembers", [FIRST, "x"])]
        questions = [parse_query(kind, arguments) for kind, arguments in asked]
        self.patch(bulk, "PAGE_BYTES", 1)
        steps = bulk.ask_all(self.cache.ask, questions)
        with self.assertRaises(StopIteration) as end:
            while True:
                next(steps)
        answer = end.exception.value
        everybody, found, nobody = ujson.loads(answer.body)
        self.assertEqual([each["user_id"] for each in everybody], ["1"])
        self.assertEqual((found, nobody), (None, []))
        self.assertEqual(answer.headers["next"], {"0": "1"})
        self.assertEqual([*answer.headers["errors"]], ["1"])
        self.assertIn("search with a lower limit", answer.headers["errors"]["1"])


class IndexTests(SearchTestCase):
    """The index, whatever happens."""

    happenings = st.lists(
        st.tuples(
            st.sampled_from(["join", "join", "update", "leave", "guild", "delete"]),
            st.sampled_from([FIRST, SECOND]),
            st.integers(1, 6),
            st.sampled_from(NAMES),
            st.none() | st.sampled_from(NAMES),
            st.none() | st.sampled_from(NAMES),
        ),
        max_size=25,
    )

    @settings(deadline=None, database=None, max_examples=60)
    @given(happenings)
    def test_finds_what_going_through_finds(self, happenings: list[tuple[str, int, int, str, Any, Any]]) -> None:
        """Each search finds exactly those whose names begin so; the index holds nothing but what rows ask for."""
        self.open()
        for what, guild, user, username, global_name, nick in happenings:
            member = s.member(user, username, nick=nick)
            member["user"]["global_name"] = global_name
            if what == "join":
                self.happens("GUILD_MEMBER_ADD", member | {"guild_id": str(guild)})
            elif what == "update":
                self.happens("GUILD_MEMBER_UPDATE", member | {"guild_id": str(guild)})
            elif what == "leave":
                self.happens("GUILD_MEMBER_REMOVE", {"guild_id": str(guild), "user": member["user"]})
            elif what == "guild":
                self.happens("GUILD_CREATE", s.bare_guild(guild, members=[member]))
            else:
                self.happens("GUILD_DELETE", {"id": str(guild), "unavailable": user % 2 == 0})
        for guild in (FIRST, SECOND):
            if self.cache.query("Guild", [guild]) is None:
                continue
            everybody = self.all(guild)
            self.assertEqual(run(self.cache, "GuildMembers", guild)[0].headers["known"], len(everybody))
            for prefix in PREFIXES:
                expected = [int(each["user_id"]) for each in everybody if matches(each, prefix)]
                self.assertEqual(self.search(guild, prefix), expected, prefix)
                for limit in (1, 2):
                    some = self.search(guild, prefix, limit)
                    self.assertEqual(len(some), min(limit, len(expected)), (prefix, limit))
                    self.assertLessEqual(set(some), set(expected), (prefix, limit))
        found = rows(self.store)
        asked_for = {
            key
            for row in found
            if row[0] in derived.FOLLOWED
            for key in derived.index(row, derived.names_in(row[0], found[row]))
        }
        self.assertEqual({key for key in found if key[:1] in (b"q", b"Q")}, asked_for)
