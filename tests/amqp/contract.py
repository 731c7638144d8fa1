"""What a cluster's broker owes to bots, as one suite: it runs against the scripted broker and against RabbitMQ.

That both pass it is what lets the other tests trust the scripted one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from attrs import evolve, frozen
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.trial.unittest import TestCase

from rateway.amqp.broker import ClusterBroker
from rateway.amqp.inbox import Delivery
from rateway.amqp.uri import BrokerAddress
from rateway.model.dispatch import Dispatch

from .cluster import Recorder, events


@frozen
class Event:
    """A message as a bot gets it: properties that are not set are left out."""

    routing_key: str
    body: bytes
    properties: Mapping[str, Any]


class World(Protocol):
    """A broker, and a bot beside it."""

    address: BrokerAddress

    @property
    def reactor(self) -> Any:
        """What rateway's time and connections come from."""

    @property
    def endpoint(self) -> IStreamClientEndpoint | None:
        """Where rateway connects to, if that isn't what the address says."""

    async def until(self, met: Callable[[], bool], what: str) -> None:
        """Let time pass until the condition holds."""

    async def pause(self, seconds: float) -> None:
        """Let so much time pass."""

    async def listen(self) -> None:
        """Have all events of cluster 1 from now on; the bot declares the exchange as the contract says."""

    def events(self) -> list[Event]:
        """The events the bot got so far."""

    async def send(self, routing_key: str, body: bytes, **properties: Any) -> None:
        """Send a message to the exchange of cluster 1."""

    async def send_raw(self, routing_key: str, header: bytes, body: bytes) -> None:
        """Send one with a content header made by hand."""

    def answers(self) -> list[Event]:
        """What was sent to the bot's queue for answers, ``answers``."""

    async def close_connections(self) -> None:
        """An operator closes rateway's connection."""

    async def delete_queue(self) -> None:
        """Somebody deletes ``rateway-incoming-1``."""

    async def delete_exchange(self) -> None:
        """Somebody deletes ``rateway-1``."""


