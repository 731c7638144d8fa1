"""What may be done in the world from outside, and who is told of it."""

from __future__ import annotations

from typing import Any

from rateway.model.intents import ALL, Intent
from rateway.simulator.world import messages
from rateway.simulator.world.deeds import NotText, UnknownChannel, UnknownMessage, UnknownUser
from rateway.simulator.world.places import History, Memory, Message
from rateway.simulator.world.world import BOT_ID
from tests.simulator.bench import BenchCase, Client

THUMB = "\N{THUMBS UP SIGN}"


class DeedCase(BenchCase):
    """A world of two guilds, and a client of all of them."""

    def prepare(self, intents: int = int(ALL), **options: Any) -> Client:
        self.start(**{"guilds": 2, "members": 5, "identify_window": 0.0, **options})
        self.guild = self.face.guild(0)
        self.channel = self.guild.text_channels()[0]
        self.deeds = self.face.deeds
        self.people = [id for id in self.guild.members if id != BOT_ID]
        client = self.ready(intents=intents)
        client.wire.messages.clear()
        return client

    def last(self, client: Client) -> tuple[str, dict[str, Any]]:
        """The newest event."""
        payload = client.wire.payloads[-1]
        return payload["t"], payload["d"]


class MessageTests(DeedCase):
    """Messages by the bot and by others."""

    def test_post(self) -> None:
        """The bot's message is returned without what the gateway adds, and told with it."""
        client = self.prepare()
        body = self.deeds.post_message(self.channel, "hello", nonce="n1")
        name, d = self.last(client)
        self.assertEqual(
            (name, d["content"], d["author"]["id"], d["nonce"]), ("MESSAGE_CREATE", "hello", str(BOT_ID), "n1")
        )
        self.assertEqual(set(d) - set(body), {"guild_id", "member", "channel_type"})
        self.assertEqual((d["guild_id"], d["channel_type"]), (str(self.guild.id), 0))
        self.assertNotIn("user", d["member"])
        self.assertEqual(self.deeds.channel(self.channel)["last_message_id"], body["id"])

    def test_mentions(self) -> None:
        """Users and roles that a text mentions are listed, users with their member; others are not."""
        client = self.prepare()
        role = next(id for id in self.guild.roles if id != self.guild.id)
        text = f"<@{self.people[0]}> <@!{self.people[0]}> <@&{role}> <@5> @everyone"
        body = self.deeds.post_message(self.channel, text, author=self.people[1])
        _, d = self.last(client)
        self.assertEqual([user["id"] for user in body["mentions"]], [str(self.people[0])])
        self.assertEqual((d["mention_roles"], d["mention_everyone"]), ([str(role)], True))
        self.assertIn("joined_at", d["mentions"][0]["member"])
        self.assertNotIn("member", body["mentions"][0])

    def test_reply(self) -> None:
        """A reply refers to its message, and bears it while it is remembered."""
        self.prepare()
        first = self.deeds.post_message(self.channel, "question", author=self.people[0])
        reply = self.deeds.post_message(self.channel, "answer", reply_to=int(first["id"]))
        self.assertEqual((reply["type"], reply["referenced_message"]["content"]), (19, "question"))
        reference = {"type": 0, "message_id": first["id"], "channel_id": str(self.channel)}
        self.assertEqual(reply["message_reference"], reference | {"guild_id": str(self.guild.id)})
        self.assertIsNone(self.deeds.post_message(self.channel, "late", reply_to=5)["referenced_message"])

    def test_webhook(self) -> None:
        """A webhook is an author of its own: no user, no member."""
        client = self.prepare()
        self.deeds.post_message(self.channel, "built", webhook={"id": 990, "name": "CI"})
        _, d = self.last(client)
        self.assertEqual((d["webhook_id"], d["author"]["username"], d["author"]["bot"]), ("990", "CI", True))
        self.assertNotIn("member", d)

    def test_ephemeral(self) -> None:
        """What only one user sees bears no guild, needs DIRECT_MESSAGES, and is not remembered by the channel."""
        client = self.prepare()
        body = self.deeds.post_message(self.channel, "psst", flags=messages.EPHEMERAL)
        _, d = self.last(client)
        self.assertEqual((d["flags"], "guild_id" in d, "member" in d), (64, False, False))
        self.assertRaises(UnknownMessage, self.deeds.message, self.channel, int(body["id"]))
        client = self.prepare(int(Intent.GUILD_MESSAGES))
        self.deeds.post_message(self.channel, "psst", flags=messages.EPHEMERAL)
        self.assertEqual(client.wire.messages, [])

    def test_edit(self) -> None:
        """An edit tells the whole message; what it mentions follows its text."""
        client = self.prepare()
        id = int(self.deeds.post_message(self.channel, "a", tts=True)["id"])
        body = self.deeds.edit_message(self.channel, id, content=f"b <@{self.people[0]}>", embeds=[{"title": "x"}])
        name, d = self.last(client)
        self.assertEqual((name, d["content"], d["tts"]), ("MESSAGE_UPDATE", body["content"], False))
        self.assertEqual(([u["id"] for u in d["mentions"]], d["embeds"]), ([str(self.people[0])], [{"title": "x"}]))
        self.assertIsNotNone(d["edited_timestamp"])
        self.assertEqual(self.deeds.message(self.channel, id), body)

    def test_delete(self) -> None:
        """One, or several at once; ids of none are passed over."""
        client = self.prepare()
        ids = [int(self.deeds.post_message(self.channel, str(number))["id"]) for number in range(4)]
        self.deeds.delete_message(self.channel, ids[0])
        head = {"channel_id": str(self.channel), "guild_id": str(self.guild.id)}
        self.assertEqual(self.last(client), ("MESSAGE_DELETE", {"id": str(ids[0]), **head}))
        self.deeds.delete_messages(self.channel, [ids[0], ids[1], ids[1], ids[2]])
        self.assertEqual(self.last(client), ("MESSAGE_DELETE_BULK", {"ids": [str(ids[1]), str(ids[2])], **head}))
        count = len(client.wire.messages)
        self.deeds.delete_messages(self.channel, [5, 6])
        self.assertEqual(len(client.wire.messages), count)
        self.assertEqual([message["id"] for message in self.deeds.history(self.channel)], [str(ids[3])])

    def test_history(self) -> None:
        """Newest first; before, after, or around an id."""
        self.prepare()
        ids = [self.deeds.post_message(self.channel, str(number))["id"] for number in range(10)]

        def listed(**how: Any) -> list[int]:
            return [ids.index(message["id"]) for message in self.deeds.history(self.channel, **how)]

        middle = int(ids[5])
        self.assertEqual(listed(), [9, 8, 7, 6, 5, 4, 3, 2, 1, 0])
        self.assertEqual(listed(limit=2), [9, 8])
        self.assertEqual(listed(before=middle, limit=3), [4, 3, 2])
        self.assertEqual(listed(after=middle, limit=3), [8, 7, 6])
        self.assertEqual(listed(around=middle, limit=4), [6, 5, 4, 3])

    def test_threads(self) -> None:
        """A thread's counts follow its messages, its first one excepted."""
        self.prepare()
        id, thread = next(iter(self.guild.threads.items()))
        before = thread["message_count"], thread["total_message_sent"]
        message = int(self.deeds.post_message(id, "in a thread")["id"])
        self.assertEqual((thread["message_count"], thread["total_message_sent"]), (before[0] + 1, before[1] + 1))
        self.deeds.delete_message(id, message)
        self.assertEqual((thread["message_count"], thread["total_message_sent"]), (before[0], before[1] + 1))

    def test_pin(self) -> None:
        """A pin changes the message, and the time of the channel's last pin; taking it off leaves that time."""
        client = self.prepare()
        id = int(self.deeds.post_message(self.channel, "a")["id"])
        for pinned in (True, False):
            client.wire.messages.clear()
            self.deeds.pin_message(self.channel, id, pinned=pinned)
            update, pins = client.wire.payloads
            self.assertEqual((update["d"]["pinned"], pins["t"]), (pinned, "CHANNEL_PINS_UPDATE"))
            self.assertIsNotNone(pins["d"]["last_pin_timestamp"])

    def test_poll(self) -> None:
        """A poll is asked as REST takes it, and shown with its answers' counts."""
        self.prepare()
        answers = [{"poll_media": {"text": "yes"}}, {"poll_media": {"text": "no"}}]
        poll = {"question": {"text": "Tea?"}, "answers": answers, "duration": 1}
        body = self.deeds.post_message(self.channel, poll=poll)
        self.assertEqual([answer["answer_id"] for answer in body["poll"]["answers"]], [1, 2])
        counts = [{"id": 1, "count": 0, "me_voted": False}, {"id": 2, "count": 0, "me_voted": False}]
        self.assertEqual(body["poll"]["results"], {"is_finalized": False, "answer_counts": counts})

    def test_unknown(self) -> None:
        """Unknown channels, messages and users are said to be so, and tell nobody anything."""
        client = self.prepare()
        hidden = next(id for id in self.guild.channels if self.guild.is_hidden(id))
        category = next(iter(self.guild.channels))
        for error, deed in (
            (UnknownChannel, lambda: self.deeds.post_message(5, "x")),
            (UnknownChannel, lambda: self.deeds.post_message(hidden, "x")),
            (NotText, lambda: self.deeds.post_message(category, "x")),
            (UnknownUser, lambda: self.deeds.post_message(self.channel, "x", author=5)),
            (UnknownMessage, lambda: self.deeds.edit_message(self.channel, 5, content="x")),
            (UnknownMessage, lambda: self.deeds.delete_message(self.channel, 5)),
            (UnknownMessage, lambda: self.deeds.add_reaction(self.channel, 5, THUMB)),
            (UnknownUser, lambda: self.deeds.start_typing(self.channel, 5)),
            (UnknownUser, lambda: self.deeds.open_direct(5)),
        ):
            self.assertRaises(error, deed)
        self.assertEqual(client.wire.messages, [])

    def test_after_the_guild(self) -> None:
        """A channel goes with its guild."""
        self.prepare()
        self.deeds.post_message(self.channel, "x")
        self.face.leave_guild(self.guild.id)
        self.assertRaises(UnknownChannel, self.deeds.channel, self.channel)


