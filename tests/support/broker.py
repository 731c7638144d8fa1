"""A real RabbitMQ for tests.

One node serves a whole run: ``./run-tests`` starts it and names it in RATEWAY_TEST_AMQP and RATEWAY_TEST_MANAGEMENT;
without these, each test process starts one when it is first asked for, and ends it when the process ends. Tests keep
apart by a vhost of their own::

    async def test_something(self) -> None:
        uri = await fresh_vhost(self)  # for AMQP_URI
        vhost = vhost_of(uri)  # what the broker says of it

A test that stops, kills or restarts its broker takes a :class:`PrivateBroker`, some seconds for each start.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pika
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from scripts import rabbitmq_node

from .management import ManagementApi

_SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "rabbitmq"


class Vhost:
    """A vhost, and what the broker says of it.

    :ivar uri: what AMQP_URI is set to in order to use it.
    """

    def __init__(self, amqp_uri: str, api: ManagementApi, name: str) -> None:
        self.name = name
        self.uri = f"{amqp_uri.rpartition('/')[0]}/{quote(name, safe='')}"
        self.api = api

    def __repr__(self) -> str:
        return f"<Vhost {self.name!r} on port {urlsplit(self.uri).port}>"

    def exchange(self, name: str) -> Deferred[dict[str, Any] | None]:
        """``type``, ``durable``, ``auto_delete``, ``internal``, ``arguments``; None if it does not exist."""
        return deferToThread(self.api.call, "GET", "exchanges", self.name, name)

    async def exchanges(self) -> set[str]:
        """The names of all exchanges, RabbitMQ's own left out."""
        found = await deferToThread(self.api.call, "GET", "exchanges", self.name)
        return {each["name"] for each in found if each["name"] and not each["name"].startswith("amq.")}

    def queue(self, name: str) -> Deferred[dict[str, Any] | None]:
        """``durable``, ``exclusive``, ``auto_delete``, ``arguments``, ...; numbers in it are up to 1 s old."""
        return deferToThread(self.api.call, "GET", "queues", self.name, name)

    async def queues(self) -> set[str]:
        """The names of all queues."""
        return {each["name"] for each in await deferToThread(self.api.call, "GET", "queues", self.name)}

    def depth(self, queue: str) -> Deferred[int]:
        """How many messages wait in the queue, exactly and now."""
        return deferToThread(self._depth, queue)

    async def bindings(self, exchange: str) -> set[tuple[str, str]]:
        """``(queue, routing key)`` of every binding of the exchange."""
        found = await deferToThread(self.api.call, "GET", "exchanges", self.name, exchange, "bindings", "source")
        return {(each["destination"], each["routing_key"]) for each in found or ()}

    async def connections(self) -> list[dict[str, Any]]:
        """The clients' connections: ``name``, ``client_properties``, ``state``, ..."""
        return list(await deferToThread(self.api.call, "GET", "vhosts", self.name, "connections") or ())

    async def close_connections(self, reason: str = "closed by a test") -> int:
        """Let the broker close every connection (``connection.close``, code 320); how many there were."""
        found = await self.connections()
        for each in found:
            await deferToThread(self.api.call, "DELETE", "connections", each["name"], headers={"X-Reason": reason})
        return len(found)

    def delete(self) -> Deferred[None]:
        """Delete it with all it holds; the broker closes its connections."""
        return deferToThread(self.api.call, "DELETE", "vhosts", self.name)

    def _depth(self, queue: str) -> int:
        with contextlib.closing(pika.BlockingConnection(pika.URLParameters(self.uri))) as connection:
            return int(connection.channel().queue_declare(queue, passive=True).method.message_count)


