"""The broker that other tests lean on."""

from __future__ import annotations

import contextlib

import pika
from pika.exceptions import AMQPError
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from .broker import PrivateBroker, Vhost, fresh_vhost, vhost_of
from .waiting import eventually


def _publish(vhost: Vhost) -> None:
    """A durable queue with one persistent message in it."""
    with contextlib.closing(pika.BlockingConnection(pika.URLParameters(vhost.uri))) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.exchange_declare("events", "direct", durable=True)
        channel.queue_declare("kept", durable=True)
        channel.queue_bind("kept", "events", "MESSAGE_CREATE")
        channel.basic_publish("events", "MESSAGE_CREATE", b"{}", pika.BasicProperties(delivery_mode=2))


class FreshVhostTests(TestCase):
    """Each test has a vhost of its own on the run's broker."""

    async def test_tells_what_is_declared(self) -> None:
        """Exchanges, queues, bindings and depths are read back as a client declared them."""
        vhost = vhost_of(await fresh_vhost(self))
        await deferToThread(_publish, vhost)
        exchange = await vhost.exchange("events")
        assert exchange is not None
        self.assertEqual((exchange["type"], exchange["durable"], exchange["auto_delete"]), ("direct", True, False))
        self.assertEqual(await vhost.exchanges(), {"events"})
        self.assertEqual(await vhost.queues(), {"kept"})
        self.assertEqual(await vhost.bindings("events"), {("kept", "MESSAGE_CREATE")})
        self.assertEqual(await vhost.depth("kept"), 1)
        self.assertIsNone(await vhost.queue("other"))

    async def test_apart(self) -> None:
        """What one vhost holds, another doesn't."""
        one, other = vhost_of(await fresh_vhost(self)), vhost_of(await fresh_vhost(self))
        await deferToThread(_publish, one)
        self.assertEqual(await other.queues(), set())

    async def test_closes_connections(self) -> None:
        """A client whose connection the broker closes finds it closed."""
        vhost = vhost_of(await fresh_vhost(self))
        connection = await deferToThread(pika.BlockingConnection, pika.URLParameters(vhost.uri))
        await eventually(vhost.connections, what="the connection is listed")
        self.assertEqual(await vhost.close_connections(), 1)
        await self.assertFailure(deferToThread(connection.process_data_events, 5), AMQPError)


class PrivateBrokerTests(TestCase):
    """A broker that a test may end as it likes."""

    timeout = 240

    async def test_survives_stop_and_kill(self) -> None:
        """After an orderly stop, and after a SIGKILL, it is back on the same port with its durable messages."""
        broker = PrivateBroker()
        self.addCleanup(broker.remove)
        await broker.start()
        uri = broker.vhost.uri
        await deferToThread(_publish, broker.vhost)
        await broker.restart()
        self.assertEqual(broker.vhost.uri, uri)
        self.assertEqual(await broker.vhost.depth("kept"), 1)
        await broker.kill()
        await self.assertFailure(deferToThread(pika.BlockingConnection, pika.URLParameters(uri)), AMQPError)
        await broker.start()
        self.assertEqual(broker.vhost.uri, uri)
        self.assertEqual(await broker.vhost.depth("kept"), 1)
