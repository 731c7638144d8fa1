"""GET /gateway/bot, waited for with patience: the network may come up later than rateway does."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from rateway.complaints import Complaints
from rateway.errors import Unavailable
from rateway.http.client import GatewayBot, RateLimited

from .wording import duration

FIRST_WAIT = 1.0
LONGEST_WAIT = 30.0


class AsksDiscord(Protocol):
    """What is needed of the REST client."""

    async def gateway_bot(self, attempts: int) -> GatewayBot: ...


class Discovery:
    """Asks until there is an answer."""

    _log = Logger()

    def __init__(
        self, reactor: IReactorTime, client: AsksDiscord, uniform: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._reactor = reactor
        self._client = client
        self._uniform = uniform

    async def discover(self) -> GatewayBot:
        """What Discord says of the bot.

        :raises FatalError: if the token is refused.
        """
        complaints, began, failures = Complaints(), self._reactor.seconds(), 0
        while True:
            try:
                found = await self._client.gateway_bot(attempts=1)
            except Unavailable as error:
                wait = self._uniform(0.5, 1.0) * min(FIRST_WAIT * 2.0 ** min(failures, 16), LONGEST_WAIT)
                if isinstance(error, RateLimited):
                    wait = max(wait, error.retry_after)
                failures += 1
                if complaints.worth_saying(str(error), self._reactor.seconds()):
                    self._log.warn("waiting for Discord: {error}", error=str(error))
                await deferLater(self._reactor, wait)
            else:
                if failures:
                    passed = duration(self._reactor.seconds() - began)
                    self._log.info("Discord answers, after {passed}", passed=passed)
                return found
