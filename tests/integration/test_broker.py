"""Events into the broker, whatever becomes of it (acceptance criterion 70; docs/user-guide.md, "Events")."""

from __future__ import annotations

import atexit
import os
import signal
import time
import uuid
from collections.abc import Mapping
from functools import cache
from random import Random
from typing import Any

import ujson
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread

from rateway.simulator.simulator import Simulator
from tests.support.broker import PrivateBroker
from tests.support.waiting import eventually

from .harness import NAMES, WorldTestCase
from .payloads import presence
from .program import Program
from .worker import Received, Worker

QUICK = "?heartbeat=2"
"""AMQP heartbeats every 2 s: patience with another consumer is counted in them."""

ORDERS = (("t", "s", "op", "d"), ("op", "d", "s", "t"), ("d", "op", "t", "s"), ("s", "t", "d", "op"))


def firsts(events: list[Received], name: str = "TEST") -> list[Received]:
    """Each event's first delivery, in order of arrival."""
    seen: dict[str, Received] = {}
    for event in events:
        if event.key == name:
            seen.setdefault(event.properties.message_id, event)
    return list(seen.values())


def bodies(events: list[Received]) -> list[bytes]:
    """The bodies of TEST events, each event once."""
    return [event.body for event in firsts(events)]


def numbered(count: int) -> list[bytes]:
    """The bodies of the events that :class:`Traffic` sends."""
    return [b"%d" % number for number in range(count)]


@cache
def private_broker() -> PrivateBroker:
    """A broker that may be killed; it ends with the process."""
    broker = PrivateBroker()
    atexit.register(broker.remove_blocking)
    return broker


