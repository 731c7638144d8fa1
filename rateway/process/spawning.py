"""A child's process: its arguments, its environment, its descriptors.

Nothing secret is in arguments or environment, for others may read them.
"""

from __future__ import annotations

import os
import signal
import site
import sys
from collections.abc import Mapping
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProcessTransport, IReactorProcess
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

import rateway

from .link import FROM_CHILD, TO_CHILD, Link, PipeTransport
from .relay import Relay
from .wording import end_of_process

CRASHES = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE})
"""Signals by which the kernel, or a library's assertion, ends a process that met a fault."""

SECRET = frozenset({"DISCORD_TOKEN", "AMQP_URI", "ALERT_WEBHOOK"})
"""Variables a child must not inherit; what it needs of them comes over its link."""


def child_arguments(executable: str = sys.executable) -> list[str]:
    """The command line. ``-P``: what lies in the working folder is not to be imported."""
    return [executable, "-P", "-m", "rateway.process.child"]


def child_environment(environ: Mapping[str, str], installed: tuple[str, ...] | None = None) -> dict[str, str]:
    """The parent's environment without its secrets, in which the child finds the same rateway.

    :param installed: the folders any Python of ours looks into.
    """
    kept = {name: value for name, value in environ.items() if name not in SECRET}
    home = str(Path(rateway.__file__).resolve().parents[1])
    if installed is None:
        installed = (*site.getsitepackages(), site.getusersitepackages())
    known = [Path(folder).resolve() for folder in (*installed, *kept.get("PYTHONPATH", "").split(":")) if folder]
    if Path(home) not in known:
        # An uninstalled checkout that the parent found by its working folder.
        kept["PYTHONPATH"] = ":".join(filter(None, (home, kept.get("PYTHONPATH", ""))))
    return kept


class ChildProcess(ProcessProtocol):
    """One child's process: hands its descriptors to the link and to the log.

    :ivar ended: fires with how it ended, once it is gone and all its output is read.
    :ivar crashed: a fault in native code ended it.
    """

    def __init__(self, link: Link, output: Relay, errors: Relay) -> None:
        self.link = link
        self.ended: Deferred[str] = Deferred()
        self.crashed = False
        self._outputs = {1: output, 2: errors}

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.link.makeConnection(PipeTransport(self.transport))

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if childFD == FROM_CHILD:
            self.link.dataReceived(data)
        else:
            self._outputs[childFD].received(data)

    def childConnectionLost(self, childFD: int) -> None:
        if childFD in (TO_CHILD, FROM_CHILD):
            self.link.connectionLost(Failure(ConnectionDone()))

    def processEnded(self, reason: Failure) -> None:
        self.link.connectionLost(Failure(ConnectionDone()))
        for relay in self._outputs.values():
            relay.ended()
        how = reason.value
        self.crashed = getattr(how, "signal", None) in CRASHES
        self.ended.callback(end_of_process(getattr(how, "exitCode", None), getattr(how, "signal", None)))


def spawn(reactor: IReactorProcess, process: ChildProcess, environ: Mapping[str, str]) -> IProcessTransport:
    """Start a child.

    :param environ: the parent's own.
    :raises OSError: if the machine has no room for it.
    """
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return reactor.spawnProcess(
            process,
            sys.executable,
            child_arguments(),
            env=child_environment(environ),
            childFDs={0: nothing, 1: "r", 2: "r", TO_CHILD: "w", FROM_CHILD: "r"},
        )
    finally:
        os.close(nothing)
