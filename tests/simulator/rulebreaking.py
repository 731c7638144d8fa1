"""Tests that break a rule: a decorator that says which, and sees to it that just these are on record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from rateway.simulator.simulator import Simulator
from tests.simulator.client import TOKEN, RawClient, SimulatorTestCase, the_reactor

Case = TypeVar("Case", bound="RuleTestCase")
AGENT = "DiscordBot (https://example.invalid, 1)"


def breaks(rule: str) -> Callable[[Callable[[Case], Awaitable[None]]], Callable[[Case], Awaitable[None]]]:
    """The test breaks this rule, at least once, and no other; of no rule on record it fails."""

    def decorate(test: Callable[[Case], Awaitable[None]]) -> Callable[[Case], Awaitable[None]]:
        @wraps(test)
        async def checked(self: Case) -> None:
            await test(self)
            broken = [breach.rule for simulator in self.simulators for breach in simulator.breaches]
            self.assertEqual(set(broken), {rule})
            for simulator in self.simulators:
                self.assertIn(rule, simulator.report())
                self.assertNotIn(TOKEN, simulator.report())

        checked.broken_rule = rule  # type: ignore[attr-defined]
        return checked

    return decorate


@frozen
class Answered:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Whole(Protocol):
    """Keeps what comes, until the end."""

    def __init__(self) -> None:
        self.data = b""
        self.ended: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ended.callback(self.data)


class RuleTestCase(SimulatorTestCase):
    """A test of a rule."""

    simulators: list[Simulator]

    async def start(self, **options: Any) -> Simulator:
        simulator = await super().start(**options)
        self.simulators = [*getattr(self, "simulators", []), simulator]
        return simulator

    async def greeted(self, simulator: Simulator, query: str = "?v=10&encoding=json", **more: Any) -> RawClient:
        """A client that has got HELLO."""
        client = await self.connect(simulator, query, **more)
        await client.first(10)
        return client

    async def closed(self, client: RawClient, code: int) -> None:
        """The simulator closed the connection with this code."""
        await client.end()
        self.assertEqual(client.close_code, code)

    async def settled(self, client: RawClient) -> None:
        """All that the client sent has been read: the heartbeat behind it is acknowledged."""
        before = len(client.all(11))
        client.tell(1, None)
        await client.until(lambda: len(client.all(11)) > before)

    async def get(
        self, simulator: Simulator, path: str, *, method: str = "GET", drop: Iterable[str] = (), **headers: str
    ) -> Answered:
        """One HTTP request over a connection of its own, with no header but these.

        :param drop: headers that are left out.
        """
        protocol = _Whole()
        endpoint = HostnameEndpoint(the_reactor(), "127.0.0.1", simulator.port)
        await endpoint.connect(Factory.forProtocol(lambda: protocol))
        sent = {"Host": f"127.0.0.1:{simulator.port}", "User-Agent": AGENT, "Authorization": f"Bot {TOKEN}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{method} {path} HTTP/1.1", *(f"{n}: {v}" for n, v in sent.items() if n not in set(drop))]
        assert protocol.transport is not None
        protocol.transport.write("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        head, _, body = (await protocol.ended).partition(b"\r\n\r\n")
        first, *rest = head.decode().split("\r\n")
        pairs = (line.partition(": ") for line in rest)
        return Answered(int(first.split()[1]), {name.lower(): value for name, _, value in pairs}, body)
