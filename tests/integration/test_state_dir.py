"""STATE_DIR on a disk that is full, read-only, damaged, shared, or was another plan's: a sentence, and nothing lost."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

from rateway.simulator.simulator import Simulator

from .program import Program
from .test_delivery import LineTestCase, firsts, patched
from .worker import Worker

MIB = 1024 * 1024


class DiskTestCase(LineTestCase):
    """Tests with a disk of their own; only root may mount one."""

    def mount(self, name: str, options: str) -> Path:
        """A tmpfs, until the test's end."""
        folder = self.folder / name
        folder.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True)
        if done.returncode:
            raise SkipTest(f"a disk can't be mounted here: {done.stderr.decode().strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", str(folder)], check=True)
        return folder

    def fill(self, folder: Path) -> Path:
        """A file that takes all room there is."""
        ballast = folder / "ballast"
        with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
            for size in (64 * 1024, 4096, 1):
                with contextlib.suppress(OSError):
                    while file.write(bytes(size)):
                        pass
        return ballast

    def use_inodes(self, folder: Path) -> list[Path]:
        """Files until no more can be made."""
        made: list[Path] = []
        try:
            while True:
                made.append(folder / f"file-{len(made)}")
                made[-1].touch()
        except OSError as error:
            self.assertEqual(error.errno, errno.ENOSPC)
            return made[:-1]


class StartTests(DiskTestCase):
    """A start where nothing can be kept ends with one sentence; Discord is not asked for a session."""

    async def refused(self, state_dir: Path, *words: str) -> None:
        """Exit code 1, and a line of this kind."""
        simulator = await self.simulator()
        program = self.rateway(simulator, STATE_DIR=state_dir)
        self.assertEqual(await program.wait(), 1)
        (told,) = (line for line in program.lines if "STATE_DIR: " in line)
        for word in ("STATE_DIR: ", str(state_dir), *words):
            self.assertIn(word, told)
        self.assertEqual((simulator.connections, simulator.identifies), ([], []))

    async def test_disks(self) -> None:
        """Read-only; full; full but for the parent's few bytes; without inodes, or with too few."""
        read_only = self.mount("read-only", "size=1m,ro")
        await self.refused(read_only / "state", "Read-only file system")
        full = self.mount("full", "size=1m")
        (full / "state").mkdir()
        self.fill(full)
        await self.refused(full / "state", "No space left on device")
        small = self.mount("small", "size=1m")
        await self.refused(small / "state", "cluster-1", "No space left on device")
        for inodes in (3, 8):
            few = self.mount(f"few-{inodes}", f"size=64m,nr_inodes={inodes}")
            await self.refused(few / "state", "No space left on device")

    async def test_a_file_in_its_place(self) -> None:
        """Where the folder, or a cluster's, should be."""
        (self.folder / "file").write_text("mine")
        await self.refused(self.folder / "file")
        state_dir = self.folder / "other"
        state_dir.mkdir()
        (state_dir / "cluster-1").write_text("mine")
        await self.refused(state_dir, "cluster-1")

    async def test_events_of_another_version(self) -> None:
        """They are not thrown away: the version that wrote them is asked for."""
        spool = self.folder / "state" / "cluster-1" / "spool"
        spool.mkdir(parents=True)
        path = spool / "events-0000000001.spool"
        path.write_bytes(b"rateway spool 9\n" + bytes(100))
        (self.folder / "state" / "cluster-1").chmod(0o700)
        spool.chmod(0o700)
        path.chmod(0o600)
        await self.refused(self.folder / "state", str(path), "another version", "start that version once more")

    async def test_an_orphan_that_hangs(self) -> None:
        """A child of an earlier rateway holds a cluster and doesn't let go: the new one names it, and ends."""
        simulator = await self.simulator()
        first = self.rateway(simulator)
        await self.kept_session()
        (orphan,) = first.children()
        os.kill(orphan, signal.SIGSTOP)
        try:
            first.kill()
            await first.wait()
            second = self.rateway(simulator, **patched("rateway.process.compose:LOCK_WAIT=1"))
            self.assertEqual(await second.wait(), 1)
            (told,) = (line for line in second.lines if "rateway stops: " in line)
            self.assertIn(f"cluster-1 is in use by process {orphan}", told)
            self.assertEqual(len(simulator.connections), 1)
        finally:
            os.kill(orphan, signal.SIGKILL)
        self.rateway(simulator)
        await self.until(lambda: simulator.resumes, "the session to be resumed")
        self.assertEqual((simulator.resumes[0].answer, len(simulator.identifies)), ("resumed", 1))


class RunningTests(DiskTestCase):
    """The disk fails while rateway runs."""

    async def test_no_room_amid_an_outage(self) -> None:
        """No inode for the spool, then no byte: reading stops, heartbeats go on, and with room all of it arrives."""
        disk = self.mount("disk", "size=96m,nr_inodes=200")
        simulator, program, worker = await self.started(STATE_DIR=disk / "state")
        sent = 0
        for take in (self.use_inodes, lambda folder: [self.fill(folder)]):
            await self.line.cut()
            taken = take(disk)
            said = sum("no more events can be held" in line for line in program.lines)
            await self.dispatch_large(simulator, 500, sent)
            sent += 500
            stopped = lambda: sum("no more events can be held" in line for line in program.lines) > said  # noqa: B023, E731
            await self.until(stopped, "reading to stop")
            self.assertTrue(program.said("the disk refuses: No space left on device"), program.text)
            beats = len(simulator.frames)
            await self.until(lambda: len(simulator.frames) > beats + 1, "heartbeats")  # noqa: B023
            for path in taken:
                path.unlink()
            await self.line.open()
            count = lambda: sum(event.key == "TEST" for event in firsts(worker.events))  # noqa: E731
            await self.until(lambda: count() >= sent, f"{sent} events", 120)  # noqa: B023
        got = [event.seq for event in firsts(worker.events) if event.key == "TEST"]
        self.assertEqual((got, len(got)), (sorted(got), sent))
        self.assertEqual((len(simulator.connections), simulator.closes, simulator.wasted), (1, [], []))
        await program.until_said("there is room for the events of rateway-1 again")


