"""What happens together: events about the same few things, so that each finds what others left."""

from __future__ import annotations

from .happenings import HAPPENINGS, WITHOUT_EFFECT

_TALK = ("MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_DELETE_BULK")
_REACTIONS = tuple(name for name in HAPPENINGS if name.startswith(("MESSAGE_REACTION_", "MESSAGE_POLL_")))
_THREADS = tuple(name for name in HAPPENINGS if name.startswith("THREAD_"))
_CHANNELS = ("CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE")
_PEOPLE = tuple(name for name in HAPPENINGS if name.startswith("GUILD_MEMBER"))
_ROLES = tuple(name for name in HAPPENINGS if name.startswith("GUILD_ROLE_"))
_OF_CHANNELS = ("CHANNEL_PINS_UPDATE", "CHANNEL_INFO", "INVITE_CREATE", "INVITE_DELETE")
_VOICE = tuple(name for name in HAPPENINGS if name.startswith("VOICE_CHANNEL_"))
_PLANS = tuple(name for name in HAPPENINGS if name.startswith(("GUILD_SCHEDULED_", "STAGE_")))
_SMALL = tuple(
    name
    for name in HAPPENINGS
    if name.startswith(("GUILD_SOUNDBOARD_", "INTEGRATION_", "AUTO_MODERATION_"))
    or name in ("GUILD_EMOJIS_UPDATE", "GUILD_STICKERS_UPDATE", "SOUNDBOARD_SOUNDS")
)

THEMES: tuple[tuple[str, ...], ...] = (
    (*HAPPENINGS, *HAPPENINGS, *WITHOUT_EFFECT),
    (*_TALK, "MESSAGE_CREATE", *_REACTIONS * 2, *("MESSAGE_REACTION_ADD",) * 4, "CHANNEL_DELETE"),
    (*_THREADS * 2, *_CHANNELS, "MESSAGE_CREATE", "MESSAGE_DELETE", "THREAD_CREATE", "THREAD_LIST_SYNC"),
    (
        *_PEOPLE * 2,
        *_ROLES,
        "PRESENCE_UPDATE",
        "VOICE_STATE_UPDATE",
        "VOICE_STATE_UPDATE",
        "USER_UPDATE",
        "GUILD_CREATE",
    ),
    (*_CHANNELS, *_OF_CHANNELS, *_VOICE, "VOICE_STATE_UPDATE", "MESSAGE_CREATE", "GUILD_CREATE"),
    (*_PLANS * 2, *_SMALL, "CHANNEL_DELETE", "GUILD_UPDATE", "GUILD_CREATE"),
    ("GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE", "GUILD_MEMBER_ADD", "MESSAGE_CREATE", "THREAD_CREATE"),
)
"""Names of events; of a theme's, one that stands there twice comes twice as often. The first theme is everything."""
