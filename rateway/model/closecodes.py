"""What a close code of Discord's asks of us, and the codes we close with ourselves.

Source: Discord's docs, "Gateway Close Event Codes". Where they are silent, a RESUME is tried: a failed RESUME
costs one round trip, a needless IDENTIFY costs daily allowance and a reload of every guild.
"""

from __future__ import annotations

from enum import Enum, IntEnum

from attrs import frozen


class Verdict(Enum):
    """What follows a close."""

    RESUME = "resume"
    """Connect again and RESUME."""
    RESUME_LATER = "resume later"
    """RESUME, but not at once: we sent too much."""
    RESUME_ONCE = "resume once"
    """RESUME once; if this code comes again, IDENTIFY."""
    IDENTIFY = "identify"
    """The session is gone: forget it, and IDENTIFY by permit."""
    FATAL = "fatal"
    """No retry mends it: the whole bot stops, with a remedy."""


@frozen
class CloseReason:
    """A close code's meaning.

    :ivar our_bug: Discord objects to something rateway sent, so the log says error, not info.
    :ivar remedy: for the operator, where the verdict is FATAL; empty elsewhere.
    """

    code: int | None
    meaning: str
    verdict: Verdict
    our_bug: bool = False
    remedy: str = ""


_TABLE = {
    reason.code: reason
    for reason in (
        CloseReason(4000, "unknown error", Verdict.RESUME),
        CloseReason(4001, "unknown opcode or bad payload", Verdict.RESUME, our_bug=True),
        CloseReason(4002, "payload that can't be decoded, or is over 4096 bytes", Verdict.RESUME, our_bug=True),
        CloseReason(4003, "not authenticated, or the session was invalidated", Verdict.IDENTIFY),
        CloseReason(
            4004,
            "the token is wrong",
            Verdict.FATAL,
            remedy="set DISCORD_TOKEN to the token of the bot's page in the developer portal",
        ),
        CloseReason(4005, "already authenticated", Verdict.RESUME, our_bug=True),
        CloseReason(4006, "session no longer valid", Verdict.IDENTIFY),
        CloseReason(4007, "invalid sequence on resume", Verdict.IDENTIFY),
        CloseReason(4008, "too many payloads sent", Verdict.RESUME_LATER, our_bug=True),
        CloseReason(4009, "session timed out", Verdict.RESUME_ONCE),
        CloseReason(
            4010,
            "invalid shard",
            Verdict.FATAL,
            remedy="the total of shards must fit Discord's sharding of this bot: set SHARDS_MULTIPLE to the "
            "number Discord gave for a large bot, or TOTAL_SHARDS to a multiple of it",
        ),
        CloseReason(
            4011,
            "sharding required",
            Verdict.FATAL,
            remedy="the bot is in too many guilds for this total of shards: raise or remove TOTAL_SHARDS",
        ),
        CloseReason(
            4012,
            "invalid API version",
            Verdict.FATAL,
            remedy="this rateway speaks gateway version 10 and Discord no longer does: install a newer rateway",
        ),
        CloseReason(
            4013,
            "invalid intents",
            Verdict.FATAL,
            remedy="INTENTS has a bit that Discord doesn't know: give the intents by name",
        ),
        CloseReason(
            4014,
            "disallowed intents",
            Verdict.FATAL,
            remedy="enable the privileged intents of the bot in the developer portal, or remove them from INTENTS",
        ),
    )
}


def close_reason(code: int | None) -> CloseReason:
    """What a close with this code means; ``None`` and 1006 are a connection lost without a close frame."""
    known = _TABLE.get(code)
    if known is not None:
        return known
    if code is None or code == 1006:
        return CloseReason(code, "connection lost", Verdict.RESUME)
    return CloseReason(code, "closed", Verdict.RESUME)


class OwnClose(IntEnum):
    """The codes rateway closes with. All but FINAL keep the session: only 1000 and 1001 end it."""

    FINAL = 1000
    RECONNECT = 4900
    """Asked to by op 7 or op 9."""
    ZOMBIE = 4901
    """No heartbeat ACK."""
    UNDECODABLE = 4902
    """A frame, a compressed stream or a payload that can't be read."""
    TIMEOUT = 4903
    """HELLO, READY or RESUMED did not come."""
    STOPPING = 4904
    """rateway stops or restarts; the session is resumed later."""
    PAUSED = 4905
    """Reading was stopped for too long, because nobody takes the events."""
