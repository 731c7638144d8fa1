"""Lists, searches, permissions and bulk requests, asked of a fleet and compared with the simulator's world."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import ujson
from twisted.internet.defer import Deferred, gatherResults

from rateway.model.permissions import Permission
from rateway.simulator.simulator import Simulator
from rateway.simulator.world.guild import Guild
from rateway.simulator.world.permissions import permissions_of
from rateway.simulator.world.world import BOT_ID

from .program import Program
from .test_cache import COLLECTIONS, CacheTestCase, message
from .test_processes import clusters_of
from .worker import Received, Worker


def headers_of(answer: Received) -> dict[str, Any]:
    """An answer's headers."""
    return dict(answer.properties.headers or {})


def by_id(things: Iterable[dict[str, Any]], key: str = "id") -> list[dict[str, Any]]:
    """In order of id."""
    return sorted(things, key=lambda thing: int(thing[key]))


class QueriesTestCase(CacheTestCase):
    """With the words these tests have in common."""

    async def answer(self, worker: Worker, cluster: int, kind: str, *arguments: object) -> tuple[Any, dict[str, Any]]:
        """What is answered, and what is said of it."""
        found = await worker.ask(cluster, "cache", ujson.dumps({"type": kind, "arguments": arguments}).encode())
        headers = headers_of(found)
        self.assertNotIn("error", headers)
        return ujson.loads(found.body) if found.body else None, headers

    async def fleet(self, **settings: Any) -> tuple[Simulator, Program, Worker]:
        """Four shards in two clusters of two processes, with two guilds each, all there."""
        simulator = await self.simulator(shards=4, max_concurrency=4, guilds=8, members=25)
        worker = await self.worker(1, 2)
        program = self.rateway(simulator, SHARDS_PER_CLUSTER=2, PROCESSES=2, **settings)
        await self.all_active(simulator, 4)
        await self.heard(worker, "GUILD_CREATE", 8)
        return simulator, program, worker


