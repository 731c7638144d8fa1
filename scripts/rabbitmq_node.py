"""A private RabbitMQ node: on loopback, on ports of its own, in a folder of its own, beside any other broker.

``run`` stays in the foreground, prints one line of JSON once the node serves::

    {"amqp": "amqp://...", "management": "http://...", "pid": 4711}

and ends the node with its Erlang port mapper (epmd) when its stdin is closed, when it gets SIGTERM, SIGINT or SIGHUP,
or when the node ends by itself. Holding the other end of its stdin is therefore all that a caller has to do: whoever
is killed closes it.

The folder keeps the ports, the password and the messages: a second ``run`` on it brings the same broker back, as after
an outage.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import os
import secrets
import shutil
import sys
import threading
import urllib.error
import urllib.request
from asyncio.subprocess import DEVNULL, Process
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from scripts import apt, children, ports, rabbitmq_home

_DEBIAN_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""What Debian's /usr/sbin/rabbitmq-server wraps in a change of user, and of working folder."""

_PLUGINS = ("rabbitmq_management",)
_START_TIMEOUT = 120.0
_STOP_TIMEOUT = 15.0
_ATTEMPTS = 3


class NodeFailed(Exception):
    """The node did not come up; the text says why, as far as its log tells."""


@dataclass(frozen=True)
class Settings:
    """What makes a node the same one again."""

    amqp_port: int
    management_port: int
    distribution_port: int
    epmd_port: int
    password: str
    user: str = "rateway"

    @property
    def amqp_uri(self) -> str:
        return f"amqp://{self.user}:{self.password}@127.0.0.1:{self.amqp_port}/%2f"

    @property
    def management_uri(self) -> str:
        return f"http://{self.user}:{self.password}@127.0.0.1:{self.management_port}"


@dataclass(frozen=True)
class Choice:
    """Ports the caller insists on."""

    amqp_port: int | None = None
    management_port: int | None = None


def server_program() -> str | None:
    """Where RabbitMQ's server is, if it is installed."""
    if _DEBIAN_SERVER.exists():
        return str(_DEBIAN_SERVER)
    return shutil.which("rabbitmq-server", path=apt.search_path())


def ensure_installed() -> str:
    """RabbitMQ's server, installed from Debian if need be.

    :raises scripts.apt.SetupError: it can't be installed.
    """
    program = server_program()
    if program is None:
        apt.install("rabbitmq-server", purpose="a private broker")
        program = server_program()
    if program is None:
        raise apt.SetupError("rabbitmq-server is installed, but its program is not where Debian puts it")
    return program


def load_settings(folder: Path, choice: Choice) -> Settings:
    """The settings a folder remembers, or new ones; they are remembered from now on."""
    record = folder / "node.json"
    try:
        settings = Settings(**json.loads(record.read_text()))
    except FileNotFoundError:
        amqp, management, distribution, epmd = ports.free_ports(4, folder.resolve())
        settings = Settings(amqp, management, distribution, epmd, secrets.token_urlsafe(12))
    settings = replace(
        settings,
        amqp_port=choice.amqp_port or settings.amqp_port,
        management_port=choice.management_port or settings.management_port,
    )
    record.touch(0o600)
    record.write_text(json.dumps(asdict(settings)))
    return settings


def write_configuration(folder: Path, settings: Settings) -> None:
    """The node's own configuration files, instead of the machine's in /etc/rabbitmq."""
    configuration = folder / "rabbitmq.conf"
    configuration.touch(0o600)
    configuration.write_text(
        f"listeners.tcp.1 = 127.0.0.1:{settings.amqp_port}\n"
        f"management.tcp.ip = 127.0.0.1\n"
        f"management.tcp.port = {settings.management_port}\n"
        f"default_user = {settings.user}\n"
        f"default_pass = {settings.password}\n"
        # Tests read queue lengths and connections from the management API: let it know them soon.
        "collect_statistics_interval = 500\n"
        # A full disk shall be noticed, a merely crowded one shall not stop publishers.
        "disk_free_limit.absolute = 50MB\n"
        "log.file.level = info\n"
    )
    (folder / "enabled_plugins").write_text(f"[{','.join(_PLUGINS)}].\n")
    (folder / "environment.conf").write_text("")
    for name in ("mnesia", "log", "home"):
        (folder / name).mkdir(exist_ok=True)


