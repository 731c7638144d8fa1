"""Scenarios played several at a time: most of them wait rather than compute.

Under ``trial -j`` a test plays the whole group that its scenario belongs to, unless another worker has begun to: it
waits for that one's result then. A test that is run by itself plays its own scenario alone.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

_GROUPS = 2
_LONG = frozenset(
    {"bad_day", "outage", "rate_limited", *(f"criterion_{number}" for number in (18, 20, 23, 24, 25, 26, 28))}
)
"""Those that take longest begin first, so that none is left over at the end."""
_POLL = 0.1
_PATIENCE = 480.0


class Ensemble:
    """The scenarios of one run of the tests, whatever process plays them.

    :param folder: where the workers tell each other their results; None where there is one process alone.
    """

    def __init__(self, names: Sequence[str], folder: Path | None) -> None:
        self._names = names
        self._folder = folder

    @classmethod
    def of_this_run(cls, names: Sequence[str]) -> Ensemble:
        """Each worker of trial's has a working folder of its own, below that of the run."""
        distributed = Path(sys.argv[0]).name == "workertrial.py"
        return cls(names, Path.cwd().parent / "scenario-results" if distributed else None)

    async def result(self, reactor: Any, name: str, play: Callable[[str], Awaitable[object]]) -> str:
        """What went wrong in this scenario; empty when nothing did."""
        if self._folder is None:
            return await _outcome(name, play)
        group = self._names.index(name) % _GROUPS
        if self._claim(group):
            members = sorted(self._names[group::_GROUPS], key=lambda each: each not in _LONG)
            await gatherResults([Deferred.fromCoroutine(self._play(each, play)) for each in members])
        file = self._folder / name
        until = reactor.seconds() + _PATIENCE
        while not file.exists():
            if reactor.seconds() > until:
                return f"the worker that plays {name} has told no result within {_PATIENCE:g} s"
            await deferLater(reactor, _POLL, lambda: None)
        return file.read_text("utf-8")

    def _claim(self, group: int) -> bool:
        assert self._folder is not None
        self._folder.mkdir(exist_ok=True)
        try:
            (self._folder / f"group-{group}").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    async def _play(self, name: str, play: Callable[[str], Awaitable[object]]) -> None:
        assert self._folder is not None
        outcome = await _outcome(name, play)
        draft = self._folder / f"{name}.draft"
        draft.write_text(outcome, "utf-8")
        draft.rename(self._folder / name)


async def _outcome(name: str, play: Callable[[str], Awaitable[object]]) -> str:
    try:
        await play(name)
    except Exception:
        return f"{name}: {Failure().getTraceback()}"
    return ""
