"""How many connections a process may hold: each takes a file descriptor."""

from __future__ import annotations

import resource

_ENOUGH = 1 << 20
"""Where the system sets no limit: as many as Linux allows a process by default."""


def allow_most() -> int:
    """Raise the process's own limit as far as the system lets it; what it is afterwards is returned."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, _ENOUGH if hard == resource.RLIM_INFINITY else hard)
    if soft not in (wanted, resource.RLIM_INFINITY):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return soft
