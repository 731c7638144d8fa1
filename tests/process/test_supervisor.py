from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rateway.errors import RequestRefused
from rateway.gateway.identify import Limits
from rateway.model.plan import make_plan
from rateway.process import commands
from rateway.process.gate import FleetGate
from rateway.process.supervisor import LINGER, Orders, Supervisor

from .fakes import FakeChild, FakeFatal, FakeMemory, Heard, Spawner, refuse_all


class SupervisorTests(SynchronousTestCase):
    """One child and its keeper, without a process."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.heard = Heard(self)
        self.spawner = Spawner()
        self.fatal = FakeFatal()
        self.started: list[tuple[int, list[int]]] = []
        self.orders = Orders(b"config", "wss://one", 6)
        self.gate = FleetGate(self.clock, FakeMemory(), Limits(1000, 1000, 0.0, 1), wall=lambda: 1e9)
        clusters = make_plan(6, 2).clusters[1:]
        self.supervisor = Supervisor(
            self.clock,
            2,
            clusters,
            lambda: self.orders,
            self.spawner,
            self.gate,
            self.fatal,
            lambda cluster, resumable: self.started.append((cluster, resumable)),
            refuse_all,
        )

    def start(self) -> None:
        self.supervisor.start()
        self.spawner.flush()

    def stop(self, final: bool = False) -> Deferred[None]:
        stopped = Deferred.fromCoroutine(self.supervisor.stop(final))
        self.spawner.flush()
        return stopped

    def test_a_child_is_told_what_to_run(self) -> None:
        """Configuration first, then its clusters."""
        self.start()
        self.assertEqual(self.spawner.children[0].heard, [("configure", (b"config", "wss://one", 6)), ("run", [2, 3])])

    def test_a_command_reaches_the_child(self) -> None:
        """Of its own shards; the child's answer is the command's."""
        self.start()
        self.assertEqual([shard for shard in range(8) if self.supervisor.runs(shard)], [2, 3, 4, 5])
        sent = self.supervisor.send_command(3, 4, b"{}", 2.0)
        self.spawner.flush()
        self.successResultOf(sent)
        self.assertEqual(self.spawner.children[0].heard[-1], ("send", (3, 4, b"{}", 2.0)))

    def test_a_command_for_a_dead_child_is_refused(self) -> None:
        """At once, and also when it dies before it answers."""
        self.start()
        sent = self.supervisor.send_command(3, 4, b"{}", 2.0)
        self.spawner.processes[0].end(signal=9)
        self.failureResultOf(sent, RequestRefused)
        self.failureResultOf(self.supervisor.send_command(3, 4, b"{}", 2.0), RequestRefused)

    def test_the_orders_hide_the_configuration(self) -> None:
        """It has the token in it."""
        self.assertNotIn("b'config'", repr(self.orders))

    def test_a_dead_child_comes_back(self) -> None:
        """After a second, with the newest orders; the log says which and how it died."""
        self.start()
        self.orders = Orders(b"config", "wss://two", 6)
        self.spawner.processes[0].end(signal=9)
        self.assertEqual(
            self.heard.texts("error"),
            ["child 2 (clusters 2 to 3) was killed by SIGKILL; it is started again in 1 s"],
        )
        self.clock.advance(0.9)
        self.assertEqual(len(self.spawner.children), 1)
        self.clock.advance(0.2)
        self.spawner.flush()
        self.assertEqual(self.spawner.children[1].heard[0], ("configure", (b"config", "wss://two", 6)))

    def test_one_that_crashed(self) -> None:
        """Who comes after a fault in native code is told of it, for the store may be its cause; others aren't."""
        self.start()
        self.assertFalse(self.spawner.children[-1].again)
        for number, crashed in ((11, True), (9, False), (6, True), (7, True), (15, False)):
            self.spawner.processes[-1].end(signal=number)
            self.clock.advance(61.0)
            self.spawner.flush()
            self.assertEqual(self.spawner.children[-1].heard[1][0], "run anew" if crashed else "run")
            self.assertTrue(self.spawner.children[-1].again)

    def test_one_that_dies_again_and_again_comes_back_ever_later(self) -> None:
        """1, 2, 4 … 60 s, and 1 s again after a minute of life."""
        waits = []
        self.start()
        for _ in range(8):
            before = self.clock.seconds()
            count = len(self.spawner.processes)
            self.spawner.processes[-1].end(code=1)
            while len(self.spawner.processes) == count:
                self.clock.advance(0.5)
            waits.append(self.clock.seconds() - before)
        self.assertEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60])
        self.clock.advance(61.0)
        self.spawner.processes[-1].end()
        self.clock.advance(1.0)
        self.assertEqual(len(self.spawner.processes), 10)

    def test_a_machine_without_room(self) -> None:
        """A child that can't even be started is tried again in the same way."""
        self.spawner.refuse = True
        self.start()
        self.assertIn("can't be started", self.heard.texts("error")[0])
        self.spawner.refuse = False
        self.clock.advance(1.0)
        self.assertEqual(len(self.spawner.processes), 1)

    def test_permits_of_a_dead_child_count_as_used(self) -> None:
        """The next shard waits its 5 s."""
        self.start()
        asked = self.spawner.processes[0].link.ask(commands.AcquirePermit, shard=2)
        self.spawner.flush()
        self.successResultOf(asked)
        self.spawner.processes[0].end(signal=11)
        self.assertNoResult(self.gate.acquire(0))

    def test_what_a_child_reports(self) -> None:
        """A cluster that runs, and an end that concerns all."""
        self.start()
        link = self.spawner.processes[0].link
        link.tell(commands.ClusterStarted, cluster=2, resumable=[2, 3])
        link.tell(commands.ReportFatal, sentence="the token is wrong: ü")
        self.spawner.flush()
        self.assertEqual(self.started, [(2, [2, 3])])
        self.assertEqual(self.fatal.sentences, ["the token is wrong: ü"])

    def test_an_orderly_stop(self) -> None:
        """It is told to stop, then its link is closed, and that is the end of it."""
        self.start()
        child = self.spawner.children[0]
        child.answer_stop = Deferred()
        stopped = self.stop()
        self.assertEqual(child.heard[-1], ("stop", False))
        self.assertNoResult(stopped)
        self.assertTrue(self.spawner.processes[0].alive)
        child.answer_stop.callback({})
        self.spawner.flush()
        self.successResultOf(stopped)
        self.clock.advance(100.0)
        self.assertEqual(len(self.spawner.processes), 1)
        self.assertEqual(self.heard.texts("error"), [])

    def test_a_final_stop(self) -> None:
        """The sessions are to end too."""
        self.start()
        self.successResultOf(self.stop(final=True))
        self.assertEqual(self.spawner.children[0].heard[-1], ("stop", True))

    def test_stopping_what_doesnt_live(self) -> None:
        """Before it was ever started, and between two lives."""
        self.successResultOf(self.stop())
        self.start()
        self.spawner.processes[0].end()
        self.successResultOf(self.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_child_that_dies_while_it_is_stopped(self) -> None:
        """That is stopped enough."""
        self.start()
        self.spawner.children[0].answer_stop = Deferred()
        stopped = self.stop()
        self.spawner.processes[0].end(signal=6)
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_child_that_hangs_is_killed(self) -> None:
        """By whoever loses patience; then the stop is over."""
        self.start()
        self.spawner.children[0].answer_stop = Deferred()
        stopped = self.stop()
        self.supervisor.kill()
        self.successResultOf(stopped)
        self.assertEqual(self.spawner.processes[0].signals, ["KILL"])
        self.supervisor.kill()

    def test_a_child_without_a_link_doesnt_linger(self) -> None:
        """Its link is gone and it lives on: it is killed, and started again."""
        self.spawner.obeys = False
        self.start()
        process = self.spawner.processes[0]
        process.protocol.childConnectionLost(4)
        self.clock.advance(LINGER)
        self.assertEqual(process.signals, ["KILL"])
        self.clock.advance(1.0)
        self.assertEqual(len(self.spawner.processes), 2)

    def test_a_child_that_doesnt_take_its_orders_is_ended(self) -> None:
        """In order, by closing its link, for some of its clusters may run; the next may be better."""

        def broken(child: FakeChild) -> None:
            child.fail_at_configure = True

        self.spawner.prepare = broken
        self.start()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertFalse(self.spawner.processes[0].alive)
        self.assertEqual(self.spawner.processes[0].signals, [])
        self.clock.advance(1.0)
        self.assertEqual(len(self.spawner.processes), 2)

    def test_a_fault_in_answering_costs_neither_link_nor_child(self) -> None:
        """It is logged with its traceback; another child's shard is no reason to end this one."""
        self.start()
        link = self.spawner.processes[0].link
        for command in (commands.PermitUsed, commands.PermitSettled, commands.PermitReturned, commands.WithdrawPermit):
            link.tell(command, shard=0)
        asked = link.ask(commands.AcquirePermit, shard=0)
        faults: list[str] = []
        asked.addErrback(lambda failure: faults.append(str(failure.trap(commands.Fault) and failure.value)))
        self.spawner.flush()
        self.assertEqual(faults, ["AcquirePermit met a fault of rateway's own (ValueError)"])
        logged = self.flushLoggedErrors(ValueError)
        self.assertEqual([str(failure.value) for failure in logged], ["shard 0 is another child's"] * 5)
        asked = link.ask(commands.AcquirePermit, shard=2)
        self.spawner.flush()
        self.successResultOf(asked)

    def test_a_status_that_cannot_be_told(self) -> None:
        """Leaves that cluster out, and the child alive."""

        def broken(child: FakeChild) -> None:
            child.fail_at_status = 2

        self.spawner.prepare = broken
        self.start()
        asked = Deferred.fromCoroutine(self.supervisor.status())
        for _ in range(3):
            self.spawner.flush()
        self.assertEqual(self.successResultOf(asked), [{"cluster": 3}])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(self.spawner.processes[0].alive)

    def test_status(self) -> None:
        """Of each cluster, as far as the child lives."""
        self.start()
        asked = Deferred.fromCoroutine(self.supervisor.status())
        for _ in range(2):
            self.spawner.flush()
        told: list[dict[str, Any]] = self.successResultOf(asked)
        self.assertEqual(told, [{"cluster": 2}, {"cluster": 3}])
        self.spawner.processes[0].end()
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(self.supervisor.status())), [])
