"""Every event arrives, whatever its broker does: refuses it, forgets its exchange, is silent, away, or slow."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from rateway.simulator.gateway.behaviour import Behaviour
from rateway.simulator.simulator import Simulator
from rateway.store.environment import Damaged
from rateway.store.opening import sessions_in
from rateway.store.sessions import SessionRecord
from tests.support.waiting import PATIENCE, eventually

from .harness import NAMES, WorldTestCase
from .line import Line
from .payloads import presence
from .program import ROOT, TWISTD, Program
from .worker import Received, Worker

FAILPOINTS = Path(__file__).with_name("failpoints")
ALL_NAMES = (*NAMES, "INTERACTION_CREATE", "TYPING_START")


def patched(values: str, whose: str = "RATEWAY_TEST_VALUES") -> dict[str, str]:
    """Settings for a rateway in whose children these constants are other than usual.

    :param whose: RATEWAY_TEST_PARENT_VALUES for those of the parent.
    """
    path = os.pathsep.join(filter(None, (str(FAILPOINTS), str(ROOT), os.environ.get("PYTHONPATH"))))
    return {"PYTHONPATH": path, whose: values}


def firsts(events: list[Received]) -> list[Received]:
    """Each event once, in the order in which they came first."""
    return list({event.properties.message_id: event for event in reversed(events)}.values())[::-1]


class LineTestCase(WorldTestCase):
    """rateway, and a line to its broker that can be cut."""

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        parts = urlsplit(self.amqp)
        assert parts.hostname and parts.port
        self.line = Line(self.reactor, (parts.hostname, parts.port))
        await self.line.open()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.line.cut()))
        # Before rateway is asked to stop, which is in the harness's own clean-up: it must have its broker for that.
        self.by_line = self.line.uri(self.amqp)

    async def lasting(self, *clusters: int, **arguments: Any) -> tuple[Worker, str]:
        """A worker whose queue is bound by all names and kept, whether somebody listens or not."""
        worker = await self.worker()
        queue = f"lasting-{uuid.uuid4().hex}"
        for cluster in clusters or (1,):
            await worker.bind(cluster, ALL_NAMES, queue=queue, durable=True)
        return worker, queue

    async def started(self, shards: int = 1, **settings: Any) -> tuple[Simulator, Program, Worker]:
        """rateway by the line, active; READY is in the worker's queue."""
        options = {name: settings.pop(name) for name in tuple(settings) if name.islower() and name != "argv"}
        simulator = await self.simulator(shards=shards, max_concurrency=shards, heartbeat_interval=2.0, **options)
        worker, _ = await self.lasting()
        program = self.rateway(simulator, AMQP_URI=self.by_line, **settings)
        await self.all_active(simulator, shards)
        await self.until(lambda: worker.names().count("GUILD_CREATE") == len(simulator.world.guilds), "the guilds")
        return simulator, program, worker

    async def received(self, simulator: Simulator, shard: int = 0) -> None:
        """rateway has all that was sent: a heartbeat says so."""
        last, connection = simulator.session(shard).seq, simulator.connection(shard).number
        mine = lambda f: f.connection == connection and f.op == 1 and f.d == last  # noqa: E731
        await self.until(lambda: any(map(mine, simulator.frames)), "rateway to have them")

    def send(self, simulator: Simulator, first: int, count: int, name: str = "TEST", shard: int = 0) -> None:
        """Numbered events."""
        for number in range(first, first + count):
            simulator.dispatch(shard, name, b"%d" % number)

    def numbers(self, worker: Worker, name: str = "TEST") -> list[int]:
        """Those that came, each once."""
        return [int(event.body) for event in firsts(worker.events) if event.key == name]

    async def arrived(self, worker: Worker, count: int, timeout: float = 2 * PATIENCE) -> None:
        """All of them, in order."""
        await self.until(lambda: len(self.numbers(worker)) >= count, f"{count} events", timeout)
        self.assertEqual(self.numbers(worker), list(range(count)))

    async def kept_session(self) -> SessionRecord:
        """The first thing that the store of cluster 1 says of shard 0's session."""
        path = self.folder / "state" / "cluster-1" / "entities"
        found: dict[int, SessionRecord] = {}

        def there() -> bool:
            with contextlib.suppress(Damaged):
                found.update(sessions_in(path))
            return bool(found)

        await self.until(there, "a session in the store")
        return found[0]

    async def is_asked(self, worker: Worker) -> None:
        """rateway's inbox is bound: a question is answered, sooner or later."""

        async def answered() -> bool:
            asked = worker.ask(1, "cache", b'{"type":"CurrentUser","arguments":[]}')
            return bool(await asked.addTimeout(2.0, self.reactor, onTimeoutCancel=lambda *_: None))

        await eventually(answered, what="an answer")

    async def kill(self, program: Program) -> None:
        """SIGKILL to the parent and its children."""
        for pid in (program.pid, *program.children()):
            os.kill(pid, signal.SIGKILL)
        self.assertEqual(await program.wait(), -signal.SIGKILL)

    async def declared_otherwise(self, exchange: str) -> None:
        """Somebody deletes the exchange and makes another of the name."""
        path = ("exchanges", self.vhost.name, exchange)
        await deferToThread(self.vhost.api.call, "DELETE", *path)
        await deferToThread(self.vhost.api.call, "PUT", *path, body={"type": "topic", "durable": True})


