"""``d`` of every event, by name. Where there are several shapes, ``d`` has one of them."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct

from . import channels, control, furnishings, guilds, interactions, messages, people
from .scalars import Count, Maybe, Object, Snowflake, Time


class OfGuild(Object, kw_only=True):
    guild_id: Snowflake


class MemberAdd(people.Member, kw_only=True):
    guild_id: Snowflake


class UserOfGuild(OfGuild, kw_only=True):
    """Who left, was banned, or no longer is."""

    user: people.User


class RoleOfGuild(OfGuild, kw_only=True):
    role: furnishings.Role


class RoleDelete(OfGuild, kw_only=True):
    role_id: Snowflake


class Emojis(OfGuild, kw_only=True):
    emojis: list[furnishings.Emoji]


class Stickers(OfGuild, kw_only=True):
    stickers: list[furnishings.Sticker]


class Sounds(OfGuild, kw_only=True):
    soundboard_sounds: list[furnishings.Sound]


class GuildSound(furnishings.Sound, kw_only=True):
    guild_id: Snowflake


class SoundDelete(OfGuild, kw_only=True):
    sound_id: Snowflake


class EventUser(OfGuild, kw_only=True):
    guild_scheduled_event_id: Snowflake
    user_id: Snowflake


class IntegrationDelete(OfGuild, kw_only=True):
    id: Snowflake
    application_id: Maybe[Snowflake] = UNSET


class Webhooks(OfGuild, kw_only=True):
    channel_id: Snowflake


class InviteCreate(Object, kw_only=True):
    channel_id: Snowflake
    code: str
    created_at: Time
    max_age: Count
    max_uses: Count
    temporary: bool
    uses: Literal[0]
    expires_at: Time | None
    guild_id: Maybe[Snowflake] = UNSET
    inviter: Maybe[people.User] = UNSET
    role_ids: Maybe[list[Snowflake]] = UNSET


class InviteDelete(Object, kw_only=True):
    channel_id: Snowflake
    code: str
    guild_id: Maybe[Snowflake] = UNSET


class ActionExecution(OfGuild, kw_only=True):
    action: furnishings.Action
    rule_id: Snowflake
    rule_trigger_type: Literal[1, 3, 4, 5, 6]
    user_id: Snowflake
    content: str
    matched_keyword: str | None
    matched_content: str | None
    channel_id: Maybe[Snowflake] = UNSET
    message_id: Maybe[Snowflake] = UNSET
    alert_system_message_id: Maybe[Snowflake] = UNSET


class ChunkMember(people.Member, kw_only=True):
    """The only one that live traffic shows without ``banner``."""


class MembersChunk(OfGuild, kw_only=True):
    members: Annotated[list[ChunkMember], Meta(max_length=1000)]
    chunk_index: Count
    chunk_count: Annotated[int, Meta(ge=1)]
    not_found: Maybe[list[str | int]] = UNSET
    presences: Maybe[list[people.Presence]] = UNSET
    nonce: Maybe[Annotated[str, Meta(max_length=32)]] = UNSET


class ListMeta(OfGuild, kw_only=True):
    nonce: Maybe[str] = UNSET


class RateLimited(Object, kw_only=True):
    opcode: Literal[8]
    retry_after: Annotated[float, Meta(gt=0)]
    meta: ListMeta


class VoiceServer(OfGuild, kw_only=True):
    token: str
    endpoint: str | None


Shapes: TypeAlias = tuple[type[Struct], ...]

CHANNELS: Shapes = (
    channels.Text,
    channels.Announcements,
    channels.Voice,
    channels.Stage,
    channels.Category,
    channels.Forum,
    channels.Media,
)

EVENTS: dict[str, Shapes] = {
    "READY": (control.Ready,),
    "RESUMED": (control.Resumed,),
    "RATE_LIMITED": (RateLimited,),
    "USER_UPDATE": (people.CurrentUser,),
    "GUILD_CREATE": (guilds.GuildCreate, guilds.UnavailableGuild),
    "GUILD_UPDATE": (guilds.Guild,),
    "GUILD_DELETE": (guilds.UnavailableGuild, guilds.LeftGuild),
    "GUILD_MEMBER_ADD": (MemberAdd,),
    "GUILD_MEMBER_UPDATE": (people.ChangedMember,),
    "GUILD_MEMBER_REMOVE": (UserOfGuild,),
    "GUILD_MEMBERS_CHUNK": (MembersChunk,),
    "GUILD_BAN_ADD": (UserOfGuild,),
    "GUILD_BAN_REMOVE": (UserOfGuild,),
    "GUILD_ROLE_CREATE": (RoleOfGuild,),
    "GUILD_ROLE_UPDATE": (RoleOfGuild,),
    "GUILD_ROLE_DELETE": (RoleDelete,),
    "PRESENCE_UPDATE": (people.PresenceUpdate,),
    "CHANNEL_CREATE": CHANNELS,
    "CHANNEL_UPDATE": CHANNELS,
    "CHANNEL_DELETE": CHANNELS,
    "CHANNEL_PINS_UPDATE": (channels.Pins,),
    "CHANNEL_INFO": (channels.ChannelInfo,),
    "VOICE_CHANNEL_STATUS_UPDATE": (channels.ChannelStatus,),
    "VOICE_CHANNEL_START_TIME_UPDATE": (channels.ChannelStart,),
    "VOICE_CHANNEL_EFFECT_SEND": (furnishings.VoiceEffect,),
    "VOICE_STATE_UPDATE": (people.VoiceState,),
    "VOICE_SERVER_UPDATE": (VoiceServer,),
    "THREAD_CREATE": (channels.Thread,),
    "THREAD_UPDATE": (channels.Thread,),
    "THREAD_DELETE": (channels.DeletedThread,),
    "THREAD_LIST_SYNC": (channels.ThreadList,),
    "THREAD_MEMBER_UPDATE": (channels.ThreadMemberUpdate,),
    "THREAD_MEMBERS_UPDATE": (channels.ThreadMembersUpdate,),
    "STAGE_INSTANCE_CREATE": (furnishings.StageInstance,),
    "STAGE_INSTANCE_UPDATE": (furnishings.StageInstance,),
    "STAGE_INSTANCE_DELETE": (furnishings.StageInstance,),
    "INVITE_CREATE": (InviteCreate,),
    "INVITE_DELETE": (InviteDelete,),
    "GUILD_EMOJIS_UPDATE": (Emojis,),
    "GUILD_STICKERS_UPDATE": (Stickers,),
    "GUILD_SOUNDBOARD_SOUND_CREATE": (GuildSound,),
    "GUILD_SOUNDBOARD_SOUND_UPDATE": (GuildSound,),
    "GUILD_SOUNDBOARD_SOUND_DELETE": (SoundDelete,),
    "GUILD_SOUNDBOARD_SOUNDS_UPDATE": (Sounds,),
    "SOUNDBOARD_SOUNDS": (Sounds,),
    "GUILD_INTEGRATIONS_UPDATE": (OfGuild,),
    "INTEGRATION_CREATE": (furnishings.Integration,),
    "INTEGRATION_UPDATE": (furnishings.Integration,),
    "INTEGRATION_DELETE": (IntegrationDelete,),
    "WEBHOOKS_UPDATE": (Webhooks,),
    "GUILD_SCHEDULED_EVENT_CREATE": (furnishings.ScheduledEvent,),
    "GUILD_SCHEDULED_EVENT_UPDATE": (furnishings.ScheduledEvent,),
    "GUILD_SCHEDULED_EVENT_DELETE": (furnishings.ScheduledEvent,),
    "GUILD_SCHEDULED_EVENT_USER_ADD": (EventUser,),
    "GUILD_SCHEDULED_EVENT_USER_REMOVE": (EventUser,),
    "GUILD_AUDIT_LOG_ENTRY_CREATE": (furnishings.AuditLogEntry,),
    "AUTO_MODERATION_RULE_CREATE": (furnishings.ModerationRule,),
    "AUTO_MODERATION_RULE_UPDATE": (furnishings.ModerationRule,),
    "AUTO_MODERATION_RULE_DELETE": (furnishings.ModerationRule,),
    "AUTO_MODERATION_ACTION_EXECUTION": (ActionExecution,),
    "MESSAGE_CREATE": (messages.MessageCreate, messages.WebhookMessageCreate),
    "MESSAGE_UPDATE": (messages.MessageCreate, messages.WebhookMessageCreate, messages.PartialMessage),
    "MESSAGE_DELETE": (messages.MessageDelete,),
    "MESSAGE_DELETE_BULK": (messages.MessageDeleteBulk,),
    "MESSAGE_REACTION_ADD": (messages.ReactionAdd,),
    "MESSAGE_REACTION_REMOVE": (messages.ReactionRemove,),
    "MESSAGE_REACTION_REMOVE_ALL": (messages.ReactionPlace,),
    "MESSAGE_REACTION_REMOVE_EMOJI": (messages.ReactionRemoveEmoji,),
    "MESSAGE_POLL_VOTE_ADD": (messages.Vote,),
    "MESSAGE_POLL_VOTE_REMOVE": (messages.Vote,),
    "TYPING_START": (messages.Typing,),
    "INTERACTION_CREATE": (
        interactions.CommandInteraction,
        interactions.ComponentInteraction,
        interactions.ModalInteraction,
    ),
    "APPLICATION_COMMAND_PERMISSIONS_UPDATE": (interactions.CommandPermissions,),
    "ENTITLEMENT_CREATE": (interactions.Entitlement,),
    "ENTITLEMENT_UPDATE": (interactions.Entitlement,),
    "ENTITLEMENT_DELETE": (interactions.Entitlement,),
    "SUBSCRIPTION_CREATE": (interactions.Subscription,),
    "SUBSCRIPTION_UPDATE": (interactions.Subscription,),
    "SUBSCRIPTION_DELETE": (interactions.Subscription,),
}
