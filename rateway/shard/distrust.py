"""A gateway whose certificate is refused: told with its remedy, once a minute for all shards of a cluster.

Every shard meets it, at each try; and unlike other troubles of the network it rarely passes by itself.
"""

from __future__ import annotations

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from rateway.complaints import Complaints


@define(eq=False)
class Distrust:
    """What is told of TLS to Discord.

    :ivar whose: shards, for the log.
    """

    _log = Logger()

    _clock: IReactorTime
    _whose: str
    _complaints: Complaints = field(factory=Complaints, init=False)

    def refused(self, why: str) -> None:
        """A shard's connection failed by TLS.

        :param why: for the operator, with the remedy (:func:`rateway.tls.explain`).
        """
        if self._complaints.worth_saying(why, self._clock.seconds()):
            self._log.warn(
                "{whose} can't connect to Discord, whose gateway doesn't prove that it is Discord's: {why}. If all is "
                "right here, something on the way (a proxy, a captive network) answers in its place. It is tried again "
                "until it works",
                whose=self._whose,
                why=why,
            )
