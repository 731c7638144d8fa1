"""Whether a cluster may take more events, and the word that goes to its shards when that changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

LOOK_EVERY = 1.0
"""Seconds between two tries to make room."""

SAY_EVERY = 60.0
"""Seconds between log lines while there is none."""


@define(eq=False)
class Room:
    """Is there room, in memory or on disk?

    :ivar full: there is none: the shards were told to stop reading.
    """

    _log = Logger()

    _clock: Any
    _exchange: str
    _on_room: Callable[[bool], None]
    _make_room: Callable[[], bool]
    full: bool = field(default=False, init=False)
    _call: IDelayedCall | None = field(default=None, init=False)
    _said: float | None = field(default=None, init=False)

    def is_full(self, reason: str) -> None:
        """Something could not be put anywhere but where it was."""
        now = self._clock.seconds()
        if self._said is None or now - self._said >= SAY_EVERY:
            self._said = now
            self._log.critical(
                "no more events can be held for {exchange} ({reason}): reading from Discord stops until there is "
                "room. Sessions outlast that for some minutes only: bring the broker or its consumers back, or make "
                "room",
                exchange=self._exchange,
                reason=reason,
            )
        if not self.full:
            self.full = True
            self._on_room(False)
            self._look_later()

    def check(self) -> None:
        """Try to make room; if there is, the shards hear of it."""
        if self.full and self._make_room():
            self.full = False
            self._said = None
            self.stop()
            self._log.info("there is room for the events of {exchange} again", exchange=self._exchange)
            self._on_room(True)

    def stop(self) -> None:
        """Look no more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _look_later(self) -> None:
        self._call = self._clock.callLater(LOOK_EVERY, self._look)

    def _look(self) -> None:
        self._call = None
        self.check()
        if self.full:
            self._look_later()