class RefusedTests(LineTestCase):
    """A queue that is full, and rejects what is published to it."""

    async def declare_full(self, queue: str) -> None:
        """A queue with room for ten, that refuses more; nobody consumes it."""
        api, vhost = self.vhost.api, self.vhost.name
        arguments = {"x-max-length": 10, "x-overflow": "reject-publish"}
        await deferToThread(api.call, "PUT", "queues", vhost, queue, body={"durable": True, "arguments": arguments})
        await deferToThread(
            api.call, "POST", "bindings", vhost, "e", "rateway-1", "q", queue, body={"routing_key": "TEST"}
        )

    async def test_nack_and_kill(self) -> None:
        """What the broker refuses waits on disk, out of the others' way, over a kill -9; at last all of it arrives."""
        simulator = await self.simulator(heartbeat_interval=2.0)
        quick = await self.worker(1, names=["OTHER"])
        queue = f"full-{uuid.uuid4().hex}"
        await self.declare_full(queue)
        program = self.rateway(simulator, AMQP_URI=self.by_line)
        await self.all_active(simulator, 1)
        self.send(simulator, 0, 50)
        await program.until_said("the broker refused")
        self.assertTrue(program.said("reject-publish"), program.text)
        for number in range(20):
            simulator.dispatch(0, "OTHER", b"%d" % number)
        await self.until(lambda: len(quick.events) == 20, "the others to flow on")
        self.assertEqual([event.body for event in quick.events], [b"%d" % number for number in range(20)])
        await self.kill(program)
        self.send(simulator, 50, 10)
        slow = await self.worker()
        await slow._consume(queue, slow.events.append)
        again = self.rateway(simulator, AMQP_URI=self.by_line)
        await self.until(lambda: set(self.numbers(slow)) == set(range(60)), "all of them")
        await again.until_said("events of an earlier run on disk")
        self.assertEqual(([r.answer for r in simulator.resumes], len(simulator.identifies)), (["resumed"], 1))


