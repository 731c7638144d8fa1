"""The shard's dealings with the gate that says who of the fleet may identify, and when."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from attrs import define, field
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from rateway.errors import RatewayError
from rateway.interfaces import IIdentifyGate


@define(eq=False)
class Permit:
    """What one shard has asked of the gate.

    :ivar _granted: told when the permit is there.
    :ivar _refused: told, with the reason, when none will be.
    """

    _log = Logger()

    _gate: IIdentifyGate
    _shard_id: int
    _granted: Callable[[], None]
    _refused: Callable[[str], None]
    _asked: Deferred[None] | None = field(default=None, init=False)

    def ask(self) -> None:
        """Enter the queue, at its end."""
        self.withdraw()
        asked = self._asked = maybeDeferred(self._gate.acquire, self._shard_id)
        asked.addCallbacks(partial(self._answered, asked), partial(self._failed, asked))
        asked.addErrback(partial(self._log.failure, "shard {shard}: taking up the permit", shard=self._shard_id))

    def withdraw(self) -> None:
        """Leave the queue."""
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.cancel()

    def give_back(self) -> None:
        """It was granted and not used."""
        self._gate.give_back(self._shard_id)

    def used(self) -> None:
        """IDENTIFY was written."""
        self._gate.used(self._shard_id)

    def settle(self) -> None:
        """The IDENTIFY has its answer."""
        self._gate.settled(self._shard_id)

    def _answered(self, asked: Deferred[None], _: object) -> None:
        if asked is self._asked:
            self._asked = None
            self._granted()

    def _failed(self, asked: Deferred[None], failure: Failure) -> None:
        if asked is not self._asked:
            return
        self._asked = None
        if failure.check(RatewayError) is None:
            self._log.failure("shard {shard}: the identify gate failed", failure, shard=self._shard_id)
        self._refused(" ".join(failure.getErrorMessage().split()) or "the gate is gone")
