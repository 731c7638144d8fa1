"""Those who wait until nothing is held any more."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred


@define(eq=False)
class Drain:
    """Waits that end with whether what they waited for came true."""

    _clock: Any
    _waiters: list[Deferred[bool]] = field(factory=list, init=False)

    def __bool__(self) -> bool:
        return bool(self._waiters)

    def wait(self, timeout: float) -> Deferred[bool]:
        """Fires with what :meth:`done` is told, or with ``False`` after so many seconds."""
        waiter: Deferred[bool] = Deferred()
        self._waiters.append(waiter)

        def too_late(_: object, __: float) -> bool:
            self._waiters.remove(waiter)
            return False

        return waiter.addTimeout(timeout, self._clock, onTimeoutCancel=too_late)

    def done(self, value: bool) -> None:
        """It came true, or won't."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(value)
