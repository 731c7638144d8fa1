"""What an earlier run left of a cluster's cache."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from attrs import frozen

from . import keys
from .view import Reader


@frozen
class Found:
    """What a store held when it was opened.

    :ivar guilds: known.
    :ivar members: known, over all guilds.
    :ivar written: when it was last written, in seconds since 1970; ``None`` where it begins anew.
    """

    guilds: int = 0
    members: int = 0
    written: float | None = None


def count(reader: Reader, written: float | None) -> Found:
    """What is in the store. It goes through two small rows of each guild."""
    guilds = sum(1 for _ in reader.items(keys.GUILD_STATES))
    members = sum(keys.to_id(row) for _, row in reader.items(keys.MEMBER_COUNTS))
    return Found(guilds, members, written)


def last_written(*files: Path) -> float | None:
    """When the last of them was written, as far as the disk knows: what goes through a map is noted a little later."""
    times = []
    for file in files:
        with suppress(OSError):
            times.append(file.stat().st_mtime)
    return max(times, default=None)
