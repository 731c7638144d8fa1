"""Whatever happens, token and password stand in nothing that is written or shown."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import ujson
from twisted.internet.threads import deferToThread

from rateway.simulator.simulator import Simulator
from tests.support.broker import PrivateBroker

from .harness import NAMES, TOKEN, WorldTestCase
from .program import Program
from .worker import Worker

PASSWORD = "s3cret/of:this@test?%41&ü"
USER = "bots"
SECRETS = (TOKEN, quote(TOKEN, safe=""), PASSWORD, quote(PASSWORD, safe=""), quote(PASSWORD))
HIDDEN = "[redacted]"


class SecretsTests(WorldTestCase):
    """One run with everything in it that makes a program talk, and a search through all it left behind."""

    timeout = 300

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        self.broker = PrivateBroker()
        self.addCleanup(self.broker.remove)
        await self.broker.start()
        self.vhost = self.broker.vhost
        api = self.vhost.api
        await deferToThread(api.call, "PUT", "users", USER, body={"password": PASSWORD, "tags": ""})
        grants = {"configure": ".*", "write": ".*", "read": ".*"}
        await deferToThread(api.call, "PUT", "permissions", "/", USER, body=grants)
        parts = urlsplit(self.vhost.uri)
        login = f"{USER}:{quote(PASSWORD, safe='')}@{parts.hostname}:{parts.port}"
        self.amqp = parts._replace(netloc=login).geturl()

    async def test_text(self) -> None:
        """As text lines."""
        await self.eventful_run("text")

    async def test_json(self) -> None:
        """As JSON lines, each of them whole; the fields are searched too."""
        program = await self.eventful_run("json")
        for line in program.lines:
            self.assertIsInstance(ujson.loads(line), dict)

    async def eventful_run(self, log_format: str) -> Program:
        simulator = await self.simulator(shards=2, max_concurrency=2, identify_window=0.1, guilds=4)
        simulator.rest.script("/gateway/bot", [(503, {}, b"")])
        worker = await self.worker(1, 2, names=(*NAMES, "GUILD_UPDATE"))
        program = self.rateway(simulator, LOG_FORMAT=log_format, SHARDS_PER_CLUSTER=1, PROCESSES=2)
        await self.all_active(simulator, 2)
        await self.endings(simulator)
        await self.nonsense(simulator, worker)
        sessions = [simulator.session(shard).id for shard in (0, 1)]
        self.assertFalse(program.said(HIDDEN), f"a module logs a secret, if only to be redacted:\n{program.text}")
        await self.echoes(simulator, worker, program)
        shown = dict(self.shown(program))
        shown["the broker's connections"] = ujson.dumps(await self.vhost.connections(), ensure_ascii=False).encode()
        await self.deaths(simulator, program)
        simulator.close(0, 4004, f"{TOKEN} is no token")
        self.assertEqual(await program.wait(), 1)
        await self.refused_login(simulator, log_format)
        shown |= self.left_behind()
        self.assertIn("cluster-1/entities/data.mdb", " ".join(shown))
        self.assertTrue(any("log" in name and USER.encode() in data for name, data in shown.items()), list(shown))
        for name, data in shown.items():
            for secret in SECRETS:
                self.assertNotIn(secret.encode(), data, name)
        for session in sessions:
            self.assertNotIn(session, "".join(each.text for each in self.programs))
        return program

    async def endings(self, simulator: Simulator) -> None:
        """Connections end, in every way; the shards take turns, for who loses many in a row waits longer."""
        ways: tuple[Callable[[int], object], ...] = (
            lambda shard: simulator.drop(shard, "rst"),
            lambda shard: simulator.close(shard, 4001, "unknown opcode"),
            lambda shard: simulator.request_reconnect(shard),
            lambda shard: simulator.corrupt(shard),
            lambda shard: simulator.send_text(shard, b'{"op":0,"t":}'),
            lambda shard: simulator.close(shard, 4007),
        )
        for number, way in enumerate(ways):
            before = len(simulator.connections)
            way(number % 2)
            await self.until(
                lambda: len(simulator.connections) > before and len(simulator.connected_shards()) == 2,  # noqa: B023
                "the shard again",
            )

    async def nonsense(self, simulator: Simulator, worker: Worker) -> None:
        """Bots and Discord send what can't be used; the broker hangs up."""
        for body in (b"", b"\xff\xfe", b'{"op":2,"d":{}}', b'{"op":3}', b"[" * 5000):
            answer = await worker.ask(1, "gateway", body, {"shard_id": 0})
            self.assertEqual(ujson.loads(answer.body)["status"], "refused")
            self.assertTrue((await worker.ask(1, "cache", body)).properties.headers["error"])
            await worker.publish(1, "gateway", body, {"shard_id": 0})
            await worker.publish(1, "cache", body)
        for body in (b"null", b'{"id":[]}', b'{"id":"x","guild_id":7}'):
            simulator.dispatch(0, "GUILD_UPDATE", body)
        await self.until(lambda: worker.names().count("GUILD_UPDATE") == 3, "the odd events")

    async def echoes(self, simulator: Simulator, worker: Worker, program: Program) -> None:
        """Discord and a bot say the token themselves: rateway doesn't repeat it."""
        before = len(simulator.connections)
        simulator.close(0, 4000, f"what a token: {TOKEN}")
        await self.until(lambda: len(simulator.connections) > before and simulator.is_connected(0), "shard 0 again")
        for body in (
            {"op": 2, "d": {"token": TOKEN}},
            {"op": 3, "d": TOKEN},
            {TOKEN: PASSWORD},
            {"op": TOKEN},
        ):
            await worker.publish(1, "gateway", ujson.dumps(body).encode(), {"shard_id": 0})
        for kind, arguments in ((TOKEN, []), ("Guild", [TOKEN]), ("Guild", [PASSWORD])):
            await worker.ask(1, "cache", ujson.dumps({"type": kind, "arguments": arguments}).encode())
        await program.until_said(HIDDEN)

    async def deaths(self, simulator: Simulator, program: Program) -> None:
        """The broker hangs up, a child dies."""
        self.assertGreaterEqual(await self.vhost.close_connections(), 2)
        victim = program.children()[0]
        os.kill(victim, signal.SIGKILL)
        await self.until(lambda: victim not in program.children() and len(program.children()) == 2, "the child again")
        await self.all_active(simulator, 2)

    async def refused_login(self, simulator: Simulator, log_format: str) -> None:
        """A start with another password."""
        uri = self.amqp.replace(f"{USER}:", f"{USER}:not-")
        program = self.rateway(simulator, LOG_FORMAT=log_format, AMQP_URI=uri, STATE_DIR=self.folder / "other")
        self.assertEqual(await program.wait(), 1)
        self.assertTrue(program.said("refused the login"), program.text)

    def shown(self, program: Program) -> Iterator[tuple[str, bytes]]:
        """What anybody on the machine may see of the running processes, and the parent's arguments."""
        for pid in program.children():
            for name in ("cmdline", "environ", "comm"):
                yield f"/proc/{pid}/{name}", Path(f"/proc/{pid}/{name}").read_bytes()
        yield "the parent's arguments", Path(f"/proc/{program.pid}/cmdline").read_bytes()

    def left_behind(self) -> dict[str, bytes]:
        """All files of rateway's, all it said, and the broker's logs."""
        files = [path for folder in (self.folder, self.broker.log_folder) for path in folder.rglob("*")]
        found = {str(path): path.read_bytes() for path in files if path.is_file()}
        for number, program in enumerate(self.programs):
            found[f"what program {number} said"] = program.text.encode()
        return found
