"""How a connection is told to misbehave."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import define, field, frozen

Drop: TypeAlias = Literal["fin", "rst"]
"""How a TCP connection ends without a close frame: in order, or by a reset."""


@frozen(kw_only=True)
class Behaviour:
    """What one connection does; the defaults are Discord's.

    :ivar handshake: ``accept`` the WebSocket, keep ``silent`` after TCP, or end it by ``fin`` or ``rst``.
    :ivar first: control payloads ``(op, d)`` sent before HELLO.
    :ivar hello: whether HELLO comes at all.
    :ivar hello_delay: seconds after which it does.
    :ivar interval: the heartbeat interval it announces, in seconds; None for the simulator's.
    :ivar ack: heartbeats are acknowledged in ``full``, ``bare`` (without d, s and t), or not at all (``none``).
    :ivar identify: the answer to IDENTIFY: ``ready``, ``invalid`` (op 9 false), ``silence``, or a close code.
    :ivar resume: the answer to RESUME: ``replay``, ``invalid`` (op 9 false), ``retry`` (op 9 true, the session is
        kept), ``silence``, or a close code.
    :ivar after: what follows READY or RESUMED at once: nothing, a drop, or a close code.
    :ivar after_delay: seconds between them.
    :ivar backfill: whether READY is followed by the guilds.
    :ivar pieces: into how many messages each compressed payload is cut (zlib-stream), the last cut inside the marker.
    """

    handshake: Literal["accept", "silent", "fin", "rst"] = "accept"
    first: tuple[tuple[int, object], ...] = ()
    hello: bool = True
    hello_delay: float = 0.0
    interval: float | None = None
    ack: Literal["full", "bare", "none"] = "full"
    identify: Literal["ready", "invalid", "silence"] | int = "ready"
    resume: Literal["replay", "invalid", "retry", "silence"] | int = "replay"
    after: Drop | int | None = None
    after_delay: float = 0.0
    backfill: bool = True
    pieces: int = 1

    def concerns_opening(self) -> bool:
        """Whether it acts before the shard is known."""
        default = Behaviour()
        return (self.handshake, self.first, self.hello, self.hello_delay, self.interval) != (
            default.handshake,
            default.first,
            default.hello,
            default.hello_delay,
            default.interval,
        )


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
    """

    usual: Behaviour = Behaviour()
    _entries: list[_Entry] = field(factory=list)

    def add(self, behaviour: Behaviour, shard: int | None, host: str | None, times: int) -> None:
        """:raises ValueError: for an entry that could never act."""
        if shard is not None and behaviour.concerns_opening():
            raise ValueError("before IDENTIFY or RESUME the shard is unknown: give this behaviour without a shard")
        self._entries.append(_Entry(behaviour, shard, host, times))

    def clear(self) -> None:
        self._entries.clear()

    def opening(self, host: str) -> Behaviour:
        """For a connection that has just come in."""
        return self._take(None, host) or self.usual

    def known(self, shard: int, host: str) -> Behaviour | None:
        """For a connection whose shard is known now; None leaves it as it is."""
        return self._take(shard, host)

    def _take(self, shard: int | None, host: str) -> Behaviour | None:
        for entry in self._entries:
            if entry.shard == shard and entry.host in (None, host):
                entry.times -= 1
                if entry.times <= 0:
                    self._entries.remove(entry)
                return entry.behaviour
        return None
