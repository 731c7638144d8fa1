"""Tests of what channels, threads and voice become."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rateway.store import keys

from . import samples as s
from .memory import MemoryStore, kept

OF_GUILD = {"guild_id": str(s.GUILD)}
SECOND = 600000000000000104
MEMBERSHIP = {"user_id": str(s.BOT), "join_timestamp": "2026-03-01T10:05:00.000000+00:00", "flags": 1}


class StoreTestCase(SynchronousTestCase):
    """A store with the sample guild."""

    def setUp(self) -> None:
        self.store = MemoryStore(kept(messages=10))
        self.store.happens("READY", s.ready(s.GUILD))
        self.store.happens("GUILD_CREATE", s.guild())

    def threads(self) -> list[int]:
        """The ids of the guild's active threads."""
        return [keys.last_id(key) for key, _ in self.store.items(keys.THREADS.of(s.GUILD))]


class ChannelTests(StoreTestCase):
    """Channels."""

    def test_create_and_update(self) -> None:
        """A channel is as it was last sent, also if its guild isn't named."""
        made = s.channel(1, topic="x") | OF_GUILD
        self.store.happens("CHANNEL_CREATE", made)
        self.assertEqual(self.store.ask("GuildChannel", 1), made)
        changed = s.channel(1, 5, "news")
        self.store.happens("CHANNEL_UPDATE", changed)
        self.assertEqual(self.store.ask("GuildChannel", 1), changed | OF_GUILD)

    def test_criterion_62_hidden_and_shown(self) -> None:
        """A channel hidden from the bot keeps nothing of what it was, and shown again it is whole."""
        shown = s.channel(s.HIDDEN, topic="secret", last_message_id="5") | OF_GUILD
        self.store.happens("CHANNEL_UPDATE", shown)
        self.assertEqual(self.store.ask("GuildChannel", s.HIDDEN), shown)
        self.store.happens("MESSAGE_CREATE", s.message(300000000000000020, s.HIDDEN))
        hidden = s.hidden() | OF_GUILD
        self.store.happens("CHANNEL_UPDATE", hidden)
        self.assertEqual(self.store.ask("GuildChannel", s.HIDDEN), hidden)
        self.store.happens("CHANNEL_UPDATE", shown)
        self.assertEqual(self.store.ask("GuildChannel", s.HIDDEN), shown)

    def fill(self, channel: int) -> None:
        """A message, a thread with a message, an invite, and a status in the channel."""
        self.store.happens("MESSAGE_CREATE", s.message(300000000000000020, channel))
        self.store.happens("THREAD_CREATE", s.thread(SECOND, channel))
        self.store.happens("MESSAGE_CREATE", s.message(300000000000000021, SECOND))
        self.store.happens("INVITE_CREATE", {"code": "abc", "channel_id": str(channel)} | OF_GUILD)
        self.store.happens("VOICE_CHANNEL_STATUS_UPDATE", {"id": str(channel), "status": "x"} | OF_GUILD)

    def test_told_of_while_hidden(self) -> None:
        """What is told of a hidden channel goes with the guild's next coming, also if that lists no channels."""
        guild = s.guild()
        del guild["channels"], guild["threads"]
        self.store.happens("CHANNEL_INFO", OF_GUILD | {"channels": [{"id": str(s.HIDDEN), "status": "open"}]})
        self.assertIsNotNone(self.store.ask("ChannelInfo", s.GUILD, s.HIDDEN))
        self.store.happens("GUILD_CREATE", guild)
        self.assertIsNone(self.store.ask("ChannelInfo", s.GUILD, s.HIDDEN))
        self.assertIsNotNone(self.store.ask("GuildChannel", s.HIDDEN))

    def test_hidden_with_what_is_in_it(self) -> None:
        """Of what is in a channel no event tells any more once it is hidden: it is not kept. Others keep theirs."""
        hidden = s.channel(s.GENERAL, name="___hidden___", flags=1 << 17)
        channels = [hidden if each["id"] == str(s.GENERAL) else each for each in s.guild()["channels"]]
        for name, d in (("CHANNEL_UPDATE", hidden), ("GUILD_CREATE", s.guild(channels=channels))):
            self.store.happens("CHANNEL_UPDATE", s.channel(s.GENERAL) | OF_GUILD)
            self.fill(s.GENERAL)
            self.store.happens("MESSAGE_CREATE", s.message(300000000000000022, s.POST))
            self.assertIsNotNone(self.store.ask("Message", SECOND, 300000000000000021))
            self.store.happens(name, d)
            of_channel = {keys.CHANNELS.row(s.GUILD, s.GENERAL), keys.CHANNELS.pointer(s.GENERAL)}
            self.assertEqual(set(self.store.rows_of(s.GENERAL, SECOND)), of_channel, name)
            self.assertEqual(self.store.ask("GuildInvites", s.GUILD), [], name)
            self.assertIsNotNone(self.store.ask("Message", s.POST, 300000000000000022), name)

    def test_flags_of_any_kind(self) -> None:
        """A channel whose flags are null, or aren't there, is a channel."""
        bare = s.channel(1)
        del bare["flags"]
        for number, channel in enumerate((bare, s.channel(2, flags=None)), start=1):
            self.store.happens("CHANNEL_CREATE", channel | OF_GUILD)
            self.store.happens("GUILD_CREATE", s.guild(channels=[channel]))
            self.assertEqual(self.store.ask("GuildChannel", number), channel | OF_GUILD)

    def test_criterion_54_delete_takes_threads_and_messages(self) -> None:
        """A deleted channel takes its threads, all messages in it and them, its stage and its events."""
        for thread in (1, 2, 3):
            self.store.happens("THREAD_CREATE", s.thread(thread, s.STAGE))
            self.store.happens("MESSAGE_CREATE", s.message(300000000000000020 + thread, thread))
        self.store.happens("MESSAGE_CREATE", s.message(300000000000000020, s.STAGE))
        self.store.happens("VOICE_STATE_UPDATE", s.voice_state(s.BOB, s.STAGE) | OF_GUILD)
        self.store.happens("CHANNEL_DELETE", s.channel(s.STAGE, 13) | OF_GUILD)
        gone = self.store.rows_of(s.STAGE, 1, 2, 3, 200000000000000001, 200000000000000002)
        self.assertEqual(gone, [])
        self.assertIsNone(self.store.ask("VoiceState", s.BOB, s.GUILD))
        self.assertIsNotNone(self.store.ask("GuildChannel", s.POST))

    def test_criterion_54_category_delete_leaves_channels(self) -> None:
        """A deleted category leaves its channels."""
        self.store.happens("CHANNEL_DELETE", s.channel(s.CATEGORY, 4) | OF_GUILD)
        self.assertIsNone(self.store.ask("GuildChannel", s.CATEGORY))
        self.assertIsNotNone(self.store.ask("GuildChannel", s.GENERAL))

    def test_pins(self) -> None:
        """A pin moves the channel's time of the last one, and none is ``null``."""
        pin = {"channel_id": str(s.GENERAL), "last_pin_timestamp": "2026-03-01T10:05:00+00:00"} | OF_GUILD
        self.store.happens("CHANNEL_PINS_UPDATE", pin)
        self.store.happens("MESSAGE_CREATE", s.message(300000000000000020))
        channel = self.store.ask("GuildChannel", s.GENERAL)
        self.assertEqual(channel["last_pin_timestamp"], pin["last_pin_timestamp"])
        self.assertEqual(channel["last_message_id"], "300000000000000020")
        self.store.happens("CHANNEL_PINS_UPDATE", {"channel_id": str(s.GENERAL)})
        self.assertIsNone(self.store.ask("GuildChannel", s.GENERAL)["last_pin_timestamp"])
        before = dict(self.store.rows)
        self.store.happens("CHANNEL_PINS_UPDATE", {"channel_id": "5", "guild_id": str(s.GUILD)})
        self.store.happens("CHANNEL_PINS_UPDATE", {"channel_id": "5"})
        self.assertEqual(self.store.rows, before)


