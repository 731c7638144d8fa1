"""rateway as a service manager keeps it: whenever it ends, it is started again at once."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.task import LoopingCall

from tests.integration.program import TWISTD, Program, until
from tests.support.processes import Stopwatch, kill, memory_of
from tests.support.waiting import PATIENCE

SAMPLE_EVERY = 0.25
"""Seconds between two looks at the processes' memory."""


@define(eq=False)
class Fleet:
    """One rateway after another, with the same settings.

    :ivar programs: all of them, oldest first.
    :ivar wrong: what must not happen, in words: an end that nobody caused, an exit code that isn't right.
    :ivar stops: seconds from each SIGTERM to the end, but for those in which the machine let others run;
        ``longest_by_clock`` the most that passed; ``early_stops`` of those that came while it was starting, when
        the children's Pythons have to come up before they can be told to stop.
    :ivar starts: how often it was started.
    :ivar parent_peak: most bytes a parent had; ``child_peak`` a child.
    """

    _reactor: Any
    _folder: Path
    _environ: Mapping[str, str]
    programs: list[Program] = field(factory=list, init=False)
    wrong: list[str] = field(factory=list, init=False)
    stops: list[float] = field(factory=list, init=False)
    early_stops: list[float] = field(factory=list, init=False)
    longest_by_clock: float = field(default=0.0, init=False)
    starts: int = field(default=0, init=False)
    parent_peak: int = field(default=0, init=False)
    child_peak: int = field(default=0, init=False)
    _expected: set[int] = field(factory=set, init=False)
    """Exit codes that the present program may end with."""
    _children_killed: int = field(default=0, init=False)
    """Of the present program."""
    _refusals: int = field(default=0, init=False)
    _ending: bool = field(default=False, init=False)
    _sampling: LoopingCall = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._sampling = LoopingCall(self._sample)
        self._sampling.clock = self._reactor

    @property
    def program(self) -> Program:
        """The one that runs, or is just starting."""
        return self.programs[-1]

    @property
    def text(self) -> str:
        """What all of them wrote."""
        return "\n--- started again\n".join(program.text for program in self.programs)

    @property
    def refusals(self) -> int:
        """How often a cluster stopped reading because neither memory nor disk took its events."""
        return self._refusals + _refusals(self.programs)

    def start(self) -> None:
        """From now on it runs."""
        self._sampling.start(SAMPLE_EVERY)
        self._launch()

    def _launch(self) -> None:
        program = Program(self._reactor, self._folder, self._environ)
        self.starts += 1
        self._expected = set()
        self._children_killed = 0
        self.programs.append(program)
        program.ended.addCallback(self._ended, program)

    def _ended(self, code: int, program: Program) -> None:
        if code not in self._expected:
            self.wrong.append(f"rateway ended with {code}, and nobody had caused that")
        if "Traceback" in program.text:
            self.wrong.append("rateway wrote a traceback")
        self.look_for_dead_children()
        if not self._ending:
            self._launch()

    def look_for_dead_children(self) -> None:
        """Children of the present program that nobody killed are wrong, though rateway starts them again."""
        deaths = [line for line in self.program.lines if "it is started again in" in line]
        if len(deaths) > self._children_killed:
            self.wrong += ["a child ended that nobody had killed, one of these:", *deaths]

    def forget(self) -> None:
        """Forget how long stops took; of what those wrote that ended, only the last one's words are kept."""
        self.stops.clear()
        self.early_stops.clear()
        self._refusals += _refusals(self.programs[:-2])
        del self.programs[:-2]

    # --- faults

    def kill_parent(self) -> None:
        """SIGKILL to the parent alone."""
        self._expect(-signal.SIGKILL)
        self.program.kill()

    def kill_tree(self) -> None:
        """SIGKILL to all processes at once."""
        self._expect(-signal.SIGKILL)
        for pid in (self.program.pid, *self.program.children()):
            kill(pid)

    async def kill_child(self, number: int, timeout: float) -> None:
        """SIGKILL to one of the children that there are by then.

        :param number: any; it is taken modulo the number of children.
        """
        await until(self._reactor, lambda: self.program.children(), "a child process to kill", timeout)
        children = self.program.children()
        self._children_killed += 1
        kill(children[number % len(children)])

    async def terminate(self, timeout: float) -> None:
        """SIGTERM to the parent, and wait for its end. Before it logs anything, it has no handler for the signal."""
        program = self.program
        self._expect(0)
        if not program.lines:
            self._expect(-signal.SIGTERM)
        started = program.said("every cluster is started")
        watch = Stopwatch(self._reactor.seconds, program.pid, program.children)
        program.kill(signal.SIGTERM)

        def ended() -> bool:
            watch.look()
            return program.exit_code is not None

        await until(self._reactor, ended, "the end after SIGTERM", timeout)
        (self.stops if started else self.early_stops).append(watch.own)
        self.longest_by_clock = max(self.longest_by_clock, watch.elapsed)

    def _expect(self, code: int) -> None:
        self._expected.add(code)

    # --- the end

    async def end(self, timeout: float = PATIENCE) -> None:
        """Stop it for the last time, by SIGTERM; killed if it can't be."""
        if not self.programs or self._ending:
            return
        self._ending = True
        try:
            if self.program.exit_code is None:
                await self.terminate(timeout)
        finally:
            if self.program.exit_code is None:
                self.kill_tree()
                await self.program.wait()
            if self._sampling.running:
                self._sampling.stop()

    def _sample(self) -> None:
        program = self.programs[-1] if self.programs else None
        if program is None or program.exit_code is not None:
            return
        self.parent_peak = max(self.parent_peak, memory_of(program.pid, TWISTD.encode()))
        children = [memory_of(pid, b"rateway.process.child") for pid in program.children()]
        self.child_peak = max([self.child_peak, *children])


def _refusals(programs: Iterable[Program]) -> int:
    return sum("no more events can be held" in line for program in programs for line in program.lines)
