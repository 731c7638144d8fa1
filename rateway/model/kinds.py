"""The kinds of entities that the cache may keep, by the names CACHE_ENTITIES takes."""

from __future__ import annotations

KINDS = frozenset(
    {
        "channels",
        "emojis",
        "members",
        "messages",
        "presences",
        "private_channels",
        "roles",
        "scheduled_events",
        "soundboard_sounds",
        "stage_instances",
        "stickers",
        "threads",
        "users",
        "voice_states",
    }
)
"""Guilds and the bot's own user are not among them: they are always kept, for the rest hangs on them."""
