"""Tests of the architecture: which module may know which, and what each kind of module may touch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "rateway"

LAYERS = (
    ("gateway", "store", "spool", "config"),
    ("http", "amqp", "shard"),
    ("cluster",),
    ("process",),
    ("tap", "main"),
)
"""From the bottom up: a part may import those of the layers below its own, and ``EVERYWHERE``."""

EVERYWHERE = ("model", "errors", "interfaces", "tls", "logs", "complaints")
"""What all may import; among themselves, each only those in ``BELOW``."""

BELOW = {
    "model": (),
    "errors": (),
    "interfaces": ("model", "errors"),
    "tls": ("errors",),
    "logs": (),
    "complaints": (),
    "simulator": ("model", "errors"),
}
FAMILY = {"settings": "config", "values": "config", "presence": "config"}
"""Modules that are one part in several files."""

STRANGERS = {("amqp", "store")}
"""Pairs that the layers would allow, but the design doesn't: the broker's side doesn't know that there is a cache."""

PURE = (
    "complaints.py",
    "model/",
    "gateway/",
    "http/answers.py",
    "http/buckets.py",
    "http/gatewaybot.py",
    "http/limits.py",
    "http/routes.py",
    "process/restarts.py",
    "amqp/uri.py",
    "amqp/topology.py",
    "amqp/codec.py",
    "store/updates/",
    "spool/record.py",
)
IMPURE = {
    "twisted",
    "autobahn",
    "treq",
    "lmdb",
    "OpenSSL",
    "socket",
    "select",
    "selectors",
    "ssl",
    "asyncio",
    "threading",
}
IMPURE |= {"time", "os", "random", "secrets", "uuid", "logging", "multiprocessing", "subprocess", "signal"}
IMPURE |= {"tempfile", "shutil", "pathlib"}
LONGEST = 350


def part_of(module: str) -> str:
    """The part a module of ours belongs to: ``rateway.http.client`` is of ``http``."""
    name = [*module.split("."), ""][1]
    return "" if name.startswith("__") else FAMILY.get(name, name)


def allowed(importer: str, imported: str) -> bool:
    """Whether one part may import another."""
    if importer == imported or imported == "":
        return True
    if importer in BELOW:
        return imported in BELOW[importer]
    if imported in EVERYWHERE:
        return True
    if (importer, imported) in STRANGERS:
        return False
    rank = {part: level for level, parts in enumerate(LAYERS) for part in parts}
    if importer not in rank or imported not in rank:
        return False
    return rank[imported] < rank[importer] or (importer, imported) == ("main", "tap")


