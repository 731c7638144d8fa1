"""Gateway opcodes (Discord's docs, "Opcodes and Status Codes": Gateway Opcodes)."""

from __future__ import annotations

from enum import IntEnum


class Opcode(IntEnum):
    """What a payload is; 5 and 12 are retired, other numbers belong to user clients."""

    DISPATCH = 0
    HEARTBEAT = 1
    IDENTIFY = 2
    PRESENCE_UPDATE = 3
    VOICE_STATE_UPDATE = 4
    RESUME = 6
    RECONNECT = 7
    REQUEST_GUILD_MEMBERS = 8
    INVALID_SESSION = 9
    HELLO = 10
    HEARTBEAT_ACK = 11
    REQUEST_SOUNDBOARD_SOUNDS = 31
    REQUEST_CHANNEL_INFO = 43


COMMANDS = frozenset(
    {
        Opcode.PRESENCE_UPDATE,
        Opcode.VOICE_STATE_UPDATE,
        Opcode.REQUEST_GUILD_MEMBERS,
        Opcode.REQUEST_SOUNDBOARD_SOUNDS,
        Opcode.REQUEST_CHANNEL_INFO,
    }
)
"""The opcodes a bot may send through rateway; HEARTBEAT, IDENTIFY and RESUME are the shard's own."""

MAX_PAYLOAD = 4096
"""Bytes of one payload to Discord, serialised, in UTF-8; more is answered by close 4002."""
