"""Who asks on receiving an event sees its effect, whichever cluster and process is asked (docs/user-guide.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import ujson
from attrs import define, field, frozen

from rateway.simulator.simulator import Simulator
from rateway.simulator.world.guild import Guild
from tests.store import samples as s

from .harness import WorldTestCase
from .test_processes import clusters_of
from .worker import Received, Worker

ROUNDS = 10_000
AT_ONCE = 200
"""Events and questions under way at a time."""
SHARDS = 4
RATE = 400
"""Events of the simulator's world a second, besides."""
TRAFFIC = "message=30,presence=35,typing=17,reaction=5,voice=4,edit=3,member=2,thread=1,channel=1,webhook=1"
"""All but what lists a guild's things anew: the things of this test are none of the world's."""
ASKED_ABOUT = (
    "CHANNEL_UPDATE",
    "GUILD_ROLE_UPDATE",
    "GUILD_ROLE_DELETE",
    "GUILD_MEMBER_UPDATE",
    "PRESENCE_UPDATE",
    "VOICE_STATE_UPDATE",
    "MESSAGE_CREATE",
)
OURS = 1 << 60
"""From here on ids are this test's own."""
CHAT = 5
"""The last digit of a voice channel's id, in which messages are written."""
MARK = b'"mark":'

Question: TypeAlias = tuple[Any, ...]


@frozen
class Happening:
    """An event whose effect can be seen.

    :ivar question: what is asked when it arrives.
    :ivar number: the mark of what is found then, or a higher one; ``None`` if nothing may be found.
    """

    name: str
    d: dict[str, Any]
    question: Question
    number: int | None


def happenings(guilds: list[Guild]) -> Iterator[Happening]:
    """Changes of many things, for ever, each with its number as the mark; and things that come and go."""
    number = 0
    for place, guild in enumerate(guilds):
        d = s.channel(OURS + 1000 * place + CHAT, 2) | {"guild_id": str(guild.id)}
        yield Happening("CHANNEL_CREATE", d, (), 0)
    while True:
        for place, guild in enumerate(guilds):
            of_guild = {"guild_id": str(guild.id)}
            first = OURS + 1000 * place
            role, channel, member, online, speaker = range(first, first + 5)
            chat = first + CHAT
            makers: tuple[Callable[[dict[str, int]], tuple[str, dict[str, Any], Question]], ...] = (
                lambda mark: ("CHANNEL_UPDATE", s.channel(channel) | mark, ("GuildChannel", channel)),  # noqa: B023
                lambda mark: ("GUILD_ROLE_UPDATE", {"role": s.role(role, "ours") | mark}, ("Role", role)),  # noqa: B023
                lambda mark: ("GUILD_MEMBER_UPDATE", s.member(member) | mark, ("Member", guild.id, member)),  # noqa: B023
                lambda mark: ("PRESENCE_UPDATE", s.presence(online) | mark, ("Presence", guild.id, online)),  # noqa: B023
                lambda mark: (
                    "VOICE_STATE_UPDATE",
                    s.voice_state(speaker, chat) | mark,  # noqa: B023
                    ("VoiceState", speaker, guild.id),  # noqa: B023
                ),
                lambda mark: (
                    "MESSAGE_CREATE",
                    s.message(OURS + number, chat) | mark,  # noqa: B023
                    ("Message", chat, OURS + number),  # noqa: B023
                ),
            )
            for make in makers:
                number += 1
                name, d, question = make({"mark": number})
                yield Happening(name, d | of_guild, question, number)
            number += 1
            role = OURS + 1_000_000 + number
            yield Happening("GUILD_ROLE_CREATE", {"role": s.role(role, "brief") | {"mark": number}} | of_guild, (), 0)
            yield Happening(
                "GUILD_ROLE_DELETE", {"role_id": str(role), "mark": number} | of_guild, ("Role", role), None
            )


