"""Worlds with very many people: they cost nothing until they are looked at, and are the same each time."""

from __future__ import annotations

import gc
from random import Random
from typing import Any

import msgspec
from attrs import Factory, define
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.model.intents import ALL, Intent
from rateway.simulator.hub import encode
from rateway.simulator.options import SimulatorOptions
from rateway.simulator.world import payloads
from rateway.simulator.world.guild import Guild
from rateway.simulator.world.ids import user_id, user_index
from rateway.simulator.world.payloads import EPOCH, Json
from rateway.simulator.world.sizes import guild_size
from rateway.simulator.world.traffic import Traffic
from rateway.simulator.world.world import BOT_ID, World
from tests.simulator.bench import BenchCase, RecordingWire

HUGE = 500_000


def made(world: World) -> int:
    """How many users and members were made so far."""
    return world.users.made + sum(guild.members.made for guild in world.guilds.values())


class CostTests(BenchCase):
    """What large guilds cost."""

    def test_start(self) -> None:
        """A world of ten guilds with 500,000 members each makes nobody, and few objects of any kind."""
        gc.collect()
        before = len(gc.get_objects())
        world = World(SimulatorOptions(guilds=10, members=HUGE, sizes="equal"))
        self.assertEqual(made(world), 0)
        self.assertTrue(len(gc.get_objects()) - before < 5000)
        self.assertEqual([guild.member_count for guild in world.guilds.values()], [HUGE + 1] * 10)

    def test_guild_create(self) -> None:
        """Above 75,000 members it lists the bot and who is in voice, and makes nobody else."""
        self.start(guilds=1, members=HUGE, sizes="equal")
        client = self.ready(intents=int(ALL))
        d, guild = client.wire.all("GUILD_CREATE")[0]["d"], self.face.guild(0)
        self.assertEqual({int(member["user"]["id"]) for member in d["members"]}, {BOT_ID, *guild.voice_states})
        self.assertEqual((d["member_count"], d["large"]), (HUGE + 1, True))
        listed = {presence["user"]["id"] for presence in d["presences"]}
        self.assertTrue(listed <= {member["user"]["id"] for member in d["members"]})
        self.assertIn(str(BOT_ID), listed)
        self.assertTrue(made(self.hub.world) < 200)

    def test_large_but_listed(self) -> None:
        """Up to 75,000 members it lists who is online, has a role or a nick, or is in voice; below a threshold all."""
        self.start(guilds=1, members=2000, sizes="equal")
        guild = self.face.guild(0)
        d = self.ready(intents=int(ALL)).wire.all("GUILD_CREATE")[0]["d"]
        wanted = {
            id
            for id, member in guild.members.items()
            if id == BOT_ID or id in guild.presences or id in guild.voice_states or member["roles"] or member["nick"]
        }
        self.assertEqual({int(member["user"]["id"]) for member in d["members"]}, wanted)
        self.assertTrue(100 < len(wanted) < 1500)
        self.assertEqual(len(d["presences"]), len(guild.presences))

    def test_traffic(self) -> None:
        """Much may happen among five million people: only those concerned are made, and fewer remembered."""
        self.start(guilds=10, members=HUGE, sizes="equal", heartbeat_interval=1e6, mix="realistic")
        self.ready()
        Traffic(self.hub).happen(2000)
        world = self.hub.world
        remembered = sum(len(guild.members.remembered()) for guild in world.guilds.values())
        self.assertTrue(made(world) < 20_000, made(world))
        self.assertTrue(remembered < 500, remembered)

    def test_approximate_count(self) -> None:
        """How many are online is estimated where counting takes long."""
        world = World(SimulatorOptions(guilds=2, members=20_000, sizes="equal"))
        small = world.make_guild(30)
        self.assertEqual(small.presences.approximate_count(), len(small.presences))
        guild = next(iter(world.guilds.values()))
        real = len(guild.presences)
        self.assertTrue(0.8 * real < guild.presences.approximate_count() < 1.2 * real)


