"""What answers say of themselves: whose they are, as of when, and what is not claimed to be known."""

from __future__ import annotations

from typing import Any

from rateway.model.intents import ALL, Intent
from rateway.model.session import Session
from rateway.store import kinds
from rateway.store.cache import Cache
from rateway.store.standing import Answer

from . import samples as s
from .stores import SESSION, dispatch, feed
from .test_kinds import QUESTIONS
from .test_lists import GuildTestCase, people, run


class HeadersTests(GuildTestCase):
    """What answers say of themselves."""

    def headers(self, kind: str, *arguments: object) -> dict[str, object]:
        """Of an answer."""
        return dict(run(self.cache, kind, *arguments)[0].headers)

    def test_whose_and_when(self) -> None:
        """All that is a guild's says its shard, and the sequence as of which it is, found or not."""
        of_shard = {"shard_id": 0, "as_of_seq": 2}
        for kind, *arguments in (
            ("Guild", s.GUILD),
            ("Guild", s.OTHER),
            ("GuildChannel", s.GENERAL),
            ("GuildChannel", s.POST),
            ("Emoji", s.WAVE),
            ("Role", s.BOOSTER),
            ("Sticker", 400000000000000101),
            ("StageInstance", 200000000000000001),
            ("ScheduledEvent", 200000000000000002),
            ("Presence", s.GUILD, s.ALICE),
            ("Presence", s.GUILD, s.CAROL),
            ("VoiceState", s.BOB, s.GUILD),
            ("VoiceState", s.BOB, s.VOICE),
            ("VoiceChannelStates", s.VOICE),
            ("VoiceChannelStates", s.STAGE),
            ("VoiceState", s.ALICE, s.GUILD),
            ("VoiceState", s.ALICE, s.VOICE),
            ("Message", s.GENERAL, 5),
            ("ChannelMessages", s.GENERAL),
            ("ThreadMembers", s.POST),
            ("ChannelInfo", s.GUILD, s.VOICE),
            ("SoundboardSound", 100000000000000001),
            ("GuildInvites", s.GUILD),
            ("GuildRoles", s.GUILD),
            ("GuildRoles", s.OTHER),
            ("Permissions", s.GUILD, s.ALICE),
        ):
            self.assertEqual(self.headers(kind, *arguments), of_shard, (kind, arguments))
        feed(self.store, dispatch(9, "GUILD_MEMBER_ADD", {"guild_id": str(s.GUILD)} | s.member(s.CAROL)))
        self.assertEqual(self.headers("Guild", s.GUILD)["as_of_seq"], 9)
        rule = {"id": "77", "guild_id": str(s.GUILD), "name": "no spam"}
        feed(self.store, dispatch(10, "AUTO_MODERATION_RULE_CREATE", rule))
        self.assertEqual(self.headers("AutoModerationRule", 77), {"shard_id": 0, "as_of_seq": 10})
        for kind, *arguments in (
            ("User", s.ALICE),
            ("CurrentUser",),
            ("GuildChannel", 5),
            ("Guilds",),
            ("VoiceChannelStates", 5),
            ("VoiceState", s.ALICE, 5),
            ("Message", 5, 5),
        ):
            self.assertEqual(self.headers(kind, *arguments), {}, kind)

    def test_in_channels_nobody_told_of(self) -> None:
        """Where the channel isn't known, what is in it says whose it is."""
        hidden = 300000000000000009
        state = {"guild_id": str(s.GUILD)} | s.voice_state(s.BOB, hidden)
        feed(
            self.store,
            dispatch(3, "MESSAGE_CREATE", s.message(11, hidden)),
            dispatch(4, "VOICE_STATE_UPDATE", state),
        )
        for kind, *arguments in (
            ("Message", hidden, 11),
            ("ChannelMessages", hidden),
            ("VoiceState", s.BOB, hidden),
            ("VoiceChannelStates", hidden),
        ):
            answer = run(self.cache, kind, *arguments)[0]
            self.assertIsNotNone(answer.body, kind)
            self.assertEqual(answer.headers, {"shard_id": 0, "as_of_seq": 4}, kind)

    def test_members_known(self) -> None:
        """Of members it is said how many are known, out of how many, through every change."""
        of_guild = {"guild_id": str(s.GUILD)}

        def check(known: int, total: int) -> None:
            for kind, *more in (("Member", s.ALICE), ("Member", 5), ("GuildMembers",), ("SearchMembers", "zz")):
                headers = self.headers(kind, s.GUILD, *more)
                self.assertEqual((headers["known"], headers["total"]), (known, total), kind)

        check(3, 3)
        feed(self.store, dispatch(3, "GUILD_MEMBER_ADD", of_guild | s.member(s.CAROL)))
        feed(self.store, dispatch(4, "GUILD_MEMBER_ADD", of_guild | s.member(s.CAROL)))
        check(4, 4)
        feed(self.store, dispatch(5, "GUILD_MEMBERS_CHUNK", of_guild | {"members": people(10, 5000)}))
        feed(self.store, dispatch(6, "GUILD_MEMBERS_CHUNK", of_guild | {"members": people(10, 5005)}))
        check(19, 4)
        feed(self.store, dispatch(7, "GUILD_MEMBER_REMOVE", of_guild | {"user": s.user(s.CAROL)}))
        feed(self.store, dispatch(8, "GUILD_MEMBER_REMOVE", of_guild | {"user": s.user(99)}))
        check(18, 2)
        feed(self.store, dispatch(9, "GUILD_CREATE", s.guild(member_count=70_000)))
        check(3, 70_000)
        feed(self.store, dispatch(10, "GUILD_DELETE", {"id": str(s.GUILD)}))
        self.assertEqual(self.headers("GuildMembers", s.GUILD), {"shard_id": 0, "as_of_seq": 10, "known": 0})

    def test_outage(self) -> None:
        """In an outage all answers about the guild are stale, until it comes again."""
        asked: list[tuple[Any, ...]] = [("Guild", s.GUILD), ("GuildChannel", s.GENERAL), ("GuildMembers", s.GUILD)]
        feed(self.store, dispatch(3, "GUILD_DELETE", {"id": str(s.GUILD), "unavailable": True}))
        for kind, *arguments in asked:
            self.assertIs(self.headers(kind, *arguments)["stale"], True)
            self.assertIsNotNone(self.ask(kind, *arguments))
        feed(self.store, dispatch(4, "GUILD_CREATE", s.guild()))
        for kind, *arguments in asked:
            self.assertNotIn("stale", self.headers(kind, *arguments))

    def test_no_outages_without_guilds(self) -> None:
        """Without the GUILDS intent no event tells of outages, nor of their end: READY begins none."""
        store = self.open("no guilds", intents=ALL & ~Intent.GUILDS)
        feed(store, dispatch(1, "READY", s.ready(s.GUILD)))
        for seq in (2, 3):
            feed(store, dispatch(seq, "GUILD_MEMBER_ADD", {"guild_id": str(s.GUILD)} | s.member()))
            for kind, *arguments in (("Member", s.GUILD, s.ALICE), ("GuildMembers", s.GUILD)):
                self.assertIsNotNone(self.ask(kind, *arguments))
                self.assertNotIn("stale", self.headers(kind, *arguments))
            feed(store, dispatch(1, "READY", s.ready(s.GUILD)), session=Session("next", SESSION.resume_url, 0))

    def test_event_that_failed(self) -> None:
        """After an event that could not be applied the guild's answers are stale, until it comes again."""
        feed(self.store, dispatch(3, "GUILD_ROLE_CREATE", {"guild_id": str(s.GUILD), "role": 7}))
        self.assertIs(self.headers("GuildRoles", s.GUILD)["stale"], True)
        feed(self.store, dispatch(4, "GUILD_CREATE", s.guild()))
        self.assertNotIn("stale", self.headers("GuildRoles", s.GUILD))

    def test_not_maintained(self) -> None:
        """What isn't kept, or only in part, is not claimed to be known: the reason is given, with the intents."""
        off = ALL & ~(Intent.GUILD_PRESENCES | Intent.GUILD_MEMBERS | Intent.GUILD_MESSAGES)
        store = self.open("off", intents=off, kinds=frozenset({"Guild", "Member", "User", "Message", "Presence"}))
        feed(store, dispatch(1, "READY", s.ready(s.GUILD)), dispatch(2, "GUILD_CREATE", s.guild()))
        for reason, kind, *arguments in (
            ("GUILD_PRESENCES is off in INTENTS", "Presence", s.GUILD, s.ALICE),
            ("GUILD_PRESENCES is off in INTENTS", "GuildPresences", s.GUILD),
            ("GUILD_MEMBERS is off in INTENTS", "Member", s.GUILD, s.CAROL),
            ("GUILD_MEMBERS is off in INTENTS", "GuildMembers", s.GUILD),
            ("GUILD_MEMBERS is off in INTENTS", "SearchMembers", s.GUILD, "a"),
            ("GUILD_MEMBERS is off in INTENTS", "User", s.CAROL),
            ("GUILD_MEMBERS is off in INTENTS", "UserGuilds", s.ALICE),
            ("GUILD_MESSAGES is off in INTENTS", "Message", s.GENERAL, 5),
            ("CACHE_ENTITIES leaves it out", "Role", s.BOOSTER),
            ("CACHE_ENTITIES leaves it out", "GuildChannels", s.GUILD),
            ("CACHE_ENTITIES leaves it out", "VoiceState", s.BOB, s.GUILD),
        ):
            headers = self.headers(kind, *arguments)
            self.assertEqual((headers["maintained"], headers["reason"]), (False, reason), kind)
        for kind, *arguments in (("Member", s.GUILD, s.BOT), ("Guild", s.GUILD), ("Guild", s.OTHER), ("User", s.BOT)):
            self.assertNotIn("maintained", self.headers(kind, *arguments), kind)
        self.assertIsNone(self.ask("Presence", s.GUILD, s.ALICE))
        self.assertIsNone(self.ask("GuildChannels", s.GUILD))
        self.assertEqual([each["user_id"] for each in self.ask("GuildMembers", s.GUILD)], [str(s.BOT)])

    def test_each_intent(self) -> None:
        """Of each kind: with an intent off that maintains it, what isn't found is not claimed not to be there."""
        for kind in kinds.KINDS:
            for intent in Intent(kinds.KINDS[kind] | kinds.WHOLE.get(kind, 0)):
                store = self.open(f"{kind} {intent.name}", intents=ALL & ~intent)
                feed(store, dispatch(1, "READY", s.ready(s.GUILD)))
                for asked, *arguments in QUESTIONS[kind]:
                    headers = self.headers(asked, *arguments)
                    self.assertEqual(headers.get("maintained"), False, (kind, intent, asked))
                    self.assertEqual(headers["reason"], f"{intent.name} is off in INTENTS")

    def test_people_in_part(self) -> None:
        """Without GUILD_MEMBERS nothing is claimed of those in voice, or in a thread; only the bot is told of whole."""
        store = self.open("people", intents=ALL & ~Intent.GUILD_MEMBERS)
        feed(store, dispatch(1, "READY", s.ready(s.GUILD)), dispatch(2, "GUILD_CREATE", s.guild()))
        for user, claim in ((s.BOB, False), (s.BOT, None)):
            for kind, *arguments in (
                ("Member", s.GUILD, user),
                ("Permissions", s.GUILD, user),
                ("Permissions", s.GUILD, user, s.GENERAL),
                ("User", user),
            ):
                self.assertIsNotNone(self.ask(kind, *arguments), (kind, user))
                self.assertEqual(self.headers(kind, *arguments).get("maintained"), claim, (kind, user))
        self.assertIsNotNone(self.ask("ThreadMembers", s.POST))
        self.assertEqual(self.headers("ThreadMembers", s.POST)["reason"], "GUILD_MEMBERS is off in INTENTS")
        for kind, *arguments in (("VoiceState", s.BOB, s.GUILD), ("GuildChannels", s.GUILD), ("CurrentUser",)):
            self.assertNotIn("maintained", self.headers(kind, *arguments), kind)

    def test_messages_in_part(self) -> None:
        """A message's reactions, and a poll's votes, have intents of their own, for guilds and for private channels."""
        poll: dict[str, Any] = {"poll": {"question": {"text": 'a "poll":{'}, "answers": []}}
        events = [
            ("READY", s.ready(s.GUILD)),
            ("GUILD_CREATE", s.guild()),
            ("MESSAGE_CREATE", s.message(31, content='"poll":{')),
            ("MESSAGE_CREATE", s.message(32) | poll),
            ("MESSAGE_CREATE", s.private_message(33, s.user(s.CAROL, "carol"))),
            ("MESSAGE_CREATE", s.private_message(34, s.user(s.CAROL, "carol")) | poll),
        ]
        guild, private = s.GENERAL, s.PRIVATE
        every = [("Message", guild, 31), ("Message", guild, 32), ("Message", private, 33), ("Message", private, 34)]
        lists = [("ChannelMessages", guild), ("ChannelMessages", private), ("ChannelMessages", s.VOICE)]
        missing = [("Message", guild, 5), ("Message", private, 5)]
        for intent, doubtful in (
            (Intent.GUILD_MESSAGE_REACTIONS, [every[0], every[1], lists[0]]),
            (Intent.GUILD_MESSAGE_POLLS, [every[1], lists[0]]),
            (Intent.DIRECT_MESSAGE_REACTIONS, [every[2], every[3], lists[1]]),
            (Intent.DIRECT_MESSAGE_POLLS, [every[3], lists[1]]),
            (Intent.DIRECT_MESSAGES, [missing[1]]),
        ):
            store = self.open(str(intent.name), intents=ALL & ~intent, messages=5)
            feed(store, *(dispatch(seq, *event) for seq, event in enumerate(events, start=1)))
            asked: list[tuple[Any, ...]] = [*every[:2], *lists[::2], *missing]
            asked += [] if intent is Intent.DIRECT_MESSAGES else [*every[2:], lists[1]]
            for kind, *arguments in asked:
                headers = self.headers(kind, *arguments)
                expected = f"{intent.name} is off in INTENTS" if (kind, *arguments) in doubtful else None
                self.assertEqual(headers.get("reason"), expected, (intent, kind, arguments))

    def test_no_messages(self) -> None:
        """Without room for messages that is the reason, also where some of them would not come."""
        expected = {"maintained": False, "reason": "MESSAGE_CACHE_SIZE is 0"}
        for intents in (ALL, ALL & ~Intent.DIRECT_MESSAGES):
            feed(self.open(f"none-{intents}", intents=intents, messages=0), dispatch(1, "READY", s.ready(s.GUILD)))
            self.assertEqual(self.headers("ChannelMessages", s.GENERAL), expected)

    def test_disabled(self) -> None:
        """Without a cache that is the reason for everything."""
        cache = Cache(self.folder / "one", total=1, per_cluster=1, own={1: self.store}, enabled=False)
        expected = Answer(None, {"maintained": False, "reason": "CACHE_ENABLED is false"})
        for kind, *arguments in (("Guild", s.GUILD), ("GuildMembers", s.GUILD), ("CurrentUser",)):
            self.assertEqual(run(cache, kind, *arguments)[0], expected)
