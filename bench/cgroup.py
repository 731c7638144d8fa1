"""A memory cgroup to run something in: below the one that we are in ourselves, so that we leave none that bounds us.

Of version 1, as the machines have them where version 2 has no memory controller; made by root only. Elsewhere run the
whole command in a scope: ``systemd-run --scope -p MemoryMax=512M``.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import TracebackType
from typing import Self

_MOUNTED = re.compile(r"^\S+ (\S+) cgroup \S*\bmemory\b", re.MULTILINE)
_OURS = re.compile(r"^\d+:(?:[^:\n]*,)?memory(?:,[^:\n]*)?:(.*)$", re.MULTILINE)


class NoCgroup(Exception):
    """None can be made here. ``str`` is a sentence."""


class MemoryGroup:
    """A cgroup whose processes have so much memory together: anonymous, and pages of files in their name."""

    def __init__(self, limit: int, name: str = "rateway-bench") -> None:
        """
        :param limit: in bytes.
        :raises NoCgroup: if none can be made.
        """
        mounted = _MOUNTED.search(Path("/proc/self/mounts").read_text())
        ours = _OURS.search(Path("/proc/self/cgroup").read_text())
        if mounted is None or ours is None:
            raise NoCgroup("there is no memory controller of cgroup version 1 here")
        self.path = Path(mounted[1]) / ours[1].lstrip("/") / name
        try:
            self.path.mkdir(exist_ok=True)
            self._write("memory.limit_in_bytes", limit)
            self._write("memory.max_usage_in_bytes", 0)
        except OSError as error:
            raise NoCgroup(f"{self.path} can't be made: {error.strerror}") from error

    @property
    def around(self) -> tuple[str, ...]:
        """A command line that runs the one that follows it in here, with all that it starts."""
        return ("/bin/sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', str(self.path))

    @property
    def used(self) -> int:
        """Bytes now."""
        return int((self.path / "memory.usage_in_bytes").read_text())

    @property
    def peak(self) -> int:
        """Bytes at most."""
        return int((self.path / "memory.max_usage_in_bytes").read_text())

    @property
    def killed(self) -> int:
        """Processes that the kernel ended for want of memory."""
        fields = dict(line.split() for line in (self.path / "memory.oom_control").read_text().splitlines())
        return int(fields["oom_kill"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.path.rmdir()

    def _write(self, name: str, value: int) -> None:
        (self.path / name).write_text(str(value))
