"""Tests for :mod:`rateway.store.membership`, and what the cache says by it."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rateway.model.intents import ALL, Intent
from rateway.store.cache import Cache
from rateway.store.cluster import ClusterStore
from rateway.store.membership import Membership
from rateway.store.queries import parse_query

from . import samples as s
from .stores import dispatch, feed, open_store

GUILDS = [number << 22 for number in range(2, 12)]


class MembershipTestCase(SynchronousTestCase):
    """Two shards, each a cluster of its own, in one process."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.stores: dict[int, ClusterStore] = {}
        self.cache = self.open()

    def open(self, intents: int = ALL, kinds: frozenset[str] | None = None, enabled: bool = True) -> Cache:
        """Stores that keep these."""
        for cluster in (1, 2):
            store = open_store(
                self.folder / f"cluster-{cluster}",
                shards=range(cluster - 1, cluster),
                total=2,
                intents=intents,
                kinds=kinds,
                cache=enabled,
            )
            self.stores[cluster] = store
            self.addCleanup(store.close)
        cache = Cache(self.folder, total=2, per_cluster=1, own=self.stores, enabled=enabled)
        self.addCleanup(cache.close)
        return cache

    def comes(self, guild: int, members: int, total: int, seq: int = 2) -> None:
        """GUILD_CREATE with so many of the members that there are."""
        d = {"id": str(guild), "member_count": total, "unavailable": False}
        d |= {"members": [s.member(7000 + number, f"user{number}") for number in range(members)]}
        shard = (guild >> 22) % 2
        feed(self.stores[shard + 1], dispatch(seq, "GUILD_CREATE", d), shard=shard)

    def unfinished(self, shard: int) -> list[tuple[int, int]]:
        """A shard's guilds that aren't whole."""
        steps = self.cache.unfinished(shard)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                found: list[tuple[int, int]] = end.value
                return found

    def lacks(self, kind: str, *arguments: object) -> int | None:
        """The guild whose list a question lacks."""
        return self.cache.lacks(parse_query(kind, arguments))


class MembershipTests(MembershipTestCase):
    """How much is known of a guild's members."""

    def test_counts(self) -> None:
        """As many as came, out of as many as there are, through every change."""
        guild = GUILDS[0]
        self.assertIsNone(self.cache.membership(guild))
        self.comes(guild, 3, 5)
        self.assertEqual(self.cache.membership(guild), Membership(3, 5, True))
        chunk = {"guild_id": str(guild), "members": [s.member(7003), s.member(7004)]}
        feed(self.stores[1], dispatch(3, "GUILD_MEMBERS_CHUNK", chunk))
        found = self.cache.membership(guild)
        assert found is not None
        self.assertEqual((found, found.may_grow), (Membership(5, 5, True), False))
        feed(self.stores[1], dispatch(4, "GUILD_MEMBER_ADD", {"guild_id": str(guild)} | s.member(7005)))
        self.assertEqual(self.cache.membership(guild), Membership(6, 6, True))

    def test_outage(self) -> None:
        """In an outage Discord has nothing to tell."""
        self.comes(GUILDS[0], 3, 5)
        feed(self.stores[1], dispatch(3, "GUILD_DELETE", {"id": str(GUILDS[0]), "unavailable": True}))
        found = self.cache.membership(GUILDS[0])
        assert found is not None
        self.assertEqual((found.available, found.may_grow), (False, False))

    def test_more_than_all(self) -> None:
        """Discord's count may lag behind its lists."""
        self.comes(GUILDS[0], 6, 5)
        found = self.cache.membership(GUILDS[0])
        assert found is not None
        self.assertFalse(found.may_grow)

    def test_guilds_not_kept(self) -> None:
        """Without the guild's fields nobody knows how many there are: there may be more."""
        for store in self.stores.values():
            store.close()
        self.folder = Path(self.mktemp())
        self.cache = self.open(kinds=frozenset({"Member", "User"}))
        self.comes(GUILDS[0], 3, 3)
        self.assertEqual(self.cache.membership(GUILDS[0]), Membership(3, None, True))
        self.assertEqual(self.unfinished(0), [(GUILDS[0], 0)])

    def test_guilds_that_no_event_announces(self) -> None:
        """Without the GUILDS intent those are known that READY lists, and Discord can tell of their members."""
        for store in self.stores.values():
            store.close()
        self.folder = Path(self.mktemp())
        self.cache = self.open(intents=Intent.GUILD_MEMBERS | Intent.GUILD_MESSAGES)
        feed(self.stores[1], dispatch(1, "READY", s.ready(GUILDS[0])))
        self.assertEqual(self.cache.membership(GUILDS[0]), Membership(0, None, True))
        self.assertEqual(self.unfinished(0), [(GUILDS[0], 0)])
        self.assertEqual(self.lacks("Member", GUILDS[0], s.ALICE), GUILDS[0])

    def test_unfinished(self) -> None:
        """Those of one shard alone, of which not all are known."""
        for index, (members, total) in enumerate(((3, 5), (3, 6), (4, 4), (4, 4), (2, 9))):
            self.comes(GUILDS[index], members, total, seq=index + 2)
        self.assertEqual(self.unfinished(0), [(GUILDS[0], 5), (GUILDS[4], 9)])
        self.assertEqual(self.unfinished(1), [(GUILDS[1], 6)])


class LacksTests(MembershipTestCase):
    """Which questions a list could help."""

    def test_about_one(self) -> None:
        """Only where that one isn't known, and the guild isn't whole."""
        self.comes(GUILDS[0], 3, 5)
        self.comes(GUILDS[1], 3, 3)
        for kind in ("Member", "Permissions"):
            self.assertIsNone(self.lacks(kind, GUILDS[0], 7000))
            self.assertEqual(self.lacks(kind, GUILDS[0], 7009), GUILDS[0])
            self.assertIsNone(self.lacks(kind, GUILDS[1], 7009))
            self.assertIsNone(self.lacks(kind, GUILDS[2], 7009), "the bot isn't in it")

    def test_about_all(self) -> None:
        """Wherever the guild isn't whole, whatever page is asked for."""
        self.comes(GUILDS[0], 3, 5)
        self.comes(GUILDS[1], 3, 3)
        for kind, *more in (("GuildMembers",), ("GuildMembers", 7001, 1), ("SearchMembers", "a")):
            self.assertEqual(self.lacks(kind, GUILDS[0], *more), GUILDS[0])
            self.assertIsNone(self.lacks(kind, GUILDS[1], *more))

    def test_about_others(self) -> None:
        """No list is of use for what isn't about members of a guild."""
        self.comes(GUILDS[0], 3, 5)
        for kind, *arguments in (
            ("User", 7009),
            ("UserGuilds", 7009),
            ("Presence", GUILDS[0], 7009),
            ("VoiceState", 7009, GUILDS[0]),
            ("Guild", GUILDS[0]),
            ("GuildRoles", GUILDS[0]),
            ("CurrentUser",),
        ):
            self.assertIsNone(self.lacks(kind, *arguments), kind)

    def test_not_kept(self) -> None:
        """What the cache doesn't keep no list would bring."""
        for store in self.stores.values():
            store.close()
        for number, options in enumerate(
            ({"kinds": frozenset({"Guild", "User"})}, {"enabled": False}, {"intents": ALL & ~Intent.GUILDS})
        ):
            self.folder = Path(self.mktemp())
            self.cache = self.open(**options)  # type: ignore[arg-type]
            self.comes(GUILDS[0], 3, 5)
            expected = GUILDS[0] if number == 2 else None
            self.assertEqual(self.lacks("Member", GUILDS[0], 7009), expected, options)
