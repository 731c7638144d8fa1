"""What only a real broker shows: its restarts, its permissions, its opinion of our flags, and TLS."""

from __future__ import annotations

import re
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from attrs import evolve
from pika import BasicProperties
from twisted.internet.endpoints import SSL4ServerEndpoint
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.protocols.portforward import ProxyFactory
from twisted.trial.unittest import TestCase

from rateway.amqp import outages
from rateway.amqp.answers import CHANNEL
from rateway.amqp.broker import ClusterBroker
from rateway.amqp.channel import Refused
from rateway.amqp.frames import HEADER, body_frames, frame, publish_method
from rateway.amqp.uri import BrokerAddress, parse_uri
from rateway.errors import Unavailable
from rateway.spool.spool import Spool
from tests.support.broker import PrivateBroker, fresh_vhost, vhost_of
from tests.support.certificates import Certificates, Pair, make_certificates, server_context

from .cluster import Recorder, events
from .rabbit import RabbitWorld, connect


class RabbitTestCase(TestCase):
    """Tests with a vhost of their own."""

    timeout = 90

    async def world(self) -> RabbitWorld:
        return await RabbitWorld.make(self, vhost_of(await fresh_vhost(self)))

    def broker(self, world: RabbitWorld, recorder: Recorder, **options: Any) -> ClusterBroker:
        """A cluster's broker, started; it is stopped at the end of the test."""
        broker = recorder.broker(world.reactor, options.pop("address", world.address), **options)
        self.addCleanup(broker.stopService)
        broker.startService()
        return broker

    async def ready(self, world: RabbitWorld, **options: Any) -> tuple[Recorder, ClusterBroker]:
        recorder = Recorder()
        broker = self.broker(world, recorder, **options)
        await broker.when_ready()
        return recorder, broker

    async def fatal(self, world: RabbitWorld, **options: Any) -> str:
        """The sentence the start ends with."""
        recorder = Recorder()
        self.broker(world, recorder, **options)
        await world.until(lambda: bool(recorder.fatal.errors), "a fatal end")
        (error,) = recorder.fatal.errors
        return str(error)


