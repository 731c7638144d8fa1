"""What setup.cfg asks for is what the package imports."""

from __future__ import annotations

import re
import sys
from configparser import ConfigParser
from importlib.metadata import packages_distributions

from twisted.trial.unittest import SynchronousTestCase

from .test_imports import ROOT, imports_of, modules

THROUGH_ANOTHER = {"txaio": "autobahn", "incremental": "twisted"}
"""Packages that belong to one named: their versions have to fit that one's, and it asks for them itself."""


def normal(name: str) -> str:
    """A distribution's name as PyPI compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def required() -> set[str]:
    """The distributions of install_requires."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = setup["options"]["install_requires"].split("\n")
    return {normal(match[0]) for line in lines if (match := re.match(r"[\w.-]+", line.strip()))}


class RequirementsTests(SynchronousTestCase):
    """The package's own imports."""

    def test_every_import_is_asked_for(self) -> None:
        """No module relies on what another requirement happens to bring along."""
        distributions = packages_distributions()
        found: dict[str, str] = {}
        for path, name, tree in modules():
            for line, target in imports_of(tree, name, path.name == "__init__.py"):
                top = target.split(".")[0]
                if top != "rateway" and top not in sys.stdlib_module_names:
                    found.setdefault(top, f"{path.relative_to(ROOT)}:{line}")
        self.assertIn("twisted", found)
        wanted = {top: {normal(each) for each in distributions.get(top, [])} for top in found}
        missing = {
            top: found[top]
            for top, names in wanted.items()
            if not names & required() and THROUGH_ANOTHER.get(top) not in required()
        }
        self.assertEqual(missing, {})
