"""Change the bot's presence on one shard, and print how it ended.

    AMQP_URI=amqp://... python examples/presence_update.py --shard 0 --status idle --name chess

A gateway command is Discord's own payload, sent to the exchange of the shard's cluster with the routing key ``gateway``
and the header ``shard_id``. With a ``reply_to``, rateway tells whether it was sent.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import uuid

import aio_pika
from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import AMQPError


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Change the bot's presence. AMQP_URI names the broker.")
    parser.add_argument("--shard", type=int, default=0, help="the shard to change it on (default: 0)")
    parser.add_argument("--per-cluster", type=int, default=8, help="rateway's SHARDS_PER_CLUSTER (default: 8)")
    parser.add_argument("--status", choices=("online", "idle", "dnd", "invisible"), default="online")
    parser.add_argument("--name", help="the activity's name, as in: plays <name>")
    parser.add_argument(
        "--no-answer", action="store_true", help="send it and leave, as bots did before there were answers"
    )
    parser.add_argument("--timeout", type=float, default=40, help="seconds to wait for the answer (default: 40)")
    return parser.parse_args()


def payload(options: argparse.Namespace) -> bytes:
    """Op 3 of Discord's gateway, whole."""
    activities = [{"name": options.name, "type": 0}] if options.name else []
    presence = {"since": None, "activities": activities, "status": options.status, "afk": False}
    return json.dumps({"op": 3, "d": presence}).encode()


async def send(channel: aio_pika.abc.AbstractChannel, options: argparse.Namespace) -> dict[str, str] | None:
    """Send the command; rateway's answer, if one is wanted."""
    cluster = options.shard // options.per_cluster + 1
    exchange = await channel.declare_exchange(f"rateway-{cluster}", "direct", durable=True)
    headers = {"shard_id": options.shard}
    if options.no_answer:
        await exchange.publish(aio_pika.Message(payload(options), headers=headers), routing_key="gateway")
        return None
    answers = await channel.declare_queue(exclusive=True)
    tag = uuid.uuid4().hex
    answer: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()

    async def received(reply: AbstractIncomingMessage) -> None:
        async with reply.process():
            if reply.correlation_id == tag and not answer.done():
                answer.set_result(json.loads(reply.body))

    await answers.consume(received)
    command = aio_pika.Message(payload(options), headers=headers, reply_to=answers.name, correlation_id=tag)
    await exchange.publish(command, routing_key="gateway")
    return await asyncio.wait_for(answer, options.timeout)


async def main() -> int:
    options = arguments()
    uri = os.environ.get("AMQP_URI")
    if not uri:
        sys.exit("Set AMQP_URI, for example AMQP_URI=amqp://guest:guest@localhost/")
    try:
        async with await aio_pika.connect(uri) as connection:
            answer = await send(await connection.channel(), options)
    except TimeoutError:
        print(f"No answer within {options.timeout:g} s: does rateway run on this broker?", file=sys.stderr)
        return 2
    except (OSError, ValueError, AMQPError) as error:
        print(f"The broker of AMQP_URI can't be used: {error}", file=sys.stderr)
        return 2
    if answer is None:
        print("Sent to rateway.")
    elif answer["status"] == "sent":
        print(f"Sent to Discord by shard {options.shard}.")
    else:
        print(f"Refused: {answer.get('error')}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except KeyboardInterrupt:
        sys.exit(130)
