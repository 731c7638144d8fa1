"""Tests for :mod:`rateway.gateway.memberlists`."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from typing import Any

import ujson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from twisted.trial.unittest import SynchronousTestCase

from rateway.gateway.budget import SLACK, SendBudget
from rateway.gateway.commands import Command, CommandQueue
from rateway.gateway.memberlists import AT_ONCE, MOST_TRIES, PATIENCE, PER_SHARD, SILENCE, MemberLists, Room
from rateway.gateway.membernews import Chunk, Limited
from rateway.gateway.spare import SHARE, Spare

INTERVAL = 41.25


class Shards:
    """Connections with room; a closed one has none."""

    def __init__(self) -> None:
        self.rooms: dict[int, Room] = {}
        self.closed: set[int] = set()

    def __call__(self, shard: int) -> Room | None:
        if shard in self.closed:
            return None
        if shard not in self.rooms:
            self.rooms[shard] = Spare(CommandQueue()), SendBudget(INTERVAL)
        return self.rooms[shard]


class ListsTests(SynchronousTestCase):
    """Guilds 1 to 9 are of shard 0, 11 to 19 of shard 1, and so on."""

    def setUp(self) -> None:
        self.lists = MemberLists("me", presences=False)
        self.shards = Shards()
        self.nonces: dict[int, str] = {}

    def want(self, *guilds: int, now: float = 0.0, **more: Any) -> list[bool]:
        return [self.lists.want(guild // 10, guild, 5, now, **more) for guild in guilds]

    def asked(self, now: float) -> list[int]:
        """The guilds asked for now."""
        found = []
        for ask in self.lists.asks(now, self.shards):
            payload = ujson.loads(ask.payload)
            guild = int(payload["d"]["guild_id"])
            self.assertEqual(ask.shard, guild // 10)
            self.nonces[guild] = payload["d"]["nonce"]
            found.append(guild)
        return found

    def chunk(self, guild: int, index: int = 0, count: int = 1, now: float = 0.0, nonce: str | None = "") -> list[int]:
        """A chunk comes; who is settled by it."""
        self.lists.chunk(guild // 10, Chunk(guild, self.nonces[guild] if nonce == "" else nonce, index, count), now)
        return self.lists.settled()

    def test_payload(self) -> None:
        """All members, with a nonce of at most 32 bytes; presences where they are wanted."""
        self.want(7)
        (ask,) = self.lists.asks(0.0, self.shards)
        payload = {"op": 8, "d": {"guild_id": "7", "query": "", "limit": 0, "nonce": "me-1"}}
        self.assertEqual(ujson.loads(ask.payload), payload)
        lists = MemberLists("rateway-0123abcd", presences=True)
        lists.want(0, 8, 5, 0.0)
        d = ujson.loads(lists.asks(0.0, self.shards)[0].payload)["d"]
        self.assertEqual((d["presences"], d["nonce"]), (True, "rateway-0123abcd-1"))
        self.assertLessEqual(len("rateway-0123abcd-") + 15, 32)

    def test_a_few_at_a_time(self) -> None:
        """Two of a shard, four of all; the next as soon as one has come, shards in turn."""
        self.want(1, 2, 3, 4, 11, 12, 13, 21, 22)
        self.assertEqual(self.asked(0.0), [1, 2, 11, 12])
        self.assertEqual((PER_SHARD, AT_ONCE), (2, 4))
        self.assertEqual(self.asked(1.0), [])
        self.assertEqual(self.chunk(1, now=1.0), [1])
        self.assertEqual(self.asked(1.0), [21])
        self.chunk(2, now=1.0)
        self.assertEqual(self.asked(1.0), [3])
        self.chunk(11), self.chunk(12)
        self.assertEqual(self.asked(1.0), [13, 22])

    def test_in_whatever_order(self) -> None:
        """Criterion 45: chunks out of order and twice, of two guilds at once: each list is whole with its last."""
        self.want(1, 2)
        self.asked(0.0)
        for guild, index in ((1, 2), (2, 1), (1, 0), (1, 0), (2, 1)):
            self.assertEqual(self.chunk(guild, index, 3 if guild == 1 else 2), [])
        self.assertEqual(self.chunk(1, 1, 3), [1])
        self.assertEqual(self.chunk(2, 0, 2), [2])
        self.assertEqual(self.want(1, 2), [False, False])
        self.assertEqual(self.asked(0.0), [])

    def test_foreign_chunks(self) -> None:
        """Chunks that a bot asked for, or an earlier process, make no list whole."""
        self.want(1)
        self.asked(0.0)
        for nonce in (None, "me-2", "mine"):
            self.assertEqual(self.chunk(1, nonce=nonce), [])
        self.lists.chunk(0, Chunk(5, "me-1", 0, 1), 0.0)
        self.lists.chunk(9, Chunk(99, "me-1", 0, 1), 0.0)
        self.assertEqual(self.lists.settled(), [])
        self.assertTrue(self.lists.concerns(0, 1))

    def test_known_otherwise(self) -> None:
        """Where all are known before the list has come, or before it was asked for, it is whole."""
        self.want(1, 2)
        self.asked(0.0)
        self.want(3)
        for guild in (1, 3):
            self.lists.whole(0, guild)
        self.assertEqual(self.lists.settled(), [1, 3])
        self.assertFalse(self.lists.concerns(0, 3))
        self.assertEqual(self.asked(0.0), [])

    def test_urgent_first(self) -> None:
        """Whom a bot waits for is asked for before all others, also if it was wanted before."""
        self.want(1, 2, 3, 4, 5)
        self.want(5, 6, urgent=True)
        self.assertEqual(self.asked(0.0), [5, 6])
        self.assertEqual(self.want(5, urgent=True), [True])

    def test_silence(self) -> None:
        """A list whose chunks stop coming is asked for again 30 s after the last; a few times, then no more."""
        self.want(1)
        self.assertEqual(self.asked(0.0), [1])
        first = self.nonces[1]
        self.chunk(1, 0, 2, now=10.0)
        self.assertEqual(self.lists.next_time(10.0), 5.0, "the log's line")
        self.lists.progress.line(10.0)
        self.assertEqual(self.lists.next_time(10.0), 10.0 + SILENCE)
        self.assertEqual(self.asked(10.0 + SILENCE - 0.1), [])
        now = 10.0 + SILENCE
        for _ in range(MOST_TRIES - 1):
            self.assertEqual(self.asked(now), [1])
            self.assertNotEqual(self.nonces[1], first)
            self.assertEqual(self.lists.settled(), [])
            now += SILENCE
        self.assertEqual(self.asked(now), [])
        self.assertEqual(self.lists.settled(), [1])
        line = self.lists.progress.line(now + 100)
        assert line is not None
        self.assertIn("in vain", line)
        self.assertIsNone(self.lists.next_time(now + 100))
        self.assertEqual(self.want(1, now=now), [True], "but it may be wanted anew")
        self.assertEqual(self.asked(now), [1])

    def test_chunks_of_an_earlier_try(self) -> None:
        """They don't count for the later one."""
        self.want(1)
        self.asked(0.0)
        first = self.nonces[1]
        self.chunk(1, 0, 2)
        self.asked(SILENCE)
        self.assertEqual(self.chunk(1, 1, 2, nonce=first), [])
        self.assertEqual(self.chunk(1, 1, 2), [])
        self.assertEqual(self.chunk(1, 0, 2), [1])

    def test_criterion_44_rate_limited(self) -> None:
        """It is asked for again when Discord says, and not before; who waits for it is told, unless that is soon."""
        for seconds, told in ((20.0, [1]), (2.0, [])):
            self.setUp()
            self.want(1, urgent=True)
            self.asked(0.0)
            room = self.shards(0)
            assert room is not None
            room[0].limited(1, seconds, 1.0)
            self.lists.limited(0, Limited(1, self.nonces[1], seconds), 1.0)
            self.assertEqual(self.lists.settled(), told)
            self.assertEqual(self.asked(1.0 + seconds), [])
            self.assertEqual(self.asked(1.0 + seconds + SLACK), [1])

    def test_rate_limited_of_others(self) -> None:
        """What a bot was refused is not ours."""
        self.want(1)
        self.asked(0.0)
        self.lists.limited(0, Limited(1, "mine", 5.0), 0.0)
        self.lists.limited(0, Limited(3, None, 5.0), 0.0)
        self.lists.limited(5, Limited(3, None, 5.0), 0.0)
        self.assertEqual(self.chunk(1), [1])

    def test_asked_by_a_bot_just_now(self) -> None:
        """The list may be on its way: it is worth waiting; if it was a while ago, it isn't."""
        for ago, told in ((PATIENCE - 1, []), (PATIENCE + 1, [1]), (SILENCE - PATIENCE + 1, [])):
            self.setUp()
            room = self.shards(0)
            assert room is not None
            room[0].ask(1, room[1], 0.0)
            self.assertEqual(self.want(1, now=ago, urgent=True), [True])
            self.assertEqual(self.asked(ago), [])
            self.assertEqual(self.lists.settled(), told, ago)
            self.assertEqual(self.want(1, now=ago, urgent=True), [not told])
            self.assertEqual(self.asked(SILENCE), [1])

    def test_new_session(self) -> None:
        """What was wanted or asked for is dropped, and what was whole is so no more."""
        self.want(1, 2, 3, 11)
        self.asked(0.0)
        self.chunk(1)
        self.lists.began(0)
        self.assertEqual(sorted(self.lists.settled()), [2, 3])
        self.assertEqual(self.chunk(2), [])
        self.want(1, 2, now=1.0)
        self.assertEqual(self.asked(1.0), [], "30 s are not over")
        self.assertEqual(sorted(self.asked(SILENCE)), [1, 2, 11])
        self.lists.began(7)

    def test_listed_anew(self) -> None:
        """GUILD_CREATE: the list is whole no more, and what came of one under way counts no more."""
        self.want(1, 2)
        self.asked(0.0)
        self.chunk(1)
        self.chunk(2, 0, 2)
        for guild in (1, 2):
            self.lists.listed(0, guild)
        self.assertEqual(self.chunk(2, 1, 2), [])
        self.assertEqual(self.want(1, 2), [True, True])
        self.assertEqual(sorted(self.asked(SILENCE)), [1, 2])
        self.assertEqual(self.chunk(2, 1, 2), [])
        self.assertEqual(self.chunk(2, 0, 2), [2])
        self.lists.listed(9, 99)

    def test_gone(self) -> None:
        """A guild that is left, or in an outage, is not asked for."""
        self.want(1, 2, 3)
        self.asked(0.0)
        for guild in (1, 3, 5):
            self.lists.gone(0, guild)
        self.lists.gone(9, 99)
        self.assertEqual(self.lists.settled(), [1, 3])
        self.chunk(2)
        self.assertEqual(self.asked(100.0), [])
        self.assertEqual(
            self.lists.progress.line(100.0), "the members of 1 guild (5 members) have come from Discord, in 100 s"
        )

    def test_not_before(self) -> None:
        """What is wanted from a time on is asked for then, in the order it came."""
        self.want(3, 1, not_before=30.0)
        self.want(2)
        self.assertEqual(self.asked(0.0), [2])
        self.chunk(2)
        self.lists.progress.line(10.0)
        self.assertEqual(self.lists.next_time(10.0), 30.0)
        self.assertEqual(self.asked(29.0), [])
        self.assertEqual(self.asked(30.0), [1, 3])

    def test_no_more_than_the_share(self) -> None:
        """Of many guilds whose lists come at once, as many are asked for in a minute as is rateway's share."""
        for guild in range(1, 151):
            self.lists.want(0, guild, 5, 0.0)
        times: list[float] = []
        now = 0.0
        while len(times) < 150:
            while asks := self.lists.asks(now, self.shards):
                for ask in asks:
                    d = ujson.loads(ask.payload)["d"]
                    times.append(now)
                    self.lists.chunk(0, Chunk(int(d["guild_id"]), d["nonce"], 0, 1), now)
            self.lists.progress.line(now)
            now = max(self.lists.next_time(now) or now, now + 0.001)
        self.assertEqual([times.count(each) for each in sorted(set(times))], [SHARE, SHARE, 150 - 2 * SHARE])
        self.assertEqual(sorted(set(times)), [0.0, 60.0 + SLACK, 2 * (60.0 + SLACK)])

    def test_no_connection(self) -> None:
        """A shard without one is looked at again each second, and holds up no other."""
        self.shards.closed.add(0)
        self.want(1, 11)
        self.assertEqual(self.asked(0.0), [11])
        self.assertEqual(self.lists.next_time(0.0), 1.0)
        self.shards.closed.clear()
        self.assertEqual(self.asked(0.5), [])
        self.assertEqual(self.asked(1.0), [1])


