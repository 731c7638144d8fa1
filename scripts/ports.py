"""Free ports, for servers that must be told theirs before they start."""

from __future__ import annotations

import os
import random
import socket
import tempfile
from pathlib import Path

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def _first_ephemeral() -> int:
    try:
        return int(_EPHEMERAL.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 32768


def is_free(port: int) -> bool:
    """Whether a server could listen on the port of 127.0.0.1 now."""
    with socket.socket() as probe:
        # As servers do: connections of an earlier one, lingering in TIME_WAIT, are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_ports(count: int, owner: Path | None = None) -> list[int]:
    """Different free ports below the kernel's ephemeral range, which nobody else is given while the owner exists.

    Not a port that ``bind(0)`` gives: between choosing it and listening, an outgoing connection may be given it; and a
    client that knocks on a closed ephemeral port of its own host may by chance connect to itself.

    :param owner: a folder, of a server that may be down for a while; by default the process that asks.
    """
    low, high = 10_000, _first_ephemeral()
    if high - low < 1_000:
        low, high = 20_000, 65_536
    ports: set[int] = set()
    for _ in range(10_000):
        if len(ports) == count:
            return sorted(ports)
        port = random.SystemRandom().randrange(low, high)
        if is_free(port) and _reserve(port, owner or Path(f"/proc/{os.getpid()}")):
            ports.add(port)
    raise OSError(f"no {count} free ports found on 127.0.0.1 between {low} and {high}")


def _reserve(port: int, owner: Path) -> bool:
    """Write down whose the port is from now on, unless somebody has it who still exists."""
    folder = Path(tempfile.gettempdir()) / f"rateway-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    record = folder / str(port)
    try:
        if Path(record.read_text()).exists():
            return False
        record.unlink()
    except FileNotFoundError:
        pass
    try:
        with record.open("x") as file:
            file.write(str(owner))
    except FileExistsError:
        return False
    return True
