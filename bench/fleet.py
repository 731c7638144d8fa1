"""rateway as an operator starts it, between a simulator that is a process of its own, a broker, and a bot's worker."""

from __future__ import annotations

import argparse
import tempfile
import urllib.request
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeAlias

import ujson
from attrs import define
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from bench.events import INTENTS
from bench.simulator import LOAD, Simulator
from rateway.store.layout import Layout
from tests.integration.program import TWISTD, Program, until
from tests.integration.worker import Worker
from tests.support.broker import PrivateBroker

Measure: TypeAlias = Callable[[Any, argparse.Namespace, str, Path], Awaitable[None]]
"""The reactor, the options, the broker's URI, a folder."""

COMMAND = (TWISTD, "-n", "--pidfile=", "rateway")
TOKEN = "simulator-token"
TICK = 0.002
"""Seconds between two handfuls of events: few enough that a question needn't wait for one."""
START = 120.0
"""Seconds until all shards are there, and half a second more for each."""
LISTED = 900.0
"""Seconds until all members are there."""
POLL = 0.2


@define(eq=False)
class Fleet:
    """All of it, running."""

    layout: Layout
    simulator: Simulator
    program: Program
    worker: Worker
    _reactor: Any
    _port: int

    @classmethod
    async def start(
        cls,
        reactor: Any,
        folder: Path,
        amqp: str,
        layout: Layout,
        *,
        processes: int,
        rate: float,
        world: Mapping[str, object] | None = None,
        around: Sequence[str] = (),
    ) -> Self:
        """Start everything; returns once all shards are there and events flow.

        :param rate: events a second.
        :param world: the simulator's options, beside the usual ones.
        :param around: a command line that runs the one that follows it.
        """
        simulator = Simulator(folder, layout.total, rate, {"load-tick": TICK, **(world or {})})
        try:
            port = simulator.port()
            worker = await Worker.connect(reactor, amqp)
            environ = {
                "DISCORD_TOKEN": TOKEN,
                "INTENTS": str(INTENTS),
                "AMQP_URI": amqp,
                "DISCORD_API_URL": f"http://127.0.0.1:{port}/api/v10",
                "TOTAL_SHARDS": str(layout.total),
                "SHARDS_PER_CLUSTER": str(layout.per_cluster),
                "PROCESSES": str(processes),
                "STATE_DIR": str(folder / "state"),
                "HTTP_LISTEN": "",
            }
            program = Program(reactor, folder, environ, [*around, *COMMAND])
        except BaseException:
            simulator.stop()
            raise
        fleet = cls(layout, simulator, program, worker, reactor, port)
        try:
            await fleet.until(lambda: "the load begins" in simulator.log, "all shards", START + layout.total / 2)
        except BaseException:
            await fleet.stop()
            raise
        return fleet

    async def until(self, met: Callable[[], object], what: str, timeout: float) -> None:
        """Wait for a condition; what rateway said is told if it isn't met."""
        try:
            await until(self._reactor, lambda: met() or self.program.exit_code is not None, what, timeout)
            if self.program.exit_code is not None:
                raise AssertionError(f"rateway ended, waiting for: {what}")
        except AssertionError as error:
            raise AssertionError(f"{error}; the end of its log:\n" + "\n".join(self.program.lines[-20:])) from None

    def join_guild(self, members: int) -> int:
        """A new guild with so many members; only a part of them comes with it."""
        body = ujson.dumps({"do": "join_guild", "members": members}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}/control/actions", body)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(ujson.load(answer)["result"]["guild"])

    async def list_members(self, guilds: Sequence[int]) -> int:
        """Have Discord list all members of the guilds; returns how many are known once they all are."""
        await gatherResults([self._demand(guild) for guild in guilds])
        known = 0
        for guild in guilds:
            known += await self._all_of(guild)
        return known

    def _demand(self, guild: int) -> Deferred[Any]:
        d = {"guild_id": str(guild), "query": "", "limit": 0}
        return Deferred.fromCoroutine(self.worker.command(self.layout.owner(guild), {"op": 8, "d": d}))

    async def _all_of(self, guild: int) -> int:
        """How many members are known, once those are all: but for a few, who may be coming and going."""
        question = ujson.dumps({"type": "GuildMembers", "arguments": [guild, None, 1]}).encode()
        deadline = self._reactor.seconds() + LISTED
        while True:
            answer = await self.worker.ask(self.layout.owner(guild), "cache", question)
            headers = answer.properties.headers or {}
            if headers.get("known", 0) >= 0.99 * headers.get("total", 1):
                return int(headers["known"])
            if self._reactor.seconds() > deadline:
                raise AssertionError(f"the members of {guild} don't all come: {headers}")
            await deferLater(self._reactor, POLL, lambda: None)

    async def stop(self) -> None:
        """Stop everything."""
        try:
            await self.worker.close()
            await self.program.stop(60)
        finally:
            self.simulator.stop()

    def load(self) -> str:
        """What the simulator says of its load, once it is stopped."""
        found = LOAD.search(self.simulator.log)
        return found[0] if found else "load that it says nothing of"


async def with_broker(reactor: Any, options: argparse.Namespace, measure: Measure) -> None:
    """Measure in a folder of its own, with the broker that the options name, or a private one."""
    broker = None if options.amqp else PrivateBroker()
    try:
        if broker is not None:
            await broker.start()
        amqp = options.amqp or broker.vhost.uri  # type: ignore[union-attr]
        with tempfile.TemporaryDirectory(prefix="rateway-bench-") as folder:
            await measure(reactor, options, amqp, Path(folder))
    finally:
        if broker is not None:
            await broker.remove()
