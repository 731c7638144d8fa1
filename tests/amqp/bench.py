"""A cluster's broker on a fake clock, connected to a scripted broker."""

from __future__ import annotations

from attrs import define, field
from twisted.trial.unittest import SynchronousTestCase

from rateway.amqp.broker import HIGH_WATER, ClusterBroker
from rateway.amqp.uri import BrokerAddress

from .cluster import Recorder, events
from .scripted import Published, ScriptedBroker

ADDRESS = BrokerAddress("broker.example")


@define(eq=False)
class Bench:
    """A started cluster's broker, the scripted broker it talks to, and what it told."""

    scripted: ScriptedBroker = field(factory=ScriptedBroker)
    recorder: Recorder = field(factory=Recorder)
    high_water: int = HIGH_WATER
    broker: ClusterBroker = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.broker = self.recorder.broker(
            self.scripted.clock, ADDRESS, endpoint=self.scripted, high_water=self.high_water
        )

    def start(self) -> None:
        self.broker.startService()
        self.scripted.pump()

    def publish(self, first: int, count: int, *, shard: int = 0, session: str = "s", size: int = 20) -> None:
        self.broker.publish(shard, session, events(first, count, size), 1_700_000_000_000)
        self.broker.flush()

    def taken(self) -> list[Published]:
        """All messages the broker got on its channel for events, over all connections."""
        return [each for connection in self.scripted.connections for each in connection.published if each.tag]

    def sequences(self) -> list[int]:
        return [sequence(each) for each in self.taken()]


def sequence(message: Published) -> int:
    return int(str(message.properties["message_id"]).rpartition(":")[2])


class BenchTestCase(SynchronousTestCase):
    """Tests that make such benches, and leave nothing running."""

    def bench(
        self, scripted: ScriptedBroker | None = None, *, high_water: int = HIGH_WATER, start: bool = True
    ) -> Bench:
        """A bench, started unless it is said not to be."""
        bench = Bench(scripted or ScriptedBroker(), high_water=high_water)
        self.addCleanup(self.stop, bench)
        if start:
            bench.start()
        return bench

    def stop(self, bench: Bench) -> None:
        """Stop it, as rateway does at its end."""
        stopping = bench.broker.stopService()
        bench.scripted.advance(10)
        self.successResultOf(stopping)
        self.assertEqual(bench.scripted.clock.getDelayedCalls(), [])
        self.assertFalse(any(connection.open for connection in bench.scripted.connections))
