"""Tests of what guilds, roles, emojis and their like become."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rateway.model.intents import ALL, Intent
from rateway.store import keys
from rateway.store.updates.guilds import COLLECTIONS

from . import samples as s
from .memory import MemoryStore, kept


class GuildTests(SynchronousTestCase):
    """A guild that came whole."""

    def setUp(self) -> None:
        self.store = MemoryStore(kept(messages=10))
        self.store.happens("READY", s.ready(s.GUILD))
        self.store.happens("GUILD_CREATE", s.guild())

    def test_own_fields(self) -> None:
        """A guild's answer is what Discord sent, without what are entities of their own."""
        sent = s.guild()
        wanted = {key: value for key, value in sent.items() if key not in COLLECTIONS}
        self.assertEqual(self.store.ask("Guild", s.GUILD), wanted)

    def test_entities(self) -> None:
        """Everything in GUILD_CREATE can be asked for, with its guild's id."""
        ids = {"guild_id": str(s.GUILD)}
        self.assertEqual(self.store.ask("Emoji", s.WAVE), s.emoji() | ids)
        self.assertEqual(self.store.ask("Role", s.BOOSTER), s.role(s.BOOSTER, "booster") | ids)
        self.assertEqual(self.store.ask("GuildChannel", s.HIDDEN), s.hidden() | ids)
        post = s.thread(member={"flags": 1, "join_timestamp": "2026-03-01T10:05:00.000000+00:00"})
        self.assertEqual(self.store.ask("GuildChannel", s.POST), post)
        alice = s.member(s.ALICE, "alice", nick="Ali", roles=[str(s.BOOSTER)])
        self.assertEqual(self.store.ask("Member", s.GUILD, s.ALICE), alice | ids | {"user_id": str(s.ALICE)})
        self.assertEqual(self.store.ask("User", s.BOB), s.user(s.BOB, "bob"))
        self.assertEqual(self.store.ask("VoiceState", s.BOB, s.GUILD), s.voice_state(s.BOB, s.VOICE) | ids)
        presence = {"user": {"id": str(s.ALICE)}, "status": "idle", "activities": [], "client_status": {}}
        self.assertEqual(self.store.ask("Presence", s.GUILD, s.ALICE), presence | ids | {"user_id": str(s.ALICE)})

    def test_criterion_46_unavailable_guild_of_ready(self) -> None:
        """A guild that READY lists is there, and unavailable, until it comes; an outage leaves it so."""
        store = MemoryStore(kept())
        store.happens("READY", s.ready(s.GUILD, s.OTHER, 42))
        store.happens("GUILD_CREATE", s.guild())
        store.happens("GUILD_CREATE", s.bare_guild(s.OTHER))
        store.happens("GUILD_DELETE", {"id": "42", "unavailable": True})
        self.assertEqual(store.ask("Guild", 42), {"id": "42", "unavailable": True})
        self.assertIs(store.ask("Guild", s.GUILD)["unavailable"], False)
        self.assertIs(store.ask("Guild", s.OTHER)["unavailable"], False)

    def test_criterion_47_outage_and_return_with_less(self) -> None:
        """What a guild no longer has when it returns from an outage is gone, also the last emoji."""
        self.store.happens("MESSAGE_CREATE", s.message(300000000000000020, s.VOICE))
        before = self.rows_but_state()
        self.store.happens("GUILD_DELETE", {"id": str(s.GUILD), "unavailable": True})
        self.assertIs(self.store.ask("Guild", s.GUILD)["unavailable"], True)
        self.assertIsNotNone(self.store.ask("Emoji", s.WAVE))
        # The bot is in it as before: nothing of it is dropped.
        self.assertEqual(self.rows_but_state(), before)
        less = s.guild(emojis=[], channels=[s.channel(s.GENERAL)], threads=[], presences=[], voice_states=[])
        self.store.happens("GUILD_CREATE", less)
        self.assertIs(self.store.ask("Guild", s.GUILD)["unavailable"], False)
        gone = [s.WAVE, s.VOICE, s.FORUM, s.STAGE, s.HIDDEN, s.POST, s.CATEGORY]
        self.assertEqual(self.store.rows_of(*gone), [])
        self.assertEqual([key for key in self.store.rows if key[:1] in b"PWw"], [])
        self.assertIsNotNone(self.store.ask("GuildChannel", s.GENERAL))

    def rows_but_state(self) -> dict[bytes, bytes]:
        """All rows but that which tells of outages."""
        return {key: row for key, row in self.store.rows.items() if key != keys.guild_state(s.GUILD)}

    def test_criterion_48_removed_guild_leaves_no_row(self) -> None:
        """After GUILD_DELETE without ``unavailable``, the bot's own user is all that is left."""
        for message, channel in ((300000000000000020, s.GENERAL), (300000000000000021, s.POST)):
            self.store.happens("MESSAGE_CREATE", s.message(message, channel))
        self.store.happens("CHANNEL_PINS_UPDATE", {"guild_id": str(s.GUILD), "channel_id": str(s.GENERAL)})
        of_guild = {"guild_id": str(s.GUILD)}
        self.store.happens("GUILD_MEMBER_ADD", s.member(s.CAROL, "carol") | of_guild)
        self.store.happens("INVITE_CREATE", {"code": "abc", "channel_id": str(s.GENERAL)} | of_guild)
        self.store.happens("INTEGRATION_CREATE", {"id": "5", "name": "x"} | of_guild)
        self.store.happens("AUTO_MODERATION_RULE_CREATE", {"id": "6", "name": "x"} | of_guild)
        self.store.happens("CHANNEL_INFO", {"channels": [{"id": str(s.VOICE), "status": "x"}]} | of_guild)
        self.store.rows[keys.stale(s.GUILD)] = b"an event"
        # A row of every kind that a guild has.
        tables = {kind for table in keys.TABLES for kind in (table.kind, table.pointer_kind)}
        kinds = {bytes([kind]) for kind in b"!GgMmUPWwAOZFfNn"} | tables
        self.assertEqual(kinds - {key[:1] for key in self.store.rows}, set())
        self.store.happens("GUILD_DELETE", {"id": str(s.GUILD)})
        own = {keys.SELF, keys.user(s.BOT), keys.reference(s.BOT, 0)}
        self.assertEqual(set(self.store.rows), own)
        self.assertIsNone(self.store.ask("Guild", s.GUILD))

    def test_criterion_48_other_guilds_stay(self) -> None:
        """A guild that goes takes nothing of another, and no user that is known there too."""
        self.store.happens("GUILD_CREATE", s.bare_guild(s.OTHER))
        before = {key for key in self.store.rows if s.OTHER.to_bytes(8, "big") in key}
        self.store.happens("GUILD_DELETE", {"id": str(s.GUILD), "unavailable": False})
        self.assertEqual(before, {key for key in self.store.rows if s.OTHER.to_bytes(8, "big") in key})
        self.assertIsNotNone(self.store.ask("User", s.ALICE))
        self.assertIsNone(self.store.ask("User", s.BOB))

    def test_criterion_50_guild_update(self) -> None:
        """GUILD_UPDATE changes the guild's own fields and its roles, and keeps count, channels and members."""
        update = {
            "id": str(s.GUILD),
            "name": "New",
            "roles": [s.role(s.GUILD, "@everyone", 0)],
            "vanity_url_code": None,
        }
        self.store.happens("GUILD_UPDATE", update)
        guild = self.store.ask("Guild", s.GUILD)
        self.assertEqual((guild["name"], guild["member_count"], guild["large"]), ("New", 3, False))
        self.assertIs(guild["unavailable"], False)
        self.assertIn("vanity_url_code", guild)
        self.assertIsNone(self.store.ask("Role", s.BOOSTER))
        self.assertIsNotNone(self.store.ask("GuildChannel", s.GENERAL))
        self.assertIsNotNone(self.store.ask("Member", s.GUILD, s.BOB))
        self.assertIsNotNone(self.store.ask("Emoji", s.WAVE))

    def test_update_of_unknown_guild(self) -> None:
        """What comes of a guild the bot isn't in is not kept."""
        before = dict(self.store.rows)
        other = {"guild_id": "5"}
        self.store.happens("GUILD_UPDATE", {"id": "5", "name": "x", "roles": [s.role(5, "x")]})
        self.store.happens("GUILD_ROLE_CREATE", other | {"role": s.role(6, "x")})
        self.store.happens("CHANNEL_CREATE", s.channel(7) | other)
        self.store.happens("GUILD_EMOJIS_UPDATE", other | {"emojis": [s.emoji(8)]})
        self.store.happens("GUILD_MEMBER_ADD", s.member() | other)
        self.store.happens("GUILD_MEMBERS_CHUNK", other | {"members": [s.member(9)]})
        self.store.happens("PRESENCE_UPDATE", s.presence(guild_id="5"))
        self.store.happens("VOICE_STATE_UPDATE", s.voice_state(s.BOB, s.VOICE) | other)
        self.store.happens("MESSAGE_CREATE", s.message(10, 11, guild_id="5"))
        self.assertEqual(self.store.rows, before)

    def test_repeated_guild_create(self) -> None:
        """The same guild again changes nothing."""
        before = dict(self.store.rows)
        self.store.happens("GUILD_CREATE", s.guild())
        self.assertEqual(self.store.rows, before)

    def test_unavailable_create_touches_nothing_else(self) -> None:
        """GUILD_CREATE of an outage marks the guild, and keeps what it has."""
        before = dict(self.store.rows)
        self.store.happens("GUILD_CREATE", {"id": str(s.GUILD), "unavailable": True})
        changed = {key for key in self.store.rows if self.store.rows[key] != before[key]}
        self.assertEqual(changed, {keys.guild_state(s.GUILD)})

    def test_member_listed_twice(self) -> None:
        """A user in voice is listed twice among the members, and is one."""
        twice = s.guild()
        twice["members"].append(twice["members"][-1])
        self.store.happens("GUILD_CREATE", twice)
        self.assertEqual(len(list(self.store.items(keys.members(s.GUILD)))), 3)

    def test_member_gone_during_outage(self) -> None:
        """A member no longer listed is no longer known, nor is their user."""
        self.store.happens("GUILD_CREATE", s.guild(members=[s.member()]))
        self.assertIsNone(self.store.ask("Member", s.GUILD, s.BOB))
        self.assertIsNone(self.store.ask("User", s.BOB))
        self.assertIsNotNone(self.store.ask("User", s.BOT))

    def test_channels_only_if_listed(self) -> None:
        """A collection that the payload doesn't have at all is kept as it is."""
        partial = s.guild()
        for name in COLLECTIONS:
            del partial[name]
        before = dict(self.store.rows)
        self.store.happens("GUILD_CREATE", partial)
        self.assertEqual(self.store.rows, before)

    def test_weird_presence_does_not_spoil_the_guild(self) -> None:
        """A presence that can't be read is left out of a guild that otherwise comes whole."""
        store = MemoryStore(kept())
        store.happens("GUILD_CREATE", s.guild(presences=[{"user": {"id": "x"}}, 5, s.presence(-1), s.presence(s.BOB)]))
        self.assertIsNotNone(store.ask("Presence", s.GUILD, s.BOB))

    def test_order_of_keys_is_no_matter(self) -> None:
        """Members whose ``user`` stands anywhere come out the same."""
        turned = s.guild()
        turned["members"] = [dict(reversed(list(member.items()))) for member in turned["members"]]
        middle = s.member(s.CAROL, "carol")
        turned["members"].append({"nick": None, "user": middle.pop("user"), **middle})
        self.store.happens("GUILD_CREATE", turned)
        ids = {"guild_id": str(s.GUILD), "user_id": str(s.CAROL)}
        self.assertEqual(self.store.ask("Member", s.GUILD, s.CAROL), s.member(s.CAROL, "carol") | ids)


