"""The store and the naive world, driven side by side: events, replays, restarts, crashes, new sessions."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from rateway.model.dispatch import Dispatch
from rateway.model.intents import ALL, Intent
from rateway.model.session import Session
from rateway.store import batch
from rateway.store.cache import Cache
from rateway.store.cluster import ClusterStore

from . import samples as s
from .naive.answers import told
from .naive.events import PLACES, TOTAL, Draw
from .naive.happenings import HAPPENINGS, WITHOUT_EFFECT
from .naive.questions import QUESTIONS
from .naive.table import happen
from .naive.world import World
from .stores import dispatch, open_store, rows

PER_CLUSTER = 2
MEMORY = Path("/dev/shm")
"""Where a file is memory: nothing here is about the disk."""
OFTEN = (
    *("GUILD_CREATE", "VOICE_STATE_UPDATE", "GUILD_MEMBER_ADD", "THREAD_CREATE", "MESSAGE_UPDATE") * 3,
    *("MESSAGE_CREATE",) * 12,
    *("MESSAGE_REACTION_ADD", "THREAD_LIST_SYNC", "PRESENCE_UPDATE", "CHANNEL_UPDATE") * 2,
)
"""More often than others, so that there is something for those to change."""
UNREADABLE: tuple[tuple[str, Any], ...] = (
    ("GUILD_CREATE", {"name": "of no id"}),
    ("GUILD_ROLE_CREATE", {"guild_id": str(PLACES[0].guild), "role": None}),
    ("MESSAGE_CREATE", []),
    ("CHANNEL_UPDATE", {"id": "none"}),
    ("INVITE_CREATE", {"code": "x" * 600, "channel_id": "1"}),
)
"""Events that no rule can be applied to: nothing changes."""

choices = st.tuples(st.sampled_from((*HAPPENINGS, *OFTEN, *WITHOUT_EFFECT)), st.integers(0, 1 << 16))
reads = st.lists(st.tuples(st.sampled_from(PLACES), st.lists(choices, min_size=4, max_size=15)), min_size=1, max_size=3)
places = st.sampled_from(PLACES)


class _Clock:
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


class StoreMachine(RuleBasedStateMachine):
    """Two clusters of two shards each, and three guilds on two of them."""

    intents = int(ALL)
    cap = 3

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None, prefix="rateway-model-"))
        self.clock = _Clock()
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

    def give(self, *reads: tuple[int, int], more: int = 0) -> None:
        """To the clusters' stores, in one batch each, what was told: of each read the shard and how many events.

        :param more: how many events that the store was given before are repeated.
        """
        for number, store in self.stores.items():
            told = []
            for shard, count in reads:
                if self.cluster(shard) == number:
                    told.append(self.read(self.shards[shard], count, more))
            if told and (not store.begin(told) or self.run(store)):
                store.apply(told, {})
            if told:
                store.apply([], {shard: (session.id, session.seq) for shard, session, _ in told})

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

    @initialize(salts=st.lists(st.integers(0, 1 << 16), min_size=len(PLACES), max_size=len(PLACES)))
    def start(self, salts: list[int]) -> None:
        """Every shard's first session, and guilds with everything in them; one comes by surprise."""
        self.given: dict[int, tuple[int, int]] = {}
        self.tick()
        for shard in range(TOTAL):
            self.tell(shard, "READY", s.ready(*(place.guild for place in PLACES[:2] if place.shard == shard)))
        for place, salt in zip(PLACES, salts, strict=True):
            self.tell(place.shard, "GUILD_CREATE", HAPPENINGS["GUILD_CREATE"](Draw(place, salt, whole=True)))
        self.give(*((shard, 1) for shard in range(TOTAL)), *((place.shard, 1) for place in PLACES))
        self.compare()

    @rule(reads=reads, again=st.sampled_from((0, 0, 0, 1, 3, 20)))
    def events(self, reads: list[tuple[Any, list[tuple[str, int]]]], again: int) -> None:
        """Some reads of some shards, in one batch; with a replay of what was applied before."""
        self.tick()
        for place, chosen in reads:
            for name, salt in chosen:
                make = HAPPENINGS.get(name) or WITHOUT_EFFECT[name]
                self.tell(place.shard, name, make(Draw(place, salt)))
        self.give(*((place.shard, len(chosen)) for place, chosen in reads), more=again)
        self.compare(*{place for place, _ in reads})

    @rule(shard=st.integers(0, TOTAL - 1), which=st.integers(0, len(UNREADABLE) - 1))
    def unreadable_event(self, shard: int, which: int) -> None:
        """An event that can't be read, amid others that can."""
        self.tick()
        self.tell(shard, *UNREADABLE[which])
        self.give((shard, 1))
        self.compare()

    @rule(shard=st.integers(0, TOTAL - 1), listed=st.sets(places))
    def identify(self, shard: int, listed: set[Any]) -> None:
        """A new session: it lists some guilds; the others were left."""
        self.tick()
        self.tell(shard, "READY", s.ready(*sorted(place.guild for place in listed if place.shard == shard)))
        self.give((shard, 1))
        self.compare()

    @rule(number=st.sampled_from((1, 2)))
    def restart(self, number: int) -> None:
        """The process ends in order, and another begins."""
        self.stores[number].close()
        self.reopen(number)

    @rule(number=st.sampled_from((1, 2)))
    def die(self, number: int) -> None:
        """The process is killed: what it had written is the kernel's, and there for the next one."""
        self.leave_files(number)
        self.reopen(number)

    @rule(place=places, chosen=st.lists(choices, max_size=4), steps=st.integers(0, 3))
    def die_amid_work(self, place: Any, chosen: list[tuple[str, int]], steps: int) -> None:
        """The process is killed while it removes a guild: nothing of that batch is there, and it comes again."""
        self.tick()
        shard = self.shards[place.shard]
        for name, salt in [*chosen, ("GUILD_DELETE", 1)]:
            make = HAPPENINGS.get(name) or WITHOUT_EFFECT[name]
            self.tell(place.shard, name, make(Draw(place, salt)))
        before = self.given[shard.id]
        store = self.stores[self.cluster(shard.id)]
        assert store.begin([self.read(shard, len(chosen) + 1)])
        for _ in range(steps):
            store.step()
        self.given[shard.id] = before
        self.leave_files(self.cluster(shard.id))
        self.reopen(self.cluster(shard.id), lost=1)
        self.give((shard.id, len(chosen) + 1))
        self.compare(place)

    def leave_files(self, number: int) -> None:
        """Go on with the files as they are now, and put the store that wrote them out of the way."""
        folder = self.folder / f"cluster-{number}"
        copy, old = folder.with_name("copy"), self.stores.pop(number)
        shutil.copytree(folder, copy)
        old.close()
        shutil.rmtree(folder)
        copy.rename(folder)

    def reopen(self, number: int, lost: int = 0) -> None:
        """A new process: it is offered the sessions, and each shard resumes where its store was."""
        self.cache.close()
        self.stores[number] = store = self.open(number)
        self.unreadable[number] = 0 if not lost else self.unreadable[number]
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
        if not lost:
            self.compare()

    def compare(self, *places: Any) -> None:
        """Every question, or those about some guilds, to both."""
        for number, store in self.stores.items():
            assert store.failures <= self.unreadable[number] and not store.stopped, "an event could not be applied"
        worlds = list(self.worlds.values())
        for kind, *ids in (question for place in places or PLACES for question in QUESTIONS[place]):
            guild = ids[1] if kind == "VoiceState" else ids[0] if ids else 0
            assert isinstance(guild, int)
            owner = self.worlds[self.cluster((guild >> 22) % TOTAL)]
            answer = self.cache.query(kind, ids)
            found = None if answer is None else msgspec.json.decode(answer)
            expected = told(worlds, owner, kind, ids)
            assert found == expected, f"{kind} {ids}: the store says {found}, it should be {expected}"

    def teardown(self) -> None:
        """Once the bot is in no guild any more, no row of any is left."""
        try:
            self.cleared()
        finally:
            vars(batch)["time"] = self.real_time
            self.cache.close()
            for store in self.stores.values():
                store.close()
            shutil.rmtree(self.folder)

    def cleared(self) -> None:
        """Leave all guilds, and count the rows."""
        for shard in range(TOTAL):
            self.tell(shard, "READY", s.ready())
        self.give(*((shard, 1) for shard in range(TOTAL)))
        self.compare()
        for number, store in self.stores.items():
            left = [key for key in rows(store) if key[:1] not in PRIVATE_ROWS]
            users = self.worlds[number].users
            assert len(left) == 0, sorted(left)
            assert sum(key[:1] == b"U" for key in rows(store)) == len(users), users


PRIVATE_ROWS = (b"U", b"m", b"q", b"X", b"x", b"N", b"n")
"""First bytes of the rows of users, private channels, and their messages."""
