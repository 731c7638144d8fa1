"""The store and the naive world, side by side: what is told to both, and whether they answer the same."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from hypothesis.stateful import RuleBasedStateMachine

from rateway.model.dispatch import Dispatch
from rateway.model.intents import ALL, Intent
from rateway.model.session import Session
from rateway.store import batch
from rateway.store.cache import Cache
from rateway.store.cluster import ClusterStore
from rateway.store.queries import Question, parse_query
from rateway.store.standing import Answer

from .naive.answers import IN_GUILD, SAID, agrees, said, told
from .naive.events import PLACES, TOTAL, Place
from .naive.questions import OF_GUILD, OF_NO_GUILD, Asked
from .naive.table import happen
from .naive.world import World, doubt
from .soundness import faults
from .stores import dispatch, open_store, rows

PER_CLUSTER = 2
MEMORY = Path("/dev/shm")
"""Where a file is memory: nothing here is about the disk."""
UNREADABLE: tuple[tuple[str, Any], ...] = (
    ("GUILD_CREATE", {"name": "of no id"}),
    *(("GUILD_ROLE_CREATE", {"guild_id": str(place.guild), "role": None}) for place in PLACES),
    ("MESSAGE_CREATE", []),
    ("CHANNEL_UPDATE", {"id": "none"}),
    ("INVITE_CREATE", {"code": "x" * 600, "channel_id": "1"}),
)
"""Events that no rule can be applied to: nothing changes."""
SOME = 8
"""Of so many questions one is put where no row changed."""

Parsed: TypeAlias = tuple[Asked, Question]


def parsed(questions: Iterable[Asked]) -> list[Parsed]:
    """The questions, each with what the store makes of it."""
    return [(asked, parse_query(asked[0], asked[1:])) for asked in questions]


AT_LARGE = parsed(OF_NO_GUILD)
ABOUT = {place: parsed(questions) for place, questions in OF_GUILD.items()}
EVERYTHING = [*AT_LARGE, *(each for questions in ABOUT.values() for each in questions)]


class Clock:
    """What the store takes for the time: each batch has its own millisecond."""

    def __init__(self) -> None:
        self.ms = 0

    def time_ns(self) -> int:
        """Nanoseconds since 1970, or so."""
        return self.ms * 1_000_000


class Shard:
    """One shard's session, and what it told so far."""

    def __init__(self, id: int) -> None:
        self.id = id
        self.sessions = 0
        self.log: list[Dispatch] = []

    @property
    def session(self) -> Session:
        """As of its last event."""
        return Session(f"shard {self.id}, session {self.sessions}", "wss://resume.example.invalid", len(self.log))

    def tells(self, name: str, d: object) -> None:
        """An event more; a session begins with READY."""
        if name == "READY":
            self.sessions += 1
            self.log = []
        self.log.append(dispatch(len(self.log) + 1, name, d))