class ExchangeTests(LineTestCase):
    """The exchange is deleted or changed by somebody."""

    async def test_gone_when_the_broker_is_back(self) -> None:
        """It is declared anew, with the inbox bound to it; nothing is lost to who is bound in time."""
        simulator, _, _ = await self.started()
        await self.line.cut()
        self.send(simulator, 0, 20)
        await self.received(simulator)
        await deferToThread(self.vhost.api.call, "DELETE", "exchanges", self.vhost.name, "rateway-1")
        again, _ = await self.lasting()
        await self.line.open()
        await self.arrived(again, 20)
        await self.is_asked(again)
        await deferToThread(self.vhost.api.call, "DELETE", "exchanges", self.vhost.name, "rateway-1")
        self.send(simulator, 20, 1)
        # Nobody had declared it: rateway did, whose event went by nobody.
        await eventually(lambda: self.vhost.exchange("rateway-1"), what="the exchange")
        self.assertEqual(simulator.closes, [])

    async def test_declared_otherwise_meanwhile(self) -> None:
        """With other flags: a clear error, no end, events are held; once it is deleted, all arrive, in order."""
        simulator, program, _ = await self.started()
        await self.line.cut()
        self.send(simulator, 0, 20)
        await self.declared_otherwise("rateway-1")
        await self.line.open()
        said = lambda: [line for line in program.lines if "exists with other properties" in line]  # noqa: E731
        await self.until(said, "the error")
        self.assertIn(" error ", said()[0])
        self.assertIn("Delete it", said()[0])
        self.send(simulator, 20, 20)
        await self.received(simulator)
        self.assertIsNone(program.exit_code)
        await self.once_deleted(40)
        self.assertEqual((len(simulator.connections), simulator.closes), (1, []))

    async def once_deleted(self, count: int) -> None:
        """The exchange is deleted: rateway declares its own, and so many events arrive, in order."""
        # Not only shut: a try that is under way might declare the exchange before the worker binds its queue.
        await self.line.cut()
        await deferToThread(self.vhost.api.call, "DELETE", "exchanges", self.vhost.name, "rateway-1")
        worker, _ = await self.lasting()
        await self.line.open()
        await self.arrived(worker, count)

    async def test_a_child_dies_while_it_is_declared_otherwise(self) -> None:
        """The next one holds on too: its session is resumed, its events are held, nobody else is ended."""
        simulator, program, _ = await self.started()
        await self.line.cut()
        self.send(simulator, 0, 20)
        await self.received(simulator)
        await self.declared_otherwise("rateway-1")
        await self.line.open()
        await program.until_said("exists with other properties")
        program.kill_child(0)
        await self.until(lambda: simulator.resumes and simulator.is_connected(0), "the session's next connection")
        self.send(simulator, 20, 20)
        await self.received(simulator)
        said = lambda: sum("exists with other properties" in line for line in program.lines)  # noqa: E731
        await self.until(lambda: said() >= 2, "the next child's word")
        self.assertIsNone(program.exit_code)
        await self.once_deleted(40)
        self.assertEqual(({r.answer for r in simulator.resumes}, len(simulator.identifies)), ({"resumed"}, 1))

    async def test_deleted_under_us(self) -> None:
        """RabbitMQ closes the channel amid publishing (404): what it did not confirm is published again, in order."""
        simulator, program, worker = await self.started()
        self.send(simulator, 0, 10)
        await self.arrived(worker, 10)
        await self.line.shut()
        await deferToThread(self.vhost.api.call, "DELETE", "exchanges", self.vhost.name, "rateway-1")
        self.send(simulator, 10, 20)
        await program.until_said("NOT_FOUND")
        again, _ = await self.lasting()
        self.send(simulator, 30, 10)
        await self.line.open()
        await self.until(lambda: len(self.numbers(again)) >= 30, "the rest")
        self.assertEqual(self.numbers(again), list(range(10, 40)))
        await self.is_asked(again)


class SilentTests(LineTestCase):
    """A broker that confirms nothing."""

    async def test_confirms_that_never_come(self) -> None:
        """The connection is given up after a while, and all is published again: delivered twice, with the same ids."""
        self.line.without_confirms = 1000
        simulator = await self.simulator(heartbeat_interval=2.0)
        worker, _ = await self.lasting()
        settings = patched("rateway.amqp.broker:CONFIRM_WITHIN=2")
        program = self.rateway(simulator, AMQP_URI=self.by_line, **settings)
        await self.all_active(simulator, 1)
        self.send(simulator, 0, 10)
        await self.until(lambda: self.numbers(worker), "the events")
        # From now on, for a connection may have been given up before they were sent.
        self.line.without_confirms = 0
        await program.until_said("the broker confirmed nothing for 2 s")
        await self.until(lambda: sum(event.key == "TEST" for event in worker.events) >= 20, "them again")
        await self.arrived(worker, 10)
        ids = [event.properties.message_id for event in worker.events if event.key == "TEST"]
        self.assertEqual(len(set(ids)), 10)
        self.assertEqual(await program.stop(), 0)
        self.assertFalse(program.said("has not confirmed"), program.text)


class RestartTests(LineTestCase):
    """rateway is started while its broker is away."""

    async def test_sessions_go_on(self) -> None:
        """They are resumed at once, and their events held; nobody identifies before the broker is there."""
        simulator, program, _ = await self.started(shards=2)
        await self.line.cut()
        self.send(simulator, 0, 10)
        await self.received(simulator)
        self.assertEqual(await program.stop(), 0)
        simulator.forget_session(1)
        again = self.rateway(simulator, AMQP_URI=self.by_line)
        await self.until(lambda: len(simulator.resumes) == 2, "both shards to resume")
        self.send(simulator, 10, 10)
        await self.received(simulator)
        await again.until_said("no connection to the broker")
        self.assertEqual(len(simulator.identifies), 2)
        worker, _ = await self.lasting()
        await self.line.open()
        await self.arrived(worker, 20)
        await self.until(lambda: len(simulator.identifies) == 3, "the other one to identify")
        self.assertEqual(sorted(resume.answer for resume in simulator.resumes), ["invalid", "resumed"])


