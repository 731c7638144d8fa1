"""A fleet in several processes: how it comes up, and every way it or a part of it goes down (criterion 71)."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from twisted.internet.task import LoopingCall

from rateway.simulator.simulator import Simulator
from tests.support.processes import Stopwatch, wait_for_processor

from .harness import NAMES, TOKEN, WorldTestCase
from .program import Program
from .worker import Worker

STOPPING = 4904
"""What rateway closes with when it stops: no session ends by it."""
STOP_WITHIN, EARLY_STOP_WITHIN = 5.0, 10.0
"""Seconds from the signal to the end: of a rateway that had started, and of one that was starting. As with all limits
here, those in which it was ready to run, but the machine let others run, are not its own."""
UP_WITHIN = 12.0
"""Seconds from the plan, once Python has started and Discord was asked, to eight active shards, four at a time."""


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped doesn't."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def told_others(pid: int) -> bytes:
    """A process's arguments and environment, as other processes of the same user may read them."""
    return b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ"))


def clusters_of(pid: int) -> set[int]:
    """The clusters a process holds the stores of, by the files it has open."""
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            path = Path(os.readlink(link))
        except FileNotFoundError:  # closed meanwhile
            continue
        if path.name == "lock" and path.parent.name.startswith("cluster-"):
            found.add(int(path.parent.name.removeprefix("cluster-")))
    return found


class FleetTestCase(WorldTestCase):
    """What the tests below share."""

    async def fleet(self, shards: int = 2, **settings: Any) -> tuple[Simulator, Program, Worker]:
        """A cluster and a process for each shard; all of them active, and a worker bound to all of them.

        Some events went by: the broker holds READY, and the store knows it.
        """
        simulator = await self.simulator(shards=shards, max_concurrency=4)
        worker = await self.worker(*range(1, shards + 1), names=(*NAMES, "SETTLED"))
        program = self.rateway(simulator, **{"SHARDS_PER_CLUSTER": 1, "PROCESSES": shards, **settings})
        await self.all_active(simulator, shards)
        await self.until(lambda: len(program.children()) == shards, "the children")
        for count in range(1, 6):
            for shard in range(shards):
                simulator.dispatch(shard, "SETTLED", b"{}")
            await self.until(lambda: worker.names().count("SETTLED") == count * shards, "the first events")  # noqa: B023
        return simulator, program, worker

    def child_of(self, program: Program, cluster: int) -> int:
        """The pid of the child that runs a cluster."""
        (pid,) = (pid for pid in program.children() if cluster in clusters_of(pid))
        return pid

    async def resumed(self, simulator: Simulator, *shards: int) -> None:
        """These shards, and no others, resumed their sessions, once each."""
        await self.until(
            lambda: (
                sorted(resume.shard for resume in simulator.resumes if resume.shard is not None) == list(shards)
                and all(simulator.is_connected(shard) for shard in shards)
            ),
            f"shards {shards} resume",
        )
        self.assertEqual({resume.answer for resume in simulator.resumes}, {"resumed"})

    async def arrived(self, worker: Worker, shard: int, count: int, *, once: bool = True) -> None:
        """Events 0 to count - 1 of a shard came in order; with ``once``, each of them once."""

        def bodies() -> list[int]:
            return [int(event.body) for event in worker.of_shard(shard) if event.key == "TEST"]

        await self.until(lambda: len(set(bodies())) >= count, f"{count} events of shard {shard}")
        got = bodies() if once else list(dict.fromkeys(bodies()))
        self.assertEqual(got, list(range(count)))

    def send(self, simulator: Simulator, shard: int, first: int, count: int) -> None:
        """Numbered events."""
        for number in range(first, first + count):
            simulator.dispatch(shard, "TEST", str(number).encode())

    async def ended(self, program: Program) -> float:
        """It ended in good order; how long that took."""
        watch = Stopwatch(self.reactor.seconds, program.pid, program.children)

        def over() -> bool:
            watch.look()
            return program.exit_code is not None

        await self.until(over, "the end of rateway")
        self.assertEqual(program.exit_code, 0)
        return watch.own

    def assert_kept(self, simulator: Simulator) -> None:
        """rateway closed in no way that ends a session."""
        self.assertEqual({close.code for close in simulator.closes} - {STOPPING}, set())
        self.assertEqual(simulator.wasted, [])


