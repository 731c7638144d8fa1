"""Scenarios judge: a client that does all well passes, and each fault makes the scenario fail for that reason."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import attrs
from twisted.internet.defer import Deferred, DeferredList, DeferredSemaphore

from rateway.simulator.options import SimulatorOptions
from rateway.simulator.scenario.format import Case
from rateway.simulator.scenario.reading import load
from rateway.simulator.scenario.report import Report
from rateway.simulator.scenario.runner import run_case
from rateway.simulator.simulator import Simulator
from tests.simulator.client import SimulatorTestCase, the_reactor

from .bot import Bot

SLACK, LITTLE = 2.0, 0.5
"""Seconds by which a busy machine may delay a bot; where a fault is a matter of time, it is told by the second."""
LATE = 3.0
"""Intervals by which a heartbeat may be late before the connection is closed: what is late, the scenarios say."""

LANES = 5


def case_of(name: str, **changes: Any) -> Case:
    """One case of a packaged scenario, ``NAME`` or ``NAME:VARIANT``."""
    (case,) = load(name).cases
    return attrs.evolve(case, **changes)


class BotTestCase(SimulatorTestCase):
    """Plays scenarios to bots, several at the same time."""

    timeout = 300

    async def outcome(self, case: Case, *faults: str, slack: float = SLACK) -> Report:
        """What a scenario says of a bot with these faults."""
        simulator = Simulator(the_reactor(), SimulatorOptions(heartbeat_slack=LATE))
        await simulator.start()
        said: list[str] = []
        running = Deferred.fromCoroutine(run_case(simulator, case, say=said.append, slack=slack))
        await simulator.until(lambda: any("waiting for a client" in line for line in said))
        options = simulator.options
        bot = Bot(
            simulator,
            *faults,
            shards=options.shards,
            concurrency=options.max_concurrency,
            compress="" if "speaks no zlib" in faults else case.client.compression or "",
        )
        ended = bot.start()
        try:
            return await running
        finally:
            bot.stop()
            await ended
            await simulator.stop()

    async def fails(self, name: str, faults: str, reason: str, *, slack: float = SLACK, **changes: Any) -> None:
        """The scenario fails with this reason (a regular expression) for a bot with these faults, joined by ``and``."""
        report = await self.outcome(case_of(name, **changes), *faults.split(" and "), slack=slack)
        self.assertFalse(report.held, f"{name} held though the bot {faults}")
        self.assertRegex("; ".join(report.failures), reason, f"{name}, a bot that {faults}")

    async def holds(self, name: str, **changes: Any) -> None:
        """The scenario holds for a bot without faults."""
        report = await self.outcome(case_of(name, **changes))
        self.assertTrue(report.held, str(report))

    async def together(self, *plays: Coroutine[Any, Any, None]) -> None:
        """Some of them at a time, each to its end; what went wrong in any is told.

        All share one processor with their bots: the more there are, the longer each waits for its turn.
        """
        lanes = DeferredSemaphore(LANES)
        running = [lanes.run(Deferred.fromCoroutine, play) for play in plays]
        outcomes = await DeferredList(running, consumeErrors=True)
        wrong = [str(result) for success, result in outcomes if not success]
        self.assertEqual(wrong, [], "\n".join(wrong))


class GoodBotTests(BotTestCase):
    """A bot without faults."""

    async def test_holds(self) -> None:
        """It passes, where scenarios are short enough to see it here."""
        names = "01 04 05 06 07 08 09 10 11 12 15 19 29 32 35:zlib-stream 33 16:identify 16:active 17:4014"
        await self.together(*[self.holds(f"criterion_{name}") for name in names.split()])


class BadBotTests(BotTestCase):
    """A bot with one fault."""

    async def test_opening(self) -> None:
        """What goes wrong before READY."""
        await self.together(
            *[
                self.fails("criterion_01", "has no name", "bears the token and a User-Agent|user-agent"),
                self.fails("criterion_01", "identifies before HELLO", "nothing is sent before HELLO: not before 1 s"),
                self.fails(
                    "criterion_03",
                    "beats without jitter",
                    "differs from connection to connection: phase",
                    # Long, so that what the machine makes of equal moments is a small share of it; before READY.
                    options={"shards": 8, "max_concurrency": 8, "heartbeat_interval": 5.0},
                ),
                self.fails("criterion_03", "beats too fast", "one each interval.*intervals apart", slack=LITTLE),
                self.fails("criterion_03", "makes up sequences", "d is null before READY: must be"),
                self.fails("criterion_04", "ignores op 1", "a heartbeat comes at once: not within 0.1 s", slack=LITTLE),
                self.fails("criterion_07", "hurries and identifies out of turn", "it pauses between: not before 0.8 s"),
                self.fails("criterion_17:4013", "never gives up", "identifies once: more than 1|doesn't connect again"),
                self.fails("criterion_16:identify", "never gives up", "no shard connects any more: seen|at most|more"),
                self.fails("criterion_16:rest", "never gives up", "REST is asked once: more than 1"),
                self.fails("criterion_20", "identifies out of turn", "identify-concurrency|apart"),
                self.fails("criterion_25", "identifies out of turn", "identify-concurrency|apart"),
                self.fails("criterion_26", "starts backwards", "shard must not fall|group must not fall"),
                self.fails("criterion_27", "needs four", "uses no more than the two: more than 2"),
                self.fails("criterion_30", "speaks no zlib", "asks for zlib-stream: must be"),
            ]
        )

    async def test_sessions(self) -> None:
        """What goes wrong with sessions."""
        await self.together(
            *[
                self.fails("criterion_05", "never misses an ACK", "the next heartbeat that is due: not within 2.2 s"),
                self.fails("criterion_05", "closes with 1000", "not by a code that ends the session: seen"),
                self.fails("criterion_05", "resumes at the main address", "resume-host|at its own address"),
                self.fails(
                    "criterion_08", "ignores op 7", "the session is resumed, once: not within 10 s", timeout=25.0
                ),
                self.fails("criterion_09", "resumes too far back", "the RESUME names the last event"),
                self.fails("criterion_10", "never resumes", "identifies: more than 1|wasted-session|resumed behind"),
                self.fails("criterion_11", "never resumes", "identifies: more than 1|wasted-session"),
                self.fails("criterion_12", "gives up after 1000", "it resumes after 1000: not within 10 s"),
                self.fails("criterion_13", "never resumes", "identifies: more than 1|wasted-session"),
                self.fails(
                    "criterion_14", "keeps dead sessions", "no old session is used again: seen|at the address of GET"
                ),
                self.fails(
                    "criterion_18:forgotten",
                    "hurries and identifies out of turn",
                    "not before 1 s|identify-concurrency",
                ),
                self.fails("criterion_19", "never resumes", "the session is kept: more than 1|resumed|identif"),
                self.fails("criterion_28:connection", "hurries", "ever more rarely: more than 15"),
                self.fails("criterion_28:session", "hurries", "identifies rarely: more than 5|ever more rarely: more"),
                self.fails(
                    "criterion_35:zlib-stream",
                    "hangs on corruption and never misses an ACK",
                    "the connection is given up: not within 5 s",
                ),
            ]
        )

    async def test_late(self) -> None:
        """What is late when 20 MB come. By itself: all in this process wait while they are made and read."""
        await self.fails(
            "criterion_36:guild", "is late when much comes", "no heartbeat is late: must be|late-heartbeat"
        )

    async def test_waiting(self) -> None:
        """What is given up too late, or never, is a failure too: it says what was waited for."""
        await self.together(
            *[
                self.fails(
                    "criterion_24",
                    "waits for ever and never misses an ACK",
                    "silent connection is given up.*0 of 1 ends",
                    timeout=15.0,
                ),
                self.fails(
                    "criterion_23",
                    "waits for ever and never misses an ACK",
                    "silent connection is given up: 0 of 1",
                    timeout=15.0,
                ),
                self.fails("criterion_21", "never resumes", "one RESUME brings it all|wasted-session"),
            ]
        )