def imports_of(tree: ast.AST, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """Every import of a module, as line and absolute name; ``from a import b`` yields ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = module.split(".")[: None if is_package else -1]
            base = parents[: len(parents) - node.level + 1] if node.level else []
            prefix = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{prefix}.{alias.name}") for alias in node.names)


def runs_at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """All that is executed when the module is imported: everything but the bodies of functions."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            pending.extend(ast.iter_child_nodes(node))


def imports_reactor(tree: ast.Module, module: str = "rateway.x", is_package: bool = False) -> bool:
    """Whether importing the module installs a reactor."""
    nodes = [node for node in runs_at_import(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [name for node in nodes for _, name in imports_of(node, module, is_package)]
    return any(name.startswith("twisted.internet.reactor") for name in names)


def modules() -> Iterator[tuple[Path, str, ast.Module]]:
    """Every module of the package: its path, its name, its syntax tree."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield path, name, ast.parse(path.read_text(encoding="utf-8"), str(path))


class LayerTests(SynchronousTestCase):
    """Imports go one way."""

    def test_layers(self) -> None:
        """No module knows a part that its own part must not know."""
        breaches = [
            f"{path.relative_to(ROOT)}:{line} imports {target}"
            for path, name, tree in modules()
            for line, target in imports_of(tree, name, path.name == "__init__.py")
            if target.startswith("rateway.") and not allowed(part_of(name), part_of(target))
        ]
        self.assertEqual(breaches, [], "\n".join(breaches))

    def test_only_the_cluster_joins_shard_and_broker(self) -> None:
        """Discord's side and the broker's side are known together in the cluster alone."""
        known: dict[str, set[str]] = {}
        for path, name, tree in modules():
            targets = {target for _, target in imports_of(tree, name, path.name == "__init__.py")}
            known.setdefault(part_of(name), set()).update(part_of(t) for t in targets if t.startswith("rateway."))
        joined = [part for part, others in known.items() if others >= {"shard", "amqp"}]
        self.assertEqual([part for part in joined if part != "cluster"], [])

    def test_every_part_has_its_place(self) -> None:
        """A new part must be given its place in the table."""
        known = {part for layer in LAYERS for part in layer} | set(EVERYWHERE) | set(BELOW) | set(FAMILY)
        found = {path.stem if path.is_file() else path.name for path in PACKAGE.iterdir() if path.name[0] not in "_."}
        self.assertEqual(found - known - {"py"}, set())

    def test_pure(self) -> None:
        """Pure modules touch no reactor, clock, chance, environment, file, socket or log."""
        breaches = [
            f"{path.relative_to(ROOT)}:{line} imports {target}"
            for path, name, tree in modules()
            if path.relative_to(PACKAGE).as_posix().startswith(PURE)
            for line, target in imports_of(tree, name, path.name == "__init__.py")
            if target.split(".")[0] in IMPURE or target.startswith("rateway.tls")
        ]
        self.assertEqual(breaches, [], "\n".join(breaches))

    def test_no_reactor_at_import(self) -> None:
        """No module installs a reactor by being imported."""
        found = [
            str(path.relative_to(ROOT))
            for path, name, tree in modules()
            if imports_reactor(tree, name, path.name == "__init__.py")
        ]
        self.assertEqual(found, [])

    def test_no_reactor_behind_our_back(self) -> None:
        """What everything imports doesn't install a reactor by what it imports in turn."""
        code = "import sys, rateway.config, rateway.interfaces; print('twisted.internet.reactor' in sys.modules)"
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
        self.assertEqual(done.stdout, "False\n")


class FormTests(SynchronousTestCase):
    """What modules look like."""

    def test_lengths(self) -> None:
        """No module is too long to be read in one go."""
        lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path, _, _ in modules()}
        self.assertEqual({path: length for path, length in lengths.items() if length > LONGEST}, {})

    def test_packages_hold_only_a_docstring(self) -> None:
        """A package's first file is its map; the package itself also bears the version."""
        for path, name, tree in modules():
            if path.name == "__init__.py":
                rest = [node for node in tree.body[1:] if not (name == "rateway" and self.is_version(node))]
                self.assertTrue(ast.get_docstring(tree), f"{path} has no docstring")
                self.assertEqual(rest, [], f"{path} holds more than a docstring")

    def test_docstrings(self) -> None:
        """Every module says what it is for."""
        self.assertEqual([name for _, name, tree in modules() if not ast.get_docstring(tree)], [])

    @staticmethod
    def is_version(node: ast.stmt) -> bool:
        """Whether a statement is ``__version__ = …``."""
        return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__"


class CheckerTests(SynchronousTestCase):
    """The checks themselves: that they see what they are made to see."""

    def test_allowed(self) -> None:
        """Downwards is allowed, upwards, sideways and between strangers is not."""
        for importer, imported in (
            ("cluster", "shard"),
            ("cluster", "config"),
            ("shard", "gateway"),
            ("gateway", "model"),
            ("interfaces", "model"),
            ("amqp", "tls"),
            ("main", "tap"),
            ("tap", "process"),
        ):
            self.assertTrue(allowed(importer, imported), (importer, imported))
        for importer, imported in (
            ("shard", "amqp"),
            ("amqp", "shard"),
            ("amqp", "store"),
            ("gateway", "store"),
            ("gateway", "shard"),
            ("model", "errors"),
            ("simulator", "gateway"),
            ("simulator", "tls"),
            ("shard", "simulator"),
            ("tap", "main"),
            ("tls", "config"),
            ("shard", "no_such_part"),
        ):
            self.assertFalse(allowed(importer, imported), (importer, imported))

    def test_names(self) -> None:
        """Relative imports are seen as what they are."""
        tree = ast.parse("from . import a\nfrom .b import c\nfrom ..store import d\nimport e.f\nfrom .. import tls")
        self.assertEqual(
            list(imports_of(tree, "rateway.shard.service", False)),
            [(1, "rateway.shard.a"), (2, "rateway.shard.b.c"), (3, "rateway.store.d"), (4, "e.f"), (5, "rateway.tls")],
        )
        package = ast.parse("from . import a\nfrom .. import tls")
        self.assertEqual(list(imports_of(package, "rateway.shard", True)), [(1, "rateway.shard.a"), (2, "rateway.tls")])
        self.assertEqual(
            [part_of(name) for name in ("rateway", "rateway.tls", "rateway.values.x")], ["", "tls", "config"]
        )

    def test_reactor(self) -> None:
        """A reactor is seen wherever it is imported when the module is, and only there."""
        for source in (
            "from twisted.internet import reactor",
            "import twisted.internet.reactor",
            "from twisted.internet.reactor import callLater",
            "try:\n    from twisted.internet import defer, reactor\nexcept ImportError:\n    pass",
            "class A:\n    from twisted.internet import reactor",
        ):
            self.assertTrue(imports_reactor(ast.parse(source)), source)
        inside = "def main():\n    from twisted.internet import reactor\nfrom twisted.internet import defer"
        self.assertFalse(imports_reactor(ast.parse(inside)))

    def test_something_is_checked(self) -> None:
        """The modules are found at all, and all of the pure places are of the package."""
        self.assertGreater(len(list(modules())), 10)
        self.assertIn("rateway.model.plan", [name for _, name, _ in modules()])
