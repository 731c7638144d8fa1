"""Tests of what messages, reactions and direct message channels become."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rateway.store import keys
from rateway.store.updates import private

from . import samples as s
from .memory import MemoryStore, kept

OF_GUILD = {"guild_id": str(s.GUILD)}
FIRST = 300000000000000020


class StoreTestCase(SynchronousTestCase):
    """A store with the sample guild, and three messages to keep of each channel."""

    def setUp(self) -> None:
        self.store = MemoryStore(kept(messages=3))
        self.store.happens("READY", s.ready(s.GUILD))
        self.store.happens("GUILD_CREATE", s.guild())

    def kept(self, channel: int = s.GENERAL) -> list[int]:
        """The ids of the channel's messages, which are as many as are counted."""
        ids = [keys.last_id(key) for key, _ in self.store.items(keys.messages(channel))]
        counts = [value for key, value in self.store.rows.items() if key[:1] == b"n" and keys.last_id(key) == channel]
        self.assertEqual(counts, [len(ids).to_bytes(4, "big")] if ids else [])
        return ids


class MessageTests(StoreTestCase):
    """Messages."""

    def test_create(self) -> None:
        """A message is kept as it came, and is the last of its channel."""
        self.store.happens("MESSAGE_CREATE", s.message(FIRST))
        self.assertEqual(self.store.ask("Message", s.GENERAL, FIRST), s.message(FIRST))
        self.assertEqual(self.store.ask("GuildChannel", s.GENERAL)["last_message_id"], str(FIRST))
        self.assertIsNone(self.store.ask("Message", s.VOICE, FIRST))

    def test_newest_are_kept(self) -> None:
        """Of each channel as many are kept as are asked for: the newest."""
        for number in (1, 2, 3, 4, 5, 5, 2):
            self.store.happens("MESSAGE_CREATE", s.message(FIRST + number))
        self.store.happens("MESSAGE_CREATE", s.message(FIRST, s.VOICE))
        self.assertEqual(self.kept(), [FIRST + 3, FIRST + 4, FIRST + 5])
        self.assertEqual(self.kept(s.VOICE), [FIRST])
        self.store.kept = kept(messages=1)
        self.store.happens("MESSAGE_CREATE", s.message(FIRST + 6))
        self.assertEqual(self.kept(), [FIRST + 6])

    def test_none_are_kept(self) -> None:
        """With none to keep there is no row of a message."""
        self.store.kept = kept(messages=0)
        self.store.happens("MESSAGE_CREATE", s.message(FIRST))
        self.store.happens("MESSAGE_UPDATE", s.message(FIRST))
        self.store.happens("MESSAGE_CREATE", s.private_message(FIRST + 1))
        self.assertEqual([key for key in self.store.rows if key[:1] in b"Nn"], [])
        self.assertEqual(self.store.ask("GuildChannel", s.GENERAL)["last_message_id"], str(FIRST))

    def test_author_is_a_member(self) -> None:
        """Who writes is a member; what the message says of them is laid over what is known."""
        someone = s.message(FIRST, author=s.user(s.CAROL, "carol"))
        self.store.happens("MESSAGE_CREATE", someone)
        self.assertEqual(self.store.ask("User", s.CAROL), s.user(s.CAROL, "carol"))
        wanted = s.member(s.CAROL, "carol") | OF_GUILD | {"user_id": str(s.CAROL)}
        self.assertEqual(self.store.ask("Member", s.GUILD, s.CAROL), wanted)
        partial = s.message(FIRST + 1, author=s.user(), member={"roles": []})
        self.store.happens("MESSAGE_CREATE", partial)
        self.assertEqual(self.store.ask("Member", s.GUILD, s.ALICE)["nick"], "Ali")
        self.assertEqual(self.store.ask("Guild", s.GUILD)["member_count"], 3)

    def test_criterion_60_webhook_message(self) -> None:
        """A webhook that writes is no user."""
        self.store.happens("MESSAGE_CREATE", s.webhook_message(FIRST))
        self.assertIsNone(self.store.ask("User", 990000000000000001))
        self.assertEqual(self.store.rows_of(990000000000000001), [])
        self.assertEqual(self.kept(), [FIRST])

    def test_criterion_60_ephemeral_message(self) -> None:
        """An ephemeral message names no guild; its channel is no direct message channel all the same."""
        ephemeral = s.message(FIRST, flags=64)
        del ephemeral["guild_id"], ephemeral["member"]
        self.store.happens("MESSAGE_CREATE", ephemeral)
        self.assertIsNone(self.store.ask("PrivateChannel", s.GENERAL))
        self.assertEqual(self.store.ask("Message", s.GENERAL, FIRST), ephemeral | OF_GUILD)
        self.assertEqual(self.store.ask("GuildChannel", s.GENERAL)["last_message_id"], "300000000000000009")
        # By its flag alone: Discord may leave out the channel's type, too, and the channel need not be known.
        untyped = {key: value for key, value in ephemeral.items() if key != "channel_type"}
        for message in (ephemeral, untyped):
            self.store.happens("MESSAGE_CREATE", message | {"channel_id": "5"})
            self.assertIsNone(self.store.ask("PrivateChannel", 5))
            self.assertEqual(self.store.rows_of(5), [])
        self.store.happens("MESSAGE_CREATE", untyped | {"id": "9", "channel_id": "5", "flags": 0})
        self.assertIsNotNone(self.store.ask("PrivateChannel", 5))
        self.store.happens("GUILD_DELETE", {"id": str(s.GUILD)})
        self.assertEqual(self.store.rows_of(s.GENERAL, FIRST), [])

    def test_criterion_59_partial_update(self) -> None:
        """An update with a link's preview keeps the content; ``tts`` in it means nothing."""
        self.store.happens("MESSAGE_CREATE", s.message(FIRST, tts=True))
        preview = {"id": str(FIRST), "channel_id": str(s.GENERAL), "embeds": [{"type": "link"}], "tts": False}
        self.store.happens("MESSAGE_UPDATE", preview | OF_GUILD)
        wanted = s.message(FIRST, tts=True, embeds=[{"type": "link"}])
        self.assertEqual(self.store.ask("Message", s.GENERAL, FIRST), wanted)

    def test_update_of_unkept(self) -> None:
        """A message not kept is, once it comes whole, unless it is too old; a part of one isn't."""
        self.store.happens("MESSAGE_UPDATE", {"id": str(FIRST), "channel_id": str(s.GENERAL), "embeds": []} | OF_GUILD)
        self.assertEqual(self.kept(), [])
        self.store.happens("MESSAGE_UPDATE", s.message(FIRST))
        self.assertEqual(self.kept(), [FIRST])
        for number in (1, 2, 3):
            self.store.happens("MESSAGE_CREATE", s.message(FIRST + number))
        self.store.happens("MESSAGE_UPDATE", s.message(FIRST))
        self.assertEqual(self.kept(), [FIRST + 1, FIRST + 2, FIRST + 3])

    def test_delete(self) -> None:
        """Deleted messages are gone, one or many, and one not kept is no matter."""
        for number in range(3):
            self.store.happens("MESSAGE_CREATE", s.message(FIRST + number))
        self.store.happens("MESSAGE_DELETE", {"id": str(FIRST), "channel_id": str(s.GENERAL)} | OF_GUILD)
        self.assertEqual(self.kept(), [FIRST + 1, FIRST + 2])
        many = {"ids": [str(FIRST + n) for n in (1, 1, 2, 9)], "channel_id": str(s.GENERAL)}
        self.store.happens("MESSAGE_DELETE_BULK", many)
        self.assertEqual(self.kept(), [])

    def test_delete_without_guild(self) -> None:
        """Where the event doesn't say which guild, the channel does: its messages and its thread are counted right."""
        untold = s.message(FIRST + 1, s.POST, flags=64)
        del untold["guild_id"], untold["member"]
        self.store.happens("MESSAGE_CREATE", s.message(FIRST, s.POST))
        self.store.happens("MESSAGE_CREATE", untold)
        self.store.happens("MESSAGE_DELETE", {"id": str(FIRST + 1), "channel_id": str(s.POST)})
        self.assertEqual(self.kept(s.POST), [FIRST])
        before = self.store.ask("GuildChannel", s.POST)["message_count"]
        self.store.happens("MESSAGE_DELETE", {"id": str(FIRST), "channel_id": str(s.POST)})
        self.assertEqual(self.kept(s.POST), [])
        self.assertEqual(self.store.ask("GuildChannel", s.POST)["message_count"], before - 1)

    def test_delete_in_unknown_channel(self) -> None:
        """Where neither the event nor a known channel says which guild, the messages do: they are counted right."""
        unknown = 650000000000000009
        for number in range(3):
            self.store.happens("MESSAGE_CREATE", s.message(FIRST + number, unknown))
        self.store.happens("MESSAGE_DELETE", {"id": str(FIRST), "channel_id": str(unknown)})
        self.assertEqual(self.kept(unknown), [FIRST + 1, FIRST + 2])
        for number in (3, 4):
            self.store.happens("MESSAGE_CREATE", s.message(FIRST + number, unknown))
        self.assertEqual(self.kept(unknown), [FIRST + 2, FIRST + 3, FIRST + 4])


