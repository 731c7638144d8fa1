"""Payloads of an invented guild, in Discord's shapes (API v10). Each function gives a fresh object."""

from __future__ import annotations

from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

BOT = 900000000000000001
ALICE = 700000000000000011
BOB = 700000000000000012
CAROL = 700000000000000013
GUILD = 800000000000000100
OTHER = 800000000000000200
GENERAL = 600000000000000001
VOICE = 600000000000000002
FORUM = 600000000000000003
STAGE = 600000000000000004
HIDDEN = 600000000000000005
CATEGORY = 600000000000000000
POST = 600000000000000103
BOT_ROLE = 500000000000000001
BOOSTER = 500000000000000002
WAVE = 400000000000000001
PRIVATE = 650000000000000001
CHANNELS = (CATEGORY, GENERAL, VOICE, FORUM, STAGE, HIDDEN)


def user(user_id: int = ALICE, name: str = "alice", **more: object) -> Json:
    """A user as members and messages bear it."""
    return {
        "id": str(user_id),
        "username": name,
        "discriminator": "0",
        "global_name": name.title(),
        "avatar": None,
        "public_flags": 0,
    } | more


def own_user() -> Json:
    """The bot as READY describes it."""
    return {
        "verified": True,
        "username": "rateway-bot",
        "mfa_enabled": True,
        "id": str(BOT),
        "global_name": None,
        "flags": 0,
        "email": None,
        "discriminator": "4242",
        "bot": True,
        "avatar": "b7c1a0d4e5f60718293a4b5c6d7e8f90",
    }


def ready(*guilds: int) -> Json:
    """READY of a shard with these guilds."""
    return {
        "v": 10,
        "user": own_user(),
        "session_id": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "resume_gateway_url": "wss://gateway-sim-b.example.invalid",
        "guilds": [{"unavailable": True, "id": str(guild)} for guild in guilds],
        "shard": [0, 1],
        "application": {"id": str(BOT), "flags": 565248},
    }


def member(user_id: int = ALICE, name: str = "alice", **more: object) -> Json:
    """A member with their user."""
    return {
        "user": user(user_id, name),
        "nick": None,
        "avatar": None,
        "banner": None,
        "roles": [],
        "joined_at": "2025-01-01T00:00:00.000000+00:00",
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "flags": 0,
        "pending": False,
        "communication_disabled_until": None,
    } | more


def role(role_id: int, name: str, position: int = 1) -> Json:
    """A role."""
    return {
        "id": str(role_id),
        "name": name,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "icon": None,
        "unicode_emoji": None,
        "position": position,
        "permissions": "8",
        "managed": False,
        "mentionable": False,
        "flags": 0,
    }


def emoji(emoji_id: int = WAVE, name: str = "wave2") -> Json:
    """A guild's emoji."""
    return {
        "id": str(emoji_id),
        "name": name,
        "roles": [],
        "require_colons": True,
        "managed": False,
        "animated": True,
        "available": True,
    }


def channel(channel_id: int, kind: int = 0, name: str = "general", **more: object) -> Json:
    """A channel as GUILD_CREATE has it, without its guild."""
    return {
        "id": str(channel_id),
        "type": kind,
        "name": name,
        "position": 0,
        "parent_id": None,
        "permission_overwrites": [],
        "last_message_id": None,
        "flags": 0,
    } | more


def thread(thread_id: int = POST, parent: int = FORUM, archived: bool = False, **more: object) -> Json:
    """A thread."""
    return {
        "id": str(thread_id),
        "type": 11,
        "name": "first idea",
        "parent_id": str(parent),
        "owner_id": str(BOB),
        "guild_id": str(GUILD),
        "last_message_id": "300000000000000008",
        "message_count": 4,
        "member_count": 2,
        "total_message_sent": 5,
        "rate_limit_per_user": 0,
        "applied_tags": [],
        "flags": 0,
        "thread_metadata": {
            "archived": archived,
            "archive_timestamp": "2026-03-01T10:00:00.000000+00:00",
            "auto_archive_duration": 1440,
            "locked": False,
        },
    } | more


def voice_state(user_id: int, channel_id: int | None, **more: object) -> Json:
    """A voice state, without its guild."""
    return {
        "user_id": str(user_id),
        "channel_id": None if channel_id is None else str(channel_id),
        "session_id": "5d4c3b2a190817263544536271809fae",
        "deaf": False,
        "mute": False,
        "self_deaf": False,
        "self_mute": True,
        "self_video": False,
        "suppress": False,
        "request_to_speak_timestamp": None,
    } | more


def presence(user_id: int = ALICE, status: str = "online", **more: object) -> Json:
    """PRESENCE_UPDATE with an id-only user."""
    return {
        "user": {"id": str(user_id)},
        "guild_id": str(GUILD),
        "status": status,
        "activities": [],
        "client_status": {} if status == "offline" else {"desktop": status},
    } | more


