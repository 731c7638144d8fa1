"""Nothing that is written anywhere bears the token or the broker's password."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

from .harness import TOKEN, WorldTestCase

PRESENCE = {"op": 3, "d": {"since": None, "activities": [], "status": "idle", "afk": False}}


class SecretsTests(WorldTestCase):
    """A run with everything in it, and then a look at all it left."""

    def assert_nowhere(self, where: str, written: bytes) -> None:
        """Neither secret stands there."""
        for secret in (TOKEN, urlsplit(self.amqp).password):
            assert secret is not None
            self.assertNotIn(secret.encode(), written, where)

    def assert_no_child_bears_them(self, pid: int) -> None:
        """What others on the host can see of a process."""
        for name in ("cmdline", "environ"):
            self.assert_nowhere(name, Path(f"/proc/{pid}/{name}").read_bytes())

    async def test_everything_written_in_a_run(self) -> None:
        """Drops, refusals, garbage, a killed child, a fatal end: no secret in log, files, argv or environment."""
        simulator = await self.simulator(shards=2, max_concurrency=2)
        worker = await self.worker(1)
        program = self.rateway(simulator, LOG_FORMAT="json", MESSAGE_CACHE_SIZE=5)
        await self.all_active(simulator, 2)
        for pid in program.children():
            self.assert_no_child_bears_them(pid)
        self.assertEqual(await worker.command(1, PRESENCE, shard=0), {"status": "sent"})
        self.assertEqual((await worker.command(1, f'{{"op":2,"d":"{TOKEN}"}}'.encode(), shard=0))["status"], "refused")
        await worker.ask(1, "cache", f'{{"type":"{TOKEN}","arguments":[]}}'.encode())
        simulator.dispatch(0, "GUILD_CREATE", b'{"id":"no id at all","members":7}')
        simulator.drop(0, "rst")
        simulator.corrupt(1)
        await self.until(lambda: len(simulator.resumes) >= 2, "resumes")
        program.kill_child(0)
        await program.until_said("it is started again in")
        await self.until(lambda: len(simulator.resumes) >= 4, "resumes by the new child")
        await self.all_active(simulator, 2)
        simulator.close(0, 4014)
        self.assertEqual(await program.wait(), 1)
        self.assertTrue(program.said("4014"))
        self.assertGreater(len(program.lines), 10)
        for line in program.lines:
            self.assertIn("message", json.loads(line), "each line is one JSON object")
        self.assert_nowhere("the log", program.text.encode())
        files = [file for file in self.folder.rglob("*") if file.is_file()]
        self.assertGreater(len(files), 3)
        for file in files:
            self.assert_nowhere(str(file), file.read_bytes())
