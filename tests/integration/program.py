"""rateway as an operator starts it: a process tree whose every word is kept."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from tests.support.waiting import PATIENCE

TWISTD = str(Path(sys.executable).with_name("twistd"))
ROOT = Path(__file__).resolve().parents[2]
POLL = 0.02


async def until(reactor: Any, met: Callable[[], object], what: str, timeout: float = PATIENCE) -> None:
    """Wait for a condition.

    :raises AssertionError: naming what didn't happen.
    """
    deadline = reactor.seconds() + timeout
    while not met():
        if reactor.seconds() > deadline:
            raise AssertionError(f"waited {timeout:g} s in vain for: {what}")
        await deferLater(reactor, POLL, lambda: None)


class Program(ProcessProtocol):
    """A running ``twistd -n rateway``, in a folder that isn't the checkout's.

    :ivar lines: all it wrote to stdout and stderr, by line.
    :ivar exit_code: once it ended; negative for a signal.
    """

    def __init__(self, reactor: Any, folder: Path, environ: Mapping[str, str], argv: list[str] | None = None) -> None:
        self._reactor = reactor
        self._rest = b""
        self.lines: list[str] = []
        self.exit_code: int | None = None
        self.ended: Deferred[int] = Deferred()
        argv = argv or [TWISTD, "-n", "--pidfile=", "rateway"]
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        inherited["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        coverage = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
        self._process = reactor.spawnProcess(
            self, argv[0], argv, env={**inherited, **coverage, **environ}, path=str(folder)
        )
        self.pid: int = self._process.pid

    @property
    def text(self) -> str:
        """All it wrote."""
        return "\n".join(self.lines)

    def said(self, text: str) -> bool:
        """Whether it wrote a line with this text."""
        return any(text in line for line in self.lines)

    async def until_said(self, text: str, timeout: float = PATIENCE) -> None:
        """Wait for a line with this text."""
        try:
            await until(self._reactor, lambda: self.said(text), text, timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}; it said:\n{self.text}") from None

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to the parent process."""
        if self.exit_code is None:
            os.kill(self.pid, number)

    async def stop(self, timeout: float = PATIENCE) -> int:
        """Ask it to stop by SIGTERM, wait for its end."""
        self.kill(signal.SIGTERM)
        return await self.wait(timeout)

    async def wait(self, timeout: float = PATIENCE) -> int:
        """Wait for its end by itself; the exit code."""
        try:
            await until(self._reactor, lambda: self.exit_code is not None, "the end of rateway", timeout)
        except AssertionError:
            self.kill()
            raise
        assert self.exit_code is not None
        return self.exit_code

    def children(self) -> list[int]:
        """The pids of its child processes."""
        try:
            return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]
        except FileNotFoundError:
            return []

    def kill_child(self, index: int) -> None:
        """SIGKILL to one of them, in the order they were started."""
        os.kill(self.children()[index], signal.SIGKILL)

    def outReceived(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        self.lines.extend(line.decode("utf-8", "replace") for line in lines)

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        if self._rest:
            self.outReceived(b"\n")
        value: Any = reason.value
        self.exit_code = value.exitCode if value.signal is None else -value.signal
        self.ended.callback(self.exit_code)
