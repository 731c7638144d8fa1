"""Guilds: whole, as GUILD_UPDATE and REST tell them, and in outage."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET

from .channels import Channel, NestedThread
from .furnishings import Emoji, Role, ScheduledEvent, Sound, StageInstance, Sticker
from .people import Member, NestedVoiceState, Presence
from .scalars import Bitset, Count, Hash, Maybe, Object, Snowflake, Time


class Guild(Object, kw_only=True):
    """Without what only GUILD_CREATE brings."""

    id: Snowflake
    name: str
    icon: Hash | None
    splash: Hash | None
    discovery_splash: Hash | None
    owner_id: Snowflake
    region: str | None
    afk_channel_id: Snowflake | None
    afk_timeout: Count
    widget_enabled: bool
    widget_channel_id: Snowflake | None
    verification_level: Literal[0, 1, 2, 3, 4]
    default_message_notifications: Literal[0, 1]
    explicit_content_filter: Literal[0, 1, 2]
    mfa_level: Literal[0, 1]
    application_id: Snowflake | None
    system_channel_id: Snowflake | None
    system_channel_flags: Count
    rules_channel_id: Snowflake | None
    max_presences: Count | None
    max_members: Count
    max_video_channel_users: Count
    max_stage_video_channel_users: Count
    vanity_url_code: str | None
    description: str | None
    banner: Hash | None
    premium_tier: Literal[0, 1, 2, 3]
    premium_subscription_count: Count
    preferred_locale: str
    public_updates_channel_id: Snowflake | None
    safety_alerts_channel_id: Snowflake | None
    nsfw_level: Literal[0, 1, 2, 3]
    premium_progress_bar_enabled: bool
    incidents_data: dict[str, Any] | None
    features: list[str]
    roles: list[Role]
    emojis: list[Emoji]
    stickers: list[Sticker]


class CountedGuild(Guild, kw_only=True):
    """REST's, with counts where they were asked for."""

    approximate_member_count: Maybe[Count] = UNSET
    approximate_presence_count: Maybe[Count] = UNSET


class GuildCreate(Guild, kw_only=True):
    """``unavailable`` is absent where the bot has just joined."""

    joined_at: Time
    large: bool
    member_count: Count
    channels: list[Channel]
    threads: list[NestedThread]
    members: list[Member]
    presences: list[Presence]
    voice_states: list[NestedVoiceState]
    stage_instances: list[StageInstance]
    guild_scheduled_events: list[ScheduledEvent]
    soundboard_sounds: list[Sound]
    unavailable: Maybe[Literal[False]] = UNSET


class UnavailableGuild(Object, kw_only=True):
    id: Snowflake
    unavailable: Literal[True]


class LeftGuild(Object, kw_only=True):
    id: Snowflake


class OwnGuild(Object, kw_only=True):
    """One of GET /users/@me/guilds."""

    id: Snowflake
    name: str
    icon: Hash | None
    banner: Hash | None
    owner: bool
    permissions: Bitset
    features: list[str]
    approximate_member_count: Maybe[Count] = UNSET
    approximate_presence_count: Maybe[Count] = UNSET
