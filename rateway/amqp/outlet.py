"""The way out of one connection: what can't wait goes to the socket at once, the rest by the transport.

Twisted's transport leaves a write to the next turn of the reactor: epoll is told that there is something to write,
tells that there is room, the write is done, and epoll is told that there is nothing more. Where a turn has but a
handful of events, that costs more than the write itself. A socket mostly takes what it is given, so it is asked first;
what it doesn't take is the transport's, and so is everything until that is out: bytes never overtake each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.internet.tcp import Connection
from zope.interface import implementer

AT_ONCE = 64 * 1024
"""Bytes that are written at once; more is left to the transport, so that others have their turn in between."""

ROOM = 64 * 1024
"""Bytes that may wait in the transport before what may wait elsewhere should."""


@implementer(IPullProducer, IPushProducer)
@define(eq=False)
class Outlet:
    """Bytes out, and whether there is room for more.

    A transport of plain TCP is asked past its buffer, and tells each time that the buffer is empty (as it does to a
    pull producer). Any other, TLS above all, must never be asked so: it is used as it is, and tells when its buffer is
    full (as it does to a push producer).

    :ivar writable: what may wait should wait while it is not.
    """

    _transport: Any
    _on_writable: Callable[[], None]
    writable: bool = field(default=True, init=False)
    _plain: bool = field(init=False)
    _waiting: int = field(default=0, init=False)
    """Bytes the transport was given since its buffer was last empty; counted for plain TCP alone."""

    def __attrs_post_init__(self) -> None:
        self._plain = isinstance(self._transport, Connection) and not self._transport.TLS
        self._transport.registerProducer(self, not self._plain)

    def write(self, data: bytes) -> None:
        """Write with all else of this turn of the reactor."""
        if self._plain:
            self._waiting += len(data)
            self.writable = self._waiting <= ROOM
        self._transport.write(data)

    def write_now(self, data: bytes) -> None:
        """Write at once, if nothing waits before it."""
        if self._plain and not self._waiting and len(data) <= AT_ONCE:
            sent = self._transport.writeSomeData(data)
            # Anything else than a number: the connection is lost, and the transport finds that out in its own time.
            if isinstance(sent, int):
                data = data[sent:]
        if data:
            self.write(data)

    def close(self) -> None:
        """Nothing goes out at once any more."""
        self._plain = False

    def pauseProducing(self) -> None:
        """The transport's buffer is full."""
        self.writable = False

    def resumeProducing(self) -> None:
        """The transport's buffer is empty."""
        self._waiting = 0
        if not self.writable:
            self.writable = True
            self._on_writable()

    def stopProducing(self) -> None:
        """The connection is gone."""
        self.writable = self._plain = False
