from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.internet.error import ReactorNotRunning
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rateway.errors import FatalError
from rateway.interfaces import IFatalReporter
from rateway.process.ending import Ending
from rateway.process.signals import STOPPING, StopSignals

from .fakes import Heard

ROOT = str(Path(__file__).resolve().parents[2])


class Reactor:
    """Can be stopped once; runs what threads call when told."""

    def __init__(self) -> None:
        self.stops = 0
        self.pending: list[Any] = []

    def stop(self) -> None:
        self.stops += 1
        if self.stops > 1:
            raise ReactorNotRunning("Can't stop reactor that isn't running.")

    def callFromThread(self, function: Any) -> None:
        self.pending.append(function)


class EndingTests(SynchronousTestCase):
    """A fatal end."""

    def test_one_sentence_and_a_code(self) -> None:
        """Only the first reason is told: the others follow from it."""
        heard, reactor, codes = Heard(self), Reactor(), list[int]()
        ending = Ending(reactor, codes.append)
        self.assertTrue(verifyObject(IFatalReporter, ending))
        ending.report_fatal(FatalError("set DISCORD_TOKEN"))
        ending.report_fatal(FatalError("another"))
        self.assertEqual(heard.texts("critical"), ["rateway stops: set DISCORD_TOKEN"])
        self.assertEqual((codes, reactor.stops), ([1], 1))

    def test_while_it_stops_already(self) -> None:
        """The operator asked for it: what goes wrong on the way is told, but is no failure."""
        heard, reactor, codes = Heard(self), Reactor(), list[int]()
        ending = Ending(reactor, codes.append)
        ending.stop()
        ending.stop()
        ending.report_fatal(FatalError("the broker has gone"))
        self.assertEqual((heard.texts("warn"), codes), (["while stopping: the broker has gone"], []))

    def test_a_signal_during_a_fatal_end(self) -> None:
        """Doesn't make it a good one."""
        codes = list[int]()
        ending = Ending(Reactor(), codes.append)
        ending.report_fatal(FatalError("x"))
        ending.stop()
        self.assertEqual(codes, [1])


class AlarmTests(SynchronousTestCase):
    """An end that doesn't come about."""

    def test_every_end_sets_it(self) -> None:
        """Be it asked for or fatal, before the reactor is stopped."""
        for end in (Ending.stop, lambda ending: ending.report_fatal(FatalError("x"))):
            reactor = Reactor()
            stops: list[int] = []
            ending = Ending(reactor, lambda code: None, lambda: stops.append(reactor.stops))  # noqa: B023
            end(ending)
            self.assertEqual(stops, [0])

    def test_a_process_that_hangs_is_ended_by_the_kernel(self) -> None:
        """Even where nothing of Python runs any more."""
        code = (
            "import threading\n"
            "from rateway.model import deadlines\n"
            "from rateway.process import ending\n"
            "deadlines.STOP = 0.2\n"
            "ending.set_alarm()\n"
            "lock = threading.Lock(); lock.acquire(); lock.acquire()\n"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=30)
        self.assertEqual(done.returncode, -signal.SIGALRM)


class ExitCodeTests(SynchronousTestCase):
    """What the shell sees, whatever the program meant to return."""

    def run_(self, code: str) -> subprocess.CompletedProcess[str]:
        head = (
            "import atexit; atexit.register(print, 'earlier'); from rateway.process import ending; ending.install()\n"
        )
        return subprocess.run(
            [sys.executable, "-c", head + code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
        )

    def test_a_fatal_end(self) -> None:
        """The code is set, what was written is out, what was to run at the exit has run."""
        done = self.run_("ending.exit_with(1); atexit.register(print, 'later'); print('x', end='')")
        self.assertEqual((done.returncode, done.stdout), (1, "xlater\n"))

    def test_a_good_end(self) -> None:
        """Nothing is changed."""
        done = self.run_("print('x')")
        self.assertEqual((done.returncode, done.stdout), (0, "x\nearlier\n"))


class StopSignalsTests(SynchronousTestCase):
    """The first signal, and the next."""

    def test_first_and_later(self) -> None:
        """The first stops in order, each later one hurries; both in the reactor's own time."""
        for number in STOPPING:
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        reactor: Any = Reactor()
        done: list[str] = []
        self.signals(reactor, done).install()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):
            signal.raise_signal(number)
        self.assertEqual(done, [])
        for call in reactor.pending:
            call()
        self.assertEqual(done, ["stop", "hurry", "hurry"])

    def test_for_good(self) -> None:
        """SIGUSR2 gives the sessions up, then stops; after it too the next one hurries."""
        for number in STOPPING:
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        reactor: Any = Reactor()
        done: list[str] = []
        self.signals(reactor, done).install()
        signal.raise_signal(signal.SIGUSR2)
        signal.raise_signal(signal.SIGUSR2)
        for call in reactor.pending:
            call()
        self.assertEqual(done, ["give up", "stop", "hurry"])

    def signals(self, reactor: Any, done: list[str]) -> StopSignals:
        """Signals that note what they do."""
        return StopSignals(
            reactor, lambda: done.append("stop"), lambda: done.append("hurry"), lambda: done.append("give up")
        )
