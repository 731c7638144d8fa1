"""What a private node is told; that it runs is the matter of tests/support."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from scripts import rabbitmq_node
from scripts.rabbitmq_node import Choice

_ROOT = Path(__file__).resolve().parents[2]


class SettingsTests(SynchronousTestCase):
    """What a folder remembers."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)

    def test_remembered(self) -> None:
        """The second start has the ports and the password of the first."""
        first = rabbitmq_node.load_settings(self.folder, Choice())
        self.assertEqual(rabbitmq_node.load_settings(self.folder, Choice()), first)

    def test_apart(self) -> None:
        """Two folders share no port and no password."""
        other = self.folder / "other"
        other.mkdir()
        one, two = (rabbitmq_node.load_settings(folder, Choice()) for folder in (self.folder, other))
        self.assertNotEqual(one.password, two.password)
        self.assertNotEqual(one.amqp_port, two.amqp_port)

    def test_chosen_ports(self) -> None:
        """A port that the caller insists on is taken, and remembered."""
        rabbitmq_node.load_settings(self.folder, Choice())
        rabbitmq_node.load_settings(self.folder, Choice(amqp_port=20_001))
        settings = rabbitmq_node.load_settings(self.folder, Choice(management_port=20_002))
        self.assertEqual((settings.amqp_port, settings.management_port), (20_001, 20_002))

    def test_secrets_for_the_owner_only(self) -> None:
        """The files with the password are nobody else's to read."""
        settings = rabbitmq_node.load_settings(self.folder, Choice())
        rabbitmq_node.write_configuration(self.folder, settings)
        with_password = [
            path for path in self.folder.iterdir() if path.is_file() and settings.password in path.read_text()
        ]
        self.assertEqual({path.name for path in with_password}, {"node.json", "rabbitmq.conf"})
        self.assertEqual({path.stat().st_mode & 0o777 for path in with_password}, {0o600})

    def test_nothing_of_another_broker(self) -> None:
        """Settings of the machine's own broker don't reach the node; all that it listens on is loopback's."""
        self.patch(os, "environ", {"RABBITMQ_USE_LONGNAME": "true", "ERL_LIBS": "/other", "HOME": "/root"})
        settings = rabbitmq_node.load_settings(self.folder, Choice())
        env = rabbitmq_node.node_environment(self.folder, settings)
        self.assertNotIn("RABBITMQ_USE_LONGNAME", env)
        self.assertNotIn("ERL_LIBS", env)
        self.assertEqual(env["HOME"], str(self.folder / "home"))
        self.assertEqual(env["ERL_EPMD_PORT"], str(settings.epmd_port))
        rabbitmq_node.write_configuration(self.folder, settings)
        lines = (self.folder / "rabbitmq.conf").read_text().splitlines()
        listening = [line for line in lines if line.startswith(("listeners", "management.tcp.ip"))]
        self.assertEqual(len(listening), 2)
        self.assertTrue(all("= 127.0.0.1" in line for line in listening), listening)


class CommandTests(SynchronousTestCase):
    """``scripts/rabbitmq``."""

    def test_closed_stdin(self) -> None:
        """Started by somebody who is gone already, it ends at once and says nothing."""
        folder = Path(self.mktemp())
        done = subprocess.run(
            [_ROOT / "scripts" / "rabbitmq", "run", folder],
            env={**os.environ, "RATEWAY_PYTHON": sys.executable},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))

    def test_taken_port(self) -> None:
        """A port that somebody has, and that is insisted on, is an end in words."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            program = subprocess.Popen(
                [_ROOT / "scripts" / "rabbitmq", "run", self.mktemp(), "--amqp-port", str(other.getsockname()[1])],
                env={**os.environ, "RATEWAY_PYTHON": sys.executable},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            # Its stdin stays open until it ended: only the port can be the reason.
            assert program.stderr
            said = program.stderr.read().decode()
            program.communicate(timeout=60)
        self.assertEqual(program.returncode, 1)
        self.assertRegex(said, r"^Port \d+ of 127\.0\.0\.1 is taken by another program\n$")
