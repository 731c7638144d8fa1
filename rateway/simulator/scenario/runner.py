"""Runs a scenario: does its steps to a simulator, and watches what its client does."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable
from typing import TYPE_CHECKING, TypeAlias

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from .checks import trigger
from .conditions import meets
from .expectations import Moment, Outcome, is_about_the_end, judge
from .facts import FIELDS, Facts
from .format import Case, On, Scenario, Step
from .report import Report, Verdict

if TYPE_CHECKING:
    from ..simulator import Simulator

Say: TypeAlias = Callable[[str], object]

_LOOK = 0.05
"""Seconds between two looks at the expectations."""


class _Over(Exception):
    """The run has ended while a step was waiting."""


async def run_scenario(
    simulator: Simulator, scenario: Scenario, *, say: Say = lambda line: None, slack: float = 0.0
) -> tuple[Report, ...]:
    """Run all cases of a scenario on a started simulator, one after another; each finds a fresh Discord.

    :param say: is told each step and each expectation as it happens, a line each.
    :param slack: seconds by which a busy machine may delay the client: added to every upper bound of a time.
    """
    simulator.in_scenario = True
    reports = []
    try:
        for number, case in enumerate(scenario.cases):
            if number:
                say(f"{case.name} wants a client freshly started: stop yours, and start it again")
            reports.append(await run_case(simulator, case, say=say, slack=slack))
    finally:
        simulator.in_scenario = False
    return tuple(reports)


async def run_case(simulator: Simulator, case: Case, *, say: Say = lambda line: None, slack: float = 0.0) -> Report:
    """Run one case; see :func:`run_scenario`. What it says of the simulator is added to what that was built with."""
    options = attrs.evolve(simulator.first_options, journal_limit=0, **case.options)
    await simulator.renew(options)
    return await _Run(simulator, case, say, slack).run()


class _Run:
    """One case being run."""

    def __init__(self, simulator: Simulator, case: Case, say: Say, slack: float) -> None:
        self._simulator = simulator
        self._clock = simulator.hub.clock
        self._case = case
        self._say = say
        self._slack = slack
        self._begun = self._clock.seconds()
        self._arrived: float | None = None
        self._marks: dict[str, float] = {}
        self._counted: dict[str, int] = {}
        self._sent = 0
        self._owed: dict[str, int] | None = None
        self._trouble: list[str] = []
        self._met: set[int] = set()
        self._over = False
        self._waiting_for = ""

    def _now(self) -> float:
        return self._clock.seconds()

    def _tell(self, text: str) -> None:
        when = "  " if self._arrived is None else f"+{self._now() - self._arrived:.2f} s "
        self._say(f"{when} {text}")

    async def run(self) -> Report:
        case = self._case
        self._say(f"scenario {case.name}: {case.about.strip()}")
        if case.client.compression:
            self._say(f"the client must be set to compression {case.client.compression}")
        self._say(f"waiting for a client at {self._simulator.api_url}")
        steps = Deferred.fromCoroutine(self._steps())
        try:
            outcomes = await self._watch()
        finally:
            self._over = True
            await steps
        verdicts = tuple(
            Verdict(expect.words(), outcome.state == "met", outcome.reason)
            for expect, outcome in zip(case.expects, outcomes, strict=True)
        )
        for verdict in verdicts:
            if not verdict.met:
                self._tell(str(verdict))
        for trouble in self._trouble:
            self._tell(trouble)
        for words in case.unseen:
            self._tell(f"can't be seen from here, so look: {words}")
        report = Report(case.name, verdicts, tuple(self._trouble), self._now() - self._begun, case.unseen)
        self._say(str(report))
        return report

    # --- the client

    def _has_come(self) -> bool:
        journal = self._simulator.hub.journal
        if self._arrived is None and (journal.requests or journal.connections):
            first = [log[0].at for log in (journal.requests, journal.connections) if log]
            self._arrived = min(first)
            self._tell("the client has come")
        return self._arrived is not None

    # --- expectations

    async def _watch(self) -> list[Outcome]:
        """Look on until everything is known."""
        case = self._case
        settled: float | None = None
        while True:
            now = self._now()
            outcomes = self._judge()
            if not self._has_come():
                if now - self._begun > case.patience:
                    self._trouble.append(
                        f"no client came within {case.patience:g} s: set its REST base to {self._simulator.api_url}"
                    )
            elif now - self._start() > case.timeout:
                self._trouble.append(f"not over after {case.timeout:g} s{self._undone()}")
            if self._over or self._trouble or any(outcome.state == "failed" for outcome in outcomes):
                return outcomes
            done = self._owed is not None and all(outcome.state == "met" for outcome in outcomes)
            settled = (now if settled is None else settled) if done and self._arrived is not None else None
            if settled is not None and now - settled >= case.hold:
                return outcomes
            await deferLater(self._clock, _LOOK)  # type: ignore[arg-type]

    def _start(self) -> float:
        return self._now() if self._arrived is None else self._arrived

    def _undone(self) -> str:
        return "" if self._owed is not None or not self._waiting_for else f": waited in vain for {self._waiting_for}"

    def _judge(self) -> list[Outcome]:
        facts = Facts.at_present(self._simulator)
        for breach in facts.of("breaches"):
            if breach["rule"] not in self._case.breaches:
                self._trouble.append(f"broke the rule {breach['rule']}: {breach['detail']} (shard {breach['shard']})")
        if self._trouble:
            self._trouble = list(dict.fromkeys(self._trouble))
        moment = Moment(self._start(), self._marks, self._owed, self._slack)
        outcomes = [judge(expect, facts, moment) for expect in self._case.expects]
        for number, (expect, outcome) in enumerate(zip(self._case.expects, outcomes, strict=True)):
            if outcome.state == "met" and number not in self._met and not is_about_the_end(expect):
                self._met.add(number)
                self._tell(f"met: {expect.words()}")
        return outcomes

    # --- steps

    async def _steps(self) -> None:
        try:
            for number, step in enumerate(self._case.steps, start=1):
                for turn in range(step.timing.times):
                    if turn:
                        await self._wait(step.timing.every)
                    await self._step(number, step)
            await self._until(self._has_come, "")
            self._owed = {session.id: session.seq for session in self._simulator.sessions}
        except _Over:
            pass
        except Exception:
            self._over = True
            raise

    async def _step(self, number: int, step: Step) -> None:
        timing = step.timing
        at = None
        if timing.at:
            await self._until(self._has_come, "")
            await self._wait(self._start() + timing.at - self._now())
        elif timing.on is not None:
            at = await self._event(number, timing.on)
        if timing.after:
            await self._until(self._has_come, "")
            await self._wait(timing.after)
            at = None
        self._count()
        if timing.mark:
            self._marks.setdefault(timing.mark, self._now() if at is None or step.actions else at)
        words = f"step {number}: {step.words or timing.mark}"
        try:
            for action in step.actions:
                done = action.perform(self._simulator)
                if isawaitable(done):
                    await done
        except (LookupError, ValueError) as error:
            self._trouble.append(f"{words} could not be done: {error.args[0] if error.args else error}")
            raise _Over from None
        self._tell(words)

    def _count(self) -> None:
        """Later events are counted from here."""
        facts = Facts.at_present(self._simulator)
        self._counted = {kind: len(facts.of(kind)) for kind in FIELDS}
        self._sent = self._simulator.sent

    async def _event(self, number: int, on: On) -> float | None:
        """Wait for it; the moment it happened at, where that is known."""
        kind, count = trigger(on)
        if on.active is not None:
            shards = [on.active] if isinstance(on.active, int) else on.active
            which = ", ".join(map(str, shards))
            await self._until(lambda: all(map(self._is_active, shards)), f"shard {which} active (step {number})")
            return None
        if kind is None:
            since = 0 if on.from_start else self._sent
            wanted = on.sent or 0
            await self._until(lambda: self._simulator.sent - since >= wanted, f"{wanted} events sent (step {number})")
            return None
        first = 0 if on.from_start else self._counted.get(kind, 0)

        def found() -> list[float]:
            facts = Facts.at_present(self._simulator).of(kind)[first:]
            return [fact["at"] for fact in facts if meets(fact, on.where)]

        where = f" where {dict(on.where)}" if on.where else ""
        await self._until(lambda: len(found()) >= count, f"{count} {kind}{where} (step {number})")
        return found()[count - 1] if count else None

    def _is_active(self, shard: int) -> bool:
        sessions = self._simulator.hub.sessions.of_shard(shard, self._now())
        return any(session.connection is not None and not session.backfilling for session in sessions)

    async def _wait(self, seconds: float) -> None:
        until = self._now() + seconds
        if seconds > 0:
            await self._until(lambda: self._now() >= until, "")

    async def _until(self, met: Callable[[], object], what: str) -> None:
        """:raises _Over: when the run ends before."""
        self._waiting_for = what
        limit = self._case.patience + self._case.timeout + 60.0
        await self._simulator.until(lambda: self._over or met(), limit, what)
        if self._over:
            raise _Over
