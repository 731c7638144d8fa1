from __future__ import annotations

import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import rateway
from rateway.process.spawning import child_arguments, child_environment

HOME = str(Path(rateway.__file__).resolve().parents[1])


class EnvironmentTests(SynchronousTestCase):
    """What a child inherits."""

    def test_no_secret(self) -> None:
        """The token and the broker's URI come over the link alone."""
        environ = {"DISCORD_TOKEN": "t", "AMQP_URI": "amqp://u:p@h", "PATH": "/bin", "LANG": "C"}
        self.assertEqual(child_environment(environ, (HOME,)), {"PATH": "/bin", "LANG": "C"})

    def test_an_installed_rateway_is_found_as_it_is(self) -> None:
        """PYTHONPATH stays what it was."""
        self.assertEqual(child_environment({"PYTHONPATH": "/a"}, (HOME,)), {"PYTHONPATH": "/a"})
        self.assertEqual(child_environment({"PYTHONPATH": f"/a:{HOME}"}, ()), {"PYTHONPATH": f"/a:{HOME}"})

    def test_a_checkout_is_made_known(self) -> None:
        """The child runs the parent's rateway, not another one."""
        self.assertEqual(child_environment({}, ("/elsewhere",)), {"PYTHONPATH": HOME})
        self.assertEqual(child_environment({"PYTHONPATH": "/a"}, ()), {"PYTHONPATH": f"{HOME}:/a"})

    def test_the_command_line(self) -> None:
        """The same Python; nothing from the working folder."""
        self.assertEqual(child_arguments(), [sys.executable, "-P", "-m", "rateway.process.child"])
