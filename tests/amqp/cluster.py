"""A cluster's broker with recorders around it, for tests against a scripted broker or a real one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface import implementer

from rateway.amqp.broker import MEMORY, ClusterBroker
from rateway.amqp.inbox import Delivery
from rateway.amqp.outages import Outages
from rateway.amqp.uri import BrokerAddress
from rateway.errors import FatalError
from rateway.interfaces import IFatalReporter
from rateway.model.dispatch import Dispatch
from rateway.spool.spool import Spool


@implementer(IFatalReporter)
@define
class RecordingReporter:
    """Remembers the ends it was told of."""

    errors: list[FatalError] = field(factory=list)

    def report_fatal(self, error: FatalError) -> None:
        self.errors.append(error)


@define(eq=False)
class Recorder:
    """What a cluster's broker told."""

    fatal: RecordingReporter = field(factory=RecordingReporter)
    deliveries: list[Delivery] = field(factory=list)
    kept: list[Mapping[int, tuple[str, int]]] = field(factory=list)
    room: list[bool] = field(factory=list)
    handler: Callable[[Delivery], None] | None = None

    def handle(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        if self.handler is not None:
            self.handler(delivery)

    def broker(
        self,
        reactor: Any,
        address: BrokerAddress,
        *,
        endpoint: IStreamClientEndpoint | None = None,
        persistent: bool = True,
        ca_file: Path | None = None,
        memory: int = MEMORY,
        cluster: int = 1,
        outages: Outages | None = None,
        spool: Spool | None = None,
        refused: Spool | None = None,
        ttl: Mapping[str, int] | None = None,
        now: Callable[[], float] = time.time,
        known: bool = False,
    ) -> ClusterBroker:
        """A cluster's broker that tells this recorder."""
        return ClusterBroker(
            reactor,
            address,
            cluster,
            self.handle,
            persistent=persistent,
            ca_file=ca_file,
            fatal=self.fatal,
            on_kept=self.kept.append,
            on_room=self.room.append,
            memory=memory,
            endpoint=endpoint,
            outages=outages,
            spool=spool,
            refused=refused,
            ttl=ttl,
            now=now,
            known=known,
        )

    @property
    def cursor(self) -> dict[int, tuple[str, int]]:
        """The newest word on each shard."""
        newest: dict[int, tuple[str, int]] = {}
        for kept in self.kept:
            newest.update(kept)
        return newest


def events(first: int, count: int, size: int = 20, name: str = "MESSAGE_CREATE") -> list[Dispatch]:
    """Events of consecutive sequences, each with a body of its own."""
    return [(seq, name, b'{"n":%d,"pad":"%s"}' % (seq, b"x" * size)) for seq in range(first, first + count)]
