"""The contract suite against RabbitMQ."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from tests.support.broker import fresh_vhost, vhost_of

from .contract import ContractTests, World
from .rabbit import RabbitWorld


class RabbitContractTests(ContractTests, TestCase):
    """What bots get from the broker they will meet."""

    async def make_world(self) -> World:
        return await RabbitWorld.make(self, vhost_of(await fresh_vhost(self)))
