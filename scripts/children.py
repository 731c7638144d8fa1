"""Child processes that never outlive us.

Each child leads a session of its own, so that a Ctrl-C in the terminal reaches only us, who then end the children in
order. Three nets hold what slips through: the kernel signals a child whose starter died (``PR_SET_PDEATHSIG``), orphans
of our children become ours (``PR_SET_CHILD_SUBREAPER``), and :func:`sweep` ends whatever descends from us.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import time
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, an orderly end, a terminal that was closed."""


async def start(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: int | IO[bytes] = asyncio.subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    if_orphaned: signal.Signals = signal.SIGKILL,
) -> Process:
    """Start a child in a session of its own; call it from the main thread only.

    :param if_orphaned: what the kernel sends the child if we die without ending it.
    """
    parent = os.getpid()

    def before_exec() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(if_orphaned), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return await asyncio.create_subprocess_exec(
        *argv,
        env=env,
        cwd=cwd,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        preexec_fn=before_exec,
        limit=1 << 20,
    )


async def end(process: Process, *, grace: float = 10.0, by: signal.Signals = signal.SIGTERM) -> int:
    """Ask a child to end, wait for ``grace`` seconds, then kill it and all of its session's first group."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(by)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), grace)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    return await process.wait()


def adopt_orphans() -> None:
    """From now on a descendant whose parent died becomes our child, where :func:`sweep` finds it."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@dataclass(frozen=True)
class Descendant:
    """A process below us."""

    pid: int
    command: str


def descendants(of: int | None = None) -> list[Descendant]:
    """All living processes below one (below us), zombies left out."""
    children: dict[int, list[int]] = {}
    commands: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # "pid (name) state parent ...": the name may hold anything, blanks and brackets too.
            state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except (OSError, ValueError):
            continue
        pid = int(entry.name)
        children.setdefault(int(parent), []).append(pid)
        if state not in "ZX":
            commands[pid] = command
    found: list[Descendant] = []
    waiting = [os.getpid() if of is None else of]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            waiting.append(child)
            if child in commands:
                found.append(Descendant(child, commands[child]))
    return found


def sweep(*, settle: float = 0.0, grace: float = 3.0, spare: int | None = None) -> list[Descendant]:
    """End what is left below us: SIGTERM, then SIGKILL.

    :param settle: seconds in which it may end by itself.
    :param spare: a child that is left alone, with all below it.
    :return: what had to be ended.
    """
    left = _remaining(settle, spare)
    pending = left
    for number in (signal.SIGTERM, signal.SIGKILL):
        for child in pending:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(child.pid, number)
        pending = _remaining(grace, spare) if pending else []
    return left


def _remaining(patience: float, spare: int | None) -> list[Descendant]:
    """What is still below us after so many seconds; sooner if nothing is."""
    deadline = time.monotonic() + patience
    while True:
        spared = {spare, *(child.pid for child in descendants(spare))} if spare is not None else set()
        left = [child for child in descendants() if child.pid not in spared]
        if not left or time.monotonic() >= deadline:
            return left
        time.sleep(0.05)


def end_on_signals() -> None:
    """Let the signals of :data:`ENDING` raise SystemExit, so that synchronous work is unwound too."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    for number in ENDING:
        signal.signal(number, leave)


def run_until_told(main: Callable[[], Awaitable[int]]) -> int:
    """Run a program's main coroutine; a signal of :data:`ENDING` cancels it, and its ``finally`` clauses do the rest.

    :return: its exit code, or 128 plus the number of the signal that ended it.
    """
    told: list[signal.Signals] = []

    async def program() -> int:
        task = asyncio.ensure_future(main())
        loop = asyncio.get_running_loop()

        def tell(number: signal.Signals) -> None:
            if not told:
                task.cancel()
            told.append(number)

        for number in ENDING:
            loop.add_signal_handler(number, tell, number)
        try:
            return await task
        except asyncio.CancelledError:
            if not told:
                raise
            return 128 + told[0]

    return asyncio.run(program())
