"""Tests of what members, users and presences become."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rateway.store import keys

from . import samples as s
from .memory import MemoryStore, kept

OF_GUILD = {"guild_id": str(s.GUILD)}


class StoreTestCase(SynchronousTestCase):
    """A store with the sample guild."""

    def setUp(self) -> None:
        self.store = MemoryStore(kept())
        self.store.happens("READY", s.ready(s.GUILD))
        self.store.happens("GUILD_CREATE", s.guild())

    def count(self) -> Any:
        """The guild's ``member_count``."""
        return self.store.ask("Guild", s.GUILD)["member_count"]

    def leaves(self, user: int, guild: int = s.GUILD) -> None:
        """A member leaves."""
        self.store.happens("GUILD_MEMBER_REMOVE", {"guild_id": str(guild), "user": s.user(user)})


class MemberTests(StoreTestCase):
    """Members."""

    def test_criterion_51_duplicate_add(self) -> None:
        """A join that Discord repeats counts once."""
        joined = s.member(s.CAROL, "carol") | OF_GUILD
        self.store.happens("GUILD_MEMBER_ADD", joined)
        self.assertEqual(self.count(), 4)
        self.store.happens("GUILD_MEMBER_ADD", joined)
        self.assertEqual(self.count(), 4)
        self.assertEqual(self.store.ask("Member", s.GUILD, s.CAROL), joined | {"user_id": str(s.CAROL)})

    def test_criterion_52_removed_member_stays_gone(self) -> None:
        """Who left stays gone, though an offline presence of theirs follows; and one that is online, too."""
        self.leaves(s.ALICE)
        for status in ("offline", "online"):
            self.store.happens("PRESENCE_UPDATE", s.presence(s.ALICE, status))
            self.assertIsNone(self.store.ask("Member", s.GUILD, s.ALICE))
            self.assertIsNone(self.store.ask("User", s.ALICE))
        self.store.happens("PRESENCE_UPDATE", s.presence(s.ALICE, "offline"))
        self.assertEqual(self.store.rows_of(s.ALICE), [])

    def test_remove(self) -> None:
        """Who leaves takes presence and voice state along, and is counted off, but never below none."""
        self.store.happens("VOICE_STATE_UPDATE", s.voice_state(s.ALICE, s.VOICE) | OF_GUILD)
        self.leaves(s.ALICE)
        self.assertEqual(self.count(), 2)
        self.assertEqual(self.store.rows_of(s.ALICE), [])
        for _ in range(4):
            self.leaves(s.CAROL)
        self.assertEqual(self.count(), 0)

    def test_user_of_two_guilds(self) -> None:
        """A user stays known until they left the last guild, whatever changed about them meanwhile."""
        self.store.happens("GUILD_CREATE", s.bare_guild(s.OTHER))
        self.store.happens("GUILD_MEMBER_UPDATE", s.member(s.ALICE, "alicia") | OF_GUILD)
        self.leaves(s.ALICE, s.OTHER)
        self.assertEqual(self.store.ask("User", s.ALICE), s.user(s.ALICE, "alicia"))
        self.leaves(s.ALICE)
        self.assertIsNone(self.store.ask("User", s.ALICE))

    def test_update_merges(self) -> None:
        """An update changes what it bears, ``null`` too, and keeps the rest."""
        update: s.Json = {"user": s.user(s.ALICE, "alicia"), "roles": [], "nick": None} | OF_GUILD
        self.store.happens("GUILD_MEMBER_UPDATE", update)
        wanted = s.member(s.ALICE, "alicia", roles=[], nick=None) | OF_GUILD | {"user_id": str(s.ALICE)}
        self.assertEqual(self.store.ask("Member", s.GUILD, s.ALICE), wanted)
        self.assertEqual(self.store.ask("User", s.ALICE), s.user(s.ALICE, "alicia"))

    def test_update_of_unknown_member(self) -> None:
        """An update of a member not known makes them known, and isn't a join."""
        self.store.happens("GUILD_MEMBER_UPDATE", s.member(s.CAROL, "carol") | OF_GUILD)
        self.assertEqual(self.store.ask("Member", s.GUILD, s.CAROL)["user"]["username"], "carol")
        self.assertEqual(self.count(), 3)
        self.leaves(s.CAROL)
        self.assertIsNone(self.store.ask("User", s.CAROL))

    def test_update_that_changes_nothing(self) -> None:
        """An update that says what is known writes nothing."""
        same = s.member(s.ALICE, "alice", nick="Ali", roles=[str(s.BOOSTER)]) | OF_GUILD
        self.assertEqual(self.store.happens("GUILD_MEMBER_UPDATE", same), {})

    def test_chunk(self) -> None:
        """A chunk adds members and presences and takes none away; ids not found may be numbers."""
        chunk = {
            "chunk_index": 0,
            "chunk_count": 2,
            "nonce": "rw-1-17",
            "members": [s.member(s.CAROL, "carol"), s.member(s.ALICE, "alice", nick="A")],
            "presences": [s.presence(s.CAROL, "dnd"), s.presence(s.ALICE, "offline")],
            "not_found": [123123],
        }
        self.store.happens("GUILD_MEMBERS_CHUNK", chunk | OF_GUILD)
        self.assertEqual(self.store.ask("Member", s.GUILD, s.ALICE)["nick"], "A")
        self.assertIsNotNone(self.store.ask("Member", s.GUILD, s.BOB))
        self.assertEqual(self.store.ask("Presence", s.GUILD, s.CAROL)["status"], "dnd")
        self.assertIsNone(self.store.ask("Presence", s.GUILD, s.ALICE))
        self.assertEqual(self.count(), 3)

    def test_user_time_is_of_the_last_change(self) -> None:
        """A user seen again unchanged keeps the time of the last change: the newest of several copies is told by it."""
        before = self.store.rows[keys.user(s.BOB)]
        self.store.happens("GUILD_MEMBER_UPDATE", s.member(s.BOB, "bob", nick="B") | OF_GUILD)
        self.assertEqual(self.store.rows[keys.user(s.BOB)], before)
        self.store.happens("GUILD_MEMBER_UPDATE", s.member(s.BOB, "bobby") | OF_GUILD)
        self.assertGreater(self.store.rows[keys.user(s.BOB)][:8], before[:8])


