"""Lists: all of a guild's things, page by page, over one store and over several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ujson
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.errors import RequestRefused
from rateway.model.session import Session
from rateway.store.cache import Cache
from rateway.store.cluster import ClusterStore
from rateway.store.pages import PAGE_BYTES, SLICE, Page
from rateway.store.queries import LIMIT, parse_query
from rateway.store.standing import Answer

from . import samples as s
from .stores import dispatch, feed, open_store

EMPTY = ("GuildThreads", "GuildEmojis", "GuildStickers", "GuildPresences", "GuildVoiceStates", "GuildScheduledEvents")


def run(cache: Cache, kind: str, *arguments: object, room: int = PAGE_BYTES) -> tuple[Answer, int]:
    """The answer, and how many pauses there were."""
    steps, pauses = cache.ask(parse_query(kind, arguments), room), 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value, pauses
        pauses += 1


def listed(answer: Answer) -> Any:
    """The list in an answer."""
    return None if answer.body is None else ujson.loads(answer.body)


def people(count: int, first: int = s.ALICE) -> list[dict[str, Any]]:
    """Members with ids one after the other."""
    return [s.member(first + number, f"user{number}") for number in range(count)]


class GuildTestCase(SynchronousTestCase):
    """One store with the sample guild."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.store = self.open()
        feed(self.store, dispatch(1, "READY", s.ready(s.GUILD)), dispatch(2, "GUILD_CREATE", s.guild()))

    def open(self, name: str = "one", **options: Any) -> ClusterStore:
        """Open a store, and a cache over it."""
        store = open_store(self.folder / name / "cluster-1", messages=options.pop("messages", 500), **options)
        self.addCleanup(store.close)
        self.cache = Cache(self.folder / name, total=1, per_cluster=1, own={1: store}, enabled=True)
        self.addCleanup(self.cache.close)
        return store

    def ask(self, kind: str, *arguments: object) -> Any:
        """A list."""
        return listed(run(self.cache, kind, *arguments)[0])

    def ids(self, kind: str, *arguments: object, key: str = "id") -> list[int]:
        """The ids of a list."""
        return [int(each[key]) for each in self.ask(kind, *arguments)]


