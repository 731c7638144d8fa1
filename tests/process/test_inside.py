from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.protocols.amp import CommandLocator
from twisted.python.failure import Failure
from twisted.test.iosim import connectedServerAndClient
from twisted.trial.unittest import SynchronousTestCase

from rateway.cluster.spools import Spools
from rateway.config import Config, to_wire
from rateway.errors import ConfigError, FatalError, RequestRefused
from rateway.logs import Redactor
from rateway.model.plan import Cluster
from rateway.process import commands
from rateway.process.compose import LOCK_WAIT, Parts
from rateway.process.inside import MOST_COMMANDS, Inside
from rateway.process.link import Link
from rateway.spool.spool import Spool
from rateway.store.found import Found
from rateway.store.lock import FolderInUse

from .fakes import Heard

CONFIG = Config(token="t.o.k.e.n", intents=1, amqp_uri="amqp://u:passw0rd@h", shards_per_cluster=2)


class Store:
    """A store that knows one session."""

    def __init__(self, journal: list[Any], folder: Path) -> None:
        self.journal = journal
        self.folder = folder
        self.found = Found(2, 30, 1000.0) if folder.name == "cluster-2" else Found()

    def sessions(self) -> dict[int, object]:
        return {2: object()}

    def close(self) -> None:
        self.journal.append(("closed", self.folder.name))


class Cache:
    """A cache that notes its end."""

    def __init__(self, journal: list[Any]) -> None:
        self.journal = journal

    def close(self) -> None:
        self.journal.append(("closed", "cache"))


class Service:
    """A cluster that notes what becomes of it."""

    def __init__(self, journal: list[Any], cluster: Cluster, fatal: Any) -> None:
        self.journal, self.cluster, self.fatal = journal, cluster, fatal
        self.shards = {shard: Shard(journal, shard) for shard in cluster.shards}
        self.fails = False

    def startService(self) -> None:
        self.journal.append(("started", self.cluster.number))

    def stopService(self) -> Deferred[None]:
        self.journal.append(("stopped", self.cluster.number))
        if self.fails:
            raise_later: Deferred[None] = Deferred()
            raise_later.errback(ZeroDivisionError("bug"))
            return raise_later
        return succeed(None)

    def stop_for_good(self) -> Deferred[None]:
        self.journal.append(("ended", self.cluster.number))
        return succeed(None)

    def status(self) -> dict[str, object]:
        return {"cluster": self.cluster.number, "shards": dict.fromkeys(self.cluster.shards, "active")}


class Shard:
    """Notes the commands it is given."""

    def __init__(self, journal: list[Any], shard: int) -> None:
        self.journal, self.shard = journal, shard

    def send(self, op: int, payload: bytes, deadline: float) -> Deferred[None]:
        self.journal.append(("sent", self.shard, op, payload, deadline))
        return succeed(None)


