"""At most 120 payloads in any 60 s of a connection (Discord's docs, "Gateway": Rate Limiting)."""

from __future__ import annotations


class SendBudget:
    """One connection's budget, made at HELLO."""

    def __init__(self, interval: float, *, limit: int = 120, window: float = 60.0) -> None:
        """:param interval: seconds between regular heartbeats, for which room is kept."""

    def may_send(self, now: float) -> bool:
        """May a command go out now? Regular heartbeats, IDENTIFY and RESUME need not ask."""
        raise NotImplementedError

    def may_answer(self, now: float) -> bool:
        """May the heartbeat that op 1 asks for go out now? Only a flood of op 1 makes this False."""
        raise NotImplementedError

    def sent(self, now: float) -> None:
        """Anything but a regular heartbeat was written: IDENTIFY, RESUME, a command, the answer to op 1."""

    def next_slot(self, now: float) -> float:
        """When :meth:`may_send` will be true: ``now`` if it is."""
        raise NotImplementedError