class GuildListTests(GuildTestCase):
    """The lists of a guild's things, and of a channel's."""

    def test_each_list(self) -> None:
        """Every list has what the guild has, in order of id, each item as it is answered by itself."""
        for kind, single, key, expected in (
            ("GuildChannels", "GuildChannel", "id", sorted(s.CHANNELS)),
            ("GuildThreads", "GuildChannel", "id", [s.POST]),
            ("GuildRoles", "Role", "id", sorted([s.GUILD, s.BOT_ROLE, s.BOOSTER])),
            ("GuildEmojis", "Emoji", "id", [s.WAVE]),
            ("GuildStickers", "Sticker", "id", [400000000000000101]),
            ("GuildStageInstances", "StageInstance", "id", [200000000000000001]),
            ("GuildScheduledEvents", "ScheduledEvent", "id", [200000000000000002]),
        ):
            self.assertEqual(self.ids(kind, s.GUILD, key=key), expected, kind)
            for item in self.ask(kind, s.GUILD):
                self.assertEqual(item, self.ask(single, item[key]), kind)
                self.assertEqual(item["guild_id"], str(s.GUILD))
        for kind, single, users in (
            ("GuildMembers", "Member", [s.ALICE, s.BOB, s.BOT]),
            ("GuildPresences", "Presence", [s.ALICE]),
        ):
            self.assertEqual(self.ids(kind, s.GUILD, key="user_id"), users)
            for item in self.ask(kind, s.GUILD):
                self.assertEqual(item, self.ask(single, s.GUILD, item["user_id"]))
        (state,) = self.ask("GuildVoiceStates", s.GUILD)
        self.assertEqual(state, self.ask("VoiceState", s.BOB, s.GUILD))
        self.assertIn("member", self.ask("GuildThreads", s.GUILD)[0])

    def test_nothing_and_nowhere(self) -> None:
        """A known guild without such things has an empty list, an unknown guild has none."""
        feed(self.store, dispatch(3, "GUILD_CREATE", s.bare_guild(s.OTHER)))
        for kind in EMPTY:
            self.assertEqual(self.ask(kind, s.OTHER), [], kind)
            self.assertIsNone(self.ask(kind, s.OTHER + 1), kind)
        self.assertIsNone(self.ask("GuildMembers", 0))
        self.assertIsNone(self.ask("GuildRoles", (1 << 64) - 1))

    def test_pages(self) -> None:
        """However the pages are cut, together they are the list; the last one says that nothing follows."""
        whole = self.ids("GuildChannels", s.GUILD)
        for limit in (1, 2, 3, 5, 6, 7):
            seen, after = list[int](), None
            while True:
                answer, _ = run(self.cache, "GuildChannels", s.GUILD, after, limit)
                page = [int(each["id"]) for each in listed(answer)]
                seen += page
                after = answer.headers.get("next")
                if after is None:
                    break
                self.assertEqual((len(page), after), (limit, str(page[-1])))
            self.assertEqual(seen, whole)

    def test_after(self) -> None:
        """What follows an id, whether there is one like it or not."""
        channels = sorted(s.CHANNELS)
        self.assertEqual(self.ids("GuildChannels", s.GUILD, channels[2]), channels[3:])
        self.assertEqual(self.ids("GuildChannels", s.GUILD, str(channels[0] - 1)), channels)
        self.assertEqual(self.ids("GuildChannels", s.GUILD, 0), channels)
        self.assertEqual(self.ids("GuildChannels", s.GUILD, channels[-1]), [])
        self.assertEqual(self.ids("GuildChannels", s.GUILD, (1 << 64) - 1), [])

    def test_neighbours(self) -> None:
        """A list ends where the guild ends, though other guilds' rows come right before and behind."""
        for seq, guild in enumerate((s.GUILD - 1, s.GUILD + 1), start=3):
            feed(self.store, dispatch(seq, "GUILD_CREATE", s.guild(guild)))
        self.assertEqual(self.ids("GuildMembers", s.GUILD, key="user_id"), [s.ALICE, s.BOB, s.BOT])
        self.assertEqual(len(self.ask("GuildRoles", s.GUILD)), 3)

    def test_slices(self) -> None:
        """A long list is read with pauses, each slice as the store is then; what comes behind meanwhile is in it."""
        feed(self.store, dispatch(3, "GUILD_CREATE", s.guild(members=people(SLICE * 4), member_count=SLICE * 4)))
        answer, pauses = run(self.cache, "GuildMembers", s.GUILD)
        self.assertEqual(len(listed(answer)), SLICE * 4)
        self.assertGreaterEqual(pauses, 4)
        steps = self.cache.ask(parse_query("GuildMembers", [s.GUILD]))
        next(steps)
        gone, fresh = s.member(s.ALICE + SLICE * 3), s.member(s.ALICE + SLICE * 9, "fresh")
        of_guild = {"guild_id": str(s.GUILD)}
        feed(
            self.store,
            dispatch(4, "GUILD_MEMBER_REMOVE", of_guild | {"user": gone["user"]}),
            dispatch(5, "GUILD_MEMBER_ADD", of_guild | fresh),
        )
        while True:
            try:
                next(steps)
            except StopIteration as end:
                answer = end.value
                break
        found = [int(each["user_id"]) for each in listed(answer)]
        self.assertEqual(found, sorted(set(found)))
        self.assertNotIn(s.ALICE + SLICE * 3, found)
        self.assertIn(s.ALICE + SLICE * 9, found)
        self.assertEqual(answer.headers["as_of_seq"], 3)

    def test_limit_by_default(self) -> None:
        """So many items and no more, unless more are asked for."""
        feed(self.store, dispatch(3, "GUILD_CREATE", s.guild(members=people(LIMIT + 10))))
        answer, _ = run(self.cache, "GuildMembers", s.GUILD)
        self.assertEqual((len(listed(answer)), answer.headers["next"]), (LIMIT, str(s.ALICE + LIMIT - 1)))
        self.assertEqual(len(self.ask("GuildMembers", s.GUILD, None, LIMIT * 2)), LIMIT + 10)

    def test_room(self) -> None:
        """An answer that has reached its bytes ends with the item that reached them, and says where it goes on."""
        feed(self.store, dispatch(3, "GUILD_CREATE", s.guild(members=people(50))))
        one = len(ujson.dumps(self.ask("Member", s.GUILD, s.ALICE)))
        answer, _ = run(self.cache, "GuildMembers", s.GUILD, room=one * 10)
        self.assertTrue(10 <= len(listed(answer)) <= 12, answer.headers)
        self.assertEqual(answer.headers["next"], listed(answer)[-1]["user_id"])
        answer, _ = run(self.cache, "GuildMembers", s.GUILD, room=0)
        self.assertEqual((answer.body, answer.headers["next"]), (b"[]", "0"))
        answer, _ = run(self.cache, "GuildMembers", s.GUILD, s.ALICE, room=0)
        self.assertEqual((answer.body, answer.headers["next"]), (b"[]", str(s.ALICE)))
        self.assertEqual(run(self.cache, "GuildMembers", s.GUILD, s.ALICE + 100, room=0)[0].body, b"[]")

    def test_messages(self) -> None:
        """A channel's messages, oldest first; a channel without any has an empty list, no channel has none."""
        events = [dispatch(10 + n, "MESSAGE_CREATE", s.message(1000 + n)) for n in range(5)]
        feed(self.store, *events, dispatch(20, "MESSAGE_CREATE", s.private_message(7)))
        self.assertEqual(self.ids("ChannelMessages", s.GENERAL), [1000, 1001, 1002, 1003, 1004])
        self.assertEqual(self.ids("ChannelMessages", s.GENERAL, 1001, 2), [1002, 1003])
        for each in self.ask("ChannelMessages", s.GENERAL):
            self.assertEqual(each, self.ask("Message", s.GENERAL, each["id"]))
        answer, _ = run(self.cache, "ChannelMessages", s.GENERAL, None, 1)
        self.assertEqual(answer.headers, {"shard_id": 0, "as_of_seq": 20, "next": "1000"})
        answer, _ = run(self.cache, "ChannelMessages", s.PRIVATE)
        self.assertEqual(([each["id"] for each in listed(answer)], answer.headers), (["7"], {}))
        self.assertEqual(self.ask("ChannelMessages", s.VOICE), [])
        self.assertEqual(self.ask("ChannelMessages", s.POST), [])
        self.assertIsNone(self.ask("ChannelMessages", 5))

    def test_store_that_goes(self) -> None:
        """When the store goes away between two slices the question is refused, not answered by a part."""
        feed(self.store, dispatch(3, "GUILD_CREATE", s.guild(members=people(SLICE * 4))))
        for kind in ("GuildMembers", "SearchMembers"):
            steps = self.cache.ask(parse_query(kind, [s.GUILD, *([""] if kind == "SearchMembers" else [])]))
            next(steps)
            if not self.store.stopped:
                self.store.close()
            refused = self.assertRaises(RequestRefused, list, steps)
            self.assertIn("ask again", str(refused))
            self.store = open_store(self.folder / "one" / "cluster-1", messages=500)
            self.addCleanup(self.store.close)
            self.cache = Cache(self.folder / "one", total=1, per_cluster=1, own={1: self.store}, enabled=True)
            self.addCleanup(self.cache.close)