class PrivateChannelTests(StoreTestCase):
    """Direct message channels."""

    def test_learned_from_a_message(self) -> None:
        """A direct message makes its channel known, with who isn't the bot in it; they are a user."""
        self.store.happens("MESSAGE_CREATE", s.private_message(FIRST, s.user(s.CAROL, "carol")))
        channel = {
            "id": str(s.PRIVATE),
            "type": 1,
            "last_message_id": str(FIRST),
            "recipients": [s.user(s.CAROL, "carol")],
        }
        self.assertEqual(self.store.ask("PrivateChannel", s.PRIVATE), channel)
        self.assertEqual(self.store.ask("User", s.CAROL), s.user(s.CAROL, "carol"))
        self.store.happens("MESSAGE_CREATE", s.private_message(FIRST + 1, s.own_user()))
        self.assertEqual(self.store.ask("PrivateChannel", s.PRIVATE), channel | {"last_message_id": str(FIRST + 1)})
        self.assertEqual(self.kept(s.PRIVATE), [FIRST, FIRST + 1])
        self.store.happens("MESSAGE_DELETE", {"id": str(FIRST), "channel_id": str(s.PRIVATE)})
        self.assertEqual(self.kept(s.PRIVATE), [FIRST + 1])

    def test_begun_by_the_bot(self) -> None:
        """Where only the bot wrote, nobody else is known."""
        self.store.happens("MESSAGE_CREATE", s.private_message(FIRST, s.own_user()))
        self.assertEqual(self.store.ask("PrivateChannel", s.PRIVATE)["recipients"], [])

    def test_silent_channels_are_forgotten(self) -> None:
        """Of more than can be remembered, the one silent longest goes, with its user and messages."""
        self.patch(private, "LIMIT", 2)
        for number in range(3):
            author = s.user(number + 1, f"u{number}")
            self.store.happens("MESSAGE_CREATE", s.private_message(FIRST + number, author, 100 + number))
            self.store.happens("MESSAGE_CREATE", s.private_message(FIRST + 10, s.user(1, "u0"), 100))
        self.assertIsNotNone(self.store.ask("PrivateChannel", 100))
        self.assertIsNone(self.store.ask("PrivateChannel", 101))
        self.assertIsNotNone(self.store.ask("PrivateChannel", 102))
        self.assertIsNone(self.store.ask("User", 2))
        self.assertEqual(self.store.rows_of(101, 2), [])