@define(eq=False)
class Asker:
    """Sends events, asks when they arrive, and looks at what is answered; then sends more.

    :ivar wrong: what was not as it must be.
    :ivar elsewhere: how many questions were asked of which process about events of which.
    """

    simulator: Simulator
    worker: Worker
    processes: dict[int, int]
    source: Iterator[Happening]
    sent: dict[tuple[str, int], Happening] = field(factory=dict, init=False)
    asked: int = field(default=0, init=False)
    answered: int = field(default=0, init=False)
    kinds: Counter[str] = field(factory=Counter, init=False)
    elsewhere: Counter[tuple[int, int]] = field(factory=Counter, init=False)
    wrong: list[object] = field(factory=list, init=False)

    def send(self) -> None:
        """The next event that is asked about, and what must come before it."""
        for happening in self.source:
            shard = (int(happening.d["guild_id"]) >> 22) % SHARDS
            seq = self.simulator.dispatch(shard, happening.name, happening.d)
            if happening.question:
                self.sent[happening.name, shard * 10_000_000 + seq] = happening
                return

    def received(self, event: Received) -> None:
        """An event came: one of ours is asked about at once, of each cluster in turn."""
        if MARK not in event.body:
            return
        happening = self.sent.pop((event.key, event.shard * 10_000_000 + event.seq))
        kind, *arguments = happening.question
        cluster = self.asked % SHARDS + 1
        self.asked += 1
        self.kinds[event.key] += 1
        self.elsewhere[self.processes[event.shard + 1], self.processes[cluster]] += 1
        asking = self.worker.ask(cluster, "cache", ujson.dumps({"type": kind, "arguments": arguments}).encode())
        asking.addCallback(self.check, happening, event)
        asking.addErrback(self.wrong.append)

    def check(self, answer: Received, happening: Happening, event: Received) -> None:
        """What was answered."""
        self.answered += 1
        found = ujson.loads(answer.body)["mark"] if answer.body else None
        as_of = (answer.properties.headers or {}).get("as_of_seq")
        if happening.number is None:
            is_right = found is None
        else:
            is_right = found is not None and found >= happening.number and as_of is not None and as_of >= event.seq
        if not is_right:
            self.wrong.append((happening, event.seq, as_of, answer.body))
        if self.asked < ROUNDS:
            self.send()


class ReadAfterEventTests(WorldTestCase):
    """Four clusters in two processes, with whatever else happens in their guilds."""

    timeout = 180

    async def test_effect_is_there_when_the_event_is(self) -> None:
        """10,000 events, each asked about as soon as it comes: its effect is there, in every process."""
        simulator = await self.simulator(shards=SHARDS, max_concurrency=SHARDS, guilds=2 * SHARDS)
        worker = await self.worker()
        program = self.rateway(simulator, SHARDS_PER_CLUSTER=1, PROCESSES=2, MESSAGE_CACHE_SIZE=1000)
        await self.all_active(simulator, SHARDS)
        await self.until(
            lambda: sorted(cluster for pid in program.children() for cluster in clusters_of(pid)) == [1, 2, 3, 4],
            "all clusters",
        )
        processes = {cluster: pid for pid in program.children() for cluster in clusters_of(pid)}
        self.assertEqual(len(set(processes.values())), 2)
        asker = Asker(simulator, worker, processes, happenings(list(simulator.world.guilds.values())))
        for cluster in range(1, SHARDS + 1):
            await worker.bind(cluster, ASKED_ABOUT, take=asker.received)
        simulator.traffic.start(RATE, TRAFFIC)
        before = simulator.sent
        for _ in range(AT_ONCE):
            asker.send()
        await self.until(lambda: asker.answered >= ROUNDS or asker.wrong, f"{ROUNDS} answers", 150)
        simulator.traffic.stop()
        self.assertEqual(asker.wrong, [])
        self.assertGreater(simulator.sent - before, ROUNDS + RATE)
        self.assertEqual(set(asker.kinds), set(ASKED_ABOUT))
        self.assertGreater(min(asker.kinds.values()), ROUNDS // 10)
        self.assertEqual(len(asker.elsewhere), 4)
        self.assertGreater(min(asker.elsewhere.values()), ROUNDS // 5)
        await self.until(lambda: not asker.sent, "the last events")
