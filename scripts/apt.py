"""Debian packages, installed without starting a service of theirs."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""dpkg refuses to work without the sbin folders, which a bare PATH lacks."""

_POLICY = Path("/usr/sbin/policy-rc.d")
_POLICY_MARK = "# Written by rateway's set-up"
_MARK = "RATEWAY_SETUP"


class SetupError(Exception):
    """The machine can't be set up; the text says what a person can do about it."""


def search_path() -> str:
    """PATH as it is, with the system's folders behind it."""
    return os.pathsep.join(filter(None, (os.environ.get("PATH"), SYSTEM_PATH)))


def install(package: str, *, purpose: str) -> None:
    """Install a package by apt-get.

    :param purpose: what needs it, for the message where it can't be installed.
    :raises SetupError: not root, not Debian, or apt-get failed.
    """
    if not shutil.which("apt-get", path=search_path()):
        raise SetupError(f"{purpose} needs {package}, and this is no Debian: install it by your system's own means")
    if os.geteuid() != 0:
        raise SetupError(f"{purpose} needs {package}: run `apt-get install {package}`, or run this as root")
    print(f"Installing Debian's {package} ...", file=sys.stderr, flush=True)
    mark = uuid.uuid4().hex
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    ours = {"PATH": search_path(), "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", _MARK: mark}
    env = inherited | ours
    try:
        with _no_services():
            # A list that can't be refreshed (one of many sources is away) need not keep the package away.
            _apt_get(["update"], env)
            output = _apt_get(
                ["install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", package], env
            )
    finally:
        _end_epmd(mark)
    if output is not None:
        tail = "\n".join(output.splitlines()[-20:])
        raise SetupError(f"{tail}\napt-get could not install {package}; the lines above say why")


def _apt_get(arguments: list[str], env: dict[str, str]) -> str | None:
    """Run apt-get; its output if it failed.

    It has a session of its own: a Ctrl-C must not tear dpkg out of its work. We pass it on as SIGINT, which apt-get
    obeys as soon as it may, and wait.
    """
    with subprocess.Popen(
        ["apt-get", "-q", *arguments],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate()
        except BaseException:
            process.send_signal(signal.SIGINT)
            process.communicate()
            raise
    return output.decode(errors="replace") if process.returncode else None


@contextlib.contextmanager
def _no_services() -> Iterator[None]:
    """Forbid maintainer scripts to start services, where nobody else has said what they may do.

    The file forbids nothing once we are gone: should we be killed before removing it, it does no harm.
    """
    stale = _POLICY.is_file() and _POLICY_MARK in _POLICY.read_text(errors="replace")
    if os.path.lexists(_POLICY) and not stale:
        yield
        return
    _POLICY.write_text(
        f"#!/bin/sh\n{_POLICY_MARK}, which installs packages and wants no service of theirs started meanwhile.\n"
        f"kill -0 {os.getpid()} 2>/dev/null && exit 101\nexit 0\n"
    )
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)


def _end_epmd(mark: str) -> None:
    """End the Erlang port mapper that maintainer scripts start and forget: the one with our mark in its environment."""
    wanted = f"{_MARK}={mark}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if (entry / "comm").read_text().strip() == "epmd" and wanted in (entry / "environ").read_bytes():
                os.kill(int(entry.name), signal.SIGTERM)