class Traffic:
    """Numbered events on shard 0, one every 10 ms."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self.sent = 0
        self._call = LoopingCall(self.send)
        self._done = self._call.start(0.01)

    def send(self, count: int = 1) -> None:
        """So many more, now."""
        for _ in range(count):
            self._simulator.dispatch(0, "TEST", b"%d" % self.sent)
            self.sent += 1

    async def stop(self) -> None:
        """No more by themselves."""
        if self._call.running:
            self._call.stop()
            await self._done


class DeliveryTests(WorldTestCase):
    """What arrives, and how it looks."""

    async def test_every_byte_in_order(self) -> None:
        """1,200 events on 4 shards in 2 clusters arrive byte for byte, in order, on the right exchanges.

        Names nobody knows, escapes of every spelling, 60 kB, and what looks like an envelope inside of ``d``.
        """
        simulator = await self.simulator(shards=4, max_concurrency=4, guilds=4, members=3)
        names = ["TEST", "MESSAGE_CREATE", "TOMORROWS_EVENT", "X9"]
        worker = await self.worker(1, 2, names=[*names, "READY"])
        began = time.time()
        self.rateway(simulator, SHARDS_PER_CLUSTER=2, PROCESSES=2)
        await self.all_active(simulator, 4)
        random = Random(7)
        shapes = [
            lambda n: b'{"n":%d}' % n,
            lambda n: b'{ "n" : %d , "float" : 1.50e+03, "big" : 123456789012345678901234567890 }' % n,
            lambda n: b'{"content":"\\u00e9\\/\\"\\\\ \\ud83d\\ude00 \\u0000","n":%d}' % n,
            lambda n: '{"content":"Zürich 😀 \u2028","n":%d}'.encode() % n,
            lambda n: b'{"op":9,"t":"RESUMED","s":%d,"d":{"op":7,"t":null,"s":1}}' % n,
            lambda n: b'{"x":"\\"op\\":9,\\"t\\":\\"READY\\",\\"d\\":{","op":11,"n":%d}' % n,
            lambda n: b'{"pad":"%b","n":%d}' % (b'"op":7,'.replace(b'"', b'\\"') * 6700, n),
            lambda n: b"null",
            lambda n: b"[]",
            lambda n: b"%d" % n,
            lambda n: b'"\\u2028 %d"' % n,
        ]
        sent: dict[int, list[tuple[str, bytes, int]]] = {shard: [] for shard in range(4)}
        for number in range(1200):
            shard = number % 4
            name, body = random.choice(names), random.choice(shapes)(number)
            seq = simulator.dispatch(shard, name, body, order=random.choice(ORDERS))
            sent[shard].append((name, body, seq))
        await self.until(lambda: sum(event.key != "READY" for event in worker.events) >= 1200, "1,200 events")
        for shard, expected in sent.items():
            got = [event for event in worker.of_shard(shard) if event.key != "READY"]
            self.assertEqual([(event.key, event.body, event.seq) for event in got], expected)
            self.assertEqual({event.exchange for event in got}, {f"rateway-{shard // 2 + 1}"})
            session = simulator.session(shard).id
            for event in worker.of_shard(shard):
                self.check_properties(event, shard, session, began)

    def check_properties(self, event: Received, shard: int, session: str, began: float) -> None:
        """What every event bears."""
        properties = event.properties
        headers: dict[str, Any] = properties.headers
        self.assertEqual(headers.keys(), {"shard_id", "seq", "received_at"})
        self.assertTrue(all(isinstance(value, int) for value in headers.values()), headers)
        self.assertEqual(headers["shard_id"], shard)
        self.assertEqual(properties.message_id, f"{shard}:{session}:{headers['seq']}")
        self.assertEqual((properties.content_type, properties.app_id), ("application/json", "rateway"))
        self.assertEqual((properties.type, properties.delivery_mode), (event.key, 2))
        self.assertTrue(began * 1000 - 1 <= headers["received_at"] <= time.time() * 1000 + 1)
        self.assertEqual(properties.timestamp, headers["received_at"] // 1000)
        for name in ("correlation_id", "reply_to", "expiration", "user_id", "priority"):
            self.assertIsNone(getattr(properties, name))

    async def test_transient_messages(self) -> None:
        """AMQP_PERSISTENT=false: delivery mode 1, as the original had it."""
        _, _, worker = await self.up(settings={"AMQP_PERSISTENT": "false"})
        await self.until(lambda: "READY" in worker.names(), "READY")
        self.assertEqual({event.properties.delivery_mode for event in worker.events}, {1})

    async def test_what_stands_on_the_broker(self) -> None:
        """Exchanges and queues are as bots declare them; each inbox is bound by its two keys, and rateway's alone."""
        simulator = await self.simulator(shards=3, max_concurrency=3)
        self.rateway(simulator, SHARDS_PER_CLUSTER=2)
        await self.all_active(simulator, 3)
        self.assertEqual(await self.vhost.exchanges(), {"rateway-1", "rateway-2"})
        self.assertEqual(await self.vhost.queues(), {"rateway-incoming-1", "rateway-incoming-2"})
        for cluster in (1, 2):
            name, inbox = f"rateway-{cluster}", f"rateway-incoming-{cluster}"
            exchange, queue = await self.vhost.exchange(name), await self.vhost.queue(inbox)
            assert exchange is not None and queue is not None
            expected = {"type": "direct", "durable": True, "auto_delete": False, "internal": False, "arguments": {}}
            self.assertEqual({key: exchange[key] for key in expected}, expected)
            flags = {key: queue[key] for key in ("durable", "auto_delete", "exclusive")}
            self.assertEqual(flags, dict.fromkeys(flags, False))
            self.assertEqual(await self.vhost.bindings(name), {(inbox, "cache"), (inbox, "gateway")})

            async def consumers(inbox: str = inbox) -> list[bool]:
                found = await self.vhost.queue(inbox)
                return [each["exclusive"] for each in (found or {}).get("consumer_details", ())]

            self.assertEqual(await eventually(consumers, what="the consumer"), [True])

    async def test_events_nobody_wants(self) -> None:
        """An event that no queue is bound to is dropped by the broker; nothing waits for it."""
        simulator, program, worker = await self.up()
        for _ in range(500):
            simulator.dispatch(0, "UNWANTED", {})
        simulator.dispatch(0, "TEST", b"1")
        await self.until(lambda: "TEST" in worker.names(), "the next event")
        self.assertEqual(await program.stop(), 0)
        self.assertFalse(program.said("not confirmed"), program.text)

    async def test_a_second_rateway_takes_nothing(self) -> None:
        """Another rateway on the same vhost can't take a cluster: it ends with a clear word; the first serves on."""
        simulator, _, worker = await self.up(settings={"AMQP_URI": self.amqp + QUICK})
        other = await self.simulator()
        second = self.rateway(other, STATE_DIR=self.folder / "other", AMQP_URI=self.amqp + QUICK)
        self.assertNotEqual(await second.wait(), 0)
        self.assertTrue(second.said("consumed by somebody else"), second.text)
        self.assertEqual(sum("rateway stops" in line for line in second.lines), 1, second.text)
        self.assertEqual((other.identifies, other.connections), ([], []))
        self.assertEqual(await worker.command(1, presence("mine"), 0), {"status": "sent"})
        self.assertIsNotNone(await worker.query(1, "CurrentUser"))
        self.assertEqual((len(simulator.connections), simulator.closes), (1, []))

    async def test_takes_over_when_the_first_leaves(self) -> None:
        """While it is patient, a second rateway gets the cluster as soon as the first ends."""
        _, first, worker = await self.up(settings={"AMQP_URI": self.amqp + QUICK})
        other = await self.simulator()
        second = self.rateway(other, STATE_DIR=self.folder / "other", AMQP_URI=self.amqp + "?heartbeat=30")
        await second.until_said("consumed by somebody else")
        self.assertEqual(await first.stop(), 0)
        await self.all_active(other, 1)
        self.assertIsNotNone(await worker.query(1, "CurrentUser"))

    async def test_closed_by_the_operator(self) -> None:
        """A connection the broker closes under traffic comes back: nothing is lost, first deliveries are in order."""
        simulator, program, worker = await self.up()
        traffic = Traffic(simulator)
        await self.until(lambda: len(firsts(worker.events)) > 50, "the first events")
        await eventually(self.close_rateways, what="rateway's connection")
        connected = "is connected to the broker"
        await self.until(lambda: sum(connected in line for line in program.lines) == 2, "the connection")
        before = traffic.sent
        await self.until(lambda: traffic.sent > before + 100, "some more")
        await traffic.stop()
        await self.until(lambda: len(firsts(worker.events)) == traffic.sent, "all events")
        self.assertEqual(bodies(worker.events), numbered(traffic.sent))
        self.assertEqual(await worker.command(1, presence("again"), 0), {"status": "sent"})
        self.assertIsNotNone(await worker.query(1, "CurrentUser"))
        self.assertEqual((len(simulator.connections), simulator.closes), (1, []))

    async def close_rateways(self) -> int:
        """Have the broker close rateway's connections, and nobody else's; how many there were."""
        own = [
            each
            for each in await self.vhost.connections()
            if each.get("client_properties", {}).get("product") == "rateway"
        ]
        for each in own:
            headers = {"X-Reason": "closed by a test"}
            await deferToThread(self.vhost.api.call, "DELETE", "connections", each["name"], headers=headers)
        return len(own)


