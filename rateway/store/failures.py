"""Events whose effect could not be computed: counted, told, and remembered of their guild."""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
from twisted.logger import Logger
from twisted.python.failure import Failure

from . import blob, keys
from .view import Changes, Reader

_GUILD_ID = re.compile(rb'"guild_id"\s*:\s*"?(\d{1,20})')
_QUIET = 60.0
"""Seconds in which one event's name is told once."""

BAD_DATA = (msgspec.MsgspecError, struct.error, ValueError, OverflowError, KeyError)
"""What an update raises for data of a shape it can't read: Discord's doing. Anything else is a fault of ours."""


class Failed(NamedTuple):
    """An event that changed nothing because its effect could not be computed."""

    name: str
    seq: int
    error: Exception


def stale(name: str, seq: int, d: bytes, reader: Reader) -> Changes:
    """Mark the event's guild, if it names one that is known: what is kept of it may no longer be true."""
    found = _GUILD_ID.search(d)
    guild = int(found.group(1)) if found else 0
    if not found and name.startswith("GUILD_"):
        try:
            guild = blob.id_of(d).id
        except msgspec.MsgspecError:
            return {}
    if not 0 < guild < 1 << 64 or not reader.has(keys.guild_state(guild)):
        return {}
    return {keys.stale(guild): f"{name} {seq}".encode()}


class Failures:
    """Counts and tells.

    :ivar count: since the store was opened.
    """

    _log = Logger()

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.count = 0
        self._clock = clock
        self._told: dict[str, float] = {}

    def report(self, failed: Sequence[Failed]) -> None:
        """Tell each, but one name no more than once a minute."""
        for name, seq, error in failed:
            self.count += 1
            now = self._clock()
            if now - self._told.get(name, -_QUIET) < _QUIET:
                continue
            self._told[name] = now
            sentence = "{event} with sequence {seq} could not be applied to the cache (the event itself is published)"
            if isinstance(error, BAD_DATA):
                self._log.error(sentence + ": {error}", event=name, seq=seq, error=error)
            else:
                self._log.failure(sentence, Failure(error), event=name, seq=seq)
