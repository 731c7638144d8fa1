"""Scenarios as twistd runs them: each step a line, the verdict last, and an exit code of 0 or 1."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from .. import ending
from ..service import SimulatorService
from .format import Scenario
from .report import Report
from .runner import run_scenario


@define(eq=False)
class ScenarioService(SimulatorService):
    """Runs a simulator for the length of one scenario, and ends with 0 if the client did all it must, else with 1."""

    scenario: Scenario = field(kw_only=True)
    slack: float = field(default=0.0, kw_only=True)
    _running: Deferred[tuple[Report, ...]] | None = field(default=None, init=False)

    async def _start(self) -> None:
        await super()._start()
        if not self._failed:
            self._running = Deferred.fromCoroutine(
                run_scenario(self.simulator, self.scenario, say=self._say, slack=self.slack)
            )
            self._running.addCallbacks(self._over, self._broken)

    def _say(self, line: str) -> None:
        self._log.info("{line}", line=line)

    def _over(self, reports: tuple[Report, ...]) -> None:
        self._running = None
        held = sum(report.held for report in reports)
        if len(reports) > 1:
            verdict = "held" if held == len(reports) else f"failed: {len(reports) - held} of {len(reports)} variants"
            self._say(f"scenario {self.scenario.name}: {verdict}")
        if held < len(reports):
            self.exit_with(1)
        ending.stop(self.reactor)

    def _broken(self, failure: Failure) -> None:
        self._running = None
        self.exit_with(1)
        if failure.check(CancelledError):
            self._say(f"scenario {self.scenario.name}: failed: it was interrupted")
            return
        self._log.failure("the scenario met a bug of the simulator's own", failure)
        ending.stop(self.reactor)

    async def _stop(self) -> None:
        if self._running is not None:
            running = self._running
            running.cancel()
            await running
        await super()._stop()
