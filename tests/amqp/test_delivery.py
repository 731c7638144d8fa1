"""What a broker may do to an event besides taking it: none is lost for it, and none counts twice."""

from __future__ import annotations

from typing import Any
from unittest import mock

from twisted.logger import LogEvent, eventAsText, globalLogPublisher

from rateway.amqp import window
from rateway.complaints import SAY_EVERY

from .bench import Bench, BenchTestCase
from .scripted import Answer, Connection, ScriptedBroker


def closing_at(number: int) -> Answer:
    """The exchange is gone: the channel is closed at the message of this number, what follows isn't read."""
    seen: list[Connection] = []

    def publish(connection: Connection, channel: int, arguments: Any) -> None:
        seen.append(connection)
        connection.answer(channel, "basic.publish", arguments)
        if len(seen) == number:
            if number > 1:
                connection.confirm(number - 1, multiple=True)
            connection.send(channel, "channel", "close", 404, "NOT_FOUND - no exchange 'rateway-1'", 60, 40)

    return publish


class ExchangeTests(BenchTestCase):
    """The exchange, changed by others while there are events."""

    def errors(self) -> list[str]:
        """Lines of the level error from here on."""
        lines: list[str] = []

        def observe(event: LogEvent) -> None:
            if event["log_level"].name == "error":
                lines.append(eventAsText(event, includeTimestamp=False, includeSystem=False))

        globalLogPublisher.addObserver(observe)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, observe)  # type: ignore[arg-type]
        return lines

    def test_declared_otherwise_in_the_second_life(self) -> None:
        """Who comes after a process of ours that died doesn't end for it either: events are held."""
        scripted = ScriptedBroker()
        scripted.script["exchange.declare"] = scripted.refuse(406, "PRECONDITION_FAILED - inequivalent arg 'type'")
        bench = self.bench(scripted, known=True)
        bench.publish(1, 3)
        scripted.advance(300)
        self.assertEqual((bench.recorder.fatal.errors, bench.broker.held_events), ([], 3))
        scripted.script.clear()
        scripted.advance(10)
        self.assertEqual((bench.sequences(), bench.broker.held_events), ([1, 2, 3], 0))

    def test_refused_in_the_second_life(self) -> None:
        """A login that is refused then is given two minutes, for it was granted before."""
        scripted = ScriptedBroker()
        scripted.script["connection.start-ok"] = scripted.close(403, "ACCESS_REFUSED - login refused")
        bench = self.bench(scripted, known=True)
        scripted.advance(100)
        self.assertEqual(bench.recorder.fatal.errors, [])
        scripted.advance(40)
        self.assertEqual(len(bench.recorder.fatal.errors), 1)

    def test_declared_otherwise_meanwhile(self) -> None:
        """It exists with other flags when the broker is back: an error a minute, until somebody has deleted it."""
        errors, bench = self.errors(), self.bench(disk=True)
        bench.publish(1, 1)
        bench.scripted.go_away()
        bench.scripted.script["exchange.declare"] = bench.scripted.refuse(406, "PRECONDITION_FAILED - arg 'type'")
        bench.scripted.come_back()
        said_at = []
        for number in range(600):
            bench.publish(2 + number, 1)
            before = len(errors)
            bench.scripted.advance(1)
            said_at += [number] * (len(errors) - before)
        self.assertEqual(bench.recorder.fatal.errors, [])
        self.assertEqual(bench.broker.held_events, 601)
        self.assertTrue(9 <= len(errors) <= 600 / SAY_EVERY + 1, errors)
        self.assertLess(said_at[0], 10)
        for line in errors:
            self.assertIn("the exchange rateway-1 exists with other properties", line)
            self.assertIn("Delete it", line)
            self.assertIn("events are held meanwhile", line)
        del bench.scripted.script["exchange.declare"]
        bench.scripted.advance(10)
        self.assertEqual(bench.sequences(), [1, *range(1, 602)])
        self.assertEqual((bench.broker.held_events, bench.recorder.cursor), (0, {0: ("s", 601)}))

    def test_deleted_under_us(self) -> None:
        """The channel is closed amid publishing: the exchange is declared anew, and all is published, in order."""
        for deaf in (1, 4, 7):
            scripted = ScriptedBroker(confirms=False)
            bench = self.bench(scripted)
            scripted.script["basic.publish"] = closing_at(deaf)
            bench.publish(1, 7)
            scripted.pump()
            bench.publish(8, 3)
            scripted.confirms = True
            scripted.advance(10)
            self.assertEqual(len(scripted.connections), 2)
            self.assertEqual([name for name, _ in scripted.now.calls].count("exchange.declare"), 1)
            again = [int(str(each.properties["message_id"]).rpartition(":")[2]) for each in scripted.now.published]
            self.assertEqual(again, [*range(deaf, 11)])
            self.assertEqual((bench.broker.held_events, bench.recorder.cursor), (0, {0: ("s", 10)}))