class PrivateBroker:
    """A node of a test's own, on the same ports and with the same messages after each start.

    Add :meth:`remove` to the test's clean-ups.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="rateway-broker-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._node_pid = 0
        self._vhost: Vhost | None = None

    @property
    def vhost(self) -> Vhost:
        """The default vhost; known from the first start on."""
        if self._vhost is None:
            raise RuntimeError("the broker was not started yet")
        return self._vhost

    @property
    def log_folder(self) -> Path:
        """Where the node writes its logs."""
        return self._folder / "log"

    def start(self) -> Deferred[None]:
        """Fires when it serves."""
        return deferToThread(self.start_blocking)

    def stop(self) -> Deferred[None]:
        """An orderly end: connections are closed by the broker, durable things are kept."""
        return deferToThread(self.stop_blocking)

    def kill(self) -> Deferred[None]:
        """SIGKILL to the node: connections break, as when its host dies."""
        return deferToThread(self._kill)

    def suspend(self) -> None:
        """SIGSTOP to the node: it hangs, and its connections with it, until :meth:`resume`."""
        os.kill(self._node_pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT to the node."""
        os.kill(self._node_pid, signal.SIGCONT)

    def control(self, *arguments: str) -> Deferred[str]:
        """What ``rabbitmqctl`` answers to a command for this node; RuntimeError if it fails."""
        return deferToThread(self._control, *arguments)

    async def restart(self) -> None:
        """Stop, and start again."""
        await self.stop()
        await self.start()

    def remove(self) -> Deferred[None]:
        """End it, and remove all it kept."""
        return deferToThread(self.remove_blocking)

    def start_blocking(self) -> None:
        """As :meth:`start`, for a thread."""
        # The script is no part of what coverage measures.
        env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
        self._process = process = subprocess.Popen(
            [str(_SCRIPT), "run", str(self._folder)],
            env=env | {"RATEWAY_PYTHON": sys.executable},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout and process.stderr
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"no broker: {process.stderr.read().decode(errors='replace').strip()}")
        ready = json.loads(line)
        self._node_pid = ready["pid"]
        self._vhost = Vhost(ready["amqp"], ManagementApi(ready["management"]), "/")

    def stop_blocking(self) -> None:
        """As :meth:`stop`, for a thread."""
        if self._process is not None:
            # The end of its stdin is its sign to go.
            self._process.communicate()
            self._process = None

    def remove_blocking(self) -> None:
        """As :meth:`remove`, for a thread."""
        if self._process is not None and self._node_pid:
            self._kill()
        self.stop_blocking()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _control(self, *arguments: str) -> str:
        # Not Debian's wrapper of it, which changes the user, and with him where the node's cookie is looked for.
        program = Path(str(rabbitmq_node.server_program())).with_name("rabbitmqctl")
        settings = rabbitmq_node.load_settings(self._folder, rabbitmq_node.Choice())
        done = subprocess.run(
            [str(program), "-n", "rateway@localhost", *arguments],
            env=rabbitmq_node.node_environment(self._folder, settings),
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode:
            raise RuntimeError(f"rabbitmqctl {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def _kill(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._node_pid, signal.SIGKILL)
        self._node_pid = 0
        self.stop_blocking()


class _SharedBroker:
    """The run's broker, started by the first test that asks."""

    def __init__(self) -> None:
        self._node: Vhost | None = None

    def node(self) -> Vhost:
        """Its default vhost; blocks while it starts."""
        if self._node is None:
            amqp, management = os.environ.get("RATEWAY_TEST_AMQP"), os.environ.get("RATEWAY_TEST_MANAGEMENT")
            if amqp and management:
                self._node = Vhost(amqp, ManagementApi(management), "/")
            else:
                own = PrivateBroker()
                atexit.register(own.remove_blocking)
                own.start_blocking()
                self._node = own.vhost
        return self._node


_shared = _SharedBroker()


async def fresh_vhost(case: TestCase) -> str:
    """A new vhost on the run's broker, as the URI of it; deleted after the test."""
    # Not in a thread: a start happens once in a process, and two tests must not both begin it.
    node = _shared.node()
    vhost = Vhost(node.uri, node.api, f"test-{uuid.uuid4().hex[:12]}")
    await deferToThread(node.api.call, "PUT", "vhosts", vhost.name)
    case.addCleanup(vhost.delete)
    grants = {"configure": ".*", "write": ".*", "read": ".*"}
    await deferToThread(node.api.call, "PUT", "permissions", vhost.name, node.api.user, body=grants)
    return vhost.uri


def vhost_of(uri: str) -> Vhost:
    """What the run's broker says of a vhost of :func:`fresh_vhost`."""
    node = _shared.node()
    return Vhost(node.uri, node.api, unquote(uri.rpartition("/")[2]))
