"""Questions that wait for member lists: shared, bounded, and never longer than they may."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rateway.cluster import patience
from rateway.cluster.elsewhere import FETCH_MEMBERS
from rateway.cluster.patience import MOST_GUILDS, Patience
from rateway.errors import RequestRefused
from rateway.gateway.memberlists import PATIENCE
from rateway.store.queries import Question, parse_query


def member(guild: int, user: int = 7) -> Question:
    """A question about a member."""
    return parse_query("Member", [guild, user])


class PatienceTests(SynchronousTestCase):
    """Guilds are lacking unless they are whole; owners answer when told to."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.whole: set[int] = set()
        self.sent: list[tuple[int, int, bytes, float]] = []
        self.owners: list[Deferred[None]] = []
        self.at_once: Any = None
        self.patience = Patience(self.clock, self.lacks, self.send, lambda guild: guild % 4)

    def lacks(self, question: Question) -> int | None:
        guild = question.values[0]
        assert isinstance(guild, int)
        return None if guild in self.whole else guild

    def send(self, shard: int, op: int, payload: bytes, left: float) -> Deferred[None]:
        self.sent.append((shard, op, payload, left))
        if self.at_once is not None:
            done: Deferred[None] = self.at_once()
            return done
        self.owners.append(Deferred())
        return self.owners[-1]

    def hold(self, *guilds: int) -> Deferred[None]:
        held = self.patience.hold([member(guild) for guild in guilds])
        assert held is not None
        return held

    def test_nothing_lacks(self) -> None:
        """What is known is answered at once."""
        self.whole = {5}
        self.assertIsNone(self.patience.hold([member(5), member(5, 8)]))
        self.assertEqual(self.sent, [])

    def test_one_request(self) -> None:
        """All who wait for a guild share one, to the guild's shard; each is told when the list is there."""
        held = [self.hold(5) for _ in range(3)]
        self.assertEqual(self.sent, [(1, FETCH_MEMBERS, b"5", PATIENCE)])
        self.assertNoResult(held[0])
        self.owners[0].callback(None)
        for each in held:
            self.successResultOf(each)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_several_guilds(self) -> None:
        """Who asks about several waits for all of them; who asks about one of them doesn't."""
        both, one = self.hold(5, 6, 5), self.hold(6)
        self.assertEqual([payload for _, _, payload, _ in self.sent], [b"5", b"6"])
        self.owners[1].callback(None)
        self.successResultOf(one)
        self.assertNoResult(both)
        self.owners[0].callback(None)
        self.successResultOf(both)

    def test_bound(self) -> None:
        """After a while the question is answered, whatever the owner does."""
        held = self.hold(5)
        self.clock.advance(PATIENCE - 0.1)
        self.assertNoResult(held)
        self.clock.advance(0.1)
        self.successResultOf(held)
        self.owners[0].callback(None)

    def test_later_ones_wait_as_long(self) -> None:
        """The owner's time is over for the first, not for who came later: it is asked once more for those."""
        first = self.hold(5)
        self.clock.advance(4.0)
        second = self.hold(5)
        self.clock.advance(1.0)
        self.successResultOf(first)
        self.owners[0].errback(RequestRefused("not in time"))
        self.assertEqual(len(self.sent), 2)
        self.assertNoResult(second)
        self.owners[1].callback(None)
        self.successResultOf(second)

    def test_nobody_left(self) -> None:
        """Where nobody waits any longer the owner isn't asked again."""
        self.hold(5)
        self.clock.advance(PATIENCE)
        self.owners[0].errback(RequestRefused("not in time"))
        self.assertEqual(len(self.sent), 1)

    def test_owner_gone(self) -> None:
        """An owner that refuses at once is not asked over and over: what is known is the answer."""
        for refusal in (lambda: fail(RequestRefused("not running")), _raise, lambda: succeed(None)):
            self.at_once = refusal
            self.assertIsNone(self.patience.hold([member(5)]))
        self.at_once = None
        held = self.hold(5)
        self.owners[0].errback(RequestRefused("its process ended"))
        self.successResultOf(held)

    def test_one_at_once_and_one_later(self) -> None:
        """Who waits for two of which one is there at once waits for the other."""
        self.at_once = lambda: succeed(None) if len(self.sent) == 1 else Deferred()
        self.assertNoResult(self.hold(5, 6))

    def test_fault(self) -> None:
        """A fault is logged, and the question answered by what is known."""
        held = self.hold(5)
        self.owners[0].errback(RuntimeError("a fault"))
        self.successResultOf(held)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_bounds(self) -> None:
        """So many guilds and so many questions wait at a time; what is more is answered at once."""
        for guild in range(1, MOST_GUILDS + 1):
            self.hold(guild)
        self.assertIsNone(self.patience.hold([member(MOST_GUILDS + 1)]))
        held = self.hold(1, MOST_GUILDS + 1)
        self.owners[0].callback(None)
        self.successResultOf(held)
        self.assertNoResult(self.hold(MOST_GUILDS + 1))
        self.patch(patience, "MOST_QUESTIONS", 0)
        self.assertIsNone(self.patience.hold([member(2)]))

    def test_stop(self) -> None:
        """All are answered; who comes later doesn't wait."""
        held = [self.hold(5), self.hold(6)]
        self.patience.stop()
        for each in held:
            self.successResultOf(each)
        self.assertIsNone(self.patience.hold([member(7)]))
        self.clock.advance(2.0)
        self.owners[0].errback(RequestRefused("rateway is stopping"))
        self.assertEqual(len(self.sent), 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])


def _raise() -> Deferred[None]:
    raise RequestRefused("not running yet")
