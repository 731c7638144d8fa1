"""The connection to the broker: made, kept, lost, refused, and given up."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import DNSLookupError
from twisted.logger import LogLevel, globalLogPublisher

from .bench import Bench, BenchTestCase
from .scripted import Connection, ScriptedBroker


class LogTestCase(BenchTestCase):
    """Tests of what is said."""

    def setUp(self) -> None:
        self.log: list[tuple[LogLevel, str]] = []
        globalLogPublisher.addObserver(self._observe)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, self._observe)  # type: ignore[arg-type]

    def _observe(self, event: Any) -> None:
        from twisted.logger import formatEvent

        if event.get("log_namespace", "").startswith("rateway"):
            self.log.append((event["log_level"], formatEvent(event)))

    def warnings(self) -> list[str]:
        return [text for level, text in self.log if level >= LogLevel.warn]


class HandshakeTests(BenchTestCase):
    """What the two sides tell each other first."""

    def start_ok(self, bench: Bench) -> dict[str, Any]:
        return next(arguments for name, arguments in bench.scripted.now.calls if name == "connection.start-ok")

    def test_who_we_are(self) -> None:
        """The broker learns the name, and what the client understands; the password goes out as SASL PLAIN."""
        told = self.start_ok(self.bench())
        self.assertEqual(told["mechanism"], "PLAIN")
        self.assertEqual(told["response"], b"\0guest\0guest")
        self.assertEqual(told["client-properties"]["product"], "rateway")
        self.assertEqual(told["client-properties"]["connection_name"], "rateway-1")
        capabilities = told["client-properties"]["capabilities"]
        for name in ("authentication_failure_close", "consumer_cancel_notify", "connection.blocked", "basic.nack"):
            self.assertIs(capabilities[name], True)

    def test_limits(self) -> None:
        """Of two limits the smaller holds; 0 is none."""
        for theirs, ours in (((131_072, 60), (131_072, 20)), ((4096, 10), (4096, 10)), ((0, 0), (131_072, 20))):
            scripted = ScriptedBroker(heartbeat=theirs[1])
            scripted.script["connection.start-ok"] = lambda connection, *_, theirs=theirs: connection.send(
                0, "connection", "tune", 0, *theirs
            )
            bench = self.bench(scripted)
            tune_ok = next(arguments for name, arguments in bench.scripted.now.calls if name == "connection.tune-ok")
            self.assertEqual((tune_ok["frame-max"], tune_ok["heartbeat"]), ours)
            self.assertGreater(tune_ok["channel-max"], 100)

    def test_no_answer(self) -> None:
        """A broker that accepts and says nothing is given up after the timeout, and tried again."""
        scripted = ScriptedBroker()
        scripted.script["connection.start-ok"] = lambda *_: None
        bench = self.bench(scripted)
        scripted.advance(9.5)
        self.assertFalse(scripted.now.aborted)
        scripted.advance(1)
        self.assertTrue(scripted.connections[0].aborted)
        scripted.script.clear()
        scripted.advance(3)
        self.successResultOf(bench.broker.when_ready())

    def test_setup_without_answer(self) -> None:
        """A broker that hangs while exchange and queue are declared is given up, too."""
        scripted = ScriptedBroker()
        scripted.script["exchange.declare"] = lambda connection, *_: connection.send_raw(b"\x08\0\0\0\0\0\0\xce")
        bench = self.bench(scripted)
        scripted.script.clear()
        for _ in range(4):
            scripted.now.send_raw(b"\x08\0\0\0\0\0\0\xce")
            scripted.advance(8)
        scripted.advance(10)
        self.successResultOf(bench.broker.when_ready())
        self.assertTrue(scripted.connections[0].aborted)


class RefusedTests(LogTestCase):
    """Brokers that won't have us."""

    def fatal(self, bench: Bench) -> str:
        (error,) = bench.recorder.fatal.errors
        text = str(error)
        self.assertNotIn("\n", text)
        self.assertIn("AMQP_URI", text)
        bench.scripted.advance(100)
        self.assertEqual(len(bench.recorder.fatal.errors), 1)
        return text

    def test_login(self) -> None:
        """A wrong password ends the start at once with the user's name and the variable, without another try."""
        scripted = ScriptedBroker()
        scripted.script["connection.start-ok"] = scripted.close(403, "ACCESS_REFUSED - Login was refused using PLAIN")
        bench = self.bench(scripted)
        self.assertIn("'guest'", self.fatal(bench))
        self.assertEqual(len(scripted.connections), 1)

    def test_vhost(self) -> None:
        """So does a vhost that doesn't exist, or isn't ours."""
        scripted = ScriptedBroker()
        scripted.script["connection.open"] = scripted.close(530, "NOT_ALLOWED - vhost nowhere not found")
        bench = self.bench(scripted)
        self.assertIn("vhost nowhere not found", self.fatal(bench))

    def test_without_a_word(self) -> None:
        """A broker that drops the connection on seeing the password is believed the third time."""
        scripted = ScriptedBroker()
        scripted.script["connection.start-ok"] = lambda connection, *_: connection.client.clock.callLater(
            0, connection.break_off
        )
        bench = self.bench(scripted)
        scripted.advance(20)
        self.assertIn("refused the login", self.fatal(bench))
        self.assertEqual(len(scripted.connections), 3)

    def test_after_a_while(self) -> None:
        """A broker that once let us in may refuse us for two minutes: after a restart it may not know its users yet."""
        scripted = ScriptedBroker()
        bench = self.bench(scripted)
        scripted.script["connection.start-ok"] = scripted.close(403, "ACCESS_REFUSED")
        scripted.now.break_off()
        scripted.advance(100)
        self.assertEqual(bench.recorder.fatal.errors, [])
        self.assertLess(len(scripted.connections), 40)
        del scripted.script["connection.start-ok"]
        scripted.advance(6)
        self.assertTrue(bench.broker.connected)
        scripted.script["connection.start-ok"] = scripted.close(403, "ACCESS_REFUSED")
        scripted.now.break_off()
        scripted.advance(160)
        self.assertIn("refused the login", self.fatal(bench))

    def test_permissions_taken_away(self) -> None:
        """So may one that lets us in but refuses exchange, queue or consumer, which it let us have before."""
        for method in ("exchange.declare", "queue.declare", "queue.bind", "basic.consume"):
            self.log.clear()
            scripted = ScriptedBroker()
            bench = self.bench(scripted)
            scripted.script[method] = scripted.refuse(403, "ACCESS_REFUSED - access to it refused for user 'guest'")
            scripted.now.break_off()
            scripted.advance(100)
            self.assertEqual(bench.recorder.fatal.errors, [], method)
            self.assertEqual(len(self.warnings()), 2, self.warnings())
            self.assertRegex(self.warnings()[1], r"rateway-\.\*.*; rateway ends in [0-9]+ s if that stays so")
            self.assertTrue(self.warnings()[1].endswith("events are held meanwhile"))
            bench.publish(1, 3)
            del scripted.script[method]
            scripted.advance(6)
            self.assertTrue(bench.broker.connected)
            self.assertEqual(bench.broker.held_events, 0)
            scripted.script[method] = scripted.refuse(403, "ACCESS_REFUSED - access to it refused for user 'guest'")
            scripted.now.break_off()
            scripted.advance(110)
            self.assertEqual(bench.recorder.fatal.errors, [], method)
            scripted.advance(25)
            (error,) = bench.recorder.fatal.errors
            self.assertIn("permission on rateway-", str(error))

    def test_mechanism(self) -> None:
        """A broker without passwords is said to be one; it may be set up yet."""
        bench = self.bench(ScriptedBroker(mechanisms=b"EXTERNAL"))
        bench.scripted.advance(1.5)
        self.assertEqual(bench.recorder.fatal.errors, [])
        self.assertIn("SASL PLAIN", self.warnings()[0])

    def test_something_else(self) -> None:
        """What answers the port but isn't a broker is told as that."""
        scripted = ScriptedBroker()
        bench = self.bench(scripted, start=False)
        bench.broker.startService()
        scripted.now._replies[:] = [b"HTTP/1.1 400 Bad Request\r\n\r\n"]
        scripted.advance(1.5)
        self.assertIn("does not speak AMQP 0-9-1", self.warnings()[0])

    def test_password_unsaid(self) -> None:
        """No log line bears the password."""
        scripted = ScriptedBroker()
        scripted.script["connection.start-ok"] = scripted.close(403, "ACCESS_REFUSED")
        self.bench(scripted)
        scripted.advance(100)
        self.assertNotIn("guest:guest", str(self.log))


