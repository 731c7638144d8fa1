from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from rateway.config import Config, to_wire
from rateway.gateway.identify import Limits
from rateway.model.plan import make_plan
from rateway.process import commands
from rateway.process.gate import FleetGate
from rateway.process.link import Link
from rateway.process.relay import Relay
from rateway.process.spawning import ChildProcess, spawn
from rateway.process.supervisor import Orders, Supervisor
from tests.support.waiting import PATIENCE

from .fakes import FakeFatal, FakeMemory, Heard, refuse_all

TOKEN = "MTIz.token-of-this-test.xyz"
ROOT = str(Path(__file__).resolve().parents[2])


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class RealProcessTestCase(TestCase):
    """With real processes and the real reactor."""

    timeout = 300

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.heard = Heard(self)

    async def until(self, met: Any, what: str) -> None:
        """Wait, within bounds."""
        deadline = self.reactor.seconds() + PATIENCE
        while not met():
            if self.reactor.seconds() > deadline:
                self.fail(f"waited in vain for: {what}; log: {self.heard.texts()}")
            await deferLater(self.reactor, 0.02)


class ChildTests(RealProcessTestCase):
    """A real child, without clusters."""

    def setUp(self) -> None:
        super().setUp()
        self.link = Link()
        self.process = ChildProcess(self.link, Relay(1), Relay(1, "warn"))
        environ = {**os.environ, "DISCORD_TOKEN": TOKEN, "AMQP_URI": "amqp://u:pass-word@h", "PYTHONPATH": ""}
        self.transport: Any = spawn(self.reactor, self.process, environ)
        self.addCleanup(self.end)

    async def end(self) -> None:
        if alive(self.transport.pid or 0):
            self.transport.signalProcess("KILL")
        if not self.process.ended.called:
            await self.process.ended

    async def configured(self) -> None:
        config = Config(token=TOKEN, intents=1, amqp_uri="amqp://u:pass-word@h")
        await self.link.ask(commands.Configure, config=to_wire(config), gateway_url="wss://g", total=4)
        await self.link.ask(commands.RunClusters, clusters=[], crashed=False, again=False)

    async def test_no_secret_where_others_may_read(self) -> None:
        """Neither in its arguments nor in its environment, though it knows them."""
        await self.configured()
        proc = Path(f"/proc/{self.transport.pid}")
        for name in ("cmdline", "environ"):
            content = (proc / name).read_bytes()
            self.assertNotIn(TOKEN.encode(), content)
            self.assertNotIn(b"pass-word", content)
            self.assertNotEqual(content, b"")

    async def test_it_obeys_its_link_alone(self) -> None:
        """Ctrl-C and a service manager's signal reach it too; it goes on until it is told."""
        await self.configured()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(self.transport.pid, number)
        await self.link.ask(commands.Status, cluster=1)
        await self.link.ask(commands.Stop, final=False)
        self.assertTrue(alive(self.transport.pid))
        self.link.close()
        self.assertEqual(await self.process.ended, "ended with exit code 0")
        self.assertEqual(self.heard.texts("warn") + self.heard.texts("critical"), [])

    async def test_a_closed_link_ends_it(self) -> None:
        """Without having been told to stop, and before it was ever configured."""
        self.link.close()
        self.assertEqual(await self.process.ended, "ended with exit code 0")

    async def test_its_words_reach_the_parents_log(self) -> None:
        """A bug in it is told with its traceback, answered, and harms nothing else."""
        asked = self.link.ask(commands.Configure, config=b"{", gateway_url="", total=1)
        await self.assertFailure(asked, commands.Fault)
        await self.link.ask(commands.Status, cluster=1)
        self.link.close()
        self.assertEqual(await self.process.ended, "ended with exit code 0")
        self.assertTrue(any("DecodeError" in text for text in self.heard.texts("critical")), self.heard.texts())

    async def test_its_death_is_seen(self) -> None:
        """What was asked fails, and how it died is told."""
        await self.configured()
        asked = self.link.ask(commands.Status, cluster=1)
        os.kill(self.transport.pid, signal.SIGKILL)
        self.assertEqual(await self.process.ended, "was killed by SIGKILL")
        await self.link.closed
        asked.addErrback(lambda _: None)


class SupervisedTests(RealProcessTestCase):
    """A real child and its keeper."""

    async def test_it_comes_back(self) -> None:
        """After ``kill -9``, with its configuration; then it is stopped."""
        lives: list[Any] = []

        def spawned(process: ChildProcess) -> Any:
            lives.append(spawn(self.reactor, process, os.environ))
            return lives[-1]

        state = Path(tempfile.mkdtemp(prefix="rateway-child-"))
        self.addCleanup(shutil.rmtree, state, ignore_errors=True)
        config = Config(token=TOKEN, intents=1, amqp_uri="amqp://127.0.0.1:1", state_dir=state)
        started: list[tuple[int, list[int]]] = []
        gate = FleetGate(self.reactor, FakeMemory(), Limits(1000, 1000, 0.0, 1))
        supervisor = Supervisor(
            self.reactor,
            1,
            make_plan(1, 1).clusters,
            lambda: Orders(to_wire(config), "wss://g", 1),
            spawned,
            gate,
            FakeFatal(),
            lambda cluster, resumable: started.append((cluster, resumable)),
            refuse_all,
        )
        supervisor.start()
        await self.until(lambda: started, "the cluster's start")
        first = lives[0].pid
        os.kill(first, signal.SIGKILL)
        await self.until(lambda: len(lives) == 2, "the second life")
        self.assertFalse(alive(first))
        await self.until(lambda: len(started) == 2, "the cluster's second start")
        self.assertEqual(started, [(1, [])] * 2)
        await Deferred.fromCoroutine(supervisor.stop())
        self.assertEqual(lives[1].pid, None)


