"""What a guild has besides people and channels: roles, emojis, sounds, events, stages, rules, integrations."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta

from .people import User
from .scalars import Bitset, Count, Hash, Maybe, Object, SmallId, Snowflake, Time


class RoleColors(Object, kw_only=True):
    primary_color: Count
    secondary_color: Count | None
    tertiary_color: Count | None


class RoleTags(Object, kw_only=True):
    """Booleans are there as null where they are true, and absent where they are false."""

    bot_id: Maybe[Snowflake] = UNSET
    integration_id: Maybe[Snowflake] = UNSET
    premium_subscriber: Maybe[None] = UNSET
    subscription_listing_id: Maybe[Snowflake] = UNSET
    available_for_purchase: Maybe[None] = UNSET
    guild_connections: Maybe[None] = UNSET


class Role(Object, kw_only=True):
    id: Snowflake
    name: str
    color: Count
    colors: RoleColors
    hoist: bool
    icon: Hash | None
    unicode_emoji: str | None
    position: Count
    permissions: Bitset
    managed: bool
    mentionable: bool
    flags: Count
    tags: Maybe[RoleTags] = UNSET


class Emoji(Object, kw_only=True):
    """One of a guild's own."""

    id: Snowflake
    name: str
    roles: list[Snowflake]
    require_colons: bool
    managed: bool
    animated: bool
    available: bool
    user: Maybe[User] = UNSET


class PartialEmoji(Object, kw_only=True):
    """As reactions and the like bear it: a name alone where it is a character, null where a custom one is gone."""

    id: Snowflake | None
    name: str | None
    animated: Maybe[bool] = UNSET


class Sticker(Object, kw_only=True):
    id: Snowflake
    name: str
    description: str | None
    tags: str
    type: Literal[1, 2]
    format_type: Literal[1, 2, 3, 4]
    available: bool
    guild_id: Snowflake
    user: Maybe[User] = UNSET


class Sound(Object, kw_only=True):
    name: str
    sound_id: Snowflake
    volume: Annotated[float, Meta(ge=0, le=1)]
    emoji_id: Snowflake | None
    emoji_name: str | None
    available: bool
    guild_id: Maybe[Snowflake] = UNSET
    user: Maybe[User] = UNSET


class StageInstance(Object, kw_only=True):
    id: Snowflake
    guild_id: Snowflake
    channel_id: Snowflake
    topic: str
    privacy_level: Literal[1, 2]
    discoverable_disabled: bool
    guild_scheduled_event_id: Snowflake | None


class EntityMetadata(Object, kw_only=True):
    location: Maybe[str] = UNSET


class ScheduledEvent(Object, kw_only=True):
    id: Snowflake
    guild_id: Snowflake
    channel_id: Snowflake | None
    name: str
    scheduled_start_time: Time
    scheduled_end_time: Time | None
    privacy_level: Literal[2]
    status: Literal[1, 2, 3, 4]
    entity_type: Literal[1, 2, 3]
    entity_id: Snowflake | None
    entity_metadata: EntityMetadata | None
    recurrence_rule: dict[str, Any] | None
    creator_id: Maybe[Snowflake | None] = UNSET
    description: Maybe[str | None] = UNSET
    creator: Maybe[User] = UNSET
    user_count: Maybe[Count] = UNSET
    image: Maybe[Hash | None] = UNSET


class TriggerMetadata(Object, kw_only=True):
    keyword_filter: Maybe[list[str]] = UNSET
    regex_patterns: Maybe[list[str]] = UNSET
    presets: Maybe[list[int]] = UNSET
    allow_list: Maybe[list[str]] = UNSET
    mention_total_limit: Maybe[int] = UNSET
    mention_raid_protection_enabled: Maybe[bool] = UNSET


class ActionMetadata(Object, kw_only=True):
    channel_id: Maybe[Snowflake] = UNSET
    duration_seconds: Maybe[Count] = UNSET
    custom_message: Maybe[str] = UNSET


class Action(Object, kw_only=True):
    type: Literal[1, 2, 3, 4]
    metadata: Maybe[ActionMetadata] = UNSET


class ModerationRule(Object, kw_only=True):
    id: Snowflake
    guild_id: Snowflake
    name: str
    creator_id: Snowflake
    event_type: Literal[1, 2]
    trigger_type: Literal[1, 3, 4, 5, 6]
    trigger_metadata: TriggerMetadata
    actions: list[Action]
    enabled: bool
    exempt_roles: list[Snowflake]
    exempt_channels: list[Snowflake]


class Account(Object, kw_only=True):
    id: str
    name: str


class IntegrationApplication(Object, kw_only=True):
    """``summary`` is deprecated, and empty."""

    id: Snowflake
    name: str
    icon: Hash | None
    description: str
    summary: Maybe[Literal[""]] = UNSET
    bot: Maybe[User] = UNSET


class Integration(Object, kw_only=True):
    """Without ``user``, with the guild: as the gateway tells it."""

    id: Snowflake
    guild_id: Snowflake
    name: str
    type: Literal["twitch", "youtube", "discord", "guild_subscription"]
    enabled: bool
    account: Account
    application: Maybe[IntegrationApplication] = UNSET
    scopes: Maybe[list[str]] = UNSET


class AuditChange(Object, kw_only=True):
    key: str
    new_value: Maybe[Any] = UNSET
    old_value: Maybe[Any] = UNSET


class AuditLogEntry(Object, kw_only=True):
    id: Snowflake
    guild_id: Snowflake
    user_id: Snowflake | None
    target_id: Snowflake | None
    action_type: int
    changes: Maybe[list[AuditChange]] = UNSET
    options: Maybe[dict[str, str]] = UNSET
    reason: Maybe[str] = UNSET


class VoiceEffect(Object, kw_only=True):
    channel_id: Snowflake
    guild_id: Snowflake
    user_id: Snowflake
    emoji: Maybe[PartialEmoji | None] = UNSET
    animation_type: Maybe[int | None] = UNSET
    animation_id: Maybe[int] = UNSET
    sound_id: Maybe[SmallId] = UNSET
    sound_volume: Maybe[float] = UNSET
