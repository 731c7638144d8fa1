"""Member lists that rateway asks for by itself (CHUNK_GUILDS), through the whole program (acceptance criterion 44)."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import ujson
from twisted.internet.defer import Deferred, gatherResults

from rateway.gateway.memberlists import PATIENCE
from rateway.gateway.spare import SHARE
from rateway.simulator.gateway.behaviour import Behaviour
from rateway.simulator.records import Command
from rateway.simulator.simulator import Simulator
from rateway.simulator.world.guild import Guild
from tests.support.waiting import eventually

from .payloads import members, presence
from .program import ROOT, Program
from .test_queries import QueriesTestCase, headers_of
from .worker import Received, Worker

LARGE = 250
"""Members up to which Discord lists them all by itself: rateway's ``large_threshold``."""
CHUNKS = ("GUILD_MEMBERS_CHUNK", "RATE_LIMITED", "READY", "RESUMED", "GUILD_CREATE", "TEST")
SENT = {"status": "sent"}
NO_PRESENCES = "GUILDS,GUILD_MEMBERS"
"""Intents with which Discord lists nobody but the bot by itself."""
INTERVAL = 5.0


def with_values(**values: float) -> dict[str, str]:
    """Settings that give the children other constants: ``gateway_memberlists__SILENCE=2``."""
    named = (f"rateway.{name.replace('__', ':').replace('_', '.', 1)}={value}" for name, value in values.items())
    path = os.pathsep.join((str(Path(__file__).with_name("failpoints")), str(ROOT)))
    return {"PYTHONPATH": path, "RATEWAY_TEST_VALUES": ",".join(named)}


def own(simulator: Simulator) -> list[Command]:
    """The lists that rateway asked for by itself."""
    return [each for each in simulator.commands if each.op == 8 and str(each.d.get("nonce")).startswith("rateway-")]


def asked(simulator: Simulator) -> list[int]:
    """The guilds of these, in order."""
    return [int(str(each.d["guild_id"])) for each in own(simulator)]


class ChunkingTestCase(QueriesTestCase):
    """With the words these tests have in common."""

    async def known(self, worker: Worker, guild: Guild) -> tuple[int, int]:
        """How many of the guild's members are known, out of how many."""
        _, headers = await self.answer(worker, 1, "Member", guild.id, guild.bot_id)
        return headers.get("known", 0), headers.get("total", 0)

    async def until_whole(self, worker: Worker, *guilds: Guild, timeout: float = 40.0) -> None:
        """Wait until all members of these are known."""
        counts: list[tuple[int, int]] = []

        async def whole() -> bool:
            counts[:] = [await self.known(worker, guild) for guild in guilds]
            return counts == [(len(guild.members),) * 2 for guild in guilds]

        try:
            await eventually(whole, what="all members", timeout=timeout, every=0.1)
        except AssertionError as error:
            said = "\n---\n".join(program.text[-6000:] for program in self.programs)
            raise AssertionError(f"{error} {counts}; rateway said:\n{said}") from None

    def refusals(self, worker: Worker) -> list[Received]:
        """What Discord refused."""
        return [event for event in worker.events if event.key == "RATE_LIMITED"]


