"""What ``./run-tests`` does: sets up, lints, types, tests, the pure packages under coverage, and tries the built wheel.

The last line is ``N passed, N failed``: tests and checks together, skipped ones in neither number.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts import apt, children, environment, rabbitmq_node
from scripts.trial_report import read_report

_TRIAL_TIMEOUT = 1000.0
_CHECK_TIMEOUT = 300.0
_WORKERS = 3
"""Of trial: more than the two processors CI has, for many tests wait more than they work."""
_WORKERS_WITH_PROGRAMS = 4
_WITH_PROGRAMS = (".integration.", ".scenarios.", ".strangers.")
"""Parts of the names of tests that start whole programs, and wait for them."""
_PACKAGING = "tests.test_packaging"
_STRANGERS = "tests.strangers"
_CHAOS = "tests.chaos"
_PURE = ("tests.gateway.", "tests.model.")
"""Beginnings of the names of tests of what needs no reactor and no disk: their coverage is measured. Measuring makes
tests take twice as long, which these can afford."""
_LONGEST = "tests.store.test_model"
"""Begins first, so that it isn't left over at the end."""


class Tally:
    """What passed, what failed, and how long each phase took."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0
        self.skipped = 0
        self.failures: list[str] = []
        self._timings: list[tuple[str, float]] = []
        self._begin = time.monotonic()

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Announces a phase, and takes its time."""
        print(f"\n=== {name}", flush=True)
        begin = time.monotonic()
        try:
            yield
        finally:
            self._timings.append((name, time.monotonic() - begin))

    def check(self, name: str, good: bool) -> None:
        """Counts one check that is no test of trial's."""
        if good:
            self.passed += 1
        else:
            self.failed += 1
            self.failures.append(name)

    def summary(self) -> None:
        """Says it all; the last line is for machines too."""
        print("\n=== Summary")
        for name, seconds in self._timings:
            print(f"{seconds:7.1f} s  {name}")
        print(f"{time.monotonic() - self._begin:7.1f} s  altogether")
        for name in self.failures:
            print(f"FAILED: {name}")
        if self.skipped:
            print(f"{self.skipped} skipped")
        print(f"{self.passed} passed, {self.failed} failed", flush=True)


async def _run(
    argv: Sequence[str], *, env: dict[str, str] | None = None, timeout: float = _CHECK_TIMEOUT, show: bool = True
) -> tuple[int | None, str]:
    """Run a program to its end; its exit code (None: it took too long) and all it printed."""
    base = environment.clean_environment() | {"PYTHONUNBUFFERED": "1"}
    process = await children.start(argv, env=base | (env or {}), cwd=environment.ROOT, stdout=PIPE, stderr=STDOUT)
    said: list[str] = []
    try:
        async with asyncio.timeout(timeout):
            async for line in _lines(process):
                said.append(line)
                if show:
                    print(line, end="", flush=True)
            return await process.wait(), "".join(said)
    except TimeoutError:
        print(f"{argv[0]} took longer than {timeout:.0f} s", flush=True)
        return None, "".join(said)
    finally:
        await children.end(process, grace=5)


async def _lines(process: Process) -> AsyncIterator[str]:
    assert process.stdout
    while True:
        try:
            line = await process.stdout.readline()
        except ValueError:  # a line longer than the reader's limit
            continue
        if not line:
            return
        yield line.decode(errors="replace")


def _tool(name: str) -> str:
    return str(environment.PYTHON.parent / name)


async def _static_checks(tally: Tally) -> None:
    with tally.phase("ruff and mypy"):
        for name, argv in (
            ("ruff check", [_tool("ruff"), "check", "."]),
            ("ruff format --check", [_tool("ruff"), "format", "--check", "."]),
            ("mypy", [_tool("mypy")]),
        ):
            code, _ = await _run(argv)
            tally.check(name, code == 0)


@contextlib.asynccontextmanager
async def _broker() -> AsyncIterator[tuple[int, dict[str, str]]]:
    """The run's broker: its process, and the variables that name it to the tests."""
    folder = tempfile.mkdtemp(prefix="rateway-broker-")
    env = environment.clean_environment() | {"RATEWAY_PYTHON": sys.executable}
    process = await children.start(
        [str(environment.ROOT / "scripts" / "rabbitmq"), "run", folder], env=env, stdin=PIPE, stdout=PIPE
    )
    assert process.stdout
    assert process.stdin
    try:
        line = await process.stdout.readline()
        if not line:
            raise rabbitmq_node.NodeFailed("The broker did not start; the lines above say why")
        ready = json.loads(line)
        yield process.pid, {"RATEWAY_TEST_AMQP": ready["amqp"], "RATEWAY_TEST_MANAGEMENT": ready["management"]}
    finally:
        process.stdin.close()
        await children.end(process, grace=20)
        shutil.rmtree(folder, ignore_errors=True)