class ReadyTests(SynchronousTestCase):
    """The beginning of a session."""

    def test_criterion_49_guild_left_while_offline(self) -> None:
        """A guild that a second READY doesn't list was left: nothing of it remains."""
        store = MemoryStore(kept())
        store.happens("READY", s.ready(s.GUILD, s.OTHER))
        store.happens("GUILD_CREATE", s.guild())
        store.happens("GUILD_CREATE", s.bare_guild(s.OTHER))
        store.happens("READY", s.ready(s.OTHER))
        self.assertIsNone(store.ask("Guild", s.GUILD))
        self.assertEqual(store.rows_of(s.GUILD, *s.CHANNELS, s.BOB, s.WAVE), [])
        self.assertIs(store.ask("Guild", s.OTHER)["unavailable"], True)
        self.assertIsNotNone(store.ask("Member", s.OTHER, s.ALICE))
        store.happens("READY", s.ready())
        self.assertIsNone(store.ask("User", s.ALICE))
        self.assertEqual(store.ask("User", s.BOT), s.own_user())

    def test_criterion_49_two_guilds_with_one_user(self) -> None:
        """A user known through two guilds goes when both go at once."""
        store = MemoryStore(kept())
        store.happens("GUILD_CREATE", s.bare_guild(s.GUILD))
        store.happens("GUILD_CREATE", s.bare_guild(s.OTHER))
        store.happens("READY", s.ready())
        self.assertIsNone(store.ask("User", s.ALICE))

    def test_guilds_of_other_shards_stay(self) -> None:
        """READY speaks for its own shard's guilds alone."""
        mine, other = 2 << 22, 3 << 22
        store = MemoryStore(kept(total=2), shard_id=0)
        store.happens("GUILD_CREATE", s.bare_guild(mine))
        store.happens("GUILD_CREATE", s.bare_guild(other))
        store.happens("READY", s.ready())
        self.assertIsNone(store.ask("Guild", mine))
        self.assertIs(store.ask("Guild", other)["unavailable"], False)

    def test_current_user(self) -> None:
        """READY and USER_UPDATE say who the bot is."""
        store = MemoryStore(kept())
        self.assertIsNone(store.ask("CurrentUser"))
        store.happens("READY", s.ready())
        self.assertEqual(store.ask("CurrentUser"), s.own_user())
        renamed = s.own_user() | {"username": "other"}
        store.happens("USER_UPDATE", renamed)
        self.assertEqual(store.ask("CurrentUser"), renamed)
        self.assertEqual(store.ask("User", s.BOT), renamed)

    def test_own_voice_state_is_dropped(self) -> None:
        """A new session begins with the bot in no voice channel."""
        store = MemoryStore(kept())
        store.happens("READY", s.ready(s.GUILD))
        store.happens("GUILD_CREATE", s.guild(voice_states=[s.voice_state(s.BOT, s.VOICE)]))
        self.assertIsNotNone(store.ask("VoiceChannelStates", s.VOICE))
        store.happens("READY", s.ready(s.GUILD))
        self.assertIsNone(store.ask("VoiceState", s.BOT, s.GUILD))
        self.assertIsNone(store.ask("VoiceChannelStates", s.VOICE))


