"""Scenarios by twistd and by HTTP, with real processes and real sockets."""

from __future__ import annotations

import json
import re
import tempfile
from io import BytesIO
from pathlib import Path
from shutil import rmtree
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, FileBodyProducer, readBody
from twisted.web.http_headers import Headers

from rateway.simulator.scenario.reading import packaged
from rateway.simulator.simulator import Simulator
from tests.integration.program import TWISTD, Program, until
from tests.simulator.client import SimulatorTestCase, the_reactor

from .bot import Bot

MINE = """
title = "Mine"
about = "The client identifies within two seconds."
patience = {patience}
hold = 0.2
[[expect]]
that = "it identifies"
see = "identifies"
within = 2.0
[[expect]]
that = "it doesn't leave"
never = "closes"
"""


class ProcessTests(TestCase):
    """``twistd -n rateway-simulator --scenario``."""

    timeout = 300

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rateway-scenario-"))
        self.addCleanup(rmtree, self.folder)

    def simulator(self, *arguments: str) -> Program:
        """The command, in a folder of its own."""
        argv = [TWISTD, "-n", "--pidfile=", "rateway-simulator", "--port", "0", "--resume-host=", *arguments]
        program = Program(the_reactor(), self.folder, {}, argv)
        self.addCleanup(self._kill, program)
        return program

    @staticmethod
    def _kill(program: Program) -> Any:
        program.kill()
        return None if program.exit_code is not None else program.ended

    def mine(self, patience: float = 30.0) -> str:
        path = self.folder / "mine.toml"
        path.write_text(MINE.format(patience=patience))
        return str(path)

    async def bot(self, program: Program, *faults: str) -> Bot:
        """A client of that simulator."""
        await program.until_said("waiting for a client at")
        found = re.search(r"waiting for a client at http://127.0.0.1:(\d+)/", program.text)
        assert found is not None
        simulator = Simulator(the_reactor())
        simulator.host, simulator.port = "127.0.0.1", int(found[1])
        bot = Bot(simulator, *faults)
        self.addCleanup(bot.stop)
        self._running = bot.start()
        return bot

    async def test_held(self) -> None:
        """A client that does what it must: each expectation a line, the verdict last, exit code 0."""
        program = self.simulator("--scenario", self.mine())
        bot = await self.bot(program)
        self.assertEqual(await program.wait(), 0, program.text)
        bot.stop()
        await self._running
        for wanted in ("the client has come", "met: it identifies", "scenario mine: held", "summary: "):
            self.assertTrue(program.said(wanted), program.text)
        self.assertNotIn("simulator-token", program.text)

    async def test_failed(self) -> None:
        """A client that breaks a rule: the reason, and exit code 1."""
        program = self.simulator("--scenario", self.mine())
        bot = await self.bot(program, "has no name")
        self.assertEqual(await program.wait(), 1, program.text)
        bot.stop()
        await self._running
        self.assertTrue(program.said("scenario mine: failed: broke the rule user-agent"), program.text)

    async def test_nobody(self) -> None:
        """No client: clear words, and exit code 1."""
        program = self.simulator("--scenario", self.mine(patience=0.5))
        self.assertEqual(await program.wait(), 1, program.text)
        self.assertTrue(
            program.said("no client came within 0.5 s: set its REST base to http://127.0.0.1:"), program.text
        )

    async def test_interrupted(self) -> None:
        """An operator's stop is no success."""
        program = self.simulator("--scenario", "criterion_17")
        await program.until_said("waiting for a client at")
        self.assertEqual(await program.stop(), 1, program.text)
        self.assertTrue(program.said("scenario criterion_17: failed: it was interrupted"), program.text)

    async def test_list(self) -> None:
        """All that come along, and an end in peace."""
        program = self.simulator("--scenario", "list")
        self.assertEqual(await program.wait(), 0, program.text)
        for name in packaged():
            self.assertTrue(any(line.startswith(name + " ") for line in program.lines), program.text)

    async def test_unknown(self) -> None:
        """A scenario that isn't there: one line, with the nearest name, and exit code 1."""
        program = self.simulator("--scenario", "bad_dya")
        self.assertEqual(await program.wait(), 1, program.text)
        self.assertEqual(len(program.lines), 1, program.text)
        self.assertIn("is 'bad_day' meant?", program.text)


class HttpTests(SimulatorTestCase):
    """``POST /control/scenario``."""

    async def post(self, simulator: Simulator, body: str, kind: str = "application/toml") -> tuple[int, Any]:
        """Status and JSON of the answer."""
        url = f"http://127.0.0.1:{simulator.port}/control/scenario"
        response: Any = await Agent(the_reactor()).request(
            b"POST", url.encode(), Headers({"Content-Type": [kind]}), FileBodyProducer(BytesIO(body.encode()))
        )
        return response.code, json.loads(await readBody(response))

    def later(self, simulator: Simulator, body: str) -> Deferred[tuple[int, Any]]:
        """The same, while other things are done; it fires when the scenario is over."""
        return Deferred.fromCoroutine(self.post(simulator, body))

    async def play(self, *faults: str) -> tuple[int, Any]:
        simulator = await self.start()
        answer = self.later(simulator, MINE.format(patience=20))
        await until(the_reactor(), lambda: simulator.in_scenario and not simulator.identifies, "the beginning")
        bot = Bot(simulator, *faults)
        running = bot.start()
        result = await answer
        bot.stop()
        await running
        return result

    async def test_held_and_failed(self) -> None:
        """The report as JSON."""
        status, report = await self.play()
        self.assertEqual((status, report["held"]), (200, True), report)
        (run,) = report["runs"]
        self.assertEqual([each["met"] for each in run["expectations"]], [True, True])
        status, report = await self.play("has no name")
        self.assertEqual((status, report["held"]), (200, False), report)
        self.assertIn("broke the rule user-agent", report["runs"][0]["failures"][0])

    async def test_refused(self) -> None:
        """A scenario that can't be used, an unknown name, a file's name, one too many."""
        simulator = await self.start()
        for body, kind, wanted in (
            ("title = 1", "application/toml", "the scenario sent"),
            ("bad_dya", "text/plain", "there is no packaged scenario 'bad_dya'"),
            (__file__, "text/plain", "there is no packaged scenario"),
        ):
            status, answer = await self.post(simulator, body, kind)
            self.assertEqual(status, 400)
            self.assertIn(wanted, answer["error"])
        first = self.later(simulator, MINE.format(patience=1))
        await until(the_reactor(), lambda: simulator.in_scenario, "the first scenario")
        status, answer = await self.post(simulator, "bad_day", "text/plain")
        self.assertEqual(status, 409)
        status, report = await first
        self.assertEqual((status, report["held"]), (200, False))
