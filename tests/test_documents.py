"""The documents: their links lead somewhere, and what they say to type is taken as they say."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import ujson
from twisted.trial.unittest import SynchronousTestCase

from rateway.config import load_config
from rateway.errors import ConfigError
from rateway.settings import SETTINGS
from rateway.simulator.choices import GROUPS
from rateway.simulator.control.actions import parse_action
from rateway.simulator.control.waits import Wait
from rateway.simulator.scenario.reading import packaged, read

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_SENT = re.compile(r"/control/(actions|wait) -d '([^']*)'")


def blocks(name: str, language: str) -> list[str]:
    """The blocks of code of one document."""
    return [code for found, code in _BLOCK.findall((ROOT / name).read_text()) if found == language]


def prose(document: Path) -> str:
    """A document without its blocks of code."""
    return _BLOCK.sub("", document.read_text())


def anchors(document: Path) -> set[str]:
    """What its headings are called in links, as GitHub makes it."""
    headings = re.findall(r"^#+ (.*)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


class LinkTests(SynchronousTestCase):
    """From one document to another."""

    def test_links(self) -> None:
        """Every relative link leads to a file, and to a heading that is in it."""
        for document in DOCUMENTS:
            for target in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
                if "://" in target:
                    continue
                name, _, anchor = target.partition("#")
                led = (document.parent / name).resolve() if name else document
                where = f"{document.relative_to(ROOT)}: {target}"
                self.assertTrue(led.exists(), where)
                if anchor:
                    self.assertIn(anchor, anchors(led), where)

    def test_decisions(self) -> None:
        """The index of decisions lists every page by its title."""
        index = (ROOT / "docs/decisions/README.md").read_text()
        pages = [path for path in ROOT.glob("docs/decisions/*.md") if path.name != "README.md"]
        self.assertTrue(pages)
        for page in pages:
            self.assertIn(f"({page.name})", index)


class OperationsTests(SynchronousTestCase):
    """docs/operations.md."""

    def test_settings(self) -> None:
        """Every setting has its row."""
        lines = (ROOT / "docs/operations.md").read_text().splitlines()
        rows = [line.split(" | ") for line in lines if line.startswith("| `")]
        for setting in SETTINGS:
            (key,) = {row[1] for row in rows if row[0] == f"| `{setting.variable}`" and len(row) > 3}
            self.assertRegex(key, rf"`\[?{re.escape(setting.key)}\]?`")

    def test_file(self) -> None:
        """The file that is shown is taken as it stands, but for the authority that isn't on this machine."""
        (code,) = blocks("docs/operations.md", "toml")
        path = Path(self.mktemp())
        path.write_text(code.replace("…", "x"))
        error = self.assertRaises(ConfigError, load_config, {}, path)
        self.assertRegex(str(error), r"\Aamqp_ca in [^\n]*\Z")
        path.write_text("".join(line for line in path.read_text().splitlines(True) if "amqp_ca" not in line))
        self.assertEqual(load_config({}, path).event_ttl, {"INTERACTION_CREATE": 3000, "TYPING_START": 10_000})


class SimulatorTests(SynchronousTestCase):
    """docs/simulator.md and the pages below it."""

    def test_options(self) -> None:
        """Every option of the command line is named."""
        text = (ROOT / "docs/simulator.md").read_text()
        names = [option.name for _, options in GROUPS for option in options]
        self.assertIn("port", names)
        for name in names:
            self.assertIn(f"`--{name}`", text)

    def test_what_is_sent(self) -> None:
        """Every action and every wait that is shown is one."""
        taken = 0
        for document in DOCUMENTS:
            for kind, body in _SENT.findall(document.read_text()):
                sent = ujson.loads(body)
                if kind == "wait":
                    msgspec.convert(sent, Wait)
                for action in [sent] if isinstance(sent, dict) else sent:
                    if kind == "actions":
                        parse_action(action)
                taken += 1
        self.assertGreater(taken, 10)

    def test_scenarios(self) -> None:
        """Those to copy can be read; those that are named come along."""
        page = "docs/simulator/scenarios.md"
        shown = blocks(page, "toml")
        self.assertEqual(len(shown), 3)
        for number, code in enumerate(shown, start=1):
            self.assertTrue(read(code, f"block {number}").cases)
        named = re.findall(r"--scenario (\w+)(?:\s|:|$)", (ROOT / page).read_text())
        self.assertEqual(set(named) - {"list", "mine", "FILE"}, set(named) & set(packaged()))
