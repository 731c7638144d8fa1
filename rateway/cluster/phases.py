"""A stop in phases, which have one budget of time between them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from attrs import frozen
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

MARGIN = 0.125
"""Seconds a phase has beyond what it was given: so that its own word on being late comes first."""

_log = Logger()


@frozen
class Phase:
    """One thing to be done before the next.

    :ivar name: as a log line has it: ``closing the shards``.
    :ivar at_most: seconds it may take, however many are left.
    :ivar work: what is done, given the seconds it has.
    """

    name: str
    at_most: float
    work: Callable[[float], Awaitable[object]]


async def run_phases(clock: IReactorTime, whose: str, budget: float, phases: Sequence[Phase]) -> None:
    """Do one after the other, within the budget. Never raises.

    A phase that fails, or isn't done in its time, is said, and the next one has its turn: with what is left, and
    with no time at all it is begun still.

    :param whose: for the log.
    :param budget: seconds for all of them.
    """
    deadline = clock.seconds() + budget
    for phase in phases:
        seconds = max(0.0, min(phase.at_most, deadline - clock.seconds()))
        running: Deferred[object] = Deferred.fromCoroutine(_run(phase, seconds))
        try:
            await running.addTimeout(seconds + MARGIN, clock)
        except TimeoutError:
            _log.warn(
                "{whose}: {phase} took longer than {seconds:.1f} s, and is waited for no more",
                whose=whose,
                phase=phase.name,
                seconds=seconds,
            )
        except Exception:
            _log.failure("{whose}: {phase} failed", whose=whose, phase=phase.name)


async def _run(phase: Phase, seconds: float) -> object:
    return await phase.work(seconds)
