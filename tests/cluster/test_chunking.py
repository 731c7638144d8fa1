"""Asking for member lists: what is heard, what is said, and who is told."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import ujson
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rateway.cluster.chunking import Chunking
from rateway.cluster.turns import Turns
from rateway.errors import RequestRefused
from rateway.gateway.budget import SendBudget
from rateway.gateway.commands import CommandQueue
from rateway.gateway.memberlists import SILENCE, MemberLists, Room
from rateway.gateway.spare import Spare
from rateway.store.membership import Membership

TOTAL = 2
GUILDS = [number << 22 for number in range(2, 12)]
"""Guilds of shard 0 at even places, of shard 1 at odd ones."""


@define
class Cache:
    """What is known of members: guild → known, total."""

    members: dict[int, tuple[int, int]] = field(factory=dict)
    outages: set[int] = field(factory=set)
    refuses: int = 0
    broken: bool = False

    def membership(self, guild: int) -> Membership | None:
        if self.broken:
            raise RuntimeError("the cache is broken")
        if guild not in self.members:
            return None
        known, total = self.members[guild]
        return Membership(known, total, guild not in self.outages)

    def unfinished(self, shard: int) -> Generator[None, None, list[tuple[int, int]]]:
        yield
        if self.refuses:
            self.refuses -= 1
            raise RequestRefused("the cache can't be read just now")
        return [
            (guild, total)
            for guild, (known, total) in self.members.items()
            if (guild >> 22) % TOTAL == shard and known < total
        ]


@define
class Speech:
    """An outbox with room."""

    clock: Clock
    spare: Spare = field(factory=lambda: Spare(CommandQueue()))
    budget: SendBudget = field(factory=lambda: SendBudget(41.25))
    said: list[dict[str, Any]] = field(factory=list)
    connected: bool = True

    def room(self) -> Room | None:
        return (self.spare, self.budget) if self.connected else None

    def say(self, payload: bytes) -> None:
        self.said.append(ujson.loads(payload)["d"])


class ChunkingTestCase(SynchronousTestCase):
    """Two shards; guilds 0, 2, 4 … are of the first."""

    startup = True

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.cache = Cache()
        self.turns = Turns(self.clock)
        self.fit = True
        self.shards = {shard: Speech(self.clock) for shard in range(TOTAL)}
        self.chunking = Chunking(
            self.clock, self.cache, self.turns, TOTAL, MemberLists("me", presences=True), self.startup
        )
        self.chunking.take_on(self.shards, lambda: self.fit)
        self.lines: list[str] = []
        observer: Any = lambda event: self.lines.append(formatEvent(event))  # noqa: E731
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def tell(self, shard: int, name: str, d: object = None) -> None:
        """An event that is in the cache now."""
        body = d if isinstance(d, bytes) else ujson.dumps({} if d is None else d).encode()
        self.chunking.told([(shard, "session", [(1, "MESSAGE_CREATE", b"{"), (2, name, body)])])
        self.clock.advance(0)

    def begin(self) -> None:
        """New sessions."""
        for shard in range(TOTAL):
            self.tell(shard, "READY")

    def comes(self, *guilds: int, known: int = 1, total: int = 10) -> None:
        """Guilds come by GUILD_CREATE."""
        for guild in guilds:
            self.cache.members[guild] = (known, total)
            self.tell((guild >> 22) % TOTAL, "GUILD_CREATE", {"id": str(guild), "unavailable": False})

    def chunk(self, shard: int, d: dict[str, Any], index: int = 0, count: int = 1) -> None:
        """Discord answers a request."""
        self.tell(
            shard,
            "GUILD_MEMBERS_CHUNK",
            {
                "guild_id": d["guild_id"],
                "nonce": d["nonce"],
                "chunk_index": index,
                "chunk_count": count,
                "members": [{"user": {"id": "7"}}],
            },
        )

    def asked(self, shard: int) -> list[int]:
        """The guilds asked for on a shard so far."""
        return [int(d["guild_id"]) for d in self.shards[shard].said]


class StartupTests(ChunkingTestCase):
    """Each guild that isn't whole, as it comes."""

    def test_as_they_come(self) -> None:
        """Those of which not all are known are asked for, on their shards; of the others nothing is asked."""
        self.begin()
        self.comes(GUILDS[0], GUILDS[1])
        self.comes(GUILDS[2], known=10)
        self.tell(0, "GUILD_CREATE", {"id": str(GUILDS[4]), "unavailable": True})
        self.assertEqual((self.asked(0), self.asked(1)), ([GUILDS[0]], [GUILDS[1]]))
        d = self.shards[0].said[0]
        self.assertEqual(
            d | {"nonce": ""}, {"guild_id": str(GUILDS[0]), "query": "", "limit": 0, "presences": True, "nonce": ""}
        )

    def test_the_next_when_one_has_come(self) -> None:
        """By its last chunk, or because the cache knows all."""
        self.begin()
        self.comes(*GUILDS[::2])
        self.assertEqual(self.asked(0), [GUILDS[0], GUILDS[2]])
        self.chunk(0, self.shards[0].said[0], 1, 2)
        self.assertEqual(len(self.asked(0)), 2)
        self.chunk(0, self.shards[0].said[0], 0, 2)
        self.assertEqual(self.asked(0)[2:], [GUILDS[4]])
        self.cache.members[GUILDS[2]] = (10, 10)
        self.chunk(0, {"guild_id": str(GUILDS[2]), "nonce": "a bot's"})
        self.assertEqual(self.asked(0)[3:], [GUILDS[6]])

    def test_a_lost_list_is_asked_for_again(self) -> None:
        """30 s later, by itself."""
        self.begin()
        self.comes(GUILDS[0])
        self.clock.advance(SILENCE - 1.0)
        self.assertEqual(self.asked(0), [GUILDS[0]])
        self.clock.advance(1.0)
        self.assertEqual(self.asked(0), [GUILDS[0]] * 2)

    def test_rate_limited(self) -> None:
        """The guild is asked for again when Discord says; by a bot neither before."""
        self.begin()
        self.comes(GUILDS[0])
        meta = {"guild_id": str(GUILDS[0]), "nonce": self.shards[0].said[0]["nonce"]}
        self.tell(0, "RATE_LIMITED", {"opcode": 8, "retry_after": 7.0, "meta": meta})
        self.clock.advance(7.0)
        self.assertEqual(len(self.asked(0)), 1)
        self.assertGreater(self.shards[0].spare.ask(GUILDS[0], self.shards[0].budget, self.clock.seconds()), 0.0)
        self.clock.advance(0.5)
        self.assertEqual(len(self.asked(0)), 2)

    def test_new_session(self) -> None:
        """What is under way is dropped by READY; the guilds come again, and are asked for in Discord's time."""
        self.begin()
        self.comes(GUILDS[0], GUILDS[2], GUILDS[4])
        self.tell(0, "READY")
        self.clock.advance(20.0)
        self.assertEqual(len(self.asked(0)), 2)
        self.comes(GUILDS[0])
        self.assertEqual(len(self.asked(0)), 2)
        self.clock.advance(SILENCE)
        self.assertEqual(self.asked(0)[2:], [GUILDS[0]])

    def test_a_guild_that_goes(self) -> None:
        """It is not asked for any more; nor is one in an outage, until it is back."""
        self.begin()
        self.comes(*GUILDS[:8:2])
        self.tell(0, "GUILD_DELETE", {"id": str(GUILDS[4])})
        self.tell(0, "GUILD_DELETE", {"id": str(GUILDS[6]), "unavailable": True})
        self.chunk(0, self.shards[0].said[0])
        self.chunk(0, self.shards[0].said[1])
        self.assertEqual(len(self.asked(0)), 2)
        self.comes(GUILDS[6])
        self.assertEqual(self.asked(0)[2:], [GUILDS[6]])

    def test_an_earlier_processs_session(self) -> None:
        """No GUILD_CREATE comes: the guilds are looked for in the cache, once, and asked for when they may be."""
        self.cache.members = {GUILDS[0]: (1, 10), GUILDS[1]: (1, 10), GUILDS[2]: (10, 10)}
        self.clock.advance(5.0)
        self.comes(GUILDS[4])
        for _ in range(2):
            self.tell(0, "RESUMED")
            self.clock.pump([0] * 5)
        self.assertEqual(self.asked(0), [])
        self.comes(GUILDS[6])
        self.assertEqual(self.asked(0), [GUILDS[6]], "heard of here for the first time")
        self.chunk(0, self.shards[0].said[0])
        self.clock.advance(SILENCE - 5.0)
        self.assertEqual((sorted(self.asked(0)[1:]), self.asked(1)), ([GUILDS[0], GUILDS[4]], []))

    def test_own_session_resumed(self) -> None:
        """Within a process nothing is looked for: what was wanted still is."""
        self.tell(0, "READY")
        self.cache.members = {GUILDS[0]: (1, 10)}
        self.tell(0, "RESUMED")
        self.clock.pump([0] * 5)
        self.clock.advance(SILENCE)
        self.assertEqual(self.asked(0), [])

    def test_looked_for_until_it_works(self) -> None:
        """The cache can't be read just now, or too much waits for its turn: a second later again."""
        self.cache.members = {GUILDS[0]: (1, 10)}
        self.cache.refuses = 2
        add = Turns.add
        refused: list[object] = []

        def refusing(turns: Turns, work: Generator[None, None, Any]) -> Deferred[Any]:
            if not refused:
                refused.append(work)
                raise RequestRefused("too many wait")
            return add(turns, work)

        self.patch(Turns, "add", refusing)
        self.tell(0, "RESUMED")
        self.assertEqual(len(refused), 1)
        for _ in range(8):
            self.clock.advance(1.0)
            self.clock.pump([0] * 3)
        self.clock.advance(SILENCE)
        self.assertEqual(self.asked(0), [GUILDS[0]])

    def test_only_what_can_be_taken(self) -> None:
        """While the broker is away, or the shard, nothing is asked; afterwards it is."""
        self.begin()
        self.fit = False
        self.comes(GUILDS[0])
        self.clock.advance(30.0)
        self.shards[0].connected, self.fit = False, True
        self.clock.advance(30.0)
        self.assertEqual(self.asked(0), [])
        self.shards[0].connected = True
        self.clock.advance(1.0)
        self.assertEqual(self.asked(0), [GUILDS[0]])

    def test_guilds_that_no_event_announces(self) -> None:
        """Without the GUILDS intent those are asked for that the cache knows by READY."""
        lists = MemberLists("me", presences=True)
        self.chunking = Chunking(self.clock, self.cache, self.turns, TOTAL, lists, True, are_announced=False)
        self.chunking.take_on(self.shards, lambda: self.fit)
        self.cache.members = {GUILDS[0]: (1, 10), GUILDS[2]: (10, 10), GUILDS[3]: (1, 10)}
        self.begin()
        self.clock.pump([0.01] * 5)
        self.assertEqual((self.asked(0), self.asked(1)), ([GUILDS[0]], [GUILDS[3]]))

    def test_the_log(self) -> None:
        """It says what is asked for, and when it has come."""
        self.begin()
        self.comes(*GUILDS[:6:2])
        self.clock.advance(5.0)
        self.assertEqual(self.lines, ["asking Discord for the members of 3 guilds (30 members) so far"])
        for number in range(3):
            self.chunk(0, self.shards[0].said[number])
        self.assertEqual(self.lines[1:], ["the members of 3 guilds (30 members) have come from Discord, in 5 s"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_event_does_harm(self) -> None:
        """What can't be read is passed over; a fault is logged, and the next event is heard."""
        self.begin()
        self.comes(GUILDS[0])
        for name in ("READY", "RESUMED", "GUILD_CREATE", "GUILD_DELETE", "GUILD_MEMBERS_CHUNK", "RATE_LIMITED"):
            for d in (b"", b"null", b"[]", b'{"id":"x"}', b'{"guild_id":7}', b"\xff"):
                self.tell(1, name, d)
        self.tell(9, "RATE_LIMITED", {"opcode": 8, "retry_after": 7.0, "meta": {"guild_id": "7"}})
        self.cache.broken = True
        self.tell(0, "GUILD_CREATE", {"id": str(GUILDS[2])})
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.cache.broken = False
        self.comes(GUILDS[4])
        self.assertEqual(self.asked(0), [GUILDS[0], GUILDS[4]])

    def test_stop(self) -> None:
        """Nothing is asked for any more, and nothing is left to be done."""
        self.begin()
        self.comes(GUILDS[0])
        self.chunking.stop()
        self.comes(GUILDS[2])
        self.tell(0, "RESUMED")
        self.clock.pump([0] * 5)
        self.clock.advance(100.0)
        self.assertEqual(self.asked(0), [GUILDS[0]])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class LazyTests(ChunkingTestCase):
    """Only what is waited for."""

    startup = False

    def fetch(self, guild: int) -> Deferred[None]:
        waiting = self.chunking.fetch(guild)
        self.clock.advance(0)
        return waiting

    def test_nothing_by_itself(self) -> None:
        """Guilds come, a session of an earlier process goes on: nobody is asked."""
        self.comes(*GUILDS)
        self.tell(0, "RESUMED")
        self.clock.pump([0] * 5)
        self.clock.advance(100.0)
        self.assertEqual((self.asked(0), self.asked(1)), ([], []))

    def test_fetch(self) -> None:
        """It is asked for once, and all who wait are told when it is there."""
        self.comes(GUILDS[0])
        waiting = [self.fetch(GUILDS[0]) for _ in range(3)]
        self.assertEqual(self.asked(0), [GUILDS[0]])
        self.chunk(0, self.shards[0].said[0], 0, 2)
        self.assertNoResult(waiting[0])
        self.chunk(0, self.shards[0].said[0], 1, 2)
        for each in waiting:
            self.successResultOf(each)

    def test_whole(self) -> None:
        """Though the counts differ: what came whole is not asked for again, until the guild is listed anew."""
        self.comes(GUILDS[0])
        self.fetch(GUILDS[0])
        self.chunk(0, self.shards[0].said[0])
        self.successResultOf(self.fetch(GUILDS[0]))
        self.comes(GUILDS[0])
        self.assertNoResult(self.fetch(GUILDS[0]))

    def test_nothing_to_wait_for(self) -> None:
        """The bot isn't in the guild, it is in an outage, all are known already; or rateway stops."""
        self.cache.members = {GUILDS[0]: (10, 10), GUILDS[2]: (1, 10), GUILDS[4]: (1, 10)}
        self.cache.outages.add(GUILDS[2])
        for guild in (GUILDS[0], GUILDS[2], GUILDS[6]):
            self.successResultOf(self.fetch(guild))
        waiting = self.fetch(GUILDS[4])
        self.chunking.stop()
        self.successResultOf(waiting)
        self.successResultOf(self.fetch(GUILDS[4]))
        self.assertEqual(self.asked(0), [GUILDS[4]])

    def test_not_soon(self) -> None:
        """Discord says that it will be a while: nobody waits for that."""
        self.comes(GUILDS[0])
        waiting = self.fetch(GUILDS[0])
        self.tell(0, "RATE_LIMITED", {"opcode": 8, "retry_after": 20.0, "meta": {"guild_id": str(GUILDS[0])}})
        self.successResultOf(waiting)
        self.successResultOf(self.fetch(GUILDS[0]))

    def test_the_session_ends(self) -> None:
        """Who waits is told."""
        self.comes(GUILDS[0])
        waiting = self.fetch(GUILDS[0])
        self.tell(0, "READY")
        self.successResultOf(waiting)

    def test_who_gives_up(self) -> None:
        """Is told nothing later, and the list comes all the same."""
        self.comes(GUILDS[0])
        waiting = self.fetch(GUILDS[0])
        waiting.addErrback(lambda _: None)
        waiting.cancel()
        self.chunk(0, self.shards[0].said[0])
        self.successResultOf(self.fetch(GUILDS[0]))
        self.assertEqual(self.asked(0), [GUILDS[0]])
