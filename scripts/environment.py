"""The virtual environment of the checkout, ``.venv``: made once, refreshed when the project's metadata changed."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.apt import SetupError, search_path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
_STAMP = VENV / "installed"


def clean_environment() -> dict[str, str]:
    """The caller's environment, without what would lead Python astray, with what a bare one lacks."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    return inherited | {"PATH": f"{PYTHON.parent}{os.pathsep}{search_path()}", "VIRTUAL_ENV": str(VENV)}


def ensure() -> None:
    """Make or refresh ``.venv`` with rateway, its tests' and its examples' needs installed in place.

    :raises SetupError: it can't be made; the text ends with the reason.
    """
    with alone():
        wanted = _fingerprint()
        if _works() and _STAMP.is_file() and _STAMP.read_text() == wanted:
            return
        if not _works():
            print("Making the virtual environment .venv ...", file=sys.stderr, flush=True)
            run([sys.executable, "-m", "venv", "--clear", str(VENV)], "make the virtual environment")
        print("Installing rateway and what its tests need into .venv ...", file=sys.stderr, flush=True)
        # Without `compat` the plugin folder would not be on sys.path, and twistd would list no rateway.
        pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
        run(
            [*pip, "--editable", f"{ROOT}[test]", "--config-settings", "editable_mode=compat"],
            "install the packages of setup.cfg",
        )
        _STAMP.write_text(wanted)


def _works() -> bool:
    probe = "import pip, sys; assert sys.version_info >= (3, 11)"
    try:
        return subprocess.run([str(PYTHON), "-c", probe], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _fingerprint() -> str:
    """Changes when what is to be installed does, or where: a moved checkout has to be installed anew."""
    digest = hashlib.sha256(str(ROOT).encode())
    for name in ("setup.cfg", "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def run(argv: Sequence[str], purpose: str) -> None:
    """Run a step of a set-up to its end.

    :raises SetupError: it failed; the text has its last lines, and that we "could not" do what ``purpose`` says.
    """
    with subprocess.Popen(
        argv,
        cwd=ROOT,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            raise
    if process.returncode:
        tail = "\n".join(output.decode(errors="replace").splitlines()[-20:])
        raise SetupError(f"{tail}\nCould not {purpose}; the lines above say why")


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One set-up at a time: tests and demo may be started side by side."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