class DamageTests(LineTestCase):
    """What lies in STATE_DIR is not what was written there."""

    expected_breaches = frozenset({"wasted-session"})
    """The session is resumed, then given up for a new one, which fills the cache."""

    async def test_everything_at_once(self) -> None:
        """Of the events only those hit are lost, and that is told; the rest is begun anew, with a line for each."""
        settings: dict[str, Any] = patched("rateway.cluster.safekeeping:EVERY=0.5")
        simulator, program, worker = await self.started(**settings)
        await self.line.cut()
        self.send(simulator, 0, 100)
        await self.received(simulator)
        self.assertEqual(await program.stop(), 0)
        state = self.folder / "state"
        (spool,) = (state / "cluster-1" / "spool").glob("*.spool")
        data = bytearray(spool.read_bytes())
        data[data.index(b"TEST50")] ^= 1
        spool.write_bytes(data)
        (state / "cluster-1" / "spool" / "head").write_bytes(b"where was I?")
        (state / "cluster-1" / "entities" / "data.mdb").write_bytes(b"no store")
        (state / "identify.json").write_text('{"version": 9}')
        (state / "plan.json").write_text("{")
        for path in state.rglob("*"):
            path.chmod(0o700 if path.is_dir() else 0o600)
        await self.line.open()
        again = self.rateway(simulator, AMQP_URI=self.by_line)
        await self.until(lambda: len(self.numbers(worker)) >= 99, "the events that can be read")
        self.assertEqual(self.numbers(worker), [number for number in range(100) if number != 50])
        for words in (
            "can't be read any more: the events in them are lost",
            "is not used, for its file",
            "identify.json in STATE_DIR is of another version, or damaged",
            "plan.json in STATE_DIR can't be read",
        ):
            await again.until_said(words)
        self.assertFalse(again.said("is no longer kept up to date"), again.text)
        await self.until(lambda: simulator.resumes, "the session to be resumed")
        self.assertEqual(simulator.resumes[0].answer, "resumed")
        await self.until(lambda: len(simulator.identifies) == 2, "the session that fills the cache")
        await self.all_active(simulator, 1)
        self.send(simulator, 100, 5)
        await self.until(lambda: self.numbers(worker)[-1] == 104, "the next events")


class PlanTests(LineTestCase):
    """Another number of processes, or of shards per cluster, while events wait on disk."""

    expected_breaches = frozenset({"wasted-session"})
    """Stores made for other shards are begun anew."""

    async def leave_some(self, simulator: Simulator, program: Program, first: int, shards: int = 4) -> None:
        """An outage; ten events of each shard; a stop."""
        await self.line.cut()
        for shard in range(shards):
            self.send(simulator, first + 10 * shard, 10, shard=shard)
        for shard in range(shards):
            await self.received(simulator, shard)
        self.assertEqual(await program.stop(), 0)
        self.assertTrue(program.said("they wait on disk, and are published at the next start"), program.text)
        await self.line.open()

    async def all_of(self, worker: Worker, count: int) -> None:
        """So many events, of each shard in order."""
        await self.until(lambda: len(self.numbers(worker)) >= count, f"{count} events, not {self.numbers(worker)}")
        for shard in range(4):
            got = [int(event.body) for event in firsts(worker.of_shard(shard)) if event.key == "TEST"]
            self.assertEqual(got, sorted(got))
        self.assertEqual(set(self.numbers(worker)), set(range(count)))

    async def test_other_plans(self) -> None:
        """Four clusters in one process, then in two, then two clusters, whose folders take the others' events in."""
        simulator = await self.simulator(shards=4, max_concurrency=4, heartbeat_interval=2.0)
        worker, _ = await self.lasting(1, 2, 3, 4)
        common: dict[str, Any] = {"AMQP_URI": self.by_line, "SHARDS_PER_CLUSTER": 1}
        program = self.rateway(simulator, **common, PROCESSES=1)
        await self.all_active(simulator, 4)
        await self.until(lambda: worker.names().count("READY") == 4, "READY of each")
        await self.leave_some(simulator, program, 0)
        program = self.rateway(simulator, **common, PROCESSES=2)
        await self.all_of(worker, 40)
        await self.until(lambda: len(simulator.resumes) == 4, "the sessions to be resumed")
        self.assertEqual({resume.answer for resume in simulator.resumes}, {"resumed"})
        await self.until(lambda: simulator.connected_shards() == set(range(4)), "all shards")
        await self.leave_some(simulator, program, 40)
        self.assertEqual(len([*(self.folder / "state").glob("cluster-[34]/spool/*.spool")]), 2)
        program = self.rateway(simulator, **common | {"SHARDS_PER_CLUSTER": 2}, PROCESSES=2)
        await self.all_of(worker, 80)
        await program.until_said("of a cluster that is no more")
        self.assertEqual([*(self.folder / "state").glob("cluster-[34]/spool/*.spool")], [])
        await self.all_active(simulator, 4)
        self.assertEqual(len(simulator.identifies), 8)
        exchanges = {event.exchange for event in worker.events if event.key == "TEST" and int(event.body) >= 60}
        self.assertEqual(exchanges, {"rateway-1", "rateway-2"})