class TopologyTests(RabbitTestCase):
    """What stands on the broker."""

    async def test_flags(self) -> None:
        """Exchange, queue, bindings and consumer are as the contract says, and a bot can declare them again."""
        world = await self.world()
        await self.ready(world)
        exchange = await world.vhost.exchange("rateway-1")
        queue = await world.vhost.queue("rateway-incoming-1")
        assert exchange is not None and queue is not None
        self.assertEqual((exchange["type"], exchange["durable"]), ("direct", True))
        self.assertEqual((exchange["auto_delete"], exchange["internal"], exchange["arguments"]), (False, False, {}))
        self.assertFalse(queue["durable"] or queue["exclusive"] or queue["auto_delete"] or queue["arguments"])
        self.assertEqual(
            await world.vhost.bindings("rateway-1"),
            {("rateway-incoming-1", "cache"), ("rateway-incoming-1", "gateway")},
        )
        channel = await (await connect(self, world.vhost.uri)).channel()
        await channel.exchange_declare("rateway-1", "direct", durable=True)
        await channel.queue_declare("rateway-incoming-1", durable=False)

    async def test_durable_queue(self) -> None:
        """A queue that a bot declared durable is used as it is."""
        world = await self.world()
        channel = await (await connect(self, world.vhost.uri)).channel()
        await channel.queue_declare("rateway-incoming-1", durable=True)
        recorder, _ = await self.ready(world)
        await world.send("gateway", b"{}")
        await world.until(lambda: len(recorder.deliveries) == 1, "a request")

    async def test_other_exchange(self) -> None:
        """An exchange of another type ends the start with a sentence."""
        world = await self.world()
        channel = await (await connect(self, world.vhost.uri)).channel()
        await channel.exchange_declare("rateway-1", "topic", durable=True)
        self.assertIn("exchange rateway-1 exists with other properties", await self.fatal(world))

    async def test_permissions(self) -> None:
        """A user without permissions is told what to grant; one who may not configure uses what there is."""
        world = await self.world()
        name = f"user-{world.vhost.name}"
        await world.call("PUT", "users", name, body={"password": "p@ss/w:rd", "tags": ""})
        self.addCleanup(world.call, "DELETE", "users", name)
        address = evolve(world.address, user=name, password="p@ss/w:rd")
        self.assertIn(repr(world.vhost.name), await self.fatal(world, address=address))
        for grants in ({"configure": "", "write": ".*", "read": ".*"}, {"configure": ".*", "write": "", "read": ".*"}):
            await world.call("PUT", "permissions", world.vhost.name, name, body=grants)
            self.assertIn("permission on rateway-", await self.fatal(world, address=address))
        await self.ready(world)
        await world.call(
            "PUT", "permissions", world.vhost.name, name, body={"configure": "", "write": ".*", "read": ".*"}
        )

    async def test_answers_without_permission(self) -> None:
        """Without write permission on the default exchange answers to reply_to are lost, and nothing else."""
        world = await self.world()
        name = f"user-{world.vhost.name}"
        await world.call("PUT", "users", name, body={"password": "x", "tags": ""})
        self.addCleanup(world.call, "DELETE", "users", name)
        await world.call(
            "PUT", "permissions", world.vhost.name, name, body={"configure": ".*", "write": "^rateway-.*", "read": ".*"}
        )
        recorder, broker = await self.ready(world, address=evolve(world.address, user=name, password="x"))
        client = broker._client
        assert client is not None
        mend, closes = client.on_channel_closed[CHANNEL], list[Refused]()

        def closed(error: Refused) -> None:
            closes.append(error)
            mend(error)

        client.on_channel_closed[CHANNEL] = closed
        channel = await (await connect(self, world.vhost.uri)).channel()
        await channel.queue_declare("taken")
        await channel.queue_bind("taken", "rateway-1", "k")
        for number in range(1, 6):
            broker.answer("", "taken", b"refused")
            broker.publish(0, "s", events(number, 1), 0)
            broker.flush()
            await world.until(partial(lambda count: len(closes) == count, number), "the channel to be closed")
            broker.answer("rateway-1", "k", b"%d" % number)
        await world.until(lambda: recorder.cursor.get(0) == ("s", 5), "every event confirmed")
        self.assertIs(broker._client, client)
        taken: list[bytes] = []
        while len(taken) < 5:
            message = await channel.basic_get("taken", auto_ack=True)
            if message is None:
                await world.pause(0.05)
            else:
                taken.append(message[-1])
        self.assertEqual(taken, [b"1", b"2", b"3", b"4", b"5"])
        self.assertEqual({error.code for error in closes}, {403})

    async def test_permissions_taken_away_for_a_while(self) -> None:
        """While it runs: it says what is missing, holds events, and goes on when they are granted again."""
        # The loss comes before the refusal, on a busy machine long before: let both be told.
        self.patch(outages, "SAY_EVERY", 0.0)
        world = await self.world()
        name = f"user-{world.vhost.name}"
        all_of_them = {"configure": ".*", "write": ".*", "read": ".*"}
        await world.call("PUT", "users", name, body={"password": "x", "tags": ""})
        self.addCleanup(world.call, "DELETE", "users", name)
        await world.call("PUT", "permissions", world.vhost.name, name, body=all_of_them)
        recorder, broker = await self.ready(world, address=evolve(world.address, user=name, password="x"))
        warnings: list[str] = []

        def observe(event: Any) -> None:
            if event["log_level"] is LogLevel.warn:
                warnings.append(formatEvent(event) or "")

        globalLogPublisher.addObserver(observe)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, observe)  # type: ignore[arg-type]
        await world.call("PUT", "permissions", world.vhost.name, name, body=dict.fromkeys(all_of_them, ""))
        client = broker._client
        assert client is not None
        client.fail(Unavailable("cut by the test"))
        wanted = re.compile(
            r"no connection to the broker .*grant rateway's user .*; rateway ends in [0-9]+ s if that st"
        )
        await world.until(lambda: any(map(wanted.search, warnings)), "the warning")
        broker.publish(0, "s", events(1, 3), 0)
        broker.flush()
        await world.call("PUT", "permissions", world.vhost.name, name, body=all_of_them)
        await world.until(lambda: recorder.cursor.get(0) == ("s", 3), "the events held meanwhile")
        await world.send("gateway", b"{}")
        await world.until(lambda: len(recorder.deliveries) == 1, "a request")
        self.assertEqual(recorder.fatal.errors, [])

    async def test_two_of_a_kind(self) -> None:
        """A second rateway for the same cluster never gets ready, takes no request, and says why it ends."""
        world = await self.world()
        first, _ = await self.ready(world)
        text = await self.fatal(world, address=evolve(world.address, heartbeat=2))
        self.assertIn("another rateway", text)
        self.assertIn("rateway-incoming-1", text)
        for _ in range(4):
            await world.send("gateway", b"{}")
        await world.until(lambda: len(first.deliveries) == 4, "all requests at the first")

    async def test_handed_over(self) -> None:
        """The second gets ready once the first has gone."""
        world = await self.world()
        _, first = await self.ready(world)
        recorder = Recorder()
        second = self.broker(world, recorder)
        await world.pause(1)
        self.assertFalse(second._is_ready)
        await first.stopService()
        await second.when_ready()

    async def test_refusing_queue(self) -> None:
        """Events that a full queue refuses are held and tried again until it takes them, while others are confirmed."""
        world = await self.world()
        recorder, broker = await self.ready(world, refused=Spool.open(Path(self.mktemp()), 1024 * 1024))
        connection = await connect(self, world.vhost.uri)
        channel = await connection.channel()
        limits = {"x-max-length": 2, "x-overflow": "reject-publish"}
        await channel.queue_declare("full", arguments=limits)
        await channel.queue_bind("full", "rateway-1", "MESSAGE_CREATE")
        broker.publish(0, "s", events(1, 5), 0)
        broker.publish(1, "t", events(1, 3, name="TYPING_START"), 0)
        broker.flush()
        await world.until(lambda: recorder.cursor.get(1) == ("t", 3), "the other events")
        await world.until(lambda: broker.held_events == 3, "the events the queue has room for")
        taken: list[bytes] = []
        while broker.held_events or len(taken) < 5:
            message = await channel.basic_get("full", auto_ack=True)
            if message is None:
                await world.pause(0.1)
            else:
                taken.append(message[-1])
        self.assertEqual(sorted(taken), [each[2] for each in events(1, 5)])
        self.assertEqual(recorder.cursor[0], ("s", 5))


