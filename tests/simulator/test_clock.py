"""The world's own time: virtual, accelerated, or everybody's."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from rateway.simulator.commandline import Options
from rateway.simulator.hub import Hub
from rateway.simulator.options import SimulatorOptions
from rateway.simulator.simulator import Simulator
from rateway.simulator.world.clock import AcceleratedClock, world_clock
from rateway.simulator.world.payloads import EPOCH
from rateway.simulator.world.traffic import Traffic
from tests.simulator.bench import NOW, BenchCase
from tests.simulator.client import SimulatorTestCase, the_reactor


def seconds_of(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


class AcceleratedClockTests(SynchronousTestCase):
    """A clock that runs faster than another."""

    def test_time(self) -> None:
        """It starts with the other's time and gains on it; calls come at its own time."""
        clock = Clock()
        clock.advance(1000.0)
        fast = AcceleratedClock(clock, 60.0)
        called: list[float] = []
        fast.callLater(30.0, lambda: called.append(fast.seconds()))
        self.assertEqual(fast.seconds(), 1000.0)
        clock.advance(0.49)
        self.assertEqual(called, [])
        clock.advance(0.01)
        self.assertEqual([round(time, 6) for time in called], [1030.0])

    def test_speeds(self) -> None:
        """At speed 1 it is the other clock itself; speeds that are none are refused."""
        clock = Clock()
        self.assertIs(world_clock(clock, 1.0), clock)
        for speed in (0.0, -1.0, float("inf"), float("nan")):
            self.assertRaises(ValueError, world_clock, clock, speed)


class WorldTimeTests(BenchCase):
    """What follows the world's time, and what doesn't."""

    world_clock: Clock

    def start(self, **options: Any) -> None:
        """Two clocks: that of connections, and that of the world."""
        super().start(**options)
        self.world_clock = Clock()
        self.hub = self.face.hub = Hub(self.clock, SimulatorOptions(**{"guilds": 0, **options}), self.world_clock)

    def test_timestamps(self) -> None:
        """A virtual clock begins with the world; messages bear its time, and so do their ids."""
        self.start(guilds=1)
        client, channel = self.ready(), self.face.guild(0).text_channels()[0]
        client.wire.messages.clear()
        for hours in (0, 5):
            self.world_clock.advance(hours * 3600.0)
            self.hub.deeds.post_message(channel, "x")
        first, second = (payload["d"] for payload in client.wire.payloads)
        self.assertEqual(seconds_of(first["timestamp"]), EPOCH)
        self.assertEqual(seconds_of(second["timestamp"]), EPOCH + 5 * 3600)
        self.assertEqual((int(second["id"]) >> 22) - (int(first["id"]) >> 22), 5 * 3600 * 1000)

    def test_traffic(self) -> None:
        """Nothing happens while the world stands still, whatever time passes for clients; its rate is in its time."""
        self.start(guilds=2, mix="typing=1", heartbeat_interval=1e6)
        client = self.ready()
        client.wire.messages.clear()
        Traffic(self.hub).start(10.0)
        self.clock.advance(100.0)
        self.assertEqual(client.wire.messages, [])
        self.world_clock.pump([0.02] * 500)
        self.assertTrue(98 <= len(client.wire.messages) <= 101, len(client.wire.messages))

    def test_age_of_sessions(self) -> None:
        """A session whose client is away ages by the world's time: 300 s by default."""
        for world, clients, op in ((299.0, 1e5, None), (301.0, 0.0, 9)):
            self.start(guilds=0, identify_window=0.0, heartbeat_interval=1e6)
            first = self.ready()
            first.leave()
            self.world_clock.advance(world)
            self.clock.advance(clients)
            second = self.connect()
            second.resume(first.session_id, 1)
            self.settle()
            last = second.wire.payloads[-1]
            self.assertEqual((last["op"], last["t"]), (9, None) if op else (0, "RESUMED"))

    def test_age_of_the_replay(self) -> None:
        """What a session keeps ages by the world's time: what is too old can't be replayed."""
        for passed, answer in ((299.0, "resumed"), (301.0, "invalid")):
            self.start(guilds=1, identify_window=0.0, heartbeat_interval=1e6)
            first, channel = self.ready(), self.face.guild(0).text_channels()[0]
            self.world_clock.advance(passed)
            self.hub.deeds.post_message(channel, "x")
            first.leave()
            second = self.connect()
            second.resume(first.session_id, 1)
            self.settle()
            self.assertEqual(self.hub.journal.resumes[-1].answer, answer)

    def test_limits(self) -> None:
        """What a client counts in its own seconds does not follow the world: however late it is there."""
        self.start(guilds=1, members=5, heartbeat_interval=40.0)
        client = self.ready()
        self.world_clock.advance(1e6)
        self.assertEqual(client.wire.close, None)
        self.connect().identify()
        self.assertEqual(self.broken(), ["identify-concurrency"])
        wanted = {"guild_id": str(self.face.guild(0).id), "query": "", "limit": 0}
        client.tell(8, wanted)
        self.world_clock.advance(1e6)
        client.tell(8, wanted)
        self.assertEqual(self.broken()[1:], ["member-list-limit"])
        self.assertEqual(self.hub.journal.breaches[0].at, self.clock.seconds())

    def test_ordinary(self) -> None:
        """Without a clock of its own the world has everybody's."""
        super().start(guilds=0)
        self.assertEqual((self.hub.world_time(), self.hub.now()), (NOW, NOW))


