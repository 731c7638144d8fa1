"""What a child is composed of, as far as member lists go (CHUNK_GUILDS)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rateway.cluster.elsewhere import FETCH_MEMBERS
from rateway.cluster.requests import Desk
from rateway.cluster.spools import Spools
from rateway.config import Config
from rateway.errors import RequestRefused
from rateway.gateway.memberlists import PATIENCE
from rateway.model.chunking import Mode
from rateway.model.intents import ALL, Intent
from rateway.process.compose import Clusters, Parts
from rateway.spool.spool import Spool
from rateway.store.found import Found
from rateway.store.membership import Membership
from rateway.store.queries import Question, parse_query

CONFIG = Config(token="t", intents=int(ALL), amqp_uri="amqp://h", shards_per_cluster=1, chunk_guilds="lazy")
HERE, THERE = 2 << 22, 3 << 22
"""Guilds of shard 0, which runs here, and of shard 1."""


@define
class Cache:
    """Knows half of every guild."""

    closed: bool = False

    def lacks(self, question: Question) -> int | None:
        guild = question.values[0]
        assert isinstance(guild, int)
        return guild

    def membership(self, guild: int) -> Membership:
        return Membership(5, 10, True)

    def close(self) -> None:
        self.closed = True


@define
class Store:
    """Has no session, and found nothing."""

    found = Found()

    def sessions(self) -> Mapping[int, object]:
        return {}

    def close(self) -> None:
        pass


@define
class Shard:
    """Keeps commands."""

    sent: list[int] = field(factory=list)

    def send(self, op: int, payload: bytes, deadline: float) -> Deferred[None]:
        self.sent.append(op)
        return succeed(None)


class Service:
    """A cluster that notes what it was given."""

    def __init__(self, desk: Desk, shards: Mapping[int, Shard]) -> None:
        self.desk, self.shards = desk, shards

    def startService(self) -> None:
        pass

    def stopService(self) -> Deferred[None]:
        return succeed(None)


class MembersTests(SynchronousTestCase):
    """Two clusters of a shard each; the first runs here."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.elsewhere: list[tuple[int, int, bytes, float]] = []
        self.answer: Any = lambda: Deferred()

    def run_(self, config: Config = CONFIG) -> Desk:
        """Run the first cluster; the desk it got."""

        def make_cluster(reactor: Any, cluster: Any, *rest: Any, again: bool) -> Service:
            self.service = Service(rest[5], {0: Shard()})
            return self.service

        parts = Parts(
            lambda *_, **__: Store(),
            lambda *_, **__: Cache(),
            lambda *_: Spools(Spool.nowhere(), Spool.nowhere()),
            make_cluster,
        )
        config = evolve(config, state_dir=Path(self.mktemp()))
        unused: Any = None
        self.clusters = Clusters(
            self.clock, config, "wss://g", 2, unused, unused, lambda *_: None, self.send_elsewhere, parts
        )
        self.successResultOf(Deferred.fromCoroutine(self.clusters.run([1])))
        return self.service.desk

    def send_elsewhere(self, shard: int, op: int, payload: bytes, left: float) -> Deferred[None]:
        self.elsewhere.append((shard, op, payload, left))
        answer: Deferred[None] = self.answer()
        return answer

    def test_each_mode(self) -> None:
        """Nobody is asked, or at the start, or when somebody waits; and nobody where something is missing for it."""
        modes: tuple[tuple[Mode, int, bool, bool], ...] = (
            ("off", ALL, False, False),
            ("startup", ALL, True, False),
            ("lazy", ALL, True, True),
            ("lazy", ALL & ~Intent.GUILD_MEMBERS, False, False),
        )
        for mode, intents, chunking, patience in modes:
            desk = self.run_(evolve(CONFIG, chunk_guilds=mode, intents=int(intents)))
            self.assertEqual((desk.chunking is not None, desk.patience is not None), (chunking, patience), mode)
            if desk.chunking is not None:
                self.assertEqual(desk.chunking.startup, mode == "startup")

    def test_a_guild_of_another_process(self) -> None:
        """Its list is wanted of the process that has its shard, which is given the time the question waits."""
        desk = self.run_()
        assert desk.patience is not None
        held = desk.patience.hold([parse_query("Member", [THERE, 7])])
        assert held is not None
        self.assertEqual(self.elsewhere, [(1, FETCH_MEMBERS, b"%d" % THERE, PATIENCE)])

    def test_a_guild_of_this_process(self) -> None:
        """It isn't sent to its shard as a command; and is refused when it doesn't come in time."""
        desk = self.run_()
        assert desk.patience is not None
        self.assertIsNotNone(desk.patience.hold([parse_query("Member", [HERE, 7])]))
        wanted = self.clusters.send_here(0, FETCH_MEMBERS, b"%d" % HERE, 2.0)
        self.assertEqual((self.elsewhere, self.service.shards[0].sent), ([], []))
        self.assertNoResult(wanted)
        self.clock.advance(2.0)
        self.assertIn("within 2 s", str(self.failureResultOf(wanted, RequestRefused).value))
        self.successResultOf(self.clusters.send_here(0, 4, b"{}", 2.0))
        self.assertEqual(self.service.shards[0].sent, [4])

    def test_wanted_where_nobody_asks(self) -> None:
        """Another process may be of other settings for a moment."""
        self.run_(evolve(CONFIG, chunk_guilds="off"))
        refused = self.assertRaises(RequestRefused, self.clusters.send_here, 0, FETCH_MEMBERS, b"%d" % HERE, 2.0)
        self.assertIn("not asked", str(refused))

    def test_stop(self) -> None:
        """Whoever waits is answered first."""
        desk = self.run_()
        assert desk.patience is not None
        self.answer = lambda: fail(RequestRefused("not running")) if self.elsewhere[1:] else Deferred()
        held = desk.patience.hold([parse_query("Member", [THERE, 7])])
        here = desk.patience.hold([parse_query("Member", [HERE, 7])])
        assert held is not None and here is not None
        self.successResultOf(Deferred.fromCoroutine(self.clusters.stop()))
        self.successResultOf(held)
        self.successResultOf(here)
        self.assertEqual(self.clock.getDelayedCalls(), [])