class CollectionTests(SynchronousTestCase):
    """Roles, emojis, stickers, sounds, stages, scheduled events."""

    def setUp(self) -> None:
        self.store = MemoryStore(kept())
        self.store.happens("GUILD_CREATE", s.guild())
        self.of_guild = {"guild_id": str(s.GUILD)}

    def test_role_create_and_update(self) -> None:
        """A role made, then changed, is as it was last."""
        self.store.happens("GUILD_ROLE_CREATE", self.of_guild | {"role": s.role(77, "new")})
        self.store.happens("GUILD_ROLE_UPDATE", self.of_guild | {"role": s.role(77, "newer", 3)})
        self.assertEqual(self.store.ask("Role", 77), s.role(77, "newer", 3) | self.of_guild)

    def test_criterion_58_role_delete(self) -> None:
        """A deleted role is gone, and no member's answer lists it any more."""
        self.assertEqual(self.store.ask("Member", s.GUILD, s.ALICE)["roles"], [str(s.BOOSTER)])
        self.store.happens("GUILD_ROLE_DELETE", self.of_guild | {"role_id": str(s.BOOSTER)})
        self.assertIsNone(self.store.ask("Role", s.BOOSTER))
        self.assertEqual(self.store.ask("Member", s.GUILD, s.ALICE)["roles"], [])
        self.assertEqual(self.store.ask("Member", s.GUILD, s.BOT)["roles"], [str(s.BOT_ROLE)])

    def test_emojis_update(self) -> None:
        """The list of emojis replaces the old one."""
        self.store.happens("GUILD_EMOJIS_UPDATE", self.of_guild | {"emojis": [s.emoji(5, "five")]})
        self.assertIsNone(self.store.ask("Emoji", s.WAVE))
        self.assertEqual(self.store.ask("Emoji", 5), s.emoji(5, "five") | self.of_guild)
        self.store.happens("GUILD_EMOJIS_UPDATE", self.of_guild | {"emojis": []})
        self.assertEqual(self.store.rows_of(5), [])

    def test_stickers_update(self) -> None:
        """The list of stickers replaces the old one."""
        self.store.happens("GUILD_STICKERS_UPDATE", self.of_guild | {"stickers": [{"id": "6"}]})
        self.assertEqual([keys.last_id(k) for k, _ in self.store.items(keys.STICKERS.of(s.GUILD))], [6])

    def sounds(self) -> list[int]:
        """The ids of the guild's sounds."""
        return [keys.last_id(key) for key, _ in self.store.items(keys.SOUNDS.of(s.GUILD))]

    def test_sounds(self) -> None:
        """Sounds are made, changed, deleted one by one; a list of changes removes none, an asked-for list does."""
        self.store.happens("GUILD_SOUNDBOARD_SOUND_CREATE", self.of_guild | {"sound_id": "7"})
        self.store.happens("GUILD_SOUNDBOARD_SOUNDS_UPDATE", self.of_guild | {"soundboard_sounds": [{"sound_id": "8"}]})
        self.assertEqual(self.sounds(), [7, 8, 100000000000000001])
        self.store.happens("GUILD_SOUNDBOARD_SOUND_DELETE", self.of_guild | {"sound_id": "8"})
        self.store.happens("SOUNDBOARD_SOUNDS", self.of_guild | {"soundboard_sounds": [{"sound_id": "7"}]})
        self.assertEqual(self.sounds(), [7])

    def test_stages(self) -> None:
        """A stage instance is made, changed, deleted."""
        stage = {"id": "9", "channel_id": str(s.STAGE), "topic": "x"} | self.of_guild
        self.store.happens("STAGE_INSTANCE_CREATE", stage)
        self.store.happens("STAGE_INSTANCE_UPDATE", stage | {"topic": "y"})
        self.assertIn(b'"y"', self.store.rows[keys.STAGES.row(s.GUILD, 9)])
        self.store.happens("STAGE_INSTANCE_DELETE", stage)
        self.assertEqual(self.store.rows_of(9), [])

    def event(self) -> bytes | None:
        """The sample's scheduled event."""
        return self.store.rows.get(keys.EVENTS.row(s.GUILD, 200000000000000002))

    def test_scheduled_events(self) -> None:
        """An update without ``user_count`` keeps it; users come and go; one that is over is dropped."""
        update = {"id": "200000000000000002", "name": "Later", "status": 1} | self.of_guild
        self.store.happens("GUILD_SCHEDULED_EVENT_UPDATE", update)
        self.assertIn(b'"user_count":2', self.event() or b"")
        someone = {"guild_scheduled_event_id": "200000000000000002", "user_id": str(s.BOB)} | self.of_guild
        self.store.happens("GUILD_SCHEDULED_EVENT_USER_ADD", someone)
        self.assertIn(b'"user_count":3', self.event() or b"")
        for _ in range(5):
            self.store.happens("GUILD_SCHEDULED_EVENT_USER_REMOVE", someone)
        self.assertIn(b'"user_count":0', self.event() or b"")
        self.store.happens("GUILD_SCHEDULED_EVENT_UPDATE", update | {"status": 4})
        self.assertIsNone(self.event())
        self.store.happens("GUILD_SCHEDULED_EVENT_CREATE", update)
        self.store.happens("GUILD_SCHEDULED_EVENT_DELETE", update)
        self.assertIsNone(self.event())


