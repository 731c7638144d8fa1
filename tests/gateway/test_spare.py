"""Tests for :mod:`rateway.gateway.spare`, and of the 30 s that bots and rateway share."""

from __future__ import annotations

import ujson
from twisted.trial.unittest import SynchronousTestCase

from rateway.gateway.budget import SLACK, SendBudget
from rateway.gateway.commands import Command, CommandQueue
from rateway.gateway.spare import LOOK_AGAIN, RESERVE, SHARE, Spare

INTERVAL = 41.25


def whole_list(guild: int) -> bytes:
    """A bot's request for all members of a guild."""
    return ujson.dumps({"op": 8, "d": {"guild_id": str(guild), "query": "", "limit": 0}}).encode()


class SpareTests(SynchronousTestCase):
    """What is left for rateway."""

    def setUp(self) -> None:
        self.queue = CommandQueue()
        self.budget = SendBudget(INTERVAL)
        self.spare = Spare(self.queue)

    def ask(self, guild: int, now: float) -> bool:
        """Ask for a guild's list, if there is room, and it may be."""
        return not self.spare.wait(self.budget, now) and not self.spare.ask(guild, self.budget, now)

    def test_share(self) -> None:
        """At once no more than half of a minute's payloads go out; each has its time a minute later."""
        sent = [guild for guild in range(1, 200) if self.ask(guild, 0.0)]
        self.assertEqual(len(sent), SHARE)
        self.assertEqual(self.spare.wait(self.budget, 0.0), 60.0)
        self.assertFalse(self.ask(500, 60.0))
        self.assertTrue(self.ask(500, 60.0 + SLACK))

    def test_bots_find_room(self) -> None:
        """Whatever rateway sent, half of a minute's payloads are left for bots."""
        for guild in range(1, 200):
            self.ask(guild, 0.0)
        for token in range(115):
            self.queue.add(Command(4, b"{}", 30.0, token), 0.0)
        self.assertEqual(len(self.queue.due(0.0, self.budget).send), 115 - SHARE)

    def test_bots_come_first(self) -> None:
        """While a bot's command waits, nothing of rateway's is sent."""
        self.queue.add(Command(4, b"{}", 1e9, None), 0.0)
        self.assertEqual(self.spare.wait(self.budget, 0.0), LOOK_AGAIN)
        self.queue.due(0.0, self.budget)
        self.assertEqual(self.spare.wait(self.budget, 0.0), 0.0)

    def test_a_presence_that_waits_for_its_time(self) -> None:
        """It waits for Discord's 20 s, not for room: others may go."""
        for number in range(6):
            self.queue.add(Command(3, b"{}", 1e9, number), 0.0)
            self.queue.due(0.0, self.budget)
        self.assertEqual(len(self.queue), 1)
        self.assertTrue(self.ask(7, 0.0))

    def test_reserve(self) -> None:
        """Where bots are busy, rateway takes less, so that there is room for more of them at any time."""
        for _ in range(60):
            self.budget.sent(0.0)
        sent = [guild for guild in range(1, 200) if self.ask(guild, 0.0)]
        self.assertEqual(len(sent), 115 - 60 - RESERVE)
        self.assertEqual(self.spare.wait(self.budget, 0.0), 60.0)

    def test_no_room_at_all(self) -> None:
        """Where heartbeats fill the limit, it is looked again in a minute."""
        self.assertEqual(self.spare.wait(SendBudget(0.1), 0.0), 60.0)

    def test_the_share_outlives_the_connection(self) -> None:
        """A new connection has a new budget; the share is rateway's."""
        for guild in range(1, SHARE + 1):
            self.assertTrue(self.ask(guild, 0.0))
        self.budget = SendBudget(INTERVAL)
        self.assertFalse(self.ask(500, 1.0))

    def test_criterion_44_of_bots_and_of_rateway(self) -> None:
        """Who asked for a guild's list last doesn't matter: in the next 30 s nobody does."""
        self.assertTrue(self.ask(7, 0.0))
        self.queue.add(Command(8, whole_list(7), 1e9, "bot"), 10.0)
        (refused,) = self.queue.due(10.0, self.budget).refused
        self.assertIn("guild 7", refused.reason)
        self.queue.add(Command(8, whole_list(8), 1e9, "bot"), 10.0)
        self.assertEqual(len(self.queue.due(10.0, self.budget).send), 1)
        self.assertEqual(self.spare.ask(8, self.budget, 15.0), 25.0 + SLACK)
        self.assertTrue(self.ask(8, 40.0 + SLACK))

    def test_criterion_44_rate_limited(self) -> None:
        """What Discord says counts for everybody, whether it is sooner than 30 s or later."""
        for seconds in (4.0, 50.0):
            self.setUp()
            self.assertTrue(self.ask(7, 0.0))
            self.spare.limited(7, seconds, 1.0)
            self.queue.add(Command(8, whole_list(7), 1e9, "bot"), seconds)
            self.assertEqual(len(self.queue.due(seconds, self.budget).refused), 1)
            self.assertEqual(self.spare.ask(7, self.budget, seconds), 1.0 + SLACK)
            self.assertTrue(self.ask(7, 1.0 + seconds + SLACK))

    def test_a_guild_too_early_costs_nothing(self) -> None:
        """What isn't sent isn't booked."""
        self.assertTrue(self.ask(7, 0.0))
        for _ in range(500):
            self.assertGreater(self.spare.ask(7, self.budget, 1.0), 0.0)
        self.assertEqual(self.spare.wait(self.budget, 1.0), 0.0)