class Told(ProcessProtocol):
    """Collects what a program says."""

    def __init__(self) -> None:
        self.text = ""
        self.ended: Deferred[int] = Deferred()

    def outReceived(self, data: bytes) -> None:
        self.text += data.decode()

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        value: Any = reason.value
        self.ended.callback(value.exitCode if value.signal is None else -value.signal)


PARENT = """
import os, sys
from twisted.internet import reactor
from rateway.process.link import Link
from rateway.process.relay import Relay
from rateway.process.spawning import ChildProcess, spawn
from rateway.model.plan import make_plan
from rateway.process import commands
def begin():
    link = Link()
    transport = spawn(reactor, ChildProcess(link, Relay(1), Relay(1)), os.environ)
    link.ask(commands.Status, cluster=1).addCallback(lambda _: print(transport.pid, flush=True))
reactor.callWhenRunning(begin)
reactor.run()
"""


class OrphanTests(RealProcessTestCase):
    """A child whose parent is gone."""

    async def test_it_ends(self) -> None:
        """``kill -9`` of the parent leaves nothing running."""
        told = Told()
        parent = self.reactor.spawnProcess(
            told, sys.executable, [sys.executable, "-c", PARENT], env={**os.environ, "PYTHONPATH": ROOT}
        )
        await self.until(lambda: told.text.endswith("\n"), "the child's pid")
        child = int(told.text)
        self.assertTrue(alive(child))
        parent.signalProcess("KILL")
        await told.ended
        await self.until(lambda: not alive(child), "the orphan's end")


class StartTests(RealProcessTestCase):
    """rateway as an operator starts it, with nobody to talk to."""

    def start(self, *arguments: str, **environ: str) -> tuple[Told, Any]:
        folder = tempfile.mkdtemp(prefix="rateway-start-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        told = Told()
        kept = {name: value for name, value in os.environ.items() if name.startswith(("PATH", "COVERAGE", "HOME"))}
        settings = {"DISCORD_TOKEN": TOKEN, "INTENTS": "1", "AMQP_URI": "amqp://guest:pass-word@127.0.0.1:1/"}
        program = [sys.executable, *arguments]
        process = self.reactor.spawnProcess(
            told, sys.executable, program, env={**kept, "PYTHONPATH": ROOT, **settings, **environ}, path=folder
        )
        self.folder = Path(folder)
        return told, process

    async def unreachable(self, *arguments: str, **environ: str) -> tuple[Told, Any]:
        told, process = self.start(*arguments, DISCORD_API_URL="http://127.0.0.1:1/api/v10", **environ)
        await self.until(lambda: "waiting for Discord" in told.text, f"the complaint in {told.text}")
        return told, process

    async def test_each_way_to_start(self) -> None:
        """All wait for Discord, say so at once, and end well by SIGTERM and SIGINT."""
        twistd, tac = str(Path(sys.executable).with_name("twistd")), str(Path(ROOT) / "rateway.tac")
        ways: tuple[tuple[list[str], str], ...] = (
            ([twistd, "-n", "--pidfile=", "rateway"], "TERM"),
            ([twistd, "-n", "--pidfile=", "-y", tac], "INT"),
            (["-m", "rateway.main"], "TERM"),
        )
        for arguments, number in ways:
            told, process = await self.unreachable(*arguments)
            process.signalProcess(number)
            self.assertEqual(await told.ended, 0, told.text)
            self.assertNotIn("Traceback", told.text)
            self.assertNotIn(TOKEN, told.text)

    async def test_json_lines(self) -> None:
        """LOG_FORMAT=json: every line is an object."""
        told, process = await self.unreachable("-m", "rateway.main", LOG_FORMAT="json")
        process.signalProcess("TERM")
        await told.ended
        for line in told.text.splitlines():
            self.assertIn("message", json.loads(line))

    async def test_two_of_them(self) -> None:
        """The second refuses the folder in one sentence, with an exit code that isn't zero; the first goes on."""
        first, process = await self.unreachable("-m", "rateway.main")
        second, _ = self.start("-m", "rateway.main", STATE_DIR=str(self.folder / "rateway-state"))
        self.assertEqual(await second.ended, 1)
        self.assertEqual(second.text.count("another rateway"), 1, second.text)
        self.assertNotIn("Traceback", second.text)
        process.signalProcess("TERM")
        self.assertEqual(await first.ended, 0)

    async def test_wrong_settings(self) -> None:
        """Each in a line, nothing else, and an exit code that isn't zero."""
        told, _ = self.start("-m", "rateway.main", INTENTS="nonsense", COMPRESSION="gzip")
        self.assertEqual(await told.ended, 1)
        self.assertEqual([line.split(":")[0] for line in told.text.splitlines()], ["INTENTS", "COMPRESSION"])