class DamagedTests(RabbitTestCase):
    """Frames no client library would send."""

    async def test_damaged_tables(self) -> None:
        """Header tables that can't be read harm at most who sent them."""
        world = await self.world()
        recorder, broker = await self.ready(world)
        damaged = (
            b"\x20\0" + b"\0\0\0\x64\x01a",
            b"\x20\0" + b"\0\0\0\x04\x01aZZ",
            b"\x20\0" + b"\0\0\0\x07\x01aS\0\0\xff\xff",
            b"\xff\xff" * 3,
            b"\x04\0\xff",
            b"\x20\0" + b"\0\0\0\x0d\x01aA\0\0\0\x06A\0\0\0\xffz",
        )
        for tail in damaged:
            bot = await connect(self, world.vhost.uri)
            channel = await bot.channel()
            number = channel.channel_number
            method = publish_method(number, "rateway-1", "gateway")
            header = frame(HEADER, number, b"\0\x3c\0\0" + (3).to_bytes(8, "big") + tail)
            bot.transport.write(b"".join((method, header, *body_frames(number, b"odd", 4096))))
            await world.pause(0.1)
        await world.send("gateway", b"fine")
        await world.until(
            lambda: recorder.deliveries[-1:] != [] and recorder.deliveries[-1].body == b"fine", "the last"
        )
        self.assertTrue(broker.connected)
        await world.until(lambda: True, "nothing more")


class RestartTests(RabbitTestCase):
    """A broker that dies and comes back."""

    timeout = 180

    async def test_killed(self) -> None:
        """Of a broker that is killed while events flow, every held event arrives after its return, in order."""
        private = PrivateBroker()
        self.addCleanup(private.remove)
        await private.start()
        world = await RabbitWorld.make(self, private.vhost)
        recorder, broker = await self.ready(world)
        bot = await (await connect(self, private.vhost.uri)).channel()
        await bot.queue_declare("lasting", durable=True)
        await bot.queue_bind("lasting", "rateway-1", "MESSAGE_CREATE")
        seq = 0

        def publish(count: int) -> None:
            nonlocal seq
            broker.publish(0, "s", events(seq + 1, count, size=500), 0)
            broker.flush()
            seq += count

        publish(2000)
        await world.until(lambda: broker.held_events < 2000, "some confirms")
        publish(3000)
        await private.kill()
        publish(1000)
        await world.until(lambda: not broker.connected, "the loss of the connection")
        publish(1000)
        before = broker.held_events
        self.assertGreater(before, 1999)
        await private.start()
        publish(10)
        await world.until(lambda: broker.held_events == 0, "the confirms of all events")
        self.assertEqual(recorder.cursor, {0: ("s", seq)})
        again = await RabbitWorld.make(self, private.vhost)
        got: list[int] = []
        channel = await (await connect(self, private.vhost.uri)).channel()
        queue, _ = await channel.basic_consume("lasting", auto_ack=True)
        while len(set(got)) < seq:
            _, _, properties, _ = await queue.get()
            got.append(properties.headers["seq"])
        self.assertEqual(list(dict.fromkeys(got)), list(range(1, seq + 1)))
        await again.send("gateway", b"{}")
        await again.until(lambda: len(recorder.deliveries) == 1, "a request")

    async def test_late(self) -> None:
        """A broker that is not there yet at the start is waited for."""
        private = PrivateBroker()
        self.addCleanup(private.remove)
        await private.start()
        address = parse_uri(private.vhost.uri)
        await private.stop()
        recorder = Recorder()
        from twisted.internet import reactor

        broker = recorder.broker(reactor, address)
        self.addCleanup(broker.stopService)
        broker.startService()
        broker.publish(0, "s", events(1, 10), 0)
        broker.flush()
        await private.start()
        await broker.when_ready()
        self.assertIs(await broker.drained(10), True)
        self.assertEqual(recorder.fatal.errors, [])


