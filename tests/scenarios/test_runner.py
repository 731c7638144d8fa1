"""Running scenarios on a clock: steps, their order and moments, and how a run ends."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rateway.simulator.gateway.connection import Connection
from rateway.simulator.options import SimulatorOptions
from rateway.simulator.records import Connected
from rateway.simulator.scenario.reading import read
from rateway.simulator.scenario.report import Report, as_json
from rateway.simulator.scenario.runner import run_case, run_scenario
from rateway.simulator.simulator import Simulator
from tests.simulator.bench import NOW, PLAIN, Client, RecordingWire

HEAD = 'title = "T"\nabout = "A"\ntimeout = 20\nhold = 1\npatience = 10\n'
OPTIONS = SimulatorOptions(guilds=0, heartbeat_interval=40.0, resume_host="")
READY = '[[expect]]\nsee = "identifies"\nwhere = { answer = "ready" }\n'


class RunnerTestCase(SynchronousTestCase):
    """A simulator without sockets, on a clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.simulator = Simulator(self.clock, OPTIONS)
        self.said: list[str] = []

    def play(self, text: str, **more: Any) -> Deferred[Report]:
        """Begin to run a scenario of one case; the head and what is common stand already."""
        (case,) = read(HEAD + text, "mine").cases
        self.simulator = Simulator(self.clock, OPTIONS)
        running = Deferred.fromCoroutine(run_case(self.simulator, case, say=self.said.append, **more))
        self.pass_time(0.1)
        return running

    def pass_time(self, seconds: float) -> None:
        """In small steps, so that everything happens in its turn."""
        for _ in range(round(seconds / 0.025)):
            self.clock.advance(0.025)

    def connect(self, host: str = "127.0.0.1") -> Client:
        """A client's connection."""
        hub, wire = self.simulator.hub, RecordingWire()
        behaviour = hub.script.opening(host)
        number = len(hub.journal.connections) + 1
        record = Connected(number, self.clock.seconds(), host, "/", PLAIN)
        connection = hub.connections[number] = Connection(hub, wire, record, behaviour)
        hub.journal.keep("connections", hub.journal.connections, record)
        connection.opened()
        return Client(connection, wire)

    def ready(self, shard: int = 0, total: int = 1) -> Client:
        client = self.connect()
        client.identify(shard, total)
        self.pass_time(0.1)
        return client

    def moments(self, word: str) -> list[float]:
        """When lines with this word were said, in seconds after the arrival."""
        return [float(line.split()[0].removeprefix("+")) for line in self.said if word in line and line[0] == "+"]

    def assert_held(self, running: Deferred[Report]) -> None:
        report = self.successResultOf(running)
        self.assertTrue(report.held, str(report))
        self.assertEqual((report.failures, self.said[-1]), ([], "scenario mine: held"))

    def assert_failed(self, running: Deferred[Report], *reasons: str) -> None:
        report = self.successResultOf(running)
        self.assertFalse(report.held)
        self.assertEqual(len(report.failures), len(reasons), report.failures)
        for failure, reason in zip(report.failures, reasons, strict=True):
            self.assertIn(reason, failure)
        self.assertTrue(self.said[-1].startswith("scenario mine: failed: "), self.said[-1])


