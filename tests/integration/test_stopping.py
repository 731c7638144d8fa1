"""The end of rateway: within its time whatever hangs, and for good where the operator wants that (criterion 71)."""

from __future__ import annotations

import os
import signal
from urllib.parse import urlsplit

from .proxy import Proxy
from .test_processes import FleetTestCase, alive

LONGEST = 10.0
"""Seconds that containers give."""


class HangingTests(FleetTestCase):
    """A stop while something else hangs."""

    async def test_whatever_hangs(self) -> None:
        """A child that is frozen, another whose broker is, and shards whose close nobody answers: under ten seconds."""
        simulator = await self.simulator(shards=2, max_concurrency=4)
        proxy = Proxy(self.reactor, urlsplit(self.amqp).port or 5672)
        await proxy.listen()
        self.addCleanup(proxy.close)
        uri = proxy.in_front_of(self.amqp, "amqp", "127.0.0.1")
        program = self.rateway(simulator, SHARDS_PER_CLUSTER=1, PROCESSES=2, AMQP_URI=uri)
        await self.all_active(simulator, 2)
        children = program.children()
        self.assertEqual(len(children), 2)
        proxy.frozen = True
        simulator.dispatch(0, "TEST", b"{}")
        simulator.dispatch(1, "TEST", b"{}")
        os.kill(self.child_of(program, 1), signal.SIGSTOP)
        asked = self.reactor.seconds()
        program.kill(signal.SIGTERM)
        self.assertEqual(await program.wait(20), 0)
        self.assertLess(self.reactor.seconds() - asked, LONGEST)
        self.assertEqual([pid for pid in children if alive(pid)], [])
        self.assertTrue(program.said("child 1 (cluster 1) doesn't stop: killing it"), program.text)
        self.assertFalse(program.said("child 2 (cluster 2) doesn't stop"), program.text)
        self.assertTrue(program.said("cluster 2 stops with"), program.text)
        self.assert_kept(simulator)
