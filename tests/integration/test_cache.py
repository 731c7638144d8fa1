"""What bots learn from the cache (acceptance criteria 46, 48-53, 57, 72; docs/user-guide.md, "Asking the cache")."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lmdb
import ujson

from rateway.simulator.simulator import Simulator
from rateway.simulator.world.guild import Guild
from rateway.simulator.world.world import BOT_ID
from rateway.store import keys
from rateway.store.packing import PACKED, unpack

from .harness import WorldTestCase
from .program import Program
from .worker import Worker

COLLECTIONS = {
    "channels",
    "threads",
    "members",
    "presences",
    "voice_states",
    "roles",
    "emojis",
    "stickers",
    "stage_instances",
    "guild_scheduled_events",
    "soundboard_sounds",
}
NOBODY = 123_456_789_012_345_678
KEY = "my-answers"


def message(guild: Guild | None, channel: int, id: int, author: Mapping[str, Any], content: str) -> dict[str, Any]:
    """``d`` of a MESSAGE_CREATE; without a guild it is a direct one."""
    d: dict[str, Any] = {
        "id": str(id),
        "channel_id": str(channel),
        "channel_type": 1 if guild is None else 0,
        "type": 0,
        "author": author,
        "content": content,
        "timestamp": "2026-04-05T06:07:08.901000+00:00",
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "components": [],
        "pinned": False,
        "flags": 0,
    }
    return d if guild is None else d | {"guild_id": str(guild.id)}


def rows(state: Path, cluster: int = 1) -> dict[bytes, bytes]:
    """Every row of a cluster's store, uncompressed, sessions left out; rateway has to be stopped."""
    path = str(state / f"cluster-{cluster}" / "entities")
    with lmdb.open(path, readonly=True, lock=False) as environment, environment.begin() as transaction:
        found = ((bytes(k), bytes(v)) for k, v in transaction.cursor() if k[:1] not in b"$#")
        return {k: unpack(k[0], v) if k[0] in PACKED else v for k, v in found}


class CacheTestCase(WorldTestCase):
    """With the words these tests have in common."""

    async def heard(self, worker: Worker, name: str, count: int = 1) -> None:
        """So many events of this name arrived: their effect is in the cache."""
        await self.until(lambda: worker.names().count(name) >= count, f"{count} of {name}")

    async def tell(self, simulator: Simulator, worker: Worker, name: str, d: object, shard: int = 0) -> None:
        """Discord sends an event, and it arrives."""
        simulator.dispatch(shard, name, d)
        simulator.dispatch(shard, "TEST", {})
        self.told = getattr(self, "told", 0) + 1
        await self.heard(worker, "TEST", self.told)

    def assert_covers(self, answer: Any, expected: Mapping[str, object]) -> None:
        """The answer has all that was expected, in these words."""
        self.assertIsInstance(answer, dict)
        self.assertEqual({key: answer.get(key, "missing") for key in expected}, dict(expected))

    async def assert_unknown(self, worker: Worker, kind: str, *arguments: object) -> None:
        """There is no such thing."""
        self.assertIsNone(await worker.query(1, kind, *arguments), f"{kind} {arguments}")