class _World(RuleBasedStateMachine):
    """Shards, bots and a Discord that holds to its rules, with everything that goes wrong between them."""

    SHARDS = (0, 1, 2)

    @initialize(interval=st.just(41.25) | st.floats(1.5, 60.0))
    def open(self, interval: float) -> None:
        self.now, self.interval = 1000.0, interval
        self.lists = MemberLists("me", presences=False)
        self.queues = {shard: CommandQueue() for shard in self.SHARDS}
        self.spares = {shard: Spare(queue) for shard, queue in self.queues.items()}
        self.budgets: dict[int, SendBudget | None] = {shard: SendBudget(interval) for shard in self.SHARDS}
        self.sent: dict[int, list[float]] = {shard: [] for shard in self.SHARDS}
        self.own: dict[int, list[float]] = {shard: [] for shard in self.SHARDS}
        self.whole: dict[int, list[float]] = {}
        self.answers: dict[int, deque[Chunk]] = {shard: deque() for shard in self.SHARDS}
        self.prompt = False

    def room(self, shard: int) -> Room | None:
        budget = self.budgets[shard]
        return None if budget is None else (self.spares[shard], budget)

    def discord(self, shard: int, payload: bytes, own: bool) -> None:
        """What Discord does with a payload."""
        self.sent[shard].append(self.now)
        d = ujson.loads(payload)["d"]
        if d.get("query") != "":
            return
        guild = int(d["guild_id"])
        times = self.whole.setdefault(guild, [])
        assert not times or self.now - times[-1] >= 30.0, f"guild {guild} again after {self.now - times[-1]} s"
        times.append(self.now)
        if own:
            self.own[shard].append(self.now)
            count = guild % 3 + 1
            self.answers[shard].extend(Chunk(guild, d["nonce"], index, count) for index in range(count))

    def pump(self) -> None:
        for shard, queue in self.queues.items():
            for command in queue.due(self.now, self.budgets[shard]).send:
                self.discord(shard, command.payload, own=False)
        while asks := self.lists.asks(self.now, self.room):
            for ask in asks:
                assert not self.queues[ask.shard].has_orders, "bots come first"
                self.discord(ask.shard, ask.payload, own=True)
            if self.prompt:
                self.answer()

    def answer(self) -> None:
        """Discord sends all that it owes."""
        for shard, chunks in self.answers.items():
            while chunks:
                self.lists.chunk(shard, chunks.pop(), self.now)

    @rule(shard=st.sampled_from(SHARDS), first=st.integers(1, 90), count=st.integers(1, 90), urgent=st.booleans())
    def want(self, shard: int, first: int, count: int, urgent: bool) -> None:
        for guild in range(first, first + count):
            self.lists.want(shard, guild * 3 + shard, 5, self.now, urgent=urgent)
        self.pump()

    @rule(shard=st.sampled_from(SHARDS), count=st.integers(1, 130), guild=st.integers(1, 90))
    def bots(self, shard: int, count: int, guild: int) -> None:
        whole = ujson.dumps({"op": 8, "d": {"guild_id": str(guild * 3 + shard), "query": "", "limit": 0}}).encode()
        self.queues[shard].add(Command(8, whole, self.now + 30.0, None), self.now)
        for _ in range(count):
            self.queues[shard].add(Command(4, b'{"op":4,"d":{}}', self.now + 30.0, None), self.now)
        self.pump()

    @rule(shard=st.sampled_from(SHARDS), count=st.integers(1, 30), lost=st.booleans())
    def chunks(self, shard: int, count: int, lost: bool) -> None:
        for _ in range(min(count, len(self.answers[shard]))):
            chunk = self.answers[shard].pop()
            if not lost:
                self.lists.chunk(shard, chunk, self.now)
        self.pump()

    @rule(prompt=st.booleans())
    def mood(self, prompt: bool) -> None:
        """Whether Discord answers as soon as it is asked."""
        self.prompt = prompt
        if prompt:
            self.answer()
        self.pump()

    @rule(shard=st.sampled_from(SHARDS), guild=st.integers(1, 90))
    def listed(self, shard: int, guild: int) -> None:
        self.lists.listed(shard, guild * 3 + shard)
        self.pump()

    @rule(shard=st.sampled_from(SHARDS), session_lost=st.booleans())
    def drop(self, shard: int, session_lost: bool) -> None:
        self.budgets[shard] = None
        if session_lost:
            self.answers[shard].clear()
            self.lists.began(shard)

    @rule(shard=st.sampled_from(SHARDS))
    def connect(self, shard: int) -> None:
        # The old connection's payloads are of the old connection's window.
        if self.budgets[shard] is None:
            self.budgets[shard], self.sent[shard] = SendBudget(self.interval), []
        self.pump()

    @rule(seconds=st.floats(0.0, 2.0) | st.floats(0.0, 70.0))
    def time_passes(self, seconds: float) -> None:
        end = self.now + seconds
        for _ in range(10_000):
            then = self.lists.next_time(self.now)
            if then is None or then > end:
                break
            self.now = max(then, self.now + 0.001)
            self.lists.progress.line(self.now)
            self.pump()
        else:
            raise AssertionError("it wakes up for nothing, over and over")
        self.now = max(end, self.now)
        self.pump()

    @invariant()
    def within_the_limits(self) -> None:
        if not hasattr(self, "own"):
            return
        beats = math.ceil((60.0 + SLACK) / self.interval) + 1
        for shard in self.SHARDS:
            for times, most in ((self.own[shard], SHARE), (self.sent[shard], 120 - beats)):
                for index in range(len(times)):
                    assert index + 1 - bisect_left(times, times[index] - 60.0) <= most
        under_way = [sum(len(line.asked) for line in self.lists._lines.values())]
        assert under_way[0] == len(self.lists._asked) <= AT_ONCE
        assert all(len(line.asked) <= PER_SHARD for line in self.lists._lines.values())

    def teardown(self) -> None:
        """Once Discord answers, everything that is wanted comes in the end."""
        if not hasattr(self, "own"):
            return
        for shard in self.SHARDS:
            self.answers[shard].clear()
            self.connect(shard)
        for _ in range(4000):
            self.answer()
            self.pump()
            if not any(line.wants or line.asked for line in self.lists._lines.values()):
                return
            then = self.lists.next_time(self.now)
            assert then is not None, "there is something to do, and nothing does it"
            self.now = max(then, self.now + 0.001)
            self.lists.progress.line(self.now)
            self.pump()
        raise AssertionError("it doesn't come to an end")


class WorldTests(SynchronousTestCase):
    """What holds whatever comes."""

    def test_limits_hold(self) -> None:
        """No guild twice in 30 s, never more than rateway's share nor than the budget, a few at a time, and an end."""
        case = _World.TestCase
        case.settings = settings(deadline=None, database=None, max_examples=40, stateful_step_count=30)
        case("runTest").debug()