class ConfirmTests(BenchTestCase):
    """Confirms that come again, otherwise, or not at all."""

    def unconfirmed(self) -> Bench:
        """Five events in flight."""
        bench = self.bench(ScriptedBroker(confirms=False), disk=True)
        bench.publish(1, 5)
        return bench

    def test_said_twice(self) -> None:
        """The first word on an event counts, whatever follows: it is neither settled nor put aside twice."""
        words = [(False, True), (False, False), (True, True), (True, False)]
        for first_multiple, first_ack in words:
            for again_multiple, again_ack in words:
                bench = self.unconfirmed()
                bench.scripted.now.confirm(3, multiple=first_multiple, ack=first_ack)
                bench.scripted.pump()
                settled = {1, 2, 3} if first_multiple else {3}
                refused = set() if first_ack else settled
                self.assertEqual(bench.broker.held_events, 5 - len(settled) + len(refused))
                bench.scripted.now.confirm(3, multiple=again_multiple, ack=again_ack)
                bench.scripted.pump()
                if again_multiple and not again_ack:
                    refused |= {1, 2, 3} - settled
                if again_multiple:
                    settled = {1, 2, 3}
                self.assertEqual(bench.broker.held_events, 5 - len(settled) + len(refused))
                bench.scripted.now.confirm(5, multiple=True)
                bench.scripted.pump()
                self.assertEqual(bench.broker.held_events, len(refused))
                self.assertEqual(bench.recorder.cursor, {0: ("s", 5)})
                bench.scripted.confirms = True
                bench.scripted.advance(5)
                self.assertEqual(sorted(bench.sequences()), sorted([1, 2, 3, 4, 5, *refused]))
                self.assertEqual((bench.broker.held_events, bench.broker.held_bytes), (0, 0))

    def test_all_but_one(self) -> None:
        """An event that is never confirmed while others are: the marks behind it are bounded, and nothing is lost."""
        with mock.patch.object(window, "LONGEST", 50):
            scripted = ScriptedBroker(confirms=False, heartbeat=0)
            bench = self.bench(scripted, disk=True, memory=5000)
            first = scripted.now
            seq, told = 0, 1
            for _ in range(130):
                bench.publish(seq + 1, 10)
                seq += 10
                while told < len(first.published):
                    told += 1
                    first.confirm(told)
                self.assertLessEqual(len(bench.broker._publisher._window._entries), 50 + 10)
                scripted.advance(1)
                if scripted.now is not first:
                    break
            self.assertIsNot(scripted.now, first)
            self.assertEqual(bench.recorder.room, [])
            scripted.confirms = True
            scripted.now.confirm(0, multiple=True)
            scripted.advance(20)
            self.assertEqual(list(dict.fromkeys(bench.sequences())), [*range(1, seq + 1)])
            self.assertEqual((bench.broker.held_events, bench.recorder.cursor), (0, {0: ("s", seq)}))

    def test_gap(self) -> None:
        """Discord's sequence may have gaps: the cursor passes them, and a replay behind one is whole."""
        bench = self.unconfirmed()
        bench.publish(10, 2)
        bench.scripted.now.confirm(0, multiple=True)
        bench.scripted.pump()
        self.assertEqual((bench.recorder.cursor, bench.broker.held_events), ({0: ("s", 11)}, 0))
