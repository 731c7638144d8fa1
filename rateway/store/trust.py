"""Whether what an earlier run left is worth believing.

A record beside the store says what it was made for, in which boot of the machine, and whether it was closed in order.
Pages of a process that was killed are the kernel's, and safe; pages of a kernel that died are not.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

VERSION = 3
"""Of the rows' layout; a store of another one is begun anew."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Record(msgspec.Struct, frozen=True):
    """What a store was made for.

    :ivar boot_id: of the boot in which it was last opened.
    :ivar clean: whether all of it was written to disk, and nothing since.
    :ivar kinds: the kinds of entities wanted; ``None`` for all.
    :ivar bot: the bot's id; 0 where it isn't known.
    """

    version: int
    boot_id: str
    clean: bool
    total: int
    first_shard: int
    shard_count: int
    intents: int
    cache: bool
    kinds: list[str] | None
    bot: int = 0

    def made_for(self) -> Record:
        """The same, less what tells one run from another."""
        return msgspec.structs.replace(self, boot_id="", clean=False)


def boot_id() -> str:
    """Names the machine's present boot."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def doubt(found: Record | None, wanted: Record) -> str:
    """Why the store can't be believed, as the end of a sentence; empty if it can."""
    if found is None:
        return "it does not say what it is"
    if found.version != wanted.version:
        return "another version of rateway wrote it"
    if not rows_are_whole(found, wanted):
        return "the machine went down while it was in use"
    if not same_bot(found, wanted):
        return "it was made for another bot"
    if not same_shards(found, wanted):
        return "it was made for other shards"
    if found.intents != wanted.intents:
        return "it was made for other intents"
    if (found.cache, found.kinds) != (wanted.cache, wanted.kinds):
        return "it was made for other settings of the cache"
    return ""


def same_bot(found: Record, wanted: Record) -> bool:
    """Whether nothing says that it was made for another bot."""
    return found.bot == wanted.bot or 0 in (found.bot, wanted.bot)


def same_shards(found: Record, wanted: Record) -> bool:
    """Whether it was made for the same shards."""
    ours = (wanted.total, wanted.first_shard, wanted.shard_count)
    return (found.total, found.first_shard, found.shard_count) == ours


def sessions_fit(found: Record, wanted: Record) -> bool:
    """Whether its sessions are the ones wanted: a RESUME changes neither shards nor intents."""
    fits = found.version == wanted.version and found.intents == wanted.intents
    return fits and same_shards(found, wanted) and same_bot(found, wanted)


def rows_are_whole(found: Record, wanted: Record) -> bool:
    """Whether what was written is there: the machine was not down since, or all was synced before."""
    return found.clean or bool(wanted.boot_id and found.boot_id == wanted.boot_id)


def read(path: Path) -> Record | None:
    """The record, or ``None`` if there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except (OSError, msgspec.MsgspecError):
        return None


def write(path: Path, record: Record) -> None:
    """Put the record on the disk itself: whole, or not at all."""
    fresh = path.with_suffix(".new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, msgspec.json.encode(record))
        os.fsync(fd)
    finally:
        os.close(fd)
    os.replace(fresh, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
