"""What a bot may send while its session runs, and what comes of it."""

from __future__ import annotations

from typing import Any

from rateway.model.intents import ALL, Intent
from rateway.simulator.world.world import BOT_ID
from tests.simulator.bench import BenchCase, Client

PRESENCE = {"since": None, "activities": [{"name": "chess", "type": 0}], "status": "idle", "afk": False}


class CommandTests(BenchCase):
    """Commands over a session of shard 0 of 2, whose guild is the world's first."""

    def prepare(self, *, members: int = 10, intents: int = int(ALL)) -> Client:
        self.start(guilds=2, members=members)
        self.guild = self.face.guild(0)
        client = self.ready(0, 2, intents=intents)
        client.wire.messages.clear()
        return client

    def test_recorded(self) -> None:
        """Each command is on record with its shard, time and content."""
        client = self.prepare()
        client.tell(3, PRESENCE)
        (command,) = self.hub.journal.commands
        self.assertEqual((command.shard, command.op, command.d, command.at), (0, 3, PRESENCE, self.clock.seconds()))

    def test_presence_limit(self) -> None:
        """Five presences in 20 s pass; the sixth is a breach, and has no effect."""
        client = self.prepare()
        for _ in range(5):
            client.tell(3, PRESENCE)
        self.assertEqual(self.broken(), [])
        client.tell(3, PRESENCE)
        self.assertEqual((self.broken(), client.wire.close), (["presence-limit"], None))
        self.clock.advance(20.1)
        client.tell(3, PRESENCE)
        self.assertEqual(self.broken(), ["presence-limit"])

    def test_bad_shapes(self) -> None:
        """A known op with a wrong d is closed with 4001."""
        guild = str(self.prepare() and self.guild.id)
        bad: list[tuple[int, Any]] = [
            (3, None),
            (3, {**PRESENCE, "status": "away"}),
            (3, {**PRESENCE, "afk": 1}),
            (4, {"guild_id": guild, "channel_id": None, "self_mute": 1, "self_deaf": False}),
            (4, {"channel_id": None, "self_mute": False, "self_deaf": False}),
            (8, {"guild_id": guild}),
            (8, {"guild_id": guild, "query": ""}),
            (8, {"guild_id": guild, "query": 1, "limit": 0}),
            (8, {"guild_id": guild, "user_ids": ["1"] * 101}),
            (31, {"guild_ids": guild}),
            (31, {"guild_ids": [None]}),
            (43, {"guild_id": guild, "fields": ["name"]}),
        ]
        for op, d in bad:
            client = self.prepare()
            client.tell(op, d)
            self.assert_closed(client, 4001, "command-shape")

    def test_foreign_guild(self) -> None:
        """A command for another shard's guild gets no answer, and is a breach."""
        client = self.prepare()
        client.tell(8, {"guild_id": str(self.face.guild(1).id), "query": "", "limit": 0})
        self.assertEqual((client.wire.messages, self.broken()), ([], ["foreign-guild"]))

    def test_voice(self) -> None:
        """Joining voice brings the bot's own voice state and the voice server; leaving the state only."""
        client = self.prepare()
        channel = self.guild.voice_channels()[0]
        d = {"guild_id": str(self.guild.id), "channel_id": str(channel), "self_mute": False, "self_deaf": True}
        client.tell(4, d)
        state, server = client.wire.payloads
        self.assertEqual((state["t"], server["t"]), ("VOICE_STATE_UPDATE", "VOICE_SERVER_UPDATE"))
        self.assertEqual((state["d"]["channel_id"], state["d"]["self_deaf"]), (str(channel), True))
        self.assertEqual(set(server["d"]), {"token", "guild_id", "endpoint"})
        self.assertIn(BOT_ID, self.guild.voice_states)
        client.tell(4, {**d, "channel_id": None})
        self.assertEqual(
            (client.wire.names()[2:], client.wire.payloads[2]["d"]["channel_id"]), (["VOICE_STATE_UPDATE"], None)
        )
        self.assertNotIn(BOT_ID, self.guild.voice_states)

    def test_voice_nowhere(self) -> None:
        """Joining what is no voice channel gets no answer, as at Discord."""
        client = self.prepare()
        channel = str(self.guild.text_channels()[0])
        client.tell(4, {"guild_id": str(self.guild.id), "channel_id": channel, "self_mute": False, "self_deaf": False})
        self.assertEqual((client.wire.messages, self.broken()), ([], []))

    def test_voice_without_the_intent(self) -> None:
        """VOICE_SERVER_UPDATE comes whatever the intents, the state does not."""
        client = self.prepare(intents=int(Intent.GUILDS))
        channel = str(self.guild.voice_channels()[0])
        client.tell(4, {"guild_id": str(self.guild.id), "channel_id": channel, "self_mute": False, "self_deaf": False})
        self.assertEqual(client.wire.names(), ["VOICE_SERVER_UPDATE"])

    def test_whole_list(self) -> None:
        """All members come in chunks of at most 1000, with the nonce and the presences wanted."""
        client = self.prepare(members=1500)
        wanted = {"guild_id": str(self.guild.id), "query": "", "limit": 0, "presences": True, "nonce": "rw-1"}
        client.tell(8, wanted)
        chunks = [payload["d"] for payload in client.wire.all("GUILD_MEMBERS_CHUNK")]
        ids = [member["user"]["id"] for chunk in chunks for member in chunk["members"]]
        self.assertEqual(sorted(ids), sorted(map(str, self.guild.members)))
        self.assertTrue(all(len(chunk["members"]) <= 1000 for chunk in chunks))
        self.assertEqual([c["chunk_index"] for c in chunks], list(range(len(chunks))))
        self.assertEqual({(c["chunk_count"], c["nonce"]) for c in chunks}, {(len(chunks), "rw-1")})
        self.assertEqual(sum(len(c["presences"]) for c in chunks), len(self.guild.presences))

    def test_whole_list_again(self) -> None:
        """A second whole list of the guild within 30 s is RATE_LIMITED, and comes after them."""
        client = self.prepare()
        wanted = {"guild_id": str(self.guild.id), "query": "", "limit": 0, "nonce": "rw-2"}
        client.tell(8, wanted)
        self.clock.advance(10.0)
        client.wire.messages.clear()
        client.tell(8, wanted)
        (limited,) = client.wire.payloads
        self.assertEqual((limited["t"], limited["d"]["opcode"]), ("RATE_LIMITED", 8))
        self.assertAlmostEqual(limited["d"]["retry_after"], 20.0, 2)
        self.assertEqual(limited["d"]["meta"], {"guild_id": str(self.guild.id), "nonce": "rw-2"})
        self.assertEqual(self.broken(), ["member-list-limit"])
        self.clock.advance(20.1)
        client.tell(8, wanted)
        self.assertEqual(client.wire.names(), ["RATE_LIMITED", "GUILD_MEMBERS_CHUNK"])

    def test_whole_list_without_the_intent(self) -> None:
        """Without GUILD_MEMBERS there is no whole list."""
        client = self.prepare(intents=int(Intent.GUILDS))
        client.tell(8, {"guild_id": str(self.guild.id), "query": "", "limit": 0})
        self.assertEqual((client.wire.names(), self.broken()), ([], ["members-intent"]))

    def test_some_members(self) -> None:
        """Members by id and by prefix; ids of nobody are listed; a nonce over 32 bytes is ignored."""
        client = self.prepare()
        some = [str(id) for id in list(self.guild.members)[1:3]]
        client.tell(8, {"guild_id": str(self.guild.id), "user_ids": [*some, "123", 456], "nonce": "n" * 33})
        (chunk,) = [payload["d"] for payload in client.wire.payloads]
        self.assertEqual([member["user"]["id"] for member in chunk["members"]], some)
        self.assertEqual((chunk["not_found"], "nonce" in chunk), (["123", 456], False))
        name = self.guild.members[int(some[0])]["user"]["username"]
        client.tell(8, {"guild_id": str(self.guild.id), "query": name[:4].upper(), "limit": 5})
        found = [member["user"]["username"] for member in client.wire.payloads[1]["d"]["members"]]
        self.assertIn(name, found)
        self.assertTrue(all(other.startswith(name[:4]) for other in found))

    def test_sounds(self) -> None:
        """Op 31 is answered per guild."""
        client = self.prepare()
        client.tell(31, {"guild_ids": [str(self.guild.id)]})
        (answer,) = client.wire.payloads
        self.assertEqual((answer["t"], len(answer["d"]["soundboard_sounds"])), ("SOUNDBOARD_SOUNDS", 1))

    def test_channel_info(self) -> None:
        """Op 43 is answered with the fields asked for."""
        client = self.prepare()
        client.tell(43, {"guild_id": str(self.guild.id), "fields": ["status"]})
        (answer,) = client.wire.payloads
        self.assertEqual(answer["t"], "CHANNEL_INFO")
        self.assertEqual([set(channel) for channel in answer["d"]["channels"]], [{"id", "status"}] * 2)