class StartupTests(ChunkingTestCase):
    """``startup``: each guild that isn't whole is asked for as it comes."""

    async def test_large_guilds_become_whole(self) -> None:
        """Of small guilds Discord lists everybody: only the large ones are asked for, each once, with presences."""
        simulator = await self.simulator(shards=2, max_concurrency=2, guilds=12, members=LARGE)
        worker = await self.worker(1, names=CHUNKS)
        program = self.rateway(simulator, CHUNK_GUILDS="startup")
        await self.all_active(simulator, 2)
        guilds = [simulator.guild(index) for index in range(12)]
        large = {guild.id for guild in guilds if guild.member_count > LARGE}
        self.assertTrue(0 < len(large) < 12, "some of each")
        await self.until_whole(worker, *guilds)
        self.assertEqual(sorted(asked(simulator)), sorted(large))
        for command in own(simulator):
            self.assertEqual(command.shard, (int(str(command.d["guild_id"])) >> 22) % 2)
            self.assertEqual((command.d["query"], command.d["limit"], command.d["presences"]), ("", 0, True))
        nonces = {command.d["nonce"] for command in own(simulator)}
        self.assertEqual(len(nonces), len(large))
        chunks = [ujson.loads(event.body) for event in worker.events if event.key == "GUILD_MEMBERS_CHUNK"]
        self.assertEqual({chunk["nonce"] for chunk in chunks}, nonces, "bots hear them too")
        for guild in guilds:
            answer = await worker.query(1, "GuildMembers", guild.id)
            self.assertEqual({int(member["user_id"]) for member in answer}, set(guild.members))
            for id in guild.presences:
                self.assertIsNotNone(await worker.query(1, "Presence", guild.id, id))
        await program.until_said(f"the members of {len(large)} guilds (")

    async def test_without_presences(self) -> None:
        """Without GUILD_PRESENCES Discord lists nobody: every guild is asked for, and no presences."""
        simulator = await self.simulator(guilds=3, members=20)
        worker = await self.worker(1)
        self.rateway(simulator, CHUNK_GUILDS="startup", INTENTS=NO_PRESENCES)
        await self.all_active(simulator, 1)
        await self.until_whole(worker, *(simulator.guild(index) for index in range(3)))
        self.assertEqual(len(asked(simulator)), 3)
        self.assertEqual([command.d for command in own(simulator) if "presences" in command.d], [])

    async def test_a_guild_that_is_joined(self) -> None:
        """A guild that comes later is asked for as well; one that comes back from an outage, anew."""
        simulator = await self.simulator(guilds=1, members=400, sizes="equal", chunk_window=1.0)
        worker = await self.worker(1)
        self.rateway(simulator, CHUNK_GUILDS="startup", **with_values(gateway_wholelists__WINDOW=1.0))
        await self.all_active(simulator, 1)
        guild = simulator.guild(0)
        await self.until_whole(worker, guild)
        simulator.outage(guild.id)
        await self.heard(worker, "GUILD_DELETE")
        simulator.recover(guild.id)
        await self.until(lambda: len(asked(simulator)) == 2, "the second request")
        await self.until_whole(worker, guild)
        self.assertEqual(asked(simulator), [guild.id] * 2)

    async def test_rate_limited(self) -> None:
        """Somebody else had the list just now: Discord's word is waited for, and then the list comes."""
        self.expected_breaches = frozenset({"member-list-limit"})
        simulator = await self.simulator(guilds=2, members=400, sizes="equal", chunk_window=8.0)
        worker = await self.worker(1, names=CHUNKS)
        first, second = simulator.guild(0), simulator.guild(1)
        first.unavailable = True
        self.rateway(simulator, CHUNK_GUILDS="startup")
        await self.all_active(simulator, 1)
        await self.until_whole(worker, second)
        simulator.hub.lists.use(first.id, simulator.hub.now())
        simulator.recover(first.id)
        await self.until(lambda: self.refusals(worker), "Discord's refusal")
        (refusal,) = self.refusals(worker)
        told = ujson.loads(refusal.body)
        self.assertEqual(told["meta"]["guild_id"], str(first.id))
        await self.until_whole(worker, first, second)
        tries = [command.at for command in own(simulator) if command.d["guild_id"] == str(first.id)]
        self.assertEqual(len(tries), 2)
        self.assertGreaterEqual(tries[1] - tries[0], told["retry_after"])
        self.assertEqual(len(simulator.breaches), 1)

    async def test_silence(self) -> None:
        """Chunks that stop coming: the list is asked for again, in Discord's time, and comes whole."""
        simulator = await self.simulator(guilds=1, members=1500, sizes="equal", chunk_window=2.0)
        worker = await self.worker(1, names=CHUNKS)
        values = with_values(gateway_wholelists__WINDOW=2.0, gateway_memberlists__SILENCE=2.5)
        simulator.on_connect(Behaviour(withhold=("GUILD_MEMBERS_CHUNK",)))
        self.rateway(simulator, CHUNK_GUILDS="startup", **values)
        await self.until(lambda: len(own(simulator)) == 1, "the first request")
        simulator.release(0, "dropped")
        await self.until_whole(worker, simulator.guild(0))
        first, second = own(simulator)
        self.assertGreaterEqual(second.at - first.at, 2.5)
        self.assertNotEqual(first.d["nonce"], second.d["nonce"])

    async def test_resumed_amid_it(self) -> None:
        """The connection drops amid the chunks: the session goes on, and the rest comes by the replay."""
        simulator = await self.simulator(guilds=4, members=3500, sizes="equal")
        worker = await self.worker(1, names=CHUNKS)
        simulator.on_connect(Behaviour(bytes_per_second=40_000))
        self.rateway(simulator, CHUNK_GUILDS="startup", INTENTS=NO_PRESENCES)
        await self.until(lambda: worker.names().count("GUILD_MEMBERS_CHUNK") > 1, "some chunks")
        self.assertLess(worker.names().count("GUILD_MEMBERS_CHUNK"), 16)
        simulator.drop(0)
        guilds = [simulator.guild(index) for index in range(4)]
        await self.until_whole(worker, *guilds)
        self.assertEqual([resume.answer for resume in simulator.resumes], ["resumed"])
        self.assertEqual(sorted(asked(simulator)), sorted(guild.id for guild in guilds), "each once")

    async def test_a_new_session_amid_it(self) -> None:
        """The session ends amid the chunks: what was asked for in it is asked for anew, and no sooner than allowed."""
        simulator = await self.simulator(guilds=2, members=3500, sizes="equal", chunk_window=3.0)
        worker = await self.worker(1, names=CHUNKS)
        simulator.on_connect(Behaviour(bytes_per_second=40_000))
        values = with_values(gateway_wholelists__WINDOW=3.0)
        self.rateway(simulator, CHUNK_GUILDS="startup", INTENTS=NO_PRESENCES, **values)
        await self.until(lambda: worker.names().count("GUILD_MEMBERS_CHUNK") > 1, "some chunks")
        # Not by op 9, behind which a request may be on its way already, as Discord would see it.
        simulator.close(0, 4009)
        await self.until(lambda: worker.names().count("READY") == 2, "a new session")
        guilds = [simulator.guild(index) for index in range(2)]
        await self.until_whole(worker, *guilds)
        self.assertEqual(self.refusals(worker), [])
        self.assertGreater(len(own(simulator)), 2)

    async def test_a_restart_asks_for_what_is_missing(self) -> None:
        """After kill -9, resumed: whole guilds are not asked for; the one whose list had not come is, in time."""
        simulator = await self.simulator(guilds=3, members=400, sizes="equal", chunk_window=2.0)
        worker = await self.worker(1, names=CHUNKS)
        whole = [simulator.guild(0), simulator.guild(1)]
        missing = simulator.guild(2)
        missing.unavailable = True
        values = with_values(gateway_wholelists__WINDOW=2.0, gateway_memberlists__SILENCE=2.5)
        program = self.rateway(simulator, CHUNK_GUILDS="startup", **values)
        await self.all_active(simulator, 1)
        await self.until_whole(worker, *whole)
        simulator.withhold(0, "GUILD_MEMBERS_CHUNK")
        simulator.recover(missing.id)
        await self.until(lambda: len(own(simulator)) == 3, "a request without an answer")
        simulator.dispatch(0, "TEST", b"{}")
        await self.heard(worker, "TEST")
        program.kill()
        await program.wait()
        before = simulator.hub.now()
        self.rateway(simulator, CHUNK_GUILDS="startup", **values)
        await self.heard(worker, "RESUMED")
        await self.until_whole(worker, *whole, missing)
        (later,) = own(simulator)[3:]
        self.assertEqual(later.d["guild_id"], str(missing.id))
        self.assertGreaterEqual(later.at - before, 2.5, "an earlier process may have asked just now")
        self.assertEqual(self.refusals(worker), [])

    async def test_never_at_the_cost_of_others(self) -> None:
        """Many guilds at once: half of a minute's payloads are rateway's; commands and heartbeats are in time."""
        simulator = await self.simulator(guilds=100, members=30, sizes="equal", heartbeat_interval=INTERVAL)
        worker = await self.worker(1)
        program = self.rateway(simulator, CHUNK_GUILDS="startup", INTENTS=NO_PRESENCES)
        await self.until(lambda: own(simulator), "the first request")
        guild = simulator.guild(99)

        async def command(number: int) -> float:
            """Send a command; how long it took to be sent."""
            began = self.reactor.seconds()
            payload = presence("busy") if number == 3 else members(guild.id, str(number))
            self.assertEqual(await worker.command(1, payload, 0), SENT, number)
            return float(self.reactor.seconds() - began)

        took = [await command(number) for number in range(5)]
        await program.until_said("asking Discord for the members of 100 guilds (3,100 members) so far")
        await self.until(lambda: len(own(simulator)) >= SHARE, "rateway's share")
        took += await gatherResults([Deferred.fromCoroutine(command(number)) for number in range(5, 40)])
        self.assertLess(max(took), 10.0, "for the next minute's budget it would have been longer")
        start = self.reactor.seconds()
        await self.until(lambda: self.reactor.seconds() - start > 2 * INTERVAL, "some heartbeats more")
        self.assertEqual(len(own(simulator)), SHARE, "no more than its share")
        times = [frame.at for frame in simulator.frames if frame.op == 1]
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        self.assertLess(max(gaps), INTERVAL + 1.0, gaps)
        self.assertEqual((len(simulator.connections), simulator.closes), (1, []))

    async def test_what_is_missing_for_it(self) -> None:
        """Without the intent, the cache, or members in it: one warning that says what to do, and nobody is asked."""
        for settings, word in (
            ({"INTENTS": "GUILDS,GUILD_MESSAGES"}, "GUILD_MEMBERS"),
            ({"CACHE_ENABLED": "false"}, "CACHE_ENABLED"),
            ({"CACHE_ENTITIES": "Guild,Role"}, "CACHE_ENTITIES"),
        ):
            simulator = await self.simulator(guilds=1, members=400, sizes="equal")
            program = self.rateway(
                simulator, CHUNK_GUILDS="startup", STATE_DIR=self.folder / f"state-{word}", **settings
            )
            await self.all_active(simulator, 1)
            warnings = [line for line in program.lines if "CHUNK_GUILDS is startup, but" in line]
            self.assertEqual(len(warnings), 1, program.text)
            self.assertIn("warn", warnings[0])
            self.assertIn(word, warnings[0])
            self.assertEqual(await program.stop(), 0)
            self.assertEqual(own(simulator), [])


