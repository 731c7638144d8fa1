"""A bot by discord.py: ``discord_py.py API_URL TOKEN zlib|zstd``; it reports on stdout, and ends with its stdin."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any

URL, TOKEN, TRANSPORT = sys.argv[1:]

if TRANSPORT == "zlib":
    # discord.py takes zstd-stream as soon as it can import a decompressor, and has no other switch.
    sys.modules["zstandard"] = sys.modules["compression.zstd"] = None  # type: ignore[assignment]

import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

Route.BASE = URL
# Only a session that can't be resumed goes there: the first connection's address is what /gateway/bot says.
DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(URL.replace("http", "ws", 1)).origin()


def report(what: str, **details: object) -> None:
    """One line of JSON."""
    print(json.dumps({"what": what, **details}), flush=True)


class Bot(discord.AutoShardedClient):
    """Reports all that concerns the course."""

    async def on_shard_ready(self, shard_id: int) -> None:
        guilds = [guild for guild in self.guilds if guild.shard_id == shard_id]
        report("ready", shard=shard_id, guilds={str(guild.id): len(guild.members) for guild in guilds})

    async def on_shard_resumed(self, shard_id: int) -> None:
        report("resumed", shard=shard_id)

    async def on_message(self, message: discord.Message) -> None:
        # Direct messages are the first shard's.
        shard = 0 if message.guild is None else message.guild.shard_id
        report("message", shard=shard, id=str(message.id), content=message.content)

    async def on_socket_raw_receive(self, text: str) -> None:
        payload = json.loads(text)
        if payload["op"] == 0:
            report("dispatch", name=payload["t"], d=payload["d"])


async def closed_stdin() -> None:
    """Until nobody holds the other end of stdin any more."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


async def main() -> None:
    """Run until stdin is closed."""
    client: Any = Bot(intents=discord.Intents.all(), enable_debug_events=True)
    running = asyncio.ensure_future(client.start(TOKEN))
    told = asyncio.ensure_future(closed_stdin())
    await asyncio.wait([running, told], return_when=asyncio.FIRST_COMPLETED)
    await client.close()
    await running


logging.basicConfig(level=logging.INFO, stream=sys.stderr)
asyncio.run(main())
