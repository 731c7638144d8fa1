"""The store and the naive world, driven side by side: events, replays, restarts, crashes, new sessions."""

from __future__ import annotations

import shutil
from random import Random
from typing import TypeAlias

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from rateway.store import batch

from . import samples as s
from .naive.events import PLACES, TOTAL, Draw, Place
from .naive.happenings import HAPPENINGS, WITHOUT_EFFECT
from .naive.themes import THEMES
from .stores import rows
from .twins import UNREADABLE, Twins

WRITTEN = 6
"""Messages of a guild's at first."""
Chosen: TypeAlias = list[tuple[str, int]]
"""Names of events, each with what its choices are drawn from."""


def drawn(theme: tuple[str, ...], count: int, seed: int) -> Chosen:
    """Events of a theme. They come out of one number: hypothesis likes to draw the same ones again, and small ones.

    Fewer of them are the first of these, so that hypothesis finds out how many are needed.
    """
    random = Random(seed)
    return [(random.choice(theme), random.getrandbits(24)) for _ in range(count)]


def events(least: int, most: int) -> st.SearchStrategy[Chosen]:
    """From so many to so many events of one theme."""
    return st.builds(drawn, st.sampled_from(THEMES), st.integers(least, most), st.integers(0, (1 << 24) - 1))


places = st.sampled_from(PLACES)
reads = st.lists(st.tuples(places, events(4, 24)), min_size=1, max_size=3)
replayed = st.sampled_from((0, 0, 0, 1, 3, 20))
unconfirmed = st.sampled_from((0, 0, 0, 1, 5, 40))


class StoreMachine(Twins):
    """Whatever may happen, in any order."""

    @initialize(salts=st.lists(st.integers(0, 1 << 16), min_size=len(PLACES), max_size=len(PLACES)))
    def start(self, salts: list[int]) -> None:
        """Every shard's first session, and guilds with everything in them, and some messages; one comes by surprise."""
        self.tick()
        for shard in range(TOTAL):
            self.tell(shard, "READY", s.ready(*(place.guild for place in PLACES[:2] if place.shard == shard)))
        for place, salt in zip(PLACES, salts, strict=True):
            self.tell(place.shard, "GUILD_CREATE", HAPPENINGS["GUILD_CREATE"](Draw(place, salt, whole=True)))
            self.draw(place, drawn(("MESSAGE_CREATE",), WRITTEN, salt))
        self.give(*((shard, 1) for shard in range(TOTAL)), *((place.shard, 1 + WRITTEN) for place in PLACES))
        self.compare()

    def happen(self, reads: list[tuple[Place, Chosen]], again: int, lag: int) -> None:
        """Some reads of some shards, in one batch; with a replay of what was applied before."""
        self.tick()
        for place, chosen in reads:
            self.draw(place, chosen)
        self.give(*((place.shard, len(chosen)) for place, chosen in reads), more=again, lag=lag)
        self.compare(*{place for place, _ in reads})

    # Most of what happens are events: as rules of their own they are chosen so much more often.
    some_events = rule(reads=reads, again=replayed, lag=unconfirmed)(happen)
    more_events = rule(reads=reads, again=replayed, lag=unconfirmed)(happen)
    other_events = rule(reads=reads, again=replayed, lag=unconfirmed)(happen)

    @rule(shard=st.sampled_from([place.shard for place in PLACES]), which=st.integers(0, len(UNREADABLE) - 1))
    def unreadable_event(self, shard: int, which: int) -> None:
        """An event that can't be read changes nothing, but for what is thought of its guild."""
        self.tick()
        number = self.cluster(shard)
        before = rows(self.stores[number])
        self.tell(shard, *UNREADABLE[which])
        self.give((shard, 1))
        self.same_rows(number, before)
        self.put_some()

    @rule(shard=st.integers(0, TOTAL - 1), left=st.sets(places, max_size=1))
    def identify(self, shard: int, left: set[Place]) -> None:
        """A new session: it lists the shard's guilds; one may have been left meanwhile."""
        self.tick()
        self.tell(shard, "READY", s.ready(*(place.guild for place in {*PLACES} - left if place.shard == shard)))
        self.give((shard, 1))
        self.compare()

    @rule(number=st.sampled_from((1, 2)))
    def restart(self, number: int) -> None:
        """The process ends in order, and another begins."""
        before = rows(self.stores[number])
        self.stores[number].close()
        self.reopen(number, before)
        self.put_some()

    @rule(number=st.sampled_from((1, 2)))
    def die(self, number: int) -> None:
        """The process is killed: what it had written is the kernel's, and there for the next one."""
        before = rows(self.stores[number])
        self.leave_files(number)
        self.reopen(number, before)
        self.put_some()

    @rule(place=places, before=events(0, 4), steps=st.integers(0, 3))
    def die_amid_work(self, place: Place, before: Chosen, steps: int) -> None:
        """The process is killed while it removes a guild: nothing of that batch is there, and it comes again."""
        self.tick()
        shard, number = self.shards[place.shard], self.cluster(place.shard)
        store, kept, given = self.stores[number], rows(self.stores[number]), self.given[place.shard]
        chosen = [*before, ("GUILD_DELETE", 1)]
        self.draw(place, chosen)
        assert store.begin([self.read(shard, len(chosen))])
        for _ in range(steps):
            store.step()
        self.given[shard.id] = given
        self.leave_files(number)
        self.reopen(number, kept)
        self.give((shard.id, len(chosen)))
        self.compare(place)

    def draw(self, place: Place, chosen: Chosen) -> None:
        """These events happen to a guild."""
        for name, salt in chosen:
            make = HAPPENINGS.get(name) or WITHOUT_EFFECT[name]
            self.tell(place.shard, name, make(Draw(place, salt)))

    def teardown(self) -> None:
        """Every question is put; and once the bot is in no guild any more, no row of any is left."""
        try:
            self.compare()
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