def message(message_id: int, channel_id: int = GENERAL, author: Json | None = None, **more: object) -> Json:
    """MESSAGE_CREATE in the guild, with the author's member."""
    inside = member()
    del inside["user"]
    return {
        "id": str(message_id),
        "channel_id": str(channel_id),
        "guild_id": str(GUILD),
        "channel_type": 0,
        "type": 0,
        "author": user() if author is None else author,
        "member": inside,
        "content": "thanks \U0001f44d",
        "timestamp": "2026-04-05T06:07:08.901000+00:00",
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "components": [],
        "pinned": False,
        "flags": 0,
        "message_reference": {"type": 0, "message_id": "1", "channel_id": str(GENERAL), "guild_id": str(GUILD)},
    } | more


def private_message(message_id: int, author: Json | None = None, channel_id: int = PRIVATE) -> Json:
    """MESSAGE_CREATE in a direct message channel."""
    event = message(message_id, channel_id, user(BOB, "bob") if author is None else author, channel_type=1)
    del event["guild_id"], event["member"]
    return event


def webhook_message(message_id: int) -> Json:
    """MESSAGE_CREATE by a webhook: the author isn't a user."""
    author = {"id": "990000000000000001", "username": "CI", "discriminator": "0000", "avatar": None, "bot": True}
    event = message(message_id, author=author, webhook_id="990000000000000001")
    del event["member"]
    return event


def guild(guild_id: int = GUILD, **more: object) -> Json:
    """GUILD_CREATE of the backfill: three members, six channels, a thread, one of each of the rest."""
    own = member(BOT, "rateway-bot", roles=[str(BOT_ROLE)])
    own["user"]["bot"] = True
    return {
        "id": str(guild_id),
        "name": "Sample Guild",
        "icon": None,
        "owner_id": str(ALICE),
        "afk_timeout": 300,
        "verification_level": 1,
        "system_channel_id": str(GENERAL),
        "features": ["COMMUNITY", "NEWS", "SOUNDBOARD"],
        "premium_tier": 0,
        "preferred_locale": "en-US",
        "joined_at": "2025-11-03T09:15:22.123000+00:00",
        "large": False,
        "unavailable": False,
        "member_count": 3,
        "roles": [role(guild_id, "@everyone", 0), role(BOT_ROLE, "rateway-bot", 2), role(BOOSTER, "booster")],
        "emojis": [emoji()],
        "stickers": [
            {"id": "400000000000000101", "name": "hi", "type": 2, "format_type": 1, "guild_id": str(guild_id)}
        ],
        "channels": [
            channel(CATEGORY, 4, "Main"),
            channel(GENERAL, parent_id=str(CATEGORY), last_message_id="300000000000000009"),
            channel(VOICE, 2, "Voice", bitrate=64000),
            channel(FORUM, 15, "ideas", last_message_id=str(POST)),
            channel(STAGE, 13, "Stage"),
            hidden(),
        ],
        "threads": [thread(member={"flags": 1, "join_timestamp": "2026-03-01T10:05:00.000000+00:00"})],
        "members": [own, member(ALICE, "alice", nick="Ali", roles=[str(BOOSTER)]), member(BOB, "bob")],
        "presences": [{"user": {"id": str(ALICE)}, "status": "idle", "activities": [], "client_status": {}}],
        "voice_states": [voice_state(BOB, VOICE)],
        "stage_instances": [
            {"id": "200000000000000001", "guild_id": str(guild_id), "channel_id": str(STAGE), "topic": "Town hall"}
        ],
        "guild_scheduled_events": [
            {
                "id": "200000000000000002",
                "guild_id": str(guild_id),
                "channel_id": str(STAGE),
                "name": "Town hall",
                "status": 2,
                "user_count": 2,
            }
        ],
        "soundboard_sounds": [
            {"name": "tada", "sound_id": "100000000000000001", "volume": 0.8, "guild_id": str(guild_id)}
        ],
    } | more


def hidden() -> Json:
    """A channel that the bot can't view."""
    deny = {"id": str(GUILD), "type": 0, "allow": "0", "deny": "1024"}
    return channel(HIDDEN, 0, "___hidden___", flags=1 << 17, permission_overwrites=[deny], topic=None)


def bare_guild(guild_id: int, **more: object) -> Json:
    """GUILD_CREATE of a guild with nobody but alice, and nothing in it."""
    empty = (
        "channels threads presences voice_states emojis stickers stage_instances guild_scheduled_events "
        "soundboard_sounds"
    )
    return (
        guild(guild_id)
        | {name: [] for name in empty.split()}
        | {"roles": [role(guild_id, "@everyone", 0)], "members": [member()], "member_count": 1}
        | more
    )
