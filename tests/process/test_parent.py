from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.application.service import IService
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rateway.config import Config, from_wire
from rateway.errors import FatalError, Unavailable
from rateway.http.client import GatewayBot, SessionStartLimit
from rateway.model import deadlines
from rateway.process import commands
from rateway.process.parent import Parent
from rateway.process.state import StateFolder

from .fakes import FakeFatal, Heard, ReactorClock, Spawner

LIMIT = SessionStartLimit(1000, 1000, 0.0, 1)


class Client:
    """Discord's REST, scripted."""

    def __init__(self, *answers: Exception | GatewayBot) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.closed = False
        self.gate: Deferred[None] = succeed(None)
        self.closing: Deferred[None] = succeed(None)

    async def gateway_bot(self, attempts: int) -> GatewayBot:
        self.asked += 1
        await self.gate
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        self.closed = True
        await self.closing


class Signals:
    """Notes that they were taken over."""

    installed = False

    def install(self) -> None:
        self.installed = True


class ParentTests(SynchronousTestCase):
    """The parent, with a Discord and children that are none."""

    def setUp(self) -> None:
        self.clock = ReactorClock()
        self.heard = Heard(self)
        self.spawner = Spawner()
        self.fatal = FakeFatal()
        self.signals = Signals()
        self.folder = Path(self.mktemp()).absolute()

    def parent(self, client: Client, cpus: int = 2, **settings: Any) -> Parent:
        values: dict[str, Any] = {"token": "t.o.k", "intents": 1, "amqp_uri": "amqp://u:pw@h", "state_dir": self.folder}
        self.config = Config(**(values | settings))

        def signals(hurry: object, give_up: object) -> Signals:
            self.hurry = hurry
            return self.signals

        parent = Parent(self.clock, self.config, client, self.fatal, self.spawner, signals, cpus=cpus)
        self.addCleanup(parent._state.unlock)
        return parent

    def run_(self, client: Client, cpus: int = 2, **settings: Any) -> Parent:
        parent = self.parent(client, cpus, **settings)
        parent.startService()
        self.spawner.flush()
        return parent

    def stop(self, parent: Parent) -> Deferred[None]:
        stopped = parent.stopService()
        self.spawner.flush()
        return stopped

    def ran(self) -> list[list[int]]:
        return [arguments for child in self.spawner.children for what, arguments in child.heard if what == "run"]

    def test_it_is_a_service(self) -> None:
        """As twistd wants one."""
        self.assertTrue(verifyObject(IService, self.parent(Client(FatalError("x")))))

    def test_the_plan_is_given_to_the_children(self) -> None:
        """5 recommended and 3 extra, 3 a cluster, on 2 CPUs: three clusters, each in one of two children."""
        self.run_(Client(GatewayBot("wss://g/", 5, LIMIT)), extra_shards=3, shards_per_cluster=3)
        self.assertEqual(self.ran(), [[1, 2], [3]])
        config, url, total = self.spawner.children[0].heard[0][1]
        self.assertEqual((from_wire(config), url, total), (self.config, "wss://g/", 8))
        self.assertTrue(self.signals.installed)
        (line,) = [text for text in self.heard.texts("info") if text.startswith("plan:")]
        self.assertEqual(
            line,
            "plan: 8 shards (Discord recommends 5) in 3 clusters on 2 processes; 1000 of 1000 session starts are left, "
            "1 at a time",
        )

    def test_processes_are_chosen(self) -> None:
        """PROCESSES, and never more than there are clusters."""
        self.run_(Client(GatewayBot("wss://g", 5, LIMIT)), extra_shards=3, shards_per_cluster=3, processes=8)
        self.assertEqual(self.ran(), [[1], [2], [3]])

    def test_large_bots(self) -> None:
        """16 recommended and 3 extra at 16 at a time make 32 shards."""
        limit = SessionStartLimit(2000, 2000, 0.0, 16)
        self.run_(Client(GatewayBot("wss://g", 16, limit)), extra_shards=3)
        self.assertEqual(self.spawner.children[0].heard[0][1][2], 32)

    def test_the_total_outlives_the_run(self) -> None:
        """A drifting recommendation doesn't throw the sessions away, and the log says so."""
        self.successResultOf(self.stop(self.run_(Client(GatewayBot("wss://g", 5, LIMIT)))))
        self.run_(Client(GatewayBot("wss://g", 4, LIMIT)))
        self.assertEqual(self.spawner.children[-1].heard[0][1][2], 13)
        self.assertIn("keeping the 13 shards", self.heard.texts("warn")[0])

    def test_discord_is_waited_for(self) -> None:
        """No child is started before it answers."""
        client = Client(Unavailable("no route"), GatewayBot("wss://g", 1, LIMIT))
        self.run_(client)
        self.assertEqual(self.spawner.children, [])
        self.clock.advance(1.0)
        self.spawner.flush()
        self.assertEqual(self.ran(), [[1], [2]])

    def test_a_refused_token_ends_it(self) -> None:
        """With one sentence."""
        self.run_(Client(FatalError("set DISCORD_TOKEN")))
        self.assertEqual(self.fatal.sentences, ["set DISCORD_TOKEN"])

    def test_a_second_rateway_ends_itself(self) -> None:
        """Before it asks anybody anything."""
        first = StateFolder(self.folder)
        first.lock()
        self.addCleanup(first.unlock)
        client = Client(GatewayBot("wss://g", 1, LIMIT))
        self.run_(client)
        self.assertIn("another rateway", self.fatal.sentences[0])
        self.assertEqual(client.asked, 0)

    def test_a_bug_ends_it_too(self) -> None:
        """It is shown, and nothing half started stays."""
        self.run_(Client(ZeroDivisionError("bug")))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIn("rateway's own", self.fatal.sentences[0])

    def test_a_low_allowance_is_said_at_the_start(self) -> None:
        """With how long it will be so."""
        self.run_(Client(GatewayBot("wss://g", 4, SessionStartLimit(1000, 2, 7200.0, 1))), extra_shards=0)
        self.assertIn("Discord allows 2 session starts in the next 2 h", self.heard.texts("warn")[0])

    def test_the_fleets_permits(self) -> None:
        """Children ask one queue, and those that resume are not waited for."""
        self.run_(Client(GatewayBot("wss://g", 4, LIMIT)), extra_shards=0, shards_per_cluster=2)
        one, two = (process.link for process in self.spawner.processes)
        last = two.ask(commands.AcquirePermit, shard=3)
        self.spawner.flush()
        self.assertNoResult(last)
        one.tell(commands.ClusterStarted, cluster=1, resumable=[0, 1])
        two.tell(commands.ClusterStarted, cluster=2, resumable=[2])
        self.spawner.flush()
        self.successResultOf(last)
        self.assertIn("every cluster is started; 3 of 4 shards have a session to resume", self.heard.texts("info")[-1])

    def test_the_allowance_is_looked_at_again(self) -> None:
        """When Discord fills it, and those who wait go on; the gateway's address is renewed for later children."""
        low = GatewayBot("wss://old", 1, SessionStartLimit(1000, 2, 600.0, 1))
        full = GatewayBot("wss://new", 1, SessionStartLimit(1000, 1000, 0.0, 1))
        client = Client(low, Unavailable("503"), full)
        self.run_(client, extra_shards=0)
        waiting = self.spawner.processes[0].link.ask(commands.AcquirePermit, shard=0)
        self.spawner.flush()
        self.assertNoResult(waiting)
        self.clock.advance(601.5)
        self.clock.advance(60.0)
        self.spawner.flush()
        self.successResultOf(waiting)
        self.assertEqual(client.asked, 3)
        self.spawner.processes[0].end(signal=9)
        self.clock.advance(1.0)
        self.spawner.flush()
        self.assertEqual(self.spawner.children[1].heard[0][1][1], "wss://new")

    def test_a_fault_in_looking_at_the_allowance_ends_nothing(self) -> None:
        """It is logged, and looked at again in a minute; only a refused token ends the fleet."""
        first = GatewayBot("wss://g", 1, SessionStartLimit(1000, 1000, 10.0, 1))
        client = Client(first, ZeroDivisionError("bug"), first, FatalError("set DISCORD_TOKEN"))
        self.run_(client)
        self.clock.advance(11.0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((self.fatal.sentences, client.asked), ([], 2))
        self.assertTrue(self.spawner.processes[0].alive)
        self.clock.advance(60.0)
        self.assertEqual((self.fatal.sentences, client.asked), ([], 3))
        self.clock.advance(11.0)
        self.assertEqual((self.fatal.sentences, client.asked), (["set DISCORD_TOKEN"], 4))

    def test_an_orderly_stop(self) -> None:
        """All children at the same time, then the rest; nothing is left."""
        client = Client(GatewayBot("wss://g", 4, LIMIT))
        parent = self.run_(client, extra_shards=0, shards_per_cluster=2)
        self.successResultOf(self.stop(parent))
        self.assertEqual([child.heard[-1] for child in self.spawner.children], [("stop", False)] * 2)
        self.assertTrue(client.closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        again = StateFolder(self.folder)
        again.lock()
        again.unlock()

    def test_a_stop_for_good(self) -> None:
        """Every child is told to end its sessions too."""
        parent = self.run_(Client(GatewayBot("wss://g", 4, LIMIT)), extra_shards=0, shards_per_cluster=2)
        parent.give_up()
        self.successResultOf(self.stop(parent))
        self.assertEqual([child.heard[-1] for child in self.spawner.children], [("stop", True)] * 2)
        self.assertTrue(any(text.startswith("stopping for good") for text in self.heard.texts("info")))

    def test_children_that_hang_are_killed(self) -> None:
        """Within the ten seconds that containers give."""
        self.spawner.prepare = lambda child: setattr(child, "answer_stop", Deferred())
        parent = self.run_(Client(GatewayBot("wss://g", 4, LIMIT)), shards_per_cluster=6)
        stopped = self.stop(parent)
        self.clock.advance(deadlines.KILL - 0.1)
        self.assertNoResult(stopped)
        self.clock.advance(0.2)
        self.successResultOf(stopped)
        self.assertEqual([process.signals for process in self.spawner.processes], [["KILL"]] * 2)

    def test_what_cannot_even_be_killed_is_not_waited_for(self) -> None:
        """A process that the kernel doesn't end, and connections that don't close: the stop ends all the same."""
        self.spawner.obeys = False
        client = Client(GatewayBot("wss://g", 4, LIMIT))
        parent = self.run_(client)
        for process in self.spawner.processes:
            self.patch(process, "signalProcess", lambda _: None)
        client.closing = Deferred()
        stopped = self.stop(parent)
        for _ in range(100):
            self.assertNoResult(stopped)
            self.clock.advance(0.1)
            if stopped.called:
                break
        self.successResultOf(stopped)
        self.assertLess(self.clock.seconds(), deadlines.STOP)
        self.assertEqual(sum("is waited for no more" in text for text in self.heard.texts("warn")), 2)

    def test_a_second_signal_doesnt_wait(self) -> None:
        """Whoever presses Ctrl-C twice is in a hurry."""
        self.spawner.prepare = lambda child: setattr(child, "answer_stop", Deferred())
        parent = self.run_(Client(GatewayBot("wss://g", 1, LIMIT)))
        stopped = self.stop(parent)
        self.assertNoResult(stopped)
        parent.hurry()
        self.successResultOf(stopped)

    def test_stopping_while_discord_is_waited_for(self) -> None:
        """Is no error, and starts nothing afterwards."""
        client = Client(Unavailable("no route"))
        self.successResultOf(self.stop(self.run_(client)))
        self.assertEqual((self.fatal.sentences, self.clock.getDelayedCalls()), ([], []))

    def test_stopping_while_the_allowance_is_looked_at(self) -> None:
        """The answer comes too late, and is dropped."""
        client = Client(GatewayBot("wss://g", 1, SessionStartLimit(1000, 1000, 10.0, 1)))
        parent = self.run_(client)
        client.gate = Deferred()
        self.clock.advance(11.0)
        self.successResultOf(self.stop(parent))
        client.gate.callback(None)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_status(self) -> None:
        """Of every cluster."""
        parent = self.run_(Client(GatewayBot("wss://g", 4, LIMIT)), extra_shards=0, shards_per_cluster=2)
        asking = Deferred.fromCoroutine(parent.status())
        for _ in range(3):
            self.spawner.flush()
        self.assertEqual(self.successResultOf(asking), [{"cluster": 1}, {"cluster": 2}])