class ReactionTests(StoreTestCase):
    """Reactions and votes."""

    def setUp(self) -> None:
        super().setUp()
        self.store.happens("MESSAGE_CREATE", s.message(FIRST))

    def reacts(self, name: str, emoji: dict[str, Any], user: int = s.ALICE, **more: object) -> None:
        """Somebody reacts, or takes it back."""
        event = {"user_id": str(user), "channel_id": str(s.GENERAL), "message_id": str(FIRST), "emoji": emoji}
        self.store.happens(f"MESSAGE_REACTION_{name}", event | OF_GUILD | more)

    def counts(self) -> list[tuple[object, int]]:
        """The message's reactions."""
        reactions = self.store.ask("Message", s.GENERAL, FIRST).get("reactions", [])
        return [(r["emoji"]["name"], r["count"]) for r in reactions]

    def test_counting(self) -> None:
        """Reactions are counted, a custom emoji by its id whatever its name, and go at none."""
        heart, wave = {"id": None, "name": "❤"}, {"id": str(s.WAVE), "name": "wave2"}
        self.reacts("ADD", heart)
        self.reacts("ADD", wave, s.BOT)
        self.reacts("ADD", wave | {"name": None}, burst=True)
        self.assertEqual(self.counts(), [("❤", 1), ("wave2", 2)])
        second = self.store.ask("Message", s.GENERAL, FIRST)["reactions"][1]
        self.assertEqual((second["me"], second["me_burst"]), (True, False))
        self.assertEqual(second["count_details"], {"burst": 1, "normal": 1})
        self.reacts("REMOVE", wave, s.BOT)
        self.reacts("REMOVE", heart)
        self.reacts("REMOVE", heart)
        self.assertEqual(self.counts(), [("wave2", 1)])
        self.assertIs(self.store.ask("Message", s.GENERAL, FIRST)["reactions"][0]["me"], False)

    def test_removing_all(self) -> None:
        """All reactions of an emoji go, or all."""
        for name in "abc":
            self.reacts("ADD", {"id": None, "name": name})
        self.reacts("REMOVE_EMOJI", {"id": None, "name": "b"})
        self.assertEqual(self.counts(), [("a", 1), ("c", 1)])
        self.reacts("REMOVE_ALL", {})
        self.assertEqual(self.counts(), [])

    def test_member_who_reacts(self) -> None:
        """Who reacts is a member, though the message isn't kept."""
        self.reacts("ADD", {"id": None, "name": "a"}, s.CAROL, message_id="5", member=s.member(s.CAROL, "carol"))
        self.assertIsNotNone(self.store.ask("Member", s.GUILD, s.CAROL))

    def test_votes(self) -> None:
        """Votes for a poll's answers are counted."""
        self.store.happens("MESSAGE_CREATE", s.message(FIRST + 1, poll={"results": {"answer_counts": []}}))
        vote = {"user_id": str(s.BOT), "channel_id": str(s.GENERAL), "message_id": str(FIRST + 1), "answer_id": 2}
        self.store.happens("MESSAGE_POLL_VOTE_ADD", vote)
        self.store.happens("MESSAGE_POLL_VOTE_ADD", vote | {"user_id": str(s.BOB)})
        self.store.happens("MESSAGE_POLL_VOTE_REMOVE", vote)
        results = self.store.ask("Message", s.GENERAL, FIRST + 1)["poll"]["results"]
        self.assertEqual(results["answer_counts"], [{"id": 2, "count": 1, "me_voted": False}])
        before = dict(self.store.rows)
        self.store.happens("MESSAGE_POLL_VOTE_ADD", vote | {"message_id": str(FIRST)})
        self.store.happens("MESSAGE_POLL_VOTE_ADD", vote | {"message_id": "5"})
        self.assertEqual(self.store.rows, before)
