"""A child's ``main``: ``python -m rateway.process.child``, spawned by the parent and by nobody else.

It obeys its link alone. Ctrl-C and a service manager's signals reach the whole process group; a child ignores them,
and stops when the parent says so. When the link closes without that, the parent is dead: the child closes its shards
resumably and ends. Its log goes to stderr as JSON lines, for the parent to relay.
"""

from __future__ import annotations

import gc
import signal
import sys
from typing import TYPE_CHECKING, Any

from rateway.model import deadlines

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred


def main() -> None:
    """Run until the link closes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)

    # What is imported stays until the end: to look for garbage in it takes a third of the start, and time ever after.
    gc.disable()
    from twisted.internet import reactor as untyped
    from twisted.logger import globalLogBeginner, globalLogPublisher

    from rateway.logs import Redactor, make_observer

    from .inside import Inside
    from .link import open_in_child

    gc.freeze()
    gc.enable()

    reactor: Any = untyped
    redactor = Redactor()
    globalLogPublisher.addObserver(redactor)
    globalLogBeginner.beginLoggingTo([make_observer("json", sys.stderr)], redirectStandardIO=False)
    inside = Inside(reactor, redactor)
    inside.link.closed.addCallback(lambda _: _end(reactor, inside.stop()))
    reactor.callWhenRunning(open_in_child, reactor, inside.link)
    reactor.run(installSignalHandlers=False)


def _end(reactor: Any, stopped: Deferred[None]) -> None:
    """Stop within bounds. The alarm is the kernel's: it ends the process even if the reactor never turns again."""
    signal.alarm(deadlines.ALARM)
    stopped.addTimeout(deadlines.ORPHAN, reactor)
    stopped.addErrback(lambda _: None)
    stopped.addCallback(lambda _: reactor.stop())


if __name__ == "__main__":
    main()