class EndTests(RunnerTestCase):
    """How runs end."""

    def test_held(self) -> None:
        """Everything seen, every step done, and the hold over."""
        running = self.play(READY)
        self.ready()
        self.pass_time(0.8)
        self.assertNoResult(running)
        self.pass_time(0.5)
        self.assert_held(running)

    def test_what_cannot_be_seen(self) -> None:
        """It is told at the end, and is in the report, for somebody to look."""
        running = self.play('unseen = ["it logs an error"]\n' + READY)
        self.ready()
        self.pass_time(2.0)
        report = self.successResultOf(running)
        self.assertTrue(report.held)
        (line,) = [line for line in self.said if "logs an error" in line]
        self.assertIn("can't be seen from here, so look: it logs an error", line)
        self.assertEqual(as_json((report,))["runs"][0]["unseen"], ["it logs an error"])  # type: ignore[index]

    def test_nobody_comes(self) -> None:
        """Without a client there are clear words, after the patience."""
        running = self.play(READY)
        self.pass_time(9.5)
        self.assertNoResult(running)
        self.pass_time(1.0)
        self.assert_failed(running, "no client came within 10 s: set its REST base to http", "0 of 1 identifies")

    def test_not_in_time(self) -> None:
        """What is not over by the timeout has failed, and says what it waited for."""
        running = self.play('[[step]]\non = { resumes = 2 }\ndo = "stop_traffic"\n' + READY)
        self.ready()
        self.pass_time(19.0)
        self.assertNoResult(running)
        self.pass_time(1.5)
        self.assert_failed(running, "not over after 20 s: waited in vain for 2 resumes (step 1)")

    def test_broken_rule(self) -> None:
        """A broken rule fails the scenario at once, but for those that it expects."""
        for allowed, held in (("", False), ('breaches = ["undecodable"]\n', True)):
            running = self.play(allowed + READY)
            self.ready().say(b"nonsense")
            self.pass_time(2.0)
            if held:
                self.assert_held(running)
            else:
                self.assert_failed(running, "broke the rule undecodable")

    def test_never_is_watched_to_the_end(self) -> None:
        """What must never be fails during the hold too."""
        running = self.play(READY + '[[expect]]\nnever = "closes"\nwhere = { code = 1000 }\n')
        client = self.ready()
        self.pass_time(0.5)
        client.connection.client_closed(1000, "")
        self.pass_time(0.1)
        self.assert_failed(running, "never closes where {'code': 1000}: seen")

    def test_too_many(self) -> None:
        """An exact number is watched to the end."""
        running = self.play('[[expect]]\nsee = "connections"\ncount = 1\n')
        self.connect()
        self.pass_time(0.5)
        self.connect()
        self.pass_time(0.1)
        self.assert_failed(running, "more than 1")

    def test_impossible_step(self) -> None:
        """A step that can't be done fails the scenario, and says why."""
        running = self.play('[[step]]\non = { connections = 1 }\ndo = "drop"\nshard = 0\n')
        self.connect()
        self.pass_time(0.2)
        self.assert_failed(running, "step 1: drop (shard 0) could not be done: shard 0 has no connection")

    def test_given_up(self) -> None:
        """A run can be cancelled; nothing of it stays behind."""
        running = self.play('[[step]]\non = { resumes = 1 }\nmark = "never"\n')
        self.ready()
        running.cancel()
        self.pass_time(0.2)
        self.failureResultOf(running, CancelledError)
        self.assertFalse(any("tick" in str(call) for call in self.clock.getDelayedCalls()))


