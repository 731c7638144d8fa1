"""What publishing costs: CPU time of this process per event of 600 bytes, confirmed, to a real RabbitMQ.

    python -m bench.publish [--amqp URI] [--events 40000]

``n per write``: so many events are published between two turns of the reactor, as when so many come in one turn. For
comparison, txAMQP's own ``basic_publish`` in the same run, without confirms and with them (it has no handler for
them: the one here only counts). Without a URI a private broker is started. Nothing is bound to the exchange, so that
the broker, which shares the machine, has as little to do as can be.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater, react
from txamqp.client import TwistedDelegate
from txamqp.content import Content
from txamqp.protocol import AMQClient
from zope.interface import implementer

from rateway.amqp.broker import ClusterBroker
from rateway.amqp.frames import PROTOCOL_HEADER
from rateway.amqp.spec import load_spec
from rateway.amqp.uri import BrokerAddress, parse_uri
from rateway.errors import FatalError
from rateway.interfaces import IFatalReporter

BODY = b'{"content":"%s"}' % (b"x" * 586)
WINDOW = 20_000
"""Events held at most: a measurement of publishing, not of a pile."""

CLUSTER = 9999
"""The exchange of a cluster nobody has."""


@implementer(IFatalReporter)
class Loud:
    """Ends the measurement."""

    def report_fatal(self, error: FatalError) -> None:
        raise SystemExit(str(error))


async def measured(events: int, work: Callable[[], Awaitable[None]]) -> float:
    """Microseconds of CPU per event."""
    before = time.process_time()
    await work()
    return (time.process_time() - before) / events * 1e6


@define(eq=False)
class Rateway:
    """Publishing as rateway does."""

    reactor: Any
    address: BrokerAddress
    broker: ClusterBroker = field(init=False)
    _seq: int = 0

    def __attrs_post_init__(self) -> None:
        def nothing(told: Mapping[int, tuple[str, int]] | bool | object) -> None:
            """Nobody listens."""

        self.broker = ClusterBroker(
            self.reactor,
            self.address,
            CLUSTER,
            nothing,
            persistent=True,
            ca_file=None,
            fatal=Loud(),
            on_kept=nothing,
            on_room=nothing,
        )

    async def publish(self, events: int, per_write: int) -> None:
        for _ in range(0, events, per_write):
            while self.broker.held_events > WINDOW:
                await deferLater(self.reactor, 0)
            batch = [(self._seq + n, "MESSAGE_CREATE", BODY) for n in range(per_write)]
            self._seq += per_write
            self.broker.publish(0, "0123456789abcdef0123456789abcdef", batch, int(time.time() * 1000))
            self.broker.flush()
            await deferLater(self.reactor, 0)
        assert await self.broker.drained(60)


class CountingDelegate(TwistedDelegate):
    """txAMQP's delegate, and what it lacks for confirms."""

    confirmed = 0

    def basic_ack(self, channel: Any, message: Any) -> None:
        self.confirmed = message.delivery_tag


class StockClient(AMQClient):
    """txAMQP's client, greeting with the version that the description is of."""

    def send_init_string(self) -> None:
        self.transport.write(PROTOCOL_HEADER)


class StockFactory(Factory):
    """txAMQP as it is, with a description of the protocol."""

    noisy = False

    def __init__(self, reactor: Any, vhost: str) -> None:
        self.reactor = reactor
        self.vhost = vhost

    def buildProtocol(self, address: object) -> StockClient:
        return StockClient(CountingDelegate(), vhost=self.vhost, spec=load_spec(), heartbeat=0, clock=self.reactor)


async def stock(reactor: Any, address: BrokerAddress, events: int, *, confirms: bool) -> float:
    """The same by txAMQP's ``basic_publish``."""
    endpoint = HostnameEndpoint(reactor, address.host, address.port)
    client: Any = await endpoint.connect(StockFactory(reactor, address.vhost))
    await client.authenticate(address.user, address.password, "PLAIN")
    channel = await client.channel(1)
    await channel.channel_open()
    if confirms:
        await channel.confirm_select()

    async def work() -> None:
        for number in range(1, events + 1):
            content = Content(BODY.decode())
            content["content-type"] = "application/json"
            content["headers"] = {"shard_id": 0, "seq": number}
            content["delivery-mode"] = 2
            content["message-id"] = f"0:0123456789abcdef0123456789abcdef:{number}"
            content["timestamp"] = int(time.time())
            content["type"] = "MESSAGE_CREATE"
            content["app-id"] = "rateway"
            await channel.basic_publish(exchange=f"rateway-{CLUSTER}", routing_key="MESSAGE_CREATE", content=content)
            if number % 100 == 0:
                await deferLater(reactor, 0)
                while confirms and number - client.delegate.confirmed > WINDOW:
                    await deferLater(reactor, 0)
        while confirms and client.delegate.confirmed < events:
            await deferLater(reactor, 0.001)

    result = await measured(events, work)
    await client.close(within=2)
    return result


async def run(reactor: Any, uri: str, events: int) -> None:
    address = parse_uri(uri)
    ours = Rateway(reactor, address)
    ours.broker.startService()
    await ours.broker.when_ready()
    await ours.publish(2000, 100)
    for per_write in (1000, 100, 10, 1):
        count = events // per_write * per_write if per_write > 1 else events // 4
        cost = await measured(count, lambda count=count, per_write=per_write: ours.publish(count, per_write))  # type: ignore[misc]
        print(f"rateway, confirmed, {per_write:>4} per write: {cost:6.1f} µs per event", flush=True)
    for confirms in (False, True):
        cost = await stock(reactor, address, events // 8, confirms=confirms)
        print(
            f"txAMQP's basic_publish, {'confirmed' if confirms else 'unconfirmed'}: {cost:6.1f} µs per event",
            flush=True,
        )
    await ours.broker.stopService()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--amqp", help="the broker's URI (default: a private one is started)")
    parser.add_argument("--events", type=int, default=40_000)
    options = parser.parse_args()
    if options.amqp:
        work(options.amqp, options.events)
        return
    from tests.support.broker import PrivateBroker

    private = PrivateBroker()
    try:
        private.start_blocking()
        work(private.vhost.uri, options.events)
    finally:
        private.remove_blocking()


def work(uri: str, events: int) -> None:
    """Measure, in a reactor."""
    try:
        react(lambda reactor: Deferred.fromCoroutine(run(reactor, uri, events)))
    except SystemExit as end:
        if end.code:
            raise


if __name__ == "__main__":
    main()
