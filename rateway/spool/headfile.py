"""How far the confirms of a spool have come: a small file, checksummed, written over and over in place."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

from attrs import frozen

_ROW = struct.Struct(">QQI")
"""Number of the segment, offset in it, checksum of both."""


@frozen
class HeadFile:
    """The file at this path."""

    path: Path

    def read(self) -> tuple[int, int] | None:
        """Number and offset as last written; None if there are none, or they are damaged. Never raises OSError."""
        try:
            number, offset, crc = _ROW.unpack(self.path.read_bytes())
        except (OSError, struct.error):
            return None
        return (number, offset) if crc == _checksum(number, offset) else None

    def write(self, place: tuple[int, int]) -> None:
        """Write down number and offset.

        :raises OSError: if the disk refuses; what stood there may be damaged then.
        """
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(fd, _ROW.pack(*place, _checksum(*place)), 0)
        finally:
            os.close(fd)

    def forget(self) -> None:
        """Delete the file, if it is there.

        :raises OSError: if it can't be deleted.
        """
        self.path.unlink(missing_ok=True)


def _checksum(number: int, offset: int) -> int:
    return zlib.crc32(_ROW.pack(number, offset, 0))
