"""What a process tells of a broker that is away: one line for all its clusters, at once, and then once a minute.

Each cluster has a connection of its own, and an outage ends all of them at about the same time; so a loss is gathered
for a second before it is told, and told with the number of clusters that wait.
"""

from __future__ import annotations

from typing import Any

from attrs import define, field, frozen
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from rateway.complaints import SAY_EVERY

from .uri import BrokerAddress

GATHER = 1.0
"""Seconds between the first loss and its line: the other clusters' losses come in, and what the next attempt meets."""


@frozen
class _Loss:
    """Why one cluster has no connection.

    :ivar started: its shards run, and have events.
    :ivar grave: it does not pass by itself.
    """

    reason: str
    started: bool
    grave: bool


@define(eq=False)
class Outages:
    """The losses of all the clusters of one process."""

    _log = Logger()

    _clock: Any
    _waiting: dict[str, _Loss] = field(factory=dict, init=False)
    _passed: dict[str, _Loss] = field(factory=dict, init=False)
    """Losses not told yet, of clusters that are connected again."""
    _said: float = field(default=float("-inf"), init=False)
    _said_grave: float = field(default=float("-inf"), init=False)
    _telling: IDelayedCall | None = field(default=None, init=False)

    def lost(self, cluster: str, address: BrokerAddress, reason: str, *, started: bool, grave: bool = False) -> None:
        """The cluster has no connection, or again got none.

        :param cluster: the name of its exchange.
        :param reason: for a person, without a full stop.
        :param started: whether its shards were started already.
        :param grave: whether a person must act: then it is told as an error.
        """
        self._passed.pop(cluster, None)
        self._waiting[cluster] = _Loss(reason, started, grave)
        now = self._clock.seconds()
        wait = max(GATHER, (self._said_grave if grave else self._said) + SAY_EVERY - now)
        if self._telling is None:
            self._telling = self._clock.callLater(wait, self._tell, address)
        elif grave and self._telling.getTime() > now + wait:
            # That the broker is away was told before; this is news.
            self._telling.reset(wait)

    def back(self, cluster: str) -> None:
        """The cluster is connected."""
        loss = self._waiting.pop(cluster, None)
        if loss is not None and self._telling is not None:
            self._passed[cluster] = loss

    def left(self, cluster: str) -> None:
        """The cluster stops: nothing more is to be said of it."""
        self._waiting.pop(cluster, None)
        self._passed.pop(cluster, None)
        if not self._waiting and not self._passed and self._telling is not None:
            self._telling.cancel()
            self._telling = None

    def _tell(self, address: BrokerAddress) -> None:
        self._telling = None
        self._said = self._clock.seconds()
        losses, self._passed = self._waiting or self._passed, {}
        if losses is self._waiting:
            graves = [loss for loss in losses.values() if loss.grave]
            self._said_grave = self._said if graves else self._said_grave
            say = self._log.error if graves else self._log.warn
            say(
                "no connection to the broker at {address} for {clusters}: {reason}. It is tried again until it works; "
                "{meanwhile}",
                address=address,
                clusters=_named(list(losses)),
                reason=(graves or list(losses.values()))[-1].reason,
                meanwhile=_meanwhile([loss.started for loss in losses.values()]),
            )
        else:
            self._log.warn(
                "the connection to the broker at {address} was lost for {clusters} ({reason}), and is there again",
                address=address,
                clusters=_named(list(losses)),
                reason=next(reversed(losses.values())).reason,
            )


def _named(clusters: list[str]) -> str:
    return clusters[0] if len(clusters) == 1 else f"{len(clusters)} clusters of this process, {clusters[0]} among them"


def _meanwhile(started: list[bool]) -> str:
    if all(started):
        return "events are held meanwhile"
    if any(started):
        return "events are held meanwhile; in clusters that have just begun nobody identifies before that"
    return "sessions are resumed and their events held, but nobody identifies before that"