class ThreadTests(StoreTestCase):
    """Threads."""

    def test_create(self) -> None:
        """A new post is known, and is the last message of its forum; a new thread in a text channel isn't."""
        event = s.thread(SECOND) | {"newly_created": True}
        self.store.happens("THREAD_CREATE", event)
        self.assertEqual(self.store.ask("GuildChannel", SECOND), s.thread(SECOND))
        self.assertEqual(self.store.ask("GuildChannel", s.FORUM)["last_message_id"], str(SECOND))
        self.store.happens("THREAD_CREATE", s.thread(5, s.GENERAL) | {"newly_created": True})
        self.assertEqual(self.store.ask("GuildChannel", s.GENERAL)["last_message_id"], "300000000000000009")

    def test_criterion_56_archived(self) -> None:
        """An archived thread is no longer among the active ones; one taken up again is."""
        self.store.happens("MESSAGE_CREATE", s.message(300000000000000020, s.POST))
        self.store.happens("THREAD_UPDATE", s.thread(archived=True))
        self.assertEqual(self.threads(), [])
        self.assertEqual(self.store.rows_of(s.POST), [])
        self.store.happens("THREAD_UPDATE", s.thread())
        self.assertEqual(self.threads(), [s.POST])
        self.store.happens("THREAD_CREATE", s.thread(SECOND, archived=True))
        self.assertEqual(self.threads(), [s.POST])

    def test_delete(self) -> None:
        """A deleted thread takes its members and messages."""
        self.store.happens("MESSAGE_CREATE", s.message(300000000000000020, s.POST))
        self.store.happens("THREAD_DELETE", {"id": str(s.POST), "parent_id": str(s.FORUM), "type": 11} | OF_GUILD)
        self.assertEqual(self.store.rows_of(s.POST), [])

    def test_criterion_55_list_sync(self) -> None:
        """A sync of some channels drops their other threads; of all, all others; those of other channels stay."""
        self.store.happens("THREAD_CREATE", s.thread(1, s.GENERAL))
        self.store.happens("THREAD_CREATE", s.thread(2, s.GENERAL))
        self.store.happens("THREAD_CREATE", s.thread(3, s.VOICE))
        sync = {"channel_ids": [str(s.FORUM), str(s.GENERAL)], "threads": [s.thread()], "members": []} | OF_GUILD
        sync["members"] = [{"id": str(s.POST), **MEMBERSHIP}]
        self.store.happens("THREAD_LIST_SYNC", sync)
        self.assertEqual(self.threads(), [3, s.POST])
        self.assertEqual(self.store.ask("GuildChannel", s.POST)["member"], {"id": str(s.POST), **MEMBERSHIP})
        self.store.happens("THREAD_LIST_SYNC", {"channel_ids": [], "threads": [], "members": []} | OF_GUILD)
        self.assertEqual(self.threads(), [3, s.POST])
        self.store.happens("THREAD_LIST_SYNC", {"threads": [s.thread(4)], "members": []} | OF_GUILD)
        self.assertEqual(self.threads(), [4])
        self.assertEqual(self.store.rows_of(s.POST, 1, 2, 3), [])

    def test_own_membership(self) -> None:
        """The bot's membership of a thread is part of its answer."""
        self.store.happens("THREAD_CREATE", s.thread(SECOND))
        self.assertNotIn("member", self.store.ask("GuildChannel", SECOND))
        update = {"id": str(SECOND), **MEMBERSHIP} | OF_GUILD
        self.store.happens("THREAD_MEMBER_UPDATE", update)
        self.assertEqual(self.store.ask("GuildChannel", SECOND)["member"], update)
        self.store.happens("THREAD_MEMBERS_UPDATE", {"id": str(SECOND), "removed_member_ids": [str(s.BOT)]} | OF_GUILD)
        self.assertNotIn("member", self.store.ask("GuildChannel", SECOND))

    def test_members_update(self) -> None:
        """Who joins a thread is counted, and known as a member of the guild with their presence."""
        added = {
            "id": str(s.POST),
            "user_id": str(s.CAROL),
            "flags": 0,
            "member": s.member(s.CAROL, "carol"),
            "presence": s.presence(s.CAROL),
        }
        event = {"id": str(s.POST), "member_count": 3, "added_members": [added]} | OF_GUILD
        self.store.happens("THREAD_MEMBERS_UPDATE", event)
        self.assertEqual(self.store.ask("GuildChannel", s.POST)["member_count"], 3)
        self.assertEqual(self.store.ask("Member", s.GUILD, s.CAROL)["user"], s.user(s.CAROL, "carol"))
        self.assertEqual(self.store.ask("Presence", s.GUILD, s.CAROL)["status"], "online")
        self.assertIn(keys.thread_member(s.GUILD, s.POST, s.CAROL), self.store.rows)
        for member in self.store.ask("ThreadMembers", s.POST):
            self.assertEqual((member["id"], member["guild_id"]), (str(s.POST), str(s.GUILD)), member["user_id"])
        event = {"id": str(s.POST), "member_count": 2, "removed_member_ids": [str(s.CAROL)]} | OF_GUILD
        self.store.happens("THREAD_MEMBERS_UPDATE", event)
        self.assertNotIn(keys.thread_member(s.GUILD, s.POST, s.CAROL), self.store.rows)

    def test_removed_from_private_thread(self) -> None:
        """The bot, removed from a private thread, doesn't know it any more."""
        self.store.happens("THREAD_CREATE", s.thread(SECOND, type=12))
        self.store.happens("THREAD_MEMBERS_UPDATE", {"id": str(SECOND), "removed_member_ids": [str(s.BOT)]} | OF_GUILD)
        self.assertIsNone(self.store.ask("GuildChannel", SECOND))

    def test_removed_as_others_join_a_private_thread(self) -> None:
        """Of a private thread that the bot is removed from nothing is left, whatever else the event tells of it."""
        self.store.happens("THREAD_CREATE", s.thread(SECOND, type=12))
        self.store.happens("MESSAGE_CREATE", s.message(300000000000000020, SECOND))
        joined = {"id": str(SECOND), "user_id": str(s.ALICE), "flags": 0}
        self.store.happens("THREAD_MEMBERS_UPDATE", {"id": str(SECOND), "added_members": [joined]} | OF_GUILD)
        self.assertIn(keys.thread_member(s.GUILD, SECOND, s.ALICE), self.store.rows)
        joined = {"id": str(SECOND), "user_id": str(s.BOB), "flags": 0, "member": s.member(s.BOB, "bobby")}
        event = {"id": str(SECOND), "member_count": 2, "added_members": [joined], "removed_member_ids": [str(s.BOT)]}
        self.store.happens("THREAD_MEMBERS_UPDATE", event | OF_GUILD)
        self.assertEqual(self.store.rows_of(SECOND), [])
        self.assertEqual(self.store.ask("User", s.BOB)["username"], "bobby")

    def test_one_counter(self) -> None:
        """A thread that Discord counts by one number alone is counted by it."""
        thread = s.thread()
        del thread["message_count"]
        self.store.happens("THREAD_UPDATE", thread)
        for message in (300000000000000020, 300000000000000021, 300000000000000019):
            self.store.happens("MESSAGE_CREATE", s.message(message, s.POST))
        found = self.store.ask("GuildChannel", s.POST)
        self.assertEqual((found["total_message_sent"], found["last_message_id"]), (7, "300000000000000021"))
        self.assertNotIn("message_count", found)

    def test_joined_twice(self) -> None:
        """Of one listed twice among those who joined, the last word counts."""
        self.store.happens("GUILD_MEMBER_UPDATE", s.member(nick="b") | OF_GUILD)
        added = [
            {"id": str(s.POST), "user_id": str(s.ALICE), "member": s.member(nick=nick), "presence": None}
            for nick in ("a", "b")
        ]
        self.store.happens("THREAD_MEMBERS_UPDATE", {"id": str(s.POST), "added_members": added} | OF_GUILD)
        self.assertEqual(self.store.ask("Member", s.GUILD, s.ALICE)["nick"], "b")

    def test_counters(self) -> None:
        """Messages move a thread's counters; the one that started it and a repeated one don't."""
        post = self.store.ask("GuildChannel", s.POST)
        self.store.happens("MESSAGE_CREATE", s.message(300000000000000020, s.POST))
        self.store.happens("MESSAGE_CREATE", s.message(300000000000000020, s.POST))
        expected = {"message_count": 5, "total_message_sent": 6, "last_message_id": "300000000000000020"}
        self.assertEqual(self.store.ask("GuildChannel", s.POST), post | expected)
        self.store.happens("MESSAGE_DELETE", {"id": "300000000000000020", "channel_id": str(s.POST)} | OF_GUILD)
        expected["message_count"] = 4
        self.assertEqual(self.store.ask("GuildChannel", s.POST), post | expected)
        start = {"message_count": 0, "total_message_sent": 0, "last_message_id": None}
        self.store.happens("THREAD_CREATE", s.thread(SECOND) | start)
        self.store.happens("MESSAGE_CREATE", s.message(SECOND, SECOND))
        self.assertEqual(self.store.ask("GuildChannel", SECOND)["message_count"], 0)
        many = {"ids": [str(SECOND), "1", "2"], "channel_id": str(SECOND)} | OF_GUILD
        self.store.happens("MESSAGE_DELETE_BULK", many)
        self.assertEqual(self.store.ask("GuildChannel", SECOND)["message_count"], 0)


