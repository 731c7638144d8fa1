"""What judges must notice every fault: a suite that finds nothing proves nothing otherwise."""

from __future__ import annotations

from typing import Any

from pika import BasicProperties
from twisted.trial.unittest import SynchronousTestCase

from rateway.simulator.records import Sent
from tests.integration.worker import Received

from .cachecheck import Question, difference
from .ledger import Identity, Ledger, by_identity


def sent(seq: int, shard: int = 0, session: str = "a", body: bytes = b"{}", name: str = "TEST") -> Sent:
    return Sent(shard, session, seq, name, body)


def arrival(event: Sent, body: bytes | None = None) -> Received:
    """The event as rateway delivers it, or with another body."""
    properties = BasicProperties(
        message_id=f"{event.shard}:{event.session_id}:{event.seq}",
        headers={"shard_id": event.shard, "seq": event.seq},
    )
    return Received("rateway-1", event.name, event.d if body is None else body, properties)


def newest(events: list[Sent]) -> list[Identity]:
    """The last one of these, which are of one session."""
    return list(by_identity(events))[-1:]


class LedgerTests(SynchronousTestCase):
    """Deliveries, and what is wrong with them."""

    def judged(self, events: list[Sent], arrivals: list[Received]) -> tuple[Ledger, list[str]]:
        """The kinds of what is wrong, once each."""
        ledger = Ledger()
        for each in arrivals:
            ledger.arrive(each)
        ledger.judge(events)
        return ledger, list(dict.fromkeys(words.partition(":")[0] for words in ledger.wrong))

    def test_all_in_order(self) -> None:
        """Shards are independent of each other, and a new session begins anew."""
        events = [sent(1), sent(1, shard=1), sent(2), sent(2, shard=1), sent(1, session="b")]
        ledger, wrong = self.judged(events, list(map(arrival, events)))
        self.assertEqual((wrong, ledger.arrived, ledger.duplicates), ([], 5, 0))
        self.assertFalse(ledger.lacks(by_identity(events)))

    def test_lost(self) -> None:
        """One that never came, be it the last one or not."""
        events = [sent(1), sent(2), sent(3)]
        for missing in range(3):
            arrivals = [arrival(event) for event in events if event is not events[missing]]
            ledger, wrong = self.judged(events, arrivals)
            self.assertEqual(wrong, ["lost"])
            self.assertTrue(ledger.lacks(by_identity(events)))

    def test_duplicates(self) -> None:
        """They may come at any time, and are counted."""
        events = [sent(1), sent(2), sent(3)]
        ledger, wrong = self.judged(events, [arrival(events[index]) for index in (0, 1, 0, 1, 2, 0)])
        self.assertEqual((wrong, ledger.arrived, ledger.duplicates), ([], 3, 3))

    def test_duplicate_that_differs(self) -> None:
        """The same id must mean the same event."""
        events = [sent(1, body=b"1")]
        _, wrong = self.judged(events, [arrival(events[0]), arrival(events[0], b"2")])
        self.assertEqual(wrong, ["unequal-duplicate"])

    def test_changed(self) -> None:
        """Another body than was sent, or another name."""
        event = sent(1, body=b'{"a":1}')
        self.assertEqual(self.judged([event], [arrival(event, b'{"a": 1}')])[1], ["changed"])
        self.assertEqual(self.judged([event], [arrival(sent(1, body=event.d, name="OTHER"))])[1], ["changed"])

    def test_out_of_order(self) -> None:
        """First deliveries of a session whose sequences fall."""
        events = [sent(1), sent(2), sent(3)]
        _, wrong = self.judged(events, [arrival(events[index]) for index in (0, 2, 1)])
        self.assertEqual(wrong, ["out-of-order"])

    def test_lost_by_a_killed_broker(self) -> None:
        """It may lose one amid others; then all that follow must come once more behind it."""
        events = [sent(1), sent(2), sent(3), sent(4)]
        for order, wrong in (
            ((0, 2, 3, 1, 2, 3), []),
            ((2, 0, 1, 2, 3), []),
            ((0, 2, 3, 1, 3), ["out-of-order"]),
            ((3, 2, 1, 0), ["out-of-order"]),
            ((0, 2, 2, 3, 3, 1), ["out-of-order"]),
        ):
            ledger = Ledger()
            ledger.broker_died(newest(events))
            for index in order:
                ledger.arrive(arrival(events[index]))
            self.assertEqual(ledger.lacks(by_identity(events)), bool(wrong), order)
            ledger.judge(events)
            self.assertEqual(list(dict.fromkeys(words.partition(":")[0] for words in ledger.wrong)), wrong, order)

    def test_sent_after_a_broker_died(self) -> None:
        """It goes behind all that the dead one had not confirmed: nothing of its own comes before an earlier event."""
        before, after = [sent(1), sent(2), sent(3)], [sent(4), sent(5)]
        for order, wrong in (
            ((0, 2, 1, 2, 3, 4), []),
            ((0, 2, 3, 1, 2, 3, 4), ["out-of-order"]),
            ((0, 1, 2, 4, 3, 4), ["out-of-order"]),
        ):
            ledger, events = Ledger(), before + after
            ledger.broker_died(newest(before))
            for index in order:
                ledger.arrive(arrival(events[index]))
            ledger.judge(events)
            self.assertEqual(list(dict.fromkeys(words.partition(":")[0] for words in ledger.wrong)), wrong, order)

    def test_two_brokers_died(self) -> None:
        """Of what was sent between their deaths the second one may have lost some."""
        ledger, events = Ledger(), [sent(1), sent(2), sent(3)]
        ledger.broker_died(newest(events[:1]))
        ledger.broker_died(newest(events))
        for index in (0, 2, 1, 2):
            ledger.arrive(arrival(events[index]))
        ledger.judge(events)
        self.assertEqual((ledger.wrong, ledger.late), ([], 1))

    def test_broker_died_in_the_period_before(self) -> None:
        """All that it had not confirmed has come since."""
        ledger, first, second = Ledger(), [sent(1)], [sent(2), sent(3)]
        ledger.broker_died(newest(first))
        ledger.arrive(arrival(first[0]))
        ledger.judge(first)
        ledger.roll()
        for event in (second[1], second[0], second[1]):
            ledger.arrive(arrival(event))
        ledger.judge(second)
        self.assertEqual([words.partition(":")[0] for words in ledger.wrong], ["out-of-order"])

    def test_other_shards_are_not_excused(self) -> None:
        """Each session has its own newest event at a broker's death."""
        ledger, events = Ledger(), [sent(1, shard=1), sent(2, shard=1)]
        ledger.broker_died(newest([sent(1), sent(2)]))
        for event in (events[1], events[0], events[1]):
            ledger.arrive(arrival(event))
        ledger.judge(events)
        self.assertEqual([words.partition(":")[0] for words in ledger.wrong], ["out-of-order"])

    def test_resumed_need_not_come_again(self) -> None:
        """Behind what a killed broker lost, a replay brings all but RESUMED."""
        ledger, events = Ledger(), [sent(1), sent(2, name="RESUMED"), sent(3)]
        ledger.broker_died(newest(events))
        for index in (1, 2, 0, 2):
            ledger.arrive(arrival(events[index]))
        self.assertFalse(ledger.lacks(by_identity(events)))

    def test_sessions_out_of_order(self) -> None:
        """An event of an old session, for the first time after the new one began."""
        events = [sent(1), sent(2), sent(1, session="b"), sent(2, session="b")]
        _, wrong = self.judged(events, [arrival(events[index]) for index in (0, 2, 1, 3)])
        self.assertEqual(wrong, ["out-of-order"])

    def test_invented(self) -> None:
        """What nobody sent."""
        self.assertEqual(self.judged([sent(1)], [arrival(sent(1)), arrival(sent(2))])[1], ["invented"])

    def test_resumed_may_be_missing(self) -> None:
        """It is part of no replay, so it may come or not."""
        events = [sent(1), sent(3)]
        resumed = arrival(sent(2, name="RESUMED"))
        self.assertEqual(self.judged(events, [arrival(events[0]), resumed, arrival(events[1])])[1], [])

    def test_headers(self) -> None:
        """Id and headers say the same."""
        odd = arrival(sent(1))
        odd.properties.headers["seq"] = 2
        self.assertEqual(self.judged([sent(1)], [odd])[1], ["odd-headers"])
        odd.properties.message_id = "nonsense"
        self.assertIn("odd-id", self.judged([sent(1)], [odd])[1])

    def test_periods(self) -> None:
        """What came in the period before may come again; two periods later it is nobody's."""
        ledger, first, second = Ledger(), sent(1), sent(2)
        ledger.arrive(arrival(first))
        ledger.judge([first])
        ledger.roll()
        ledger.arrive(arrival(first))
        ledger.arrive(arrival(second))
        ledger.judge([second])
        self.assertEqual((ledger.wrong, ledger.duplicates), ([], 1))

    def test_many(self) -> None:
        """Of many faults of a kind a few are told, and the number."""
        ledger = Ledger()
        ledger.judge([sent(seq) for seq in range(1, 101)])
        self.assertEqual(len(ledger.wrong), 6)
        self.assertIn("100 times", ledger.wrong[-1])


class DifferenceTests(SynchronousTestCase):
    """An answer of the cache's, and what it should have been."""

    def test_answers(self) -> None:
        """More fields than expected are fine; missing, other, or undead ones are not."""
        asked: Question = ("Member", (1, 2), {"nick": "x", "roles": []})
        for answer, word in (
            ({"nick": "x", "roles": [], "guild_id": "1"}, None),
            ({"nick": "y", "roles": []}, "nick"),
            ({"nick": "x"}, "roles"),
            (None, "not in the cache"),
        ):
            self.check(difference(asked, answer), word)
        self.check(difference(("Member", (1, 2), None), None), None)
        self.check(difference(("Member", (1, 2), None), {"nick": None}), "gone")

    def check(self, words: str | None, word: Any) -> None:
        """Nothing, or a sentence with this word."""
        if word is None:
            self.assertIsNone(words)
        else:
            self.assertIn(word, words or "")
