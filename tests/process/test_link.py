from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.error import ConnectionClosed, ConnectionDone
from twisted.internet.interfaces import ITransport
from twisted.protocols.amp import CommandLocator
from twisted.python.failure import Failure
from twisted.test.iosim import connectedServerAndClient
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rateway.process import commands
from rateway.process.link import Link, PipeTransport
from rateway.settings import MOST_PER_CLUSTER, MOST_SHARDS

from .fakes import FakeChild


class Started(CommandLocator):
    """A parent that hears of started clusters."""

    def __init__(self, told: Callable[[list[int]], None]) -> None:
        super().__init__()
        self.told = told

    @commands.ClusterStarted.responder
    def cluster_started(self, cluster: int, resumable: list[int]) -> dict[str, object]:
        self.told(resumable)
        return {}


class LinkTests(SynchronousTestCase):
    """Two ends of a link, in memory."""

    def setUp(self) -> None:
        self.child = FakeChild()
        self.outside, self.inside, self.pump = connectedServerAndClient(lambda: Link(self.child), Link)

    def test_a_command_and_its_answer(self) -> None:
        """What is asked is answered, the configuration in bytes as they were."""
        asked = self.outside.ask(commands.Configure, config=b"{}\x00\xff", gateway_url="wss://ü", total=3)
        self.pump.flush()
        self.assertEqual(self.successResultOf(asked), {})
        self.assertEqual(self.child.heard, [("configure", (b"{}\x00\xff", "wss://ü", 3))])

    def test_every_command_travels(self) -> None:
        """A list of numbers, a flag, a status."""
        for command, arguments in (
            (commands.RunClusters, {"clusters": list(range(1, 2000)), "crashed": False, "again": False}),
            (commands.Stop, {"final": True}),
            (commands.Status, {"cluster": 7}),
        ):
            asked = self.outside.ask(command, **arguments)
            self.pump.flush()
            answer = self.successResultOf(asked)
        self.assertEqual(answer, {"status": {"cluster": 7}})
        self.assertEqual(self.child.heard, [("run", list(range(1, 2000))), ("stop", True)])

    def test_a_responder_that_fails(self) -> None:
        """It is logged, told as a fault, and the link goes on; so it is with a command that nobody answers."""
        self.child.fail_at_status = 7
        faults: list[str] = []
        asked = self.outside.ask(commands.Status, cluster=7)
        asked.addErrback(lambda failure: faults.append(str(failure.trap(commands.Fault) and failure.value)))
        self.inside.tell(commands.PermitUsed, shard=1)
        self.pump.flush()
        self.assertEqual(faults, ["Status met a fault of rateway's own (ZeroDivisionError)"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        again = self.outside.ask(commands.Status, cluster=8)
        self.pump.flush()
        self.assertEqual(self.successResultOf(again), {"status": {"cluster": 8}})

    def test_the_largest_plan_travels(self) -> None:
        """As many clusters as TOTAL_SHARDS allows in one process; the largest cluster's sessions in any pattern."""
        clusters = list(range(1, MOST_SHARDS + 1))
        asked = self.outside.ask(commands.RunClusters, clusters=clusters, crashed=False, again=True)
        self.pump.flush()
        self.successResultOf(asked)
        self.assertTrue(self.child.heard == [("run", clusters)])
        last = MOST_SHARDS * 10
        shards = range(last - MOST_PER_CLUSTER, last)
        for resumable in (
            list(shards),
            list(shards[::2]),
            [shard for shard in shards if shard % 3],
            [shard for shard in shards if shard % 4],
            [],
        ):
            told: list[list[int]] = []
            child, _, pump = connectedServerAndClient(partial(Link, Started(told.append)), Link)
            child.tell(commands.ClusterStarted, cluster=1, resumable=resumable)
            pump.flush()
            self.assertTrue(told == [resumable], f"{len(resumable)} shards")

    def test_the_largest_status_travels(self) -> None:
        """Of as many shards as a cluster may have, each in another state than its neighbours."""
        states = "connecting", "active", "waiting", "resuming"
        first = MOST_SHARDS * 10 - MOST_PER_CLUSTER
        told = {
            "cluster": MOST_SHARDS,
            "events": 10**18,
            "shards": {first + at: states[at % len(states)] for at in range(MOST_PER_CLUSTER)},
        }
        argument = commands.ClusterStatus()
        self.assertLess(len(argument.toString(told)), 20_000)
        self.assertTrue(argument.fromString(argument.toString(told)) == told)
        few: tuple[dict[str, dict[int, str]], ...] = ({"shards": {}}, {"shards": {7: "active"}}, {})
        for small in few:
            self.assertEqual(argument.fromString(argument.toString(small)).get("shards", {}), small.get("shards", {}))

    def test_both_ends_learn_of_the_close(self) -> None:
        """And what was asked fails."""
        self.child.answer_stop = None
        asked = self.inside.ask(commands.AcquirePermit, shard=1)
        self.outside.close()
        self.pump.flush()
        self.successResultOf(self.inside.closed)
        self.successResultOf(self.outside.closed)
        self.failureResultOf(asked)

    def test_nothing_is_said_into_a_closed_link(self) -> None:
        """Telling is silent, asking fails, closing again is nothing."""
        self.outside.close()
        self.pump.flush()
        self.outside.tell(commands.PermitUsed, shard=1)
        self.failureResultOf(self.outside.ask(commands.Stop, final=False), ConnectionClosed)
        self.outside.close()
        self.outside.connectionLost(Failure(ConnectionDone()))

    def test_a_link_not_yet_open(self) -> None:
        """Before the connection there is nobody to tell."""
        Link().tell(commands.PermitUsed, shard=1)


class PipeTransportTests(SynchronousTestCase):
    """The parent's end of the pipes."""

    def test_it_is_a_transport(self) -> None:
        """As Twisted wants one."""
        self.assertTrue(verifyObject(ITransport, PipeTransport(Process())))  # type: ignore[arg-type]

    def test_bytes_go_to_the_childs_descriptor(self) -> None:
        """Number 3; after the close nothing more."""
        process = Process()
        transport = PipeTransport(process)  # type: ignore[arg-type]
        transport.write(b"a")
        transport.writeSequence([b"b", b"c"])
        transport.loseConnection()
        transport.loseConnection()
        transport.write(b"d")
        self.assertEqual(process.calls, [("write", 3, b"a"), ("write", 3, b"bc"), ("close", 3)])

    def test_a_child_that_closed_its_end(self) -> None:
        """Writing to it is no error of ours."""
        process = Process(gone=True)
        PipeTransport(process).write(b"a")  # type: ignore[arg-type]
        self.assertEqual(process.calls, [])


class Process:
    """Notes what is done to a process."""

    def __init__(self, gone: bool = False) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self._gone = gone

    def writeToChild(self, descriptor: int, data: bytes) -> None:
        if self._gone:
            raise KeyError(descriptor)
        self.calls.append(("write", descriptor, data))

    def closeChildFD(self, descriptor: int) -> None:
        self.calls.append(("close", descriptor))
