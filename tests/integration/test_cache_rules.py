"""Rules of the cache, through the whole program (acceptance criteria 44, 45, 47, 54-56, 58-62)."""

from __future__ import annotations

from typing import Any

import ujson

from rateway.simulator.simulator import Simulator
from rateway.simulator.world.guild import Guild
from rateway.simulator.world.world import BOT_ID
from tests.store import samples as s

from .test_cache import CacheTestCase
from .worker import Worker

HIDDEN = {"name": "___hidden___", "flags": 1 << 17, "topic": None}
FOREIGN = 987_654_321 << 22
FIRST, SECOND, THIRD, CATEGORY = range(7001, 7005)
"""Channels, and what they are in."""


class GuildTests(CacheTestCase):
    """Whole guilds, and their members."""

    async def test_criterion_44_all_members_twice(self) -> None:
        """All members of a guild are asked for twice: Discord is asked once, then the bot is told to wait."""
        simulator, _, worker = await self.up(guilds=2)
        await self.heard(worker, "GUILD_CREATE", 2)
        await worker.bind(1, ["GUILD_MEMBERS_CHUNK", "RATE_LIMITED"])

        async def ask(index: int) -> Any:
            d = {"guild_id": str(simulator.guild(index).id), "query": "", "limit": 0}
            return await worker.command(1, {"op": 8, "d": d}, shard=0)

        self.assertEqual(await ask(0), {"status": "sent"})
        answer = await ask(0)
        self.assertEqual(answer["status"], "refused")
        self.assertIn("once in 30 s", answer["error"])
        self.assertEqual(await ask(1), {"status": "sent"})
        await self.heard(worker, "GUILD_MEMBERS_CHUNK", 2)
        self.assertNotIn("RATE_LIMITED", worker.names())
        for index in (0, 1):
            guild = simulator.guild(index)
            self.assertEqual(len(await worker.query(1, "GuildMembers", guild.id)), len(guild.members))

    async def test_criterion_44_rate_limited(self) -> None:
        """Somebody else had the list just now: Discord refuses it, and gives it when it is asked again as it says."""
        self.expected_breaches = frozenset({"member-list-limit"})
        simulator, _, worker = await self.up(guilds=1)
        await self.heard(worker, "GUILD_CREATE")
        await worker.bind(1, ["GUILD_MEMBERS_CHUNK", "RATE_LIMITED"])
        guild = simulator.guild(0)
        simulator.hub.lists.window = 4.0
        simulator.hub.lists.use(guild.id, simulator.hub.now())
        d = {"guild_id": str(guild.id), "query": "", "limit": 0, "nonce": "mine"}
        self.assertEqual(await worker.command(1, {"op": 8, "d": d}, shard=0), {"status": "sent"})
        await self.heard(worker, "GUILD_MEMBERS_CHUNK")
        self.assertEqual([name for name in worker.names() if name == "RATE_LIMITED"], ["RATE_LIMITED"])
        (chunk,) = [ujson.loads(event.body) for event in worker.events if event.key == "GUILD_MEMBERS_CHUNK"]
        self.assertEqual((chunk["guild_id"], chunk["nonce"]), (str(guild.id), "mine"))
        self.assertEqual([command.d for command in simulator.commands if command.op == 8], [d, d])

    async def test_criterion_45_chunks(self) -> None:
        """Chunks of two guilds, interleaved and out of order: all are forwarded with their nonce, all members known."""
        simulator, _, worker = await self.up(guilds=2)
        await self.heard(worker, "GUILD_CREATE", 2)
        await worker.bind(1, ["GUILD_MEMBERS_CHUNK"])
        guilds = [simulator.guild(0).id, simulator.guild(1).id]
        sent = []
        for index, of in ((1, 0), (0, 1), (0, 0), (1, 1)):
            users = range(7000 + 100 * of + 10 * index, 7003 + 100 * of + 10 * index)
            d: dict[str, Any] = {
                "guild_id": str(guilds[of]),
                "members": [s.member(user, f"user{user}") for user in users],
                "presences": [s.presence(users[0], "dnd")],
                "chunk_index": index,
                "chunk_count": 2,
                "not_found": [123123, "77"],
                "nonce": f"of-{of}",
            }
            sent.append((guilds[of], users))
            simulator.dispatch(0, "GUILD_MEMBERS_CHUNK", d)
        await self.heard(worker, "GUILD_MEMBERS_CHUNK", 4)
        chunks = [ujson.loads(event.body) for event in worker.events if event.key == "GUILD_MEMBERS_CHUNK"]
        self.assertEqual([chunk["nonce"] for chunk in chunks], ["of-0", "of-1", "of-0", "of-1"])
        for guild, users in sent:
            for user in users:
                self.assert_covers(
                    await worker.query(1, "Member", guild, user),
                    {"user": s.user(user, f"user{user}"), "user_id": str(user)},
                )
                await self.assert_unknown(worker, "Member", guilds[guild == guilds[0]], user)
            self.assert_covers(await worker.query(1, "Presence", guild, users[0]), {"status": "dnd"})

    async def test_criterion_47_back_with_less(self) -> None:
        """A guild in an outage is marked, and not left; back with fewer channels and no emoji it has no others."""
        simulator, _, worker = await self.up(guilds=1)
        await self.heard(worker, "GUILD_CREATE")
        guild = simulator.guild(0)
        whole = guild.create_payload(-1, 250)
        self.assertGreater(len(whole["channels"]), 2)
        self.assertTrue(whole["emojis"] and whole["threads"])
        outage = {"id": str(guild.id), "unavailable": True}
        await self.tell(simulator, worker, "GUILD_DELETE", outage)
        answer = await worker.query(1, "Guild", guild.id)
        self.assert_covers(answer, {"unavailable": True, "member_count": guild.member_count})
        self.assertEqual(len(await worker.query(1, "GuildChannels", guild.id)), len(whole["channels"]))
        for kind, user in (("Guilds", ()), ("UserGuilds", (BOT_ID,))):
            self.assertEqual([each["id"] for each in await worker.query(1, kind, *user)], [str(guild.id)])
        kept, gone = whole["channels"][:2], whole["channels"][2:]
        less = whole | {"channels": kept, "threads": [], "emojis": [], "unavailable": False}
        await self.tell(simulator, worker, "GUILD_CREATE", less)
        self.assert_covers(await worker.query(1, "Guild", guild.id), {"unavailable": False})
        channels = await worker.query(1, "GuildChannels", guild.id)
        self.assertEqual({channel["id"] for channel in channels}, {channel["id"] for channel in kept})
        for channel in (*gone, *whole["threads"]):
            await self.assert_unknown(worker, "GuildChannel", int(channel["id"]))
        self.assertEqual(await worker.query(1, "GuildEmojis", guild.id), [])
        for emoji in whole["emojis"]:
            await self.assert_unknown(worker, "Emoji", int(emoji["id"]))
        # To the bot it was an outage from first to last.
        told = [event for event in worker.events if event.key in ("GUILD_CREATE", "GUILD_DELETE")]
        self.assertEqual([event.key for event in told], ["GUILD_CREATE", "GUILD_DELETE", "GUILD_CREATE"])
        self.assertEqual(ujson.loads(told[1].body), outage)


