"""What ``./demo`` does: a made-up Discord, rateway, a broker and a worker that prints the events, until Ctrl-C.

The parts end in order, rateway first: it closes its sessions and hands over what it holds while the others still stand.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Sequence
from pathlib import Path

from scripts import apt, children, environment, ports, rabbitmq_node

_SHARDS = 4
_PER_CLUSTER = 2
_COLOURS = {"broker": 35, "simulator": 33, "rateway": 36, "worker": 32}
_INTENTS = "GUILDS,GUILD_MEMBERS,GUILD_MESSAGES,GUILD_MESSAGE_REACTIONS,GUILD_PRESENCES,MESSAGE_CONTENT"


class DemoFailed(Exception):
    """A part ended that should not have; the text says which."""


class Screen:
    """The terminal, which may vanish before we do."""

    def __init__(self) -> None:
        self._colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.gone = asyncio.Event()

    def say(self, text: str) -> None:
        """A line of our own."""
        self._write(f"\033[1m{text}\033[0m" if self._colours else text)

    def tell(self, part: str, line: str) -> None:
        """A line of a part's."""
        prefix = f"{part:<9} |"
        self._write(f"\033[{_COLOURS[part]}m{prefix}\033[0m {line}" if self._colours else f"{prefix} {line}")

    def _write(self, line: str) -> None:
        if self.gone.is_set():
            return
        try:
            print(line, flush=True)
        except OSError:
            # The terminal was closed, or the pipe's reader has left: what is left to do is to end in order.
            self.gone.set()
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


class Demo:
    """The parts, in the order of their start.

    :ivar python: of the environment that rateway and the examples' needs are installed in.
    """

    def __init__(self, screen: Screen, folder: Path, python: Path) -> None:
        self._screen = screen
        self._folder = folder
        self._python = python
        self._parts: dict[str, Process] = {}
        self._talk: list[asyncio.Task[None]] = []

    async def start(self, rate: float) -> None:
        """Start all; it is up to rateway and the worker to wait for what they need.

        :param rate: events a second of the made-up Discord.
        """
        given = os.environ.get("AMQP_URI")
        uri = given or await self._start_broker()
        (port,) = ports.free_ports(1)
        token = secrets.token_urlsafe(16)
        url = f"http://127.0.0.1:{port}/api/v10"
        self._screen.say(f"Starting a Discord of our own at {url} ...")
        simulator = ["rateway-simulator", "--port", str(port), "--token", token, "--shards", str(_SHARDS)]
        world = ["--max-concurrency", str(_SHARDS), "--guilds", "12", "--rate", str(rate)]
        await self._part("simulator", self._twistd(*simulator, *world))
        await self._listening("simulator", port)
        clusters = -(-_SHARDS // _PER_CLUSTER)
        self._screen.say(f"Starting a worker for {clusters} clusters (examples/consumer.py) ...")
        consumer = [str(self._python), str(environment.ROOT / "examples" / "consumer.py")]
        await self._part("worker", [*consumer, "--clusters", str(clusters)], AMQP_URI=uri)
        self._screen.say("Starting rateway ...")
        await self._part(
            "rateway",
            self._twistd("rateway"),
            DISCORD_TOKEN=token,
            INTENTS=_INTENTS,
            AMQP_URI=uri,
            DISCORD_API_URL=url,
            SHARDS_PER_CLUSTER=str(_PER_CLUSTER),
            EXTRA_SHARDS="0",
            STATE_DIR=str(self._folder / "state"),
        )
        # The password of a broker that isn't ours is not for the screen.
        self._screen.say(
            "All is started; Ctrl-C ends it. Meanwhile ask the cache, from another terminal in this folder:\n"
            f"  AMQP_URI={'...' if given else uri} .venv/bin/python examples/cache_query.py CurrentUser"
        )

    async def a_part_ended(self) -> str:
        """Returns once a part ended, with its name."""
        ends = {asyncio.ensure_future(process.wait()): name for name, process in self._parts.items()}
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in ends:
                task.cancel()
        return " and ".join(ends[task] for task in done)

    async def stop(self) -> bool:
        """End all, in order; whether every part ended as it should."""
        good = True
        for name in ("rateway", "worker", "simulator", "broker"):
            process = self._parts.pop(name, None)
            if process is None:
                continue
            self._screen.say(f"Stopping the {name} ..." if name != "rateway" else "Stopping rateway ...")
            if process.stdin:
                process.stdin.close()
            code = await children.end(process, grace=20)
            # A program that obeys the signal may end by it, or with a code that says so, or as if nothing was.
            if code not in (0, -signal.SIGTERM, 128 + signal.SIGTERM):
                self._screen.say(f"{name} ended with exit code {code}")
                good = False
        await asyncio.gather(*self._talk)
        return good

    async def _start_broker(self) -> str:
        """A private RabbitMQ; the URI of it."""
        self._screen.say("Starting a private RabbitMQ (about 6 s) ...")
        argv = [str(environment.ROOT / "scripts" / "rabbitmq"), "run", str(self._folder / "broker")]
        env = environment.clean_environment() | {"RATEWAY_PYTHON": sys.executable}
        process = await children.start(argv, env=env, stdin=PIPE, stdout=PIPE, if_orphaned=signal.SIGTERM)
        self._parts["broker"] = process
        assert process.stdout
        line = await process.stdout.readline()
        if not line:
            raise DemoFailed("the broker did not start; the lines above say why")
        return str(json.loads(line)["amqp"])

    def _twistd(self, *arguments: str) -> list[str]:
        return [str(self._python.with_name("twistd")), "-n", "--pidfile=", *arguments]

    async def _part(self, name: str, argv: Sequence[str], **settings: str) -> None:
        """Start a part in the demo's folder; its settings are the only ones, whatever the caller's environment says."""
        others = ("DISCORD_", "INTENTS", "AMQP_", "SHARDS_", "TOTAL_SHARDS", "EXTRA_SHARDS", "PRESENCE", "STATE_DIR")
        env = {key: value for key, value in environment.clean_environment().items() if not key.startswith(others)}
        process = await children.start(
            argv,
            env=env | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(environment.ROOT)} | settings,
            cwd=self._folder,
            stdout=PIPE,
            stderr=STDOUT,
            if_orphaned=signal.SIGTERM,
        )
        self._parts[name] = process
        self._talk.append(asyncio.ensure_future(self._repeat(name, process)))

    async def _repeat(self, name: str, process: Process) -> None:
        assert process.stdout
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:  # longer than any line should be
                continue
            if not line:
                return
            self._screen.tell(name, line.decode(errors="replace").rstrip())

    async def _listening(self, name: str, port: int) -> None:
        while self._parts[name].returncode is None:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.1)
        raise DemoFailed(f"the {name} ended while it started; the lines above may say why")


