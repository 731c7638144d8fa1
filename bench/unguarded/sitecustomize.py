"""Takes guarantees away from a child of rateway's, to see what they cost; ``bench.guarantees`` puts this on PYTHONPATH.

RATEWAY_BENCH_WITHOUT is ``cursors`` or ``confirms``:

``cursors``   nothing is written down of how far events have come: no cursor, no session, no slot
``confirms``  nor is it known: events are published and forgotten, on a channel without confirms
"""

from __future__ import annotations

import os
import sys
from typing import Any


def _nothing(*arguments: object, **named: object) -> None:
    """What isn't done."""


def _without_cursors() -> None:
    from twisted.internet.defer import succeed

    from rateway.cluster.checkpoint import Checkpoint
    from rateway.cluster.safekeeping import Safekeeping
    from rateway.store import batch
    from rateway.store.cluster import ClusterStore

    checkpoint, safekeeping, written, store = map(_untyped, (Checkpoint, Safekeeping, batch, ClusterStore))
    checkpoint.unkept = lambda self, shard_id, session_id, dispatches: dispatches
    checkpoint.confirmed = checkpoint.write = _nothing
    checkpoint.changes = lambda self: {}
    safekeeping.start = _nothing
    safekeeping.stop = lambda self: succeed(None)
    written.write_sessions = _nothing
    apply = store.apply

    def apply_effects(self: Any, reads: Any, kept: Any) -> None:
        if self._updates:
            apply(self, reads, kept)

    store.apply = apply_effects


def _without_confirms() -> None:
    from rateway.amqp.channel import Channel
    from rateway.amqp.publisher import CHUNK, Publisher

    channel, publisher = _untyped(Channel), _untyped(Publisher)
    call = channel.call

    async def call_others(self: Any, method: str, **arguments: object) -> Any:
        return None if method == "confirm_select" else await call(self, method, **arguments)

    def publish(self: Any, shard_id: int, session_id: str, dispatches: Any, received_ms: int) -> None:
        frames = self._encoder.encode(shard_id, session_id, dispatches, received_ms)
        entries = [(data, shard_id, session_id, 0, 0, 0) for data in frames]
        self._line.extend(entries, sum(map(len, frames)))

    def flush(self: Any) -> None:
        client, line = self._client, self._line
        while line and client is not None and client.writable:
            client.write(b"".join([entry[0] for entry in line.take(CHUNK)]))

    channel.call = call_others
    publisher.publish, publisher.flush = publish, flush
    publisher.secure = publisher.report = _nothing


def _untyped(owner: object) -> Any:
    """To be changed."""
    return owner


if "rateway.process.child" in sys.orig_argv and "RATEWAY_BENCH_WITHOUT" in os.environ:
    _without_cursors()
    if os.environ["RATEWAY_BENCH_WITHOUT"] == "confirms":
        _without_confirms()
