"""Lists, searches, permissions and bulk requests, asked of a fleet and compared with the simulator's world."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import ujson
from twisted.internet.defer import Deferred, gatherResults

from rateway.model.permissions import Permission
from rateway.simulator.simulator import Simulator
from rateway.simulator.world.guild import Guild
from rateway.simulator.world.permissions import permissions_of
from rateway.simulator.world.world import BOT_ID

from .everything import OUGHT, Everything
from .program import Program
from .test_cache import CacheTestCase
from .test_processes import clusters_of
from .worker import Received, Worker

T = TypeVar("T")


def headers_of(answer: Received) -> dict[str, Any]:
    """An answer's headers."""
    return dict(answer.properties.headers or {})


def in_parts(things: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """So many at a time."""
    return (things[start : start + size] for start in range(0, len(things), size))


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

    timeout = 180

    async def test_everything_before_and_after_kills(self) -> None:
        """Every type, of each cluster for guilds of every shard: before, while, and after processes are killed."""
        simulator, program, worker = await self.fleet(MESSAGE_CACHE_SIZE=10)
        everything = Everything(simulator, simulator.world.users[simulator.world.anybody()])
        for id, name, d in everything.events():
            simulator.dispatch((id >> 22) % 4, name, d)
        await self.heard(worker, "MESSAGE_CREATE", 3 * 8 + 1)
        for shard in range(4):
            simulator.dispatch(shard, "TEST", {})
        await self.heard(worker, "TEST", 4)
        for cluster in (1, 2):
            await self.check_all(worker, cluster, everything)

        (dead,) = clusters_of(program.children()[0])
        program.kill_child(0)
        await self.check_all(worker, 3 - dead, everything)
        await self.until(lambda: len(simulator.resumes) == 2, "the shards of the killed process resume")
        await self.heard(worker, "RESUMED", 2)
        for cluster in (1, 2):
            await self.check_all(worker, cluster, everything)

        for pid in (*program.children(), program.pid):
            os.kill(pid, signal.SIGKILL)
        await program.wait()
        for guild in everything.guilds:
            role = guild.roles[next(reversed(guild.roles))]
            role["name"] = "renamed meanwhile"
            d = {"guild_id": str(guild.id), "role": role}
            simulator.dispatch((guild.id >> 22) % 4, "GUILD_ROLE_UPDATE", d)
        self.rateway(simulator, SHARDS_PER_CLUSTER=2, PROCESSES=2, MESSAGE_CACHE_SIZE=10)
        await self.heard(worker, "RESUMED", 2 + 4)
        for cluster in (1, 2):
            await self.check_all(worker, cluster, everything)
        self.assertEqual(len(simulator.identifies), 4)

    async def check_all(self, worker: Worker, cluster: int, everything: Everything) -> None:
        """All there is, asked of one cluster: one by one, and a hundred in one."""
        questions = list(everything.questions())
        self.assertEqual({asked[0] for asked, _ in questions}, OUGHT)
        for some in in_parts(questions, 100):
            requests = [{"type": kind, "arguments": arguments} for (kind, *arguments), _ in some]
            asked = [worker.ask(cluster, "cache", ujson.dumps(request).encode()) for request in requests]
            one_by_one = [ujson.loads(answer.body) if answer.body else None for answer in await gatherResults(asked)]
            at_once = await worker.ask(cluster, "cache", ujson.dumps({"requests": requests}).encode())
            for request, (_, expected), *found in zip(
                requests, some, one_by_one, ujson.loads(at_once.body), strict=True
            ):
                self.assertEqual(found, [expected, expected], (cluster, request))
        for index, guild in enumerate(everything.guilds):
            await self.check_headers(worker, cluster, guild)
            await self.check_people(worker, cluster, guild)
            await self.check_permissions(worker, cluster, guild, index)

    async def check_headers(self, worker: Worker, cluster: int, guild: Guild) -> None:
        """Whose an answer is, and as of when."""
        for kind in ("Guild", "GuildRoles", "GuildThreads", "GuildMembers", "GuildInvites"):
            _, headers = await self.answer(worker, cluster, kind, guild.id)
            self.assertEqual(headers["shard_id"], (guild.id >> 22) % 4)
            self.assertGreater(headers["as_of_seq"], 0)
            self.assertNotIn("stale", headers)

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
        first = arrived.index("list")
        self.assertEqual(arrived[:first].count("lookup"), 2, arrived)
        self.assertLessEqual(arrived[: arrived.index("event")].count("list"), 4, arrived)
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
