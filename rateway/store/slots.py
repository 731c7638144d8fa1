"""What survives a power cut: the sessions of a cluster, in two small files written in turn.

The store isn't synced, and is not believed after the machine went down. A slot is: it is written whole, synced, and
has a checksum, and while one is being written the other one stands. It says of each session up to which sequence
everything was confirmed or safely on disk.
"""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Mapping
from pathlib import Path

import msgspec
from attrs import define, field

from rateway.model.session import Session

VERSION = 1
_NAMES = ("sessions.0", "sessions.1")


class Slot(msgspec.Struct, frozen=True):
    """The content of a slot.

    :ivar number: counts up with each writing: the higher one of two is newer.
    :ivar sessions: shard → session id, resume URL, sequence up to which all is kept.
    :ivar bot: the bot's id; 0 where it isn't known.
    """

    version: int
    number: int
    total: int
    first_shard: int
    shard_count: int
    intents: int
    sessions: dict[int, tuple[str, str, int]]
    bot: int = 0


@define(eq=False)
class Slots:
    """The two slots of a cluster's folder, for writing."""

    _folder: Path
    _total: int
    _shards: range
    _intents: int
    _bot: int = 0
    _number: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._number = max((slot.number for slot in map(_read, self._paths()) if slot is not None), default=0)

    def write(self, sessions: Mapping[int, Session]) -> None:
        """Write them into the older slot, and have the disk hold it; may take long, and may be called in a thread.

        :param sessions: each with the sequence up to which all is kept.
        :raises OSError: if the disk fails; the other slot is untouched.
        """
        number = self._number + 1
        slot = Slot(
            VERSION,
            number,
            self._total,
            self._shards.start,
            len(self._shards),
            self._intents,
            {shard: (session.id, session.resume_url, session.seq) for shard, session in sessions.items()},
            self._bot,
        )
        data = msgspec.json.encode(slot)
        content = b"%08x\n" % zlib.crc32(data) + data
        # Over what is there: on a full disk the room that truncating gives away is somebody else's the next moment.
        fd = os.open(self._paths()[number % 2], os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.pwrite(fd, content, 0) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.ftruncate(fd, len(content))
            os.fsync(fd)
        finally:
            os.close(fd)
        # Only now: who failed tries this one again, and leaves the whole one alone.
        self._number = number

    def _paths(self) -> tuple[Path, Path]:
        first, second = _NAMES
        return self._folder / first, self._folder / second


def read_slots(folder: Path, total: int, shards: range, intents: int, bot: int = 0) -> dict[int, Session]:
    """The sessions of the newer slot that is whole; none if it is another bot's, or for other shards or intents."""
    slots = [slot for name in _NAMES if (slot := _read(folder / name)) is not None]
    newest = max(slots, key=lambda slot: slot.number, default=None)
    wanted = (total, shards.start, len(shards), intents)
    if newest is None or (newest.total, newest.first_shard, newest.shard_count, newest.intents) != wanted:
        return {}
    if newest.bot != bot and 0 not in (newest.bot, bot):
        return {}
    return {shard: Session(id, url, seq) for shard, (id, url, seq) in newest.sessions.items() if seq > 0}


def _read(path: Path) -> Slot | None:
    try:
        crc, _, data = path.read_bytes().partition(b"\n")
        if int(crc, 16) != zlib.crc32(data):
            return None
        slot = msgspec.json.decode(data, type=Slot)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None
    return slot if slot.version == VERSION else None