class GuildTests(CacheTestCase):
    """How the cache follows Discord."""

    async def test_criterion_46_one_guild_in_outage(self) -> None:
        """Three guilds listed, two come, one is in an outage: it is known, and unavailable."""
        simulator = await self.simulator(guilds=3)
        simulator.guild(2).unavailable = True
        worker = await self.worker(1)
        self.rateway(simulator)
        await self.heard(worker, "GUILD_CREATE", 2)
        await self.heard(worker, "GUILD_DELETE")
        self.assertTrue(simulator.is_connected(0))
        for index, unavailable in ((0, False), (1, False), (2, True)):
            id = simulator.guild(index).id
            self.assert_covers(await worker.query(1, "Guild", id), {"id": str(id), "unavailable": unavailable})
        simulator.recover(simulator.guild(2).id)
        await self.heard(worker, "GUILD_CREATE", 3)
        guild = simulator.guild(2)
        self.assert_covers(await worker.query(1, "Guild", guild.id), guild.fields | {"unavailable": False})

    async def test_criterion_48_guild_left(self) -> None:
        """After GUILD_DELETE the store has the rows of one that never heard of the guild, and no other."""
        settings: dict[str, Any] = {"MESSAGE_CACHE_SIZE": 10}
        # Two IDENTIFYs of one key follow each other here sooner than Discord likes: the second is another rateway's,
        # which knows nothing of the first one's session.
        self.expected_breaches = frozenset({"wasted-session"})
        simulator, program, worker = await self.up(guilds=2, members=30, identify_window=0.1, settings=settings)
        await self.heard(worker, "GUILD_CREATE", 2)
        guild = simulator.guild(1)
        channel, thread = guild.text_channels()[0], next(iter(guild.threads))
        stranger = {"id": "77", "username": "stranger", "discriminator": "0", "global_name": None, "avatar": None}
        for number in range(20):
            d = message(guild, thread if number % 2 else channel, number + 1000, stranger, "soon gone")
            simulator.dispatch(0, "MESSAGE_CREATE", d)
        ids = {"id": str(thread), "guild_id": str(guild.id), "member_count": 2}
        joined = {"id": str(thread), "user_id": "77", "join_timestamp": "2026-01-01T00:00:00+00:00", "flags": 0}
        await self.tell(simulator, worker, "THREAD_MEMBERS_UPDATE", ids | {"added_members": [joined]})
        voice, of_guild = guild.voice_channels()[0], {"guild_id": str(guild.id)}
        for name, d in (
            ("INVITE_CREATE", {"code": "soon-gone", "channel_id": str(channel)}),
            ("INTEGRATION_CREATE", {"id": "1101", "name": "soon gone"}),
            ("AUTO_MODERATION_RULE_CREATE", {"id": "1102", "name": "soon gone"}),
            ("VOICE_CHANNEL_STATUS_UPDATE", {"id": str(voice), "status": "soon gone"}),
        ):
            await self.tell(simulator, worker, name, d | of_guild)
        self.assert_covers(await worker.query(1, "Message", thread, 1019), {"content": "soon gone"})
        for kind, *arguments in (
            ("GuildInvites", guild.id),
            ("GuildIntegrations", guild.id),
            ("AutoModerationRule", 1102),
            ("ChannelInfo", guild.id, voice),
        ):
            self.assertTrue(await worker.query(1, str(kind), *arguments), kind)
        simulator.leave_guild(guild.id)
        await self.heard(worker, "GUILD_DELETE")
        await self.assert_unknown(worker, "Guild", guild.id)
        await self.assert_unknown(worker, "Message", thread, 1019)
        self.assertEqual(await program.stop(), 0)

        fresh = self.rateway(simulator, STATE_DIR=self.folder / "fresh", **settings)
        await self.heard(worker, "GUILD_CREATE", 3)
        self.assertEqual(await fresh.stop(), 0)
        left, never = rows(self.folder / "state"), rows(self.folder / "fresh")
        self.assertGreater(len(never), 50)
        self.assertEqual(sorted(left.keys() ^ never.keys()), [])
        for key in left:
            self.assertNotIn(guild.id.to_bytes(8, "big"), key + left[key])
            self.assertNotIn(str(guild.id).encode(), left[key])
        # What is compared is the rows' JSON: a member's is some hundred bytes.
        self.assertIn(b'"username"', left[keys.user(BOT_ID)])

    async def test_criterion_49_second_ready_without_a_guild(self) -> None:
        """A guild that a later READY doesn't list was left meanwhile: nothing of it is known any more."""
        simulator, _, worker = await self.up(guilds=2)
        await self.heard(worker, "GUILD_CREATE", 2)
        stays, left = simulator.guild(0), simulator.guild(1)
        channel, role = next(iter(left.channels)), list(left.roles)[1]
        self.assertIsNotNone(await worker.query(1, "GuildChannel", channel))
        simulator.forget_session(0)
        simulator.leave_guild(left.id, how="silently")
        simulator.drop(0)
        await self.heard(worker, "READY", 2)
        await self.heard(worker, "GUILD_CREATE", 3)
        await self.assert_unknown(worker, "Guild", left.id)
        await self.assert_unknown(worker, "GuildChannel", channel)
        await self.assert_unknown(worker, "Role", role)
        await self.assert_unknown(worker, "Member", left.id, BOT_ID)
        self.assertIsNotNone(await worker.query(1, "Guild", stays.id))
        self.assertIsNotNone(await worker.query(1, "Member", stays.id, BOT_ID))

    async def test_criterion_50_guild_update(self) -> None:
        """GUILD_UPDATE changes the guild's own fields and its roles; the count, channels and members stay."""
        simulator, _, worker = await self.up(guilds=1)
        await self.heard(worker, "GUILD_CREATE")
        guild = simulator.guild(0)
        before = await worker.query(1, "Guild", guild.id)
        self.assertEqual(before["member_count"], guild.member_count)
        gone = guild.roles.popitem()[0]
        kept = list(guild.roles)[1]
        guild.roles[kept]["name"] = "renamed"
        update = guild.update_payload() | {"name": "New name", "something_new": [1, {"a": None}]}
        await self.tell(simulator, worker, "GUILD_UPDATE", update)
        expected = before | {"name": "New name", "something_new": [1, {"a": None}]}
        self.assertEqual(await worker.query(1, "Guild", guild.id), expected)
        await self.assert_unknown(worker, "Role", gone)
        self.assert_covers(await worker.query(1, "Role", kept), {"name": "renamed", "guild_id": str(guild.id)})
        for channel in (*guild.channels, *guild.threads):
            self.assertIsNotNone(await worker.query(1, "GuildChannel", channel))
        for member in guild.members:
            self.assertIsNotNone(await worker.query(1, "Member", guild.id, member))

    async def test_criterion_51_joins_told_twice(self) -> None:
        """A member's join that Discord tells twice counts once; one that left is counted off."""
        simulator, _, worker = await self.up(guilds=1)
        await self.heard(worker, "GUILD_CREATE")
        guild = simulator.guild(0)
        user = {"id": "77", "username": "newcomer", "discriminator": "0", "global_name": None, "avatar": None}
        of_guild: dict[str, Any] = {"guild_id": str(guild.id)}
        join = of_guild | {"user": user, "roles": [], "joined_at": None, "deaf": False, "mute": False}
        known = copy.deepcopy(guild.members[next(iter(guild.voice_states or guild.members))])
        for d, count in (
            (join, guild.member_count + 1),
            (join, guild.member_count + 1),
            (known | of_guild, guild.member_count + 1),
        ):
            await self.tell(simulator, worker, "GUILD_MEMBER_ADD", d)
            self.assertEqual((await worker.query(1, "Guild", guild.id))["member_count"], count)
        self.assert_covers(await worker.query(1, "Member", guild.id, 77), {"user": user, "user_id": "77"})
        await self.tell(simulator, worker, "GUILD_MEMBER_REMOVE", of_guild | {"user": user})
        self.assertEqual((await worker.query(1, "Guild", guild.id))["member_count"], guild.member_count)

    async def test_criterion_52_offline_after_leaving(self) -> None:
        """The offline presence that follows a leave brings nobody back: no member, no presence, no user."""
        simulator, _, worker = await self.up(guilds=1)
        await self.heard(worker, "GUILD_CREATE")
        guild = simulator.guild(0)
        user = next(id for id in guild.presences if id not in guild.voice_states)
        self.assertIsNotNone(await worker.query(1, "Presence", guild.id, user))
        d = {"guild_id": str(guild.id), "user": simulator.world.users[user]}
        await self.tell(simulator, worker, "GUILD_MEMBER_REMOVE", d)
        for status in ("offline", "online", "offline"):
            presence = {"guild_id": str(guild.id), "user": {"id": str(user)}, "status": status, "activities": []}
            await self.tell(simulator, worker, "PRESENCE_UPDATE", presence | {"client_status": {}})
            await self.assert_unknown(worker, "Member", guild.id, user)
            await self.assert_unknown(worker, "User", user)
        await self.assert_unknown(worker, "Presence", guild.id, user)

    async def test_criterion_53_odd_presences(self) -> None:
        """Presences whose fields are of any type are taken or passed over; all are forwarded, none does harm."""
        simulator, program, worker = await self.up(guilds=1, settings={"COMPRESSION": "none"})
        await self.heard(worker, "GUILD_CREATE")
        await worker.bind(1, ["PRESENCE_UPDATE"])
        guild = simulator.guild(0)
        user = next(id for id in guild.presences)
        whole = {"guild_id": str(guild.id), "user": {"id": str(user)}, "status": "dnd", "activities": []}
        odd: list[object] = [None, [], "text", 7, {}]
        values: list[object] = [None, True, 7, -1, 1.5, 1 << 70, "", "x" * 40, "\ud83d", [], [{}], {}, {"id": None}]
        for value in values:
            for key in ("user", "guild_id", "status", "activities", "client_status"):
                odd.append(whole | {key: value})
            odd.append(whole | {"user": {"id": str(user), "username": value, "avatar": value, "bot": value}})
            odd.append(whole | {"user": {"id": value}})
        bodies = [json.dumps(d).encode() for d in odd]
        for body in bodies:
            simulator.send_text(
                0, b'{"t":"PRESENCE_UPDATE","s":%d,"op":0,"d":%b}' % (simulator.session(0).seq + 1, body)
            )
            simulator.skip_sequences(0, 1)
        await self.heard(worker, "PRESENCE_UPDATE", len(bodies))
        self.assertEqual([event.body for event in worker.events if event.key == "PRESENCE_UPDATE"], bodies)
        await self.tell(simulator, worker, "PRESENCE_UPDATE", whole | {"client_status": {"web": "dnd"}})
        expected = {"status": "dnd", "user_id": str(user), "guild_id": str(guild.id)}
        self.assert_covers(await worker.query(1, "Presence", guild.id, user), expected)
        self.assertIsNotNone(await worker.query(1, "Member", guild.id, user))
        self.assertEqual(len(simulator.connections), 1)
        self.assertFalse(program.said("could not be applied"), program.text)

    async def test_criterion_57_voice(self) -> None:
        """A user joins a channel, moves, leaves: each channel lists exactly who is there."""
        simulator, _, worker = await self.up(guilds=1, members=60)
        await self.heard(worker, "GUILD_CREATE")
        guild = simulator.guild(0)
        first, second = guild.voice_channels()
        there = {channel: set[str]() for channel in (first, second)}
        for id, state in guild.voice_states.items():
            there[int(state["channel_id"])].add(str(id))
        user = next(id for id in guild.members if id not in guild.voice_states and id != BOT_ID)
        state = {"guild_id": str(guild.id), "user_id": str(user), "session_id": "s", "deaf": False, "mute": False}

        async def check() -> None:
            for channel, users in there.items():
                states = await worker.query(1, "VoiceChannelStates", channel)
                self.assertEqual({state["user_id"] for state in states or []}, users)
                self.assertTrue(all(state["channel_id"] == str(channel) for state in states or []))

        await check()
        for channel in (first, first, second, None, second, None):
            for users in there.values():
                users.discard(str(user))
            if channel is not None:
                there[channel].add(str(user))
            d = state | {"channel_id": None if channel is None else str(channel), "member": guild.members[user]}
            await self.tell(simulator, worker, "VOICE_STATE_UPDATE", d)
            await check()
            answer = await worker.query(1, "VoiceState", user, guild.id)
            if channel is None:
                self.assertIsNone(answer)
            else:
                self.assert_covers(answer, state | {"channel_id": str(channel)})
                self.assertEqual(await worker.query(1, "VoiceState", user, channel), answer)
                other = first if channel == second else second
                await self.assert_unknown(worker, "VoiceState", user, other)
        self.assertIsNotNone(await worker.query(1, "Member", guild.id, user))

    async def test_criterion_72_events_that_can_not_be_cached(self) -> None:
        """Events the store can't make sense of are forwarded like all others; the shard and the cache live on."""
        names = [
            "GUILD_CREATE",
            "GUILD_UPDATE",
            "GUILD_DELETE",
            "GUILD_ROLE_CREATE",
            "GUILD_ROLE_DELETE",
            "GUILD_MEMBER_ADD",
            "GUILD_MEMBER_UPDATE",
            "GUILD_MEMBER_REMOVE",
            "GUILD_MEMBERS_CHUNK",
            "GUILD_EMOJIS_UPDATE",
            "CHANNEL_CREATE",
            "CHANNEL_UPDATE",
            "CHANNEL_DELETE",
            "CHANNEL_PINS_UPDATE",
            "THREAD_CREATE",
            "THREAD_LIST_SYNC",
            "THREAD_MEMBERS_UPDATE",
            "MESSAGE_CREATE",
            "MESSAGE_UPDATE",
            "MESSAGE_DELETE",
            "MESSAGE_DELETE_BULK",
            "MESSAGE_REACTION_ADD",
            "VOICE_STATE_UPDATE",
            "USER_UPDATE",
        ]
        simulator = await self.simulator(guilds=1)
        worker = await self.worker(1, names=[*names, "TEST"])
        program = self.rateway(simulator, MESSAGE_CACHE_SIZE=5)
        await self.heard(worker, "GUILD_CREATE")
        guild = simulator.guild(0)
        before = await worker.query(1, "Guild", guild.id)
        worker.events.clear()
        own, sent = str(guild.id).encode(), list[tuple[str, bytes]]()
        for name in names:
            for d in (
                b"null",
                b"[]",
                b"7",
                b'"text"',
                b"{}",
                b'{"id":{}}',
                b'{"guild_id":"x","id":"y","user":"z","channel_id":[]}',
                b'{"guild_id":"%b","id":[1],"user":7,"role":"r","role_id":{},"channel_id":{},"members":{}}' % own,
                b'{"guild_id":%b,"user":{"id":-1},"role":{"id":1e99},"emojis":7,"threads":"","ids":{}}' % own,
                b'{"guild_id":"99999999999999999999999","id":"99999999999999999999999"}',
            ):
                simulator.dispatch(0, name, d)
                sent.append((name, d))
        last = simulator.session(0).seq
        await self.until(lambda: len(worker.events) >= len(sent), "all of them")
        self.assertEqual([(event.key, event.body) for event in worker.events], sent)
        await program.until_said("GUILD_ROLE_CREATE with sequence ")
        self.assertTrue(program.said("could not be applied"), program.text)
        self.assertEqual(await worker.query(1, "Guild", guild.id), before)
        simulator.drop(0)
        await self.until(lambda: simulator.resumes, "the resume")
        self.assertEqual((simulator.resumes[0].seq, len(simulator.connections)), (last, 2))
        await self.until(lambda: simulator.is_connected(0), "RESUMED")
        worker.events.clear()
        await self.tell(simulator, worker, "GUILD_UPDATE", guild.update_payload() | {"name": "alive"})
        self.assert_covers(await worker.query(1, "Guild", guild.id), {"name": "alive"})


