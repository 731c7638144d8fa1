"""How rateway ends: one sentence for the operator, and an exit code that isn't zero where it failed.

``twistd`` exits with 0 after ``reactor.stop()`` and offers no way to say otherwise; an exception out of the reactor
is caught by it and printed as a crash. What runs after all of it (the pid file is removed, the log is closed) are the
functions of ``atexit``, the first registered last: ours is registered as ``rateway.tap`` is imported.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger
from zope.interface import implementer

from rateway.errors import RatewayError
from rateway.interfaces import IFatalReporter
from rateway.model import deadlines

_code = 0


class Stoppable(Protocol):
    """What is needed of the reactor."""

    def stop(self) -> None: ...


@implementer(IFatalReporter)
class Ending:
    """Ends this process for a reason. Only the first reason is told.

    :param alarm: has the kernel end the process, should the end in order not come about.
    """

    _log = Logger()

    def __init__(
        self, reactor: Stoppable, exit_with: Callable[[int], None], alarm: Callable[[], None] = lambda: None
    ) -> None:
        self._reactor = reactor
        self._exit_with = exit_with
        self._alarm = alarm
        self.sentence: str | None = None
        self._asked_to = False

    def report_fatal(self, error: RatewayError) -> None:
        if self.sentence is not None:
            return
        if self._asked_to:
            # What goes wrong on the way out doesn't make an orderly stop a failure.
            self._log.warn("while stopping: {error}", error=str(error))
            return
        self.sentence = str(error)
        self._log.critical("rateway stops: {sentence}", sentence=self.sentence)
        self._exit_with(1)
        self._stop()

    def stop(self) -> None:
        """End it in order, because the operator wants it."""
        self._asked_to = True
        self._stop()

    def _stop(self) -> None:
        self._alarm()
        # Not running is stopping already.
        with suppress(ReactorNotRunning):
            self._reactor.stop()


def set_alarm() -> None:
    """The kernel ends this process when its time to stop is over, even if the reactor never turns again."""
    signal.setitimer(signal.ITIMER_REAL, deadlines.STOP)


def exit_with(code: int) -> None:
    """The exit code of this process, however twistd means to end it."""
    global _code
    _code = code


def install() -> None:
    """Have the exit code heeded. Calling twice is calling once."""
    atexit.unregister(_exit)
    atexit.register(_exit)


def _exit() -> None:
    if _code:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(_code)