class VoiceTests(StoreTestCase):
    """Voice states, and who is in which channel."""

    def channel(self, channel: int) -> list[int]:
        """Who is in a voice channel, by the answer; the answer of an empty one is none at all."""
        states = self.store.ask("VoiceChannelStates", channel)
        self.assertNotEqual(states, [])
        return [int(state["user_id"]) for state in states or ()]

    def moves(self, user: int, channel: int | None) -> None:
        """A user's voice state changes."""
        self.store.happens("VOICE_STATE_UPDATE", s.voice_state(user, channel) | OF_GUILD)

    def test_criterion_57_channel_index(self) -> None:
        """Who is in a channel is exact after each join, move, and leave."""
        self.assertEqual(self.channel(s.VOICE), [s.BOB])
        self.moves(s.ALICE, s.VOICE)
        self.assertEqual(self.channel(s.VOICE), [s.ALICE, s.BOB])
        self.moves(s.ALICE, s.STAGE)
        self.assertEqual((self.channel(s.VOICE), self.channel(s.STAGE)), ([s.BOB], [s.ALICE]))
        self.moves(s.ALICE, s.STAGE)
        self.assertEqual((self.channel(s.VOICE), self.channel(s.STAGE)), ([s.BOB], [s.ALICE]))
        self.moves(s.ALICE, None)
        self.moves(s.BOB, None)
        self.assertEqual((self.channel(s.VOICE), self.channel(s.STAGE)), ([], []))
        self.assertEqual([key for key in self.store.rows if key[:1] in b"Ww"], [])
        self.moves(s.BOB, None)

    def test_state_by_guild_or_channel(self) -> None:
        """A voice state is found by the guild, and by the channel the user is in, but by no other."""
        self.moves(s.ALICE, s.VOICE)
        state = s.voice_state(s.ALICE, s.VOICE) | OF_GUILD
        self.assertEqual(self.store.ask("VoiceState", s.ALICE, s.GUILD), state)
        self.assertEqual(self.store.ask("VoiceState", s.ALICE, s.VOICE), state)
        self.assertIsNone(self.store.ask("VoiceState", s.ALICE, s.STAGE))

    def test_member_inside(self) -> None:
        """Who joins a channel is known as a member, also a guest who joined the guild at no time."""
        guest = s.member(s.CAROL, "carol", joined_at=None)
        self.store.happens("VOICE_STATE_UPDATE", s.voice_state(s.CAROL, s.VOICE, member=guest) | OF_GUILD)
        self.assertIsNone(self.store.ask("Member", s.GUILD, s.CAROL)["joined_at"])

    def test_call_without_guild(self) -> None:
        """A voice state of no guild changes nothing."""
        before = dict(self.store.rows)
        self.store.happens("VOICE_STATE_UPDATE", s.voice_state(s.ALICE, s.VOICE))
        self.assertEqual(self.store.rows, before)


