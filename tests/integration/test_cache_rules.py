"""Rules of the cache, through the whole program (acceptance criteria 44, 45, 47, 54-56, 58-62)."""

from __future__ import annotations

from typing import Any

import ujson

from rateway.simulator.world.world import BOT_ID
from tests.store import samples as s

from .test_cache import CacheTestCase

HIDDEN = {"name": "___hidden___", "flags": 1 << 17, "topic": None}
FOREIGN = 987_654_321 << 22


class RulesTests(CacheTestCase):
    """One guild or two, and what happens in them."""

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
        await self.tell(simulator, worker, "GUILD_DELETE", {"id": str(guild.id), "unavailable": True})
        answer = await worker.query(1, "Guild", guild.id)
        self.assert_covers(answer, {"unavailable": True, "member_count": guild.member_count})
        self.assertEqual(len(await worker.query(1, "GuildChannels", guild.id)), len(whole["channels"]))
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

    async def test_criteria_54_55_56_threads(self) -> None:
        """Threads go with their channel, by a sync that doesn't list them, and by being archived."""
        simulator, _, worker = await self.up(guilds=1, settings={"MESSAGE_CACHE_SIZE": 5})
        await self.heard(worker, "GUILD_CREATE")
        guild = simulator.guild(0)
        of_guild = {"guild_id": str(guild.id)}
        category, first, second = range(7001, 7004)
        await self.tell(simulator, worker, "CHANNEL_CREATE", s.channel(category, 4) | of_guild)
        for channel in (first, second):
            await self.tell(simulator, worker, "CHANNEL_CREATE", s.channel(channel, parent_id=str(category)) | of_guild)

        async def make(*threads: int, parent: int) -> None:
            for thread in threads:
                await self.tell(simulator, worker, "THREAD_CREATE", s.thread(thread, parent) | of_guild)
                await self.tell(simulator, worker, "MESSAGE_CREATE", s.message(thread + 1, thread) | of_guild)

        async def there() -> set[int]:
            threads = {int(thread["id"]) for thread in await worker.query(1, "GuildThreads", guild.id)}
            for thread in (8000, 8010, 8020, 8030):
                known = await worker.query(1, "Message", thread, thread + 1) is not None
                self.assertEqual(known, thread in threads, thread)
            return threads & {8000, 8010, 8020, 8030}

        await make(8000, 8010, 8020, parent=first)
        await make(8030, parent=second)
        sync = of_guild | {"channel_ids": [str(first), str(second)], "threads": [s.thread(8000, first) | of_guild]}
        await self.tell(simulator, worker, "THREAD_LIST_SYNC", sync | {"members": []})
        self.assertEqual(await there(), {8000})
        await make(8010, 8020, parent=first)
        await make(8030, parent=second)
        archived = s.thread(8020, first, archived=True) | of_guild
        await self.tell(simulator, worker, "THREAD_UPDATE", archived)
        self.assertEqual(await there(), {8000, 8010, 8030})
        await make(8020, parent=first)
        await self.tell(simulator, worker, "CHANNEL_DELETE", s.channel(first) | of_guild)
        self.assertEqual(await there(), {8030})
        await self.tell(simulator, worker, "CHANNEL_DELETE", s.channel(category, 4) | of_guild)
        self.assert_covers(await worker.query(1, "GuildChannel", second), {"parent_id": str(category)})
        await self.tell(simulator, worker, "THREAD_LIST_SYNC", of_guild | {"threads": [], "members": []})
        self.assertEqual(await worker.query(1, "GuildThreads", guild.id), [])

    async def test_criteria_58_59_60_roles_and_messages(self) -> None:
        """A role that goes is no member's; half an update keeps the rest; some who write are nobody."""
        simulator, _, worker = await self.up(guilds=1, settings={"MESSAGE_CACHE_SIZE": 5})
        await self.heard(worker, "GUILD_CREATE")
        guild = simulator.guild(0)
        of_guild = {"guild_id": str(guild.id)}
        await self.tell(simulator, worker, "GUILD_ROLE_CREATE", {"role": s.role(7001, "soon gone")} | of_guild)
        await self.tell(simulator, worker, "GUILD_MEMBER_ADD", s.member(7002, "somebody", roles=["7001"]) | of_guild)
        self.assertEqual((await worker.query(1, "Member", guild.id, 7002))["roles"], ["7001"])
        await self.tell(simulator, worker, "GUILD_ROLE_DELETE", {"role_id": "7001"} | of_guild)
        self.assertEqual((await worker.query(1, "Member", guild.id, 7002))["roles"], [])
        await self.assert_unknown(worker, "Role", 7001)

        channel = guild.text_channels()[0]
        written = s.message(7010, channel, s.user(7002, "somebody"), content="kept") | of_guild
        await self.tell(simulator, worker, "MESSAGE_CREATE", written)
        preview = {"id": "7010", "channel_id": str(channel), "embeds": [{"type": "link"}]} | of_guild
        await self.tell(simulator, worker, "MESSAGE_UPDATE", preview)
        answer = await worker.query(1, "Message", channel, 7010)
        self.assert_covers(answer, {"content": "kept", "embeds": [{"type": "link"}]})

        ephemeral = s.message(7011, channel, flags=64)
        del ephemeral["guild_id"], ephemeral["member"]
        await self.tell(simulator, worker, "MESSAGE_CREATE", ephemeral)
        await self.assert_unknown(worker, "PrivateChannel", channel)
        hook = s.message(7012, channel, s.user(7003, "hook"), webhook_id="7003") | of_guild
        await self.tell(simulator, worker, "MESSAGE_CREATE", hook)
        await self.assert_unknown(worker, "User", 7003)
        await self.assert_unknown(worker, "Member", guild.id, 7003)

    async def test_criteria_61_62_strangers_and_hidden_channels(self) -> None:
        """What comes from a guild the bot isn't in is forwarded, and not kept; a channel is as it was last sent."""
        simulator, _, worker = await self.up(guilds=1)
        await self.heard(worker, "GUILD_CREATE")
        await worker.bind(1, ["INTERACTION_CREATE"])
        guild = simulator.guild(0)
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
        await self.tell(simulator, worker, "INTERACTION_CREATE", interaction)
        body = next(event.body for event in worker.events if event.key == "INTERACTION_CREATE")
        self.assertEqual(ujson.loads(body), interaction)
        for kind, *ids in (
            ("Guild", FOREIGN),
            ("GuildChannel", 7001),
            ("Member", FOREIGN, 7002),
            ("User", 7002),
            ("User", 7003),
            ("Role", 7004),
        ):
            await self.assert_unknown(worker, kind, *ids)
        known = await worker.query(1, "Guilds")
        self.assertEqual([each["id"] for each in known], [str(guild.id)])
        self.assertIsNotNone(await worker.query(1, "Member", guild.id, BOT_ID))

        seen = s.channel(7005, topic="what it is about") | {"guild_id": str(guild.id)}
        for d in (seen, seen | HIDDEN, seen, seen | HIDDEN):
            await self.tell(simulator, worker, "CHANNEL_UPDATE", d)
            self.assertEqual(await worker.query(1, "GuildChannel", 7005), d)
