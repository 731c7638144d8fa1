"""The examples of docs/user-guide.md, which are bots by a client library of their own, and the demo."""

from __future__ import annotations

import contextlib
import signal
import sys
from pathlib import Path

import ujson
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from rateway.simulator.simulator import Simulator
from tests.support.waiting import PATIENCE

from .harness import TOKEN, WorldTestCase
from .program import Program

ROOT = Path(__file__).resolve().parents[2]


def processes_with(setting: str) -> list[str]:
    """The /proc entries of the processes with this in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        # A process may end meanwhile, or be another user's.
        with contextlib.suppress(OSError):
            if setting.encode() in path.read_bytes():
                found.append(str(path))
    return found


class ExampleTestCase(WorldTestCase):
    """A test that runs programs beside rateway."""

    def program(self, *argv: str, uri: str | None = None, **environ: str) -> Program:
        """Start a program with this test's broker in its environment; it ends with the test."""
        settings = {"AMQP_URI": self.amqp if uri is None else uri, "PYTHONUNBUFFERED": "1", **environ}
        program = Program(self.reactor, self.folder, settings, list(argv))
        self.addCleanup(lambda: Deferred.fromCoroutine(self._gone(program)))
        return program

    def example(self, name: str, *arguments: str, uri: str | None = None) -> Program:
        """Start one of the examples."""
        return self.program(sys.executable, str(ROOT / "examples" / name), *arguments, uri=uri)

    async def _gone(self, program: Program) -> None:
        program.kill()
        await program.wait()


class ConsumerTests(ExampleTestCase):
    """``examples/consumer.py``."""

    async def test_all_clusters(self) -> None:
        """Started before rateway, it prints the events of both clusters, from READY on."""
        consumer = self.example("consumer.py", "--clusters", "2")
        await consumer.until_said("waiting for events of cluster 1, 2")
        simulator = await self.simulator(shards=2, max_concurrency=2)
        self.rateway(simulator, SHARDS_PER_CLUSTER=1)
        await self.all_active(simulator, 2)
        simulator.dispatch(1, "MESSAGE_CREATE", {"content": "for the second cluster"})
        await consumer.until_said("cluster 1 shard 0 event 1 READY")
        await consumer.until_said("cluster 2 shard 1 event 1 READY")
        await consumer.until_said('MESSAGE_CREATE {"content":"for the second cluster"}')

    async def test_one_cluster_and_chosen_names(self) -> None:
        """It binds the names it is given, on the cluster it is given: nothing else comes."""
        simulator = await self.simulator(shards=2, max_concurrency=2, guilds=0)
        self.rateway(simulator, SHARDS_PER_CLUSTER=1)
        await self.all_active(simulator, 2)
        consumer = self.example("consumer.py", "--cluster", "2", "NEW_TODAY")
        await consumer.until_said("waiting for events of cluster 2")
        for shard in (0, 1):
            simulator.dispatch(shard, "MESSAGE_CREATE", {})
            simulator.dispatch(shard, "NEW_TODAY", {"shard": shard})
        await consumer.until_said("NEW_TODAY")
        self.assertEqual([line for line in consumer.lines if "NEW_TODAY" in line], [consumer.lines[-1]])
        self.assertIn('cluster 2 shard 1 event 3 NEW_TODAY {"shard":1}', consumer.lines[-1])
        self.assertFalse(consumer.said("MESSAGE_CREATE"))

    async def test_a_reader_that_has_enough(self) -> None:
        """What cuts its output short (``| head``) ends an example without a word."""
        simulator, _, _ = await self.up(guilds=1)
        consumer = self.piped("consumer.py NEW_TODAY", "sed -u 2q")
        await consumer.until_said("waiting for events of cluster 1")
        while consumer.exit_code is None:
            simulator.dispatch(0, "NEW_TODAY", {})
            await deferLater(self.reactor, 0.05, lambda: None)
        self.assertEqual((consumer.exit_code, len(consumer.lines)), (0, 2), consumer.text)
        (guild,) = simulator.world.guilds.values()
        query = self.piped(f"cache_query.py GuildChannels {guild.id}", "head -c 1")
        self.assertEqual((await query.wait(), query.text), (0, "["))

    def piped(self, example: str, reader: str) -> Program:
        """An example whose output somebody reads, as a shell starts it; its exit code is the first that isn't 0."""
        command = f"set -o pipefail; {sys.executable} {ROOT / 'examples'}/{example} | {reader}"
        return self.program("/bin/bash", "-c", command)

    async def test_no_broker_named(self) -> None:
        """Without AMQP_URI, or where nobody listens, each example's last word is a sentence, without a traceback."""
        port = self.unused_port()
        for name, arguments in (("consumer.py", []), ("cache_query.py", ["Guild", "1"]), ("presence_update.py", [])):
            for uri in ("", f"amqp://127.0.0.1:{port}/", "nonsense"):
                program = self.example(name, *arguments, uri=uri)
                self.assertNotEqual(await program.wait(), 0)
                self.assertIn("AMQP_URI", program.lines[-1])
                self.assertNotIn("Traceback", program.text)


