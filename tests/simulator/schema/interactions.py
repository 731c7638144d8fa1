"""What concerns the application: interactions, entitlements, subscriptions, command permissions."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET

from .channels import PartialChannel
from .messages import RestMessage
from .people import InvokingMember, ResolvedMember, User
from .scalars import Bitset, Count, Maybe, Object, Snowflake, Time


class InteractionGuild(Object, kw_only=True):
    id: Snowflake
    locale: str
    features: list[str]


class Option(Object, kw_only=True):
    name: str
    type: int
    value: Maybe[str | int | float | bool] = UNSET
    options: Maybe[list[Option]] = UNSET
    focused: Maybe[bool] = UNSET


class Resolved(Object, kw_only=True):
    users: Maybe[dict[Snowflake, User]] = UNSET
    members: Maybe[dict[Snowflake, ResolvedMember]] = UNSET


class CommandData(Object, kw_only=True):
    id: Snowflake
    name: str
    type: Literal[1, 2, 3, 4]
    options: Maybe[list[Option]] = UNSET
    resolved: Maybe[Resolved] = UNSET
    guild_id: Maybe[Snowflake] = UNSET
    target_id: Maybe[Snowflake] = UNSET


class ComponentData(Object, kw_only=True):
    custom_id: str
    component_type: int
    values: Maybe[list[str]] = UNSET
    resolved: Maybe[Resolved] = UNSET


class ModalData(Object, kw_only=True):
    custom_id: str
    components: list[dict[str, Any]]
    resolved: Maybe[Resolved] = UNSET


class Entitlement(Object, kw_only=True):
    id: Snowflake
    sku_id: Snowflake
    application_id: Snowflake
    type: int
    deleted: bool
    starts_at: Time | None
    ends_at: Time | None
    user_id: Maybe[Snowflake] = UNSET
    guild_id: Maybe[Snowflake] = UNSET
    consumed: Maybe[bool] = UNSET


class Interaction(Object, kw_only=True):
    """What every interaction has. In a guild there is a member, elsewhere a user."""

    id: Snowflake
    application_id: Snowflake
    version: Literal[1]
    token: str
    app_permissions: Bitset
    entitlements: list[Entitlement]
    authorizing_integration_owners: dict[str, Snowflake]
    attachment_size_limit: Count
    guild: Maybe[InteractionGuild] = UNSET
    guild_id: Maybe[Snowflake] = UNSET
    channel: Maybe[PartialChannel] = UNSET
    channel_id: Maybe[Snowflake] = UNSET
    member: Maybe[InvokingMember] = UNSET
    user: Maybe[User] = UNSET
    message: Maybe[RestMessage] = UNSET
    locale: Maybe[str] = UNSET
    guild_locale: Maybe[str] = UNSET
    context: Maybe[Literal[0, 1, 2]] = UNSET

    def __post_init__(self) -> None:
        if (self.member is UNSET) == (self.user is UNSET):
            raise ValueError("neither member nor user, or both")
        if (self.member is UNSET) != (self.guild_id is UNSET):
            raise ValueError("a member without a guild, or a guild without a member")


class CommandInteraction(Interaction, kw_only=True):
    """A command, or its autocompletion."""

    type: Literal[2, 4]
    data: CommandData


class ComponentInteraction(Interaction, kw_only=True):
    type: Literal[3]
    data: ComponentData
    message: RestMessage


class ModalInteraction(Interaction, kw_only=True):
    type: Literal[5]
    data: ModalData


class Subscription(Object, kw_only=True):
    id: Snowflake
    user_id: Snowflake
    sku_ids: list[Snowflake]
    entitlement_ids: list[Snowflake]
    renewal_sku_ids: list[Snowflake] | None
    current_period_start: Time
    current_period_end: Time
    status: Literal[0, 1, 2]
    canceled_at: Time | None


class CommandPermission(Object, kw_only=True):
    id: Snowflake
    type: Literal[1, 2, 3]
    permission: bool


class CommandPermissions(Object, kw_only=True):
    id: Snowflake
    application_id: Snowflake
    guild_id: Snowflake
    permissions: list[CommandPermission]
