"""RabbitMQ's server with the plugins that a private node needs, and no others.

Erlang looks for each module it loads in the folder of every plugin that is installed: some sixty, most of which nobody
enabled. That is half of the CPU time of a start, and tests start brokers by the dozen.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

_NAME = re.compile(r"(\w+)-\d")
_APPLICATIONS = re.compile(r"\{\s*applications\s*,\s*\[([^\]]*)\]")
_WORD = re.compile(r"\w+")
_PLAIN = re.compile(r"[\w./@%+,=~-]+")


def lean(program: str, folder: Path, enabled: Iterable[str]) -> str:
    """The server's program with links to what it and these plugins need, made anew in the folder.

    :returns: the program to start; the one given where RabbitMQ isn't laid out as in Debian's package, or the folder's
        name isn't one that its scripts can take, which quote nothing.
    """
    if not _PLAIN.fullmatch(str(folder)):
        return program
    scripts = Path(program).resolve().parent
    try:
        plugins = {
            match[1]: path for path in (scripts.parent / "plugins").iterdir() if (match := _NAME.match(path.name))
        }
        needed = _closure(plugins, ["rabbit", *enabled])
    except (OSError, KeyError):
        return program
    home = folder / "server"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(scripts, home / "sbin")
    (home / "plugins").mkdir()
    for name in needed:
        (home / "plugins" / plugins[name].name).symlink_to(plugins[name])
    return str(home / "sbin" / Path(program).resolve().name)


def _closure(plugins: dict[str, Path], wanted: Iterable[str]) -> set[str]:
    """The plugins wanted, and all they need; what isn't among the plugins is Erlang's own.

    :raises KeyError: one that is wanted isn't there.
    :raises OSError: one can't be read, as when it is an archive.
    """
    needed: set[str] = set()
    rest = list(wanted)
    while rest:
        name = rest.pop()
        if name not in needed:
            needed.add(name)
            described = (plugins[name] / "ebin" / f"{name}.app").read_text()
            rest += [
                other for part in _APPLICATIONS.findall(described) for other in _WORD.findall(part) if other in plugins
            ]
    return needed
