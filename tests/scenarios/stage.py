"""rateway in a scenario: the real process, a real broker, and what must have come out at the other end."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define
from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults

from rateway.simulator.gateway import filters
from rateway.simulator.scenario.format import Case
from rateway.simulator.scenario.reading import load
from rateway.simulator.scenario.report import Report
from rateway.simulator.scenario.runner import run_case
from rateway.simulator.simulator import Simulator
from tests.integration.harness import WorldTestCase
from tests.integration.program import Program
from tests.integration.worker import Worker
from tests.support.broker import fresh_vhost
from tests.support.waiting import PATIENCE

SLACK = 1.0
"""Seconds by which a busy machine may delay rateway."""
LATE = 2.0
"""Intervals by which a heartbeat may be late before Discord closes. What is late, the scenarios themselves say."""
FINAL = ("criterion_16", "criterion_17")
"""Scenarios that rateway must end by itself in."""

_WITHOUT_INTENT = (
    "READY RESUMED RATE_LIMITED USER_UPDATE VOICE_SERVER_UPDATE GUILD_MEMBERS_CHUNK SOUNDBOARD_SOUNDS CHANNEL_INFO "
    "INTERACTION_CREATE APPLICATION_COMMAND_PERMISSIONS_UPDATE ENTITLEMENT_CREATE ENTITLEMENT_UPDATE "
    "ENTITLEMENT_DELETE SUBSCRIPTION_CREATE SUBSCRIPTION_UPDATE SUBSCRIPTION_DELETE TOMORROWS_EVENT"
)

EVENTS = frozenset({*filters._GUILD_MASKS, *filters._DIRECT_MASKS, *_WITHOUT_INTENT.split()})
"""What workers bind their queues by: every event that a scenario may send."""

Kept = tuple[int, str, bytes]
"""``(sequence, name, body)``."""


@define(eq=False)
class Run:
    """One case, played by rateway.

    :ivar ended: the exit code of a rateway that had to end by itself; None for one that had not.
    """

    case: Case
    report: Report
    simulator: Simulator
    program: Program
    worker: Worker
    ended: int | None

    def sent(self) -> dict[str, list[Kept]]:
        """What Discord sent, by session."""
        found: dict[str, list[Kept]] = {}
        for event in self.simulator.events:
            found.setdefault(event.session_id, []).append((event.seq, event.name, event.d))
        return found

    def arrived(self) -> dict[str, list[Kept]]:
        """What arrived at the worker, by session; RESUMED is the answer to a RESUME, and no event of the session."""
        found: dict[str, list[Kept]] = {}
        for event in self.worker.events:
            if event.key != "RESUMED":
                session = str(event.properties.message_id).split(":")[1]
                found.setdefault(session, []).append((event.seq, event.key, event.body))
        return found

    def losses(self) -> list[str]:
        """What the worker didn't get exactly once, in order: sentences. Of a session that is over, the end may lack."""
        sent, arrived = self.sent(), self.arrived()
        living = {session.id for session in self.simulator.sessions}
        found = [f"events of a session that never was: {len(arrived[each])}" for each in arrived.keys() - sent.keys()]
        for session, events in sent.items():
            got = arrived.get(session, [])
            wanted = events if session in living else events[: len(got)]
            if got != wanted:
                sequences = [seq for seq, _, _ in got]
                found.append(f"{len(got)} events came of {len(events)} sent: {_difference(sequences, wanted)}")
        return found


def _difference(sequences: list[int], wanted: list[Kept]) -> str:
    twice = sorted({seq for seq in sequences if sequences.count(seq) > 1})
    missing = [f"{seq} {name}" for seq, name, _ in wanted if seq not in set(sequences)]
    return f"missing {missing[:20]}, twice {twice[:20]}, in order {sequences == sorted(sequences)}"


class StageTestCase(WorldTestCase):
    """Plays scenarios; their cases at the same time, each with a Discord, a broker and a rateway of its own."""

    timeout = 500

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        # Most cases wait rather than compute; but to start a rateway takes a whole processor.
        self.lanes = DeferredSemaphore(5)
        self.entrance = DeferredSemaphore(1)

    async def play(self, name: str, **settings: object) -> list[Run]:
        """Every case of a packaged scenario has held, and the worker got each event once, in order."""
        cases = load(name).cases
        runs: list[Run] = await gatherResults([self.lanes.run(self._begin, case, settings) for case in cases])
        for run in runs:
            self.assertTrue(run.report.held, f"{run.report}\nrateway said:\n{run.program.text[-6000:]}")
            self.assertEqual(run.losses(), [], run.case.name)
        return runs

    def _begin(self, case: Case, settings: Mapping[str, object]) -> Deferred[Run]:
        return Deferred.fromCoroutine(self._play(case, settings))

    async def _play(self, case: Case, settings: Mapping[str, object]) -> Run:
        amqp = await fresh_vhost(self)
        simulator = await self.simulator(record_events=True, heartbeat_slack=LATE)
        worker = await Worker.connect(self.reactor, amqp)
        self.workers.append(worker)
        await worker.bind(1, EVENTS)
        said: list[str] = []
        running = Deferred.fromCoroutine(run_case(simulator, case, say=said.append, slack=SLACK))
        await self.until(lambda: any("waiting for a client" in line for line in said), "the scenario's beginning")
        compression = {} if case.client.compression is None else {"COMPRESSION": case.client.compression}
        state = self.folder / f"state-{case.name}"
        await self.entrance.acquire()
        try:
            program = self.rateway(
                simulator, AMQP_URI=amqp, STATE_DIR=state, SHARDS_PER_CLUSTER=32, **compression, **settings
            )
            await self.until(
                lambda: program.said("every cluster is started") or program.said("rateway stops"),
                "rateway's start",
                2 * PATIENCE,
            )
        finally:
            self.entrance.release()
        report = await running
        ended = None
        if report.held and case.name.partition(":")[0] in FINAL:
            ended = await program.wait()
        elif program.exit_code is None:
            await program.stop()
        run = Run(case, report, simulator, program, worker, ended)
        count = sum(map(len, run.sent().values()))
        await self.until(lambda: not run.losses() or not report.held, f"{count} events: {run.losses()}")
        return run
