"""A store whose files are damaged: it is set aside, the sessions go on where they can, and nothing ends."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmdb
from twisted.logger import LogLevel

from rateway.errors import ConfigError
from rateway.model.session import Session
from rateway.process.spawning import CRASHES
from rateway.store import keys
from rateway.store.cluster import ClusterStore
from rateway.store.sessions import Resumable
from rateway.store.slots import Slots

from . import samples as s
from .stores import SESSION, dispatch, feed
from .test_cluster import StoreTestCase

ROOT = Path(__file__).resolve().parents[2]
OPEN = """
import sys
from pathlib import Path
from tests.store.stores import open_store
open_store(Path(sys.argv[1]))
"""


class DamageTests(StoreTestCase):
    """What is found at the opening."""

    def filled(self) -> ClusterStore:
        """A store with a session and its guild, and the session in a slot, too."""
        store = self.open(messages=5)
        feed(store, dispatch(1, "READY", s.ready(s.GUILD)), dispatch(2, "GUILD_CREATE", s.guild()), kept=2)
        for number in range(3, 40):
            feed(store, dispatch(number, "MESSAGE_CREATE", s.message(number)), kept=number)
        slots = Slots(self.folder, 1, range(1), store._record.intents)
        slots.write({0: SESSION.at(30)})
        return store

    def spoil(self, change: Callable[[bytearray], None]) -> None:
        path = self.folder / "entities" / "data.mdb"
        data = bytearray(path.read_bytes())
        change(data)
        path.write_bytes(data)

    def assert_begun_anew(self, store: ClusterStore) -> None:
        """It works, holds nothing, and has the session of the slot."""
        self.assertFalse(store.stopped)
        resumable = store.sessions()[0]
        self.assertEqual(resumable, Resumable(SESSION.at(30), 30, 30, refill=True))
        (line,) = self.logged(LogLevel.warn)
        self.assertIn("is set aside as entities.aside", line)
        self.assertTrue((self.folder / "entities.aside").exists())
        self.assertEqual(self.logged(LogLevel.critical), [])
        feed(store, dispatch(1, "READY", s.ready(s.GUILD)), session=Session("two", "wss://r", 0), kept=1)
        self.assertEqual(store.sessions()[0].session, Session("two", "wss://r", 1))

    def test_session_rows(self) -> None:
        """A row of a session that is cut short, empty, or other bytes."""
        for row in (b"", b"\x01", b"\xff" * 40, b"\x01" + bytes(16) + b"\x00\x02\xff\xfe"):
            store = self.filled()
            with store.environment.writing() as transaction:
                transaction.put(keys.session(0), row)
            store._sessions.clear()
            store.close()
            self.events.clear()
            store = self.open(messages=5)
            self.assert_begun_anew(store)
            store.close()

    def test_pages(self) -> None:
        """Pages without sense: the opening begins anew, or the process ends by a signal, and the next begins anew."""
        outcomes = []
        for page in (bytes(4096), random.Random(1).randbytes(4096), b"\xff" * 4096):
            self.filled().close()
            pages = (self.folder / "entities" / "data.mdb").stat().st_size // 4096

            def spoil(data: bytearray, page: bytes = page, pages: int = pages) -> None:
                data[2 * 4096 :] = page * (pages - 2)

            self.spoil(spoil)
            # In a process of its own first: a map doesn't warn of everything.
            ended = subprocess.run([sys.executable, "-c", OPEN, str(self.folder)], cwd=ROOT, timeout=60, text=True)
            outcomes.append(ended.returncode)
            self.events.clear()
            if ended.returncode == 0:
                self.assertTrue((self.folder / "entities.aside").exists())
            else:
                self.assertIn(-ended.returncode, CRASHES)
                store = self.open(crashed=True)
                self.assert_begun_anew(store)
                store.close()
        self.assertIn(0, outcomes)

    def test_after_a_crash(self) -> None:
        """Where a fault in native code ended the last process, its file is not so much as opened."""
        self.filled().close()
        self.events.clear()
        opened: list[str] = []
        really = lmdb.open

        def note(path: str, **options: Any) -> Any:
            opened.append(path if (self.folder / "entities.aside").exists() else "too early")
            return really(path, **options)

        self.patch(lmdb, "open", note)
        store = self.open(messages=5, crashed=True)
        self.assertEqual(opened, [str(self.folder / "entities")])
        self.assert_begun_anew(store)
        self.assertIn("the process that wrote it crashed", self.logged(LogLevel.warn)[0])

    def test_things_in_the_way(self) -> None:
        """A file where a folder should be, or the other way round: a sentence that names it, or done without."""
        for name in ("entities", "lock"):
            self.folder.mkdir(parents=True)
            if name == "lock":
                (self.folder / name).mkdir()
            else:
                (self.folder / name).write_text("mine")
            if name == "lock":
                self.assertIn(str(self.folder), str(self.assertRaises(ConfigError, self.open)))
            else:
                # It is set aside, as any other thing that is no store.
                self.assertFalse(self.open().stopped)
                self.assertEqual((self.folder / "entities.aside").read_text(), "mine")
            shutil.rmtree(self.folder)
        self.folder.parent.mkdir(exist_ok=True)
        self.folder.write_text("mine")
        self.assertIn("STATE_DIR: ", str(self.assertRaises(ConfigError, self.open)))
        self.folder.unlink()
        self.filled().close()
        for name in ("sessions.0", "sessions.1"):
            (self.folder / name).unlink(missing_ok=True)
            (self.folder / name).mkdir()
        store = self.open(crashed=True)
        self.assertEqual((store.stopped, store.sessions()), (False, {}))
        store.close()
        (self.folder / "store.json").unlink()
        (self.folder / "store.json").mkdir()
        self.assertIn(str(self.folder), str(self.assertRaises(ConfigError, self.open)))

    def test_a_first_start_after_a_crash(self) -> None:
        """There is nothing to set aside."""
        store = self.open(crashed=True)
        self.assertFalse(store.stopped)
        self.assertEqual(self.logged(LogLevel.warn), [])