class QueryTests(CacheTestCase):
    """Every type of query."""

    async def fleet(self, **settings: Any) -> tuple[Simulator, Program, Worker]:
        """Four shards in two clusters of two processes, with two guilds each, all there."""
        simulator = await self.simulator(shards=4, max_concurrency=4, guilds=8, members=25)
        worker = await self.worker(1, 2)
        program = self.rateway(simulator, SHARDS_PER_CLUSTER=2, PROCESSES=2, **settings)
        await self.all_active(simulator, 4)
        await self.heard(worker, "GUILD_CREATE", 8)
        return simulator, program, worker

    async def test_what_is_not_there(self) -> None:
        """What isn't known, by every type; and what is known, but not of that kind."""
        simulator, _, worker = await self.up(guilds=1)
        await self.heard(worker, "GUILD_CREATE")
        guild = simulator.guild(0)
        for kind, *arguments in (
            ("Guild", NOBODY),
            ("GuildChannel", NOBODY),
            ("GuildChannel", guild.id),
            ("PrivateChannel", NOBODY),
            ("PrivateChannel", guild.text_channels()[0]),
            ("Emoji", NOBODY),
            ("Emoji", next(iter(guild.roles))),
            ("Member", guild.id, NOBODY),
            ("Member", NOBODY, BOT_ID),
            ("Message", guild.text_channels()[0], NOBODY),
            ("Presence", guild.id, NOBODY),
            ("Role", NOBODY),
            ("Role", next(iter(guild.emojis))),
            ("User", NOBODY),
            ("VoiceState", NOBODY, guild.id),
            ("VoiceState", BOT_ID, guild.voice_channels()[0]),
            ("VoiceChannelStates", NOBODY),
            ("Group", NOBODY),
            ("Guild", 0),
            ("Guild", 2**64 - 1),
            ("Sticker", NOBODY),
            ("StageInstance", NOBODY),
            ("ScheduledEvent", NOBODY),
            ("GuildMembers", NOBODY),
            ("GuildRoles", guild.text_channels()[0]),
            ("ChannelMessages", NOBODY),
            ("UserGuilds", NOBODY),
            ("SearchMembers", NOBODY, ""),
            ("Permissions", guild.id, NOBODY),
            ("Permissions", guild.id, BOT_ID, NOBODY),
        ):
            await self.assert_unknown(worker, kind, *arguments)

    async def test_malformed_queries(self) -> None:
        """What is no query is answered with an empty body and the reason, and is a warning in the log."""
        simulator, program, worker = await self.up(guilds=1)
        await self.heard(worker, "GUILD_CREATE")
        guild = simulator.guild(0).id
        odd: list[bytes] = [b"", b"null", b"[]", b"7", b'"Guild"', b"{", b"\xff", b"{}", b"[" * 100_000]
        ids: list[object] = [None, True, 1.5, -1, 2**64, "", "x", "-1", [], {}]
        queries: list[object] = [
            {"type": "Planet", "arguments": [1]},
            {"type": "guild", "arguments": [guild]},
            {"type": "", "arguments": []},
            {"type": None, "arguments": [guild]},
            {"type": 7, "arguments": [guild]},
            {"type": ["Guild"], "arguments": [guild]},
            {"arguments": [guild]},
            {"type": "Guild"},
            {"type": "Guild", "arguments": None},
            {"type": "Guild", "arguments": guild},
            {"type": "Guild", "arguments": str(guild)},
            {"type": "Guild", "arguments": {"0": guild}},
            {"type": "Guild", "arguments": []},
            {"type": "Guild", "arguments": [guild, guild]},
            {"type": "Member", "arguments": [guild]},
            {"type": "VoiceState", "arguments": [BOT_ID]},
            {"type": "CurrentUser", "arguments": [BOT_ID]},
            *({"type": "Guild", "arguments": [id]} for id in ids),
            {"type": "Guild", "arguments": ["\N{ARABIC-INDIC DIGIT THREE}"]},
            {"type": "Guild", "arguments": ["1" * 5000]},
        ]
        for body in [*odd, *(json.dumps(query).encode() for query in queries)]:
            answer = await worker.ask(1, "cache", body)
            self.assertEqual(answer.body, b"", body[:80])
            self.assertIsInstance((answer.properties.headers or {}).get("error"), str, body[:80])
        self.assertIsNotNone(await worker.query(1, "Guild", guild))

        def warnings() -> list[str]:
            return [line for line in program.lines if "refused a cache query" in line]

        await self.until(lambda: len(warnings()) == len(odd) + len(queries), "a warning for each")
        self.assertTrue(all("warn" in line for line in warnings()))
        self.assertEqual(await program.stop(), 0)
        self.assertEqual(await self.vhost.depth("rateway-incoming-1"), 0)

    async def test_both_ways_to_an_answer(self) -> None:
        """``return_routing_key`` brings it to the exchange asked, ``reply_to`` to the queue; of both, the latter."""
        simulator, program, worker = await self.up(guilds=1)
        await self.heard(worker, "GUILD_CREATE")
        await worker.bind(1, [KEY])
        guild = simulator.guild(0).id
        query = {"type": "Guild", "arguments": [guild], "return_routing_key": KEY}
        expected = await worker.query(1, "Guild", guild)

        await worker.publish(1, "cache", ujson.dumps(query).encode())
        await self.heard(worker, KEY)
        answer = worker.events[-1]
        self.assertEqual((answer.exchange, ujson.loads(answer.body)), ("rateway-1", expected))
        await worker.publish(1, "cache", ujson.dumps(query).encode(), correlation_id="mine \N{SNOWMAN}")
        await self.heard(worker, KEY, 2)
        self.assertEqual(worker.events[-1].properties.correlation_id, "mine \N{SNOWMAN}")

        await worker.publish(1, "cache", ujson.dumps(query | {"arguments": [NOBODY]}).encode())
        await self.heard(worker, KEY, 3)
        self.assertEqual(worker.events[-1].body, b"")
        self.assertEqual(set(worker.events[-1].properties.headers), {"shard_id", "as_of_seq"})
        await worker.publish(1, "cache", ujson.dumps(query | {"type": "Planet"}).encode())
        await self.heard(worker, KEY, 4)
        self.assertEqual(worker.events[-1].body, b"")
        self.assertIn("Planet", worker.events[-1].properties.headers["error"])

        both = await worker.ask(1, "cache", ujson.dumps(query).encode())
        self.assertEqual((both.exchange, ujson.loads(both.body)), ("", expected))
        self.assertEqual(worker.names().count(KEY), 4)
        keys: list[object] = [None, 7, "x" * 256, [KEY], {}]
        for key in keys:
            await worker.publish(1, "cache", ujson.dumps(query | {"return_routing_key": key}).encode())
        await self.until(lambda: sum("refused a cache query" in line for line in program.lines) == 6, "six warnings")
        self.assertEqual(await worker.query(1, "Guild", guild), expected)

    async def test_cache_disabled(self) -> None:
        """CACHE_ENABLED=false: every query is answered empty, without an error; events and resumes go on."""
        simulator, program, worker = await self.up(guilds=1, settings={"CACHE_ENABLED": "false"})
        await self.heard(worker, "GUILD_CREATE")
        guild = simulator.guild(0)
        for kind, *arguments in (("Guild", guild.id), ("CurrentUser",), ("Member", guild.id, BOT_ID), ("User", BOT_ID)):
            await self.assert_unknown(worker, kind, *arguments)
        answer = await worker.ask(1, "cache", b'{"type":"Planet","arguments":[]}')
        self.assertIn("Planet", answer.properties.headers["error"])
        self.assertEqual(await program.stop(), 0)
        simulator.dispatch(0, "TEST", b"1")
        self.rateway(simulator, CACHE_ENABLED="false")
        await self.heard(worker, "TEST")
        self.assertEqual((len(simulator.identifies), len(simulator.resumes)), (1, 1))

    async def test_message_cache_size(self) -> None:
        """So many messages are kept per channel, the oldest go first; by default none are."""
        simulator, program, worker = await self.up(guilds=1, settings={"MESSAGE_CACHE_SIZE": 3})
        await self.heard(worker, "GUILD_CREATE")
        guild = simulator.guild(0)
        author = simulator.world.users[simulator.world.anybody()]
        first, second = guild.text_channels()[:2]

        async def known(channel: int) -> list[int]:
            return [id for id in range(1000, 1010) if await worker.query(1, "Message", channel, id) is not None]

        for id in range(1000, 1006):
            simulator.dispatch(0, "MESSAGE_CREATE", message(guild, first, id, author, "x"))
        simulator.dispatch(0, "MESSAGE_CREATE", message(guild, second, 1007, author, "y"))
        await self.heard(worker, "MESSAGE_CREATE", 7)
        self.assertEqual((await known(first), await known(second)), ([1003, 1004, 1005], [1007]))
        deleted = {"id": "1004", "channel_id": str(first), "guild_id": str(guild.id)}
        await self.tell(simulator, worker, "MESSAGE_DELETE", deleted)
        self.assertEqual(await known(first), [1003, 1005])
        self.assertEqual(await program.stop(), 0)
        self.rateway(simulator)
        await self.until(lambda: simulator.is_connected(0), "the resume")
        simulator.dispatch(0, "MESSAGE_CREATE", message(guild, first, 1008, author, "z"))
        await self.heard(worker, "MESSAGE_CREATE", 8)
        self.assertEqual((await known(first), await known(second)), ([], []))
        self.assertIsNotNone(await worker.query(1, "Guild", guild.id))

    async def test_the_cache_outlives_a_restart(self) -> None:
        """A session that is resumed by a new process finds the cache as it was, although no GUILD_CREATE comes."""
        simulator, program, worker = await self.fleet()
        empty = [line for line in program.lines if "the cache begins empty: Discord fills it" in line]
        self.assertEqual(len(empty), 2, program.text)
        before = [await worker.query(1, "Guild", simulator.guild(index).id) for index in range(8)]
        self.assertEqual(await program.stop(), 0)
        update = simulator.guild(3).update_payload() | {"name": "changed meanwhile"}
        simulator.dispatch(3, "GUILD_UPDATE", update)
        program = self.rateway(simulator, SHARDS_PER_CLUSTER=2, PROCESSES=2)
        await self.until(lambda: len(simulator.resumes) == 4 and len(simulator.connected_shards()) == 4, "four resumes")
        await self.heard(worker, "RESUMED", 4)
        after = [await worker.query(2, "Guild", simulator.guild(index).id) for index in range(8)]
        before[3]["name"] = "changed meanwhile"
        self.assertEqual(after, before)
        found = [line for line in program.lines if "the cache has 4 guilds and" in line]
        self.assertEqual(len(found), 2, program.text)
        self.assertTrue(all("members from an earlier run, written until" in line for line in found), found)
        self.assertEqual(len(simulator.identifies), 4)
