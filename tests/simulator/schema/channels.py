"""Channels of each type, and threads. The type tells which keys there are."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta

from .people import Member, Presence, User
from .scalars import Bitset, Count, Maybe, Object, Seconds, Snowflake, Time

_OBFUSCATED = 1 << 17


class Overwrite(Object, kw_only=True):
    id: Snowflake
    type: Literal[0, 1]
    allow: Bitset
    deny: Bitset


class GuildChannel(Object, tag_field="type", kw_only=True):
    """What every channel of a guild has; ``guild_id`` is absent where a guild nests it."""

    id: Snowflake
    name: str
    position: Count
    parent_id: Snowflake | None
    permission_overwrites: list[Overwrite]
    flags: Count
    guild_id: Maybe[Snowflake] = UNSET

    @property
    def is_obfuscated(self) -> bool:
        return bool(self.flags & _OBFUSCATED)


class Text(GuildChannel, tag=0, kw_only=True):
    """Obfuscated, it keeps less."""

    topic: str | None
    last_message_id: Snowflake | None
    nsfw: Maybe[bool] = UNSET
    rate_limit_per_user: Maybe[Count] = UNSET
    last_pin_timestamp: Maybe[Time | None] = UNSET
    default_auto_archive_duration: Maybe[int] = UNSET

    def __post_init__(self) -> None:
        visible = {self.nsfw, self.rate_limit_per_user, self.last_pin_timestamp}
        if self.is_obfuscated:
            if self.name != "___hidden___" or visible != {UNSET}:
                raise ValueError("an obfuscated channel tells too much")
        elif UNSET in visible:
            raise ValueError("a text channel lacks nsfw, rate_limit_per_user or last_pin_timestamp")


class Announcements(Text, tag=5, kw_only=True):
    pass


class Voice(GuildChannel, tag=2, kw_only=True):
    bitrate: Count
    user_limit: Count
    rtc_region: str | None
    nsfw: bool
    last_message_id: Snowflake | None
    rate_limit_per_user: Count
    video_quality_mode: Maybe[Literal[1, 2]] = UNSET


class Stage(GuildChannel, tag=13, kw_only=True):
    bitrate: Count
    user_limit: Count
    rtc_region: str | None
    nsfw: bool
    topic: Maybe[str | None] = UNSET
    last_message_id: Maybe[Snowflake | None] = UNSET
    rate_limit_per_user: Maybe[Count] = UNSET


class Category(GuildChannel, tag=4, kw_only=True):
    parent_id: None


class Tag(Object, kw_only=True):
    id: Snowflake
    name: str
    moderated: bool
    emoji_id: Snowflake | None
    emoji_name: str | None


class DefaultReaction(Object, kw_only=True):
    emoji_id: Snowflake | None
    emoji_name: str | None


class Forum(GuildChannel, tag=15, kw_only=True):
    topic: str | None
    nsfw: bool
    last_message_id: Snowflake | None
    rate_limit_per_user: Count
    available_tags: list[Tag]
    default_reaction_emoji: DefaultReaction | None
    default_sort_order: Literal[0, 1] | None
    default_forum_layout: Literal[0, 1, 2]
    default_thread_rate_limit_per_user: Count


class Media(Forum, tag=16, kw_only=True):
    pass


Channel: TypeAlias = Text | Announcements | Voice | Stage | Category | Forum | Media


class DirectChannel(Object, kw_only=True):
    """A bot learns of it by REST only."""

    id: Snowflake
    type: Literal[1]
    last_message_id: Snowflake | None
    recipients: list[User]
    flags: Count
    last_pin_timestamp: Maybe[Time | None] = UNSET


class ThreadMetadata(Object, kw_only=True):
    archived: bool
    archive_timestamp: Time
    auto_archive_duration: Literal[60, 1440, 4320, 10080]
    locked: bool
    create_timestamp: Maybe[Time | None] = UNSET
    invitable: Maybe[bool] = UNSET


class OwnThreadMember(Object, kw_only=True):
    """The bot's membership, nested in the thread."""

    flags: Count
    join_timestamp: Time


