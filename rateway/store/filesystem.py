"""What the file system under STATE_DIR must be: one whose memory maps are shared by the processes of one host."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from rateway.errors import ConfigError

_NETWORK = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFF534D42: "CIFS",
    0xFE534D42: "SMB",
    0x01021997: "9P",
    0x00C36400: "Ceph",
    0x5346414F: "AFS",
    0x6B414653: "AFS",
    0x73757245: "Coda",
    0x0BD00BD0: "Lustre",
    0x47504653: "GPFS",
    0x7461636F: "OCFS2",
    0x01161970: "GFS2",
    0x19830326: "BeeGFS",
}
"""``f_type`` of statfs(2) → name."""


def type_of(path: Path) -> int:
    """The file system's ``f_type``, a word of 32 bits; 0 where the system doesn't say."""
    libc = ctypes.CDLL(None, use_errno=True)
    room = ctypes.create_string_buffer(512)
    if libc.statfs(os.fsencode(path), room) != 0:
        return 0
    return int.from_bytes(room.raw[: ctypes.sizeof(ctypes.c_long)], sys.byteorder) & 0xFFFFFFFF


def refuse_network(path: Path, found: int | None = None) -> None:
    """Refuse a folder on a network file system: a memory map there is neither shared nor safe.

    :param found: its ``f_type``, if known.
    :raises ConfigError: naming STATE_DIR.
    """
    name = _NETWORK.get(type_of(path) if found is None else found)
    if name is not None:
        raise ConfigError(
            f"STATE_DIR: {path} lies on a network file system ({name}), where the store can't be kept safely; "
            "name a folder on a disk of this machine"
        )
