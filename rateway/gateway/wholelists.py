"""Requests for all members of a guild: of each guild Discord answers one in 30 seconds (rate limit of op 8)."""

from __future__ import annotations

import ujson

from rateway.model.opcodes import Opcode

from .budget import SLACK

WINDOW = 30.0
"""Seconds; what is asked sooner is answered by RATE_LIMITED, and by no members."""

_ENOUGH = 1000
"""Guilds remembered before those whose time is over are forgotten."""


def guild_of(op: int, payload: bytes) -> int | None:
    """The guild whose whole list a command asks for; ``None`` if it asks for none: a prefix or some users are free."""
    if op != Opcode.REQUEST_GUILD_MEMBERS:
        return None
    d = ujson.loads(payload).get("d", {})
    if d.get("user_ids") is not None or d.get("query") != "" or d.get("limit") != 0:
        return None
    return int(d["guild_id"])


class WholeLists:
    """When each guild's list was asked for last."""

    def __init__(self) -> None:
        self._asked: dict[int, float] = {}

    def ask(self, guild: int, now: float) -> float:
        """Ask, unless it is too early: gives the seconds that have to pass first, or 0 if it may be sent now.

        :param now: monotonic seconds.
        """
        last = self._asked.get(guild)
        if last is not None and now < last + WINDOW + SLACK:
            return last + WINDOW + SLACK - now
        if len(self._asked) >= _ENOUGH:
            self._asked = {each: when for each, when in self._asked.items() if now < when + WINDOW + SLACK}
        self._asked[guild] = now
        return 0.0
