"""A small gateway client that does everything well, but for the faults it is told to have."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, cast

from autobahn.twisted.websocket import WebSocketClientFactory
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.task import deferLater
from twisted.web.client import Agent, readBody
from twisted.web.http_headers import Headers

from rateway.simulator.simulator import Simulator
from tests.simulator.client import Payload, RawClient, the_reactor

KEEPING = 4900
"""A close code that keeps the session."""
_AGENT = "DiscordBot (https://example.org/bot, 1.0)"
_FINAL = (4004, 4010, 4011, 4012, 4013, 4014)
_NEW_SESSION = (4003, 4006, 4007, 4009)
_TURN = 5.1


class BotClient(RawClient):
    """One connection of a shard's."""

    shard: Shard
    told = 0
    acknowledged = True
    introduced = False
    _beat: Any = None
    interval = 0.0

    def _happened(self) -> None:
        super()._happened()
        while self.told < len(self.payloads):
            payload = self.payloads[self.told]
            self.told += 1
            self.shard.took(self, payload)

    def onOpen(self) -> None:
        super().onOpen()
        if "identifies before HELLO" in self.shard.bot.faults:
            self.shard.introduce(self)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        if self._beat is not None and self._beat.active():
            self._beat.cancel()
        super().onClose(wasClean, code, reason)

    def begin_beating(self, interval: float) -> None:
        faults = self.shard.bot.faults
        self.interval = interval * (0.8 if "beats too fast" in faults else 1.0)
        share = 0.5 if "beats without jitter" in faults else random.random()
        self._beat = the_reactor().callLater(self.interval * share, self._beat_now)

    def _beat_now(self) -> None:
        faults = self.shard.bot.faults
        if self.ended or self.state != self.STATE_OPEN:
            return
        if not self.acknowledged and "never misses an ACK" not in faults:
            self.leave()
            return
        self.acknowledged = False
        self.heartbeat()
        pause = self.interval + (1.6 if "is late when much comes" in faults and self._much() else 0.0)
        self._beat = the_reactor().callLater(pause, self._beat_now)

    def _much(self) -> bool:
        return any(len(data) > 100_000 for data, _ in self.messages)

    def heartbeat(self) -> None:
        seq = self.shard.seq
        if seq is None and "makes up sequences" in self.shard.bot.faults:
            seq = 0
        self.tell(1, seq)

    def leave(self) -> None:
        """End the connection to resume."""
        self.sendClose(1000 if "closes with 1000" in self.shard.bot.faults else KEEPING)
        the_reactor().callLater(0.05, self.transport.loseConnection)


