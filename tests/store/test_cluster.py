"""Tests of the writer: batches, cursors, failures, and what it trusts of an earlier run."""

from __future__ import annotations

import os
import shutil
import stat
import time
from pathlib import Path
from typing import cast
from unittest import mock

import lmdb
import ujson
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rateway.errors import ConfigError
from rateway.model.intents import ALL, Intent
from rateway.model.session import Session
from rateway.store import keys, trust
from rateway.store.cache import Cache
from rateway.store.cluster import ClusterStore
from rateway.store.found import Found
from rateway.store.lock import FolderInUse
from rateway.store.sessions import Resumable, SessionRecord
from rateway.store.slots import Slots
from rateway.store.updates.table import UPDATES

from . import samples as s
from .stores import SESSION, ask, dispatch, feed, open_store, rows

FIELDS = """
id guild_id channel_id user_id user member members author roles role emojis channels threads presences unavailable
guilds status channel_ids added_members removed_member_ids emoji message_id ids answer_id voice_states sound_id flags
thread_metadata webhook_id guild_scheduled_event_id
"""


class StoreTestCase(SynchronousTestCase):
    """A folder, and what was logged."""

    def setUp(self) -> None:
        self.state_dir = Path(self.mktemp()).absolute()
        self.folder = self.state_dir / "cluster-1"
        self.events: list[LogEvent] = []
        observer = cast(ILogObserver, self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def open(self, **options: object) -> ClusterStore:
        """Open the store, to be closed at the end at the latest."""
        store = open_store(self.folder, **options)  # type: ignore[arg-type]
        self.addCleanup(store.close)
        return store

    def cache_of(self, store: ClusterStore) -> Cache:
        """What answers from the store."""
        return Cache(self.state_dir, total=1, per_cluster=1, own={1: store}, enabled=True)

    def logged(self, level: LogLevel) -> list[str]:
        """The lines of one level."""
        return [str(e["log_format"]).format(**e) for e in self.events if e.get("log_level") is level]


class CursorTests(StoreTestCase):
    """What is applied once, and where a new process goes on."""

    def test_resumable_once_kept(self) -> None:
        """A session is offered from where both the cache and the broker have everything, never from its beginning."""
        store = self.open()
        self.assertEqual(store.sessions(), {})
        feed(store, dispatch(1, "READY", s.ready(s.GUILD)), dispatch(2, "GUILD_CREATE", s.guild()))
        self.assertEqual(store.sessions(), {})
        store.apply([], {0: ("one", 1)})
        found = store.sessions()[0]
        self.assertEqual((found.session, found.applied, found.kept), (SESSION.at(1), 2, 1))
        store.apply([], {0: ("one", 9)})
        self.assertEqual(store.sessions()[0].session, SESSION.at(2))

    def test_kept_of_another_session(self) -> None:
        """What the broker kept of an ended session says nothing of the present one; nor does an older number."""
        store = self.open()
        feed(store, dispatch(1, "READY", s.ready()), kept=1)
        store.apply([], {0: ("another", 50), 7: ("one", 3)})
        self.assertEqual(store.sessions()[0].kept, 1)
        store.apply([], {0: ("one", 0)})
        self.assertEqual(store.sessions()[0].kept, 1)
        self.assertEqual(list(store.sessions()), [0])

    def test_replay_changes_nothing(self) -> None:
        """Events at or below the cursor change nothing when they come again."""
        store = self.open()
        cache = self.cache_of(store)
        events = [
            dispatch(1, "READY", s.ready(s.GUILD)),
            dispatch(2, "GUILD_CREATE", s.guild()),
            dispatch(3, "GUILD_MEMBER_REMOVE", {"guild_id": str(s.GUILD), "user": s.user()}),
        ]
        feed(store, *events)
        feed(store, *events[2:], dispatch(4, "GUILD_MEMBER_REMOVE", {"guild_id": str(s.GUILD), "user": s.user(s.BOB)}))
        self.assertEqual(ask(cache, "Guild", s.GUILD)["member_count"], 1)

    def test_new_session_begins_anew(self) -> None:
        """A new session's sequence starts at one, and its READY replaces the old session."""
        store = self.open()
        feed(store, dispatch(1, "READY", s.ready(s.GUILD)), dispatch(50, "GUILD_CREATE", s.guild()), kept=50)
        two = Session("two", "wss://other.example.invalid", 0)
        feed(store, dispatch(1, "READY", s.ready()), session=two, kept=1)
        self.assertIsNone(ask(self.cache_of(store), "Guild", s.GUILD))
        self.assertEqual(store.sessions()[0].session, two.at(1))

    def test_two_sessions_in_a_batch(self) -> None:
        """The end of one session and the beginning of the next may come in one batch, as may several shards."""
        store = self.open(shards=range(2), total=2)
        two = Session("two", "wss://other.example.invalid", 1)
        store.apply(
            [
                (0, SESSION.at(2), [dispatch(1, "READY", s.ready(s.GUILD)), dispatch(2, "GUILD_CREATE", s.guild())]),
                (1, evolve(SESSION, id="three", seq=5), [dispatch(5, "READY", s.ready())]),
                (0, two, [dispatch(1, "READY", s.ready(s.GUILD))]),
            ],
            {0: ("two", 1), 1: ("three", 5)},
        )
        self.assertEqual({k: v.session.id for k, v in store.sessions().items()}, {0: "two", 1: "three"})

    def test_session_without_ready(self) -> None:
        """A session whose READY the store never saw is resumed, for its events, and then one begun that fills it."""
        store = self.open()
        feed(store, dispatch(7, "GUILD_CREATE", s.guild()), kept=7)
        self.assertEqual(store.sessions()[0], Resumable(SESSION.at(7), 7, 7, refill=True))

    def test_forget(self) -> None:
        """A session that Discord ended is never offered again, also not to the next process."""
        store = self.open()
        feed(store, dispatch(1, "READY", s.ready()), kept=1)
        store.forget_session(0)
        store.forget_session(5)
        self.assertEqual(store.sessions(), {})
        store.close()
        self.assertEqual(self.open().sessions(), {})

    def test_damage_that_cannot_be_marked(self) -> None:
        """Writing still doesn't raise; the operator is told what to delete."""
        store = self.open()
        feed(store, dispatch(1, "READY", s.ready(s.GUILD)))
        note = self.folder / "store.json"
        note.unlink()
        note.mkdir()
        self.addCleanup(note.rmdir)

        def damaged() -> object:
            raise lmdb.CorruptedError("mdb_put")

        self.patch(store.environment, "writing", damaged)
        feed(store, dispatch(2, "GUILD_CREATE", s.guild()))
        self.assertTrue(store.stopped)
        self.assertEqual(len(self.flushLoggedErrors(lmdb.CorruptedError)), 1)
        (line,) = self.logged(LogLevel.error)
        self.assertIn("can't be marked as damaged", line)
        self.assertIn(f"delete {self.folder} before the next start", line)

    def test_events_without_effect(self) -> None:
        """Events that change nothing move the cursor too; it is on disk by the time of closing."""
        store = self.open()
        feed(store, dispatch(1, "READY", s.ready()), kept=1)
        for seq in range(2, 1500):
            feed(store, dispatch(seq, "TYPING_START", {}))
        self.assertEqual(store.sessions()[0].applied, 1499)
        store.close()
        self.assertEqual(self.open().sessions()[0].applied, 1499)

    def test_events_without_effect_and_their_cursors(self) -> None:
        """Both cursors of a session are written once more of it is kept."""
        store = self.open()
        feed(store, dispatch(1, "READY", s.ready()), kept=1)
        self.assertTrue(store.pass_over([(0, SESSION.at(2), [dispatch(2, "TYPING_START", {})])]))
        self.assertFalse(store.pass_over([(0, SESSION.at(3), [dispatch(3, "CHANNEL_DELETE", {"id": "1"})])]))
        self.assertFalse(store.pass_over([(0, evolve(SESSION, id="two"), [dispatch(1, "TYPING_START", {})])]))

        def written() -> tuple[int, int]:
            with store.environment.reading() as transaction:
                record = SessionRecord.decode(transaction.get(keys.session(0)) or b"")
            return record.applied, record.kept

        self.assertEqual(written(), (1, 1))
        store.apply((), {0: (SESSION.id, 2)})
        self.assertEqual(written(), (2, 2))

    def test_cache_off(self) -> None:
        """Without a cache there are sessions and nothing else, and a resume asks only what the broker has."""
        store = self.open(cache=False)
        feed(store, dispatch(1, "READY", s.ready(s.GUILD)), dispatch(2, "GUILD_CREATE", s.guild()), kept=2)
        feed(store, dispatch(3, "MESSAGE_CREATE", s.message(1)))
        self.assertEqual(rows(store), {})
        found = store.sessions()[0]
        self.assertEqual((found.session.seq, found.applied, found.kept), (2, 2, 2))


class FailureTests(StoreTestCase):
    """Events that can't be applied."""

    def setUp(self) -> None:
        super().setUp()
        self.store = self.open(messages=5)
        feed(self.store, dispatch(1, "READY", s.ready(s.GUILD)), dispatch(2, "GUILD_CREATE", s.guild()), kept=2)

    def test_criterion_72_one_bad_event(self) -> None:
        """An event of a shape that can't be read is told by name and sequence; the others are applied."""
        bad = {"guild_id": str(s.GUILD), "role": 7}
        feed(
            self.store,
            dispatch(3, "GUILD_ROLE_CREATE", bad),
            dispatch(4, "GUILD_ROLE_CREATE", {"guild_id": str(s.GUILD), "role": s.role(77, "new")}),
        )
        self.assertIsNotNone(ask(self.cache_of(self.store), "Role", 77))
        self.assertEqual(self.store.failures, 1)
        line = self.logged(LogLevel.error)[0]
        self.assertIn("GUILD_ROLE_CREATE with sequence 3", line)
        self.assertIn(keys.stale(s.GUILD), rows(self.store))
        self.assertEqual(self.store.sessions()[0].applied, 4)
        feed(self.store, dispatch(5, "GUILD_CREATE", s.guild()))
        self.assertNotIn(keys.stale(s.GUILD), rows(self.store))

    def test_criterion_72_fault_of_ours(self) -> None:
        """An update that fails by a fault of its own writes nothing, and harms no other."""

        def broken(d: bytes, view: object) -> dict[bytes, bytes | None]:
            raise RuntimeError("broken")

        self.patch(self.store, "_updates", UPDATES | {"CHANNEL_CREATE": broken})
        before = rows(self.store)
        feed(self.store, dispatch(3, "CHANNEL_CREATE", {}), dispatch(4, "CHANNEL_CREATE", {}))
        self.assertEqual(rows(self.store), before)
        self.assertEqual(self.store.failures, 2)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.store.sessions()[0].applied, 4)

    def test_told_once_a_minute(self) -> None:
        """The same trouble with one event is told once, and counted each time."""
        for seq in range(3, 23):
            feed(self.store, dispatch(seq, "GUILD_ROLE_CREATE", []))
        self.assertEqual((self.store.failures, len(self.logged(LogLevel.error))), (20, 1))

    json = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=6,
    )
    known_ids = st.sampled_from([str(s.GUILD), str(s.ALICE), str(s.GENERAL), str(s.POST), s.GUILD, -1, 1 << 64, None])
    names = st.sampled_from(FIELDS.split())

    objects = st.dictionaries(names, known_ids | json, max_size=8)
    shapes = objects | st.dictionaries(names, objects | st.lists(objects, max_size=3), max_size=4) | json

    @settings(deadline=None, database=None, max_examples=400)
    @given(st.sampled_from(sorted(UPDATES)), st.lists(shapes, min_size=1, max_size=3))
    def test_any_json(self, name: str, shapes: list[object]) -> None:
        """Every event with any JSON in it: nothing is raised, and the event after it is applied."""
        seq = self.store.sessions()[0].applied + 2
        events = [dispatch(seq - 1, "GUILD_CREATE", s.guild()), dispatch(seq, "MESSAGE_CREATE", s.message(5))]
        for shape in shapes:
            seq += 1
            events.append(dispatch(seq, name, shape))
        renamed = s.own_user() | {"username": str(seq)}
        events.append(dispatch(seq + 1, "USER_UPDATE", renamed))
        events.append(dispatch(seq + 2, "MESSAGE_CREATE", b'{"id":"\xff'))
        feed(self.store, *events)
        self.assertFalse(self.store.stopped)
        self.assertEqual(self.store.sessions()[0].applied, seq + 2)
        self.assertEqual(ask(self.cache_of(self.store), "CurrentUser"), renamed)


