"""Numbered events, spread evenly over the shards, at a rate that holds."""

from __future__ import annotations

from random import Random
from typing import Any

from attrs import define, field
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from rateway.simulator.simulator import Simulator

_TICK = 0.02
_BACKLOG = 1.0
"""Seconds of events that are caught up with after a stall."""

_SIZES = 512
"""Different sizes that are drawn beforehand."""


def realistic_sizes(random: Random) -> list[int]:
    """Bytes of events: most have some hundred, a few have many thousand."""
    return [min(int(random.lognormvariate(6.2, 0.8)), 20_000) for _ in range(_SIZES)]


@define(eq=False)
class NumberedTraffic:
    """TEST events whose ``n`` counts up, over all shards.

    :ivar sent: how many so far.
    :ivar failure: what ended the traffic before its time; empty if nothing did.
    """

    NAME = "TEST"

    _reactor: Any
    _simulator: Simulator
    _shards: int
    _rate: float
    _pads: list[bytes]
    sent: int = field(default=0, init=False)
    failure: str = field(default="", init=False)
    _due: float = field(default=0.0, init=False)
    _last: float = field(default=0.0, init=False)
    _call: LoopingCall = field(init=False)

    @classmethod
    def of_sizes(
        cls, reactor: Any, simulator: Simulator, shards: int, rate: float, sizes: list[int]
    ) -> NumberedTraffic:
        """Events of these sizes in turn."""
        letters = Random(len(sizes)).choices(b"abcdefghijklmnopqrstuvwxyz     ", k=max(sizes) + 1)
        text = bytes(letters)
        return cls(reactor, simulator, shards, rate, [text[:size] for size in sizes])

    def __attrs_post_init__(self) -> None:
        self._call = LoopingCall(self._tick)
        self._call.clock = self._reactor

    def start(self) -> None:
        self._last, self._due = self._reactor.seconds(), 0.0
        self._call.start(_TICK).addErrback(self._failed)

    def stop(self) -> None:
        if self._call.running:
            self._call.stop()

    def send(self, shard: int, pad: bytes) -> None:
        """One event, now."""
        self._simulator.dispatch(shard, self.NAME, b'{"n":%d,"pad":"%b"}' % (self.sent, pad))
        self.sent += 1

    def _failed(self, failure: Failure) -> None:
        self.failure = failure.getTraceback()

    def _tick(self) -> None:
        now = self._reactor.seconds()
        self._due = min(self._due + (now - self._last) * self._rate, max(1.0, _BACKLOG * self._rate))
        self._last = now
        while self._due >= 1:
            self._due -= 1
            self.send(self.sent % self._shards, self._pads[self.sent % len(self._pads)])
