"""Nobody identifies before there is an exchange for the events, and a queue for the commands.

A session that is resumed needs neither yet: Discord replays what it has, and that is held until the broker is there. A
new one begins with thousands of events, and bots may rely on what they bound to the exchange beforehand.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define
from twisted.internet.defer import Deferred
from zope.interface import implementer

from rateway.interfaces import IIdentifyGate


@implementer(IIdentifyGate)
@define(eq=False)
class Threshold:
    """The fleet's gate, behind the broker's.

    :ivar _when_ready: fires when the broker has all that the cluster wants of it, for the first time.
    """

    _gate: IIdentifyGate
    _when_ready: Callable[[], Deferred[None]]

    def acquire(self, shard_id: int) -> Deferred[None]:
        return self._when_ready().addCallback(lambda _: self._gate.acquire(shard_id))

    def used(self, shard_id: int) -> None:
        self._gate.used(shard_id)

    def settled(self, shard_id: int) -> None:
        self._gate.settled(shard_id)

    def give_back(self, shard_id: int) -> None:
        self._gate.give_back(shard_id)
