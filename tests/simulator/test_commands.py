"""What a bot may send while its session runs, and what comes of it."""

from __future__ import annotations

from random import Random
from typing import Any

from rateway.model.intents import ALL, Intent
from rateway.simulator.world import permissions as permissions_module
from rateway.simulator.world.happenings.voice import set_voice_status
from rateway.simulator.world.payloads import voice_state
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

    def test_presence(self) -> None:
        """A presence is seen in every guild of the shard, by sessions with the intent, and in later GUILD_CREATEs."""
        self.start(guilds=6, members=3, identify_window=0.0)
        client, other = self.ready(0, 2), self.ready(1, 2)
        deaf = self.ready(0, 2, intents=int(ALL & ~Intent.GUILD_PRESENCES))
        for each in (client, other, deaf):
            each.wire.messages.clear()
        client.tell(3, PRESENCE)
        own = [str(self.face.guild(index).id) for index in (0, 2, 4)]
        told = [payload["d"] for payload in client.wire.all("PRESENCE_UPDATE")]
        self.assertEqual([d["guild_id"] for d in told], own)
        self.assertEqual((told[0]["user"], told[0]["status"]), ({"id": str(BOT_ID)}, "idle"))
        self.assertEqual([(a["name"], a["type"]) for a in told[0]["activities"]], [("chess", 0)])
        self.assertEqual((other.wire.messages, deaf.wire.messages), ([], []))
        for payload in self.ready(0, 2).wire.all("GUILD_CREATE"):
            # The new session came online by itself: it asked for nothing else.
            (seen,) = [each for each in payload["d"]["presences"] if each["user"]["id"] == str(BOT_ID)]
            self.assertEqual((seen["status"], seen["activities"]), ("online", []))

    def test_invisible(self) -> None:
        """Who is invisible is offline for others, at IDENTIFY and later."""
        self.start(guilds=1, members=3)
        client = self.ready(presence={**PRESENCE, "status": "invisible"})
        presences = client.wire.all("GUILD_CREATE")[0]["d"]["presences"]
        self.assertNotIn(str(BOT_ID), [each["user"]["id"] for each in presences])
        for status, seen in (("dnd", "dnd"), ("invisible", "offline")):
            client.tell(3, {**PRESENCE, "status": status})
            last = client.wire.all("PRESENCE_UPDATE")[-1]["d"]
            self.assertEqual((last["status"], BOT_ID in self.face.guild(0).presences), (seen, seen != "offline"))

    def test_presence_in_many_guilds(self) -> None:
        """In many guilds it is told slice by slice; a newer one takes the place of one that isn't told to the end."""
        self.start(guilds=500, members=0)
        client = self.ready()
        client.wire.messages.clear()
        client.tell(3, PRESENCE)
        self.assertEqual(len(client.wire.messages), 200)
        client.tell(3, {**PRESENCE, "status": "dnd"})
        self.settle()
        statuses = [payload["d"]["status"] for payload in client.wire.payloads]
        self.assertEqual((statuses.count("idle"), statuses.count("dnd")), (200, 500))
        self.assertEqual({g.presences[BOT_ID]["status"] for g in self.hub.world.guilds.values()}, {"dnd"})

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

    def voice(self, channel: int | None, *, mute: bool = False) -> dict[str, Any]:
        """``d`` of op 4."""
        id = None if channel is None else str(channel)
        return {"guild_id": str(self.guild.id), "channel_id": id, "self_mute": mute, "self_deaf": True}

    def empty_voice(self) -> None:
        self.guild.voice_states.clear()

    def test_voice(self) -> None:
        """Joining voice brings the bot's own voice state, the voice server, and the channel's start."""
        client = self.prepare()
        self.empty_voice()
        channel = self.guild.voice_channels()[0]
        client.tell(4, self.voice(channel))
        state, server, start = client.wire.payloads
        names = [payload["t"] for payload in (state, server, start)]
        self.assertEqual(names, ["VOICE_STATE_UPDATE", "VOICE_SERVER_UPDATE", "VOICE_CHANNEL_START_TIME_UPDATE"])
        self.assertEqual((state["d"]["channel_id"], state["d"]["self_deaf"]), (str(channel), True))
        self.assertEqual(state["d"]["member"]["user"]["id"], str(BOT_ID))
        self.assertEqual(set(server["d"]), {"token", "guild_id", "endpoint"})
        self.assertEqual((start["d"]["id"], start["d"]["voice_start_time"]), (str(channel), int(self.clock.seconds())))
        self.assertIn(BOT_ID, self.guild.voice_states)
        client.wire.messages.clear()
        client.tell(4, self.voice(None))
        self.assertEqual(client.wire.names(), ["VOICE_STATE_UPDATE", "VOICE_CHANNEL_START_TIME_UPDATE"])
        self.assertEqual(client.wire.payloads[0]["d"]["channel_id"], None)
        self.assertNotIn(BOT_ID, self.guild.voice_states)
        client.wire.messages.clear()
        client.tell(4, self.voice(None))
        self.assertEqual((client.wire.messages, self.broken()), ([], []))

    def test_voice_moves(self) -> None:
        """A move keeps the voice session and brings another token; muting brings the state alone."""
        client = self.prepare()
        self.empty_voice()
        first, second = self.guild.voice_channels()
        for channel, mute in ((first, False), (first, True), (second, True)):
            client.tell(4, self.voice(channel, mute=mute))
        states = [payload["d"] for payload in client.wire.all("VOICE_STATE_UPDATE")]
        servers = [payload["d"]["token"] for payload in client.wire.all("VOICE_SERVER_UPDATE")]
        self.assertEqual([state["channel_id"] for state in states], [str(first), str(first), str(second)])
        self.assertEqual([state["self_mute"] for state in states], [False, True, True])
        self.assertEqual((len({state["session_id"] for state in states}), len(set(servers))), (1, 2))

    def test_voice_forbidden(self) -> None:
        """Nothing comes back from what is no voice channel, is full, out of sight or forbidden; a mover gets in."""
        client = self.prepare()
        self.empty_voice()
        channel = self.guild.voice_channels()[0]
        client.tell(4, self.voice(self.guild.text_channels()[0]))
        (own,) = (role for role in self.guild.roles.values() if role["name"] == "rateway-bot")
        everyone = {"id": str(self.guild.id), "type": 0, "allow": "0"}
        for permissions, limit, deny in (
            (0, 1, 0),
            (0, 0, permissions_module.CONNECT),
            (0, 0, permissions_module.VIEW_CHANNEL),
        ):
            own["permissions"] = str(permissions)
            somebody = next(id for id in self.guild.members if id != BOT_ID)
            self.guild.voice_states[somebody] = voice_state(str(somebody), channel, "s")
            self.guild.channels[channel]["user_limit"] = limit
            self.guild.channels[channel]["permission_overwrites"] = [everyone | {"deny": str(deny)}]
            client.tell(4, self.voice(channel))
            self.assertEqual((client.wire.messages, self.broken()), ([], []))
        self.guild.channels[channel] |= {"user_limit": 1, "permission_overwrites": []}
        own["permissions"] = str(permissions_module.MOVE_MEMBERS)
        client.tell(4, self.voice(channel))
        self.assertIn("VOICE_SERVER_UPDATE", client.wire.names())

    def test_voice_without_the_intent(self) -> None:
        """VOICE_SERVER_UPDATE comes whatever the intents, the state does not."""
        client = self.prepare(intents=0)
        client.tell(4, self.voice(self.guild.voice_channels()[0]))
        self.assertEqual(client.wire.names(), ["VOICE_SERVER_UPDATE"])

    def test_voice_ends_with_the_session(self) -> None:
        """A resumed session stays in voice; a new one instead of it has left, as others see before it begins."""
        client = self.prepare()
        self.empty_voice()
        client.tell(4, self.voice(self.guild.voice_channels()[0]))
        session = self.face.session(0).id
        seq = client.wire.payloads[-1]["s"]
        client.leave()
        again = self.connect()
        again.resume(session, seq)
        self.settle()
        self.assertIn(BOT_ID, self.guild.voice_states)
        again.leave()
        self.clock.advance(6.0)
        watcher = self.ready(0, 1)
        self.clock.advance(6.0)
        watcher.wire.messages.clear()
        fresh = self.ready(0, 2)
        self.assertNotIn(BOT_ID, self.guild.voice_states)
        self.assertEqual(watcher.wire.names()[0], "VOICE_STATE_UPDATE")
        self.assertEqual(fresh.wire.names()[0], "READY")

    def test_whole_list(self) -> None:
        """All members come in chunks of at most 1000, with the nonce and the presences wanted."""
        client = self.prepare(members=1500)
        wanted = {"guild_id": str(self.guild.id), "query": "", "limit": 0, "presences": True, "nonce": "rw-1"}
        client.tell(8, wanted)
        self.settle()
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

    def test_search_in_slices(self) -> None:
        """A search of a large guild goes on between other things, and ends with the first hundred, or with nothing."""
        client = self.prepare(members=1)
        self.guild = self.face.join_guild(20_000)
        if self.guild.id >> 22 & 1:
            self.guild = self.face.join_guild(20_000)
        client.wire.messages.clear()
        for prefix, found in (("zz", 0), ("amber_badger", 100)):
            client.tell(8, {"guild_id": str(self.guild.id), "query": prefix, "limit": 0})
            self.assertEqual(client.wire.names(), [])
            self.settle()
            (chunk,) = client.wire.payloads
            names = [member["user"]["username"] for member in chunk["d"]["members"]]
            self.assertEqual(len(names), found)
            self.assertTrue(all(name.startswith(prefix) for name in names))
            client.wire.messages.clear()

    def test_sounds(self) -> None:
        """Op 31 is answered per guild."""
        client = self.prepare()
        client.tell(31, {"guild_ids": [str(self.guild.id)]})
        (answer,) = client.wire.payloads
        self.assertEqual((answer["t"], len(answer["d"]["soundboard_sounds"])), ("SOUNDBOARD_SOUNDS", 1))

    def test_channel_info(self) -> None:
        """Op 43 is answered with the fields asked for, as voice channels and stages have them."""
        client = self.prepare()
        client.tell(43, {"guild_id": str(self.guild.id), "fields": ["status"]})
        (answer,) = client.wire.payloads
        self.assertEqual(answer["t"], "CHANNEL_INFO")
        self.assertEqual([set(channel) for channel in answer["d"]["channels"]], [{"id", "status"}] * 3)
        self.empty_voice()
        channel = self.guild.voice_channels()[0]
        client.tell(4, self.voice(channel))
        for name, d in set_voice_status(self.hub.world, self.guild, Random(1), 0.0):
            self.hub.tell(name, d)
        status = client.wire.payloads[-1]["d"]["status"]
        client.tell(43, {"guild_id": str(self.guild.id), "fields": ["status", "voice_start_time"]})
        (known,) = [each for each in client.wire.payloads[-1]["d"]["channels"] if each["id"] == str(channel)]
        expected = {"id": str(channel), "status": status, "voice_start_time": int(self.clock.seconds())}
        self.assertEqual(known, expected)
        self.assertTrue(status)