def node_environment(folder: Path, settings: Settings) -> dict[str, str]:
    """The environment of the node: nothing of the caller's RabbitMQ or Erlang settings, all of ours."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_", "PYTHON"))
    }
    return {
        **inherited,
        "PATH": apt.search_path(),
        "LC_ALL": "C.UTF-8",
        "HOME": str(folder / "home"),
        "RABBITMQ_NODENAME": "rateway@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(settings.amqp_port),
        "RABBITMQ_DIST_PORT": str(settings.distribution_port),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "node.pid"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "environment.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            # Few threads; the port mapper is ours; what the statistics' supervisors do for 5 s at the end is in vain.
            "+S 2:2 +SDcpu 1:1 +SDio 2 +A 4 -start_epmd false -shutdown_time 2000 "
            "-kernel inet_dist_use_interface {127,0,0,1}"
        ),
        "ERL_EPMD_PORT": str(settings.epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        # The server's script then becomes the Erlang machine, instead of waiting beside it with signal handlers.
        "RUNNING_UNDER_SYSTEMD": "true",
    }


class Node:
    """The two processes of a running node."""

    def __init__(self, program: str, folder: Path, settings: Settings) -> None:
        self.settings = settings
        self._program = program
        self._folder = folder
        self._processes: list[Process] = []

    @property
    def pid(self) -> int:
        return self._processes[-1].pid

    async def start(self) -> None:
        """Fires when clients are served.

        :raises NodeFailed: it ended, or took too long.
        """
        for port in (self.settings.amqp_port, self.settings.management_port):
            if not ports.is_free(port):
                raise NodeFailed(f"Port {port} of 127.0.0.1 is taken by another program")
        write_configuration(self._folder, self.settings)
        env = node_environment(self._folder, self.settings)
        program = rabbitmq_home.lean(self._program, self._folder, _PLUGINS)
        epmd = shutil.which("epmd", path=env["PATH"])
        if epmd is None:
            raise NodeFailed("epmd, Erlang's port mapper, is not installed: RabbitMQ can't run without it")
        mapper = [epmd, "-port", str(self.settings.epmd_port), "-address", "127.0.0.1"]
        self._processes.append(await children.start(mapper, env=env, stdout=DEVNULL, stderr=DEVNULL))
        await self._reached(self.settings.epmd_port)
        with (self._folder / "startup.log").open("wb") as log:
            self._processes.append(await children.start([program], env=env, cwd=self._folder, stdout=log, stderr=log))
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                await self._reached(self.settings.amqp_port)
                while not await asyncio.to_thread(_answers, self.settings):
                    self._check_alive()
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise NodeFailed(self._last_words(f"RabbitMQ did not serve within {_START_TIMEOUT:.0f} s")) from None

    async def ended(self) -> None:
        """Fires when either process ended by itself."""
        waiting = [asyncio.ensure_future(process.wait()) for process in self._processes]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    async def stop(self) -> None:
        """End the node, then its port mapper."""
        for process in reversed(self._processes):
            await children.end(process, grace=_STOP_TIMEOUT)
        self._processes.clear()

    async def _reached(self, port: int) -> None:
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                self._check_alive()
                await asyncio.sleep(0.05)
                continue
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            return

    def _check_alive(self) -> None:
        for process in self._processes:
            if process.returncode is not None:
                raise NodeFailed(self._last_words("RabbitMQ ended while it started"))

    def _last_words(self, sentence: str) -> str:
        try:
            lines = (self._folder / "startup.log").read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        said = [line for line in lines if line.strip()]
        return "\n".join([*said[-15:], sentence])


def _answers(settings: Settings) -> bool:
    """Whether the management API lets the user in, and says that it is this node that serves the port.

    That the port can be reached proves little: it may be another program that listens there.
    """
    login = base64.b64encode(f"{settings.user}:{settings.password}".encode()).decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{settings.management_port}/api/health/checks/port-listener/{settings.amqp_port}",
        headers={"Authorization": f"Basic {login}"},
    )
    # No proxy of the environment's: this never leaves the machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _watch_stdin(told: asyncio.Event) -> None:
    """Set the event once stdin is closed; by a thread, for stdin may be anything, also what can't be polled."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(told.set)

    threading.Thread(target=read, daemon=True, name="stdin").start()


async def _start_node(program: str, folder: Path, choice: Choice) -> Node:
    """A running node; ports that somebody took while it started are chosen anew where nobody insists on them."""
    remembered = (folder / "node.json").exists()
    for attempt in range(1, _ATTEMPTS + 1):
        node = Node(program, folder, load_settings(folder, choice))
        try:
            await node.start()
        except NodeFailed:
            await node.stop()
            if remembered or attempt == _ATTEMPTS:
                raise
            for name in ("node.json", "mnesia", "log"):
                path = folder / name
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        except BaseException:
            await node.stop()
            raise
        else:
            return node
    raise AssertionError("unreachable")


async def _run(program: str, folder: Path, choice: Choice) -> int:
    closed = asyncio.Event()
    _watch_stdin(closed)
    starting = asyncio.ensure_future(_start_node(program, folder, choice))
    told = asyncio.ensure_future(closed.wait())
    try:
        await asyncio.wait([starting, told], return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            return 0
        node = starting.result()
    finally:
        if not starting.done():
            starting.cancel()
            await asyncio.wait([starting])
    try:
        ready = {"amqp": node.settings.amqp_uri, "management": node.settings.management_uri, "pid": node.pid}
        print(json.dumps(ready), flush=True)
        ended = asyncio.ensure_future(node.ended())
        await asyncio.wait([ended, told], return_when=asyncio.FIRST_COMPLETED)
        if told.done():
            return 0
        print("The RabbitMQ node ended by itself.", file=sys.stderr)
        return 1
    finally:
        await node.stop()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/rabbitmq", description="A private RabbitMQ node for tests and the demo."
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("install", help="install Debian's rabbitmq-server if it is missing, without starting it")
    run = verbs.add_parser(
        "run",
        help="run a node until stdin is closed or a signal comes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("folder", type=Path, help="where the node keeps all that is its own")
    run.add_argument(
        "--amqp-port", type=int, help="a port to insist on (default: a free one, remembered in the folder)"
    )
    run.add_argument("--management-port", type=int, help="likewise, for the management API")
    options = parser.parse_args()
    children.end_on_signals()
    try:
        program = ensure_installed()
        if options.verb == "install":
            return 0
        folder = options.folder.resolve()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        choice = Choice(options.amqp_port, options.management_port)
        return children.run_until_told(lambda: _run(program, folder, choice))
    except (apt.SetupError, NodeFailed, BrokenPipeError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