class GoneTestCase(CacheTestCase):
    """One guild, of which messages are kept, and what goes with what there."""

    discord: Simulator
    bot: Worker
    guild: Guild

    async def begin(self) -> None:
        """The guild is there."""
        self.discord, _, self.bot = await self.up(guilds=1, settings={"MESSAGE_CACHE_SIZE": 5})
        await self.heard(self.bot, "GUILD_CREATE")
        self.guild = self.discord.guild(0)

    async def happens(self, name: str, d: dict[str, Any]) -> None:
        """An event of the guild's, whose effect is in the cache then."""
        await self.tell(self.discord, self.bot, name, {"guild_id": str(self.guild.id)} | d)

    async def ask(self, kind: str, *arguments: object) -> Any:
        """What is known."""
        return await self.bot.query(1, kind, *arguments)

    async def unknown(self, kind: str, *arguments: object) -> None:
        """There is no such thing."""
        await self.assert_unknown(self.bot, kind, *arguments)


class ChannelTests(GoneTestCase):
    """Channels, and the threads in them: each with a message, which goes with its thread."""

    async def begin(self) -> None:
        await super().begin()
        await self.happens("CHANNEL_CREATE", s.channel(CATEGORY, 4))
        for channel in (FIRST, SECOND, THIRD):
            await self.happens("CHANNEL_CREATE", s.channel(channel, parent_id=str(CATEGORY)))

    async def make(self, parent: int, *threads: int) -> None:
        """Threads of the channel."""
        for thread in threads:
            await self.happens("THREAD_CREATE", self.thread(thread, parent))
            await self.happens("MESSAGE_CREATE", s.message(thread + 1, thread) | {"guild_id": str(self.guild.id)})

    def thread(self, thread: int, parent: int, archived: bool = False) -> dict[str, Any]:
        """A thread of the guild's."""
        return s.thread(thread, parent, archived) | {"guild_id": str(self.guild.id)}

    async def there(self) -> set[int]:
        """Which of the threads are listed: these have their message, and the others have none."""
        threads = {int(thread["id"]) for thread in await self.ask("GuildThreads", self.guild.id)}
        for thread in (8000, 8010, 8020, 8030):
            self.assertEqual(await self.ask("GuildChannel", thread) is not None, thread in threads, thread)
            self.assertEqual(await self.ask("Message", thread, thread + 1) is not None, thread in threads, thread)
        return threads & {8000, 8010, 8020, 8030}

    async def test_criterion_54_channel_deleted(self) -> None:
        """Its three threads go with it, and their messages; a category's channels don't."""
        await self.begin()
        await self.make(FIRST, 8000, 8010, 8020)
        await self.make(SECOND, 8030)
        self.assertEqual(await self.there(), {8000, 8010, 8020, 8030})
        await self.happens("CHANNEL_DELETE", s.channel(FIRST))
        await self.unknown("GuildChannel", FIRST)
        self.assertEqual(await self.there(), {8030})
        await self.happens("CHANNEL_DELETE", s.channel(CATEGORY, 4))
        await self.unknown("GuildChannel", CATEGORY)
        self.assert_covers(await self.ask("GuildChannel", SECOND), {"parent_id": str(CATEGORY)})
        self.assertEqual(await self.there(), {8030})

    async def test_criterion_55_threads_synced(self) -> None:
        """A sync of two channels leaves the threads it lists, and those of other channels; one of all, its own."""
        await self.begin()
        await self.make(FIRST, 8000, 8010)
        await self.make(SECOND, 8020)
        await self.make(THIRD, 8030)
        listed = {"threads": [self.thread(8000, FIRST)], "members": []}
        await self.happens("THREAD_LIST_SYNC", listed | {"channel_ids": [str(FIRST), str(SECOND)]})
        self.assertEqual(await self.there(), {8000, 8030})
        await self.happens("THREAD_LIST_SYNC", listed)
        self.assertEqual(await self.there(), {8000})
        self.assertEqual(len(await self.ask("GuildThreads", self.guild.id)), 1)
        await self.happens("THREAD_LIST_SYNC", {"threads": [], "members": []})
        self.assertEqual(await self.ask("GuildThreads", self.guild.id), [])

    async def test_criterion_56_thread_archived(self) -> None:
        """An archived thread is not among the active ones, and is again once it is taken up."""
        await self.begin()
        await self.make(FIRST, 8000, 8010)
        await self.happens("THREAD_UPDATE", self.thread(8000, FIRST, archived=True))
        self.assertEqual(await self.there(), {8010})
        await self.make(FIRST, 8000)
        self.assertEqual(await self.there(), {8000, 8010})

    async def test_criterion_62_channel_hidden_and_shown(self) -> None:
        """A channel is as it was last sent, hidden or shown, and as often as that changes."""
        await self.begin()
        seen = s.channel(FIRST, topic="what it is about") | {"guild_id": str(self.guild.id)}
        for d in (seen, seen | HIDDEN, seen, seen | HIDDEN):
            await self.happens("CHANNEL_UPDATE", d)
            self.assertEqual(await self.ask("GuildChannel", FIRST), d)


