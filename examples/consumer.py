"""Print a bot's events as they arrive.

    AMQP_URI=amqp://... python examples/consumer.py MESSAGE_CREATE INTERACTION_CREATE
    AMQP_URI=amqp://... python examples/consumer.py --clusters 3
    AMQP_URI=amqp://... python examples/consumer.py --cluster 2

Each cluster of shards has an exchange, ``rateway-1``, ``rateway-2``, ...; an event's routing key is Discord's name
of it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError

USUAL_EVENTS = [
    *("READY", "RESUMED", "INTERACTION_CREATE", "PRESENCE_UPDATE", "TYPING_START", "VOICE_STATE_UPDATE"),
    *("GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE", "CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE"),
    *("GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE"),
    *("MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_REACTION_ADD"),
]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Print events as they arrive. AMQP_URI names the broker.")
    parser.add_argument("events", nargs="*", metavar="EVENT", help="names to bind (default: the usual ones)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--cluster", type=number, help="serve this cluster only")
    which.add_argument("--clusters", type=number, default=1, help="serve the clusters 1 to this one (default: 1)")
    parser.add_argument("--width", type=int, default=100, help="print so many characters of each body")
    return parser.parse_args()


def number(text: str) -> int:
    """A cluster's: they are counted from 1."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


async def consume(channel: AbstractChannel, cluster: int, events: list[str], width: int) -> None:
    """Bind a queue of our own to the cluster's exchange, and print what comes."""
    # Flags as rateway declares it: whoever comes first, makes it.
    exchange = await channel.declare_exchange(f"rateway-{cluster}", "direct", durable=True)
    # Gone with us. A bot that must miss nothing declares a durable queue with a name instead.
    queue = await channel.declare_queue(exclusive=True)
    for event in events:
        await queue.bind(exchange, event)

    async def show(message: AbstractIncomingMessage) -> None:
        async with message.process():
            text = message.body[:width].decode(errors="replace")
            more = "..." if len(message.body) > width else ""
            shard, seq = message.headers.get("shard_id"), message.headers.get("seq")
            try:
                print("cluster", cluster, "shard", shard, "event", seq, message.routing_key, text + more, flush=True)
            except BrokenPipeError:
                # Whoever read this has what they wanted: ``consumer.py | head``.
                os._exit(0)

    await queue.consume(show)


async def main() -> None:
    options = arguments()
    uri = os.environ.get("AMQP_URI")
    if not uri:
        sys.exit("Set AMQP_URI, for example AMQP_URI=amqp://guest:guest@localhost/")
    if not uri.startswith(("amqp://", "amqps://")):
        sys.exit("AMQP_URI is no broker's address: one begins with amqp:// or amqps://")
    clusters = [options.cluster] if options.cluster else range(1, options.clusters + 1)
    try:
        # Robust: after an outage of the broker it connects, declares, binds and consumes again.
        connection = await aio_pika.connect_robust(uri)
    except (OSError, ValueError, AMQPError) as error:
        sys.exit(f"The broker of AMQP_URI can't be used: {error}")
    async with connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=100)
        for cluster in clusters:
            await consume(channel, cluster, options.events or USUAL_EVENTS, options.width)
        print(f"waiting for events of cluster {', '.join(map(str, clusters))}; Ctrl-C ends it", flush=True)
        await asyncio.Future()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
