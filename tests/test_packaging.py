"""The package as its users get it: the built wheel, in a clean environment, used from another folder."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path

from attrs import frozen
from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

_ROOT = Path(__file__).resolve().parents[1]
_SECONDS = 240


def _run(*argv: str | Path, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a program with an environment that knows nothing of the checkout; both its outputs are in ``stdout``."""
    inherited = {
        name: os.environ[name] for name in os.environ if name.startswith(("PIP_", "SSL_", "HOME", "REQUESTS_"))
    }
    return subprocess.run(
        [str(each) for each in argv],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **inherited, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_SECONDS,
        check=False,
    )


def _make(*argv: str | Path, cwd: Path | None = None) -> None:
    done = _run(*argv, cwd=cwd)
    if done.returncode:
        raise RuntimeError(f"{argv} failed:\n{done.stdout}")


class PluginTests(SynchronousTestCase):
    """What twistd finds in the checkout."""

    def test_listed(self) -> None:
        """Both services are plugins of twistd's, as its interface wants them."""
        makers = {maker.tapname: maker for maker in getPlugins(IServiceMaker)}
        for name in ("rateway", "rateway-simulator"):
            self.assertIn(name, makers)
            self.assertTrue(verifyObject(IServiceMaker, makers[name]))


@frozen
class _Installed:
    """The wheel, what it was built from, and the programs of the environment it is installed in."""

    source: Path
    wheel: Path
    programs: Path


@cache
def _installed() -> _Installed:
    """Built and installed once in a process, for it takes its time; removed with the process."""
    folder = Path(tempfile.mkdtemp(prefix="rateway-wheel-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    # Built from a copy, so that nothing left over from an earlier build can slip in.
    left_over = shutil.ignore_patterns(".*", "_trial_temp*", "build", "dist", "*.egg-info", "__pycache__")
    source = shutil.copytree(_ROOT, folder / "source", ignore=left_over)
    _make(sys.executable, "-m", "build", "--wheel", "--outdir", folder / "dist", source)
    (wheel,) = (folder / "dist").glob("*.whl")
    _make(sys.executable, "-m", "venv", folder / "venv")
    programs = folder / "venv" / "bin"
    _make(programs / "python", "-m", "pip", "install", "--quiet", wheel)
    return _Installed(source, wheel, programs)


class WheelTests(SynchronousTestCase):
    """The wheel, built from the checkout, and installed where the checkout is unknown."""

    def setUp(self) -> None:
        installed = _installed()
        self.source = installed.source
        self.wheel = installed.wheel
        self.bin = installed.programs
        self.elsewhere = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.elsewhere)

    def in_venv(self, program: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment's in a folder of the test's."""
        return _run(self.bin / program, *arguments, cwd=self.elsewhere, **env)

    def assert_one_clear_line(self, done: subprocess.CompletedProcess[str]) -> None:
        """It ended because the token is missing, and said so in a single line."""
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertNotIn("Traceback", done.stdout)
        telling = [line for line in done.stdout.splitlines() if "DISCORD_TOKEN" in line]
        self.assertEqual(len(telling), 1, done.stdout)

    def test_contents(self) -> None:
        """It holds the package with its types and the AMQP specification, the plugin, and nothing else."""
        names = zipfile.ZipFile(self.wheel).namelist()
        self.assertIn("rateway/py.typed", names)
        self.assertIn("twisted/plugins/rateway_plugin.py", names)
        self.assertTrue([name for name in names if name.startswith("rateway/amqp/") and name.endswith(".xml")], names)
        self.assertNotIn("twisted/__init__.py", names)
        self.assertNotIn("twisted/plugins/__init__.py", names)
        self.assertEqual({name.split("/")[0].partition("-")[0] for name in names}, {"rateway", "twisted"})

    def test_every_module(self) -> None:
        """Every module and data file of the checkout's package is in it."""
        sources = {
            str(path.relative_to(self.source))
            for path in (self.source / "rateway").rglob("*")
            if path.suffix in (".py", ".toml", ".xml", ".typed") and path.is_file()
        }
        self.assertEqual(sources - set(zipfile.ZipFile(self.wheel).namelist()), set())

    def test_twistd_lists_it(self) -> None:
        """``twistd --help`` names both services, from any folder."""
        done = self.in_venv("twistd", "--help")
        self.assertRegex(done.stdout, r"(?m)^ +rateway ")
        self.assertRegex(done.stdout, r"(?m)^ +rateway-simulator ")

    def test_twistd_without_token(self) -> None:
        """``twistd -n rateway`` without a token ends with one clear line and a code that isn't zero."""
        self.assert_one_clear_line(
            self.in_venv("twistd", "-n", "--pidfile=", "rateway", INTENTS="1", AMQP_URI="amqp://h")
        )

    def test_tac_without_token(self) -> None:
        """``twistd -ny rateway.tac`` says the same."""
        shutil.copy(_ROOT / "rateway.tac", self.elsewhere)
        done = self.in_venv("twistd", "-n", "--pidfile=", "-y", "rateway.tac", INTENTS="1", AMQP_URI="amqp://h")
        self.assert_one_clear_line(done)

    def test_command_without_token(self) -> None:
        """So does the command ``rateway``."""
        self.assert_one_clear_line(self.in_venv("rateway", INTENTS="1", AMQP_URI="amqp://h"))

    def test_command_tells_of_itself(self) -> None:
        """``rateway --version`` and ``rateway --help`` answer, and succeed."""
        version = self.wheel.name.split("-")[1]
        done = self.in_venv("rateway", "--version")
        self.assertEqual((done.returncode, version in done.stdout), (0, True), done.stdout)
        done = self.in_venv("rateway", "--help")
        self.assertEqual((done.returncode, "DISCORD_TOKEN" in done.stdout), (0, True), done.stdout)

    def test_simulator_help(self) -> None:
        """The simulator's options are told by twistd."""
        done = self.in_venv("twistd", "rateway-simulator", "--help")
        self.assertEqual((done.returncode, "--shards" in done.stdout), (0, True), done.stdout)