class StalenessTests(SynchronousTestCase):
    """What no intent maintains isn't kept."""

    def test_kinds_without_their_intents(self) -> None:
        """Without its intent, a kind that a guild lists all the same is not kept."""
        off = Intent.GUILD_EXPRESSIONS | Intent.GUILD_PRESENCES | Intent.GUILD_VOICE_STATES
        store = MemoryStore(kept(intents=ALL & ~off))
        store.happens("GUILD_CREATE", s.guild())
        self.assertEqual([key for key in store.rows if key[:1] in b"EeKkSsPWw"], [])
        self.assertIsNone(store.ask("Emoji", s.WAVE))
        self.assertIsNotNone(store.ask("Role", s.BOOSTER))

    def test_members_without_the_intent(self) -> None:
        """Without GUILD_MEMBERS the bot's own member is kept, and those in voice while they are."""
        store = MemoryStore(kept(intents=ALL & ~Intent.GUILD_MEMBERS))
        store.happens("READY", s.ready(s.GUILD))
        store.happens("GUILD_CREATE", s.guild())
        self.assertIsNotNone(store.ask("Member", s.GUILD, s.BOT))
        self.assertIsNotNone(store.ask("Member", s.GUILD, s.BOB))
        self.assertIsNone(store.ask("Member", s.GUILD, s.ALICE))
        of_guild = {"guild_id": str(s.GUILD)}
        store.happens("VOICE_STATE_UPDATE", s.voice_state(s.ALICE, s.VOICE, member=s.member()) | of_guild)
        self.assertIsNotNone(store.ask("User", s.ALICE))
        for user in (s.ALICE, s.BOB):
            store.happens("VOICE_STATE_UPDATE", s.voice_state(user, None) | of_guild)
            self.assertIsNone(store.ask("Member", s.GUILD, user))
            self.assertIsNone(store.ask("User", user))
        store.happens("MESSAGE_CREATE", s.message(1))
        self.assertIsNone(store.ask("User", s.ALICE))
        store.happens("GUILD_MEMBER_UPDATE", s.member(s.BOT, "rateway-bot", nick="Me") | of_guild)
        self.assertEqual(store.ask("Member", s.GUILD, s.BOT)["nick"], "Me")

    def test_chosen_kinds(self) -> None:
        """CACHE_ENTITIES says what is kept; users are known by their memberships though members aren't kept."""
        store = MemoryStore(kept(kinds=frozenset({"User"})))
        store.happens("READY", s.ready(s.GUILD))
        store.happens("GUILD_CREATE", s.guild())
        self.assertIsNotNone(store.ask("User", s.ALICE))
        self.assertIsNone(store.ask("Member", s.GUILD, s.ALICE))
        self.assertIsNone(store.ask("Guild", s.GUILD))
        self.assertIsNone(store.ask("GuildChannel", s.GENERAL))
        store.happens("GUILD_MEMBER_REMOVE", {"guild_id": str(s.GUILD), "user": s.user()})
        self.assertIsNone(store.ask("User", s.ALICE))
        store.happens("GUILD_DELETE", {"id": str(s.GUILD)})
        self.assertEqual(len(store.rows), 3)
