"""Events that are short and have very many rows to remove: no slice of them is long, and memory is bounded."""

from __future__ import annotations

import shutil
import tracemalloc
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rateway.model.dispatch import Dispatch
from rateway.store import batch, keys
from rateway.store.cluster import ClusterStore
from rateway.store.updates import people, slices
from rateway.store.updates.slices import SLICE

from . import samples as s
from .counting import Counting
from .soundness import faults
from .stores import SESSION, dispatch, feed, open_store, rows

ROWS = 1000
OF_GUILD = {"guild_id": str(s.GUILD)}
FIRST = 10**9


def chunk(number: int, members: int = ROWS, guild: int = s.GUILD) -> dict[str, Any]:
    """A GUILD_MEMBERS_CHUNK; every member is online."""
    users = range(FIRST + number * members, FIRST + (number + 1) * members)
    return {
        "guild_id": str(guild),
        "members": [s.member(user, f"user{user}") for user in users],
        "presences": [s.presence(user) for user in users],
        "chunk_index": 0,
        "chunk_count": 1,
    }


class SlicesTestCase(SynchronousTestCase):
    """A store with the sample guild, which has many of everything."""

    template: Path | None = None

    def setUp(self) -> None:
        self.seq = 0

    def open(self, like: Path | None = None) -> ClusterStore:
        folder = Path(self.mktemp()).absolute() / "cluster-1"
        if like is not None:
            shutil.copytree(like, folder)
        store = open_store(folder, messages=ROWS, initial_size=16 << 20)
        self.addCleanup(store.close)
        return store

    def event(self, name: str, d: object) -> Dispatch:
        self.seq += 1
        return dispatch(self.seq, name, d)

    def feed(self, store: ClusterStore, *events: tuple[str, object]) -> None:
        feed(store, *(self.event(*event) for event in events))

    def filled(self) -> ClusterStore:
        """A store like one that was filled once for all."""
        template = SlicesTestCase.template
        if template is None:
            store = self.open()
            self.fill(store)
            store.close()
            template = SlicesTestCase.template = store.environment.path.parent
        store = self.open(template)
        self.seq = store._sessions[0].applied
        return store

    def fill(self, store: ClusterStore) -> None:
        """Members with presences, and messages in a channel, in a thread below it, and in a post."""
        self.feed(
            store,
            ("READY", s.ready(s.GUILD, s.OTHER)),
            ("GUILD_CREATE", s.guild()),
            ("GUILD_CREATE", s.bare_guild(s.OTHER)),
            ("THREAD_CREATE", s.thread(ROWS, s.GENERAL) | OF_GUILD),
            ("GUILD_MEMBERS_CHUNK", chunk(0)),
            # The first hundred are members elsewhere, too.
            ("GUILD_MEMBERS_CHUNK", chunk(0, 100, s.OTHER)),
            *(
                ("MESSAGE_CREATE", s.message(FIRST + number, channel) | OF_GUILD)
                for channel in (s.GENERAL, ROWS, s.POST)
                for number in range(ROWS)
            ),
        )

    def go_through(self, store: ClusterStore, name: str, d: object) -> tuple[int, int]:
        """Put the event in, slice by slice: the number of slices, and the most that one asked of LMDB."""
        event = self.event(name, d)
        environment = store.environment
        writing = environment.writing
        made: list[Counting] = []

        def counted() -> Any:
            made.append(Counting(writing()))
            return made[-1]

        number = worst = 0
        environment.writing = counted  # type: ignore[method-assign]
        try:
            self.assertTrue(store.begin([(0, SESSION.at(event[0]), [event])]), name)
            done = False
            while not done:
                before = made[-1].count if made else 0
                done = store.step()
                number += 1
                worst = max(worst, made[-1].count - before)
            store.finish()
        finally:
            environment.writing = writing  # type: ignore[method-assign]
        self.assertEqual(store.failures, 0)
        return number, worst


def timeless(store: ClusterStore) -> dict[bytes, bytes]:
    """The rows, without when users were seen."""
    return {key: row[8:] if key[:1] == b"U" else row for key, row in rows(store).items()}


REMOVALS: tuple[tuple[str, Any], ...] = (
    ("THREAD_DELETE", s.thread()),
    ("THREAD_UPDATE", s.thread(archived=True)),
    ("THREAD_CREATE", s.thread(archived=True)),
    ("THREAD_LIST_SYNC", OF_GUILD | {"threads": []}),
    ("THREAD_LIST_SYNC", OF_GUILD | {"threads": [], "channel_ids": [str(s.GENERAL)]}),
    ("CHANNEL_DELETE", s.channel(s.GENERAL) | OF_GUILD),
    ("CHANNEL_UPDATE", s.channel(s.GENERAL, flags=1 << 17) | OF_GUILD),
    ("GUILD_CREATE", s.bare_guild(s.GUILD)),
    ("GUILD_CREATE", s.guild()),
    ("GUILD_DELETE", {"id": str(s.GUILD)}),
    ("READY", s.ready()),
)


