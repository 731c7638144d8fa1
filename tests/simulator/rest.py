"""A REST client without any care for limits, for tests of the simulator's REST side."""

from __future__ import annotations

import json
from typing import Any

import treq
from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.web.client import Agent, HTTPConnectionPool

from rateway.simulator.simulator import Simulator
from rateway.simulator.world.guild import Guild
from tests.simulator.client import RawClient, SimulatorTestCase, the_reactor

AGENT = "DiscordBot (https://example.invalid, 1)"
GOOD: dict[Any, Any] = {"Authorization": "Bot simulator-token", "User-Agent": AGENT}
TOKENLESS: dict[Any, Any] = {"User-Agent": AGENT}


@frozen
class Reply:
    """What came back."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> tuple[int, int]:
        """HTTP status, and the code of the error."""
        return self.status, self.json["code"]

    def header(self, name: str) -> str | None:
        values = self.headers.getRawHeaders(name)
        return values[0] if values else None


class RestCase(SimulatorTestCase):
    """Tests that ask over real HTTP."""

    def setUp(self) -> None:
        pool = HTTPConnectionPool(the_reactor(), persistent=True)
        pool.maxPersistentPerHost = 20
        self.addCleanup(pool.closeCachedConnections)
        self.client = treq.client.HTTPClient(Agent(the_reactor(), pool=pool))

    async def ask(
        self, simulator: Simulator, path: str, method: str = "GET", headers: dict[Any, Any] | None = None, **more: Any
    ) -> Reply:
        given = GOOD if headers is None else headers
        response = await self.client.request(method, simulator.api_url + path, headers=given, **more)
        return Reply(response.code, response.headers, await treq.content(response))

    async def post(self, simulator: Simulator, path: str, value: object = None, **more: Any) -> Reply:
        """POST of JSON."""
        return await self.ask(simulator, path, "POST", json=value, **more)

    def under_way(self, simulator: Simulator, path: str, method: str = "GET", **more: Any) -> Deferred[Reply]:
        return Deferred.fromCoroutine(self.ask(simulator, path, method, **more))

    async def listening(self, **options: Any) -> tuple[Simulator, RawClient]:
        """A simulator, and a gateway client that has all its guilds."""
        simulator = await self.start(**options)
        client = await self.ready(simulator)
        await client.count("GUILD_CREATE", len(simulator.world.guilds))
        return simulator, client


def channel_of(guild: Guild, type: int = 0) -> int:
    """The first channel of a type that the bot may see, threads too."""
    found = {**guild.channels, **guild.threads}
    return next(id for id, channel in found.items() if channel["type"] == type and channel["name"] != "___hidden___")


def messages_of(guild: Guild) -> str:
    """The path of the messages in the guild's first text channel."""
    return f"/channels/{channel_of(guild)}/messages"


def breaches(simulator: Simulator) -> list[str]:
    return [breach.rule for breach in simulator.breaches]