class SamenessTests(SynchronousTestCase):
    """Whoever is looked at twice is the same, unless something changed."""

    def setUp(self) -> None:
        self.world = World(SimulatorOptions(guilds=3, members=HUGE, sizes="equal"))
        self.guild, self.other = list(self.world.guilds.values())[:2]

    def somebody(self, guild: Guild) -> int:
        id = guild.somebody(Random(5))
        assert id is not None
        return id

    def test_twice(self) -> None:
        """The same bytes each time, and in another world from the same seed."""
        again = World(SimulatorOptions(guilds=3, members=HUGE, sizes="equal"))
        for guild, same in zip(self.world.guilds.values(), again.guilds.values(), strict=True):
            for id in guild.members.at_places(1000, 1200, []):
                first = encode([guild.members[id], guild.presences.get(id)])
                self.assertEqual(first, encode([guild.members[id], guild.presences.get(id)]))
                self.assertEqual(first, encode([same.members[id], same.presences.get(id)]))

    def test_change(self) -> None:
        """A change of a member shows in that guild only; of a user in each guild."""
        id = self.somebody(self.guild)
        self.other.members[id] = payloads.member(self.world.users[id], joined_at=EPOCH)
        before = self.other.members[id]
        self.guild.members.change(id, nick="changed")
        self.assertEqual((self.guild.members[id]["nick"], self.other.members[id]), ("changed", before))
        self.world.users.change(id, global_name="New Name")
        for guild in (self.guild, self.other):
            self.assertEqual(guild.members[id]["user"]["global_name"], "New Name")

    def test_leave_and_return(self) -> None:
        """Who left is nobody's member, offline, and not counted; who returns is as new."""
        id = next(id for id in self.guild.members.at_places(1, 100, []) if id in self.guild.presences)
        self.guild.remove_member(id)
        self.assertEqual((id in self.guild.members, id in self.guild.presences), (False, False))
        self.assertRaises(KeyError, lambda: self.guild.members[id])
        self.assertEqual(self.guild.member_count, HUGE)
        self.guild.members[id] = payloads.member(self.world.users[id], joined_at=EPOCH, nick="back")
        self.assertEqual((self.guild.members[id]["nick"], id in self.guild.presences), ("back", False))
        self.assertEqual(self.guild.member_count, HUGE + 1)

    def test_deleted_roles(self) -> None:
        """A role that is gone is nobody's any more, whether its holder was changed before or not."""
        role = next(id for id, each in self.guild.roles.items() if each["name"] == "regulars")
        holders = [
            id for id in self.guild.members.at_places(1, 2000, []) if str(role) in self.guild.members[id]["roles"]
        ]
        self.guild.members.change(holders[0], nick="changed")
        del self.guild.roles[role]
        self.assertTrue(len(holders) > 10)
        self.assertFalse(any(str(role) in self.guild.members[id]["roles"] for id in holders))

    def test_nobody(self) -> None:
        """Ids of nobody are nobody's."""
        for id in (0, -1, 123, BOT_ID + 1, user_id(10**9), user_id(5) + 1, user_id(5) + (1 << 22)):
            self.assertNotIn(id, self.guild.members)
            self.assertNotIn(id, self.world.users)
        self.assertNotIn("5", self.world.users)
        self.assertIn(BOT_ID, self.world.users)

    @settings(deadline=None, database=None, max_examples=50)
    @given(st.integers(0, 10**7))
    def test_numbers(self, index: int) -> None:
        """A user's number and id belong together."""
        self.assertEqual(user_index(user_id(index)), index)


OPERATIONS = st.lists(st.tuples(st.sampled_from(("join", "leave", "change")), st.integers(0, 30)), max_size=60)


class MappingTests(SynchronousTestCase):
    """Members behave as a dict does that holds them all."""

    @settings(deadline=None, database=None, max_examples=60)
    @given(st.integers(0, 12), st.integers(0, 5), OPERATIONS)
    def test_as_a_dict(self, size: int, seed: int, operations: list[tuple[str, int]]) -> None:
        """Whoever joins, leaves or changes: contents, length and draws agree with a plain dict."""
        world = World(SimulatorOptions(guilds=1, members=20, seed=seed))
        guild = world.make_guild(size)
        plain: dict[int, Json] = dict(guild.members.items())
        users = [id for id in world.users if id != BOT_ID]
        random = Random(seed)
        for operation, number in operations:
            id = users[number % len(users)]
            if operation == "join":
                guild.members[id] = payloads.member(world.users[id], joined_at=EPOCH + number)
                plain[id] = guild.members[id]
            elif operation == "leave" and id in plain:
                guild.remove_member(id)
                del plain[id]
            elif operation == "change" and id in plain:
                plain[id] = guild.members.change(id, nick=f"nick{number}")
            self.assertEqual(len(guild.members), len(plain))
        self.assertEqual(dict(guild.members.items()), plain)
        self.assertEqual(len(list(guild.members)), len(plain))
        self.assertEqual({id for id in users if id in guild.members}, set(plain) - {BOT_ID})
        walked = guild.members.at_places(0, guild.members.places(guild.members.joined()), guild.members.joined())
        self.assertEqual(sorted(walked), sorted(plain))
        for _ in range(5):
            somebody = guild.somebody(random)
            self.assertTrue(somebody in plain if len(plain) > 1 else somebody is None)

    def test_nobody_left(self) -> None:
        """Where nearly all have left, the last one is still found."""
        guild = World(SimulatorOptions(guilds=1, members=3000, sizes="equal")).make_guild(3000)
        ids = [id for id in guild.members if id != BOT_ID]
        for id in ids[:-1]:
            guild.remove_member(id)
        self.assertEqual(guild.somebody(Random(1)), ids[-1])
        guild.remove_member(ids[-1])
        self.assertEqual((guild.somebody(Random(1)), guild.member_count), (None, 1))


