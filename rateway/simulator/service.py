"""The simulator as twistd runs it: from the first line of the log to the summary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from . import ending, openfiles
from .options import SimulatorOptions
from .simulator import Simulator


@define(eq=False)
class SimulatorService(Service):
    """Runs a simulator; at the end it says what happened.

    :ivar strict: a broken rule makes the exit code 1.
    :ivar own_resume_host: the operator chose the resume host: without it the simulator doesn't start.
    :ivar exit_with: sets the exit code of the process.
    """

    _log = Logger()

    reactor: Any
    options: SimulatorOptions
    endpoint: str
    strict: bool = False
    own_resume_host: bool = False
    exit_with: Callable[[int], None] = ending.exit_with
    simulator: Simulator = field(init=False)
    _failed: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.simulator = Simulator(self.reactor, self.options)

    def startService(self) -> None:
        super().startService()
        openfiles.allow_most()
        started = Deferred.fromCoroutine(self._start())
        started.addErrback(lambda failure: self._fail(f"it failed to start: {failure.getErrorMessage()}"))

    async def _start(self) -> None:
        try:
            await self.simulator.start(self.endpoint)
        except CannotListenError as error:
            remedy = "end what listens there, or choose another --port (0 takes a free one)"
            self._fail(f"it can't listen at {error.interface or '*'}:{error.port} ({error.socketError}): {remedy}")
            return
        if self.own_resume_host and self.simulator.resume_host != self.options.resume_host:
            self._fail(
                f"it can't listen at the resume host {self.options.resume_host}: choose an address that this machine "
                "has, or none (--resume-host=)"
            )

    def _fail(self, sentence: str) -> None:
        self._failed = True
        self._log.critical("the simulator stops: {sentence}", sentence=sentence)
        self.exit_with(1)
        # Not from within the start of the application: the reactor may not run yet.
        self.reactor.callWhenRunning(ending.stop, self.reactor)

    async def _stop(self) -> None:
        simulator = self.simulator
        await simulator.stop()
        if self._failed:
            return
        self._log.info("summary: {summary}", summary=simulator.summary())
        for line in simulator.report().splitlines():
            self._log.info("{line}", line=line)
        if self.strict and simulator.hub.journal.totals.get("breaches"):
            self.exit_with(1)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return Deferred.fromCoroutine(self._stop())