class LazyTests(ChunkingTestCase):
    """``lazy``: a guild is asked for when a bot asks about members who aren't known."""

    async def lazy(self, **settings: Any) -> tuple[Simulator, Program, Worker]:
        """Two shards, each with a large guild, in two clusters of two processes."""
        simulator = await self.simulator(shards=2, max_concurrency=2, guilds=2, members=1400, sizes="equal")
        worker = await self.worker(1, 2, names=CHUNKS)
        program = self.rateway(simulator, CHUNK_GUILDS="lazy", SHARDS_PER_CLUSTER=1, PROCESSES=2, **settings)
        await self.all_active(simulator, 2)
        await self.heard(worker, "GUILD_CREATE", 2)
        return simulator, program, worker

    async def unknown(self, worker: Worker, guild: Guild) -> list[int]:
        """Members that Discord didn't list; none of them is looked for."""
        listed = {
            int(member["user"]["id"])
            for event in worker.events
            if event.key == "GUILD_CREATE" and (d := ujson.loads(event.body))["id"] == str(guild.id)
            for member in d["members"]
        }
        return [id for id in guild.members if id not in listed]

    def guild_of(self, simulator: Simulator, shard: int) -> Guild:
        """The guild of a shard."""
        return next(guild for id, guild in simulator.world.guilds.items() if (id >> 22) % 2 == shard)

    async def test_a_miss_waits_for_the_list(self) -> None:
        """Nothing is asked for by itself; a miss brings the list, and then whoever is asked for is known at once."""
        simulator, _, worker = await self.lazy()
        guild, other = self.guild_of(simulator, 0), self.guild_of(simulator, 1)
        strangers = await self.unknown(worker, guild)
        self.assertGreater(len(strangers), 100)
        known = next(id for id in guild.members if id not in strangers)
        self.assertIsNotNone(await worker.query(1, "Member", guild.id, known))
        self.assertEqual(own(simulator), [], "what is known needs nobody")
        answer, headers = await self.answer(worker, 1, "Member", guild.id, strangers[0])
        self.assertEqual(answer["user_id"], str(strangers[0]))
        self.assertEqual((headers["known"], headers["total"]), (1401, 1401))
        for stranger in strangers:
            self.assertIsNotNone(await worker.query(1, "Member", guild.id, stranger))
        self.assertIsNone(await worker.query(1, "Member", guild.id, 77), "nobody of theirs")
        self.assertEqual(asked(simulator), [guild.id])
        self.assertNotEqual(other.id, guild.id)

    async def test_asked_of_another_process(self) -> None:
        """The guild's shard is of another process: it asks, and the question is answered where it was put."""
        simulator, _, worker = await self.lazy()
        for cluster, shard in ((1, 1), (2, 0)):
            guild = self.guild_of(simulator, shard)
            stranger = (await self.unknown(worker, guild))[0]
            answer = await worker.query(cluster, "Member", guild.id, stranger)
            self.assertEqual(answer["user_id"], str(stranger))
            self.assertEqual([command.shard for command in own(simulator) if command.shard == shard], [shard])
        self.assertEqual(len(own(simulator)), 2)

    async def test_many_share_one_request(self) -> None:
        """A hundred questions of every kind, to both processes, at the same time: one list is asked for."""
        simulator, _, worker = await self.lazy()
        guild = self.guild_of(simulator, 0)
        strangers = await self.unknown(worker, guild)
        asking = [worker.ask(1 + n % 2, "cache", _question("Member", guild.id, strangers[n])) for n in range(97)]
        asking.append(worker.ask(2, "cache", _question("GuildMembers", guild.id, None, 10_000)))
        asking.append(worker.ask(1, "cache", _question("SearchMembers", guild.id, "", 1000)))
        asking.append(worker.ask(1, "cache", _question("Permissions", guild.id, strangers[5])))
        answers = await gatherResults(asking)
        for stranger, answer in zip(strangers, answers[:97], strict=False):
            self.assertEqual(ujson.loads(answer.body)["user_id"], str(stranger))
        self.assertEqual({int(each["user_id"]) for each in ujson.loads(answers[97].body)}, set(guild.members))
        self.assertEqual(len(ujson.loads(answers[98].body)), 1000)
        self.assertIn(b"permissions", answers[99].body)
        self.assertEqual(asked(simulator), [guild.id])

    async def test_several_in_one_request(self) -> None:
        """Questions about both guilds in one message wait for both lists, and share one answer."""
        simulator, _, worker = await self.lazy()
        wanted = []
        for shard in (0, 1):
            guild = self.guild_of(simulator, shard)
            wanted.append((guild.id, (await self.unknown(worker, guild))[0]))
        requests = [{"type": "Member", "arguments": pair} for pair in (*wanted, (wanted[0][0], 77))]
        answer = await worker.ask(1, "cache", ujson.dumps({"requests": requests}).encode())
        first, second, nobody = ujson.loads(answer.body)
        self.assertEqual([first["user_id"], second["user_id"], nobody], [*(str(user) for _, user in wanted), None])
        self.assertEqual(len(own(simulator)), 2)

    async def test_no_longer_than_its_bound(self) -> None:
        """Where the list doesn't come, the question is answered by what is known, and events go on meanwhile."""
        simulator, _, worker = await self.lazy()
        guild = self.guild_of(simulator, 1)
        simulator.withhold(1, "GUILD_MEMBERS_CHUNK")
        stranger = (await self.unknown(worker, guild))[0]
        began = self.reactor.seconds()
        asking = worker.ask(1, "cache", _question("Member", guild.id, stranger))
        await self.until(lambda: own(simulator), "the request")
        simulator.dispatch(0, "TEST", b"{}")
        await self.heard(worker, "TEST")
        self.assertIsNotNone(await worker.query(1, "Guild", guild.id))
        self.assertFalse(asking.called)
        answer = await asking
        took = self.reactor.seconds() - began
        self.assertEqual(answer.body, b"")
        self.assertLess(headers_of(answer)["known"], headers_of(answer)["total"])
        self.assertTrue(PATIENCE <= took < 3 * PATIENCE, took)
        simulator.release(1)
        self.assertIsNotNone(await worker.query(1, "Member", guild.id, stranger))
        self.assertEqual(len(own(simulator)), 1)

    async def test_after_a_bots_own_request(self) -> None:
        """What a bot asked for itself counts: the list isn't asked for again, and its chunks answer the question."""
        simulator, _, worker = await self.lazy()
        guild = self.guild_of(simulator, 0)
        stranger = (await self.unknown(worker, guild))[0]
        d = {"guild_id": str(guild.id), "query": "", "limit": 0, "nonce": "mine"}
        sent = worker.command(1, {"op": 8, "d": d})
        answer = worker.query(2, "Member", guild.id, stranger)
        self.assertEqual(await sent, SENT)
        self.assertIsNotNone(await answer)
        refused = await worker.command(1, {"op": 8, "d": d})
        self.assertIn("once in 30 s", refused["error"])
        self.assertEqual(own(simulator), [])

    async def test_another_process_that_is_gone(self) -> None:
        """Nobody can ask: the question is answered at once by what is known, and by the list later."""
        simulator, program, worker = await self.lazy()
        guild = self.guild_of(simulator, 1)
        stranger = (await self.unknown(worker, guild))[0]
        program.kill_child(1)
        await program.until_said("it is started again in")
        began = self.reactor.seconds()
        answer, headers = await self.answer(worker, 1, "Member", guild.id, stranger)
        self.assertLess(self.reactor.seconds() - began, PATIENCE)
        self.assertIsNone(answer)
        self.assertLess(headers["known"], headers["total"])
        await self.all_active(simulator, 2)
        self.assertIsNotNone(await worker.query(1, "Member", guild.id, stranger))


def _question(kind: str, *arguments: object) -> bytes:
    return ujson.dumps({"type": kind, "arguments": arguments}).encode()