class ContractTests:
    """The suite: mix it into a ``TestCase`` that makes a world."""

    timeout = 300

    async def make_world(self) -> World:
        raise NotImplementedError

    async def start(self, world: World, **options: Any) -> tuple[Recorder, ClusterBroker]:
        """A cluster's broker that is ready."""
        assert isinstance(self, TestCase)
        recorder = Recorder()
        broker = recorder.broker(world.reactor, world.address, endpoint=world.endpoint, **options)
        self.addCleanup(self._stop, world, broker)
        broker.startService()
        await world.until(lambda: bool(recorder.fatal.errors) or broker._is_ready, "exchange, queue and consumer")
        return recorder, broker

    async def _stop(self, world: World, broker: ClusterBroker) -> None:
        done: list[object] = []
        broker.stopService().addCallback(done.append)
        await world.until(lambda: bool(done), "the end of the connection")

    async def test_events(self) -> None:
        """Events arrive in order, byte for byte, with the properties of the contract."""
        assert isinstance(self, TestCase)
        world = await self.make_world()
        recorder, broker = await self.start(world)
        await world.listen()
        sent: list[Dispatch] = [
            (1, "READY", b'{"v":10}'),
            (2, "MESSAGE_CREATE", b'{"content":"\\u00e9 \xc3\xa9", "n": 1.50}'),
            (3, "SOMETHING_NEW", b"null"),
            (4, "MESSAGE_CREATE", b'"' + "ü".encode() * 500_000 + b'"'),
            (5, "\N{SNOWMAN}" * 200, b"[]"),
            *events(6, 300),
        ]
        for start in range(0, len(sent), 50):
            broker.publish(3, "session", sent[start : start + 50], 1_700_000_000_999)
            broker.flush()
        await world.until(lambda: broker.held_events == 0, "the confirms of all events")
        # Nothing is bound to the name that is cut to 255 bytes.
        wanted = [each for each in sent if each[0] != 5]
        await world.until(lambda: len(world.events()) >= len(wanted), "all events")
        self.assertEqual([(each.routing_key, each.body) for each in world.events()], [each[1:] for each in wanted])
        self.assertEqual(
            dict(world.events()[1].properties),
            {
                "content_type": "application/json",
                "headers": {"shard_id": 3, "seq": 2, "received_at": 1_700_000_000_999},
                "delivery_mode": 2,
                "message_id": "3:session:2",
                "timestamp": 1_700_000_000,
                "type": "MESSAGE_CREATE",
                "app_id": "rateway",
            },
        )
        self.assertEqual(recorder.cursor, {3: ("session", 305)})
        self.assertEqual(broker.held_bytes, 0)

    async def test_transient(self) -> None:
        """AMQP_PERSISTENT=false makes transient messages."""
        assert isinstance(self, TestCase)
        world = await self.make_world()
        _, broker = await self.start(world, persistent=False)
        await world.listen()
        broker.publish(0, "s", events(1, 1), 0)
        broker.flush()
        await world.until(lambda: len(world.events()) == 1, "the event")
        self.assertEqual(world.events()[0].properties["delivery_mode"], 1)

    async def test_requests(self) -> None:
        """Requests arrive whole, and answers reach the bot's queue and the exchange."""
        assert isinstance(self, TestCase)
        world = await self.make_world()
        recorder, broker = await self.start(world)
        await world.listen()
        big = "ö".encode() * 600_000
        await world.send("gateway", b'{"op":3}', headers={"shard_id": 2}, timestamp=1_700_000_000)
        await world.send("cache", big, reply_to="answers", correlation_id="c-1")
        await world.until(lambda: len(recorder.deliveries) == 2, "both requests")
        first, second = recorder.deliveries
        self.assertEqual((first.routing_key, first.body, first.headers), ("gateway", b'{"op":3}', {"shard_id": 2}))
        self.assertEqual((first.timestamp, first.reply_to, first.correlation_id), (1_700_000_000, None, None))
        self.assertEqual((second.routing_key, second.body, second.reply_to), ("cache", big, "answers"))
        assert second.reply_to is not None
        broker.answer("", second.reply_to, big, correlation_id=second.correlation_id, headers={"error": "no"})
        broker.answer("", "answers", b"")
        await world.until(lambda: len(world.answers()) == 2, "both answers")
        self.assertEqual([each.body for each in world.answers()], [big, b""])
        self.assertEqual(world.answers()[0].properties["correlation_id"], "c-1")
        self.assertEqual(world.answers()[0].properties["headers"], {"error": "no"})

    async def test_odd_messages(self) -> None:
        """Messages with odd properties, and handlers that fail, harm nothing; each is taken once."""
        assert isinstance(self, TestCase)
        world = await self.make_world()
        recorder, _ = await self.start(world)

        def fail(delivery: Delivery) -> None:
            if delivery.body == b"fail":
                raise RuntimeError("a bug")

        recorder.handler = fail
        await world.send("gateway", b"fail")
        await world.send(
            "gateway", b"\xff\xfe", headers={"deep": {"a": [1, {"b": None}]}, "x": True}, expiration="60000"
        )
        fields = b"\x01bb\xff\x01BB\xff\x01ss\xff\xff\x01uu\xff\xff\x01ii\xff\xff\xff\xff\x01ll" + b"\xff" * 8
        fields += b"\x01dd" + b"\x3f" * 8 + b"\x01ff" + b"\x3f" * 4 + b"\x01DD\x02\0\0\0\x07\x01TT" + b"\0" * 8
        fields += b"\x01VV\x01xx\0\0\0\x02\xff\xfe\x01SS\0\0\0\x02\xff\xfe\x01AA\0\0\0\x02t\x01\x01FF\0\0\0\0"
        header = b"\0\x3c\0\0\0\0\0\0\0\0\0\x03\x20\0" + len(fields).to_bytes(4, "big") + fields
        await world.send_raw("gateway", header, b"odd")
        await world.send("gateway", b"last")
        await world.until(lambda: len(recorder.deliveries) == 4, "all messages")
        self.assertEqual([each.body for each in recorder.deliveries], [b"fail", b"\xff\xfe", b"odd", b"last"])
        self.assertEqual(recorder.deliveries[1].headers["deep"], {"a": [1, {"b": None}]})
        self.assertEqual(
            {name: recorder.deliveries[2].headers[name] for name in "bBsuil"},
            {"b": -1, "B": 255, "s": -1, "u": 65535, "i": 4294967295, "l": -1},
        )
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    async def test_closed_by_operator(self) -> None:
        """A connection that is closed from outside is made again; what was held arrives, and requests are taken."""
        assert isinstance(self, TestCase)
        world = await self.make_world()
        recorder, broker = await self.start(world)
        await world.listen()
        broker.publish(0, "s", events(1, 50), 0)
        broker.flush()
        await world.close_connections()
        broker.publish(0, "s", events(51, 50), 0)
        broker.flush()
        await world.until(lambda: broker.held_events == 0, "the confirms of all events")
        await world.until(lambda: len({each.body for each in world.events()}) == 100, "all events")
        first = list(dict.fromkeys(each.body for each in world.events()))
        self.assertEqual(first, [each[2] for each in events(1, 100)])
        self.assertEqual(recorder.cursor, {0: ("s", 100)})
        await world.send("gateway", b"{}")
        await world.until(lambda: len(recorder.deliveries) == 1, "a request")

    async def test_queue_deleted(self) -> None:
        """A queue that somebody deletes is there again."""
        world = await self.make_world()
        recorder, _ = await self.start(world)
        await world.delete_queue()
        while not recorder.deliveries:
            await world.send("cache", b"{}")
            await world.pause(0.2)

    async def test_exchange_deleted(self) -> None:
        """An exchange that somebody deletes is there again, and no event is left unconfirmed."""
        assert isinstance(self, TestCase)
        world = await self.make_world()
        recorder, broker = await self.start(world)
        await world.delete_exchange()
        broker.publish(0, "s", events(1, 5), 0)
        broker.flush()
        await world.until(lambda: broker.held_events == 0, "the confirms of all events")
        self.assertEqual(recorder.cursor, {0: ("s", 5)})

    async def test_drained(self) -> None:
        """A stop waits for the confirms of what is held."""
        world = await self.make_world()
        recorder, broker = await self.start(world)
        broker.publish(0, "s", events(1, 500), 0)
        results: list[bool] = []
        broker.drained(10).addCallback(results.append)
        await world.until(lambda: results == [True], "the confirms of all events")
        assert recorder.cursor == {0: ("s", 500)}

    async def test_wrong_password(self) -> None:
        """A refused login is told in one sentence, at once, and not tried again."""
        assert isinstance(self, TestCase)
        world = await self.make_world()
        world.address = evolve(world.address, password="wrong")
        recorder, broker = await self.start(world)
        self.assertEqual(len(recorder.fatal.errors), 1)
        self.assertIn(repr(world.address.user), str(recorder.fatal.errors[0]))
        self.assertNotIn("wrong", str(recorder.fatal.errors[0]))
        self.assertFalse(broker.connected)

    async def test_missing_vhost(self) -> None:
        """So is a vhost that doesn't exist."""
        assert isinstance(self, TestCase)
        world = await self.make_world()
        world.address = evolve(world.address, vhost="nowhere")
        recorder, _ = await self.start(world)
        self.assertEqual(len(recorder.fatal.errors), 1)
        self.assertIn("nowhere", str(recorder.fatal.errors[0]))
