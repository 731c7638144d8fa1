"""Commands as bots send them."""

from __future__ import annotations

from typing import Any


def presence(name: str, status: str = "online") -> dict[str, Any]:
    """Op 3: a presence, told apart by the name of its activity."""
    activity = {"name": name, "type": 0}
    return {"op": 3, "d": {"since": None, "activities": [activity], "status": status, "afk": False}}


def presence_of(size: int) -> bytes:
    """Op 3 of exactly so many bytes, and fewer characters."""
    frame = b'{"op":3,"d":{"since":null,"activities":[{"name":"%b","type":0}],"status":"online","afk":false}}'
    room = size - len(frame % b"")
    return frame % ("é".encode() * (room // 2) + b"x" * (room % 2))


def channel_info(guild_id: object) -> dict[str, Any]:
    """Op 43."""
    return {"op": 43, "d": {"guild_id": guild_id, "fields": ["status"]}}


def members(guild_id: int, nonce: str) -> dict[str, Any]:
    """Op 8 for one member, told apart by its nonce."""
    return {"op": 8, "d": {"guild_id": str(guild_id), "user_ids": ["900000000000000001"], "nonce": nonce}}


def voice(guild_id: int, channel_id: int | None) -> dict[str, Any]:
    """Op 4."""
    channel = None if channel_id is None else str(channel_id)
    return {"op": 4, "d": {"guild_id": str(guild_id), "channel_id": channel, "self_mute": False, "self_deaf": True}}


def sounds(*guild_ids: int) -> dict[str, Any]:
    """Op 31."""
    return {"op": 31, "d": {"guild_ids": [str(guild_id) for guild_id in guild_ids]}}
