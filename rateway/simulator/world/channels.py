"""Channels, threads, and what is held in channels, as JSON values (Discord's docs, "Channel", "Stage Instance")."""

from __future__ import annotations

from .payloads import Json, iso

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
    16: _FORUM,
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
        **{key: value.copy() if isinstance(value, list) else value for key, value in _BY_TYPE[type].items()},
        "flags": 0,
    }


def overwrite(id: int, *, member: bool = False, allow: int = 0, deny: int = 0) -> Json:
    """What a role, or a member, may do in a channel other than elsewhere."""
    return {"id": str(id), "type": int(member), "allow": str(allow), "deny": str(deny)}


def forum_tag(id: int, name: str, emoji: str) -> Json:
    return {"id": str(id), "name": name, "moderated": False, "emoji_id": None, "emoji_name": emoji}


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


def thread(
    id: int, guild_id: int, parent: int, owner: str, name: str, at: float, *, type: int = 11, tags: tuple[str, ...] = ()
) -> Json:
    """A thread that the bot is in.

    :param type: 10 of an announcement channel, 11 public, 12 private.
    :param tags: of its forum.
    """
    metadata = {
        "archived": False,
        "archive_timestamp": iso(at),
        "auto_archive_duration": 1440,
        "locked": False,
        "create_timestamp": iso(at),
    }
    if type == 12:
        metadata["invitable"] = True
    return {
        "id": str(id),
        "type": type,
        "name": name,
        "parent_id": str(parent),
        "owner_id": owner,
        "guild_id": str(guild_id),
        "last_message_id": None,
        "message_count": 0,
        "member_count": 2,
        "total_message_sent": 0,
        "rate_limit_per_user": 0,
        "applied_tags": list(tags),
        "flags": 0,
        "thread_metadata": metadata,
        "member": {"flags": 1, "join_timestamp": iso(at)},
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


def scheduled_event(id: int, guild_id: int, channel_id: int | None, creator_id: str, name: str) -> Json:
    """An event to come: on a stage, or outside where there is no channel."""
    return {
        "id": str(id),
        "guild_id": str(guild_id),
        "channel_id": None if channel_id is None else str(channel_id),
        "creator_id": creator_id,
        "name": name,
        "description": None,
        "scheduled_start_time": "2026-12-01T18:00:00+00:00",
        "scheduled_end_time": "2026-12-01T20:00:00+00:00" if channel_id is None else None,
        "privacy_level": 2,
        "status": 1,
        "entity_type": 3 if channel_id is None else 1,
        "entity_id": None,
        "entity_metadata": {"location": "the park"} if channel_id is None else None,
        "image": None,
        "recurrence_rule": None,
        "user_count": 1,
    }
