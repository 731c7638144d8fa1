"""What a power cut must not take: every few seconds the spool goes to the disk itself, and then the sessions.

In this order, for a session's record says that all up to its sequence is confirmed or safely on disk. Syncing may
take long, so it is done in a thread: what was written before is what it is about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from twisted.python.failure import Failure

from rateway.model.session import Session

from .spools import Spools

EVERY = 5.0
"""Seconds between two writings, if anything changed."""

SAY_EVERY = 60.0
"""Seconds between log lines about a disk that fails."""


@define(eq=False)
class Safekeeping:
    """Of one cluster."""

    _log = Logger()

    _clock: Any
    _cluster: int
    _spools: Spools
    _sessions: Callable[[], Mapping[int, Session]]
    """The sessions that could be resumed now, each at the sequence up to which all is kept."""
    _in_thread: Callable[..., Deferred[None]] = deferToThread
    _loop: LoopingCall = field(init=False)
    _written: Mapping[int, Session] = field(factory=dict, init=False)
    _writing: Deferred[None] | None = field(default=None, init=False)
    _said: float | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._loop = LoopingCall(self.write)
        self._loop.clock = self._clock

    def start(self) -> None:
        self._loop.start(EVERY, now=False)

    def stop(self) -> Deferred[None]:
        """Write once more; fires when that is done."""
        if self._loop.running:
            self._loop.stop()
        running, self._writing = self._writing, None
        return self.write() if running is None else running.addCallback(lambda _: self.write())

    def write(self) -> Deferred[None]:
        """Write what changed; fires when the disk has it, or has failed."""
        sessions, spools = dict(self._sessions()), self._spools
        written = sessions == self._written and not (spools.events.is_dirty or spools.refused.is_dirty)
        if spools.slots is None or written:
            return succeed(None)
        writing = self._writing = self._in_thread(partial(_write, self._spools, sessions))
        writing.addCallbacks(lambda _: self._done(sessions), self._failed)
        return writing

    def _done(self, sessions: Mapping[int, Session]) -> None:
        self._written, self._writing = sessions, None

    def _failed(self, failure: Failure) -> None:
        self._writing = None
        now = self._clock.seconds()
        if self._said is None or now - self._said >= SAY_EVERY:
            self._said = now
            self._log.error(
                "cluster {n}: the disk under STATE_DIR fails ({error}): after a power cut its sessions could not be "
                "resumed. Look at the disk",
                n=self._cluster,
                error=failure.getErrorMessage(),
            )


def _write(spools: Spools, sessions: Mapping[int, Session]) -> None:
    spools.events.sync()
    spools.refused.sync()
    if spools.slots is not None:
        spools.slots.write(sessions)