class SlicesTests(SlicesTestCase):
    """Slice by slice."""

    def test_no_slice_is_long(self) -> None:
        """Whatever the event, and however short, if there may be much to remove."""
        for name, d in REMOVALS:
            number, worst = self.go_through(self.filled(), name, d)
            self.assertGreaterEqual(number, ROWS * 2 // SLICE, name)
            self.assertLess(worst, SLICE * 6, name)

    def test_chunk_of_members(self) -> None:
        """Many members at once are no one slice either."""
        number, worst = self.go_through(self.filled(), "GUILD_MEMBERS_CHUNK", chunk(7))
        self.assertGreater(number, ROWS * 2 // SLICE)
        self.assertLess(worst, SLICE * 10)


class PartsTests(SlicesTestCase):
    """What is gathered is carried out before more is."""

    def test_the_same_comes_of_it(self) -> None:
        """Rows that are gone before others are looked for change nothing in what comes of it."""
        self.patch(slices, "SLICE", 100)
        for name, d in REMOVALS:
            outcomes = []
            for gathered in (10**9, 1):
                self.patch(batch, "GATHERED", gathered)
                store = self.filled()
                self.feed(store, (name, d))
                self.assertEqual(store.failures, 0)
                self.assertEqual(faults(rows(store)), [], name)
                outcomes.append(timeless(store))
            self.assertTrue(outcomes[0] == outcomes[1], name)

    def test_the_file_grows_in_between(self) -> None:
        """The parts that were carried out are lost with the transaction, and come again."""
        self.patch(batch, "GATHERED", 1)
        whole, again = self.filled(), self.filled()
        gone = self.event("GUILD_DELETE", {"id": str(s.GUILD)})
        feed(whole, gone)
        writing = again.environment.writing
        made: list[Counting] = []

        def once_full() -> Any:
            made.append(Counting(writing(), 0 if made else ROWS))
            return made[-1]

        self.patch(again.environment, "writing", once_full)
        self.assertTrue(again.begin([(0, SESSION.at(gone[0]), [gone])]))
        again.finish()
        self.assertEqual(len(made), 2)
        self.assertEqual((again.stopped, again.failures), (False, 0))
        self.assertTrue(timeless(again) == timeless(whole))

    def test_unreadable(self) -> None:
        """An event changes nothing if any of it can't be read, wherever that is."""
        self.patch(batch, "GATHERED", 1)
        store = self.filled()
        before = timeless(store)
        for number, (name, d) in enumerate(
            (
                ("GUILD_CREATE", s.bare_guild(s.GUILD, members=[{"user": "nobody"}])),
                ("GUILD_CREATE", s.bare_guild(s.GUILD, presences="none")),
                ("GUILD_CREATE", s.bare_guild(s.GUILD, voice_states=[{}])),
                ("READY", s.ready(1 << 64)),
                ("THREAD_LIST_SYNC", OF_GUILD | {"threads": [], "members": [{}]}),
                ("THREAD_MEMBERS_UPDATE", OF_GUILD | {"id": str(s.POST), "added_members": [{}]}),
            ),
            start=1,
        ):
            self.feed(store, (name, d))
            self.assertEqual(store.failures, number, name)
            after = {key: row for key, row in timeless(store).items() if key != keys.stale(s.GUILD)}
            self.assertTrue(after == before, name)
        self.flushLoggedErrors()

    def test_fault_in_between(self) -> None:
        """A guild that can't be emptied, for a fault of ours, is marked as stale, and is still known."""
        self.patch(batch, "GATHERED", 1)
        store = self.filled()
        forget = people.forget_members
        left = ROWS // 2

        def faulty(*arguments: Any) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise ZeroDivisionError
            forget(*arguments)

        self.patch(people, "forget_members", faulty)
        self.feed(store, ("GUILD_DELETE", {"id": str(s.GUILD)}))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        found = rows(store)
        self.assertIn(keys.stale(s.GUILD), found)
        self.assertEqual(faults(found), [])
        self.patch(people, "forget_members", forget)
        self.feed(store, ("GUILD_DELETE", {"id": str(s.GUILD)}))
        self.assertFalse([key for key in rows(store) if key[1:9] == keys.number(s.GUILD)])

    def test_memory(self) -> None:
        """However many members go, a few thousand changes are held at once: less than a megabyte."""
        many = 12
        for name, d in (
            ("GUILD_DELETE", {"id": str(s.GUILD)}),
            ("GUILD_CREATE", s.bare_guild(s.GUILD)),
            ("READY", s.ready()),
        ):
            store = self.open()
            self.feed(
                store,
                ("READY", s.ready(s.GUILD)),
                ("GUILD_CREATE", s.bare_guild(s.GUILD)),
                *(("GUILD_MEMBERS_CHUNK", chunk(number)) for number in range(many)),
            )
            event = self.event(name, d)
            tracemalloc.start()
            self.addCleanup(tracemalloc.stop)
            feed(store, event)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            self.assertLess(sum(key[:1] == b"M" for key in rows(store)), 2)
            self.assertLess(peak, 1 << 20, name)
