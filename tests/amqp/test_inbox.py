"""What bots send: taken whole, acknowledged whatever happens, and the queue looked after."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import formatEvent, globalLogPublisher

from rateway.amqp.client import Client
from rateway.amqp.codec import encode_content_header
from rateway.amqp.fieldtable import Timestamp
from rateway.amqp.frames import HEADER, body_frames, frame
from rateway.amqp.inbox import Delivery
from rateway.amqp.receiver import MAX_BODY
from rateway.errors import RequestRefused

from .bench import Bench, BenchTestCase
from .scripted import Connection, ScriptedBroker


def declared(bench: Bench, connection: int = -1) -> list[tuple[bool, bool, dict[str, Any]]]:
    """How the queue was declared on a connection: passive, durable, arguments."""
    return [
        (arguments["passive"], arguments["durable"], arguments["arguments"])
        for name, arguments in bench.scripted.connections[connection].calls
        if name == "queue.declare"
    ]


class TopologyTests(BenchTestCase):
    """What is declared on the broker."""

    def test_contract(self) -> None:
        """Exchange and queue have the names and flags that bots declare them with."""
        bench = self.bench(start=False)
        ready = bench.broker.when_ready()
        self.assertNoResult(ready)
        bench.start()
        self.successResultOf(ready)
        self.successResultOf(bench.broker.when_ready())
        calls = bench.scripted.now.calls
        exchange = next(arguments for name, arguments in calls if name == "exchange.declare")
        self.assertEqual((exchange["exchange"], exchange["type"], exchange["durable"]), ("rateway-1", "direct", True))
        self.assertEqual((exchange["auto-delete"], exchange["internal"], exchange["arguments"]), (False, False, {}))
        queue = next(arguments for name, arguments in calls if name == "queue.declare")
        self.assertEqual(queue["queue"], "rateway-incoming-1")
        self.assertFalse(queue["durable"] or queue["exclusive"] or queue["auto-delete"] or queue["arguments"])
        bound = [(arguments["exchange"], arguments["routing-key"]) for name, arguments in calls if name == "queue.bind"]
        self.assertEqual(bound, [("rateway-1", "cache"), ("rateway-1", "gateway")])
        consume = next(arguments for name, arguments in calls if name == "basic.consume")
        self.assertTrue(consume["exclusive"] and not consume["no-ack"])

    def test_before_events(self) -> None:
        """What was held while the broker was away goes out once the queue is bound: who gets it may ask at once."""
        bench = self.bench()
        bench.scripted.now.break_off()
        bench.publish(1, 1)
        bench.scripted.advance(5)
        names = [name for name, _ in bench.scripted.now.calls]
        self.assertIn("basic.publish", names)
        self.assertEqual(names[: names.index("basic.publish")].count("queue.bind"), 2)

    def test_transient_refused(self) -> None:
        """A broker that closes the connection over a transient queue gets a durable one that expires."""
        scripted = ScriptedBroker()

        def refuse(connection: Connection, channel: int, arguments: Any) -> None:
            if arguments["durable"] or arguments["passive"]:
                connection.answer(channel, "queue.declare", arguments)
            else:
                text = "INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated."
                connection.send(0, "connection", "close", 541, text, 50, 10)

        scripted.script["queue.declare"] = refuse
        bench = self.bench(scripted)
        self.successResultOf(bench.broker.when_ready())
        self.assertEqual(len(scripted.connections), 2)
        self.assertEqual(declared(bench, 0), [(False, False, {})])
        ((passive, durable, arguments),) = declared(bench)
        self.assertEqual((passive, durable), (False, True))
        self.assertGreater(arguments["x-expires"], 3_600_000)
        scripted.now.break_off()
        scripted.advance(5)
        self.assertEqual([each[1] for each in declared(bench)], [True])

    def test_declared_otherwise(self) -> None:
        """A queue somebody declared with other flags is used as it is."""
        scripted = ScriptedBroker()

        def refuse(connection: Connection, channel: int, arguments: Any) -> None:
            if arguments["passive"]:
                connection.answer(channel, "queue.declare", arguments)
            else:
                text = "PRECONDITION_FAILED - inequivalent arg 'durable'"
                connection.send(channel, "channel", "close", 406, text, 50, 10)

        scripted.script["queue.declare"] = refuse
        bench = self.bench(scripted)
        self.successResultOf(bench.broker.when_ready())
        self.assertEqual([each[0] for each in declared(bench)], [False, True])
        self.assertEqual(len(scripted.connections), 1)

    def test_exchange_otherwise(self) -> None:
        """An exchange with other properties ends the start with a sentence that names it."""
        scripted = ScriptedBroker()
        scripted.script["exchange.declare"] = scripted.refuse(406, "PRECONDITION_FAILED - inequivalent arg 'type'")
        bench = self.bench(scripted)
        (error,) = bench.recorder.fatal.errors
        self.assertIn("rateway-1", str(error))
        self.assertNoResult(bench.broker.when_ready())

    def test_not_permitted(self) -> None:
        """A user who may not declare is told which permission is missing."""
        for method in ("exchange.declare", "queue.declare", "queue.bind"):
            scripted = ScriptedBroker()
            scripted.script[method] = scripted.refuse(403, "ACCESS_REFUSED - access to queue 'x' refused for user 'u'")
            bench = self.bench(scripted)
            (error,) = bench.recorder.fatal.errors
            self.assertIn("permission on rateway-", str(error))

    def test_may_not_configure(self) -> None:
        """What exists already needs no permission to configure."""
        scripted = ScriptedBroker()
        for method in ("exchange.declare", "queue.declare"):

            def refuse(connection: Connection, channel: int, arguments: Any, method: str = method) -> None:
                if arguments["passive"]:
                    connection.answer(channel, method, arguments)
                else:
                    connection.send(channel, "channel", "close", 403, "ACCESS_REFUSED", 50, 10)

            scripted.script[method] = refuse
        bench = self.bench(scripted)
        self.successResultOf(bench.broker.when_ready())

    def test_exclusive_of_others(self) -> None:
        """A queue that belongs to another connection alone is named."""
        scripted = ScriptedBroker()
        scripted.script["queue.declare"] = scripted.refuse(405, "RESOURCE_LOCKED - cannot obtain exclusive access")
        bench = self.bench(scripted)
        (error,) = bench.recorder.fatal.errors
        self.assertIn("rateway-incoming-1", str(error))

    def test_consumed_by_others(self) -> None:
        """A queue that another rateway consumes is waited for, for two heartbeats; then it is said who has it."""
        scripted = ScriptedBroker(heartbeat=10)
        scripted.script["basic.consume"] = scripted.refuse(403, "ACCESS_REFUSED - queue in exclusive use")
        bench = self.bench(scripted)
        scripted.advance(19)
        self.assertEqual(bench.recorder.fatal.errors, [])
        scripted.advance(5)
        (error,) = bench.recorder.fatal.errors
        self.assertIn("rateway-incoming-1", str(error))
        self.assertIn("another rateway", str(error))
        self.assertNoResult(bench.broker.when_ready())
        # Nor are sessions gone on with: whoever has the queue may have them too.
        self.assertNoResult(bench.broker.when_tried())

    def test_consumed_by_others_in_the_second_life(self) -> None:
        """Who comes after a process of ours that died waits for as long as it takes; its sessions go on."""
        scripted = ScriptedBroker(heartbeat=10)
        scripted.script["basic.consume"] = scripted.refuse(403, "ACCESS_REFUSED - queue in exclusive use")
        bench = self.bench(scripted, known=True)
        self.successResultOf(bench.broker.when_tried())
        scripted.advance(60)
        self.assertEqual(bench.recorder.fatal.errors, [])
        self.assertNoResult(bench.broker.when_ready())
        del scripted.script["basic.consume"]
        scripted.advance(3)
        self.successResultOf(bench.broker.when_ready())

    def test_consumed_for_a_while(self) -> None:
        """An old connection of our own that the broker still believes in is outlasted."""
        scripted = ScriptedBroker(heartbeat=10)
        scripted.script["basic.consume"] = scripted.refuse(403, "ACCESS_REFUSED - queue in exclusive use")
        bench = self.bench(scripted)
        scripted.advance(8)
        del scripted.script["basic.consume"]
        scripted.advance(3)
        self.successResultOf(bench.broker.when_ready())
        self.assertLess(len(scripted.now.client.channels), 6)

    def test_consumed_later(self) -> None:
        """If somebody takes the queue while rateway runs, events flow on and the queue is waited for."""
        scripted = ScriptedBroker(heartbeat=10)
        bench = self.bench(scripted)
        scripted.script["basic.consume"] = scripted.refuse(403, "ACCESS_REFUSED - queue in exclusive use")
        scripted.now.break_off()
        scripted.advance(60)
        self.assertEqual(bench.recorder.fatal.errors, [])
        bench.publish(1, 1)
        scripted.pump()
        self.assertEqual(bench.broker.held_events, 0)

    def test_deleted(self) -> None:
        """A queue that is deleted is declared and consumed again, on the same connection."""
        bench = self.bench()
        connection = bench.scripted.now
        connection.deliver(b"before")
        connection.send(connection.consumer or 0, "basic", "cancel", "rateway-1", True)
        bench.scripted.pump()
        connection.deliver(b"after")
        bench.scripted.pump()
        self.assertEqual([each.body for each in bench.recorder.deliveries], [b"before", b"after"])
        self.assertEqual(len(bench.scripted.connections), 1)
        self.assertEqual(len(declared(bench)), 2)
        self.assertEqual([tag for _, tag, _ in connection.acknowledged], [1, 2])

    def test_gone_before_consumed(self) -> None:
        """A queue that is deleted between declaring and consuming it is declared again."""
        scripted = ScriptedBroker()

        def gone(connection: Connection, channel: int, arguments: Any) -> None:
            del scripted.script["basic.consume"]
            connection.send(channel, "channel", "close", 404, "NOT_FOUND - no queue", 60, 20)

        scripted.script["basic.consume"] = gone
        bench = self.bench(scripted)
        self.successResultOf(bench.broker.when_ready())
        self.assertEqual(len(declared(bench)), 2)
        self.assertEqual(len(scripted.connections), 1)

    def test_its_node_is_away(self) -> None:
        """A queue that can't be declared for now keeps no events back; it is tried again, connection by connection."""
        bench = self.bench()
        scripted = bench.scripted
        scripted.script["queue.declare"] = scripted.script["basic.consume"] = scripted.refuse(
            404, "NOT_FOUND - home node 'rabbit@b' of durable queue is down or inaccessible"
        )
        scripted.now.break_off()
        bench.publish(1, 1)
        scripted.advance(6)
        self.assertEqual(bench.broker.held_events, 0)
        scripted.script.clear()
        scripted.advance(30)
        scripted.now.deliver(b"again")
        scripted.pump()
        self.assertEqual([each.body for each in bench.recorder.deliveries], [b"again"])
        self.assertEqual(bench.recorder.fatal.errors, [])

    def test_may_not_read(self) -> None:
        """A user who may not consume the queue is told so at once, and not taken for a second rateway."""
        scripted = ScriptedBroker()
        scripted.script["basic.consume"] = scripted.refuse(403, "ACCESS_REFUSED - read access refused for user 'u'")
        bench = self.bench(scripted)
        (error,) = bench.recorder.fatal.errors
        self.assertIn("read permission", str(error))

    def test_lost_while_consuming(self) -> None:
        """A connection that the broker closes instead of answering is made anew."""
        scripted = ScriptedBroker()
        scripted.script["basic.consume"] = scripted.close(541, "INTERNAL_ERROR")
        bench = self.bench(scripted)
        scripted.script.clear()
        scripted.advance(5)
        self.successResultOf(bench.broker.when_ready())
        self.assertEqual(bench.recorder.fatal.errors, [])

    def test_bug(self) -> None:
        """A fault of our own while the inbox is opened is logged, and tried again."""
        bench = self.bench(start=False)
        set_up = bench.broker._connector._set_up
        faults = [ZeroDivisionError()]

        async def once(client: Client) -> None:
            if faults:
                raise faults.pop()
            await set_up(client)

        bench.broker._connector._set_up = once
        bench.start()
        bench.scripted.advance(3)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.successResultOf(bench.broker.when_ready())

    def test_bug_in_listener(self) -> None:
        """So is one of whoever waits to hear that all is ready."""
        bench = self.bench(start=False)
        bench.broker._inbox._ready = lambda: 1 / 0  # type: ignore[assignment]
        bench.start()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        bench.scripted.advance(5)
        bench.publish(1, 1)
        bench.scripted.pump()
        self.assertEqual(bench.broker.held_events, 0)


