"""What a power cut must not take."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rateway.cluster.safekeeping import EVERY, SAY_EVERY, Safekeeping
from rateway.cluster.spools import Spools
from rateway.model.session import Session
from rateway.spool.record import SpooledEvent
from rateway.spool.spool import Spool
from rateway.store.slots import Slots, read_slots

ONE = Session("one", "wss://r.example", 7)
EVENT = SpooledEvent(0, "one", 7, "X", 0, b"{}")


class SafekeepingTests(SynchronousTestCase):
    """Every few seconds, spool first."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rateway-safe-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.clock = Clock()
        self.sessions: dict[int, Session] = {}
        self.calls: list[str] = []
        slots = Slots(self.folder, 1, range(1), 1)
        self.spools = spools = Spools(
            Spool.open(self.folder / "spool", 10_000), Spool.open(self.folder / "refused", 10_000), slots=slots
        )
        self.held: list[Deferred[None]] | None = None
        self.safekeeping = Safekeeping(self.clock, 3, spools, lambda: self.sessions, self.in_thread)
        fdatasync = mock.patch("os.fdatasync", lambda fd: self.calls.append("spool"))
        fdatasync.start()
        self.addCleanup(fdatasync.stop)

    def in_thread(self, work: Any) -> Deferred[None]:
        self.calls.append("thread")
        if self.held is not None:
            waiting: Deferred[None] = Deferred()
            self.held.append(waiting)
            return waiting.addCallback(lambda _: work())
        return maybeDeferred(work)

    def read(self) -> dict[int, Session]:
        return read_slots(self.folder, 1, range(1), 1)

    def test_what_changed(self) -> None:
        """Sessions are written if they moved; the disk has the spool's events before."""
        self.safekeeping.start()
        self.clock.advance(EVERY)
        self.assertEqual((self.calls, self.read()), ([], {}))
        self.spools.events.append([EVENT])
        self.sessions[0] = ONE
        self.clock.advance(EVERY)
        self.assertEqual((self.calls, self.read()), (["thread", "spool"], {0: ONE}))
        self.clock.advance(EVERY)
        self.assertEqual(self.calls, ["thread", "spool"])
        self.sessions[0] = ONE.at(8)
        self.clock.advance(EVERY)
        self.assertEqual(self.read(), {0: ONE.at(8)})
        self.successResultOf(self.safekeeping.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_events_alone(self) -> None:
        """What was written to either spool is synced, though no session moved: it may be an old one, refused again."""
        self.safekeeping.start()
        for spool in (self.spools.events, self.spools.refused):
            spool.append([EVENT])
            self.clock.advance(EVERY)
            self.clock.advance(EVERY)
        self.assertEqual(self.calls, ["thread", "spool"] * 2)
        self.successResultOf(self.safekeeping.stop())

    def test_a_slow_disk(self) -> None:
        """While one writing lasts none is begun; the last one waits for it."""
        self.held = []
        self.sessions[0] = ONE
        self.safekeeping.start()
        self.clock.advance(EVERY)
        self.sessions[0] = ONE.at(8)
        self.clock.pump([EVERY] * 3)
        self.assertEqual(len(self.held), 1)
        stopped = self.safekeeping.stop()
        self.held[0].callback(None)
        self.assertNoResult(stopped)
        self.held[1].callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.read(), {0: ONE.at(8)})

    def test_a_disk_that_fails(self) -> None:
        """It is said, once a minute, and tried on."""
        logged = mock.patch.object(Safekeeping, "_log")
        log = logged.start()
        self.addCleanup(logged.stop)
        self.sessions[0] = ONE
        self.safekeeping.start()
        with mock.patch("os.fsync", side_effect=OSError(5, "Input/output error")):
            self.clock.pump([EVERY] * 4)
            self.assertEqual(log.error.call_count, 1)
            self.clock.pump([EVERY] * int(SAY_EVERY / EVERY))
            self.assertEqual(log.error.call_count, 2)
        self.clock.advance(EVERY)
        self.assertEqual(self.read(), {0: ONE})
        self.successResultOf(self.safekeeping.stop())