class ThreadMember(OwnThreadMember, kw_only=True):
    id: Snowflake
    user_id: Snowflake


class AddedThreadMember(ThreadMember, kw_only=True):
    member: Member
    presence: Presence | None


class ThreadFields(Object, kw_only=True):
    """All but the bot's membership."""

    id: Snowflake
    type: Literal[10, 11, 12]
    name: str
    parent_id: Snowflake
    owner_id: Snowflake
    guild_id: Snowflake
    last_message_id: Snowflake | None
    message_count: Count
    member_count: Annotated[int, Meta(ge=0)]
    total_message_sent: Count
    rate_limit_per_user: Count
    flags: Count
    thread_metadata: ThreadMetadata
    applied_tags: Maybe[list[Snowflake]] = UNSET
    last_pin_timestamp: Maybe[Time | None] = UNSET


class NestedThread(ThreadFields, kw_only=True):
    """As GUILD_CREATE nests it: whose membership it is goes without saying."""

    member: Maybe[OwnThreadMember] = UNSET


class Thread(ThreadFields, kw_only=True):
    member: Maybe[ThreadMember] = UNSET
    newly_created: Maybe[bool] = UNSET


class ShownThreadMember(OwnThreadMember, kw_only=True):
    id: Maybe[Snowflake] = UNSET
    user_id: Maybe[Snowflake] = UNSET


class RestThread(ThreadFields, kw_only=True):
    """As REST shows it: the docs leave open whether the membership names its thread and user."""

    member: Maybe[ShownThreadMember] = UNSET


class DeletedThread(Object, kw_only=True):
    id: Snowflake
    guild_id: Snowflake
    parent_id: Snowflake
    type: Literal[10, 11, 12]


class ThreadList(Object, kw_only=True):
    guild_id: Snowflake
    threads: list[Thread]
    members: list[ThreadMember]
    channel_ids: Maybe[list[Snowflake]] = UNSET


class ThreadMemberUpdate(ThreadMember, kw_only=True):
    guild_id: Snowflake


class ThreadMembersUpdate(Object, kw_only=True):
    id: Snowflake
    guild_id: Snowflake
    member_count: Count
    added_members: Maybe[list[AddedThreadMember]] = UNSET
    removed_member_ids: Maybe[list[Snowflake]] = UNSET


class Pins(Object, kw_only=True):
    channel_id: Snowflake
    guild_id: Maybe[Snowflake] = UNSET
    last_pin_timestamp: Maybe[Time | None] = UNSET


class ChannelStatus(Object, kw_only=True):
    id: Snowflake
    guild_id: Snowflake
    status: str | None


class ChannelStart(Object, kw_only=True):
    id: Snowflake
    guild_id: Snowflake
    voice_start_time: Maybe[Seconds | None] = UNSET


class ChannelInfoEntry(Object, kw_only=True):
    id: Snowflake
    status: Maybe[str | None] = UNSET
    voice_start_time: Maybe[Seconds | None] = UNSET


class ChannelInfo(Object, kw_only=True):
    guild_id: Snowflake
    channels: list[ChannelInfoEntry]


class PartialChannel(Object, kw_only=True):
    """Of an interaction: where it was used. What it has beside the first four depends on its type."""

    id: Snowflake
    type: int
    flags: Count
    last_message_id: Maybe[Snowflake | None] = UNSET
    name: Maybe[str] = UNSET
    guild_id: Maybe[Snowflake] = UNSET
    parent_id: Maybe[Snowflake | None] = UNSET
    position: Maybe[Count] = UNSET
    permissions: Maybe[Bitset] = UNSET
    permission_overwrites: Maybe[list[Overwrite]] = UNSET
    nsfw: Maybe[bool] = UNSET
    topic: Maybe[str | None] = UNSET
    rate_limit_per_user: Maybe[Count] = UNSET
    last_pin_timestamp: Maybe[Time | None] = UNSET
    recipients: Maybe[list[User]] = UNSET
    thread_metadata: Maybe[ThreadMetadata] = UNSET
