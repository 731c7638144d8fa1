"""Whole lists that bots asked for and Discord refused (RATE_LIMITED): they are asked for again when Discord says.

Discord may have answered somebody else with the bot's token just before. A bot that was told that its command is sent
gets its list a little later then, with the nonce it chose. A refusal comes within moments, so what was sent is
remembered for a while; and it is of the session, which is all that Discord would answer in.
"""

from __future__ import annotations

import ujson
from attrs import define

from .budget import SLACK
from .membernews import Limited
from .wholelists import WINDOW

MOST = 100
"""Requests remembered of a shard: of more that one connection can send within :data:`WINDOW`, nothing is repeated."""

MOST_TRIES = 5
"""Times that a list is asked for in vain."""


@define
class _Asked:
    """A request.

    :ivar time: monotonic seconds: until which a refusal may come; or, of one that waits, when to send it again.
    """

    payload: bytes
    time: float
    tries: int = 1


class Repeats:
    """Those of one shard's session; a guild has one request at a time."""

    def __init__(self) -> None:
        self._sent: dict[int, _Asked] = {}
        self._waiting: dict[int, _Asked] = {}

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def listens(self, now: float) -> bool:
        """Whether anything was sent that may still be refused."""
        if any(asked.time <= now for asked in self._sent.values()):
            self._sent = {guild: asked for guild, asked in self._sent.items() if asked.time > now}
        return bool(self._sent)

    def sent(self, guild: int, payload: bytes, now: float) -> None:
        """A bot's request was sent: one of the same guild that waits has had its time."""
        self._waiting.pop(guild, None)
        self.listens(now)
        if len(self._sent) + len(self._waiting) < MOST:
            self._sent[guild] = _Asked(payload, now + WINDOW)

    def refused(self, limited: Limited, now: float) -> None:
        """RATE_LIMITED: send it again after the time that Discord says, unless it was somebody else's."""
        asked = self._sent.get(limited.guild)
        if asked is not None and limited.nonce in (None, _nonce(asked.payload)):
            del self._sent[limited.guild]
            if asked.tries < MOST_TRIES:
                asked.time = now + limited.seconds + SLACK
                self._waiting[limited.guild] = asked

    def due(self, now: float) -> list[int]:
        """The guilds whose requests may be sent again."""
        return [guild for guild, asked in self._waiting.items() if asked.time <= now]

    def take(self, guild: int, now: float) -> bytes:
        """One of these is sent again."""
        asked = self._waiting.pop(guild)
        asked.tries += 1
        asked.time = now + WINDOW
        self._sent[guild] = asked
        return asked.payload

    def put_off(self, guild: int, time: float) -> None:
        """Somebody else has just asked for one of these."""
        asked = self._waiting[guild]
        asked.tries += 1
        asked.time = time
        if asked.tries > MOST_TRIES:
            del self._waiting[guild]

    def next_time(self) -> float | None:
        """When the next is to be sent again; ``None`` if nothing waits."""
        return min((asked.time for asked in self._waiting.values()), default=None)

    def forget(self) -> None:
        """The session is lost, and with it the answers."""
        self._sent.clear()
        self._waiting.clear()


def _nonce(payload: bytes) -> str | None:
    nonce = ujson.loads(payload)["d"].get("nonce")
    return None if nonce is None else str(nonce)