class FleetTests(QueriesTestCase):
    """Any cluster answers for any guild."""

    async def test_every_list_before_and_after_a_kill(self) -> None:
        """Every type, of each cluster for guilds of every shard: before, while, and after a process is dead."""
        simulator, program, worker = await self.fleet(MESSAGE_CACHE_SIZE=10)
        author = simulator.world.users[simulator.world.anybody()]
        for index in range(8):
            guild = simulator.guild(index)
            for number in range(3):
                d = message(guild, guild.text_channels()[0], 5000 + 10 * index + number, author, "kept")
                simulator.dispatch((guild.id >> 22) % 4, "MESSAGE_CREATE", d)
        await self.heard(worker, "MESSAGE_CREATE", 24)
        for cluster in (1, 2):
            await self.check_all(worker, cluster, simulator)

        dead = self.cluster_of_child(program, 0)
        program.kill_child(0)
        await self.check_all(worker, 3 - dead, simulator)
        await self.until(lambda: len(simulator.resumes) == 2, "the shards of the killed process resume")
        await self.until(lambda: simulator.connected_shards() == {0, 1, 2, 3}, "all shards")
        for cluster in (1, 2):
            await self.check_all(worker, cluster, simulator)

    def cluster_of_child(self, program: Program, index: int) -> int:
        """The cluster that a child runs."""
        (cluster,) = clusters_of(program.children()[index])
        return cluster

    async def check_all(self, worker: Worker, cluster: int, simulator: Simulator) -> None:
        """All there is, asked of one cluster."""
        guilds = sorted((simulator.guild(index) for index in range(8)), key=lambda guild: guild.id)
        for index, guild in enumerate(guilds):
            await self.check_lists(worker, cluster, guild)
            await self.check_people(worker, cluster, guild)
            await self.check_permissions(worker, cluster, guild, index)
        found, headers = await self.answer(worker, cluster, "Guilds")
        self.assertEqual(([int(each["id"]) for each in found], headers), ([guild.id for guild in guilds], {}))
        users = {user for guild in guilds for user in guild.members}
        for user in sorted(users)[:: max(1, len(users) // 10)]:
            mutual = [guild.id for guild in guilds if user in guild.members]
            found = await worker.query(cluster, "UserGuilds", user)
            self.assertEqual([int(each["id"]) for each in found], mutual)
        requests = [{"type": "Guild", "arguments": [guild.id]} for guild in guilds] + [
            {"type": "Role", "arguments": [5]}
        ]
        answer = await worker.ask(cluster, "cache", ujson.dumps({"requests": requests}).encode())
        names = [each and each["name"] for each in ujson.loads(answer.body)]
        self.assertEqual(names, [*(guild.fields["name"] for guild in guilds), None])

    async def check_lists(self, worker: Worker, cluster: int, guild: Guild) -> None:
        """A guild's lists are those of its GUILD_CREATE, and as of the shard's last event or so."""
        whole = guild.create_payload(-1, 250)
        of_guild = {"guild_id": str(guild.id)}
        channel = guild.text_channels()[0]
        for kind, things, key in (
            ("GuildThreads", whole["threads"], "id"),
            ("GuildRoles", whole["roles"], "id"),
            ("GuildEmojis", whole["emojis"], "id"),
            ("GuildStickers", whole["stickers"], "id"),
            ("GuildStageInstances", whole["stage_instances"], "id"),
            ("GuildScheduledEvents", whole["guild_scheduled_events"], "id"),
            ("GuildVoiceStates", whole["voice_states"], "user_id"),
        ):
            found, headers = await self.answer(worker, cluster, kind, guild.id)
            self.assertEqual(found, [each | of_guild for each in by_id(things, key)], kind)
            self.assertEqual(headers["shard_id"], (guild.id >> 22) % 4)
            self.assertGreater(headers["as_of_seq"], 0)
        found = await worker.query(cluster, "GuildChannels", guild.id)
        newest = (await worker.query(cluster, "GuildChannel", channel))["last_message_id"]
        for each, expected in zip(found, by_id(whole["channels"]), strict=True):
            last = {"last_message_id": newest} if int(each["id"]) == channel else {}
            self.assertEqual(each, expected | of_guild | last)
        messages = await worker.query(cluster, "ChannelMessages", channel)
        self.assertEqual([each["content"] for each in messages], ["kept"] * 3)
        self.assertEqual(messages[-1]["id"], newest)
        self.assertEqual(
            await worker.query(cluster, "Guild", guild.id),
            {key: value for key, value in whole.items() if key not in COLLECTIONS},
        )

    async def check_people(self, worker: Worker, cluster: int, guild: Guild) -> None:
        """Members, by pages and by name, and who is online."""
        of_guild = {"guild_id": str(guild.id)}
        expected = [guild.members[user] | of_guild | {"user_id": str(user)} for user in sorted(guild.members)]
        members, after = list[Any](), None
        while True:
            page, headers = await self.answer(worker, cluster, "GuildMembers", guild.id, after, 10)
            self.assertEqual((headers["known"], headers["total"]), (len(expected), guild.member_count))
            members += page
            after = headers.get("next")
            if after is None:
                break
        self.assertEqual(members, expected)
        presences = await worker.query(cluster, "GuildPresences", guild.id)
        online = {str(user) for user, each in guild.presences.items() if each["status"] != "offline"}
        self.assertEqual([each["user_id"] for each in presences], sorted(online, key=int))
        somebody = members[len(members) // 2]["user"]["username"]
        for prefix in (somebody[:3].upper(), somebody):
            found = await worker.query(cluster, "SearchMembers", guild.id, prefix, 1000)
            wanted = [
                each["user_id"]
                for each in members
                for names in [(each["user"]["username"], each["user"]["global_name"], each.get("nick"))]
                if any((name or "").casefold().startswith(prefix.casefold()) for name in names)
            ]
            self.assertEqual([each["user_id"] for each in found], wanted, prefix)

    async def check_permissions(self, worker: Worker, cluster: int, guild: Guild, index: int) -> None:
        """What members may see and do, as the simulator works it out for itself; hidden channels are not known."""
        users = sorted(guild.members)[index % 5 :: 7]
        for user in {*users, int(guild.fields["owner_id"]), BOT_ID} & set(guild.members):
            for channel in list(guild.channels)[index % 3 :: 4]:
                found = await worker.query(cluster, "Permissions", guild.id, user, channel)
                if guild.is_hidden(channel) and found is None:
                    continue
                bits, expected = int(found["permissions"]), permissions_of(guild, user, channel)
                for each in (Permission.VIEW_CHANNEL, Permission.SEND_MESSAGES, Permission.CONNECT):
                    self.assertEqual(bits & each, expected & each, (guild.id, user, channel, each.name))


class LongTests(QueriesTestCase):
    """Much, while other things go on."""

    async def test_long_lists_hold_nothing_up(self) -> None:
        """Long lists of a guild of 20,000: a lookup overtakes them all, events flow on, and the pages are the whole."""
        simulator, _, worker = await self.up(guilds=1)
        await self.heard(worker, "GUILD_CREATE")
        guild = simulator.guild(0)
        many = [
            {
                "user": {"id": str((1 << 60) + number), "username": f"user{number}", "global_name": None},
                "roles": [],
                "joined_at": "2026-01-01T00:00:00.000000+00:00",
                "deaf": False,
                "mute": False,
                "flags": 0,
            }
            for number in range(20_000)
        ]
        for start in range(0, len(many), 1000):
            d = {"guild_id": str(guild.id), "members": many[start : start + 1000], "chunk_index": 0, "chunk_count": 1}
            simulator.dispatch(0, "GUILD_MEMBERS_CHUNK", d)
        await self.tell(simulator, worker, "TYPING_START", {})

        arrived: list[str] = []

        def ask(name: str, kind: str, *arguments: object) -> Deferred[Received]:
            def note(answer: Received) -> Received:
                arrived.append(name)
                return answer

            asked = worker.ask(1, "cache", ujson.dumps({"type": kind, "arguments": arguments}).encode())
            return asked.addCallback(note)

        lists = [ask("list", "GuildMembers", guild.id, None, 10_000) for _ in range(8)]
        lookups = [ask("lookup", "Guild", guild.id), ask("lookup", "Member", guild.id, 1 << 60)]
        await self.tell(simulator, worker, "TYPING_START", {})
        arrived.append("event")
        answers = await gatherResults([*lists, *lookups])
        self.assertEqual(arrived[:2], ["lookup", "lookup"])
        self.assertLess(arrived.index("event"), 2 + 4)
        self.assertEqual({len(ujson.loads(answer.body)) for answer in answers[:8]}, {10_000})

        seen, after = set[str](), None
        while True:
            page, headers = await self.answer(worker, 1, "GuildMembers", guild.id, after, 4_000)
            seen |= {each["user_id"] for each in page}
            self.assertEqual(headers["known"], len(guild.members) + 20_000)
            after = headers.get("next")
            if after is None:
                break
        self.assertEqual(len(seen), len(guild.members) + 20_000)
        found, _ = await self.answer(worker, 1, "SearchMembers", guild.id, "USER1999")
        self.assertEqual(
            [each["user"]["username"] for each in found], ["user1999", *(f"user1999{n}" for n in range(10))]
        )