class InfoTests(StoreTestCase):
    """What is told of voice channels beside the channel."""

    def info(self, channel: int = s.VOICE) -> object:
        """What is known."""
        return self.store.ask("ChannelInfo", s.GUILD, channel)

    def test_laid_over_each_other(self) -> None:
        """Each event says what it says, and leaves the rest; nothing of it is the channel's own."""
        of_voice = {"id": str(s.VOICE)}
        before = self.store.ask("GuildChannel", s.VOICE)
        self.assertIsNone(self.info())
        self.store.happens("VOICE_CHANNEL_STATUS_UPDATE", of_voice | OF_GUILD | {"status": "we talk"})
        self.assertEqual(self.info(), of_voice | OF_GUILD | {"status": "we talk"})
        self.store.happens("VOICE_CHANNEL_START_TIME_UPDATE", of_voice | OF_GUILD | {"voice_start_time": 1700000000})
        both = {"status": "we talk", "voice_start_time": 1700000000}
        self.assertEqual(self.info(), of_voice | OF_GUILD | both)
        answer = {"channels": [of_voice | {"status": None}, {"id": str(s.STAGE), "voice_start_time": 5}]}
        self.store.happens("CHANNEL_INFO", answer | OF_GUILD)
        self.assertEqual(self.info(), of_voice | OF_GUILD | both | {"status": None})
        self.assertEqual(self.info(s.STAGE), {"id": str(s.STAGE), "voice_start_time": 5} | OF_GUILD)
        self.store.happens("VOICE_CHANNEL_START_TIME_UPDATE", of_voice | OF_GUILD)
        self.assertEqual(self.info(), of_voice | OF_GUILD | {"status": None, "voice_start_time": None})
        self.assertEqual(self.store.ask("GuildChannel", s.VOICE), before)
        self.store.happens("CHANNEL_DELETE", s.channel(s.VOICE, 2) | OF_GUILD)
        self.assertIsNone(self.info())

    def test_unknown_guild(self) -> None:
        """Of a guild the bot isn't in nothing is kept."""
        before = dict(self.store.rows)
        self.store.happens("CHANNEL_INFO", {"guild_id": "5", "channels": [{"id": "6", "status": "x"}]})
        self.store.happens("VOICE_CHANNEL_STATUS_UPDATE", {"guild_id": "5", "id": "6", "status": "x"})
        self.assertEqual(self.store.rows, before)
