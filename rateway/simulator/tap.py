"""What ``twistd -n rateway-simulator`` builds."""

from __future__ import annotations

from typing import Any

from . import ending
from .commandline import Options
from .scenario.face import ScenarioService
from .service import SimulatorService

__all__ = ["Options", "SimulatorService", "makeService"]

ending.install()


def makeService(options: Options, reactor: Any = None) -> SimulatorService:
    """What twistd runs."""
    if reactor is None:
        from twisted.internet import reactor
    if options.parent is not None:
        reactor.callWhenRunning(ending.stop_at_signals, reactor)
    strict, own = bool(options["strict"]), options.chose_resume_host()
    if options.scenario is not None:
        return ScenarioService(
            reactor,
            options.chosen,
            options.listen_at(),
            strict=strict,
            own_resume_host=own,
            scenario=options.scenario,
            slack=options["slack"],
        )
    return SimulatorService(reactor, options.chosen, options.listen_at(), strict=strict, own_resume_host=own)
