"""A child's end of the link: what it answers to the parent."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectionClosed
from twisted.logger import Logger
from twisted.protocols.amp import CommandLocator
from twisted.python.failure import Failure
from zope.interface import implementer

from rateway.config import from_wire
from rateway.errors import ConfigError, FatalError, RatewayError, RequestRefused
from rateway.interfaces import IFatalReporter
from rateway.logs import Redactor

from . import commands
from .compose import Clusters, Parts
from .gate import RemoteGate
from .link import Link

LONGEST_SENTENCE = 10_000
"""Characters of a sentence for the operator: an AMP value ends at 65,535 bytes."""

MOST_COMMANDS = 1000
"""Gateway commands for shards of other processes that may be on their way at once; more are refused."""


@implementer(IFatalReporter)
class LinkReporter:
    """Tells the parent, who ends everything."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def report_fatal(self, error: RatewayError) -> None:
        self._link.tell(commands.ReportFatal, sentence=str(error)[:LONGEST_SENTENCE])


class Inside(CommandLocator):
    """One child, from the inside.

    :ivar link: to the parent.
    """

    _log = Logger()

    def __init__(self, reactor: Any, redactor: Redactor, parts: Parts | None = None) -> None:
        super().__init__()
        self._redactor = redactor
        self._parts = parts
        self.link = Link(self)
        self._reactor = reactor
        self._fatal = LinkReporter(self.link)
        self._clusters: Clusters | None = None
        self._on_their_way = 0

    @commands.Configure.responder
    def configure(self, config: bytes, gateway_url: str, total: int) -> dict[str, object]:
        """Take the configuration; nothing runs yet."""
        settings = from_wire(config)
        self._redactor.learn(settings.token, settings.amqp_uri)
        self._clusters = Clusters(
            self._reactor,
            settings,
            gateway_url,
            total,
            RemoteGate(self.link),
            self._fatal,
            self._cluster_started,
            self._send_elsewhere,
            self._parts,
        )
        return {}

    @commands.RunClusters.responder
    async def run_clusters(self, clusters: list[int], crashed: bool, again: bool) -> dict[str, object]:
        """Run them; what only the operator can mend ends the whole fleet."""
        running = self._clusters
        if running is None:
            # Told to stop before it was told to run.
            return {}
        try:
            await running.run(clusters, crashed, again)
        except (ConfigError, FatalError) as error:
            if running is self._clusters:
                self._fatal.report_fatal(error)
        except CancelledError:
            pass
        return {}

    @commands.Status.responder
    def status(self, cluster: int) -> dict[str, object]:
        """How a cluster is."""
        return {"status": self._clusters.status(cluster) if self._clusters else {}}

    @commands.SendCommand.responder
    def send_command(self, shard: int, op: int, payload: bytes, left: float) -> Deferred[dict[str, object]]:
        """A gateway command that another process's inbox had."""
        if self._clusters is None:
            raise RequestRefused("rateway is stopping")
        sent = self._clusters.send_here(shard, op, payload, left)
        return sent.addCallback(lambda _: {})

    @commands.Stop.responder
    async def stop_clusters(self, final: bool) -> dict[str, object]:
        """Stop in order; the process ends when the parent closes the link."""
        await self.stop(final)
        return {}

    def stop(self, final: bool = False) -> Deferred[None]:
        """Stop what runs; what was stopped before is not stopped again."""
        clusters, self._clusters = self._clusters, None
        return succeed(None) if clusters is None else Deferred.fromCoroutine(clusters.stop(final))

    def _send_elsewhere(self, shard: int, op: int, payload: bytes, left: float) -> Deferred[None]:
        if not self.link.open:
            return fail(RequestRefused("rateway is stopping"))
        if self._on_their_way >= MOST_COMMANDS:
            return fail(RequestRefused(f"{MOST_COMMANDS} commands for shards of other processes wait already"))
        self._on_their_way += 1
        asked = self.link.ask(commands.SendCommand, shard=shard, op=op, payload=payload, left=left)
        return asked.addBoth(self._arrived).addCallbacks(lambda _: None, _link_lost)

    def _arrived(self, result: object) -> object:
        self._on_their_way -= 1
        return result

    def _cluster_started(self, cluster: int, resumable: list[int]) -> None:
        self.link.tell(commands.ClusterStarted, cluster=cluster, resumable=resumable)


def _link_lost(failure: Failure) -> None:
    failure.trap(ConnectionClosed)
    raise RequestRefused("rateway is stopping")
