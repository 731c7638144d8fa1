"""``twistd -n rateway-simulator`` as an operator starts it: what it says, and how it ends."""

from __future__ import annotations

import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

import treq
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory
from twisted.trial.unittest import TestCase

from tests.integration.program import TWISTD, Program
from tests.simulator.client import TOKEN, RawClient, SimulatorTestCase, the_reactor

LISTENS = "a simulated Discord listens: DISCORD_API_URL="


class ProcessCase(TestCase):
    """A test with simulators in processes of their own."""

    timeout = 300

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rateway-simulator-test-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def begin(self, *options: str) -> Program:
        argv = [TWISTD, "-n", "--pidfile=", "rateway-simulator", *options]
        program = Program(the_reactor(), self.folder, {}, argv)

        def end() -> Deferred[int] | None:
            program.kill()
            return None if program.exit_code is not None else program.ended

        self.addCleanup(end)
        return program

    async def started(self, *options: str) -> Program:
        """One that listens, at a free port."""
        program = self.begin("--port", "0", *options)
        await program.until_said(LISTENS)
        return program


class Address:
    """What ``connect`` of the raw client needs to know of a simulator."""

    def __init__(self, program: Program) -> None:
        (line,) = (line for line in program.lines if LISTENS in line)
        self.port = int(line.rpartition(":")[2].partition("/")[0])


class EndTests(ProcessCase):
    """How it ends, and what it says of a bot."""

    async def client(self, program: Program) -> RawClient:
        """A raw client with READY."""
        address: Any = Address(program)
        client = await SimulatorTestCase.connect(self, address)  # type: ignore[arg-type]
        await client.first(10)
        client.identify()
        await client.first("READY")
        return client

    _drop = staticmethod(SimulatorTestCase._drop)

    async def test_in_order(self) -> None:
        """SIGTERM and SIGINT end it with a summary and 0; the log has each connection's stages, and never the token."""
        for number in (signal.SIGTERM, signal.SIGINT):
            program = await self.started("--strict", "--token", TOKEN)
            client = await self.client(program)
            client.sendClose(4000)
            await client.end()
            await program.until_said("its code 4000, ours None")
            program.kill(number)
            self.assertEqual(await program.wait(), 0, program.text)
            for wanted in (
                "connection 1 to 127.0.0.1 opened: v=10, encoding=json",
                "connection 1 identified as shard 0 of 1, intents 53608447",
                "connection 1 of shard 0 ended after ",
                "summary: 1 sessions live, 1 connections, 1 identifies, 0 resumes, 0 sessions wasted, 0 REST requests, "
                "0 breaches, ",
                "no rule broken",
            ):
                self.assertTrue(program.said(wanted), f"{wanted!r} is not in:\n{program.text}")
            self.assertNotIn(TOKEN, program.text)

    async def test_resumed(self) -> None:
        """A RESUME is a line too, with the shard and how much was missed."""
        program = await self.started()
        client = await self.client(program)
        ready = client.all("READY")[0]["d"]
        await client.count("GUILD_CREATE", 4)
        client.sendClose(4000)
        await client.end()
        address: Any = Address(program)
        again = await SimulatorTestCase.connect(self, address, host="127.0.0.2")  # type: ignore[arg-type]
        await again.first(10)
        again.resume(ready["session_id"], 4)
        await again.first("RESUMED")
        await program.until_said("connection 2 resumed shard 0 of 1 at 4, 1 events missed")
        self.assertNotIn(ready["session_id"], program.text)

    async def test_strict(self) -> None:
        """A broken rule is a line at once and in the list at the end; with --strict the exit code is 1, else 0."""
        for options, code in ((("--strict",), 1), ((), 0)):
            program = await self.started(*options)
            client = await self.client(program)
            await self.ask_with_token(program)
            client.say(f'"{TOKEN}'.encode())
            await client.end()
            await program.until_said("breach of undecodable by shard 0")
            self.assertEqual(await program.stop(), code, program.text)
            for wanted in ("1 breaches", "1 rule broken:", "undecodable, shard 0: no JSON"):
                self.assertTrue(program.said(wanted), program.text)
            self.assertNotIn(TOKEN, program.text)

    async def ask_with_token(self, program: Program) -> None:
        """A request that bears the token in its path, too."""
        url = f"http://127.0.0.1:{Address(program).port}/api/v10/users/{TOKEN}"
        agent: dict[Any, Any] = {
            "Authorization": f"Bot {TOKEN}",
            "User-Agent": "DiscordBot (https://example.invalid, 1)",
        }
        response = await treq.get(url, headers=agent, persistent=False)
        await response.content()


class RefusedTests(ProcessCase):
    """What can't be done is one clear sentence, with the remedy, and an exit code that isn't 0."""

    async def test_port_in_use(self) -> None:
        """The port is taken."""
        taken = await TCP4ServerEndpoint(the_reactor(), 0, interface="127.0.0.1").listen(Factory())
        self.addCleanup(taken.stopListening)
        port: Any = taken.getHost()
        program = self.begin("--port", str(port.port))
        self.assertEqual(await program.wait(), 1)
        self.assertTrue(program.said(f"the simulator stops: it can't listen at 127.0.0.1:{port.port}"), program.text)
        self.assertTrue(program.said("choose another --port"))
        self.assertNotIn("Traceback", program.text)
        self.assertNotIn("summary", program.text)

    async def test_resume_address(self) -> None:
        """The resume address that was chosen is none of this machine's."""
        program = self.begin("--port", "0", "--resume-host", "192.0.2.1")
        self.assertEqual(await program.wait(), 1)
        self.assertTrue(program.said("it can't listen at the resume host 192.0.2.1: choose an address"), program.text)
        self.assertNotIn("Traceback", program.text)

    async def test_words(self) -> None:
        """An endpoint or a value that is none: said without a screen of usage."""
        for options, sentence in (
            (("--endpoint", "nowhere:1"), "--endpoint nowhere:1: Unknown endpoint type"),
            (("--endpoint", "ssl:0:privateKey=/nonexistent"), "--endpoint ssl:0:privateKey=/nonexistent: "),
            (("--port", "70000"), "--port 70000: a port is a number up to 65535"),
            (("--rate", "fast"), "--rate fast: it must be a number from 0 up"),
            (("--seed", "x"), "--seed x: it must be a whole number"),
        ):
            program = self.begin(*options)
            self.assertEqual(await program.wait(), 1, program.text)
            self.assertEqual(
                [line.partition(sentence)[:2] for line in program.lines], [("rateway-simulator: ", sentence)]
            )

    async def test_help(self) -> None:
        """--help teaches, in groups, with 0; no line is wider than a terminal."""
        program = self.begin("--help")
        self.assertEqual(await program.wait(), 0)
        for wanted in (
            "The gateway:",
            "Pointing a bot at it:",
            "discord.js",
            "While it runs:",
            "Examples:",
            "--strict",
        ):
            self.assertTrue(program.said(wanted), program.text)
        self.assertEqual([line for line in program.lines if len(line) > 80], [])