class LiveClockTests(SimulatorTestCase):
    """The same over real sockets."""

    async def test_virtual(self) -> None:
        """The world stands still until its clock is advanced; then events come with its times."""
        clock = Clock()
        simulator = Simulator(the_reactor(), SimulatorOptions(guilds=1, rate=5.0, mix="typing=1"), clock)
        await simulator.start()
        self.addCleanup(lambda: deferred(simulator))
        client = await self.ready(simulator)
        await client.first("GUILD_CREATE")
        client.tell(1, None)
        await client.first(11)
        self.assertEqual(client.all("TYPING_START"), [])
        clock.pump([0.02] * 50 * 10)
        await client.count("TYPING_START", 49)
        times = [payload["d"]["timestamp"] - EPOCH for payload in client.all("TYPING_START")]
        self.assertEqual(times, sorted(times))
        self.assertTrue(times[0] == 0 and times[-1] in (9, 10), times)

    async def test_accelerated(self) -> None:
        """At 1000 times real time an hour of messages comes in seconds, while heartbeats keep their interval."""
        simulator = await self.start(guilds=1, rate=0.1, mix="message=1", speed=1000.0)
        client = await self.ready(simulator)
        hello = client.all(10)[0]["d"]["heartbeat_interval"]
        await client.count("MESSAGE_CREATE", 50)
        times = [seconds_of(payload["d"]["timestamp"]) for payload in client.all("MESSAGE_CREATE")]
        self.assertTrue(times[49] - times[0] > 400, times)
        self.assertEqual((hello, simulator.breaches), (41250, []))


def deferred(simulator: Simulator) -> Deferred[None]:
    return Deferred.fromCoroutine(simulator.stop())


class WordsTests(SynchronousTestCase):
    """The command line's words for the world."""

    def test_options(self) -> None:
        """Sizes, mix and speed reach the simulator."""
        options = Options()
        options.parseOptions(["--sizes=heavy", "--largest=9000", "--mix=message=5,presence=30", "--speed=60"])
        chosen = options.chosen
        self.assertEqual((chosen.sizes, chosen.largest, chosen.speed), ("heavy", 9000, 60.0))
        self.assertEqual(json.dumps(chosen.mix), '"message=5,presence=30"')

    def test_unusable(self) -> None:
        """What can't be used is refused with what was meant."""
        for words, text in (
            ("--sizes huge", "one of even, equal, heavy"),
            ("--mix messges=1", "nearest is message"),
            ("--speed 0", "above 0"),
        ):
            with self.assertRaises(UsageError) as caught:
                Options().parseOptions(words.split())
            self.assertIn(text, str(caught.exception))
