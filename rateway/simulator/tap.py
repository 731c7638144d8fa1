"""What ``twistd -n rateway-simulator`` builds."""

from __future__ import annotations

from typing import Any

from . import ending
from .commandline import Options
from .service import SimulatorService

__all__ = ["Options", "SimulatorService", "makeService"]

ending.install()


def makeService(options: Options, reactor: Any = None) -> SimulatorService:
    """What twistd runs."""
    if reactor is None:
        from twisted.internet import reactor
    if options.parent is not None:
        reactor.callWhenRunning(ending.stop_at_signals, reactor)
    return SimulatorService(
        reactor,
        options.chosen,
        options.listen_at(),
        strict=bool(options["strict"]),
        own_resume_host=options.chose_resume_host(),
    )
