"""Ask rateway's cache, and print the answer.

    AMQP_URI=amqp://... python examples/cache_query.py CurrentUser
    AMQP_URI=amqp://... python examples/cache_query.py Guild 197038439483310086
    AMQP_URI=amqp://... python examples/cache_query.py --reply-to Member 197038439483310086 80351110224678912
    AMQP_URI=amqp://... python examples/cache_query.py --headers GuildMembers 197038439483310086 null 10
    AMQP_URI=amqp://... python examples/cache_query.py SearchMembers 197038439483310086 ann 10

An answer comes in one of two ways: to the exchange asked, with a routing key of our choice (``return_routing_key``),
or, with ``--reply-to``, straight to a queue of ours. Exit code 1: nothing is known under these ids, or
the query is wrong; 2: there was no answer, or the command line is wrong.
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
    parser = argparse.ArgumentParser(description="Ask rateway's cache. AMQP_URI names the broker.")
    parser.add_argument("type", help="Guild, GuildChannel, Member, Role, User, ...")
    parser.add_argument("arguments", nargs="*", type=argument, help="what the type takes, in the guide's order")
    parser.add_argument("--cluster", type=int, default=1, help="the cluster asked; any knows every guild (default: 1)")
    parser.add_argument("--headers", action="store_true", help="print the answer's headers too, to stderr")
    parser.add_argument("--reply-to", action="store_true", help="let the answer come to a queue of ours directly")
    parser.add_argument("--timeout", type=float, default=10, help="seconds to wait for the answer (default: 10)")
    return parser.parse_args()


def argument(text: str) -> int | str | None:
    """An id or a number, ``null`` for one that is left out, or a text, as for SearchMembers."""
    if text == "null":
        return None
    return int(text) if text.isdecimal() else text


async def ask(channel: aio_pika.abc.AbstractChannel, options: argparse.Namespace) -> AbstractIncomingMessage:
    """Send the request, and wait for its answer."""
    exchange = await channel.declare_exchange(f"rateway-{options.cluster}", "direct", durable=True)
    answers = await channel.declare_queue(exclusive=True)
    request: dict[str, object] = {"type": options.type, "arguments": options.arguments}
    reply_to = None
    if options.reply_to:
        reply_to = answers.name
    else:
        # Nobody else may use this key on this exchange, so it is made up anew.
        request["return_routing_key"] = key = f"answer-{uuid.uuid4().hex}"
        await answers.bind(exchange, key)
    answer: asyncio.Future[AbstractIncomingMessage] = asyncio.get_running_loop().create_future()

    async def received(message: AbstractIncomingMessage) -> None:
        async with message.process():
            if not answer.done():
                answer.set_result(message)

    await answers.consume(received)
    message = aio_pika.Message(json.dumps(request).encode(), reply_to=reply_to, correlation_id=uuid.uuid4().hex)
    await exchange.publish(message, routing_key="cache")
    return await asyncio.wait_for(answer, options.timeout)


async def main() -> int:
    options = arguments()
    uri = os.environ.get("AMQP_URI")
    if not uri:
        sys.exit("Set AMQP_URI, for example AMQP_URI=amqp://guest:guest@localhost/")
    try:
        async with await aio_pika.connect(uri) as connection:
            answer = await ask(await connection.channel(), options)
    except TimeoutError:
        print(f"No answer within {options.timeout:g} s: does rateway run on this broker?", file=sys.stderr)
        return 2
    except (OSError, ValueError, AMQPError) as error:
        print(f"The broker of AMQP_URI can't be used: {error}", file=sys.stderr)
        return 2
    if options.headers:
        for name, value in sorted(answer.headers.items()):
            print(f"{name}:", value, file=sys.stderr)
    if "error" in answer.headers:
        print("Refused:", answer.headers["error"], file=sys.stderr)
        return 1
    if not answer.body:
        print("Not in the cache.", file=sys.stderr)
        return 1
    try:
        print(json.dumps(json.loads(answer.body), indent=2, ensure_ascii=False), flush=True)
    except BrokenPipeError:
        # Whoever read this has what they wanted: ``cache_query.py ... | head``.
        os._exit(0)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except KeyboardInterrupt:
        sys.exit(130)
