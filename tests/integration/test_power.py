"""The machine goes down while rateway runs: what was synced is all there is, and it is another boot."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import ujson

from .harness import WorldTestCase
from .program import Program
from .test_broker import firsts


class PowerCutTests(WorldTestCase):
    """What a power cut leaves."""

    # The session is given up for one that fills the cache, though it could have gone on: Discord sees no other reason.
    expected_breaches = frozenset({"wasted-session"})

    async def test_power_cut(self) -> None:
        """The session is resumed and its replay forwarded; then a new one fills the cache."""
        simulator, program, worker = await self.up(guilds=3)
        state = self.folder / "state"
        for number in range(50):
            simulator.dispatch(0, "TEST", b'{"n":%d}' % number)
        await self.until(lambda: worker.names().count("TEST") == 50, "the first events")
        kept = simulator.session(0).seq
        await self.until(lambda: self.slots(state) >= kept, "the session to be on the disk itself")
        left = self.folder / "as-of-the-last-sync"
        # All at one moment: nobody writes while it is copied.
        processes = (program.pid, *program.children())
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        shutil.copytree(state, left)
        for pid in processes:
            os.kill(pid, signal.SIGCONT)
        for number in range(50, 80):
            simulator.dispatch(0, "TEST", b'{"n":%d}' % number)
        await self.until(lambda: worker.names().count("TEST") == 80, "events that no disk holds")
        await self.kill(program)
        for number in range(80, 100):
            simulator.dispatch(0, "TEST", b'{"n":%d}' % number)
        self.cut_power(state, left)
        again = self.rateway(simulator)
        await again.until_said("the machine went down")
        await self.until(lambda: len(simulator.identifies) == 2, "the new session")
        await self.until(lambda: simulator.is_connected(0) and not simulator.session(0).backfilling, "its guilds")
        simulator.dispatch(0, "TEST", b'{"n":100}')
        await self.until(lambda: b'{"n":100}' in [event.body for event in worker.events], "the last event")
        (resume,) = simulator.resumes
        self.assertEqual((resume.answer, resume.seq), ("resumed", kept))
        bodies = [event.body for event in firsts(worker.events) if event.key == "TEST"]
        self.assertEqual([ujson.loads(body)["n"] for body in bodies], list(range(101)))
        for guild in simulator.world.guilds.values():
            found = await worker.query(1, "Guild", guild.id)
            self.assertEqual((found or {}).get("name"), guild.fields["name"])

    async def kill(self, program: Program) -> None:
        for pid in (program.pid, *program.children()):
            os.kill(pid, signal.SIGKILL)
        await program.wait()

    def slots(self, state: Path) -> int:
        """The sequence that the disk itself has."""
        found = [0]
        for path in state.glob("cluster-*/sessions.*"):
            _, _, data = path.read_bytes().partition(b"\n")
            if data.endswith(b"}"):
                found += [seq for _, _, seq in ujson.loads(data)["sessions"].values()]
        return max(found)

    def cut_power(self, state: Path, left: Path) -> None:
        """What was synced is back, pages that were not are anything, and the machine's boot is another one."""
        shutil.rmtree(state)
        left.rename(state)
        for note in state.glob("cluster-*/store.json"):
            record = ujson.loads(note.read_bytes())
            note.write_text(ujson.dumps({**record, "boot_id": "an earlier boot"}))
        for pages in state.glob("cluster-*/entities/data.mdb"):
            data = bytearray(pages.read_bytes())
            data[8192:65536] = os.urandom(65536 - 8192)
            pages.write_bytes(data)