class ComingUpTests(FleetTestCase):
    """The plan, as it is carried out."""

    async def test_eight_shards_in_three_clusters(self) -> None:
        """5 recommended and 3 extra, 3 per cluster, 4 at a time: up within 12 s, on three exchanges as documented."""
        simulator = await self.simulator(shards=5, max_concurrency=4, guilds=16)
        worker = await self.worker(1, 2, 3)
        program = self.rateway(simulator, EXTRA_SHARDS=3, SHARDS_PER_CLUSTER=3, PROCESSES=2)
        await program.until_said("plan: 8 shards")
        watch = Stopwatch(self.reactor.seconds, program.pid, program.children)
        looking, discord_waited = LoopingCall(watch.look), wait_for_processor(os.getpid())
        looking.start(0.1)
        try:
            await self.all_active(simulator, 8)
        finally:
            looking.stop()
        took = watch.own - (wait_for_processor(os.getpid()) - discord_waited)
        self.assertLess(
            took, UP_WITHIN, f"up after {watch.elapsed:.1f} s, {took:.1f} s of them its own:\n{program.text}"
        )
        self.assertEqual({identify.total for identify in simulator.identifies}, {8})
        self.assertEqual(len(simulator.identifies), 8)
        self.assertEqual(await self.vhost.exchanges(), {"rateway-1", "rateway-2", "rateway-3"})
        for cluster in (1, 2, 3):
            exchange = await self.vhost.exchange(f"rateway-{cluster}")
            assert exchange is not None
            self.assertEqual(
                [exchange[key] for key in ("type", "durable", "auto_delete", "internal", "arguments")],
                ["direct", True, False, False, {}],
            )
            queue = f"rateway-incoming-{cluster}"
            bound = {binding for binding in await self.vhost.bindings(f"rateway-{cluster}") if binding[0] == queue}
            self.assertEqual(bound, {(queue, "cache"), (queue, "gateway")})
        for shard in range(8):
            simulator.dispatch(shard, "TEST", str(shard).encode())
        await self.until(lambda: worker.names().count("TEST") == 8, "an event of each shard")
        self.assertEqual(
            {event.shard: event.exchange for event in worker.events if event.key == "TEST"},
            {shard: f"rateway-{shard // 3 + 1}" for shard in range(8)},
        )

    async def test_two_children(self) -> None:
        """PROCESSES=2 gives two children, each with its clusters, next to each other."""
        simulator = await self.simulator(shards=3, max_concurrency=3)
        program = self.rateway(simulator, SHARDS_PER_CLUSTER=1, PROCESSES=2)
        await self.all_active(simulator, 3)
        self.assertEqual(sorted(sorted(clusters_of(pid)) for pid in program.children()), [[1, 2], [3]])
        self.assertEqual(clusters_of(program.pid), set())

    async def test_no_more_children_than_clusters(self) -> None:
        """A process without a cluster would be of no use."""
        simulator = await self.simulator(shards=2, max_concurrency=2)
        program = self.rateway(simulator, SHARDS_PER_CLUSTER=1, PROCESSES=7)
        await self.all_active(simulator, 2)
        self.assertEqual(len(program.children()), 2)

    async def test_secrets_are_not_inherited(self) -> None:
        """Token and broker's password are in no child's arguments or environment, where other programs could look."""
        _, program, _ = await self.fleet()
        password = self.amqp.partition("@")[0].rpartition(":")[2]
        for pid in program.children():
            for secret in (TOKEN, password):
                self.assertNotIn(secret.encode(), told_others(pid))
        self.assertIn(TOKEN.encode(), told_others(program.pid), "the test looks in the wrong place")

    async def test_second_rateway(self) -> None:
        """A second rateway on the same STATE_DIR refuses and names the first, which it leaves alone."""
        simulator, first, _ = await self.fleet()
        second = self.rateway(simulator)
        self.assertEqual(await second.wait(), 1)
        (told,) = (line for line in second.lines if "rateway stops: " in line)
        self.assertIn(f"process {first.pid}", told)
        self.assertIn("STATE_DIR", told)
        self.assertEqual(len(simulator.connections), 2)
        self.assertIsNone(first.exit_code)

    async def test_total_is_remembered(self) -> None:
        """The number of shards stays what it was while it is enough: sessions go on, and the log says so."""
        simulator, program, _ = await self.fleet(2)
        self.assertEqual(await program.stop(), 0)
        program = self.rateway(simulator, SHARDS_PER_CLUSTER=1, EXTRA_SHARDS=4, PROCESSES=2)
        await self.resumed(simulator, 0, 1)
        self.assertTrue(program.said("keeping the 2 shards of the last run"), program.text)
        self.assertTrue(program.said("TOTAL_SHARDS"), program.text)
        self.assertEqual(await program.stop(), 0)
        self.assertEqual(len(simulator.identifies), 2)
        self.assert_kept(simulator)

    async def test_total_chosen_anew(self) -> None:
        """TOTAL_SHARDS changes the number, remembered or not."""
        simulator, program, _ = await self.fleet(2)
        self.assertEqual(await program.stop(), 0)
        self.rateway(simulator, SHARDS_PER_CLUSTER=1, TOTAL_SHARDS=3)
        await self.until(lambda: simulator.connected_shards() == {0, 1, 2}, "three shards")
        self.assertEqual([identify.total for identify in simulator.identifies[2:]], [3, 3, 3])
        self.assertEqual(simulator.resumes, [])