class OtherTests(DeedCase):
    """Reactions, typing, direct channels."""

    def test_reactions(self) -> None:
        """Each user reacts once with each emoji; the message shows how many did, and whether the bot is among them."""
        client = self.prepare()
        id = int(self.deeds.post_message(self.channel, "a", author=self.people[0])["id"])
        self.deeds.add_reaction(self.channel, id, THUMB)
        name, d = self.last(client)
        self.assertEqual(
            (name, d["user_id"], d["emoji"]), ("MESSAGE_REACTION_ADD", str(BOT_ID), {"id": None, "name": THUMB})
        )
        self.assertEqual((d["message_author_id"], d["burst"], d["type"]), (str(self.people[0]), False, 0))
        count = len(client.wire.messages)
        self.deeds.add_reaction(self.channel, id, THUMB)
        self.assertEqual(len(client.wire.messages), count)
        self.deeds.add_reaction(self.channel, id, THUMB, self.people[1])
        self.deeds.add_reaction(self.channel, id, "wave2:77", self.people[1])
        shown = [(r["count"], r["me"]) for r in self.deeds.message(self.channel, id)["reactions"]]
        self.assertEqual(shown, [(2, True), (1, False)])
        who = [user["id"] for user in self.deeds.reactors(self.channel, id, THUMB)]
        self.assertEqual(who, [str(user) for user in sorted((BOT_ID, self.people[1]))])
        self.deeds.remove_reaction(self.channel, id, THUMB)
        self.assertEqual(self.last(client)[0], "MESSAGE_REACTION_REMOVE")
        self.deeds.remove_reactions(self.channel, id, {"id": "77", "name": None})
        self.assertEqual(self.last(client)[0], "MESSAGE_REACTION_REMOVE_EMOJI")
        self.deeds.remove_reactions(self.channel, id)
        self.assertEqual(self.last(client)[0], "MESSAGE_REACTION_REMOVE_ALL")
        self.assertNotIn("reactions", self.deeds.message(self.channel, id))

    def test_typing(self) -> None:
        """Typing is told with whole seconds."""
        client = self.prepare()
        self.deeds.start_typing(self.channel)
        name, d = self.last(client)
        self.assertEqual((name, d["timestamp"], d["user_id"]), ("TYPING_START", int(self.clock.seconds()), str(BOT_ID)))

    def test_direct(self) -> None:
        """A direct channel is always the same; its messages bear no guild and go to shard 0, with their content."""
        self.start(guilds=2, members=5, identify_window=0.0)
        intents = int(Intent.GUILDS | Intent.DIRECT_MESSAGES)
        zero, one = self.ready(0, 2, intents=intents), self.ready(1, 2, intents=intents)
        for client in (zero, one):
            client.wire.messages.clear()
        user = next(id for id in self.face.guild(1).members if id != BOT_ID)
        channel = self.face.deeds.open_direct(user)
        self.assertEqual((channel["type"], [r["id"] for r in channel["recipients"]]), (1, [str(user)]))
        self.assertEqual(self.face.deeds.open_direct(user), channel)
        self.face.deeds.post_message(int(channel["id"]), "hello bot", author=user)
        (payload,) = zero.wire.payloads
        d = payload["d"]
        self.assertEqual(
            (d["content"], d["channel_type"], "guild_id" in d, "member" in d), ("hello bot", 1, False, False)
        )
        self.assertEqual(one.wire.messages, [])


class HistoryTests(DeedCase):
    """How much is remembered."""

    def test_bounds(self) -> None:
        """A channel remembers its newest hundred messages; all channels together no more than their common limit."""
        self.prepare()
        ids = [int(self.deeds.post_message(self.channel, "x")["id"]) for _ in range(105)]
        self.assertRaises(UnknownMessage, self.deeds.message, self.channel, ids[4])
        self.assertEqual(self.deeds.message(self.channel, ids[5])["id"], str(ids[5]))
        memory = Memory(10)
        histories = [History(memory), History(memory)]
        for number in range(30):
            histories[number % 2].add(Message(number, {}, None))
        self.assertEqual(
            [[m.id for m in history] for history in histories], [[20, 22, 24, 26, 28], [21, 23, 25, 27, 29]]
        )