class DeliveryTests(BenchTestCase):
    """Messages."""

    def test_whole(self) -> None:
        """Everything a bot may have set arrives; a correlation id as the bytes it was."""
        bench = self.bench()
        bench.scripted.now.deliver(
            b'{"op":3}',
            "gateway",
            headers={"shard_id": 7, "when": Timestamp(5)},
            reply_to="answers",
            correlation_id=b"\xff1",
            timestamp=1_700_000_000,
            message_id="m",
            content_type="application/json",
            expiration="1000",
        )
        bench.scripted.pump()
        self.assertEqual(
            bench.recorder.deliveries,
            [
                Delivery(
                    routing_key="gateway",
                    body=b'{"op":3}',
                    headers={"shard_id": 7, "when": Timestamp(5)},
                    reply_to="answers",
                    correlation_id=b"\xff1",
                    timestamp=1_700_000_000,
                    message_id="m",
                    content_type="application/json",
                    expiration="1000",
                )
            ],
        )

    def test_bare(self) -> None:
        """A message without any property is a message."""
        bench = self.bench()
        bench.scripted.now.deliver(b"", "cache")
        bench.scripted.pump()
        self.assertEqual(bench.recorder.deliveries, [Delivery(routing_key="cache", body=b"")])

    def test_bodies(self) -> None:
        """Bodies stay the bytes they are: not UTF-8, over many frames, or over a megabyte."""
        bench = self.bench()
        bodies = ["é".encode() * 5000, bytes(range(256)) * 64, b"m" * (1 << 20)]
        for body in bodies:
            bench.scripted.now.deliver(body)
        bench.scripted.pump()
        self.assertEqual([each.body for each in bench.recorder.deliveries], bodies)

    def test_acknowledged_together(self) -> None:
        """One acknowledgement stands for all messages of a read."""
        bench = self.bench()
        for _ in range(10):
            bench.scripted.now.deliver(b"{}")
        bench.scripted.pump()
        self.assertEqual([(tag, multiple) for _, tag, multiple in bench.scripted.now.acknowledged], [(10, True)])

    def test_handler_raises(self) -> None:
        """A handler that fails is logged; the message is acknowledged, and the next one handled."""
        bench = self.bench()

        def fail(delivery: Delivery) -> None:
            if delivery.body == b"bad":
                raise RuntimeError("a bug")

        bench.recorder.handler = fail
        bench.scripted.now.deliver(b"bad")
        bench.scripted.now.deliver(b"good")
        bench.scripted.pump()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual([each.body for each in bench.recorder.deliveries], [b"bad", b"good"])
        self.assertEqual([tag for _, tag, _ in bench.scripted.now.acknowledged], [2])
        self.assertEqual(len(bench.scripted.connections), 1)

    def test_returned(self) -> None:
        """A message of our own that the broker returns is no request."""
        bench = self.bench()
        connection = bench.scripted.now
        connection.send(2, "basic", "return", 312, "NO_ROUTE", "", "k")
        connection.send_raw(frame(HEADER, 2, encode_content_header(3, {})) + b"".join(body_frames(2, b"abc", 4096)))
        bench.scripted.pump()
        self.assertEqual((bench.recorder.deliveries, connection.acknowledged), ([], []))
        self.assertTrue(bench.broker.connected)

    def test_too_long(self) -> None:
        """A body of absurd length is dropped and acknowledged, but who sent it can be told; what follows is handled."""
        bench = self.bench()
        bench.scripted.now.deliver(b"x" * (MAX_BODY + 1), frame_max=131_072, reply_to="q", correlation_id=b"7")
        bench.scripted.now.deliver(b"next")
        bench.scripted.pump()
        long, following = bench.recorder.deliveries
        self.assertEqual((long.reply_to, long.correlation_id, long.body), ("q", b"7", b""))
        self.assertIn(f"{MAX_BODY + 1} bytes", str(self.assertRaises(RequestRefused, long.whole_body)))
        self.assertEqual(following.whole_body(), b"next")
        self.assertEqual([tag for _, tag, _ in bench.scripted.now.acknowledged], [2])

    @settings(deadline=None, database=None, max_examples=60)
    @given(st.lists(st.binary(min_size=2, max_size=60), min_size=1, max_size=4))
    def test_odd_properties(self, tails: list[bytes]) -> None:
        """Properties of any bytes harm nothing but their own message."""
        bench = self.bench()
        for tail in tails:
            header = encode_content_header(3, {})[:12] + tail
            bench.scripted.now.deliver(b"odd", header=header)
        bench.scripted.now.deliver(b"fine", headers={"shard_id": 1})
        bench.scripted.pump()
        self.assertEqual(bench.recorder.deliveries[-1].body, b"fine")
        self.assertEqual([tag for _, tag, _ in bench.scripted.now.acknowledged], [len(tails) + 1])
        self.assertEqual(len(bench.scripted.connections), 1)
        self.stop(bench)

    def test_stop(self) -> None:
        """After the inbox is stopped nothing is taken; what came before is handled and acknowledged."""
        bench = self.bench()
        connection = bench.scripted.now
        connection.deliver(b"before")
        stopped = bench.broker.stop_inbox(2.0)
        self.assertNoResult(stopped)
        bench.scripted.pump()
        self.assertTrue(self.successResultOf(stopped))
        self.assertEqual([each.body for each in bench.recorder.deliveries], [b"before"])
        self.assertEqual([tag for _, tag, _ in connection.acknowledged], [1])
        connection.break_off()
        bench.scripted.advance(5)
        self.assertNotIn("basic.consume", [name for name, _ in bench.scripted.now.calls])

    def test_stop_without_answer(self) -> None:
        """A broker that doesn't answer holds up a stop for two seconds, not more; that it hangs is told."""
        bench = self.bench()
        bench.scripted.script["basic.cancel"] = lambda *_: None
        stopped = bench.broker.stop_inbox(2.0)
        bench.scripted.advance(1.5)
        self.assertNoResult(stopped)
        bench.scripted.advance(1)
        self.assertFalse(self.successResultOf(stopped))

    def test_stop_while_away(self) -> None:
        """A broker that is away holds up nothing."""
        bench = self.bench()
        bench.scripted.go_away()
        self.assertTrue(self.successResultOf(bench.broker.stop_inbox(2.0)))