class DyingTests(FleetTestCase):
    """kill -9, of whatever part."""

    async def test_child_killed(self) -> None:
        """A killed child comes back and resumes its sessions; the other child's don't notice; nothing is lost."""
        simulator, program, worker = await self.fleet()
        self.send(simulator, 0, 0, 50)
        self.send(simulator, 1, 0, 50)
        victim, other = self.child_of(program, 2), self.child_of(program, 1)
        os.kill(victim, signal.SIGKILL)
        await self.until(lambda: not simulator.is_connected(1), "the shard's end")
        self.send(simulator, 0, 50, 50)
        self.send(simulator, 1, 50, 50)
        await self.resumed(simulator, 1)
        await self.arrived(worker, 0, 100)
        await self.arrived(worker, 1, 100, once=False)
        self.assertEqual(self.child_of(program, 1), other)
        self.assertNotEqual(self.child_of(program, 2), victim)
        self.assertEqual([each.shard for each in simulator.connections].count(0), 1)
        self.assertEqual(len(simulator.identifies), 2)
        (told,) = (line for line in program.lines if "SIGKILL" in line)
        self.assertIn("child 2 (cluster 2)", told)
        self.assertIn("started again", told)

    async def test_child_killed_while_identifying(self) -> None:
        """A child that dies before READY: its permit counts as used, and its shard identifies later, in its turn."""
        simulator = await self.simulator(shards=2)
        program = self.rateway(simulator, SHARDS_PER_CLUSTER=1, PROCESSES=2)
        await self.until(lambda: simulator.identifies, "the first IDENTIFY")
        os.kill(self.child_of(program, 1), signal.SIGKILL)
        await self.all_active(simulator, 2)

    async def test_parent_killed(self) -> None:
        """Without a parent, children close resumably and end by themselves; the next start resumes every session."""
        simulator, program, worker = await self.fleet()
        for shard in (0, 1):
            self.send(simulator, shard, 0, 50)
        children = program.children()
        program.kill()
        await self.until(lambda: not any(alive(pid) for pid in children), "the end of the children")
        await self.until(lambda: len(simulator.closes) >= 2, "both closes")
        self.assertEqual(sorted(close.shard for close in simulator.closes if close.shard is not None), [0, 1])
        self.assert_kept(simulator)
        for shard in (0, 1):
            self.send(simulator, shard, 50, 50)
        self.rateway(simulator, SHARDS_PER_CLUSTER=1, PROCESSES=2)
        await self.resumed(simulator, 0, 1)
        for shard in (0, 1):
            await self.arrived(worker, shard, 100)
        self.assertEqual(len(simulator.identifies), 2)

    async def test_parent_killed_and_started_at_once(self) -> None:
        """A new start while the orphans still close waits for them to let go, and resumes every session."""
        simulator, program, worker = await self.fleet()
        for shard in (0, 1):
            self.send(simulator, shard, 0, 50)
        program.kill()
        again = self.rateway(simulator, SHARDS_PER_CLUSTER=1, PROCESSES=2)
        await self.resumed(simulator, 0, 1)
        for shard in (0, 1):
            await self.arrived(worker, shard, 50)
        self.assertIsNone(again.exit_code)
        self.assertEqual(len(simulator.identifies), 2)
        self.assert_kept(simulator)

    async def test_everything_killed(self) -> None:
        """Parent and children killed at the same moment: all sessions are resumed, and no event is lost."""
        simulator, program, worker = await self.fleet()
        for shard in (0, 1):
            self.send(simulator, shard, 0, 200)
        children = program.children()
        for pid in (program.pid, *children):
            os.kill(pid, signal.SIGKILL)
        await self.until(lambda: not simulator.connected_shards(), "the end of all connections")
        for shard in (0, 1):
            self.send(simulator, shard, 200, 50)
        self.rateway(simulator, SHARDS_PER_CLUSTER=1, PROCESSES=2)
        await self.resumed(simulator, 0, 1)
        for shard in (0, 1):
            await self.arrived(worker, shard, 250, once=False)
        self.assertEqual(len(simulator.identifies), 2)