class OutageTests(WorldTestCase):
    """A broker of these tests' own, that dies and comes back."""

    timeout = 300
    serves = False

    @property
    def broker(self) -> PrivateBroker:
        """It takes some seconds to start, so these tests share one."""
        return private_broker()

    async def start_broker(self) -> None:
        """As for the first time, or again."""
        if not OutageTests.serves:
            await self.broker.start()
            OutageTests.serves = True

    async def kill_broker(self) -> None:
        """As when its host dies."""
        OutageTests.serves = False
        await self.broker.kill()

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        await self.start_broker()
        self.vhost = self.broker.vhost
        self.amqp = self.vhost.uri
        self.queue = f"lasting-{uuid.uuid4().hex}"

    async def lasting(self) -> Worker:
        """A worker whose queue outlives it, and the broker."""
        worker = await self.worker()
        await worker.bind(1, NAMES, queue=self.queue, durable=True)
        return worker

    async def running(
        self, settings: Mapping[str, str] | None = None, **options: Any
    ) -> tuple[Simulator, Program, Worker]:
        """rateway, active, and such a worker."""
        simulator = await self.simulator(**options)
        worker = await self.lasting()
        program = self.rateway(simulator, **dict(settings or {}))
        await self.all_active(simulator, 1)
        return simulator, program, worker

    async def test_criterion_70_broker_killed_under_traffic(self) -> None:
        """The broker is away for more than 10 s: heartbeats go on, the session stays, every event arrives, in order."""
        simulator, program, worker = await self.running(heartbeat_interval=2.0)
        traffic = Traffic(simulator)
        await self.until(lambda: len(firsts(worker.events)) > 100, "the first events")
        await self.kill_broker()
        died = self.reactor.seconds()
        await program.until_said("no connection to the broker")
        await self.until(lambda: self.reactor.seconds() > died + 10.0, "10 s without a broker")
        await self.start_broker()
        again = await self.lasting()
        away = self.reactor.seconds() - died
        beats = [frame.at for frame in simulator.frames if frame.op == 1 and frame.at > died]
        self.assertGreaterEqual(len(beats), int(away / 2.0) - 1)
        await self.until(lambda: again.events, "the first event after that")
        await traffic.stop()
        both = lambda: worker.events + again.events  # noqa: E731
        await self.until(lambda: len(firsts(both())) >= traffic.sent, "every event", 120)
        self.assertEqual(bodies(both()), numbered(traffic.sent))
        self.assertEqual((len(simulator.connections), simulator.closes, simulator.resumes), (1, [], []))
        self.assertIsNone(program.exit_code)
        self.assertIsNotNone(await again.query(1, "CurrentUser"))
        self.assertEqual(await again.command(1, presence("back"), 0), {"status": "sent"})
        self.assertEqual(sum("no connection to the broker" in line for line in program.lines), 1, program.text)

    async def test_criterion_70_rateway_killed_with_unconfirmed_events(self) -> None:
        """rateway dies by kill -9 while no broker takes its events: the next one resumes behind what was confirmed."""
        simulator, program, worker = await self.running(heartbeat_interval=1.0)
        traffic = Traffic(simulator)
        await self.until(lambda: len(firsts(worker.events)) > 100, "the first events")
        await self.kill_broker()
        await self.until(lambda: traffic.sent > 300, "events that nobody confirms")
        await traffic.stop()
        last = simulator.session(0).seq
        await self.until(lambda: any(f.op == 1 and f.d == last for f in simulator.frames), "rateway to have them")
        arrived = len(firsts(worker.events))
        self.assertLess(arrived, traffic.sent)
        await self.kill_all(program)
        await self.until(lambda: not simulator.is_connected(0), "the end of the connection")
        traffic.send(50)
        await self.start_broker()
        again = await self.lasting()
        self.rateway(simulator)
        both = lambda: worker.events + again.events  # noqa: E731
        await self.until(lambda: len(firsts(both())) >= traffic.sent, "every event", 120)
        self.assertEqual(bodies(both()), numbered(traffic.sent))
        (resume,) = simulator.resumes
        self.assertEqual((resume.answer, len(simulator.identifies)), ("resumed", 1))
        self.assertLess(resume.seq, last)
        # It resumed behind all that was confirmed, but for what was under way: not at the beginning of the session.
        self.assertGreater(resume.seq, firsts(worker.events)[50].seq)

    async def kill_all(self, program: Program) -> None:
        """SIGKILL to the parent and its children, at once."""
        pids = [program.pid, *program.children()]
        self.assertEqual(len(pids), 2)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.assertEqual(await program.wait(), -signal.SIGKILL)

    async def test_criterion_70_more_than_memory_holds(self) -> None:
        """What memory can't hold waits on disk: all is received, and survives the death of rateway meanwhile."""
        simulator, program, worker = await self.running(heartbeat_interval=2.0)
        await self.until(lambda: "READY" in worker.names(), "READY")
        await self.kill_broker()
        await program.until_said("no connection to the broker")
        await self.dispatch_large(simulator, 700)
        last = simulator.session(0).seq
        await self.until(lambda: any(f.op == 1 and f.d == last for f in simulator.frames), "rateway to have them all")
        await self.kill_all(program)
        await self.start_broker()
        again = await self.lasting()
        self.rateway(simulator)
        await self.until(lambda: len(firsts(again.events)) == 700, "every event", 120)
        self.assertEqual([ujson.loads(body)["n"] for body in bodies(again.events)], list(range(700)))
        await self.until(lambda: simulator.resumes, "the resume")
        (resume,) = simulator.resumes
        self.assertEqual((resume.answer, len(simulator.identifies)), ("resumed", 1))
        # Nearly all of it came from disk.
        self.assertLess(resume.replayed, 400)

    async def test_criterion_70_more_than_the_disk_may_hold(self) -> None:
        """Events for which there is no room are left with Discord: reading stops, heartbeats go on, nothing is lost."""
        simulator, program, worker = await self.running(heartbeat_interval=2.0, settings={"SPOOL_LIMIT": "20MiB"})
        await self.until(lambda: "READY" in worker.names(), "READY")
        await self.kill_broker()
        await program.until_said("no connection to the broker")
        await self.dispatch_large(simulator, 1000)
        last = simulator.session(0).seq
        beats = lambda: [frame for frame in simulator.frames if frame.op == 1]  # noqa: E731
        begun = len(beats())
        await self.until(lambda: len(beats()) > begun + 3 and len({f.d for f in beats()[-3:]}) == 1, "reading to stop")
        self.assertNotEqual(beats()[-1].d, last)
        await self.start_broker()
        again = await self.lasting()
        await self.until(lambda: len(firsts(again.events)) == 1000, "every event", 120)
        self.assertEqual([ujson.loads(body)["n"] for body in bodies(again.events)], list(range(1000)))
        self.assertEqual((len(simulator.connections), simulator.closes, simulator.wasted), (1, [], []))