class AnswerTests(BenchTestCase):
    """Answers to bots."""

    def test_answer(self) -> None:
        """An answer bears what the bot needs to know it by, on a channel of its own, unconfirmed."""
        bench = self.bench()
        bench.broker.answer("", "replies", b'{"status":"sent"}', correlation_id=b"\xff1")
        bench.broker.answer("rateway-1", "k", b"", correlation_id=None, headers={"error": "é"})
        first, second = bench.scripted.now.published
        self.assertEqual((first.exchange, first.routing_key, first.body), ("", "replies", b'{"status":"sent"}'))
        self.assertEqual(first.properties["correlation_id"], b"\xff1".decode(errors="surrogateescape"))
        self.assertEqual(first.properties["content_type"], "application/json")
        self.assertEqual((second.properties["headers"], second.body), ({"error": "é"}, b""))
        self.assertEqual((first.tag, second.tag), (0, 0))

    def test_impossible(self) -> None:
        """An answer AMQP can't carry is dropped, and the next one sent."""
        bench = self.bench()
        bench.broker.answer("", "x" * 256, b"lost")
        bench.broker.answer("", "k", b"lost", headers={"o": object()})
        bench.broker.answer("", "y", b"sent")
        self.assertEqual([each.body for each in bench.scripted.now.published], [b"sent"])

    def test_while_away(self) -> None:
        """An answer while the broker is away is dropped: who asked is gone as well."""
        bench = self.bench()
        bench.scripted.go_away()
        bench.broker.answer("", "k", b"lost")
        bench.scripted.come_back()
        bench.scripted.advance(5)
        self.assertEqual(bench.scripted.now.published, [])

    def test_slow_broker(self) -> None:
        """Answers wait for a full transport, in front of events, but not without bound."""
        bench = self.bench()
        connection = bench.scripted.now
        connection.producer.pauseProducing()
        bench.publish(1, 1)
        for _ in range(40):
            bench.broker.answer("", "k", b"a" * (1 << 20))
        connection.producer.resumeProducing()
        kinds = [each.tag for each in connection.published]
        self.assertEqual(kinds[-1], 1)
        self.assertIn(len(kinds) - 1, range(16, 19))
        self.assertLess(max(map(len, connection.writes)), 2 << 20)

    def test_still_slow(self) -> None:
        """A transport that takes a little gets a little, and its room is what others may have."""
        bench = self.bench()
        connection = bench.scripted.now
        connection.producer.pauseProducing()
        for _ in range(10):
            bench.broker.answer("", "k", b"a" * (1 << 20))
        write = Connection.write

        def full(connection: Connection, data: bytes) -> None:
            write(connection, data)
            connection.producer.pauseProducing()

        self.patch(Connection, "write", full)
        connection.producer.resumeProducing()
        self.assertEqual(len(connection.published), 1)
        for _ in range(9):
            connection.producer.resumeProducing()
        self.assertEqual(len(connection.published), 10)

    def refuse(self, bench: Bench, key: str = "secret") -> None:
        """An answer that the broker refuses, as RabbitMQ does it: it closes the channel, and reads no more of it."""

        def publish(connection: Connection, channel: int, arguments: Any) -> None:
            connection.answer(channel, "basic.publish", arguments)
            if arguments["routing-key"] == key:
                connection.send(channel, "channel", "close", 403, f"ACCESS_REFUSED - write access to {key!r}", 60, 40)

        bench.scripted.script["basic.publish"] = publish
        bench.broker.answer("", key, b"refused")
        bench.scripted.pump()

    def test_refused(self) -> None:
        """It costs the channel, not the connection: events go on, and so do answers, those given meanwhile too."""
        bench = self.bench(ScriptedBroker(confirms=False))
        bench.publish(1, 3)
        opened: list[Any] = []
        bench.scripted.script["channel.open"] = lambda connection, channel, arguments: opened.append(connection)
        self.refuse(bench)
        bench.broker.answer("", "k", b"while there is no channel")
        self.assertEqual(len(opened), 1)
        self.assertEqual(bench.scripted.now.published[-1].body, b"refused")
        del bench.scripted.script["channel.open"]
        bench.scripted.now.send(2, "channel", "open-ok", b"")
        bench.scripted.pump()
        bench.broker.answer("", "k", b"afterwards")
        self.assertEqual(
            [each.body for each in bench.scripted.now.published[-2:]], [b"while there is no channel", b"afterwards"]
        )
        bench.publish(4, 1)
        self.assertEqual((bench.sequences(), len(bench.scripted.connections)), ([1, 2, 3, 4], 1))

    def test_refused_again_and_again(self) -> None:
        """One warning a minute, with the remedy."""
        warnings: list[str] = []

        def observe(event: Any) -> None:
            if event["log_level"].name == "warn":
                warnings.append(formatEvent(event))

        globalLogPublisher.addObserver(observe)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, observe)  # type: ignore[arg-type]
        bench = self.bench()
        for _ in range(90):
            self.refuse(bench)
            bench.scripted.advance(1)
        self.assertEqual(len(warnings), 2)
        self.assertIn("grant rateway's user write permission on amq.default", warnings[0])
        self.assertEqual(len(bench.scripted.connections), 1)

    def test_not_opened_again(self) -> None:
        """A broker that doesn't open the channel again is connected to anew."""
        bench = self.bench()
        bench.scripted.script["channel.open"] = bench.scripted.close(504, "CHANNEL_ERROR")
        self.refuse(bench)
        del bench.scripted.script["channel.open"]
        bench.scripted.advance(5)
        self.assertEqual(len(bench.scripted.connections), 2)
        bench.broker.answer("", "k", b"afterwards")
        self.assertEqual(bench.scripted.now.published[-1].body, b"afterwards")
