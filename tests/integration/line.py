"""The line between rateway and its broker: cut, slowed down, or robbed of confirms, while the broker serves others."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from attrs import define, field
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from scripts.ports import free_ports

from .program import until

_BASIC = 60
_CONFIRMS = (80, 120)
_TICK = 0.02


class _Far(Protocol):
    """The end at the broker."""

    def __init__(self, near: _Near) -> None:
        self._near = near
        self._rest = b""

    def dataReceived(self, data: bytes) -> None:
        self._near.say(self._without_confirms(data) if self._near.robbed else data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._near.end()

    def _without_confirms(self, data: bytes) -> bytes:
        """Whole frames, less those of basic.ack and basic.nack."""
        data, kept = self._rest + data, []
        while len(data) >= 8:
            end = int.from_bytes(data[3:7], "big") + 8
            if len(data) < end:
                break
            frame, data = data[:end], data[end:]
            method = frame[0] == 1 and (int.from_bytes(frame[7:9], "big"), int.from_bytes(frame[9:11], "big"))
            if method not in [(_BASIC, each) for each in _CONFIRMS]:
                kept.append(frame)
        self._rest = data
        return b"".join(kept)


class _Near(Protocol):
    """The end at rateway."""

    transport: Any

    def __init__(self, line: Line) -> None:
        self.line = line
        self._far: _Far | None = None
        self._waiting = bytearray()
        self._open = True
        self.robbed = False

    def connectionMade(self) -> None:
        self.line.ends.add(self)
        self.robbed = self.line.without_confirms > 0
        self.line.without_confirms -= self.robbed
        self.transport.pauseProducing()
        connecting = connectProtocol(TCP4ClientEndpoint(self.line.reactor, *self.line.target), _Far(self))
        connecting.addCallbacks(self._connected, lambda _: self.end())

    def dataReceived(self, data: bytes) -> None:
        self._waiting += data
        self.pass_on(None if self.line.bytes_per_second is None else 0)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.line.ends.discard(self)
        self._open = False
        if self._far is not None and self._far.transport is not None:
            self._far.transport.loseConnection()

    def say(self, data: bytes) -> None:
        if self._open:
            self.transport.write(data)

    def end(self) -> None:
        if self._open:
            self.transport.abortConnection()

    def pass_on(self, count: int | None) -> None:
        """So many of the bytes that wait; all of them if None. While some wait, nothing more is read."""
        if self._far is None or self._far.transport is None:
            return
        data = bytes(self._waiting if count is None else self._waiting[:count])
        del self._waiting[: len(data)]
        self._far.transport.write(data)
        (self.transport.pauseProducing if self._waiting else self.transport.resumeProducing)()

    def _connected(self, far: _Far) -> None:
        self._far = far
        if self._open:
            self.transport.resumeProducing()
        else:
            far.transport.loseConnection()  # type: ignore[union-attr]


class _Ends(Factory):
    noisy = False

    def __init__(self, line: Line) -> None:
        self._line = line

    def buildProtocol(self, addr: Any) -> _Near:
        return _Near(self._line)


@define(eq=False)
class Line:
    """Begin with :meth:`open`, end with :meth:`cut`.

    :ivar target: host and port of the broker.
    :ivar bytes_per_second: how fast rateway is listened to; None for as fast as it speaks.
    :ivar without_confirms: for so many connections to come, what the broker confirms is not passed on.
    """

    reactor: Any
    target: tuple[str, int]
    bytes_per_second: int | None = None
    without_confirms: int = 0
    port: int = 0
    ends: set[_Near] = field(factory=set)
    _listening: Any = None

    def uri(self, of_broker: str) -> str:
        """The broker's URI, by this line."""
        parts = urlsplit(of_broker)
        return parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{self.port}").geturl()

    async def open(self) -> None:
        """Take connections, at the same port each time."""
        # Not one that the kernel chooses: it might give it to somebody else while nobody listens here.
        self.port = self.port or free_ports(1)[0]
        endpoint = TCP4ServerEndpoint(self.reactor, self.port, interface="127.0.0.1")
        self._listening = await endpoint.listen(_Ends(self))

    async def shut(self) -> None:
        """Take no more connections; those that stand go on."""
        listening, self._listening = self._listening, None
        if listening is not None:
            await maybeDeferred(listening.stopListening)

    async def cut(self) -> None:
        """The broker can't be reached, and is no more."""
        await self.shut()
        for end in list(self.ends):
            end.end()
        await until(self.reactor, lambda: not self.ends, "the end of what went over the line")

    def slow_down(self, bytes_per_second: int) -> None:
        """From now on, each connection is listened to at this pace."""
        self.bytes_per_second = bytes_per_second
        self.reactor.callLater(_TICK, self._tick)

    def hurry_up(self) -> None:
        """All that waits is passed on, and all that comes."""
        self.bytes_per_second = None
        for end in self.ends:
            end.pass_on(None)

    def _tick(self) -> None:
        if self.bytes_per_second is not None:
            for end in self.ends:
                end.pass_on(int(self.bytes_per_second * _TICK))
            self.reactor.callLater(_TICK, self._tick)
