"""A guild of very many members, asked for whole: memory is bounded, and nothing waits for it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import ujson
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall

from rateway.simulator.gateway.behaviour import Behaviour
from rateway.simulator.simulator import Simulator

from .test_cache import CacheTestCase
from .worker import Received, Worker

MEMBERS = int(os.environ.get("CROWD_MEMBERS", "100000"))
"""A guild may have 500,000, which take minutes: ``CROWD_MEMBERS=500000 ./run-tests tests.integration.test_crowd``."""
PAGE = 10_000
USER_ID = re.compile(rb'"user_id":"([0-9]+)"')
MOST_MEMORY = 300
"""MB of anonymous memory that a child may have, whatever the store holds."""
MORE = 64
"""MB that it may have more than before, for four pages of 4 MiB and their making."""
BEAT, LATE = 1.0, 2.0
"""Seconds between heartbeats, and how late one may be: the simulator tells of it, and that fails at the end."""


def anonymous(pid: int) -> float:
    """MB of a process's memory that are in no file: those in the store's are the kernel's to take back."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("RssAnon:"))
    return int(line.split()[1]) * 1024 / 1e6


class CrowdTests(CacheTestCase):
    """A guild whose members were all asked for."""

    timeout = 600

    async def test_everybody_page_by_page(self) -> None:
        """The pages are the whole, and what is asked and what happens meanwhile comes before each of them."""
        simulator, program, worker = await self.up(
            guilds=1,
            members=MEMBERS,
            sizes="equal",
            heartbeat_interval=3600.0,
            heartbeat_slack=LATE / BEAT,
            settings={"COMPRESSION": "none"},
        )
        await self.heard(worker, "GUILD_CREATE")
        guild = simulator.guild(0)
        (child,) = program.children()
        d = {"guild_id": str(guild.id), "query": "", "limit": 0}
        started = simulator.session(0).seq
        self.assertEqual(await worker.command(1, {"op": 8, "d": d}, shard=0), {"status": "sent"})
        chunks = -(-guild.member_count // 1000)
        await self.until(lambda: simulator.session(0).seq >= started + chunks, "the chunks", 300)
        simulator.dispatch(0, "TEST", {})
        self.told = 1
        await self.until(lambda: "TEST" in worker.names(), "what comes after the chunks", 300)
        before = anonymous(child)
        self.assertLess(before, MOST_MEMORY)

        # Only now: an ACK waits behind the chunks, seconds long where they are as many.
        simulator.on_connect(Behaviour(interval=BEAT))
        simulator.drop(0)
        await self.heard(worker, "RESUMED")

        heartbeats = self.heartbeats(simulator)
        users, pages, overtaken, after = 0, 0, 0, None
        taken: list[float] = []
        watching = LoopingCall(lambda: taken.append(anonymous(child)))
        watching.start(0.02)
        self.addCleanup(watching.stop)
        while True:
            arrived: list[str] = []
            page, *_ = await self.ask_amid(simulator, worker, guild.id, after, arrived)
            headers = page.properties.headers
            pages += 1
            overtaken += arrived[-1] == "page"
            self.assertEqual((headers["known"], headers["total"]), (guild.member_count, guild.member_count))
            found = [int(each) for each in USER_ID.findall(page.body)]
            self.assertEqual(found, sorted(set(found)))
            self.assertGreater(found[0], int(after or 0))
            self.assertLess(len(page.body), 5 << 20)
            users += len(found)
            after = headers.get("next")
            if after is None:
                break
            self.assertEqual(found[-1], int(after))
        self.assertEqual(users, guild.member_count)
        self.assertGreaterEqual(pages, MEMBERS // PAGE)
        # The last page may be a short one, and a busy machine may hold up anybody once.
        self.assertGreaterEqual(overtaken, 0.8 * (pages - 1))
        self.assertLess(max(taken), MOST_MEMORY)
        self.assertLess(max(taken) - before, MORE)
        self.assertGreater(self.heartbeats(simulator), heartbeats)
        self.assertEqual(len(simulator.connections), 2)

    async def ask_amid(
        self, simulator: Simulator, worker: Worker, guild: int, after: str | None, arrived: list[str]
    ) -> list[Received]:
        """A page, and right behind it a lookup and an event: their names, as they come."""

        def note(what: Any, name: str) -> Any:
            arrived.append(name)
            return what

        def ask(kind: str, *arguments: object) -> Deferred[Received]:
            body = ujson.dumps({"type": kind, "arguments": arguments}).encode()
            return worker.ask(1, "cache", body)

        page = ask("GuildMembers", guild, after, PAGE).addCallback(note, "page")
        lookup = ask("Guild", guild).addCallback(note, "lookup")
        event: Deferred[Any] = Deferred.fromCoroutine(self.tell(simulator, worker, "TYPING_START", {}))
        return await gatherResults([page, lookup, event.addCallback(note, "event")])

    def heartbeats(self, simulator: Simulator) -> int:
        """How many there were."""
        return sum(frame.op == 1 for frame in simulator.frames)
