"""Which plugins a private node finds; that it starts with them is the matter of tests/support."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from scripts import rabbitmq_home

APPLICATIONS = {
    "rabbit": "[kernel,\n  rabbit_common,ra]",
    "rabbit_common": "[kernel, stdlib]",
    "ra": "[aten]",
    "aten": "[]",
    "management": "[rabbit,cowboy]",
    "cowboy": "[ssl]",
    "other": "[rabbit]",
}


class HomeTests(SynchronousTestCase):
    """Links to plugins."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.installed = Path(self.mktemp()) / "lib"
        (self.installed / "sbin").mkdir(parents=True)
        self.program = self.installed / "sbin" / "rabbitmq-server"
        self.program.write_text("#!/bin/sh\n")
        for name, applications in APPLICATIONS.items():
            described = self.installed / "plugins" / f"{name}-1.2.3" / "ebin" / f"{name}.app"
            described.parent.mkdir(parents=True)
            described.write_text(f'{{application, {name}, [{{vsn,"1"}},\n {{applications, {applications}}}]}}.\n')
        (self.installed / "plugins" / "README").write_text("no plugin")

    def test_needed(self) -> None:
        """What is enabled, the server, and what they need in turn; nothing else."""
        for _ in range(2):
            program = Path(rabbitmq_home.lean(str(self.program), self.folder, ["management"]))
            self.assertEqual(program.read_text(), self.program.read_text())
            self.assertEqual(
                {path.name: path.resolve() for path in (program.parents[1] / "plugins").iterdir()},
                {
                    f"{name}-1.2.3": (self.installed / "plugins" / f"{name}-1.2.3").resolve()
                    for name in APPLICATIONS.keys() - {"other"}
                },
            )

    def test_through_a_link(self) -> None:
        """The server is where its program really is."""
        link = self.installed / "link"
        link.symlink_to(self.program.resolve())
        program = rabbitmq_home.lean(str(link), self.folder, ["management"])
        self.assertEqual(program, str(self.folder / "server" / "sbin" / "rabbitmq-server"))

    def test_laid_out_otherwise(self) -> None:
        """Plugins that are missing, archives, or elsewhere: the server is started as it is."""
        self.assertEqual(rabbitmq_home.lean(str(self.program), self.folder, ["missing"]), str(self.program))
        (self.installed / "plugins" / "archive-1.0.ez").write_bytes(b"PK")
        self.assertEqual(rabbitmq_home.lean(str(self.program), self.folder, ["archive"]), str(self.program))
        self.assertEqual(
            rabbitmq_home.lean("/nowhere/rabbitmq-server", self.folder, ["rabbit"]), "/nowhere/rabbitmq-server"
        )
        self.assertFalse(self.folder.exists())

    def test_odd_folder(self) -> None:
        """RabbitMQ's scripts quote nothing: from a folder with a blank in its name they could not be run."""
        self.assertEqual(rabbitmq_home.lean(str(self.program), self.folder / "a b", ["management"]), str(self.program))
