"""The end of rateway: within its time whatever hangs, and for good where the operator wants that (criterion 71)."""

from __future__ import annotations

import os
import signal
from urllib.parse import urlsplit

from .proxy import Proxy
from .test_delivery import patched
from .test_processes import STOP_WITHIN, FleetTestCase, alive

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
        # The kernel, who ends it in the last resort, counts by the clock, however little a busy machine lets it run.
        patient = patched("rateway.model.deadlines:STOP=60", "RATEWAY_TEST_PARENT_VALUES")
        program = self.rateway(simulator, SHARDS_PER_CLUSTER=1, PROCESSES=2, AMQP_URI=uri, **patient)
        await self.all_active(simulator, 2)
        children = program.children()
        self.assertEqual(len(children), 2)
        proxy.frozen = True
        simulator.dispatch(0, "TEST", b"{}")
        simulator.dispatch(1, "TEST", b"{}")
        os.kill(self.child_of(program, 1), signal.SIGSTOP)
        program.kill(signal.SIGTERM)
        self.assertLess(await self.ended(program), LONGEST)
        self.assertEqual([pid for pid in children if alive(pid)], [])
        self.assertTrue(program.said("child 1 (cluster 1) doesn't stop: killing it"), program.text)
        self.assertFalse(program.said("child 2 (cluster 2) doesn't stop"), program.text)
        self.assertTrue(program.said("cluster 2 stops with"), program.text)
        self.assert_kept(simulator)


class FinalTests(FleetTestCase):
    """A stop for good (criterion 71, second half)."""

    expected_breaches = frozenset({"wasted-session"})

    async def test_criterion_71_final_stop(self) -> None:
        """By SIGUSR2, to one process or all: closed with 1000, exit code 0; the next start identifies every shard."""
        simulator, program, worker = await self.fleet()
        children = program.children()
        simulator.dispatch(0, "TEST", b'"the last"')
        # What lies unread in a socket ends with the session.
        await self.until(lambda: "TEST" in worker.names(), "what was received before")
        for pid in (*children, program.pid):
            os.kill(pid, signal.SIGUSR2)
        self.assertLess(await self.ended(program), STOP_WITHIN)
        self.assertEqual([pid for pid in children if alive(pid)], [])
        self.assertEqual(sorted((close.shard, close.code) for close in simulator.closes), [(0, 1000), (1, 1000)])
        self.assertTrue(program.said("stopping for good"), program.text)
        self.assertFalse(program.said("error"), program.text)
        again = self.rateway(simulator, SHARDS_PER_CLUSTER=1, PROCESSES=2)
        await again.until_said("every cluster is started; 0 of 2 shards have a session to resume")
        await self.until(lambda: len(simulator.identifies) == 4, "both shards to identify")
        await self.all_active(simulator, 2)
        self.assertEqual(simulator.resumes, [])

    async def test_final_stop_without_a_broker(self) -> None:
        """Shards that were not even started give their sessions up as well."""
        simulator, program, _ = await self.fleet(shards=1)
        self.assertEqual(await program.stop(), 0)
        nobody = f"amqp://guest:guest@127.0.0.1:{self.unused_port()}/"
        program = self.rateway(simulator, SHARDS_PER_CLUSTER=1, AMQP_URI=nobody)
        await program.until_said("every cluster is started; 1 of 1 shard have a session to resume")
        program.kill(signal.SIGUSR2)
        self.assertEqual(await program.wait(), 0)
        program = self.rateway(simulator, SHARDS_PER_CLUSTER=1)
        await self.until(lambda: len(simulator.identifies) == 2, "the shard to identify")
        await self.all_active(simulator, 1)
        self.assertEqual(simulator.resumes, [])