class InboxTests(LineTestCase):
    """What bots ask while the way to the broker is cut."""

    async def test_what_is_asked_meanwhile(self) -> None:
        """It waits in the inbox: afterwards queries are answered, and commands sent, or refused for their age."""
        simulator, program, worker = await self.started(COMMAND_TTL="60s")
        await self.line.cut()
        await program.until_said("events are held meanwhile")
        now = int(time.time())
        asked, old, fresh = (
            Deferred.fromCoroutine(each)
            for each in (
                worker.query(1, "CurrentUser"),
                worker.command(1, presence("old"), 0, timestamp=now - 100),
                worker.command(1, presence("fresh"), 0, timestamp=now),
            )
        )
        self.send(simulator, 0, 1)
        await self.received(simulator)
        self.assertFalse(asked.called or old.called or fresh.called)
        await self.line.open()
        self.assertIn("id", await asked)
        answer = await old
        self.assertEqual(answer["status"], "refused")
        self.assertIn("COMMAND_TTL is 60 s", answer["error"])
        self.assertEqual(await fresh, {"status": "sent"})
        await self.arrived(worker, 1)


class LostSessionTests(LineTestCase):
    """Discord ends the session while nobody takes its events."""

    async def lose(self, simulator: Simulator, how: int) -> None:
        if how == 9:
            simulator.invalidate(0, resumable=False)
        else:
            simulator.close(0, how)

    async def test_lost_while_the_broker_is_away(self) -> None:
        """Events of the lost session are kept over a kill -9, and come before READY of the new one."""
        for how in (9, 4007, 4009):
            simulator, program, worker = await self.started(STATE_DIR=self.folder / f"state-{how}")
            await self.line.cut()
            self.send(simulator, 0, 30)
            await self.received(simulator)
            old = simulator.session(0).id
            await self.lose(simulator, how)
            await self.until(lambda: len(simulator.identifies) == 2, "a new session")  # noqa: B023
            await self.all_active(simulator, 1)
            self.send(simulator, 30, 5)
            await self.received(simulator)
            await self.kill(program)
            await self.line.open()
            self.programs.append(
                Program(
                    self.reactor,
                    self.folder,
                    self.environ(simulator, AMQP_URI=self.by_line, STATE_DIR=self.folder / f"state-{how}"),
                )
            )
            await self.arrived(worker, 35)
            sessions = [str(event.properties.message_id).split(":")[1] for event in firsts(worker.events)]
            changes = [new for known, new in zip(["", *sessions], sessions, strict=False) if known != new]
            self.assertEqual(changes, [old, simulator.session(0).id])
            resumed = lambda: [r for r in simulator.resumes if r.session_id == simulator.session(0).id]  # noqa: B023, E731
            await self.until(resumed, "the resume")
            self.assertEqual((simulator.resumes[-1].answer, len(simulator.identifies)), ("resumed", 2))
            self.assertEqual(await self.programs[-1].stop(), 0)
            await worker.close()

    async def test_killed_right_after_ready(self) -> None:
        """READY, then kill -9, while no broker confirms anything: the session is resumed, not begun anew."""
        simulator = await self.simulator(heartbeat_interval=2.0)
        worker, _ = await self.lasting()
        simulator.on_connect(Behaviour(answer_delay=1.0))
        program = self.rateway(simulator, AMQP_URI=self.by_line)
        await self.until(lambda: simulator.identifies, "IDENTIFY")
        await self.line.cut()
        record = await self.kept_session()
        await self.kill(program)
        self.assertGreaterEqual(record.kept, 1)
        await self.line.open()
        self.rateway(simulator, AMQP_URI=self.by_line)
        await self.until(lambda: simulator.resumes, "the resume")
        (resume,) = simulator.resumes
        self.assertEqual((resume.answer, len(simulator.identifies), simulator.wasted), ("resumed", 1, []))
        self.assertGreaterEqual(resume.seq or 0, 1)
        self.send(simulator, 0, 5)
        await self.arrived(worker, 5)
        self.assertEqual(worker.names().count("READY"), 1)