class ManyClustersTests(SynchronousTestCase):
    """Lists over all stores: five clusters of one shard each, of which one is empty and one is not there."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.own: dict[int, ClusterStore] = {}
        for number in (1, 2, 3, 4):
            store = open_store(self.folder / f"cluster-{number}", shards=range(number - 1, number), total=5)
            self.addCleanup(store.close)
            self.own[number] = store
        self.cache = Cache(self.folder, total=5, per_cluster=1, own=self.own, enabled=True)
        self.addCleanup(self.cache.close)
        self.guilds = sorted(number << 22 for number in range(1, 200) if number % 5 not in (3, 4))
        for shard in (0, 1, 2):
            mine = [guild for guild in self.guilds if (guild >> 22) % 5 == shard]
            events = [dispatch(1, "READY", s.ready(*mine))]
            for seq, guild in enumerate(mine, start=2):
                members = [s.member(s.BOT, "bot"), *([s.member(s.ALICE)] if guild % (3 << 22) == 0 else [])]
                events.append(dispatch(seq, "GUILD_CREATE", s.bare_guild(guild, members=members)))
            feed(self.own[shard + 1], *events, session=Session(f"of {shard}", "", 0), shard=shard)

    def ids(self, kind: str, *arguments: object) -> list[int]:
        """The ids of a list."""
        return [int(each["id"]) for each in listed(run(self.cache, kind, *arguments)[0])]

    def test_guilds(self) -> None:
        """All guilds in order of id, each as it is answered by itself."""
        self.assertEqual(self.ids("Guilds"), self.guilds)
        for each in listed(run(self.cache, "Guilds", None, 10)[0]):
            self.assertEqual(each, listed(run(self.cache, "Guild", each["id"])[0]))

    def test_pages_of_guilds(self) -> None:
        """Page by page, whatever their size."""
        for limit in (1, 7, 64, 118, 119, 120):
            seen, after = list[int](), None
            while True:
                answer, _ = run(self.cache, "Guilds", after, limit)
                seen += [int(each["id"]) for each in listed(answer)]
                after = answer.headers.get("next")
                if after is None:
                    break
            self.assertEqual(seen, self.guilds)

    def test_mutual_guilds(self) -> None:
        """The guilds a user shares with the bot, over all clusters; of the bot all; of a stranger none."""
        mutual = [guild for guild in self.guilds if guild % (3 << 22) == 0]
        self.assertGreater(len({guild >> 22 for guild in mutual}), 30)
        self.assertEqual(self.ids("UserGuilds", s.ALICE), mutual)
        self.assertEqual(self.ids("UserGuilds", s.ALICE, mutual[3], 4), mutual[4:8])
        self.assertEqual(self.ids("UserGuilds", s.BOT), self.guilds)
        self.assertIsNone(run(self.cache, "UserGuilds", s.CAROL)[0].body)
        self.assertEqual(self.ids("UserGuilds", s.ALICE, self.guilds[-1]), [])

    def test_user_of_a_direct_message(self) -> None:
        """Somebody known by a direct message alone shares no guild."""
        event = dispatch(900, "MESSAGE_CREATE", s.private_message(7, s.user(s.CAROL, "carol")))
        feed(self.own[1], event, session=Session("of 0", "", 0))
        self.assertEqual(self.ids("UserGuilds", s.CAROL), [])

    def test_pauses(self) -> None:
        """Each store is read for itself."""
        answer, pauses = run(self.cache, "Guilds")
        self.assertGreaterEqual(pauses, len(listed(answer)))


class PageTests(SynchronousTestCase):
    """What goes into a page."""

    @settings(deadline=None, database=None)
    @given(st.lists(st.integers(1, 30)), st.integers(1, 20), st.integers(0, 200))
    def test_bounds(self, sizes: list[int], limit: int, room: int) -> None:
        """Never more items than its limit, nor more bytes than its room and the last item; more tells the truth."""
        page, taken = Page(limit, room), 0
        for number, size in enumerate(sizes):
            if not page.take(number, b"x" * size):
                break
            taken += 1
        self.assertEqual(len(page.items), taken)
        self.assertLessEqual(taken, limit)
        self.assertEqual(page.more, taken < len(sizes))
        self.assertTrue(sum(map(len, page.items[:-1])) < max(room, 1))
        self.assertEqual(page.last, taken - 1)
