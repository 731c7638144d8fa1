"""A child that dies at the worst places of its work: nothing is lost, and nothing counts twice (criterion 73)."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from rateway.simulator.simulator import Simulator
from rateway.simulator.world.guild import Guild
from rateway.store.opening import sessions_in

from .harness import NAMES, WorldTestCase
from .program import Program
from .test_cache import message
from .test_delivery import firsts, patched
from .worker import Received, Worker

COUNTED = ("GUILD_MEMBER_ADD", "MESSAGE_CREATE", "TEST", "BOOM")
NEWCOMERS = 3


def counting_events(guild: Guild, thread: int) -> list[tuple[str, dict[str, Any]]]:
    """Events whose effect in the cache is a count, and which would be wrong if they were applied twice."""
    author = {"id": "1", "username": "author", "discriminator": "0", "avatar": None}
    found: list[tuple[str, dict[str, Any]]] = []
    for number in range(NEWCOMERS):
        user = {"id": str(900_000 + number), "username": f"new{number}", "discriminator": "0", "avatar": None}
        member = {"user": user, "roles": [], "joined_at": "2026-01-01T00:00:00+00:00", "deaf": False, "mute": False}
        found.append(("GUILD_MEMBER_ADD", {**member, "guild_id": str(guild.id), "flags": 0}))
        said = message(guild, thread, 800_000_000_000_000_000 + number, author, "hello")
        found.append(("MESSAGE_CREATE", {**said, "guild_id": str(guild.id), "channel_type": 11}))
    return found


class CrashTests(WorldTestCase):
    """Ends between two steps of one batch."""

    async def dying_at(self, place: str, event: str, **more: str) -> tuple[Simulator, Program, Worker]:
        """rateway whose child ends there, when it has that event; it is being started."""
        simulator = await self.simulator(guilds=1)
        worker = await self.worker()
        await worker.bind(1, (*NAMES, "SETTLED", "GUILD_MEMBER_ADD", "BOOM"), queue="lasting", durable=True)
        flag = self.folder / "died"
        settings = patched("rateway.cluster.safekeeping:EVERY=0.5")
        settings["RATEWAY_TEST_FAILPOINT"] = f"{place},{event},{flag}"
        return simulator, self.rateway(simulator, **settings, **more), worker

    async def died(self, program: Program) -> None:
        """The child came to that place."""
        await self.until((self.folder / "died").exists, "the child's end")
        await program.until_said("ended with exit code 86")

    async def settle(self, simulator: Simulator, worker: Worker) -> int:
        """Some events go by, each for itself, until the store knows that the broker has all of them."""
        for count in range(1, 6):
            simulator.dispatch(0, "SETTLED", b"{}")
            await self.until(lambda: worker.names().count("SETTLED") == count, "an event")  # noqa: B023
        last, entities = int(simulator.session(0).seq), self.folder / "state" / "cluster-1" / "entities"
        await self.until(lambda: (found := sessions_in(entities)) and found[0].kept == last, "the cursor")
        return last

    async def counts(self, worker: Worker, guild: Guild, thread: int) -> tuple[int, int, int]:
        """What the cache counts: members, messages of the thread, and all that were ever sent there."""
        found, channel = await worker.query(1, "Guild", guild.id), await worker.query(1, "GuildChannel", thread)
        return found["member_count"], channel["message_count"], channel["total_message_sent"]

    async def die_amid_counting(self, place: str) -> tuple[list[Received], int]:
        """The child dies there, with a batch of events that count; what came of them, and where the RESUME began."""
        simulator, program, worker = await self.dying_at(place, "BOOM")
        await self.all_active(simulator, 1)
        guild = simulator.guild(0)
        thread = next(iter(guild.threads))
        last = await self.settle(simulator, worker)
        members, messages, total = await self.counts(worker, guild, thread)
        simulator.shape(0, gather=0.2)
        for name, d in counting_events(guild, thread):
            simulator.dispatch(0, name, d)
        simulator.dispatch(0, "TEST", b"1")
        boom = simulator.dispatch(0, "BOOM", b"2")
        await self.died(program)
        await self.until(lambda: simulator.resumes and simulator.is_connected(0), "the resume")
        await self.until(lambda: "BOOM" in worker.names(), "the replay")
        (resume,) = simulator.resumes
        self.assertEqual((resume.answer, len(simulator.identifies)), ("resumed", 1))
        # The replay began below what the cache had applied, and above nothing that the broker has not.
        self.assertEqual(resume.seq, last)
        self.assertLess(last, boom)
        self.assertEqual(resume.replayed, boom - (resume.seq or 0))
        simulator.dispatch(0, "SETTLED", b"{}")
        await self.until(lambda: worker.names()[-1] == "SETTLED", "the next event")
        after = (members + NEWCOMERS, messages + NEWCOMERS, total + NEWCOMERS)
        self.assertEqual(await self.counts(worker, guild, thread), after)
        self.assertEqual(
            [event.key for event in firsts(worker.events) if event.key in COUNTED],
            ["GUILD_MEMBER_ADD", "MESSAGE_CREATE"] * NEWCOMERS + ["TEST", "BOOM"],
        )
        self.assertFalse(program.said("is set aside"), program.text)
        return worker.events, resume.seq or 0

    async def test_criterion_73_killed_between_cache_and_publish(self) -> None:
        """The cache has what the broker doesn't: it is replayed and published, once, and counted once."""
        events, _ = await self.die_amid_counting("between cache and publish")
        counted = [event for event in events if event.key in COUNTED]
        self.assertEqual(len(counted), len(firsts(counted)))

    async def test_criterion_73_killed_between_confirm_and_checkpoint(self) -> None:
        """The broker has what no cursor knows of: it comes twice, with the same ids and bodies, and counts once."""
        events, resumed_at = await self.die_amid_counting("between confirm and checkpoint")
        known: dict[str, bytes] = {}
        for event in events:
            self.assertEqual(known.setdefault(event.properties.message_id, event.body), event.body)
        again = [event for event in events if event.seq > resumed_at and event.key in COUNTED]
        self.assertEqual(len(again), 2 * len(firsts(again)))
        # What the cursor knew of came once.
        below = [event for event in events if event.seq <= resumed_at]
        self.assertEqual(len(below), len(firsts(below)))

    async def test_killed_between_spool_and_cache(self) -> None:
        """READY is on disk, and no store knows of its session: a new one begins, after what came of the first."""
        simulator, program, worker = await self.dying_at("between spool and cache", "READY")
        await self.died(program)
        await self.all_active(simulator, 1)
        await self.settle(simulator, worker)
        self.assertEqual((len(simulator.identifies), simulator.resumes), (2, []))
        readies = [event.properties.message_id.split(":")[1] for event in firsts(worker.events) if event.key == "READY"]
        self.assertEqual((len(readies), readies[-1]), (2, simulator.session(0).id))

    async def test_a_fault_in_native_code(self) -> None:
        """A child ended by SIGSEGV: its store is not believed, its session goes on, and nothing is lost."""
        simulator, program, worker = await self.dying_at("between cache and publish", "NEVER")
        await self.all_active(simulator, 1)
        last = await self.settle(simulator, worker)
        slots = [self.folder / "state" / "cluster-1" / f"sessions.{number}" for number in (0, 1)]
        await self.until(lambda: any(f",{last}]".encode() in read(path) for path in slots), "the session to be synced")
        (child,) = program.children()
        os.kill(child, signal.SIGSEGV)
        await self.until(lambda: not simulator.is_connected(0), "its end")
        simulator.dispatch(0, "TEST", b"1")
        await program.until_said("is not used, for the process that wrote it crashed")
        await self.until(lambda: "TEST" in worker.names(), "the event")
        self.assertTrue(program.said("SIGSEGV"), program.text)
        self.assertEqual([resume.answer for resume in simulator.resumes], ["resumed"])
        self.assertEqual(simulator.resumes[0].seq, last)


def read(path: Path) -> bytes:
    """What is in a file, if it is there."""
    return path.read_bytes() if path.exists() else b""