class UnreachableTests(LogTestCase):
    """Brokers that are away."""

    def test_backoff(self) -> None:
        """An unreachable broker is tried with growing delays, to 5 s, and said at once and then once a minute."""
        scripted = ScriptedBroker(connect_error=DNSLookupError("no such host"))
        bench = self.bench(scripted)
        attempts = scripted.attempts
        delays: list[float] = []
        last = 0.0
        while len(delays) < 20:
            scripted.clock.advance(0.1)
            if scripted.attempts > attempts:
                attempts = scripted.attempts
                delays.append(scripted.clock.seconds() - last)
                last = scripted.clock.seconds()
        for delay, longest in zip(delays, (1, 2, 4, *[5] * 17), strict=True):
            self.assertTrue(0.7 * longest <= delay <= longest + 0.2, delays)
        self.assertIn("no such host", self.warnings()[0])
        minutes = scripted.clock.seconds() / 60
        self.assertTrue(minutes - 1 <= len(self.warnings()) <= minutes + 1)
        self.assertGreater(len(set(map(round, (delay * 10 for delay in delays[3:])))), 1, "clusters keep in step")
        scripted.come_back()
        scripted.advance(6)
        self.successResultOf(bench.broker.when_ready())

    def test_tried(self) -> None:
        """That it can't be had for now is told once, before it can; if it can at once, both are told together."""
        scripted = ScriptedBroker(connect_error=DNSLookupError("no such host"))
        bench = self.bench(scripted)
        self.successResultOf(bench.broker.when_tried())
        ready = bench.broker.when_ready()
        self.assertNoResult(ready)
        scripted.come_back()
        scripted.advance(6)
        self.successResultOf(ready)
        bench = self.bench(start=False)
        tried = bench.broker.when_tried()
        self.assertNoResult(tried)
        bench.start()
        self.successResultOf(tried)
        self.successResultOf(bench.broker.when_ready())

    def test_back_at_once(self) -> None:
        """A steady connection that breaks is made again within half a second, and its loss said."""
        bench = self.bench()
        bench.scripted.advance(10)
        bench.scripted.now.break_off()
        self.assertFalse(bench.broker.connected)
        bench.scripted.advance(0.5, 0.1)
        self.assertTrue(bench.broker.connected)
        bench.scripted.advance(1)
        (line,) = self.warnings()
        self.assertRegex(line, r"was lost for rateway-1 \(the connection was lost: .*\), and is there again$")

    def test_flapping(self) -> None:
        """A broker that drops every connection at once is not hammered."""
        bench = self.bench()
        for _ in range(100):
            bench.scripted.advance(1)
            if bench.scripted.now.open:
                bench.scripted.now.break_off()
        self.assertLess(len(bench.scripted.connections), 40)
        self.assertLess(len(self.warnings()), 4)

    def test_closed_by_broker(self) -> None:
        """A connection the broker closes is answered, and made again."""
        bench = self.bench()
        bench.publish(1, 1)
        bench.scripted.advance(10)
        first = bench.scripted.now
        first.send(0, "connection", "close", 320, "CONNECTION_FORCED - closed by an operator", 0, 0)
        bench.scripted.advance(1.5)
        self.assertEqual(first.calls[-1][0], "connection.close-ok")
        self.assertFalse(first.aborted)
        self.assertTrue(bench.broker.connected)
        self.assertIn("closed by an operator", self.warnings()[0])

    def test_channel_closed(self) -> None:
        """A channel the broker closes is mended by a new connection, and no event is lost."""
        bench = self.bench(ScriptedBroker(confirms=False))
        bench.scripted.advance(10)
        bench.publish(1, 2)
        bench.scripted.now.send(1, "channel", "close", 404, "NOT_FOUND - no exchange 'rateway-1'", 60, 40)
        bench.scripted.confirms = True
        bench.scripted.advance(1)
        self.assertEqual((bench.sequences(), bench.broker.held_events), ([1, 2, 1, 2], 0))

    def test_nonsense(self) -> None:
        """A broker that breaks the protocol is left, and tried again."""
        for nonsense in (
            lambda c: c.send(9, "basic", "qos-ok"),
            lambda c: c.send(0, "basic", "publish", 0, "", "", False, False),
            lambda c: c.send(0, "queue", "declare", 0, "", *[False] * 5, {}),
            lambda c: c.send_raw(b"\x01\0\0\0\0\0\x04\0\x63\0\x63\xce"),
            lambda c: c.send_raw(b"\x01\0\0\0\0\0\x02\0\x63\xce"),
        ):
            bench = self.bench()
            bench.scripted.advance(10)
            nonsense(bench.scripted.now)
            bench.scripted.advance(1)
            self.assertTrue(bench.scripted.connections[0].aborted)
            self.assertTrue(bench.broker.connected)

    def test_bug_in_callback(self) -> None:
        """A fault of our own while reading is logged, and costs the connection, not the service."""
        bench = self.bench()
        bench.scripted.advance(10)
        bench.scripted.now.client.on_read = lambda: 1 / 0  # type: ignore[assignment]
        bench.scripted.now.send_raw(b"\x08\0\0\0\0\0\0\xce")
        bench.scripted.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(bench.broker.connected)