class TrustTests(StoreTestCase):
    """What an earlier run left."""

    def filled(self, **options: object) -> ClusterStore:
        """A store with the sample guild and a session to resume."""
        store = self.open(**options)
        feed(store, dispatch(1, "READY", s.ready(s.GUILD)), dispatch(2, "GUILD_CREATE", s.guild()), kept=2)
        return store

    def is_kept(self, **options: object) -> bool:
        """Whether, opened again, it is as it was."""
        store = self.open(**options)
        self.carried = store.sessions()
        kept = ask(self.cache_of(store), "Guild", s.GUILD) is not None
        if kept:
            self.assertEqual([each.refill for each in self.carried.values()], [False])
        store.close()
        return kept

    def test_orderly_restart(self) -> None:
        """A store closed in order is used again, also after a reboot, without a word."""
        self.filled().close()
        self.assertTrue(self.is_kept(boot_id="another boot"))
        self.assertEqual(self.logged(LogLevel.warn), [])

    def test_found(self) -> None:
        """What is there at the opening, and when it was written; of one that begins anew, that there is nothing."""
        began = time.time() - 5.0
        store = self.filled()
        self.assertEqual(store.found, Found())
        store.close()
        store = self.open()
        self.assertEqual((store.found.guilds, store.found.members), (1, 3))
        self.assertTrue(began <= (store.found.written or 0.0) <= time.time() + 5.0, store.found)
        store.close()
        store = self.open(intents=1)
        self.assertEqual(store.found, Found())
        store.close()

    def test_power_cut(self) -> None:
        """A store in use when the machine went down is set aside, with one line, and begun anew."""
        store = self.filled()
        Slots(self.folder, 1, range(1), ALL).write({0: SESSION.at(2)})
        store.stopped = True
        store.close()
        trust.write(self.folder / "store.json", evolve_record(self.folder, boot_id="an earlier boot"))
        self.assertFalse(self.is_kept())
        self.assertEqual(self.carried, {0: Resumable(SESSION.at(2), 2, 2, refill=True)})
        (line,) = self.logged(LogLevel.warn)
        self.assertIn("the machine went down", line)
        self.assertTrue((self.folder / "entities.aside" / "data.mdb").exists())
        self.assertTrue(self.is_trusted_again())

    def test_boots_that_cannot_be_told_apart(self) -> None:
        """A store that was in use is not believed where the machine doesn't name its boots."""
        store = self.filled()
        store.stopped = True
        store.close()
        trust.write(self.folder / "store.json", evolve_record(self.folder, boot_id=""))
        self.assertFalse(self.is_kept(boot_id=""))

    def is_trusted_again(self) -> bool:
        """Whether the store begun anew is good: for the session that fills it."""
        store = self.open()
        events = (dispatch(1, "READY", s.ready(s.GUILD)), dispatch(2, "GUILD_CREATE", s.guild()))
        feed(store, *events, session=evolve(SESSION, id="two"), kept=2)
        store.close()
        return self.is_kept()

    def test_other_settings(self) -> None:
        """A store made for other shards, intents or kinds is set aside; at most one is kept."""
        options: list[dict[str, object]] = [
            {"total": 2},
            {"shards": range(1, 2), "total": 2},
            {"intents": ALL & ~Intent.GUILD_PRESENCES},
            {"kinds": frozenset({"Guild"})},
        ]
        for changed in options:
            self.filled().close()
            self.assertFalse(self.is_kept(**changed), changed)
            # Only a RESUME that changes neither shards nor intents is one.
            resumed = [each.refill for each in self.carried.values()]
            self.assertEqual(resumed, [True] if "kinds" in changed else [], changed)
            self.assertFalse(self.is_kept())
        aside = sorted(path.name for path in self.folder.iterdir())
        self.assertEqual(aside, ["entities", "entities.aside", "lock", "store.json"])
        lines = self.logged(LogLevel.warn)
        self.assertIn("for it was made for other shards: ", lines[0])
        self.assertIn("none of its sessions goes on", lines[0])
        self.assertIn("1 of its sessions are resumed before", lines[6])

    def test_another_bot(self) -> None:
        """What another bot left is of no use, in the store or in slots; one that isn't known is taken for ours."""
        for bots, used in (((1, 2), False), ((0, 2), True), ((2, 0), True), ((1, 1), True)):
            store = self.open(bot=bots[0])
            feed(store, dispatch(1, "READY", s.ready(s.GUILD)), kept=1)
            Slots(self.folder, 1, range(1), ALL, bots[0]).write({0: SESSION.at(1)})
            store.close()
            again = self.open(bot=bots[1])
            self.assertEqual(bool(again.sessions()), used, bots)
            again.close()
            shutil.rmtree(self.folder / "entities")
            by_slots = self.open(bot=bots[1])
            self.assertEqual(bool(by_slots.sessions()), used, bots)
            by_slots.close()
            shutil.rmtree(self.folder)
        (line,) = self.logged(LogLevel.warn)
        self.assertIn("for it was made for another bot: ", line)

    def test_other_version(self) -> None:
        """A store of another layout is set aside, as is one without a word on what it is."""
        self.filled().close()
        trust.write(self.folder / "store.json", evolve_record(self.folder, version=trust.VERSION + 1))
        self.assertFalse(self.is_kept())
        self.filled().close()
        (self.folder / "store.json").write_bytes(b"{")
        self.assertFalse(self.is_kept())

    def test_damaged_files(self) -> None:
        """A file that is no store, or cut short, is set aside."""
        for spoil in (lambda data: b"x" * 100_000, lambda data: data[:8192], lambda data: data[:100]):
            self.filled().close()
            path = self.folder / "entities" / "data.mdb"
            path.write_bytes(spoil(path.read_bytes()))
            self.assertFalse(self.is_kept())
        self.assertEqual(len(self.logged(LogLevel.warn)), 3)

    def test_cache_switched_off(self) -> None:
        """Switched off, the sessions are kept and the rest dropped; on again, new sessions fill it."""
        self.filled().close()
        store = self.open(cache=False)
        self.assertEqual(store.sessions()[0].session, SESSION.at(2))
        self.assertEqual(rows(store), {})
        store.close()
        self.assertFalse(self.is_kept())
        self.assertEqual(self.carried[0], Resumable(SESSION.at(2), 2, 2, refill=True))

    def test_messages_switched_off(self) -> None:
        """With no messages to keep any more, those of the last run go; all else is as it was."""
        store = self.filled(messages=5)
        feed(store, dispatch(3, "MESSAGE_CREATE", s.message(1)))
        store.close()
        store = self.open(messages=0)
        self.assertEqual([key for key in rows(store) if key[:1] in b"Nn"], [])
        self.assertEqual(store.sessions()[0].session.seq, 2)

    def test_files_are_private(self) -> None:
        """Nobody else on the machine can read the folder or the files."""
        self.filled()
        for path in [self.folder, *self.folder.rglob("*")]:
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o700 if path.is_dir() else 0o600, path)

    def test_folder_in_use(self) -> None:
        """A second opener is told who has the folder, and the first isn't harmed."""
        store = self.filled()
        error = self.assertRaises(FolderInUse, open_store, self.folder)
        self.assertIn(f"in use by process {os.getpid()}", str(error))
        feed(store, dispatch(3, "GUILD_DELETE", {"id": str(s.GUILD)}))
        store.close()
        store.close()
        self.assertFalse(self.open().stopped)

    def test_folder_that_cannot_be(self) -> None:
        """A folder that can't be made is told by the setting's name."""
        self.state_dir.mkdir()
        self.folder.write_text("a file")
        error = self.assertRaises(ConfigError, open_store, self.folder)
        self.assertIn("STATE_DIR", str(error))

    def test_after_closing(self) -> None:
        """Events that come after closing are passed over."""
        store = self.filled()
        store.close()
        feed(store, dispatch(3, "GUILD_DELETE", {"id": str(s.GUILD)}))
        store.forget_session(0)
        store.check_readers()
        self.assertTrue(self.is_kept())


