"""Many gateway clients in one process, for next to nothing: they count frames, and read only a sample of them.

Each of the sample's connections is inflated and its JSON read: the sequences must have no gap, and a guild's event must
come to the shard that owns the guild.
"""

from __future__ import annotations

import json
import os
import select
import socket
import time
import zlib
from collections.abc import Callable
from typing import Any

import zstandard

TOKEN = "simulator-token"
_INTENTS = (1 << 26) - 1 & ~(1 << 17 | 1 << 18 | 1 << 19 | 1 << 22 | 1 << 23)
_AT_ONCE = 50
"""Connections that are being made at a time."""
_READ = 1 << 18


class Wrong(Exception):
    """What came isn't what a gateway may send."""


class Client:
    """One connection: upgrade, HELLO, IDENTIFY, READY, and then events to count or to read."""

    def __init__(self, port: int, shard: int, total: int, transport: str, sampled: bool) -> None:
        self.shard, self.total, self.sampled = shard, total, sampled
        self.messages = 0
        self.ready = False
        self.seq = 0
        self.names: dict[str, int] = {}
        self._rest = b""
        self._upgraded = False
        self._decode = _decoder(transport)
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex(("127.0.0.1", port))
        compress = "" if transport == "none" else f"&compress={transport}"
        self._hello = (
            f"GET /?v=10&encoding=json{compress} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: cmF0ZXdheSBiZW5jaG1hcg==\r\n\r\n"
        ).encode()

    def connected(self) -> None:
        """The socket can be written to for the first time."""
        error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise Wrong(f"shard {self.shard} can't connect: {os.strerror(error)}")
        self.socket.sendall(self._hello)

    def readable(self) -> None:
        data = self.socket.recv(_READ)
        if not data:
            raise Wrong(f"the connection of shard {self.shard} has ended")
        data = self._rest + data
        if not self._upgraded:
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self._rest = head
                return
            if not head.startswith(b"HTTP/1.1 101"):
                raise Wrong(f"shard {self.shard} is answered {head[:80]!r}")
            self._upgraded = True
        self._rest = data[self._frames(data) :]

    def _frames(self, data: bytes) -> int:
        """Take the whole frames; the place where the first that isn't whole begins is returned."""
        place, end = 0, len(data)
        while end - place >= 2:
            size, start = data[place + 1], place + 2
            if size >= 126:
                width = 2 if size == 126 else 8
                start += width
                size = int.from_bytes(data[place + 2 : start], "big")
            if start + size > end:
                break
            if data[place] not in (0x81, 0x82):
                raise Wrong(f"shard {self.shard} gets a frame that begins with {data[place]:#x}: {data[start:][:80]!r}")
            self.messages += 1
            if self.sampled or not self.ready:
                self._payload(json.loads(self._decode(data[start : start + size])))
            place = start + size
        return place

    def _payload(self, payload: dict[str, Any]) -> None:
        if payload["op"] == 10:
            self._identify()
        if payload["op"] != 0:
            return
        name, d = payload["t"], payload["d"]
        self.seq += 1
        if payload["s"] != self.seq:
            raise Wrong(f"shard {self.shard} gets sequence {payload['s']} instead of {self.seq}")
        self.names[name] = self.names.get(name, 0) + 1
        guild = d.get("id" if name.startswith("GUILD_CREATE") else "guild_id")
        if guild is not None and (int(guild) >> 22) % self.total != self.shard:
            raise Wrong(f"shard {self.shard} gets {name} of guild {guild}")
        if name == "READY":
            self.ready = True

    def _identify(self) -> None:
        d = {
            "token": TOKEN,
            "intents": _INTENTS,
            "properties": {"os": "linux", "browser": "bench", "device": "bench"},
            "shard": [self.shard, self.total],
        }
        text = json.dumps({"op": 2, "d": d}).encode()
        # Masked with zeros: the bytes stay as they are.
        self.socket.sendall(b"\x81" + bytes((0x80 | 126,)) + len(text).to_bytes(2, "big") + bytes(4) + text)


def _decoder(transport: str) -> Callable[[bytes], bytes]:
    if transport == "zlib-stream":
        return zlib.decompressobj().decompress
    if transport == "zstd-stream":
        return zstandard.ZstdDecompressor().decompressobj().decompress
    return bytes


class Clients:
    """All of them, on one epoll."""

    def __init__(self, port: int, count: int, transport: str, sample: int) -> None:
        self._port, self._count, self._transport, self._sample = port, count, transport, sample
        self._epoll = select.epoll()
        self._clients: dict[int, Client] = {}

    def connect(self, timeout: float) -> None:
        """Make the connections, and wait until each has its READY.

        :raises Wrong: when that takes longer than ``timeout`` seconds, or something that may not be comes.
        """
        deadline = time.monotonic() + timeout
        while self.ready < self._count:
            if time.monotonic() > deadline:
                raise Wrong(f"{self.ready} of {self._count} connections are ready after {timeout:g} s")
            while len(self._clients) < min(self._count, self.ready + _AT_ONCE):
                shard = len(self._clients)
                client = Client(self._port, shard, self._count, self._transport, shard < self._sample)
                self._clients[client.socket.fileno()] = client
                self._epoll.register(client.socket, select.EPOLLOUT)
            self.turn(0.05)

    def turn(self, timeout: float) -> None:
        """Read what has come, or wait for it so many seconds."""
        for number, event in self._epoll.poll(timeout):
            client = self._clients[number]
            if event & select.EPOLLOUT:
                client.connected()
                self._epoll.modify(number, select.EPOLLIN)
            else:
                client.readable()

    def run(self, seconds: float) -> None:
        """Read for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.turn(left)

    @property
    def ready(self) -> int:
        return sum(client.ready for client in self._clients.values())

    @property
    def messages(self) -> int:
        """Frames that came, over all connections."""
        return sum(client.messages for client in self._clients.values())

    @property
    def least(self) -> int:
        """Frames that came over the connection that got fewest."""
        return min(client.messages for client in self._clients.values())

    @property
    def names(self) -> dict[str, int]:
        """Events by name, over the sample."""
        found: dict[str, int] = {}
        for client in filter(lambda client: client.sampled, self._clients.values()):
            for name, count in client.names.items():
                found[name] = found.get(name, 0) + count
        return found

    def close(self) -> None:
        for client in self._clients.values():
            client.socket.close()
        self._epoll.close()
