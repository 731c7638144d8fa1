"""A cluster's broker on a fake clock, connected to a scripted broker."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from attrs import define, field
from twisted.trial.unittest import SynchronousTestCase

from rateway.amqp.broker import MEMORY, ClusterBroker
from rateway.amqp.uri import BrokerAddress
from rateway.spool.spool import Spool

from .cluster import Recorder, events
from .scripted import Published, ScriptedBroker

ADDRESS = BrokerAddress("broker.example")
DISK = 1024 * 1024


@define(eq=False)
class Bench:
    """A started cluster's broker, the scripted broker it talks to, and what it told."""

    scripted: ScriptedBroker = field(factory=ScriptedBroker)
    recorder: Recorder = field(factory=Recorder)
    memory: int = MEMORY
    disk: Path | None = None
    limit: int = DISK
    ttl: Mapping[str, int] = field(factory=dict)
    known: bool = False
    broker: ClusterBroker = field(init=False)
    spool: Spool = field(init=False)
    refused: Spool = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        """A broker as a process has it that has just begun: all it knows is on disk."""
        disk = self.disk
        self.spool = Spool.nowhere() if disk is None else Spool.open(disk / "spool", self.limit, 4096)
        self.refused = Spool.nowhere() if disk is None else Spool.open(disk / "refused", self.limit, 4096)
        self.broker = self.recorder.broker(
            self.scripted.clock,
            ADDRESS,
            endpoint=self.scripted,
            memory=self.memory,
            spool=self.spool,
            refused=self.refused,
            ttl=self.ttl,
            now=self.scripted.clock.seconds,
            known=self.known,
        )

    def kill(self) -> None:
        """The process ends here; the next one finds the disk as it is now. Not started yet."""
        assert self.disk is not None
        left = self.disk.with_name(f"{self.disk.name}+")
        shutil.copytree(self.disk, left)
        for connection in self.scripted.connections:
            connection.break_off()
        stopping = self.broker.stopService()
        while not stopping.called:
            self.scripted.advance(0.5)
        shutil.rmtree(self.disk)
        left.rename(self.disk)
        self.open()

    def start(self) -> None:
        self.broker.startService()
        self.scripted.pump()

    def publish(
        self,
        first: int,
        count: int,
        *,
        shard: int = 0,
        session: str = "s",
        size: int = 20,
        name: str = "MESSAGE_CREATE",
        ago: float = 0.0,
    ) -> None:
        received_ms = int((self.scripted.clock.seconds() - ago) * 1000)
        self.broker.publish(shard, session, events(first, count, size, name), received_ms)
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
        self,
        scripted: ScriptedBroker | None = None,
        *,
        memory: int = MEMORY,
        disk: bool = False,
        limit: int = DISK,
        ttl: Mapping[str, int] | None = None,
        known: bool = False,
        start: bool = True,
    ) -> Bench:
        """A bench, started unless it is said not to be.

        :param disk: whether events may wait on disk, of that many bytes each (``limit``).
        """
        folder = Path(tempfile.mkdtemp(prefix="rateway-amqp-")) if disk else None
        if folder is not None:
            self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        bench = Bench(scripted or ScriptedBroker(), memory=memory, disk=folder, limit=limit, ttl=ttl or {}, known=known)
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