class Shard:
    """One shard: connects, identifies or resumes, and comes back."""

    def __init__(self, bot: Bot, id: int) -> None:
        self.bot = bot
        self.id = id
        self.session: str | None = None
        self.resume_host = ""
        self.seq: int | None = None
        self.client: BotClient | None = None
        self.failures = 0
        self.pause = 0.0

    async def run(self) -> None:
        bot = self.bot
        while not bot.stopped:
            if self.session is None:
                await bot.turn(self.id)
            if bot.stopped:
                return
            resuming = self.session is not None and self.failures < 3
            host = self.resume_host if resuming and "resumes at the main address" not in bot.faults else "127.0.0.1"
            try:
                self.client = client = await self._connect(host)
            except ConnectError:
                self.failures += 1
                if self.session is None:
                    bot.took_turn(self.id)
            else:
                await self._last(client)
                self._ended(client)
            await bot.wait(self.pause + (0.0 if "hurries" in bot.faults else 0.5 * 2**self.failures * random.random()))
            self.pause = 0.0

    async def _connect(self, host: str) -> BotClient:
        bot = self.bot
        compress = bot.compress
        query = "?v=10&encoding=json" + (f"&compress={compress}" if compress else "")
        if "forgets the query" in bot.faults:
            query = "?encoding=json&v=10&compress=zlib-stream"
        factory = WebSocketClientFactory(f"ws://{host}:{bot.simulator.port}/{query}", reactor=the_reactor())
        factory.protocol = BotClient
        factory.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0, serverConnectionDropTimeout=0)
        endpoint = HostnameEndpoint(the_reactor(), host, bot.simulator.port)
        client = cast(BotClient, await endpoint.connect(factory))
        client.shard, client.compress = self, compress or None
        bot.clients.append(client)
        if bot.stopped:  # while it was connecting
            client.transport.abortConnection()
        return client

    @staticmethod
    async def _last(client: BotClient) -> None:
        await client.until(lambda: client.ended, timeout=1000.0)

    def _ended(self, client: BotClient) -> None:
        faults, code = self.bot.faults, client.close_code
        if self.session is None and not client.introduced:
            self.bot.took_turn(self.id)
        self.failures = 0 if client.all("READY") or client.all("RESUMED") else self.failures + 1
        if code in _FINAL and "never gives up" not in faults:
            self.bot.stopped = True
        if code in (1000, 1001) and "gives up after 1000" in faults:
            self.bot.stopped = True
        if code in _NEW_SESSION and "keeps dead sessions" not in faults:
            self.forget()
        if "never resumes" in faults:
            self.forget()

    def forget(self) -> None:
        self.session = self.seq = None

    def introduce(self, client: BotClient) -> None:
        """IDENTIFY or RESUME."""
        faults = self.bot.faults
        if self.session is None:
            client.identify(self.id, self.bot.shards)
            client.introduced = True
            self.bot.took_turn(self.id)
            return
        seq = self.seq or 0
        client.resume(self.session, max(seq - 5, 0) if "resumes too far back" in faults else seq)

    def took(self, client: BotClient, payload: Payload) -> None:
        faults, op = self.bot.faults, payload.get("op")
        if payload.get("broken") is not None or payload == {}:
            if "hangs on corruption" not in faults:
                client.leave()
        elif op == 10:
            client.begin_beating(payload["d"]["heartbeat_interval"] / 1000)
            if "identifies before HELLO" not in faults:
                self.introduce(client)
        elif op == 11:
            client.acknowledged = True
        elif op == 1:
            if "ignores op 1" not in faults:
                client.heartbeat()
        elif op == 7:
            if "ignores op 7" not in faults:
                client.leave()
        elif op == 9:
            if not payload["d"]:
                self.forget()
            self.pause = 0.0 if "hurries" in faults else 1.2
            client.leave()
        elif op == 0:
            self.seq = payload["s"]
            if payload["t"] == "READY":
                self.session = payload["d"]["session_id"]
                self.resume_host = payload["d"]["resume_gateway_url"].split("//")[1].split(":")[0]


class Bot:
    """The client: REST, and its shards, which take turns in identifying."""

    def __init__(
        self, simulator: Simulator, *faults: str, shards: int = 1, compress: str = "", concurrency: int = 1
    ) -> None:
        self.simulator = simulator
        self.faults = frozenset(faults)
        self.shards = shards
        self.compress = compress
        self.concurrency = concurrency
        self.clients: list[BotClient] = []
        self.stopped = False
        self._turns: dict[int, float] = {}

    def start(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._run())

    async def _run(self) -> None:
        agent = "curl/8" if "has no name" in self.faults else _AGENT
        headers = Headers({"Authorization": [f"Bot {self.simulator.options.token}"], "User-Agent": [agent]})
        url = f"{self.simulator.api_url}/gateway/bot"
        while not self.stopped:
            response: Any = await Agent(the_reactor()).request(b"GET", url.encode(), headers)
            await readBody(response)
            if response.code != 401 or "never gives up" not in self.faults:
                break
            await self.wait(0.5)
        if response.code == 401:
            return
        order = range(self.shards)
        running = []
        for id in reversed(order) if "starts backwards" in self.faults else order:
            running.append(Deferred.fromCoroutine(Shard(self, id).run()))
        for each in running:
            await each

    async def turn(self, id: int) -> None:
        """Wait until the shard may identify."""
        if "identifies out of turn" in self.faults:
            return
        key = id % self.concurrency
        while not self.stopped and the_reactor().seconds() < self._turns.get(key, 0.0):
            await self.wait(0.02)
        self._turns[key] = float("inf")

    def took_turn(self, id: int) -> None:
        """The shard has identified, or couldn't: it is the next one's turn after a while."""
        self._turns[id % self.concurrency] = the_reactor().seconds() + _TURN

    async def wait(self, seconds: float) -> None:
        """Wait, but not when it is over."""
        until = the_reactor().seconds() + seconds
        await deferLater(the_reactor(), 0, _nothing)
        while not self.stopped and the_reactor().seconds() < until:
            await deferLater(the_reactor(), min(0.05, seconds), _nothing)

    def stop(self) -> None:
        """Leave, without any manners."""
        self.stopped = True
        for client in self.clients:
            if not client.ended and client.transport is not None:
                client.transport.abortConnection()


_nothing: Callable[[], None] = lambda: None  # noqa: E731