class HeartbeatTests(BenchTestCase):
    """Peers that fall silent."""

    def test_sent(self) -> None:
        """An idle connection sends a heartbeat at least once per interval; a busy one needs none."""
        bench = self.bench(ScriptedBroker(heartbeat=10))
        connection = bench.scripted.now
        for _ in range(6):
            connection.send_raw(b"\x08\0\0\0\0\0\0\xce")
            bench.scripted.advance(10)
        self.assertTrue(6 <= connection.heartbeats <= 12)
        before = connection.heartbeats
        for number in range(1, 41):
            bench.publish(number, 1)
            bench.scripted.advance(1)
        self.assertEqual(connection.heartbeats, before)

    def test_silence(self) -> None:
        """Two intervals without a byte, and the connection is given up and made anew."""
        bench = self.bench(ScriptedBroker(heartbeat=10))
        bench.scripted.advance(19)
        self.assertFalse(bench.scripted.now.aborted)
        bench.scripted.advance(8)
        self.assertTrue(bench.scripted.connections[0].aborted)
        self.assertEqual(len(bench.scripted.connections), 2)

    def test_confirms_are_life(self) -> None:
        """Confirms alone keep a connection alive."""
        bench = self.bench(ScriptedBroker(heartbeat=10))
        for number in range(1, 61):
            bench.publish(number, 1)
            bench.scripted.advance(1)
        self.assertEqual(len(bench.scripted.connections), 1)

    def test_off(self) -> None:
        """Where neither side wants heartbeats there are none."""
        scripted = ScriptedBroker(heartbeat=0)
        bench = self.bench(scripted, start=False)
        from attrs import evolve

        bench.broker._connector._address = evolve(bench.broker._connector._address, heartbeat=0)
        bench.start()
        scripted.advance(500)
        self.assertEqual((scripted.now.heartbeats, len(scripted.connections)), (0, 1))