class Outside(CommandLocator):
    """The parent's side: notes what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Any] = []

    @commands.ClusterStarted.responder
    def cluster_started(self, cluster: int, resumable: list[int]) -> dict[str, object]:
        self.told.append((cluster, resumable))
        return {}

    @commands.SendCommand.responder
    def send_command(self, shard: int, op: int, payload: bytes, left: float) -> dict[str, object]:
        if shard != 1:
            raise RequestRefused(f"the process of shard {shard} is not running")
        self.told.append((shard, op, payload, left))
        return {}

    @commands.ReportFatal.responder
    def fatal(self, sentence: str) -> dict[str, object]:
        self.told.append(sentence)
        return {}


class InsideTests(SynchronousTestCase):
    """A child from the inside, with clusters that are none."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.journal: list[Any] = []
        self.services: dict[int, Service] = {}
        self.unusable = self.crashed = self.again = False
        self.locked, self.always_locked = 0, ""
        self.redactor = Redactor()
        self.parent = Outside()
        nowhere = Spools(Spool.nowhere(), Spool.nowhere())
        self.now = 0.0
        parts = Parts(
            self.open_store,
            lambda *_, **__: Cache(self.journal),
            lambda *_: nowhere,
            self.make_cluster,
            lambda: self.now,
        )
        self.inside = Inside(self.clock, self.redactor, parts)
        self.outside, _, self.pump = connectedServerAndClient(lambda: self.inside.link, lambda: Link(self.parent))

    def open_store(self, folder: Path, *, shards: range, **options: Any) -> Store:
        if self.unusable:
            raise ConfigError("the folder can't be used")
        if self.locked or folder.name == self.always_locked:
            self.locked -= 1
            raise FolderInUse("the folder is in use by process 7")
        self.assertEqual(options["crashed"], self.crashed)
        self.journal.append(("opened", folder.name, shards, options["total"], options["cache"]))
        return Store(self.journal, folder)

    def make_cluster(
        self, reactor: Any, cluster: Cluster, total: int, config: Config, url: str, store: Any, *rest: Any, again: bool
    ) -> Service:
        self.assertEqual(again, self.again)
        self.assertEqual((total, config, url), (5, CONFIG, "wss://g"))
        self.services[cluster.number] = Service(self.journal, cluster, rest[-2])
        self.send = rest[-1]
        return self.services[cluster.number]

    def ask(self, command: Any, **arguments: Any) -> Deferred[dict[str, Any]]:
        asked: Deferred[dict[str, Any]] = self.outside.ask(command, **arguments)
        self.pump.flush()
        return asked

    def run_(self, *clusters: int) -> Deferred[dict[str, Any]]:
        self.successResultOf(self.ask(commands.Configure, config=to_wire(CONFIG), gateway_url="wss://g", total=5))
        return self.ask(commands.RunClusters, clusters=list(clusters), crashed=self.crashed, again=self.again)

    def test_clusters_run_once_every_store_is_open(self) -> None:
        """Each is told of, with the shards that have a session."""
        self.successResultOf(self.run_(2, 3))
        self.assertEqual(
            self.journal,
            [
                ("opened", "cluster-2", range(2, 4), 5, True),
                ("opened", "cluster-3", range(4, 5), 5, True),
                ("started", 2),
                ("started", 3),
            ],
        )
        self.assertEqual(self.parent.told, [(2, [2]), (3, [2])])

    def command(self, shard: int) -> dict[str, Any]:
        """A gateway command as it travels."""
        return {"shard": shard, "op": 4, "payload": b"{}", "left": 2.5}

    def refusals(self, asked: Deferred[Any]) -> list[str]:
        """Filled with the reason once it is refused; AMP swallows an error nobody waits for."""
        reasons: list[str] = []
        asked.addErrback(lambda failure: reasons.append(str(failure.trap(RequestRefused) and failure.value)))
        return reasons

    def refused_from_outside(self, shard: int) -> list[str]:
        """The reason the parent hears."""
        reasons = self.refusals(self.outside.ask(commands.SendCommand, **self.command(shard)))
        self.pump.flush()
        return reasons

    def test_a_command_of_another_process_reaches_its_shard(self) -> None:
        """With the time it has left; one for a shard that isn't here is refused."""
        self.clock.advance(10.0)
        self.successResultOf(self.run_(2))
        self.successResultOf(self.ask(commands.SendCommand, **self.command(3)))
        self.assertEqual(self.journal[-1], ("sent", 3, 4, b"{}", 12.5))
        self.assertEqual(self.refused_from_outside(0), ["shard 0 is not running yet"])

    def test_a_command_for_another_cluster_is_passed_on(self) -> None:
        """To the cluster beside it, or by the parent to another process."""
        self.successResultOf(self.run_(2, 3))
        self.successResultOf(self.send(4, 4, b"{}", 2.0))
        self.assertEqual(self.journal[-1], ("sent", 4, 4, b"{}", 2.0))
        passed_on, refusals = self.send(1, 4, b"{}", 2.0), self.refusals(self.send(0, 4, b"{}", 2.0))
        self.pump.flush()
        self.successResultOf(passed_on)
        self.assertEqual(self.parent.told[-1], (1, 4, b"{}", 2.0))
        self.assertEqual(refusals, ["the process of shard 0 is not running"])

    def test_without_a_parent_nothing_is_passed_on(self) -> None:
        """The process is about to end, and says so."""
        self.successResultOf(self.run_(2))
        under_way = self.send(1, 4, b"{}", 2.0)
        self.inside.link.connectionLost(Failure(ConnectionDone()))
        for refused in (under_way, self.send(1, 4, b"{}", 2.0)):
            self.assertEqual(str(self.failureResultOf(refused, RequestRefused).value), "rateway is stopping")

    def test_a_command_while_stopping_is_refused(self) -> None:
        """There is no shard any more."""
        self.successResultOf(self.run_(2))
        self.successResultOf(self.ask(commands.Stop, final=False))
        self.assertEqual(self.refused_from_outside(3), ["rateway is stopping"])

    def test_secrets_are_known_to_the_log(self) -> None:
        """From the configuration on."""
        heard = Heard(self)
        self.successResultOf(self.run_())
        event: dict[str, Any] = {"log_format": "{x}", "x": "t.o.k.e.n passw0rd"}
        self.redactor(event)
        self.assertNotIn("t.o.k", str(event))
        self.assertNotIn("passw0rd", str(event))
        self.assertEqual(heard.texts(), [])

    def test_what_was_found_is_told(self) -> None:
        """Over all clusters that run here; nothing where there is no cache."""
        heard = Heard(self)
        self.now = 1000.0 + 180.0
        self.successResultOf(self.run_(2, 3))
        line = "the cache has 2 guilds and 30 members from an earlier run, written until 3 min ago"
        self.assertEqual(heard.texts("info"), [f"{line}; 1 of 2 clusters begin without one"])

    def test_an_orphan_is_waited_for(self) -> None:
        """It lets go of the folder within ten seconds, or its process is named."""
        self.locked = 3
        running = self.run_(1)
        self.assertNoResult(running)
        self.clock.pump([0.25] * 3)
        self.pump.flush()
        self.successResultOf(running)

    def test_a_predecessor_that_crashed(self) -> None:
        """The stores hear of it, and the clusters that there was one."""
        self.crashed = self.again = True
        self.successResultOf(self.run_(1, 2))
        self.assertEqual([each[0] for each in self.journal].count("opened"), 2)

    def test_a_folder_that_stays_locked_ends_all(self) -> None:
        """And what was opened before is closed."""
        self.successResultOf(self.ask(commands.Configure, config=to_wire(CONFIG), gateway_url="wss://g", total=5))
        self.always_locked = "cluster-2"
        running = self.ask(commands.RunClusters, clusters=[1, 2], crashed=False, again=False)
        self.clock.pump([0.25] * int(LOCK_WAIT * 4 + 2))
        self.pump.flush()
        self.successResultOf(running)
        self.assertEqual(self.parent.told, ["the folder is in use by process 7"])
        self.assertEqual(self.journal[-1], ("closed", "cluster-1"))

    def test_an_unusable_folder_ends_all_at_once(self) -> None:
        """Waiting mends nothing there."""
        self.unusable = True
        self.successResultOf(self.run_(1))
        self.assertEqual(self.parent.told, ["the folder can't be used"])

    def test_an_orderly_stop(self) -> None:
        """The clusters, then the cache over them; a second stop is nothing."""
        self.successResultOf(self.run_(1, 2))
        self.journal.clear()
        self.successResultOf(self.ask(commands.Stop, final=False))
        self.assertEqual(self.journal, [("stopped", 1), ("stopped", 2), ("closed", "cache")])
        self.successResultOf(self.inside.stop())
        self.assertEqual(len(self.journal), 3)

    def test_a_final_stop(self) -> None:
        """The sessions end."""
        self.successResultOf(self.run_(1))
        self.successResultOf(self.ask(commands.Stop, final=True))
        self.assertIn(("ended", 1), self.journal)

    def test_a_cluster_that_fails_to_stop(self) -> None:
        """Doesn't keep the others from it."""
        self.successResultOf(self.run_(1, 2))
        self.services[1].fails = True
        self.successResultOf(self.ask(commands.Stop, final=False))
        self.assertEqual(self.journal[-2:], [("stopped", 2), ("closed", "cache")])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_stopping_before_it_started(self) -> None:
        """The lock is still waited for: then nothing is started, and nothing reported."""
        self.locked = 1
        running = self.run_(1, 2)
        self.successResultOf(self.ask(commands.Stop, final=False))
        self.clock.pump([0.25] * 4)
        self.pump.flush()
        self.successResultOf(running)
        self.assertEqual([step for step in self.journal if step[0] == "started"], [])
        self.assertEqual(self.journal[-2:], [("closed", "cluster-1"), ("closed", "cluster-2")])
        self.assertEqual(self.parent.told, [])

    def test_commands_for_others_are_bounded(self) -> None:
        """Another process may hang: no more than a thousand commands wait for it; afterwards there is room again."""
        self.successResultOf(self.run_(2))
        waiting = [self.send(1, 4, b"{}", 2.0) for _ in range(MOST_COMMANDS)]
        (refusal,) = self.refusals(self.send(1, 4, b"{}", 2.0))
        self.assertIn("wait already", refusal)
        self.pump.flush()
        for each in waiting:
            self.successResultOf(each)
        self.assertNoResult(self.send(1, 4, b"{}", 2.0))
        self.pump.flush()

    def test_status(self) -> None:
        """Of a cluster that isn't here, nothing."""
        self.successResultOf(self.run_(1, 3))
        told = [self.successResultOf(self.ask(commands.Status, cluster=n))["status"] for n in (1, 2, 3)]
        self.assertEqual(
            told, [{"cluster": 1, "shards": {0: "active", 1: "active"}}, {}, {"cluster": 3, "shards": {4: "active"}}]
        )

    def test_a_fatal_end_is_the_parents(self) -> None:
        """A shard's 4004 reaches it in one sentence."""
        self.successResultOf(self.run_(1))
        self.services[1].fatal.report_fatal(FatalError("the token is wrong"))
        self.pump.flush()
        self.assertEqual(self.parent.told[-1], "the token is wrong")
        self.services[1].fatal.report_fatal(FatalError("😀" * 20_000))
        self.pump.flush()
        self.assertEqual(set(self.parent.told[-1]), {"😀"})

    def test_stopping_before_it_was_configured(self) -> None:
        """The parent may die early."""
        self.successResultOf(self.inside.stop())
