"""How messages become bytes on the wire: frames and fragments, gathered, paced, and cut into segments.

Data frames are framed here: a server's are unmasked, so that a short header and the bytes do (RFC 6455, section 5.2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from .behaviour import Behaviour
from .encoding import Message

_FINAL, _TEXT, _BINARY = 0x80, 0x01, 0x02
_PING = b"\x89\x00"

_PORTION = 0.02
"""Seconds of a slow connection's bytes that are sent at once."""

_CATCH_UP = 0.1
"""Seconds of a slow connection's bytes that may be caught up with after the process was busy."""

_SOON = 1e-6
"""Seconds until the next segment: enough for the one before to leave by itself."""


def frame(data: bytes, binary: bool) -> bytes:
    """A whole message in one frame."""
    return _header(_FINAL | (_BINARY if binary else _TEXT), len(data)) + data


def _header(first: int, size: int) -> bytes:
    if size < 126:
        return bytes((first, size))
    if size < 65536:
        return bytes((first, 126)) + size.to_bytes(2, "big")
    return bytes((first, 127)) + size.to_bytes(8, "big")


def fragmented(data: bytes, binary: bool, count: int, *, pings: bool = False) -> bytes:
    """A message in so many frames, or in one per byte where it has fewer; with pings between them if asked for."""
    size = max(1, -(-len(data) // count))
    parts = [data[start : start + size] for start in range(0, len(data), size)] or [b""]
    frames = []
    for index, part in enumerate(parts):
        opcode = 0 if index else _BINARY if binary else _TEXT
        final = _FINAL if index == len(parts) - 1 else 0
        frames.append(_header(final | opcode, len(part)) + part)
    return (_PING if pings else b"").join(frames)


class Timer(Protocol):
    """Time as a connection's outflow needs it."""

    def now(self) -> float: ...

    def later(self, delay: float, do: Callable[[], object]) -> None: ...


class Outflow:
    """The bytes of one connection on their way to its transport.

    :param behaviour: tells how the connection behaves now: what waits already goes by it, too.
    :ivar pending: some are still to be written.
    """

    def __init__(self, timer: Timer, write: Callable[[bytes], None], behaviour: Callable[[], Behaviour]) -> None:
        self._timer = timer
        self._write = write
        self._behaviour = behaviour
        self._queue = bytearray()
        self._start = 0
        self._running = False
        self._free_at = 0.0
        self._afterwards: list[Callable[[], None]] = []

    @property
    def pending(self) -> bool:
        return self._running

    @property
    def waiting(self) -> int:
        """Bytes still to be written."""
        return len(self._queue) - self._start

    def send(self, messages: Sequence[Message]) -> None:
        """Send messages, behind what waits."""
        behaviour = self._behaviour()
        if behaviour.fragments > 1:
            count, pings = behaviour.fragments, behaviour.pings
            data = b"".join([fragmented(data, binary, count, pings=pings) for data, binary in messages])
        else:
            data = b"".join([frame(data, binary) for data, binary in messages])
        if self._running:
            self._queue += data
        elif behaviour.gather:
            self._queue += data
            self._running = True
            self._timer.later(behaviour.gather, self._run)
        elif behaviour.segment or behaviour.bytes_per_second:
            self._queue += data
            self._running = True
            self._free_at = max(self._free_at, self._timer.now())
            self._run()
        else:
            self._write(data)

    def append(self, data: bytes) -> None:
        """Bytes that are framed already, behind what waits."""
        if self._running:
            self._queue += data
        else:
            self._write(data)

    def then(self, do: Callable[[], None]) -> None:
        """Do something as soon as nothing waits; at once if nothing does."""
        if self._running:
            self._afterwards.append(do)
        else:
            do()

    def stop(self) -> None:
        """Forget what waits: the connection is gone, or what is sent on it is lost."""
        self._queue, self._start, self._running = bytearray(), 0, False
        self._afterwards.clear()

    def _run(self) -> None:
        if not self._running:
            return
        behaviour, now = self._behaviour(), self._timer.now()
        rate = behaviour.bytes_per_second
        left = self.waiting
        portion = behaviour.segment or (max(1, int(rate * _PORTION)) if rate else left)
        data = bytes(self._queue[self._start : self._start + portion])
        self._start += len(data)
        if data:
            self._write(data)
        if rate:
            self._free_at = max(self._free_at, now - _CATCH_UP) + len(data) / rate
        if self._start > 65536 or self._start == len(self._queue):
            del self._queue[: self._start]
            self._start = 0
        if self._queue or (rate and self._free_at > now):
            self._timer.later(max(_SOON, self._free_at - now) if rate else _SOON, self._run)
            return
        self._running = False
        afterwards, self._afterwards = self._afterwards, []
        for do in afterwards:
            do()
