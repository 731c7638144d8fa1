"""Each rule of the code stands in the book of rules, in the docs, and in a test that breaks it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rateway.simulator import simulator
from rateway.simulator.gateway.rulebook import RULES, Rule

ROOT = Path(__file__).resolve().parents[2]
CODE = ROOT / "rateway" / "simulator"

_PLACES = {"breach": 0, "refuse": 1, "Refusal": 1}
"""Who names a rule, and in which argument; each takes three at least."""


def _calls() -> Iterator[tuple[str, ast.Call, ast.expr]]:
    for path in sorted(CODE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                place = _PLACES.get(name)
                if place is not None and len(node.args) >= 3:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node, node.args[place]


def rules_of_the_code() -> set[str]:
    """The names that stand in the code."""
    return {
        argument.value
        for _, _, argument in _calls()
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }


def rules_broken_by_tests() -> set[str]:
    """The rules whose breach a test of this folder shows."""
    broken = set()
    for path in Path(__file__).parent.glob("test_rules_*.py"):
        for case in vars(import_module(f"tests.simulator.{path.stem}")).values():
            if isinstance(case, type):
                tests = (getattr(case, name) for name in dir(case) if name.startswith("test"))
                broken |= {test.broken_rule for test in tests if hasattr(test, "broken_rule")}
    return broken


def rules_of_the_docs() -> dict[str, Rule]:
    """The rows of the table in docs/simulator.md."""
    text = (ROOT / "docs" / "simulator.md").read_text()
    table = text.partition("## Rules it enforces")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| `")]
    return {name.strip("| `"): Rule(demand, answer.removesuffix(" |")) for name, demand, answer in rows}


class CompletenessTests(SynchronousTestCase):
    """Nobody adds a rule without all that belongs to it."""

    def test_code(self) -> None:
        """The book has the rules that the code enforces, and no others."""
        self.assertEqual(rules_of_the_code(), set(RULES))

    def test_names_are_written_out(self) -> None:
        """A rule's name is written where it is broken, or passed on from there; it is never put together."""
        for where, _, argument in _calls():
            passed_on = isinstance(argument, ast.Name | ast.Attribute) and ast.unparse(argument).endswith("rule")
            named = isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            self.assertTrue(passed_on or named, where)

    def test_tests(self) -> None:
        """Each rule is broken by a raw client in a test, which sees the answer and the record."""
        self.assertEqual(rules_broken_by_tests(), set(RULES))

    def test_docs(self) -> None:
        """Each rule has a row in the docs, in the words of the book."""
        self.assertEqual(rules_of_the_docs(), RULES)

    def test_docstring(self) -> None:
        """The simulator's docstring names them all."""
        text = str(simulator.__doc__).partition("Rules (``Breach.rule``)")[2].partition("\n\n")[0]
        self.assertEqual(set(re.findall(r"[a-z]+(?:-[a-z]+)*", text)), set(RULES))