class CacheQueryTests(ExampleTestCase):
    """``examples/cache_query.py``, by both ways an answer can come."""

    async def ask(self, *arguments: str) -> tuple[int, str]:
        """The exit code and the words of a query."""
        program = self.example("cache_query.py", *arguments)
        return await program.wait(), program.text

    async def test_answers(self) -> None:
        """A guild comes as JSON, what isn't known and what isn't a query are told apart; with and without reply_to."""
        simulator, _, worker = await self.up(guilds=1)
        await self.until(lambda: "GUILD_CREATE" in worker.names(), "the guild in the cache")
        (guild,) = simulator.world.guilds.values()
        for way in ([], ["--reply-to"]):
            code, text = await self.ask(*way, "Guild", str(guild.id))
            self.assertEqual((code, ujson.loads(text)["id"]), (0, str(guild.id)), text)
            code, text = await self.ask(*way, "CurrentUser")
            self.assertEqual((code, ujson.loads(text)["username"]), (0, "rateway-bot"), text)
            self.assertEqual(await self.ask(*way, "Guild", "1"), (1, "Not in the cache."))
            code, text = await self.ask(*way, "Guilds", "null", "1")
            self.assertEqual((code, str(guild.id) in text), (0, True), text)
            code, text = await self.ask(*way, "--headers", "SearchMembers", str(guild.id), "nobody", "1")
            self.assertEqual((code, f"total: {len(guild.members)}" in text), (0, True), text)
            code, text = await self.ask(*way, "Gild", "1")
            self.assertEqual((code, text.split(":")[0]), (1, "Refused"), text)

    async def test_nobody_there(self) -> None:
        """Where no rateway runs, it gives up in time and says so."""
        code, text = await self.ask("--timeout", "0.2", "Guild", "1")
        self.assertEqual(code, 2)
        self.assertIn("does rateway run on this broker?", text)


class PresenceUpdateTests(ExampleTestCase):
    """``examples/presence_update.py``."""

    async def presence(self, simulator: Simulator, count: int) -> tuple[int, object]:
        """The shard and the body of the newest of so many presences at Discord."""
        await self.until(lambda: len(simulator.commands) == count, f"{count} presences")
        newest = simulator.commands[-1]
        self.assertEqual(newest.op, 3)
        return newest.shard, newest.d

    async def test_answered(self) -> None:
        """The presence reaches Discord by the shard named, and the example says so."""
        simulator = await self.simulator(shards=2, max_concurrency=2)
        self.rateway(simulator, SHARDS_PER_CLUSTER=1)
        await self.all_active(simulator, 2)
        chosen = ["--shard", "1", "--per-cluster", "1", "--status", "idle", "--name", "chess"]
        program = self.example("presence_update.py", *chosen)
        self.assertEqual((await program.wait(), program.text), (0, "Sent to Discord by shard 1."))
        wanted = {"since": None, "activities": [{"name": "chess", "type": 0}], "status": "idle", "afk": False}
        self.assertEqual(await self.presence(simulator, 1), (1, wanted))

    async def test_unanswered(self) -> None:
        """Sent as bots did before there were answers, it reaches Discord all the same."""
        simulator, _, _ = await self.up()
        program = self.example("presence_update.py", "--no-answer", "--status", "dnd")
        self.assertEqual((await program.wait(), program.text), (0, "Sent to rateway."))
        wanted: dict[str, object] = {"since": None, "activities": [], "status": "dnd", "afk": False}
        self.assertEqual(await self.presence(simulator, 1), (0, wanted))

    async def test_refused(self) -> None:
        """A shard that isn't the cluster's is refused, in words."""
        await self.up()
        program = self.example("presence_update.py", "--shard", "5")
        self.assertEqual(await program.wait(), 1)
        self.assertTrue(program.text.startswith("Refused: "), program.text)


class DemoTests(ExampleTestCase):
    """``./demo``, its set-up left out: that is what this test was started by."""

    def demo(self, *arguments: str) -> Program:
        """Start it on this test's broker; a token of the caller's must not matter."""
        argv = (sys.executable, "-P", "-m", "scripts.showcase", "--no-set-up", "--rate", "20", *arguments)
        return self.program(*argv, DISCORD_TOKEN=TOKEN, TMPDIR=str(self.folder), NO_COLOR="1")

    async def assert_ended(self, demo: Program, code: int) -> None:
        """It ended in order, left no process and no folder, and told no token."""
        self.assertEqual(await demo.wait(), code, demo.text)
        self.assertEqual(demo.lines[-1], "All is stopped.")
        self.assertEqual(list(self.folder.glob("rateway-demo-*")), [])
        self.assertFalse(demo.said("Traceback"), demo.text)
        self.assertFalse(demo.said(TOKEN), demo.text)
        self.assertTrue(demo.said(", 0 breaches"), demo.text)
        self.assertEqual(processes_with(f"TMPDIR={self.folder}"), [])

    async def test_for_some_seconds(self) -> None:
        """It ends by itself, however far it came."""
        demo = self.demo("--seconds", "4")
        await self.assert_ended(demo, 0)

    async def test_interrupted(self) -> None:
        """It shows the events of both clusters; Ctrl-C ends all of it, in order."""
        demo = self.demo()
        for shard, cluster in ((0, 1), (3, 2)):
            await demo.until_said(f"worker    | cluster {cluster} shard {shard} event 1 READY", 2 * PATIENCE)
        await demo.until_said("MESSAGE_CREATE")
        demo.kill(signal.SIGINT)
        await self.assert_ended(demo, 128 + signal.SIGINT)