async def _main(options: argparse.Namespace, folder: Path) -> int:
    children.adopt_orphans()
    screen = Screen()
    demo = Demo(screen, folder, Path(sys.executable) if options.no_set_up else environment.PYTHON)
    code = 0
    watching: list[asyncio.Task[object]] = [asyncio.create_task(screen.gone.wait())]
    try:
        await demo.start(options.rate)
        watching.append(ended := asyncio.create_task(demo.a_part_ended()))
        await asyncio.wait(watching, timeout=options.seconds, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            raise DemoFailed(f"{ended.result()} ended; the lines above may say why")
    except DemoFailed as error:
        screen.say(f"The demo ends: {error}.")
        code = 1
    finally:
        for task in watching:
            task.cancel()
        good = await demo.stop()
        children.sweep()
        screen.say("All is stopped.")
    return code or (0 if good else 1)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="./demo",
        description="Shows rateway at work: sets up all it needs, then runs a made-up Discord, rateway and a worker "
        "that prints the events, until Ctrl-C. AMQP_URI names a broker to use; without it, a private one is started.",
    )
    parser.add_argument("--seconds", type=float, help="end by itself so long after the start")
    parser.add_argument("--rate", type=float, default=3.0, help="events a second of the made-up Discord (default: 3)")
    parser.add_argument("--no-set-up", action="store_true", help="all is installed, beside the Python that runs this")
    options = parser.parse_args()
    children.end_on_signals()
    folder = Path(tempfile.mkdtemp(prefix="rateway-demo-"))
    try:
        if not options.no_set_up:
            environment.ensure()
            if not os.environ.get("AMQP_URI"):
                rabbitmq_node.ensure_installed()
        return children.run_until_told(lambda: _main(options, folder))
    except apt.SetupError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
