"""What is said on a connection (acceptance criteria 1-6, 20, 24, 38, 39, 63)."""

from __future__ import annotations

import itertools

import ujson

from rateway.model.closecodes import OwnClose
from rateway.simulator.gateway.behaviour import Behaviour
from rateway.simulator.records import Frame
from rateway.simulator.simulator import Simulator

from .harness import TOKEN, WorldTestCase

INTERVAL = 1.0
BUSY = 1.0
"""Seconds by which a busy machine may delay any one thing."""


class ConversationTests(WorldTestCase):
    """HELLO, heartbeats, IDENTIFY, READY, and what Discord may say besides."""

    async def test_criterion_01_normal_start(self) -> None:
        """One shard: /gateway/bot is asked as Discord demands, IDENTIFY follows HELLO, READY makes it active."""
        simulator, _, worker = await self.up()
        request = simulator.rest.requests("/gateway/bot")[0]
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.assertEqual(headers["authorization"], f"Bot {TOKEN}")
        self.assertRegex(headers["user-agent"], r"^DiscordBot \(https?://\S+, [^)]+\)")
        (connected,) = simulator.connections
        self.assertEqual((connected.query["v"], connected.query["encoding"]), ("10", "json"))
        (identify,) = simulator.identifies
        self.assertEqual((identify.shard, identify.total, identify.answer), (0, 1, "ready"))
        await self.until(lambda: "READY" in worker.names(), "READY")

    async def test_criterion_02_url_with_and_without_slash(self) -> None:
        """The gateway's address may end with a slash or not."""
        for slash in (True, False):
            simulator = await self.simulator(trailing_slash=slash)
            program = self.rateway(simulator, STATE_DIR=self.folder / f"state-{slash}")
            await self.all_active(simulator, 1)
            self.assertEqual({connected.path for connected in simulator.connections}, {"/"})
            self.assertEqual(await program.stop(), 0)

    async def test_criterion_03_heartbeats(self) -> None:
        """The first within the interval, at another moment each time; then regular; null until READY."""
        firsts: list[float] = []
        for _ in range(2):
            simulator = await self.simulator(shards=2, max_concurrency=2, heartbeat_interval=INTERVAL)
            simulator.on_connect(Behaviour(identify="silence"))
            program = self.rateway(simulator, STATE_DIR=self.folder / f"state-{len(firsts)}")
            await self.until(lambda: len(self.beats(simulator, 1)) >= 3, "heartbeats without READY")  # noqa: B023
            await self.until(lambda: len(self.beats(simulator, 2)) >= 6, "heartbeats")  # noqa: B023
            self.assertEqual({frame.d for frame in self.beats(simulator, 1)}, {None})
            times = [frame.at for frame in self.beats(simulator, 2)]
            opened = simulator.connections[1].at
            self.assertLessEqual(times[0] - opened, INTERVAL + BUSY)
            # A busy machine makes one late, and the next come sooner after it; it doesn't shift them all.
            gaps = sorted(later - earlier for earlier, later in itertools.pairwise(times))
            self.assert_near(gaps[len(gaps) // 2], INTERVAL, INTERVAL * 0.1)
            self.assert_near(times[-1] - times[0], INTERVAL * len(gaps), INTERVAL * 0.05 * len(gaps) + BUSY)
            firsts.append(times[0] - opened)
            self.assertEqual(await program.stop(), 0)
        self.assertNotAlmostEqual(firsts[0], firsts[1], places=3)

    def beats(self, simulator: Simulator, number: int) -> list[Frame]:
        """The heartbeats of the n-th connection."""
        connections = [connected.number for connected in simulator.connections]
        if len(connections) < number:
            return []
        return [frame for frame in simulator.frames if frame.op == 1 and frame.connection == connections[number - 1]]

    def assert_near(self, seconds: float, expected: float, delta: float) -> None:
        """Two times are no further apart than that."""
        self.assertLessEqual(abs(seconds - expected), delta, f"{seconds:.3f} s instead of {expected:.3f} s")

    async def test_criterion_04_heartbeat_on_demand(self) -> None:
        """Op 1 is answered at once, and the regular beat keeps its time."""
        simulator, _, _ = await self.up(heartbeat_interval=3.0)
        before = len(self.beats(simulator, 1))
        await self.until(lambda: len(self.beats(simulator, 1)) > before, "the first heartbeat")
        regular = self.beats(simulator, 1)[before].at
        asked = self.reactor.seconds()
        simulator.request_heartbeat(0)
        await self.until(lambda: len(self.beats(simulator, 1)) > before + 1, "the answer")
        self.assertLess(self.beats(simulator, 1)[before + 1].at - asked, BUSY)
        await self.until(lambda: len(self.beats(simulator, 1)) > before + 2, "the regular heartbeat")
        self.assert_near(self.beats(simulator, 1)[before + 2].at - regular, 3.0, BUSY)

    async def test_criterion_05_zombie(self) -> None:
        """No ACK: at the next beat the connection is closed resumably, and resumed at the resume host."""
        simulator, _program, worker = await self.up(heartbeat_interval=INTERVAL)
        simulator.dispatch(0, "TEST", b"0")
        simulator.set_behaviour(0, Behaviour(ack="none"))
        await self.until(lambda: simulator.resumes, "the resume")
        self.assertEqual(simulator.closes[0].code, OwnClose.ZOMBIE)
        self.assertEqual(simulator.resumes[0].host, "127.0.0.2")
        await self.until(lambda: "RESUMED" in worker.names(), "RESUMED")
        self.assertEqual(worker.names().count("TEST"), 1)
        self.assertEqual(len(simulator.identifies), 1)

    async def test_criterion_06_bare_ack(self) -> None:
        """An ACK without d, s and t is one."""
        simulator = await self.simulator(heartbeat_interval=INTERVAL)
        simulator.behave(Behaviour(ack="bare"))
        self.rateway(simulator)
        await self.until(lambda: len(self.beats(simulator, 1)) >= 4, "heartbeats")
        self.assertEqual((len(simulator.connections), simulator.closes), (1, []))

    async def test_criterion_20_invalid_session_after_identify(self) -> None:
        """Op 9 false as the answer to IDENTIFY: the shard queues again, at least 5 s later."""
        simulator = await self.simulator()
        simulator.on_connect(Behaviour(identify="invalid"))
        self.rateway(simulator)
        await self.all_active(simulator, 1)
        first, second = simulator.identifies
        self.assertGreaterEqual(second.at - first.at, 5.0)

    async def test_criterion_24_ready_never_comes(self) -> None:
        """IDENTIFY without an answer: closed resumably after a while, and identified anew by permit."""
        simulator = await self.simulator()
        simulator.on_connect(Behaviour(identify="silence"))
        self.rateway(simulator)
        await self.all_active(simulator, 1)
        self.assertEqual(len(simulator.identifies), 2)
        self.assertEqual(simulator.closes[0].code, OwnClose.TIMEOUT)

    async def test_criterion_38_unknown_things(self) -> None:
        """Unknown ops are ignored; unknown events and fields arrive as they were sent."""
        simulator = await self.simulator()
        worker = await self.worker(1, names=["READY", "TOMORROWS_EVENT"])
        self.rateway(simulator)
        await self.until(lambda: "READY" in worker.names(), "READY")
        simulator.send_op(0, 99, {"a": 1})
        body = b'{ "unknown" : [1.0, 1e3, "\\u00e9\\/", {"op":7,"t":"X"}] }'
        simulator.send_text(0, b'{"new_key":{"op":9},"d":' + body + b',"s":900,"op":0,"t":"TOMORROWS_EVENT"}')
        await self.until(lambda: "TOMORROWS_EVENT" in worker.names(), "the event")
        self.assertEqual((worker.events[-1].body, worker.events[-1].seq), (body, 900))
        self.assertEqual(len(simulator.connections), 1)

    async def test_criterion_39_sequence_gap(self) -> None:
        """A gap in the sequence is none of our business; the RESUME is behind it."""
        simulator, _, worker = await self.up()
        simulator.skip_sequences(0, 4)
        seq = simulator.dispatch(0, "TEST", b"1")
        await self.until(lambda: "TEST" in worker.names(), "the event")
        simulator.drop(0)
        await self.until(lambda: simulator.resumes, "the resume")
        self.assertEqual(simulator.resumes[0].seq, seq)

    async def test_criterion_63_foreign_events(self) -> None:
        """Direct messages and events of another shard's guild are forwarded as they come, by the shard's own id."""
        simulator = await self.simulator(shards=2, max_concurrency=2)
        worker = await self.worker(1)
        self.rateway(simulator)
        await self.all_active(simulator, 2)
        foreign = ujson.dumps({"id": "1", "channel_id": "2", "guild_id": str(1 << 22), "content": "x"}).encode()
        direct = b'{"id":"3","channel_id":"4","channel_type":1,"content":"y"}'
        simulator.dispatch(0, "MESSAGE_CREATE", foreign)
        simulator.dispatch(1, "MESSAGE_CREATE", direct)
        await self.until(lambda: worker.names().count("MESSAGE_CREATE") == 2, "both")
        got = {(event.shard, event.body) for event in worker.events if event.key == "MESSAGE_CREATE"}
        self.assertEqual(got, {(0, foreign), (1, direct)})
