"""Messages, and what happens to them."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from msgspec import UNSET

from .furnishings import PartialEmoji
from .people import Author, Member, MentionedUser, MessageMember, User, WebhookUser
from .scalars import Count, Maybe, Object, Seconds, Snowflake, Time

Component: TypeAlias = dict[str, Any]
"""As the bot sent it: its inner keys are the sender's."""


class Embed(Object, kw_only=True):
    type: Maybe[str] = UNSET
    title: Maybe[str] = UNSET
    description: Maybe[str] = UNSET
    url: Maybe[str] = UNSET
    timestamp: Maybe[str] = UNSET
    color: Maybe[Count] = UNSET
    footer: Maybe[dict[str, Any]] = UNSET
    image: Maybe[dict[str, Any]] = UNSET
    thumbnail: Maybe[dict[str, Any]] = UNSET
    video: Maybe[dict[str, Any]] = UNSET
    provider: Maybe[dict[str, Any]] = UNSET
    author: Maybe[dict[str, Any]] = UNSET
    fields: Maybe[list[dict[str, Any]]] = UNSET


class Attachment(Object, kw_only=True):
    id: Snowflake
    filename: str
    size: Count
    url: str
    proxy_url: str
    content_type: Maybe[str] = UNSET
    description: Maybe[str] = UNSET
    title: Maybe[str] = UNSET
    height: Maybe[Count | None] = UNSET
    width: Maybe[Count | None] = UNSET
    ephemeral: Maybe[bool] = UNSET
    flags: Maybe[Count] = UNSET


class Reference(Object, kw_only=True):
    type: Literal[0, 1]
    channel_id: Snowflake
    message_id: Maybe[Snowflake] = UNSET
    guild_id: Maybe[Snowflake] = UNSET


class CountDetails(Object, kw_only=True):
    normal: Count
    burst: Count


class Reaction(Object, kw_only=True):
    emoji: PartialEmoji
    count: Count
    count_details: CountDetails
    me: bool
    me_burst: bool
    burst_colors: list[str]


class PollMedia(Object, kw_only=True):
    text: Maybe[str] = UNSET
    emoji: Maybe[PartialEmoji] = UNSET


class PollAnswer(Object, kw_only=True):
    answer_id: int
    poll_media: PollMedia


class AnswerCount(Object, kw_only=True):
    id: int
    count: Count
    me_voted: bool


class PollResults(Object, kw_only=True):
    is_finalized: bool
    answer_counts: list[AnswerCount]


class Poll(Object, kw_only=True):
    question: PollMedia
    answers: list[PollAnswer]
    expiry: Time | None
    allow_multiselect: bool
    layout_type: Literal[1]
    results: Maybe[PollResults] = UNSET


class InteractionMetadata(Object, kw_only=True):
    id: Snowflake
    type: Literal[1, 2, 3, 4, 5]
    user: User
    authorizing_integration_owners: dict[str, Snowflake]
    original_response_message_id: Maybe[Snowflake] = UNSET


class MessageFields(Object, kw_only=True):
    """What a message has of which only ``id`` and ``channel_id`` are sure in an update."""

    id: Snowflake
    channel_id: Snowflake
    nonce: Maybe[int | str] = UNSET
    webhook_id: Maybe[Snowflake] = UNSET
    application_id: Maybe[Snowflake] = UNSET
    message_reference: Maybe[Reference] = UNSET
    referenced_message: Maybe[AnyMessage | None] = UNSET
    interaction_metadata: Maybe[InteractionMetadata] = UNSET
    reactions: Maybe[list[Reaction]] = UNSET
    poll: Maybe[Poll] = UNSET
    sticker_items: Maybe[list[dict[str, Any]]] = UNSET


class Message(MessageFields, kw_only=True):
    """What a whole message has, over REST and on the gateway."""

    type: int
    content: str
    timestamp: Time
    edited_timestamp: Time | None
    tts: bool
    mention_everyone: bool
    mention_roles: list[Snowflake]
    attachments: list[Attachment]
    embeds: list[Embed]
    components: list[Component]
    pinned: bool
    flags: Count


class AnyMessage(Message, kw_only=True):
    """Of a user, or of a webhook."""

    author: Author
    mentions: list[MentionedUser]

    def __post_init__(self) -> None:
        if self.author.is_webhook and self.webhook_id is UNSET:
            raise ValueError("a webhook's message without the webhook")


class RestMessage(Message, kw_only=True):
    author: User
    mentions: list[MentionedUser]


class RestWebhookMessage(Message, kw_only=True):
    author: WebhookUser
    mentions: list[MentionedUser]
    webhook_id: Snowflake


class MessageCreate(RestMessage, kw_only=True):
    """``guild_id`` and ``member`` are those of a guild; the message of somebody who left has no member."""

    channel_type: Count
    guild_id: Maybe[Snowflake] = UNSET
    member: Maybe[MessageMember] = UNSET

    def __post_init__(self) -> None:
        if self.guild_id is UNSET and self.member is not UNSET:
            raise ValueError("a member without a guild")


class WebhookMessageCreate(RestWebhookMessage, kw_only=True):
    channel_type: Count
    guild_id: Maybe[Snowflake] = UNSET


class PartialMessage(MessageFields, kw_only=True):
    """An update of some keys."""

    guild_id: Maybe[Snowflake] = UNSET
    embeds: Maybe[list[Embed]] = UNSET
    flags: Maybe[Count] = UNSET
    components: Maybe[list[Component]] = UNSET
    attachments: Maybe[list[Attachment]] = UNSET


class MessageDelete(Object, kw_only=True):
    id: Snowflake
    channel_id: Snowflake
    guild_id: Maybe[Snowflake] = UNSET


class MessageDeleteBulk(Object, kw_only=True):
    ids: list[Snowflake]
    channel_id: Snowflake
    guild_id: Maybe[Snowflake] = UNSET


class ReactionPlace(Object, kw_only=True):
    channel_id: Snowflake
    message_id: Snowflake
    guild_id: Maybe[Snowflake] = UNSET


class ReactionRemoveEmoji(ReactionPlace, kw_only=True):
    emoji: PartialEmoji


class ReactionRemove(ReactionRemoveEmoji, kw_only=True):
    user_id: Snowflake
    burst: bool
    type: Literal[0, 1]


class ReactionAdd(ReactionRemove, kw_only=True):
    member: Maybe[Member] = UNSET
    message_author_id: Maybe[Snowflake] = UNSET
    burst_colors: Maybe[list[str]] = UNSET


class Vote(ReactionPlace, kw_only=True):
    user_id: Snowflake
    answer_id: int


class Typing(Object, kw_only=True):
    channel_id: Snowflake
    user_id: Snowflake
    timestamp: Seconds
    guild_id: Maybe[Snowflake] = UNSET
    member: Maybe[Member] = UNSET