class TimeToLiveTests(LineTestCase):
    """EVENT_TTL, from the setting to the consumer."""

    async def test_of_a_file(self) -> None:
        """The broker is told how long it may keep which events."""
        file = self.folder / "rateway.toml"
        file.write_text('[event_ttl]\nINTERACTION_CREATE = "3s"\nTYPING_START = "10s"\n')
        argv = [TWISTD, "-n", "--pidfile=", "rateway", str(file)]
        simulator, _, worker = await self.started(argv=argv)
        for name in ("INTERACTION_CREATE", "TYPING_START", "TEST"):
            simulator.dispatch(0, name, b"0")
        await self.until(lambda: "TEST" in worker.names(), "the events")
        told = {event.key: event.properties.expiration for event in worker.events}
        expected = {"INTERACTION_CREATE": "3000", "TYPING_START": "10000", "TEST": None, "READY": None}
        self.assertEqual({name: told[name] for name in expected}, expected)

    async def test_an_outage(self) -> None:
        """What an outage outlasts is dropped and counted; all others arrive, with what is left of their time."""
        simulator, program, worker = await self.started(EVENT_TTL="INTERACTION_CREATE=3s,TYPING_START=60s")
        await self.line.cut()
        for number in range(1, 21):
            simulator.dispatch(0, "INTERACTION_CREATE" if number % 2 else "TEST", b"%d" % number)
        simulator.dispatch(0, "TYPING_START", b"1")
        await self.received(simulator)
        # From when they are there: what comes late is young.
        began = time.monotonic()
        await self.until(lambda: time.monotonic() > began + 3.5, "an outage longer than 3 s")
        await self.line.open()
        await self.until(lambda: self.numbers(worker)[-1:] == [20], "the events that have no end")
        self.send(simulator, 21, 1, "INTERACTION_CREATE")
        await self.until(lambda: self.numbers(worker, "INTERACTION_CREATE"), "a fresh one")
        self.assertEqual(self.numbers(worker), [*range(2, 21, 2)])
        self.assertEqual(self.numbers(worker, "INTERACTION_CREATE"), [21])
        self.assertEqual(self.numbers(worker, "TYPING_START"), [1])
        left = {event.key: int(event.properties.expiration or 0) for event in worker.events}
        self.assertTrue(0 < left["TYPING_START"] <= 60_000 - 3500, left)
        self.assertEqual(left["INTERACTION_CREATE"], 3000)
        self.assertEqual(await program.stop(), 0)
        dropped = [line for line in program.lines if "EVENT_TTL" in line]
        self.assertIn("events for rateway-1 had waited longer", dropped[0])
        counts = [int(word) for line in dropped for word in line.rpartition("dropped: ")[2].split()[:1]]
        self.assertEqual(sum(counts), 10, dropped)


class SlowTests(LineTestCase):
    """A broker that takes less than comes."""

    async def test_a_hundred_of_two_thousand(self) -> None:
        """2,000 events a second for a broker that takes 100: memory is bounded, the rest is on disk, none is lost."""
        simulator, program, worker = await self.started()
        (child,) = program.children()
        before, most, sent = resident(child), 0, 0
        pad = b"x" * 6000
        self.line.slow_down(100 * 6200)
        began = time.monotonic()
        while sent < 12_000:
            # No more than some at a time: a Discord that is busy acknowledges no heartbeat, and is given up as dead.
            for _ in range(min(int((time.monotonic() - began) * 2000) - sent, 12_000 - sent, 100)):
                simulator.dispatch(0, "TEST", b'"%06d%b"' % (sent, pad))
                sent += 1
            await self.breathe()
            most = max(most, resident(child))
        self.assertLess(len(worker.events), sent / 4)
        await self.received(simulator)
        most = max(most, resident(child))
        spooled = sum(path.stat().st_size for path in self.folder.rglob("*.spool"))
        self.assertGreater(spooled, sent * 6000 // 2)
        self.assertLess(most - before, 80e6, f"{before / 1e6:.0f} MB at first, then {most / 1e6:.0f} MB")
        self.line.hurry_up()
        count = lambda: sum(event.key == "TEST" for event in worker.events)  # noqa: E731
        await self.until(lambda: count() >= sent, f"{sent} events", 120)
        got = [int(event.body[1:7]) for event in firsts(worker.events) if event.key == "TEST"]
        self.assertEqual(got, list(range(sent)))
        self.assertEqual((len(simulator.connections), simulator.closes), (1, []))
        await self.until(lambda: not [*self.folder.rglob("*.spool")], "an empty disk")

    async def breathe(self) -> None:
        """Let the sockets be read and written."""
        turned: Deferred[None] = Deferred()
        self.reactor.callLater(0.01, turned.callback, None)
        await turned


def resident(pid: int) -> int:
    """Bytes of a process in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