class SizeTests(SynchronousTestCase):
    """How large guilds are."""

    def test_even(self) -> None:
        """From half to one and a half times the mean, and the mean on average."""
        sizes = [guild_size("even", 100, HUGE, 1, index) for index in range(2000)]
        self.assertTrue(50 <= min(sizes) < 60 and 140 < max(sizes) <= 150)
        self.assertTrue(95 < sum(sizes) / 2000 < 105)

    def test_equal(self) -> None:
        """All alike, but not beyond the largest."""
        self.assertEqual({guild_size("equal", 30, HUGE, 1, index) for index in range(50)}, {30})
        self.assertEqual(guild_size("equal", 30, 20, 1, 0), 20)

    def test_heavy(self) -> None:
        """Most are small, a few are huge, none is beyond the largest; very many have the mean."""
        sizes = sorted(guild_size("heavy", 200, 100_000, 1, index) for index in range(30_000))
        self.assertTrue(sizes[15_000] < 100 and sizes[-1] > 20_000 and sizes[-1] <= 100_000, sizes[-1])
        self.assertTrue(140 < sum(sizes) / 30_000 < 260, sum(sizes) / 30_000)
        over = [sum(size > limit for size in sizes) for limit in (1000, 10_000)]
        self.assertTrue(5 < over[0] / over[1] < 20, over)

    def test_nobody(self) -> None:
        """A mean of 0 makes a world without people; else nobody's guild is empty."""
        self.assertEqual(guild_size("heavy", 0, HUGE, 1, 0), 0)
        self.assertEqual({guild_size(sizes, 1, HUGE, 1, 7) for sizes in ("even", "equal", "heavy")}, {1})


@define(eq=False)
class CountingWire(RecordingWire):
    """Reads member lists as they come, and keeps only who was in them."""

    ids: list[int] = Factory(list)
    chunks: list[tuple[int, int, int]] = Factory(list)

    def send_messages(self, messages: list[Any]) -> None:
        for message in messages:
            payload = msgspec.json.decode(message[0])
            if payload["t"] != "GUILD_MEMBERS_CHUNK":
                super().send_messages([message])
                continue
            d = payload["d"]
            self.chunks.append((d["chunk_index"], d["chunk_count"], len(d["members"])))
            self.ids += [int(member["user"]["id"]) for member in d["members"]]


class WholeListTests(BenchCase):
    """Op 8 for the whole list of a large guild."""

    def begin(self, members: int, **options: Any) -> tuple[Guild, Any]:
        self.start(guilds=1, members=members, sizes="equal", replay_limit=5, identify_window=0.0, **options)
        client = self.ready(intents=int(Intent.GUILDS | Intent.GUILD_MEMBERS))
        wire = CountingWire()
        client.wire = client.connection.wire = wire
        return self.face.guild(0), client

    def ask(self, client: Any) -> None:
        client.tell(8, {"guild_id": str(self.face.guild(0).id), "query": "", "limit": 0})

    def test_half_a_million(self) -> None:
        """All of 500,000 members come, each once, in 501 chunks of at most 1000, and nobody is remembered for it."""
        guild, client = self.begin(HUGE)
        self.ask(client)
        self.settle()
        chunks = client.wire.chunks
        self.assertEqual([chunk[:2] for chunk in chunks], [(index, 501) for index in range(501)])
        self.assertTrue(all(size <= 1000 for _, _, size in chunks))
        self.assertEqual((len(client.wire.ids), len(set(client.wire.ids))), (HUGE + 1, HUGE + 1))
        self.assertEqual(set(guild.members.remembered()), {BOT_ID})

    def test_others_go_on(self) -> None:
        """Between two chunks others have their turn: each ACK to their heartbeats comes after one chunk at most."""
        _, client = self.begin(20_000)
        other = self.ready(intents=0)
        self.ask(client)
        while len(client.wire.chunks) < 21:
            chunks, acks = len(client.wire.chunks), len(other.wire.all(11))
            other.tell(1, None)
            self.assertEqual(len(other.wire.all(11)), acks + 1)
            self.clock.advance(2e-6)
            self.assertTrue(len(client.wire.chunks) <= chunks + 2)

    def test_changes_meanwhile(self) -> None:
        """Who leaves before their chunk isn't in it; who joins is told; all who stay are listed exactly once."""
        guild, client = self.begin(5000)
        early, late = guild.members.at_places(1, 2, [])[0], guild.members.at_places(4500, 4501, [])[0]
        joined = self.hub.world.new_user()
        guild.members[joined] = payloads.member(self.hub.world.users[joined], joined_at=EPOCH)
        stayed = set(guild.members) - {early, late}
        self.ask(client)
        for gone in (early, late):
            guild.remove_member(gone)
        self.settle()
        ids = client.wire.ids
        self.assertEqual(len(ids), len(set(ids)))
        self.assertEqual(set(ids), stayed | {early})

    def test_ends_with_the_guild(self) -> None:
        """A guild that is left, or fails, is listed no further; so for a session that is over."""
        for end in ("leave", "outage", "session"):
            guild, client = self.begin(5000)
            self.ask(client)
            if end == "leave":
                self.face.leave_guild(guild.id)
            elif end == "outage":
                self.face.outage(guild.id)
            else:
                self.face.forget_session(0)
            self.settle()
            self.assertEqual(len(client.wire.chunks), 1, end)
