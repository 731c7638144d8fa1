"""Huge events, put into the store slice by slice."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import lmdb
import ujson
from twisted.trial.unittest import SynchronousTestCase

from rateway.model.dispatch import Dispatch
from rateway.store import keys
from rateway.store.cache import Cache
from rateway.store.cluster import ClusterStore
from rateway.store.longwork import LongWork
from rateway.store.shapes import OBFUSCATED
from rateway.store.transaction import RUN
from rateway.store.updates.slices import SLICE

from . import samples as s
from .counting import Counting
from .stores import SESSION, dispatch, feed, open_store, rows

MEMBERS = 3000
ROOT = Path(__file__).resolve().parents[2]


def huge(members: int = MEMBERS, first: int = 10**9) -> dict[str, Any]:
    """A guild with many members, presences and threads."""
    people = [s.member(user, f"user{user}") for user in range(first, first + members)]
    return {
        **s.guild(),
        "members": people,
        "presences": [s.presence(user) for user in range(first, first + members // 3)],
        "threads": [s.thread(post) for post in range(first, first + members // 10)],
    }


def applied(store: ClusterStore) -> int:
    """The cursor of shard 0."""
    return store._sessions[0].applied


class LongWorkTests(SynchronousTestCase):
    """One transaction, in slices."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.store = self.open("cluster-1")
        feed(self.store, dispatch(1, "READY", s.ready(s.GUILD)))

    def open(self, name: str, **options: Any) -> ClusterStore:
        store = open_store(self.folder / name, **options)
        self.addCleanup(store.close)
        return store

    def begin(self, *events: Dispatch, store: ClusterStore | None = None) -> bool:
        at = SESSION.at(events[-1][0])
        return (store or self.store).begin([(0, at, events)])

    def steps(self, store: ClusterStore | None = None) -> int:
        """How many slices it took; committed then."""
        store, count = store or self.store, 1
        while not store.step():
            count += 1
        store.finish()
        self.assertFalse(store.busy)
        return count

    def test_the_same_comes_of_it(self) -> None:
        """As in one go, for a guild that comes, comes again with other members, and leaves."""
        whole = self.open("whole")
        feed(whole, dispatch(1, "READY", s.ready(s.GUILD)))
        for seq, name, d in (
            (2, "GUILD_CREATE", huge()),
            (3, "GUILD_CREATE", huge(first=10**9 + MEMBERS // 2)),
            (4, "GUILD_DELETE", {"id": str(s.GUILD)}),
        ):
            event = dispatch(seq, name, d)
            feed(whole, event)
            self.assertTrue(self.begin(event))
            self.assertGreater(self.steps(), MEMBERS // SLICE)
            without_times = [
                {key: row[8:] if key[:1] == b"u" else row for key, row in rows(store).items()}
                for store in (self.store, whole)
            ]
            self.assertEqual(without_times[0].keys(), without_times[1].keys())
            self.assertTrue({key[:1] for key in without_times[0]})
        self.assertEqual(self.store.sessions(), whole.sessions())

    def test_only_what_may_be_long(self) -> None:
        """What is frequent and mostly short is put in at once, unless a glance says that it may have much to remove."""
        thread = {"id": str(s.POST), "guild_id": str(s.GUILD)}
        removed = thread | {"removed_member_ids": [str(s.ALICE)]}
        keeping = self.open("keeping", messages=3)
        self.assertTrue(self.begin(dispatch(9, "THREAD_MEMBERS_UPDATE", removed), store=keeping))
        for name, d, expected in (
            ("MESSAGE_CREATE", s.message(10), False),
            ("CHANNEL_UPDATE", {"id": str(s.GENERAL), "guild_id": str(s.GUILD), "flags": 0}, False),
            ("CHANNEL_UPDATE", {"id": str(s.GENERAL), "guild_id": str(s.GUILD), "flags": OBFUSCATED}, True),
            ("CHANNEL_DELETE", {"id": str(s.GENERAL), "guild_id": str(s.GUILD)}, True),
            ("THREAD_UPDATE", thread | {"thread_metadata": {"archived": False}}, False),
            ("THREAD_UPDATE", thread | {"thread_metadata": {"archived": True}}, True),
            ("THREAD_MEMBERS_UPDATE", removed, False),
        ):
            self.assertEqual(self.begin(dispatch(9, name, d)), expected, name)
            self.store.finish()

    def test_no_slice_is_long(self) -> None:
        """Each reads or writes a few hundred rows at most, however many the guild has."""
        worst = 0

        environment = self.store.environment
        writing = environment.writing
        made: list[Counting] = []

        def counted() -> Any:
            made.append(Counting(writing()))
            return made[-1]

        feed(self.store, dispatch(2, "GUILD_CREATE", huge()))
        self.patch(environment, "writing", counted)
        self.assertTrue(self.begin(dispatch(3, "GUILD_DELETE", {"id": str(s.GUILD)})))
        done = False
        while not done:
            before = made[-1].count if made else 0
            done = self.store.step()
            worst = max(worst, made[-1].count - before)
        self.store.finish()
        self.assertGreater(sum(each.count for each in made), MEMBERS * 3)
        self.assertLess(worst, SLICE * 6)

    def test_rows_are_written_in_order(self) -> None:
        """Of their keys, as in one go, in whatever order Discord lists the members; but for what follows from them."""
        guild = huge(MEMBERS * 3)
        Random(7).shuffle(guild["members"])
        store = self.open("large", initial_size=64 << 20)
        feed(store, dispatch(1, "READY", s.ready(s.GUILD)))
        written: list[bytes] = []

        class Noting:
            """A transaction that notes what is put."""

            def __init__(self, transaction: Any) -> None:
                self.transaction = transaction

            def __getattr__(self, name: str) -> Any:
                return getattr(self.transaction, name)

            def put(self, key: bytes, value: bytes) -> None:
                written.append(key)
                self.transaction.put(key, value)

        writing = store.environment.writing
        self.patch(store.environment, "writing", lambda: Noting(writing()))
        self.assertTrue(self.begin(dispatch(2, "GUILD_CREATE", guild), store=store))
        self.steps(store)
        *rows, session = written
        self.assertEqual(session, keys.session(0))
        of_the_guild = [key for key in rows if key[:1] not in (b"L", b"Q", b"q", b"$")]
        self.assertGreater(len(of_the_guild), RUN)
        self.assertTrue(of_the_guild == sorted(of_the_guild))

    def test_nothing_is_seen_before_the_end(self) -> None:
        """Queries go on meanwhile and see what was before; the cursor is there with the last slice and not earlier."""
        cache = Cache(self.folder, total=1, per_cluster=1, own={1: self.store}, enabled=True)
        self.addCleanup(cache.close)
        self.assertTrue(self.begin(dispatch(2, "GUILD_CREATE", huge())))
        known: set[bytes | None] = set()
        while not self.store.step():
            known.add(cache.query("Member", [s.GUILD, 10**9]))
            self.assertEqual(applied(self.store), 1)
        self.assertEqual(known, {None})
        self.store.finish({0: (SESSION.id, 2)})
        self.assertIsNotNone(cache.query("Member", [s.GUILD, 10**9]))
        self.assertEqual(applied(self.store), 2)
        self.assertEqual(self.store.sessions()[0].kept, 2)

    def test_a_process_killed_in_between(self) -> None:
        """Leaves nothing of the event, and a cursor before it."""
        self.store.close()
        path = self.folder / "event"
        path.write_text(ujson.dumps(huge()))
        code = (
            "import os, signal, sys\n"
            "from pathlib import Path\n"
            "from tests.store.stores import SESSION, open_store\n"
            "store = open_store(Path(sys.argv[1]))\n"
            "assert store.begin([(0, SESSION.at(2), [(2, 'GUILD_CREATE', Path(sys.argv[2]).read_bytes())])])\n"
            "for _ in range(20): assert not store.step()\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(self.folder / "cluster-1"), str(path)], cwd=ROOT, timeout=60
        )
        self.assertEqual(done.returncode, -9)
        again = self.open("cluster-1")
        self.assertEqual(applied(again), 1)
        self.assertFalse(any(key.startswith(keys.members(s.GUILD)) for key in rows(again)))
        feed(again, dispatch(2, "GUILD_CREATE", huge()))
        self.assertTrue(any(key.startswith(keys.members(s.GUILD)) for key in rows(again)))
        self.assertEqual(applied(again), 2)

    def test_the_file_grows_in_between(self) -> None:
        """The transaction is lost with that, and done again."""
        before = self.store.environment.size
        self.assertTrue(self.begin(dispatch(2, "GUILD_CREATE", huge(MEMBERS * 3))))
        self.steps()
        self.assertGreater(self.store.environment.size, before)
        self.assertFalse(self.store.stopped)
        self.assertEqual(applied(self.store), 2)

    def test_no_room(self) -> None:
        """The store stops, as it does otherwise; nothing raises."""

        def full(times: int) -> None:
            raise OSError(28, "No space left on device")

        self.patch(self.store.environment, "grow", full)
        self.assertTrue(self.begin(dispatch(2, "GUILD_CREATE", huge(MEMBERS * 3))))
        self.steps()
        self.assertTrue(self.store.stopped)

    def test_damage(self) -> None:
        """So it does where LMDB fails, be it in a slice or at the commit."""
        for part in ("step", "commit"):
            store = self.open(part)
            feed(store, dispatch(1, "READY", s.ready(s.GUILD)))
            self.assertTrue(self.begin(dispatch(2, "GUILD_CREATE", huge()), store=store))
            store.step()

            def damaged(*_: object) -> None:
                raise lmdb.CorruptedError("mdb_put")

            kept = getattr(LongWork, part)
            self.patch(LongWork, part, damaged)
            self.steps(store)
            self.assertTrue(store.stopped)
            self.patch(LongWork, part, kept)
            self.assertEqual(len(self.flushLoggedErrors(lmdb.CorruptedError)), 1)

    def test_what_is_kept_by_the_end(self) -> None:
        """The cursor that moved meanwhile is in the same transaction: whoever finds the events finds it, too."""
        transactions = 0
        store = self.open("kept")
        self.assertTrue(self.begin(dispatch(1, "READY", s.ready(s.GUILD)), store=store))
        while not store.step():
            pass
        writing = store.environment.writing

        def counted() -> Any:
            nonlocal transactions
            transactions += 1
            return writing()

        self.patch(store.environment, "writing", counted)
        store.finish({0: (SESSION.id, 1), 7: ("another", 5)})
        self.assertEqual((transactions, store.sessions()[0].kept), (0, 1))
        store.close()
        self.assertEqual(self.open("kept").sessions()[0].session.seq, 1)

    def test_an_event_that_cannot_be_computed(self) -> None:
        """Changes nothing, as any other; those after it in the batch are applied."""
        broken = {**huge(), "members": [*huge()["members"], {"user": "nobody"}]}
        self.assertTrue(
            self.begin(dispatch(2, "GUILD_CREATE", broken), dispatch(3, "GUILD_CREATE", s.guild(s.GUILD + 1)))
        )
        self.steps()
        self.assertEqual(self.store.failures, 1)
        self.assertFalse(any(key.startswith(keys.members(s.GUILD)) for key in rows(self.store)))
        self.assertTrue(any(key.startswith(keys.members(s.GUILD + 1)) for key in rows(self.store)))
        self.assertEqual(applied(self.store), 3)
        self.flushLoggedErrors()

    def test_whatever_else_is_written_comes_after_it(self) -> None:
        """Another batch, the end of a session, the end of the store: each finishes it first."""
        for number, end in enumerate(
            (
                lambda store: feed(store, dispatch(3, "GUILD_UPDATE", {"id": str(s.GUILD), "name": "new"})),
                lambda store: store.forget_session(0),
                lambda store: store.close(),
            )
        ):
            store = self.open(f"end-{number}")
            feed(store, dispatch(1, "READY", s.ready(s.GUILD)))
            self.assertTrue(self.begin(dispatch(2, "GUILD_CREATE", huge()), store=store))
            store.step()
            end(store)
            self.assertFalse(store.busy)
            store.close()
            again = self.open(f"end-{number}")
            cache = Cache(self.folder, total=1, per_cluster=1, own={1: again}, enabled=True)
            self.assertIsNotNone(cache.query("Member", [s.GUILD, 10**9]))
            cache.close()

    def test_ordinary_events_are_not_begun(self) -> None:
        """They go in at once. What may have any number of rows to remove is begun, and over soon if it hasn't."""
        for name, d in (("TYPING_START", {}), ("MESSAGE_CREATE", s.message(1)), ("GUILD_MEMBER_ADD", s.member())):
            self.assertFalse(self.begin(dispatch(2, name, d)))
        self.assertFalse(self.store.busy)
        for seq, (name, d) in enumerate(
            (("READY", s.ready()), ("GUILD_CREATE", s.bare_guild(1)), ("GUILD_DELETE", {"id": "1"})), start=2
        ):
            self.assertTrue(self.begin(dispatch(seq, name, d)))
            self.assertLess(self.steps(), 30)
