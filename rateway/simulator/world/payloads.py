"""Discord's objects as JSON values: every key that the real ones have, ids as strings (Discord's docs, "Resources")."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

EPOCH = 1_770_000_000.0
"""The world's beginning, for timestamps of what was there before the clock ran."""


def iso(seconds: float) -> str:
    """A time as Discord writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def user(id: int, username: str, *, global_name: str | None = None, bot: bool = False) -> Json:
    value: Json = {
        "id": str(id),
        "username": username,
        "discriminator": "4242" if bot else "0",
        "global_name": global_name,
        "avatar": None,
        "public_flags": 0,
    }
    if bot:
        value["bot"] = True
    return value


def current_user(bot: Json) -> Json:
    """The bot itself, as READY and GET /users/@me show it."""
    return {
        "verified": True,
        "username": bot["username"],
        "mfa_enabled": True,
        "id": bot["id"],
        "global_name": None,
        "flags": 0,
        "email": None,
        "discriminator": bot["discriminator"],
        "bot": True,
        "avatar": bot["avatar"],
    }


def member(user: Json, *, joined_at: float, nick: str | None = None, roles: tuple[str, ...] = ()) -> Json:
    return {
        "user": user,
        "nick": nick,
        "avatar": None,
        "banner": None,
        "roles": list(roles),
        "joined_at": iso(joined_at),
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "flags": 0,
        "pending": False,
        "communication_disabled_until": None,
    }


def without_user(member: Json) -> Json:
    """The member as messages bear it."""
    return {key: value for key, value in member.items() if key != "user"}


def role(id: int, name: str, position: int, *, permissions: int = 0, tags: Json | None = None) -> Json:
    value: Json = {
        "id": str(id),
        "name": name,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "icon": None,
        "unicode_emoji": None,
        "position": position,
        "permissions": str(permissions),
        "managed": tags is not None,
        "mentionable": False,
        "flags": 0,
    }
    if tags is not None:
        value["tags"] = tags
    return value


def emoji(id: int, name: str) -> Json:
    return {
        "id": str(id),
        "name": name,
        "roles": [],
        "require_colons": True,
        "managed": False,
        "animated": False,
        "available": True,
    }


def sticker(id: int, guild_id: int, name: str) -> Json:
    return {
        "id": str(id),
        "name": name,
        "description": "",
        "tags": "wave",
        "type": 2,
        "format_type": 1,
        "available": True,
        "guild_id": str(guild_id),
    }


def sound(id: int, guild_id: int, name: str) -> Json:
    return {
        "name": name,
        "sound_id": str(id),
        "volume": 0.8,
        "emoji_id": None,
        "emoji_name": "\N{PARTY POPPER}",
        "guild_id": str(guild_id),
        "available": True,
    }


def activity(now: float) -> Json:
    """A game being played since now."""
    stamp = int(now * 1000)
    return {
        "id": "1f",
        "name": "Chess",
        "type": 0,
        "created_at": stamp,
        "timestamps": {"start": stamp},
        "application_id": "910000000000000001",
        "buttons": ["Watch"],
    }


def custom_status(now: float) -> Json:
    """What somebody says of themselves."""
    return {"id": "custom", "name": "Custom Status", "type": 4, "state": "back soon", "created_at": int(now * 1000)}


def presence(user_id: str, status: str, activities: list[Json] | None = None, *, device: str = "desktop") -> Json:
    """A presence; of the user only the id is told.

    :param device: ``desktop``, ``mobile``, or ``web`` (where bots are).
    """
    client_status = {} if status == "offline" else {device: status}
    return {"user": {"id": user_id}, "status": status, "activities": activities or [], "client_status": client_status}


def voice_state(user_id: str, channel_id: int | None, session_id: str, **flags: bool) -> Json:
    return {
        "channel_id": None if channel_id is None else str(channel_id),
        "user_id": user_id,
        "session_id": session_id,
        "deaf": False,
        "mute": False,
        "self_deaf": flags.get("self_deaf", False),
        "self_mute": flags.get("self_mute", False),
        "self_video": False,
        "suppress": flags.get("suppress", False),
        "request_to_speak_timestamp": None,
    }