class StepTests(RunnerTestCase):
    """When steps are done."""

    def test_before_the_client(self) -> None:
        """Steps without a moment at the head are done before the client comes."""
        running = self.play(
            '[[step]]\nactions = [{ do = "on_connect", identify = 4014 }]\n' + READY.replace("ready", "4014")
        )
        self.assertIn("step 1: on_connect (identify 4014)", self.said[-1])
        client = self.ready()
        self.assertEqual(client.wire.close and client.wire.close[0], 4014)
        self.pass_time(1.5)
        self.assert_held(running)

    def test_times(self) -> None:
        """at counts from the arrival, after from the step before; a step may be repeated at intervals."""
        running = self.play(
            '[[step]]\nat = 2\ndo = "happen"\n[[step]]\nafter = 1.5\ndo = "happen"\ncount = 2\ntimes = 3\nevery = 1\n'
        )
        self.pass_time(3.0)
        self.connect()
        self.pass_time(12.0)
        self.assert_held(running)
        for moment, wanted in zip(self.moments("happen"), (2.0, 3.5, 6.0, 8.5), strict=True):
            self.assertTrue(abs(moment - wanted) < 0.4, (moment, wanted))

    def test_events(self) -> None:
        """Events count from the step before; from_start counts them all; where says which."""
        running = self.play(
            '[[step]]\non = { active = 0 }\nmark = "active"\n'
            '[[step]]\non = { heartbeats = 2, where = { shard = 0 } }\nmark = "two"\n'
            '[[step]]\non = { heartbeats = 1 }\nmark = "one more"\n'
            '[[step]]\non = { heartbeats = 3, from_start = true }\nmark = "three in all"\n'
            '[[step]]\non = { sent = 2 }\nmark = "sent"\n'
            '[[step]]\non = { ends = 1 }\nmark = "gone"\n'
        )
        client = self.connect()
        self.assertEqual(self.moments("step 1"), [])
        client.identify()
        self.pass_time(0.2)
        self.assertEqual(len(self.moments("step 1: active")), 1)
        for beats, done in ((1, 0), (2, 2), (3, 4)):
            client.tell(1, 1)
            self.pass_time(0.2)
            self.assertEqual(
                len([n for n in range(2, 7) if self.moments(f"step {n}")]), {0: 0, 2: 1, 4: 3}[done], beats
            )
        for _ in range(2):
            self.simulator.dispatch(0, "X", {})
        self.pass_time(0.2)
        self.assertTrue(self.moments("step 5: sent"))
        client.leave()
        self.pass_time(1.5)
        self.assert_held(running)

    def test_marks(self) -> None:
        """since counts from the mark: a moment of its own where it only names what happened."""
        text = '[[step]]\non = { heartbeats = 1 }\nmark = "beat"\n' + READY + 'since = "beat"\nwithin = 3.0\n'
        for pause, held in ((2.5, True), (3.5, False)):
            running = self.play(text)
            client = self.connect()
            self.pass_time(5.0)
            client.tell(1, None)
            self.pass_time(pause)
            client.identify()
            self.pass_time(1.5)
            if held:
                self.assert_held(running)
            else:
                self.assert_failed(running, "not within 3 s")

    def test_slack(self) -> None:
        """A busy machine is allowed for where the one who runs it says so."""
        text = READY + "within = 1.0\n"
        for slack in (0.0, 1.0):
            running = self.play(text, slack=slack)
            client = self.connect()
            self.pass_time(1.5)
            client.identify()
            self.pass_time(1.5)
            if slack:
                self.assert_held(running)
            else:
                self.assert_failed(running, "not within 1 s")

    def test_delivered(self) -> None:
        """Events are delivered when a heartbeat names the last one."""
        running = self.play(
            '[[step]]\non = { active = 0 }\ndo = "dispatch"\nname = "X"\n[[expect]]\ndelivered = true\n'
        )
        client = self.ready()
        client.tell(1, 1)
        self.pass_time(2.0)
        self.assertNoResult(running)
        client.tell(1, 2)
        self.pass_time(1.5)
        self.assert_held(running)


class ScenarioTests(RunnerTestCase):
    """Scenarios of several cases."""

    def test_variants(self) -> None:
        """One after another, each with a fresh Discord of its own options."""
        text = (
            HEAD + READY + 'count = 1\n[[variant]]\ntitle = "a"\nsimulator = { shards = 3 }\n[[variant]]\ntitle = "b"\n'
        )
        scenario = read(text, "mine")
        running = Deferred.fromCoroutine(run_scenario(self.simulator, scenario, say=self.said.append))
        self.pass_time(0.1)
        self.assertTrue(self.simulator.in_scenario)
        self.assertEqual(self.simulator.options.shards, 3)
        first = self.ready()
        self.pass_time(1.5)
        self.assertIn("scenario mine:a: held", self.said)
        self.assertIn("mine:b wants a client freshly started: stop yours, and start it again", self.said)
        self.assertEqual(first.wire.dropped, "rst")
        first.leave()
        self.pass_time(0.2)
        self.assertEqual((self.simulator.options.shards, self.simulator.identifies), (1, []))
        self.ready()
        self.pass_time(1.5)
        reports = self.successResultOf(running)
        self.assertEqual([(report.name, report.held) for report in reports], [("mine:a", True), ("mine:b", True)])
        self.assertFalse(self.simulator.in_scenario)