class StopTests(BenchTestCase):
    """The end."""

    def test_clean(self) -> None:
        """A stop says goodbye and waits for the answer."""
        bench = self.bench()
        connection = bench.scripted.now
        stopped = bench.broker.stopService()
        self.assertNoResult(stopped)
        bench.scripted.pump()
        self.successResultOf(stopped)
        self.assertEqual(connection.calls[-1][0], "connection.close")
        bench.scripted.advance(100)
        self.assertEqual(len(bench.scripted.connections), 1)

    def test_no_goodbye(self) -> None:
        """A broker that doesn't answer the goodbye is waited for two seconds."""
        bench = self.bench()
        bench.scripted.script["connection.close"] = lambda *_: None
        stopped = bench.broker.stopService()
        bench.scripted.advance(1.5)
        self.assertNoResult(stopped)
        bench.scripted.advance(1)
        self.successResultOf(stopped)
        self.assertTrue(bench.scripted.now.aborted)

    def test_while_away(self) -> None:
        """A stop while the broker is away is immediate."""
        bench = self.bench()
        bench.scripted.go_away()
        bench.scripted.advance(5)
        self.successResultOf(bench.broker.stopService())
        attempts = bench.scripted.attempts
        bench.scripted.advance(100)
        self.assertEqual(bench.scripted.attempts, attempts)

    def test_while_connecting(self) -> None:
        """A stop while a connection is attempted gives the attempt up."""
        scripted = ScriptedBroker()
        pending: Deferred[Any] = Deferred(lambda _: cancelled.append(True))
        cancelled: list[bool] = []
        scripted.connect = lambda factory: pending  # type: ignore[method-assign]
        bench = self.bench(scripted)
        self.successResultOf(bench.broker.stopService())
        self.assertEqual(cancelled, [True])

    def test_at_any_moment(self) -> None:
        """A stop during handshake or set-up leaves nothing behind."""
        for method in (
            "connection.start-ok",
            "connection.open",
            "channel.open",
            "confirm.select",
            "exchange.declare",
            "queue.declare",
            "queue.bind",
            "basic.qos",
            "basic.consume",
        ):
            scripted = ScriptedBroker()
            hung: list[str] = []

            def hang(connection: Connection, channel: int, arguments: Any, hung: list[str] = hung) -> None:
                hung.append("here")

            scripted.script[method] = hang
            bench = self.bench(scripted)
            self.assertEqual(hung, ["here"], method)
            stopped = bench.broker.stopService()
            scripted.advance(3)
            self.successResultOf(stopped)
            self.assertFalse(scripted.now.open, method)
            self.assertEqual(scripted.clock.getDelayedCalls(), [], method)