class PeopleTests(GoneTestCase):
    """Roles, messages, and who writes them."""

    async def test_criterion_58_role_deleted(self) -> None:
        """A role that goes is no member's any more."""
        await self.begin()
        await self.happens("GUILD_ROLE_CREATE", {"role": s.role(7001, "soon gone")})
        await self.happens("GUILD_MEMBER_ADD", s.member(7002, "somebody", roles=["7001"]))
        self.assertEqual((await self.ask("Member", self.guild.id, 7002))["roles"], ["7001"])
        await self.happens("GUILD_ROLE_DELETE", {"role_id": "7001"})
        self.assertEqual((await self.ask("Member", self.guild.id, 7002))["roles"], [])
        await self.unknown("Role", 7001)

    async def test_criterion_59_half_an_update(self) -> None:
        """A MESSAGE_UPDATE with a link's preview alone leaves the message's content."""
        await self.begin()
        channel = self.guild.text_channels()[0]
        written = s.message(7010, channel, s.user(7002, "somebody"), content="kept")
        await self.happens("MESSAGE_CREATE", written | {"guild_id": str(self.guild.id)})
        preview = {"id": "7010", "channel_id": str(channel), "embeds": [{"type": "link"}]}
        await self.happens("MESSAGE_UPDATE", preview)
        answer = await self.ask("Message", channel, 7010)
        self.assert_covers(answer, {"content": "kept", "embeds": [{"type": "link"}], "author": written["author"]})

    async def test_criterion_60_ephemeral_and_webhook(self) -> None:
        """An ephemeral message makes no private channel of its channel, a webhook that writes no user."""
        await self.begin()
        channel = self.guild.text_channels()[0]
        ephemeral = s.message(7011, channel, flags=64)
        del ephemeral["guild_id"], ephemeral["member"]
        await self.tell(self.discord, self.bot, "MESSAGE_CREATE", ephemeral)
        await self.unknown("PrivateChannel", channel)
        # By its flag alone, without the channel's type.
        del ephemeral["channel_type"]
        await self.tell(self.discord, self.bot, "MESSAGE_CREATE", ephemeral | {"channel_id": "7004"})
        await self.unknown("PrivateChannel", 7004)
        await self.tell(self.discord, self.bot, "MESSAGE_CREATE", ephemeral | {"channel_id": "7005", "flags": 0})
        self.assert_covers(await self.ask("PrivateChannel", 7005), {"id": "7005"})
        hook = s.message(7012, channel, s.user(7003, "hook"), webhook_id="7003")
        await self.happens("MESSAGE_CREATE", hook | {"guild_id": str(self.guild.id)})
        await self.unknown("User", 7003)
        await self.unknown("Member", self.guild.id, 7003)

    async def test_criterion_61_strangers(self) -> None:
        """An interaction from a guild the bot isn't in is forwarded, and nothing of it is kept."""
        await self.begin()
        await self.bot.bind(1, ["INTERACTION_CREATE"])
        interaction = {
            "id": "1",
            "type": 2,
            "token": "t",
            "guild_id": str(FOREIGN),
            "guild": {"id": str(FOREIGN)},
            "channel": {"id": "7001", "type": 0},
            "member": s.member(7002, "stranger"),
            "data": {"resolved": {"users": {"7003": s.user(7003)}, "roles": {"7004": s.role(7004, "theirs")}}},
        }
        await self.tell(self.discord, self.bot, "INTERACTION_CREATE", interaction)
        body = next(event.body for event in self.bot.events if event.key == "INTERACTION_CREATE")
        self.assertEqual(ujson.loads(body), interaction)
        for kind, *ids in (
            ("Guild", FOREIGN),
            ("GuildChannel", 7001),
            ("Member", FOREIGN, 7002),
            ("User", 7002),
            ("User", 7003),
            ("Role", 7004),
            ("GuildMembers", FOREIGN),
        ):
            await self.unknown(kind, *ids)
        self.assertEqual([each["id"] for each in await self.ask("Guilds")], [str(self.guild.id)])
        self.assertIsNotNone(await self.ask("Member", self.guild.id, BOT_ID))