class Twins(RuleBasedStateMachine):
    """Two clusters of two shards each, and three guilds on two of them."""

    intents = int(ALL)
    cap = 3

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None, prefix="rateway-model-"))
        self.clock = Clock()
        self.real_time = vars(batch)["time"]
        vars(batch)["time"] = self.clock
        self.shards = [Shard(id) for id in range(TOTAL)]
        self.worlds: dict[int, World] = {}
        self.stores: dict[int, ClusterStore] = {}
        self.unreadable = dict.fromkeys(range(1, TOTAL // PER_CLUSTER + 1), 0)
        for number in self.unreadable:
            everybody = bool(self.intents & Intent.GUILD_MEMBERS)
            self.worlds[number] = World(TOTAL, self.cap, everybody)
            self.stores[number] = self.open(number)
        self.cache = self.reader()
        self.given: dict[int, tuple[int, int]] = {}

    def open(self, number: int) -> ClusterStore:
        """Open a cluster's store."""
        shards = range(PER_CLUSTER * (number - 1), PER_CLUSTER * number)
        folder = self.folder / f"cluster-{number}"
        return open_store(
            folder, shards=shards, total=TOTAL, messages=self.cap, intents=self.intents, initial_size=1 << 18
        )

    def reader(self) -> Cache:
        """What answers."""
        return Cache(self.folder, total=TOTAL, per_cluster=PER_CLUSTER, own=self.stores, enabled=True)

    def cluster(self, shard: int) -> int:
        """The number of a shard's cluster."""
        return shard // PER_CLUSTER + 1

    def tell(self, shard: int, name: str, d: Any) -> None:
        """An event happens: to the world at once; to the store, when the shard's log is given to it."""
        self.shards[shard].tells(name, d)
        if isinstance(d, dict) and (name, d) not in UNREADABLE:
            happen(self.worlds[self.cluster(shard)], shard, name, d)
        else:
            self.unreadable[self.cluster(shard)] += 1
            doubt(self.worlds[self.cluster(shard)], d)

    def give(self, *reads: tuple[int, int], more: int = 0, lag: int = 0) -> None:
        """To the clusters' stores, in one batch each, what was told: of each read the shard and how many events.

        :param more: how many events that the store was given before are repeated.
        :param lag: how many of the last events the broker has not confirmed yet.
        """
        for number, store in self.stores.items():
            told = []
            for shard, count in reads:
                if self.cluster(shard) == number:
                    told.append(self.read(self.shards[shard], count, more))
            if told and (not store.begin(told) or self.run(store)) and not store.pass_over(told):
                store.apply(told, {})
            if told:
                store.apply([], {shard: (session.id, max(1, session.seq - lag)) for shard, session, _ in told})

    def read(self, shard: Shard, count: int, more: int = 0) -> tuple[int, Session, list[Dispatch]]:
        """The next events of a shard, and some before."""
        session, start = self.given.get(shard.id, (0, 0))
        if session != shard.sessions:
            start = 0
        end = start + count
        self.given[shard.id] = shard.sessions, end
        return shard.id, shard.session.at(end), shard.log[max(0, start - more) : end]

    def run(self, store: ClusterStore) -> bool:
        """Do the long work that was begun; nothing is left to apply."""
        while not store.step():
            pass
        store.finish()
        return False

    def tick(self) -> None:
        """A batch later."""
        self.clock.ms += 1
        for world in self.worlds.values():
            world.now = self.clock.ms

    def leave_files(self, number: int) -> None:
        """Go on with the files as they are now, and put the store that wrote them out of the way."""
        folder = self.folder / f"cluster-{number}"
        copy, old = folder.with_name("copy"), self.stores.pop(number)
        shutil.copytree(folder, copy)
        old.close()
        shutil.rmtree(folder)
        copy.rename(folder)

    def reopen(self, number: int, before: dict[bytes, bytes]) -> None:
        """A new process: it is offered the sessions, and each shard resumes where its store and its broker were.

        What is replayed was applied, so that nothing changes by it.

        :param before: the rows that were there.
        """
        self.cache.close()
        self.stores[number] = store = self.open(number)
        self.unreadable[number] = 0
        self.cache = self.reader()
        offered = store.sessions()
        for shard in self.shards[PER_CLUSTER * (number - 1) : PER_CLUSTER * number]:
            resumable = offered[shard.id]
            assert resumable.session.id == shard.session.id, "another session is offered"
            assert not resumable.refill, "the cache is whole"
            self.tick()
            missed = shard.log[resumable.session.seq : self.given[shard.id][1]]
            if missed:
                store.apply([(shard.id, shard.session.at(missed[-1][0]), missed)], {})
        self.same_rows(number, before)

    def same_rows(self, number: int, before: dict[bytes, bytes]) -> None:
        """The store's rows are those before, to the byte; whether a guild is in doubt is seen by its answers."""
        after = rows(self.stores[number])
        changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        changed -= {key for key in changed if key[:1] == b"!"}
        assert not changed, f"rows changed: {sorted(changed)}"

    def put_some(self) -> None:
        """Where no row changed, no answer does: some questions show that the rows are read, others the next time."""
        self.put(EVERYTHING[self.clock.ms % SOME :: SOME])

    def compare(self, *places: Place) -> None:
        """Every question to both, or those about some guilds, and about none; and a look at the rows."""
        if places:
            self.put([*AT_LARGE, *(each for place in places for each in ABOUT[place])])
        else:
            self.put(EVERYTHING)
        for store in self.stores.values():
            wrong = faults(rows(store))
            assert not wrong, wrong

    def put(self, questions: Iterable[Parsed]) -> None:
        """The questions to both: the answers are the same, and what they say of themselves is true."""
        for number, store in self.stores.items():
            assert store.failures <= self.unreadable[number] and not store.stopped, "an event could not be applied"
        worlds = list(self.worlds.values())
        for (kind, *ids), question in questions:
            guild = ids[1] if kind == "VoiceState" else ids[0] if ids else 0
            assert isinstance(guild, int)
            shard = (guild >> 22) % TOTAL
            owner = self.worlds[self.cluster(shard)]
            answer = self.ask(question)
            found = None if answer.body is None else msgspec.json.decode(answer.body)
            expected = told(worlds, owner, kind, ids)
            right = agrees(kind, ids, found, expected)
            assert right, f"{kind} {ids}: the store says {found}, it should be {expected}"
            if kind not in IN_GUILD or (kind == "VoiceState" and guild not in owner.guilds):
                if not isinstance(found, dict) or "guild_id" not in found:
                    continue
                # Found by its own id: the answer says whose it is.
                guild = int(found["guild_id"])
                shard = (guild >> 22) % TOTAL
                owner = self.worlds[self.cluster(shard)]
            headers = {name: value for name, value in answer.headers.items() if name in SAID}
            claims = said(owner, kind, guild)
            assert headers == claims, f"{kind} {ids}: its headers say {headers}, they should say {claims}"
            seq, given = answer.headers["as_of_seq"], self.given[shard][1]
            assert seq == given, f"{kind} {ids} is as of {seq}, not of {given}"

    def ask(self, question: Question) -> Answer:
        """The store's answer."""
        return self.cache.answer(question)
