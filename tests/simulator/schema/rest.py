"""Answers of REST, by route and status."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta

from .channels import Channel, DirectChannel, RestThread, ThreadMember
from .events import CHANNELS
from .furnishings import Role
from .guilds import CountedGuild, OwnGuild
from .messages import AnyMessage, RestMessage, RestWebhookMessage
from .people import CurrentUser, Member, User
from .scalars import Bitset, Count, Hash, Maybe, Object, Snowflake


class Gateway(Object, kw_only=True):
    url: Annotated[str, Meta(pattern=r"^wss?://[^/?]+/?$")]


class SessionStartLimit(Object, kw_only=True):
    total: Count
    remaining: Count
    reset_after: Count
    max_concurrency: Annotated[int, Meta(ge=1)]


class GatewayBot(Gateway, kw_only=True):
    shards: Annotated[int, Meta(ge=1)]
    session_start_limit: SessionStartLimit


class Application(Object, kw_only=True):
    id: Snowflake
    name: str
    icon: Hash | None
    description: str
    flags: Count
    verify_key: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    team: None
    bot: User
    owner: User
    bot_public: bool
    bot_require_code_grant: bool
    summary: Literal[""]
    type: None
    approximate_guild_count: Count
    interactions_endpoint_url: None
    redirect_uris: list[str]
    tags: list[str]


class ActiveThreads(Object, kw_only=True):
    threads: list[RestThread]
    members: list[ThreadMember]


class Webhook(Object, kw_only=True):
    id: Snowflake
    type: Literal[1, 2, 3]
    guild_id: Snowflake
    channel_id: Snowflake
    name: str | None
    avatar: Hash | None
    application_id: Snowflake | None
    token: Maybe[str] = UNSET
    user: Maybe[User] = UNSET


class Command(Object, kw_only=True):
    id: Snowflake
    application_id: Snowflake
    version: Snowflake
    type: Literal[1, 2, 3, 4]
    name: str
    description: str
    nsfw: bool
    default_member_permissions: Bitset | None
    guild_id: Maybe[Snowflake] = UNSET
    options: Maybe[list[dict[str, Any]]] = UNSET
    name_localizations: Maybe[dict[str, str] | None] = UNSET
    description_localizations: Maybe[dict[str, str] | None] = UNSET
    dm_permission: Maybe[bool | None] = UNSET
    contexts: Maybe[list[int] | None] = UNSET
    integration_types: Maybe[list[int]] = UNSET
    handler: Maybe[int] = UNSET


class InteractionShown(Object, kw_only=True):
    """Of a callback that asked for what came of it."""

    id: Snowflake
    type: Literal[1, 2, 3, 4, 5]
    response_message_loading: bool
    response_message_id: Maybe[Snowflake] = UNSET
    response_message_ephemeral: Maybe[bool] = UNSET


class CallbackResource(Object, kw_only=True):
    type: int
    message: RestMessage


class Callback(Object, kw_only=True):
    interaction: InteractionShown
    resource: Maybe[CallbackResource] = UNSET


class Trouble(Object, kw_only=True):
    """An error's body."""

    code: int
    message: str
    errors: Maybe[dict[str, Any]] = UNSET


class Limited(Object, rename={"everywhere": "global"}, kw_only=True):
    """429 of the API."""

    message: str
    retry_after: Annotated[float, Meta(gt=0)]
    everywhere: bool
    code: Maybe[int] = UNSET


MESSAGE = (RestMessage, RestWebhookMessage)

ANSWERS: dict[str, tuple[Any, ...]] = {
    "GET /gateway": (Gateway,),
    "GET /gateway/bot": (GatewayBot,),
    "GET /users/@me": (CurrentUser,),
    "GET /users/{}": (User,),
    "GET /users/@me/guilds": (list[OwnGuild],),
    "POST /users/@me/channels": (DirectChannel,),
    "GET /applications/@me": (Application,),
    "GET /oauth2/applications/@me": (Application,),
    "GET /guilds/{}": (CountedGuild,),
    "GET /guilds/{}/channels": (list[Channel],),
    "GET /guilds/{}/roles": (list[Role],),
    "GET /guilds/{}/threads/active": (ActiveThreads,),
    "GET /guilds/{}/members": (list[Member],),
    "GET /guilds/{}/members/{}": (Member,),
    "GET /channels/{}": (*CHANNELS, DirectChannel, RestThread),
    "PATCH /channels/{}": (*CHANNELS, RestThread),
    "GET /channels/{}/pins": (list[AnyMessage],),
    "GET /channels/{}/webhooks": (list[Webhook],),
    "POST /channels/{}/webhooks": (Webhook,),
    "GET /webhooks/{}": (Webhook,),
    "GET /channels/{}/messages": (list[AnyMessage],),
    "GET /channels/{}/messages/{}": MESSAGE,
    "POST /channels/{}/messages": MESSAGE,
    "PATCH /channels/{}/messages/{}": MESSAGE,
    "POST /webhooks/{}/{}": MESSAGE,
    "GET /webhooks/{}/{}": (Webhook,),
    "GET /webhooks/{}/{}/messages/{}": MESSAGE,
    "PATCH /webhooks/{}/{}/messages/{}": MESSAGE,
    "POST /interactions/{}/{}/callback": (Callback,),
    "POST /webhooks/900000000000000001/{}": MESSAGE,
    "GET /webhooks/900000000000000001/{}/messages/{}": MESSAGE,
    "PATCH /webhooks/900000000000000001/{}/messages/{}": MESSAGE,
    "GET /channels/{}/messages/{}/reactions/{}": (list[User],),
    "GET /applications/{}/commands": (list[Command],),
    "POST /applications/{}/commands": (Command,),
    "PUT /applications/{}/commands": (list[Command],),
    "GET /applications/{}/commands/{}": (Command,),
    "PATCH /applications/{}/commands/{}": (Command,),
    "GET /applications/{}/guilds/{}/commands": (list[Command],),
    "POST /applications/{}/guilds/{}/commands": (Command,),
    "PUT /applications/{}/guilds/{}/commands": (list[Command],),
    "GET /applications/{}/guilds/{}/commands/{}": (Command,),
    "PATCH /applications/{}/guilds/{}/commands/{}": (Command,),
}
"""Bodies of answers with 200 or 201."""

EMPTY = {
    "DELETE /applications/{}/commands/{}",
    "DELETE /applications/{}/guilds/{}/commands/{}",
    "POST /channels/{}/typing",
    "PUT /channels/{}/pins/{}",
    "DELETE /channels/{}/pins/{}",
    "POST /channels/{}/messages/bulk-delete",
    "DELETE /channels/{}/messages/{}",
    "PUT /channels/{}/messages/{}/reactions/{}/@me",
    "DELETE /channels/{}/messages/{}/reactions/{}/@me",
    "DELETE /channels/{}/messages/{}/reactions/{}/{}",
    "DELETE /channels/{}/messages/{}/reactions/{}",
    "DELETE /channels/{}/messages/{}/reactions",
    "DELETE /webhooks/{}",
    "DELETE /webhooks/{}/{}",
    "DELETE /webhooks/{}/{}/messages/{}",
    "DELETE /webhooks/900000000000000001/{}/messages/{}",
}
"""Routes that answer 204, without a body."""