def evolve_record(folder: Path, **changes: object) -> trust.Record:
    """The record beside the store, changed."""
    found = ujson.loads((folder / "store.json").read_bytes())
    return trust.Record(**(found | changes))


class RoomTests(StoreTestCase):
    """The map, the disk, and the end of both."""

    def big(self, seq: int) -> tuple[int, str, bytes]:
        """A guild with half a megabyte of channels."""
        channels = [s.channel(1000 + n, topic="x" * 900) for n in range(500)]
        return dispatch(seq, "GUILD_CREATE", s.bare_guild(seq << 22, channels=channels))

    def test_growing(self) -> None:
        """A store grows as it fills, takes the room from the disk first, and loses nothing."""
        store = self.open(initial_size=1 << 20)
        feed(store, dispatch(1, "READY", s.ready()), *(self.big(seq) for seq in range(2, 52)))
        self.assertFalse(store.stopped)
        self.assertEqual(store.failures, 0)
        data = (self.folder / "entities" / "data.mdb").stat()
        self.assertGreaterEqual(data.st_blocks * 512, data.st_size)
        self.assertGreater(store.environment.size, 32 << 20)
        cache = self.cache_of(store)
        self.assertIsNotNone(ask(cache, "GuildChannel", 1499))
        self.assertIsNotNone(ask(cache, "Guild", 2 << 22))
        self.assertIsNotNone(ask(cache, "Guild", 51 << 22))

    def test_full_disk(self) -> None:
        """On a full disk the cache stays as it was, which is told once; events are no trouble, nor is closing."""
        store = self.open(initial_size=1 << 20)
        feed(store, dispatch(1, "READY", s.ready(s.GUILD)), dispatch(2, "GUILD_CREATE", s.guild()), kept=2)

        def no_room(size: int) -> int:
            raise OSError(28, "No space left on device")

        self.patch(store.environment, "_allocate", no_room)
        for seq in range(3, 9):
            feed(store, *(self.big(seq * 100 + n) for n in range(9)), kept=seq * 100)
        self.assertTrue(store.stopped)
        (line,) = self.logged(LogLevel.critical)
        self.assertIn("No space left on device", line)
        self.assertIsNotNone(ask(self.cache_of(store), "Guild", s.GUILD))
        Slots(self.folder, 1, range(1), store._record.intents).write({0: SESSION.at(800)})
        store.close()
        self.assertEqual(self.open().sessions(), {0: Resumable(SESSION.at(800), 800, 800, refill=True)})

    def test_a_start_that_failed(self) -> None:
        """What an earlier start set aside, before it found no room, costs no session."""
        store = self.open()
        feed(store, dispatch(1, "READY", s.ready(s.GUILD)), kept=1)
        Slots(self.folder, 1, range(1), store._record.intents).write({0: SESSION.at(5)})
        store.close()
        (self.folder / "store.json").unlink()
        for place in ("rateway.store.trust.write", "os.posix_fallocate"):
            with mock.patch(place, side_effect=OSError(28, "No space left on device")):
                self.assertRaises(ConfigError, self.open)
        self.assertEqual(self.open().sessions(), {0: Resumable(SESSION.at(5), 5, 5, refill=True)})

    def test_damage_while_writing(self) -> None:
        """What LMDB can't write any more stops the cache, and the store is set aside at the next start."""
        store = self.open()
        feed(store, dispatch(1, "READY", s.ready(s.GUILD)), dispatch(2, "GUILD_CREATE", s.guild()), kept=2)

        def damaged() -> object:
            raise lmdb.CorruptedError("mdb_put")

        self.patch(store.environment, "writing", damaged)
        feed(store, dispatch(3, "GUILD_DELETE", {"id": str(s.GUILD)}))
        feed(store, dispatch(4, "GUILD_DELETE", {"id": str(s.GUILD)}))
        self.assertTrue(store.stopped)
        self.assertEqual(len(self.logged(LogLevel.critical)), 2)
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        store.close()
        self.assertEqual(self.open().sessions(), {})
