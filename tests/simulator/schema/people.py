"""Users, members, presences, voice states."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET

from .scalars import Bitset, Count, Hash, Maybe, Milliseconds, Object, Snowflake, Time


class User(Object, kw_only=True):
    id: Snowflake
    username: str
    discriminator: str
    avatar: Hash | None
    global_name: str | None
    public_flags: Count
    bot: Maybe[bool] = UNSET


class MentionedUser(User, kw_only=True):
    """A user in a message's mentions: the member is partial."""

    member: Maybe[MessageMember] = UNSET


class WebhookUser(Object, kw_only=True):
    """The author of a webhook's message, who is no user."""

    id: Snowflake
    username: str
    discriminator: Literal["0000"]
    avatar: Hash | None
    bot: Literal[True]


class Author(Object, kw_only=True):
    """A user, or a webhook: the one or the other, not something between."""

    id: Snowflake
    username: str
    discriminator: str
    avatar: Hash | None
    bot: Maybe[bool] = UNSET
    global_name: Maybe[str | None] = UNSET
    public_flags: Maybe[Count] = UNSET

    @property
    def is_webhook(self) -> bool:
        return self.discriminator == "0000"

    def __post_init__(self) -> None:
        if {self.global_name is UNSET, self.public_flags is UNSET} != {self.is_webhook}:
            raise ValueError("neither a user nor a webhook")


class CurrentUser(Object, kw_only=True):
    id: Snowflake
    username: str
    discriminator: str
    avatar: Hash | None
    global_name: str | None
    flags: Count
    bot: Literal[True]
    verified: bool
    mfa_enabled: bool
    email: None


class IdUser(Object, kw_only=True):
    """A user of whom only the id is told."""

    id: Snowflake


class MemberFields(Object, kw_only=True):
    """What every shape of a member has."""

    roles: list[Snowflake]
    joined_at: Time | None
    flags: Count
    nick: Maybe[str | None] = UNSET
    avatar: Maybe[Hash | None] = UNSET
    banner: Maybe[Hash | None] = UNSET
    premium_since: Maybe[Time | None] = UNSET
    pending: Maybe[bool] = UNSET
    communication_disabled_until: Maybe[Time | None] = UNSET


class MessageMember(MemberFields, kw_only=True):
    """Without ``user``: that is the message's author, or the mentioned user."""

    deaf: bool
    mute: bool


class Member(MessageMember, kw_only=True):
    user: User
    nick: str | None
    avatar: Hash | None
    premium_since: Time | None
    pending: bool
    communication_disabled_until: Time | None


class ChangedMember(MemberFields, kw_only=True):
    """GUILD_MEMBER_UPDATE, with the guild: ``deaf`` and ``mute`` may be absent."""

    guild_id: Snowflake
    user: User
    nick: str | None
    avatar: Hash | None
    banner: Hash | None
    premium_since: Time | None
    pending: bool
    communication_disabled_until: Time | None
    deaf: Maybe[bool] = UNSET
    mute: Maybe[bool] = UNSET


class InvokingMember(Member, kw_only=True):
    """The member of an interaction."""

    permissions: Bitset


class ResolvedMember(MemberFields, kw_only=True):
    """Of an interaction's data: without ``user``, ``deaf`` and ``mute``."""

    nick: str | None
    avatar: Hash | None
    premium_since: Time | None
    pending: bool
    communication_disabled_until: Time | None
    permissions: Bitset


class Timestamps(Object, kw_only=True):
    start: Maybe[Milliseconds] = UNSET
    end: Maybe[Milliseconds] = UNSET


class Activity(Object, kw_only=True):
    """What the gateway tells; ``id`` is undocumented."""

    name: str
    type: Literal[0, 1, 2, 3, 4, 5]
    created_at: Milliseconds
    id: Maybe[str] = UNSET
    url: Maybe[str | None] = UNSET
    state: Maybe[str | None] = UNSET
    timestamps: Maybe[Timestamps] = UNSET
    application_id: Maybe[Snowflake] = UNSET
    buttons: Maybe[list[str]] = UNSET


Status = Literal["online", "idle", "dnd", "offline"]
Shown = Literal["online", "idle", "dnd"]


class ClientStatus(Object, kw_only=True):
    desktop: Maybe[Shown] = UNSET
    mobile: Maybe[Shown] = UNSET
    web: Maybe[Shown] = UNSET
    vr: Maybe[Shown] = UNSET


class Presence(Object, kw_only=True):
    """As GUILD_CREATE and chunks nest it: without the guild."""

    user: IdUser
    status: Status
    activities: list[Activity]
    client_status: ClientStatus
    guild_id: Maybe[Snowflake] = UNSET


class PresenceUpdate(Presence, kw_only=True):
    guild_id: Snowflake


class NestedVoiceState(Object, kw_only=True):
    """As GUILD_CREATE nests it."""

    user_id: Snowflake
    channel_id: Snowflake | None
    session_id: str
    deaf: bool
    mute: bool
    self_deaf: bool
    self_mute: bool
    self_video: bool
    suppress: bool
    request_to_speak_timestamp: Time | None
    self_stream: Maybe[bool] = UNSET


class VoiceState(NestedVoiceState, kw_only=True):
    guild_id: Snowflake
    member: Maybe[Member] = UNSET
