"""Long work in turns: fair, bounded, and never more than a slice at a time."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rateway.cluster.turns import SIDE_BY_SIDE, SLICE, WAITING, Turns
from rateway.errors import RequestRefused

from .test_pipeline import TurningClock


class TurnsTests(SynchronousTestCase):
    """Work whose steps take a known time."""

    def setUp(self) -> None:
        self.clock = TurningClock()
        self.now = 0.0
        self.turns = Turns(self.clock, lambda: self.now)
        self.journal: list[str] = []

    def turn(self, times: int) -> None:
        """Let the reactor turn until so many slices are done, each with the turn after it that is others'."""
        for _ in range(2 * times):
            self.clock.turn()

    def work(self, name: str, steps: int, seconds: float = SLICE) -> Generator[None, None, str]:
        """Work that notes each of its steps, and how long it took."""
        for _ in range(steps):
            self.now += seconds
            self.journal.append(name)
            yield
        return name.upper()

    def test_one_slice_a_turn(self) -> None:
        """As many steps as fit are done in a turn of the reactor; nothing before the first."""
        done = self.turns.add(self.work("a", 25, SLICE / 10))
        self.assertEqual((self.journal, self.turns.is_idle), ([], False))
        counts = []
        while not self.turns.is_idle:
            before = len(self.journal)
            self.clock.turn()
            counts.append(len(self.journal) - before)
        self.assertEqual((sum(counts), max(counts)), (25, 10))
        self.assertEqual(self.successResultOf(done), "A")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_every_other_turn(self) -> None:
        """Between two slices is a turn of the others': an answer given in it is written before the next."""
        self.turns.add(self.work("a", 3))
        steps = []
        while not self.turns.is_idle:
            self.clock.turn()
            steps.append(len(self.journal))
        self.assertEqual(steps, [1, 1, 2, 2, 3, 3, 3])

    def test_side_by_side(self) -> None:
        """What is short is done before what is long, though it came later."""
        finished: list[str] = []
        for name, steps in (("long", 50), ("short", 2)):
            self.turns.add(self.work(name, steps)).addCallback(finished.append)
        self.turn(10)
        self.assertEqual(finished, ["SHORT"])
        self.turn(60)
        self.assertEqual(finished, ["SHORT", "LONG"])

    def test_a_few_at_a_time(self) -> None:
        """Only some are under way; each that ends lets the next begin, in the order they came."""
        names = [f"w{number}" for number in range(SIDE_BY_SIDE + 3)]
        finished: list[str] = []
        for name in names:
            self.turns.add(self.work(name, 3)).addCallback(finished.append)
        self.turn(2 * SIDE_BY_SIDE)
        self.assertEqual(set(self.journal), set(names[:SIDE_BY_SIDE]))
        self.turn(40)
        self.assertEqual(finished, [name.upper() for name in names])

    def test_known_to_be_short(self) -> None:
        """It comes before all that may be long, one after the other; that goes on afterwards, as many as before."""
        finished: list[str] = []
        for number in range(SIDE_BY_SIDE + 1):
            self.turns.add(self.work(f"long{number}", 2)).addCallback(finished.append)
        self.turn(1)
        for name in ("a", "b"):
            self.turns.add(self.work(name, 2), is_short=True).addCallback(finished.append)
        self.turn(6)
        self.assertEqual((self.journal[1:5], finished[:2]), (["a", "a", "b", "b"], ["A", "B"]))
        self.turn(20)
        self.assertEqual((len(finished), self.turns.is_idle), (SIDE_BY_SIDE + 3, True))
        self.assertNotIn("long4", self.journal[: self.journal.index("long3")])

    def test_short_though_the_others_are_too_many(self) -> None:
        """What waits is counted apart."""
        for number in range(SIDE_BY_SIDE + WAITING):
            self.turns.add(self.work(str(number), 1))
        done = self.turns.add(self.work("short", 1), is_short=True)
        self.turn(2)
        self.assertEqual(self.successResultOf(done), "SHORT")

    def test_bound(self) -> None:
        """More than so many don't wait."""
        for number in range(SIDE_BY_SIDE + WAITING):
            self.turns.add(self.work(str(number), 1))
        self.assertRaises(RequestRefused, self.turns.add, self.work("more", 1))
        for number in range(WAITING):
            self.turns.add(self.work(str(number), 1), is_short=True)
        self.assertRaises(RequestRefused, self.turns.add, self.work("more", 1), is_short=True)

    def test_failing(self) -> None:
        """What raises fails by itself."""

        def failing() -> Generator[None, None, None]:
            yield
            raise ValueError("no")

        failed, done = self.turns.add(failing()), self.turns.add(self.work("a", 3))
        self.turn(9)
        self.failureResultOf(failed, ValueError)
        self.assertEqual(self.successResultOf(done), "A")

    def test_adding_from_a_callback(self) -> None:
        """Who is called back may add work, and it is done."""
        added: list[Deferred[Any]] = []
        first = self.turns.add(self.work("a", 1))
        first.addCallback(lambda _: added.append(self.turns.add(self.work("b", 1))))
        self.turn(5)
        self.assertEqual(self.successResultOf(added[0]), "B")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop(self) -> None:
        """After stopping nothing more is done."""
        done = self.turns.add(self.work("a", 5))
        self.clock.turn()
        self.turns.stop()
        self.turns.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.journal, ["a"])
        self.assertNoResult(done)
