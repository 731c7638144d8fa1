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
    """When each guild's list may be asked for again, whoever asked for it last: a bot, or rateway itself."""

    def __init__(self) -> None:
        self._free: dict[int, float] = {}

    def ask(self, guild: int, now: float) -> float:
        """Ask, unless it is too early: gives the seconds that have to pass first, or 0 if it may be sent now.

        :param now: monotonic seconds.
        """
        free = self._free.get(guild)
        if free is not None and now < free:
            return free - now
        if len(self._free) >= _ENOUGH:
            self._free = {each: when for each, when in self._free.items() if now < when}
        self._free[guild] = now + WINDOW + SLACK
        return 0.0

    def limited(self, guild: int, seconds: float, now: float) -> None:
        """RATE_LIMITED: Discord gave no list, and says in how many seconds it will. Its word counts, not ours."""
        self._free[guild] = now + seconds + SLACK
