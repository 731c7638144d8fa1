"""Discord's objects as JSON values: every key that the real ones have, ids as strings (Discord's docs, "Resources")."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

EPOCH = 1_770_000_000.0
"""The world's beginning, for timestamps of what was there before the clock ran."""


def iso(seconds: float) -> str:
    """A time as Discord writes it."""
    return datetime.fromtimestamp(max(seconds, EPOCH), UTC).isoformat(timespec="microseconds")


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
    return {key: value for key, value in member.items() if key not in ("user", "pending")}


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


_TEXT: Json = {"topic": None, "nsfw": False, "last_message_id": None, "rate_limit_per_user": 0}
_VOICE: Json = {"bitrate": 64000, "user_limit": 0, "rtc_region": None, "nsfw": False}
_FORUM: Json = {
    **_TEXT,
    "available_tags": [],
    "default_reaction_emoji": None,
    "default_sort_order": None,
    "default_forum_layout": 0,
    "default_thread_rate_limit_per_user": 0,
}
_BY_TYPE: dict[int, Json] = {
    0: {**_TEXT, "last_pin_timestamp": None},
    2: {**_VOICE, "last_message_id": None, "rate_limit_per_user": 0},
    4: {},
    5: {**_TEXT, "last_pin_timestamp": None},
    13: _VOICE,
    15: _FORUM,
}

OBFUSCATED = 1 << 17


def channel(id: int, type: int, name: str, position: int, *, parent: int | None = None) -> Json:
    """A channel as GUILD_CREATE nests it: without ``guild_id``."""
    return {
        "id": str(id),
        "type": type,
        "name": name,
        "position": position,
        "parent_id": None if parent is None else str(parent),
        "permission_overwrites": [],
        **_BY_TYPE[type],
        "flags": 0,
    }


def hidden_channel(id: int, guild_id: int, position: int) -> Json:
    """A channel the bot may not see (Discord's change of November 2026: channel obfuscation)."""
    return {
        "id": str(id),
        "type": 0,
        "name": "___hidden___",
        "position": position,
        "parent_id": None,
        "permission_overwrites": [{"id": str(guild_id), "type": 0, "allow": "0", "deny": "1024"}],
        "topic": None,
        "last_message_id": None,
        "flags": OBFUSCATED,
    }


def direct_channel(id: int, recipient: Json) -> Json:
    return {
        "id": str(id),
        "type": 1,
        "last_message_id": None,
        "last_pin_timestamp": None,
        "recipients": [recipient],
        "flags": 0,
    }


def thread(id: int, guild_id: int, parent: int, owner: str, name: str, at: float) -> Json:
    return {
        "id": str(id),
        "type": 11,
        "name": name,
        "parent_id": str(parent),
        "owner_id": owner,
        "guild_id": str(guild_id),
        "last_message_id": None,
        "message_count": 0,
        "member_count": 1,
        "total_message_sent": 0,
        "rate_limit_per_user": 0,
        "applied_tags": [],
        "flags": 0,
        "thread_metadata": {
            "archived": False,
            "archive_timestamp": iso(at),
            "auto_archive_duration": 1440,
            "locked": False,
            "create_timestamp": iso(at),
        },
        "member": {"flags": 1, "join_timestamp": iso(at)},
    }


def presence(user_id: str, status: str, activity: str | None = None) -> Json:
    activities = [] if activity is None else [{"id": "1f", "name": activity, "type": 0, "created_at": 1775369228000}]
    client_status = {} if status == "offline" else {"desktop": status}
    return {"user": {"id": user_id}, "status": status, "activities": activities, "client_status": client_status}


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
        "suppress": False,
        "request_to_speak_timestamp": None,
    }


def stage_instance(id: int, guild_id: int, channel_id: int, topic: str) -> Json:
    return {
        "id": str(id),
        "guild_id": str(guild_id),
        "channel_id": str(channel_id),
        "topic": topic,
        "privacy_level": 2,
        "discoverable_disabled": True,
        "guild_scheduled_event_id": None,
    }


def scheduled_event(id: int, guild_id: int, channel_id: int, creator_id: str, name: str) -> Json:
    return {
        "id": str(id),
        "guild_id": str(guild_id),
        "channel_id": str(channel_id),
        "creator_id": creator_id,
        "name": name,
        "description": None,
        "scheduled_start_time": "2026-12-01T18:00:00+00:00",
        "scheduled_end_time": None,
        "privacy_level": 2,
        "status": 1,
        "entity_type": 1,
        "entity_id": None,
        "entity_metadata": None,
        "image": None,
        "recurrence_rule": None,
        "user_count": 2,
    }
