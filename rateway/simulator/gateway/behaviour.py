"""How a connection is told to misbehave; each field says what it means, for people who give it by HTTP or in a file."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from attrs import define, field
from msgspec import Meta

Drop: TypeAlias = Literal["fin", "rst", "blackhole"]
"""How a TCP connection ends without a close frame: in order, by a reset, or not at all.

In a black hole nothing is read and what is sent is lost, until the connection is told to end.
"""

CloseCode: TypeAlias = Annotated[int, Meta(ge=0, le=65_535)]

MOST_BYTES = 1 << 30
_MOST = 1e9
"""Seconds that stand for never."""


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one connection does; the defaults are Discord's."""

    handshake: Annotated[
        Literal["accept", "silent", "fin", "rst"] | Annotated[int, Meta(ge=400, le=599)],
        Meta(
            description="accept the WebSocket, stay silent after TCP, end it by fin or rst, or answer this HTTP status"
        ),
    ] = "accept"
    retry_after: Annotated[
        Annotated[int, Meta(ge=0)] | None, Meta(description="the header Retry-After that goes with a status")
    ] = None
    first: Annotated[
        tuple[tuple[int, Any], ...], Meta(description="control payloads [op, d] that are sent before HELLO")
    ] = ()
    hello: Annotated[bool, Meta(description="whether HELLO comes at all")] = True
    hello_delay: Annotated[float, Meta(ge=0, le=_MOST, description="seconds until HELLO")] = 0.0
    interval: Annotated[
        Annotated[float, Meta(gt=0, le=_MOST)] | None,
        Meta(description="the heartbeat interval announced, in seconds; the simulator's own where none is given"),
    ] = None
    ack: Annotated[
        Literal["full", "bare", "none"],
        Meta(description="heartbeats are acknowledged in full, bare (without d, s and t), or not at all (none)"),
    ] = "full"
    identify: Annotated[
        Literal["ready", "invalid", "silence"] | CloseCode,
        Meta(description="the answer to IDENTIFY: ready, invalid (op 9 false), silence, or a close code"),
    ] = "ready"
    resume: Annotated[
        Literal["replay", "invalid", "retry", "silence"] | CloseCode,
        Meta(
            description="the answer to RESUME: replay, invalid (op 9 false), retry (op 9 true, the session is kept), "
            "silence, or a close code"
        ),
    ] = "replay"
    answer_delay: Annotated[float, Meta(ge=0, le=_MOST, description="seconds until READY, or until the replay")] = 0.0
    ready_size: Annotated[int, Meta(ge=0, le=MOST_BYTES, description="READY is made at least so many bytes long")] = 0
    after: Annotated[
        Drop | CloseCode | None, Meta(description="what follows READY or RESUMED: nothing, a drop, or a close code")
    ] = None
    after_delay: Annotated[float, Meta(ge=0, le=_MOST, description="seconds between them")] = 0.0
    backfill: Annotated[bool, Meta(description="whether READY is followed by the guilds")] = True
    withhold: Annotated[
        tuple[str, ...], Meta(description='names of events that are held back until they are released; "*" is any')
    ] = ()
    pieces: Annotated[
        int,
        Meta(ge=1, le=10_000, description="messages a payload is cut into, the last cut inside the zlib-stream marker"),
    ] = 1
    fragments: Annotated[int, Meta(ge=1, le=10_000, description="WebSocket fragments each message is cut into")] = 1
    pings: Annotated[bool, Meta(description="whether a WebSocket ping comes between fragments")] = False
    gather: Annotated[
        float, Meta(ge=0, le=_MOST, description="seconds for which messages are gathered, to be sent in one write")
    ] = 0.0
    segment: Annotated[
        int, Meta(ge=0, le=MOST_BYTES, description="bytes per TCP segment, each sent by itself; 0: as they come")
    ] = 0
    bytes_per_second: Annotated[
        int, Meta(ge=0, le=MOST_BYTES, description="how fast the connection sends; 0: as fast as it can")
    ] = 0

    def plain(self) -> Behaviour:
        """These fields alone, of whatever more they are part of."""
        return Behaviour(**{name: getattr(self, name) for name in Behaviour.__struct_fields__})

    def concerns_opening(self) -> bool:
        """Whether it acts before the shard is known."""
        usual = Behaviour()
        return any(getattr(self, name) != getattr(usual, name) for name in _OPENING)

    @property
    def is_shaped(self) -> bool:
        """Whether the bytes go out otherwise than each message in one frame, at once."""
        return bool(self.fragments > 1 or self.gather or self.segment or self.bytes_per_second)


_OPENING = ("handshake", "retry_after", "first", "hello", "hello_delay", "interval")


@define
class _Entry:
    behaviour: Behaviour
    shard: int | None
    host: str | None
    times: int


@define
class Script:
    """Behaviours waiting for their connections, first come first served.

    :ivar usual: how connections behave that no entry is waiting for.
    :ivar gate: how all connections are refused for the time being; None when they are not.
    """

    usual: Behaviour = field(factory=Behaviour)
    gate: Behaviour | None = None
    _hosts: dict[str, Behaviour] = field(factory=dict)
    _entries: list[_Entry] = field(factory=list)

    def add(self, behaviour: Behaviour, shard: int | None, host: str | None, times: int) -> None:
        """:raises ValueError: for an entry that could never act."""
        if shard is not None and behaviour.concerns_opening():
            raise ValueError("before IDENTIFY or RESUME the shard is unknown: give this behaviour without a shard")
        self._entries.append(_Entry(behaviour, shard, host, times))

    def at_host(self, host: str, behaviour: Behaviour | None) -> None:
        """All connections to a host behave so from now on; None lifts it."""
        if behaviour is None:
            self._hosts.pop(host, None)
        else:
            self._hosts[host] = behaviour

    def clear(self) -> None:
        """Forget everything: connections behave as Discord's."""
        self.usual, self.gate = Behaviour(), None
        self._hosts.clear()
        self._entries.clear()

    def opening(self, host: str, name: str = "") -> Behaviour:
        """For a connection that has just come in.

        :param host: the address it came to; ``name``: what the client calls that.
        """
        if self.gate is not None:
            return self.gate
        standing = self._hosts.get(host) or self._hosts.get(name)
        return standing or self._take(None, host, name) or self.usual

    def known(self, shard: int, host: str, name: str = "") -> Behaviour | None:
        """For a connection whose shard is known now; None leaves it as it is."""
        return self._take(shard, host, name)

    def _take(self, shard: int | None, host: str, name: str = "") -> Behaviour | None:
        for entry in self._entries:
            if entry.shard == shard and entry.host in (None, host, name or host):
                entry.times -= 1
                if entry.times <= 0:
                    self._entries.remove(entry)
                return entry.behaviour
        return None
