"""The kinds of entities that the cache can keep, by the names CACHE_ENTITIES takes.

They are the words of cache requests, and a few for what is kept beside them.
"""

from __future__ import annotations

KINDS = frozenset(
    {
        "AutoModerationRule",
        "ChannelInfo",
        "CurrentUser",
        "Emoji",
        "Guild",
        "GuildChannel",
        "Integration",
        "Invite",
        "Member",
        "Message",
        "Presence",
        "PrivateChannel",
        "Role",
        "ScheduledEvent",
        "SoundboardSound",
        "StageInstance",
        "Sticker",
        "ThreadMember",
        "User",
        "VoiceState",
    }
)
