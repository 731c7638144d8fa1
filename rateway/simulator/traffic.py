"""Makes the world move: events at a chosen rate, each consistent with all that happened before."""

from __future__ import annotations

from .hub import Hub

_TICK = 0.02
_MOST_AT_ONCE = 2000


class Traffic:
    """Happenings of the world, sent to whom they concern."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def start(self, rate: float) -> None: ...

    def stop(self) -> None: ...