class StoppingTests(FleetTestCase):
    """Asked to stop, it stops in order."""

    async def test_criterion_71_graceful_stop(self) -> None:
        """What was received is published before the end, the close is resumable, and the next start goes on behind."""
        simulator, program, worker = await self.fleet()
        for shard in (0, 1):
            self.send(simulator, shard, 0, 1000)
        await self.until(lambda: "TEST" in worker.names(), "the first of them")
        program.kill(signal.SIGTERM)
        self.assertLess(await self.ended(program), STOP_WITHIN)
        self.assertEqual(sorted(close.shard for close in simulator.closes if close.shard is not None), [0, 1])
        for shard in (0, 1):
            self.send(simulator, shard, 1000, 50)
        self.rateway(simulator, SHARDS_PER_CLUSTER=1, PROCESSES=2)
        await self.resumed(simulator, 0, 1)
        for shard in (0, 1):
            await self.arrived(worker, shard, 1050)
        self.assertEqual(len(simulator.identifies), 2)
        self.assert_kept(simulator)

    async def test_both_signals(self) -> None:
        """SIGTERM and SIGINT, to the parent or to all at once as Ctrl-C and systemd do: exit code 0, sessions kept."""
        for number, everybody in ((signal.SIGTERM, False), (signal.SIGTERM, True), (signal.SIGINT, True)):
            simulator, program, _ = await self.fleet(STATE_DIR=self.folder / f"state-{number}-{everybody}")
            children = program.children()
            for pid in (*children, program.pid) if everybody else (program.pid,):
                os.kill(pid, number)
            self.assertLess(await self.ended(program), STOP_WITHIN)
            self.assertEqual([pid for pid in children if alive(pid)], [])
            self.assertEqual(sorted(close.shard for close in simulator.closes if close.shard is not None), [0, 1])
            self.assert_kept(simulator)
            self.assertFalse(program.said("SIGKILL") or program.said("error"), program.text)

    async def test_stopped_while_starting(self) -> None:
        """A signal at any moment of the start ends it in good order, once it began to ask Discord."""
        for number, word in enumerate(("plan:", "is connected to the broker", "connecting to", "ready:")):
            simulator = await self.simulator(shards=4)
            program = self.rateway(simulator, STATE_DIR=self.folder / str(number))
            await program.until_said(word)
            program.kill(signal.SIGTERM)
            self.assertLess(await self.ended(program), EARLY_STOP_WITHIN)
            self.assertFalse(program.said("error"), program.text)
            self.assert_kept(simulator)

    async def test_second_signal_does_not_wait(self) -> None:
        """A child that hangs: the first signal waits for it, the second ends it."""
        _, program, _ = await self.fleet()
        children = program.children()
        os.kill(children[0], signal.SIGSTOP)
        program.kill(signal.SIGTERM)
        await self.until(lambda: not alive(children[1]), "the end of the child that doesn't hang")
        self.assertTrue(alive(program.pid))
        program.kill(signal.SIGTERM)
        self.assertLess(await self.ended(program), STOP_WITHIN)
        self.assertEqual([pid for pid in children if alive(pid)], [])
        self.assertTrue(program.said("killing it"), program.text)
