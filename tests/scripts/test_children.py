"""No child process outlives the program that started it; each test runs programs, which change their own ways."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.waiting import PATIENCE

_ROOT = Path(__file__).resolve().parents[2]

STARTER = """
import asyncio, sys
from scripts import children

async def main():
    child = await children.start([sys.executable, "-c", sys.argv[1]], stdout=asyncio.subprocess.PIPE)
    await child.stdout.readline()
    print(child.pid, flush=True)
    try:
        await asyncio.Future()
    finally:
        print("ended", await children.end(child, grace=float(sys.argv[2])), flush=True)

sys.exit(children.run_until_told(main))
"""

ORPHANS = """
import subprocess, sys
from scripts import children

children.adopt_orphans()
subprocess.run([sys.executable, "-c", "import subprocess; subprocess.Popen(['sleep', '3600'], start_new_session=True)"])
spared = subprocess.Popen(["sleep", "3599"])
print([child.command for child in children.sweep(spare=spared.pid)])
print([child.command for child in children.descendants()])
spared.kill()
"""

OBEDIENT = "import time; print('up', flush=True); time.sleep(3600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(3600)"


def _program(source: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", source, *arguments],
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


class ChildrenTests(SynchronousTestCase):
    """Ends that leave nothing behind."""

    def started(self, child: str, grace: float) -> tuple[subprocess.Popen[str], int]:
        """A program, and the pid of the child it started.

        :param grace: seconds that the child has to obey.
        """
        program = _program(STARTER, child, str(grace))
        self.addCleanup(program.communicate)
        self.addCleanup(program.kill)
        assert program.stdout
        return program, int(program.stdout.readline())

    def assert_gone(self, pid: int) -> None:
        """The process ends soon, or has ended."""
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        self.addCleanup(os.close, descriptor)

        self.assertTrue(select.select([descriptor], [], [], PATIENCE)[0], "the child lives on")

    def test_told_to_end(self) -> None:
        """Each signal that ends a program ends its child first; the exit code tells the signal."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            program, pid = self.started(OBEDIENT, PATIENCE)
            program.send_signal(number)
            self.assertEqual(program.communicate(timeout=PATIENCE)[0], f"ended {-signal.SIGTERM}\n")
            self.assertEqual(program.returncode, 128 + number)
            self.assert_gone(pid)

    def test_deaf_child(self) -> None:
        """A child that doesn't obey is killed."""
        program, pid = self.started(DEAF, 0.5)
        program.terminate()
        self.assertEqual(program.communicate(timeout=PATIENCE)[0], f"ended {-signal.SIGKILL}\n")
        self.assert_gone(pid)

    def test_killed_starter(self) -> None:
        """A program that is killed takes its child along."""
        program, pid = self.started(DEAF, 0.5)
        program.kill()
        self.assert_gone(pid)

    def test_sweep(self) -> None:
        """A grandchild in a session of its own, whose parent is gone, is found and ended; who is spared lives."""
        told = _program(ORPHANS).communicate(timeout=PATIENCE)[0]
        self.assertEqual(told, "['sleep 3600']\n['sleep 3599']\n")
