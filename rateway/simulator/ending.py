"""How the process ends: its exit code, and the signals that end it in order.

``twistd`` exits with 0 after ``reactor.stop()``, and by the signal itself after SIGINT and SIGTERM, whatever the
application wishes. What runs after all of it are the functions of ``atexit``, the first registered last.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import Any

from twisted.internet.error import ReactorNotRunning

_code = 0


def exit_with(code: int) -> None:
    """The exit code of this process; the first one that isn't 0 stays."""
    global _code
    _code = _code or code


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


def stop(reactor: Any) -> None:
    """Stop the reactor, unless it is stopping already."""
    with suppress(ReactorNotRunning):
        reactor.stop()


def stop_at_signals(reactor: Any) -> None:
    """SIGINT and SIGTERM stop the reactor, and nothing more: the exit code is ours.

    Only once the reactor runs, for it installs its own handlers then.
    """

    def caught(number: int, frame: FrameType | None) -> None:
        reactor.callFromThread(stop, reactor)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, caught)