async def _trial(
    tally: Tally, name: str, arguments: Sequence[str], env: dict[str, str], *, coverage: bool = False
) -> None:
    with tally.phase(name):
        runner = ["-m", "coverage", "run", "-m", "twisted.trial"] if coverage else ["-m", "twisted.trial"]
        code, output = await _run([str(environment.PYTHON), *runner, *arguments], env=env, timeout=_TRIAL_TIMEOUT)
        report = read_report(output)
        tally.passed += report.passed
        tally.failed += report.failed
        tally.skipped += report.skipped
        tally.failures += report.names
        if not report.finished or (code != 0 and not report.failed):
            tally.check(f"{name} (ended without a verdict, exit code {code})", False)


async def _coverage_report(tally: Tally, env: dict[str, str]) -> None:
    with tally.phase("branch coverage"):
        code, _ = await _run([_tool("coverage"), "combine", "--quiet"], env=env)
        if code == 0:
            code, _ = await _run([_tool("coverage"), "report"], env=env)
        tally.check("coverage report", code == 0)


async def _strangers(tally: Tally) -> None:
    """Install the libraries of others; without them their tests fail, and all else is tested nevertheless."""
    with tally.phase("the Discord libraries of others"):
        code, _ = await _run([sys.executable, "-m", "scripts.strangers"])
        if code != 0:
            tally.check("installing the Discord libraries of others", False)


def _test_modules() -> tuple[list[str], list[str]]:
    """The test modules that start whole programs, and the others; without those of the phases that follow."""
    found = (environment.ROOT / "tests").rglob("test_*.py")
    names = sorted(".".join(path.relative_to(environment.ROOT).with_suffix("").parts) for path in found)
    chosen = [name for name in names if name != _PACKAGING and not name.startswith(_CHAOS)]
    with_programs = [name for name in chosen if any(part in name for part in _WITH_PROGRAMS)]
    return with_programs, [name for name in chosen if name not in with_programs]


async def _main(arguments: Sequence[str]) -> int:
    children.adopt_orphans()
    tally = Tally()
    try:
        if not arguments:
            # One of them works, the other waits for the network.
            await asyncio.gather(_static_checks(tally), _strangers(tally))
        elif any(_STRANGERS.startswith(each) or each.startswith(_STRANGERS) for each in arguments):
            await _strangers(tally)
        with tempfile.TemporaryDirectory(prefix="rateway-tests-", ignore_cleanup_errors=True) as folder:
            scratch = Path(folder) / "scratch"
            scratch.mkdir()
            env = {"COVERAGE_FILE": str(Path(folder) / "coverage"), "TMPDIR": str(scratch)}
            async with contextlib.AsyncExitStack() as stack:
                with tally.phase("start of the broker"):
                    broker, named = await stack.enter_async_context(_broker())
                env |= named
                if arguments:
                    await _trial(tally, "chosen tests", arguments, env)
                else:
                    with_programs, others = _test_modules()
                    pure = [name for name in others if name.startswith(_PURE)]
                    others = sorted(set(others) - set(pure), key=lambda name: (name != _LONGEST, name))
                    await _trial(tally, "pure packages", [f"-j{_WORKERS}", *pure], env, coverage=True)
                    await _trial(tally, "tests", [f"-j{_WORKERS}", *others], env)
                    await _trial(tally, "whole programs", [f"-j{_WORKERS_WITH_PROGRAMS}", *with_programs], env)
                    # Alone: its faults are those it draws, not those of a machine at its limits.
                    await _trial(tally, "chaos", ["-j2", _CHAOS], env)
                left = children.sweep(settle=5, spare=broker)
                for process in left:
                    print(f"still running after the tests: {process.command}")
                tally.check("the tests leave no process behind", not left)
            if not arguments:
                await _coverage_report(tally, env)
                await _trial(tally, "the built wheel", [_PACKAGING], env)
    finally:
        children.sweep()
    tally.summary()
    return 1 if tally.failed or not tally.passed else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="./run-tests",
        usage="./run-tests [-h] [trial's arguments ...]",
        description="Sets up all it needs, then runs every check and test. With arguments for trial (tests.amqp, "
        "tests.test_tls, -j2, ...) it runs only these tests.",
    )
    _, arguments = parser.parse_known_args()
    children.end_on_signals()
    begin = time.monotonic()
    try:
        with ThreadPoolExecutor(1) as beside:
            broker = beside.submit(rabbitmq_node.ensure_installed)
            environment.ensure()
            broker.result()
        print(f"Set-up took {time.monotonic() - begin:.1f} s.", flush=True)
        return children.run_until_told(lambda: _main(arguments))
    except (apt.SetupError, rabbitmq_node.NodeFailed) as error:
        print(error, file=sys.stderr)
    except BrokenPipeError:
        # Nobody reads any more; the interpreter must not try to flush once again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 1


if __name__ == "__main__":
    sys.exit(main())