class PresenceTests(StoreTestCase):
    """Presences."""

    def test_update(self) -> None:
        """A presence is as it was last sent; offline is none."""
        chess = s.presence(s.BOB, activities=[{"name": "Chess", "type": 0, "created_at": 1775369228000}])
        self.store.happens("PRESENCE_UPDATE", chess)
        self.assertEqual(self.store.ask("Presence", s.GUILD, s.BOB), chess | {"user_id": str(s.BOB)})
        self.store.happens("PRESENCE_UPDATE", s.presence(s.BOB, "offline"))
        self.assertIsNone(self.store.ask("Presence", s.GUILD, s.BOB))

    def test_criterion_53_weird_types(self) -> None:
        """A presence with any types inside is kept or passed over, and never an error."""
        weird: list[object] = [
            s.presence(s.BOB, activities="many", client_status=7),
            s.presence(s.BOB) | {"status": 3},
            s.presence(s.BOB) | {"status": {"a": []}},
            s.presence(s.BOB, user={"id": str(s.BOB), "username": 5, "avatar": [1], "bot": "yes"}),
            s.presence(s.BOB, user=None),
            s.presence(s.BOB, user={"id": None}),
            s.presence(s.BOB, user={"id": "nobody"}),
            s.presence(s.BOB, user={"id": "-1"}),
            s.presence(s.BOB, user={"id": 1 << 64}),
            s.presence(s.BOB, guild_id="-1"),
            s.presence(s.BOB, user=[]),
            s.presence(s.BOB, guild_id=None),
            s.presence(s.BOB, guild_id="here"),
            [],
            None,
            5,
        ]
        for d in weird:
            self.store.happens("PRESENCE_UPDATE", d)
        self.assertIsNotNone(self.store.ask("Presence", s.GUILD, s.BOB))
        self.assertIsNotNone(self.store.ask("Member", s.GUILD, s.BOB))

    def test_user_in_presence(self) -> None:
        """What a presence says of a known user is laid over; of an unknown one it makes nobody."""
        news = {"id": str(s.ALICE), "username": "alicia"}
        self.store.happens("PRESENCE_UPDATE", s.presence(user=news))
        self.assertEqual(self.store.ask("User", s.ALICE), s.user() | news)
        self.store.happens("PRESENCE_UPDATE", s.presence(user={"id": str(s.CAROL), "username": "carol"}))
        self.assertIsNone(self.store.ask("User", s.CAROL))
        self.assertIsNone(self.store.ask("Member", s.GUILD, s.CAROL))
