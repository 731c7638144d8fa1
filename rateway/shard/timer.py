"""A timer that is set anew rather than twice."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime


@define(eq=False)
class Timer:
    """Calls when its time comes; at most one call is pending."""

    _clock: IReactorTime
    _call: Callable[[], object]
    _pending: IDelayedCall | None = field(default=None, init=False)

    def set(self, delay: float) -> None:
        """Call after these seconds, and not when it was set to before."""
        self.cancel()
        self._pending = self._clock.callLater(max(delay, 0), self._fired)

    def cancel(self) -> None:
        """Don't call."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.cancel()

    def _fired(self) -> None:
        self._pending = None
        self._call()
