"""Discord's limits, without I/O: time is an argument.

Sources: Discord's docs, "Gateway: Rate Limiting", "Session Start Limit Object", "Gateway Close Event Codes".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from attrs import Factory, define, frozen

from rateway.model.closecodes import close_reason
from rateway.model.intents import ALL, PRIVILEGED, Intent

PAYLOAD_LIMIT = 4096
"""Bytes a client's payload may have."""

CHUNK_SIZE = 1000
"""Members in one GUILD_MEMBERS_CHUNK."""

GUILDS_PER_SHARD = 2500


@define
class SlidingLimit:
    """At most ``limit`` happenings in any ``window`` seconds."""

    limit: int
    window: float
    _times: deque[float] = Factory(deque)

    def count(self, now: float) -> bool:
        """One more happened; False when it is one too many (it is counted all the same)."""
        times = self._times
        while times and times[0] <= now - self.window:
            times.popleft()
        times.append(now)
        return len(times) <= self.limit


@define
class KeyedWindow:
    """At most one happening per key and window."""

    window: float
    _last: dict[object, float] = Factory(dict)

    def wait(self, key: object, now: float) -> float:
        """Seconds until the key is free; 0 when it is."""
        last = self._last.get(key)
        return 0.0 if last is None else max(0.0, last + self.window - now)

    def use(self, key: object, now: float) -> None:
        self._last[key] = now


@define
class Allowance:
    """IDENTIFYs per day (``session_start_limit``). The window opens with its first use.

    :ivar ends: when the open window ends; None when none is open.
    """

    total: int
    remaining: int
    window: float
    ends: float | None = None

    def roll(self, now: float) -> None:
        if self.ends is not None and now >= self.ends:
            self.remaining, self.ends = self.total, None

    def use(self, now: float) -> bool:
        """Take one; False when none is left, which costs a real bot its token."""
        self.roll(now)
        if self.ends is None:
            self.ends = now + self.window
        if self.remaining <= 0:
            return False
        self.remaining -= 1
        return True

    def reset_after(self, now: float) -> float:
        self.roll(now)
        return 0.0 if self.ends is None else self.ends - now


@frozen
class Asked:
    """What an IDENTIFY asks for.

    :ivar sharded: it names its shard; without, it is shard 0 of 1.
    :ivar transport: ``(encoding, compress)`` of its connection.
    """

    shard: int
    total: int
    intents: int
    large_threshold: int
    compress: bool
    presence: Mapping[str, object] | None
    transport: tuple[str, str] = ("json", "")
    sharded: bool = True


@frozen
class Refusal:
    """A rule broken, and the close code that answers it."""

    code: int
    rule: str
    detail: str

    @property
    def reason(self) -> str:
        """The text of the close frame."""
        return close_reason(self.code).meaning


def read_identify(d: object) -> Asked | Refusal:
    """The shape of IDENTIFY's ``d``; the token is judged elsewhere."""
    if not isinstance(d, dict):
        return Refusal(4001, "identify-shape", "d is no object")
    shard, total = 0, 1
    if "shard" in d:
        pair = d["shard"]
        if not (isinstance(pair, list) and len(pair) == 2 and all(type(n) is int for n in pair)):
            return Refusal(4010, "invalid-shard", f"shard is {pair!r}, not [id, total]")
        shard, total = pair
    intents = d.get("intents")
    if type(intents) is not int:
        return Refusal(4001, "identify-shape", "intents is no integer")
    threshold, presence = d.get("large_threshold", 50), d.get("presence")
    trouble = _identify_trouble(d)
    if trouble:
        return Refusal(4001, "identify-shape", trouble)
    return Asked(shard, total, intents, threshold, d.get("compress") is True, presence, sharded="shard" in d)


def _identify_trouble(d: Mapping[str, object]) -> str:
    """What is wrong with the lesser fields of an IDENTIFY; empty if nothing."""
    properties, presence = d.get("properties"), d.get("presence")
    if not isinstance(properties, dict):
        return "properties is no object"
    # Deprecated spellings begin with a dollar sign; both are accepted, and none is demanded.
    if not all(isinstance(value, str) for key, value in properties.items() if key.lstrip("$") in _PROPERTIES):
        return "os, browser or device is no text"
    threshold = d.get("large_threshold", 50)
    if type(threshold) is not int or not 50 <= threshold <= 250:
        return "large_threshold is not between 50 and 250"
    if not isinstance(d.get("compress", False), bool):
        return "compress is no boolean"
    if type(d.get("capabilities", 0)) is not int:
        return "capabilities is no integer"
    return "" if presence is None else presence_trouble(presence, whole=False)


def presence_trouble(d: object, *, whole: bool = True) -> str:
    """What is wrong with a presence, as op 3 and IDENTIFY bear it; empty if nothing.

    :param whole: every key must be there, as op 3 demands it.
    """
    if not isinstance(d, dict):
        return "presence is no object"
    if whole and not _PRESENCE.keys() <= d.keys():
        return f"missing in the presence: {', '.join(sorted(_PRESENCE.keys() - d.keys()))}"
    wrong = [key for key, fits in _PRESENCE.items() if key in d and not fits(d[key])]
    return f"of a wrong type in the presence: {', '.join(wrong)}" if wrong else ""


def _is_activity(value: object) -> bool:
    """Discord's docs, "Bots may only set name, state, type and url": others are ignored."""
    return isinstance(value, dict) and isinstance(value.get("name"), str) and type(value.get("type")) is int


_PROPERTIES = {"os", "browser", "device"}
_STATUSES = ("online", "dnd", "idle", "invisible", "offline")
_PRESENCE: dict[str, Callable[[Any], bool]] = {
    "since": lambda value: value is None or type(value) in (int, float),
    "activities": lambda value: isinstance(value, list) and all(map(_is_activity, value)),
    "status": lambda value: value in _STATUSES,
    "afk": lambda value: isinstance(value, bool),
}


def application_flags(allowed: int) -> int:
    """The application's flags that stand for the privileged intents enabled (Discord's docs, "Application")."""
    return sum(flag for intent, flag in _FLAGS.items() if allowed & intent)


_FLAGS = {Intent.GUILD_PRESENCES: 1 << 12, Intent.GUILD_MEMBERS: 1 << 14, Intent.MESSAGE_CONTENT: 1 << 18}


def check_identify(asked: Asked, *, allowed: int, multiple: int, guilds: int) -> Refusal | None:
    """Whether Discord would start this session; None if so.

    :param guilds: how many guilds the shard would have.
    """
    if not 0 <= asked.shard < asked.total:
        return Refusal(4010, "invalid-shard", f"shard {asked.shard} of {asked.total}")
    if asked.total % multiple:
        return Refusal(4010, "invalid-shard", f"{asked.total} shards are no multiple of {multiple}")
    if guilds > GUILDS_PER_SHARD:
        return Refusal(4011, "sharding-required", f"{guilds} guilds on shard {asked.shard} of {asked.total}")
    if asked.intents < 0 or asked.intents & ~int(ALL):
        return Refusal(4013, "invalid-intents", f"intents {asked.intents} have bits that are none")
    refused = asked.intents & int(PRIVILEGED) & ~allowed
    if refused:
        return Refusal(4014, "disallowed-intents", f"privileged intents {refused} are not enabled")
    return None