class TlsTests(RabbitTestCase):
    """amqps, by way of a server that ends TLS in front of RabbitMQ."""

    certificates: Certificates

    def setUp(self) -> None:
        self.certificates = make_certificates(Path(tempfile.mkdtemp(dir=".")).resolve())
        self.said: list[str] = []

        def observe(event: Any) -> None:
            if event.get("log_namespace", "").startswith("rateway") and event["log_level"] >= LogLevel.warn:
                self.said.append(formatEvent(event))

        globalLogPublisher.addObserver(observe)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, observe)  # type: ignore[arg-type]

    async def address(self, world: RabbitWorld, pair: Pair) -> BrokerAddress:
        """Listen with this certificate, and pass on to RabbitMQ."""
        factory = ProxyFactory(world.address.host, world.address.port)
        factory.noisy = False
        endpoint = SSL4ServerEndpoint(world.reactor, 0, server_context(pair), interface="127.0.0.1")
        port = await endpoint.listen(factory)
        self.addCleanup(port.stopListening)
        return evolve(world.address, host="127.0.0.1", port=port.getHost().port, tls=True)

    async def test_good(self) -> None:
        """With the authority in AMQP_CA, events and requests pass over TLS, large ones too."""
        world = await self.world()
        address = await self.address(world, self.certificates.good)
        recorder, broker = await self.ready(world, address=address, ca_file=self.certificates.authority)
        await world.listen()
        sent = [(1, "MESSAGE_CREATE", b'"' + b"x" * 1_000_000 + b'"'), *events(2, 200)]
        broker.publish(0, "s", sent, 0)
        broker.flush()
        await world.until(lambda: len(world.events()) == 201, "all events")
        self.assertEqual([each.body for each in world.events()], [each[2] for each in sent])
        await world.send("cache", b"y" * 300_000)
        await world.until(lambda: len(recorder.deliveries) == 1, "a request")
        await broker.stopService()

    async def test_refused(self) -> None:
        """A wrong name, an unknown authority and an expired certificate are refused, each with its reason."""
        world = await self.world()
        for pair, word in (
            (self.certificates.wrong_name, "127.0.0.1"),
            (self.certificates.unknown_authority, "authority"),
            (self.certificates.expired, "expired"),
        ):
            self.said.clear()
            address = await self.address(world, pair)
            recorder = Recorder()
            broker = self.broker(world, recorder, address=address, ca_file=self.certificates.authority)
            await world.until(lambda: bool(self.said), "a word")
            self.assertIn(word, self.said[0])
            self.assertNotIn(world.address.password, str(self.said))
            self.assertFalse(broker.connected)
            await broker.stopService()
        found = await world.vhost.connections()
        self.assertEqual([each for each in found if each.get("client_properties", {}).get("product") == "rateway"], [])

    async def test_unknown_without_ca(self) -> None:
        """Without AMQP_CA the system's authorities hold, and don't know this one."""
        world = await self.world()
        broker = self.broker(world, Recorder(), address=await self.address(world, self.certificates.good))
        await world.until(lambda: bool(self.said), "a word")
        self.assertFalse(broker.connected)


class DeliveryModeTests(RabbitTestCase):
    """Old habits of bots."""

    async def test_header_integers(self) -> None:
        """shard_id in every integer type that pika writes arrives as an integer."""
        world = await self.world()
        recorder, _ = await self.ready(world)
        channel = await (await connect(self, world.vhost.uri)).channel()
        for value in (0, 3, 1 << 20, 1 << 40):
            await channel.basic_publish("rateway-1", "gateway", b"{}", BasicProperties(headers={"shard_id": value}))
        await world.until(lambda: len(recorder.deliveries) == 4, "all requests")
        self.assertEqual([each.headers["shard_id"] for each in recorder.deliveries], [0, 3, 1 << 20, 1 << 40])
