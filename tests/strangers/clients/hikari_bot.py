"""A bot by hikari: ``hikari_bot.py API_URL TOKEN none|payload|zlib|zstd``; it reports on stdout, ends with its stdin.

Its ``GatewayBot`` chooses zstd where that can be imported, and zlib else. The other two are arguments of the shard's
class only; there the bot is put together by hand.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys

URL, TOKEN, TRANSPORT = sys.argv[1:]

if TRANSPORT == "zlib":
    sys.modules["compression.zstd"] = sys.modules["backports.zstd"] = None  # type: ignore[assignment]

import hikari
from hikari.api import GatewayCompression
from hikari.impl import EventFactoryImpl, GatewayShardImpl

CHOSEN = {"none": None, "payload": GatewayCompression.PAYLOAD_ZLIB_STREAM}


def report(what: str, **details: object) -> None:
    """One line of JSON."""
    print(json.dumps({"what": what, **details}), flush=True)


logging.basicConfig(level=logging.INFO, stream=sys.stderr)
bot = hikari.GatewayBot(
    TOKEN,
    rest_url=URL,
    intents=hikari.Intents.ALL,
    banner=None,
    logs=None,
    suppress_optimization_warning=True,
)


@bot.listen()
async def on_ready(event: hikari.ShardReadyEvent) -> None:
    report("ready", shard=event.shard.id, guilds={str(id): None for id in event.unavailable_guilds})


@bot.listen()
async def on_guild(event: hikari.GuildAvailableEvent) -> None:
    report("guild", shard=event.shard.id, id=str(event.guild_id), members=len(event.members))


@bot.listen()
async def on_resumed(event: hikari.ShardResumedEvent) -> None:
    report("resumed", shard=event.shard.id)


@bot.listen()
async def on_message(event: hikari.GuildMessageCreateEvent) -> None:
    report("message", shard=event.shard.id, id=str(event.message_id), content=event.content)


@bot.listen()
async def on_payload(event: hikari.ShardPayloadEvent) -> None:
    report("dispatch", name=event.name, d=dict(event.payload))


async def run_by_hand(told: asyncio.Future[None]) -> None:
    """What ``GatewayBot.start`` does, with the compression of our choice."""
    rest = hikari.RESTApp(url=URL)
    await rest.start()
    async with rest.acquire(TOKEN, hikari.TokenType.BOT) as client:
        gateway = await client.fetch_gateway_bot_info()
    shards = [
        GatewayShardImpl(
            compression=CHOSEN[TRANSPORT],
            intents=bot.intents,
            shard_id=id,
            shard_count=gateway.shard_count,
            http_settings=bot.http_settings,
            proxy_settings=bot.proxy_settings,
            event_manager=bot.event_manager,
            event_factory=EventFactoryImpl(bot),
            token=TOKEN,
            url=gateway.url,
        )
        for id in range(gateway.shard_count)
    ]
    await asyncio.gather(*(shard.start() for shard in shards))
    await told
    await asyncio.gather(*(shard.close() for shard in shards))
    await rest.close()


async def run_as_usual(told: asyncio.Future[None]) -> None:
    """By ``GatewayBot.start``."""
    await bot.start(check_for_updates=False)
    await asyncio.wait([told, asyncio.ensure_future(bot.join())], return_when=asyncio.FIRST_COMPLETED)
    await bot.close()


async def closed_stdin() -> None:
    """Until nobody holds the other end of stdin any more."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


async def main() -> None:
    """Run until stdin is closed."""
    told = asyncio.ensure_future(closed_stdin())
    await (run_by_hand if TRANSPORT in CHOSEN else run_as_usual)(told)


asyncio.run(main())
