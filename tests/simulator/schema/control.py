"""The envelope, READY and RESUMED, and the payloads that are no events."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct

from .guilds import UnavailableGuild
from .people import CurrentUser
from .scalars import Count, Maybe, Object, Snowflake


class Dispatch(Object, kw_only=True):
    """Around an event; ``d`` is judged by ``t``."""

    t: Annotated[str, Meta(pattern=r"^[A-Z_]+$")]
    s: Annotated[int, Meta(ge=1)]
    op: Literal[0]
    d: Raw


class Other(Object, kw_only=True):
    """Around what is no event."""

    t: None
    s: None


class Heartbeat(Other, kw_only=True):
    op: Literal[1]
    d: None


class Reconnect(Other, kw_only=True):
    op: Literal[7]
    d: None


class InvalidSession(Other, kw_only=True):
    op: Literal[9]
    d: bool


class HelloData(Object, rename={"trace": "_trace"}, kw_only=True):
    """``_trace`` is undocumented."""

    heartbeat_interval: Annotated[int, Meta(gt=0)]
    trace: list[str]


class Hello(Other, kw_only=True):
    op: Literal[10]
    d: HelloData


class Acknowledged(Other, kw_only=True):
    op: Literal[11]
    d: None


class Application(Object, kw_only=True):
    id: Snowflake
    flags: Count


class Ready(Object, rename={"trace": "_trace"}, kw_only=True):
    """Nothing but ``v`` to ``application`` is documented; what follows live traffic shows. ``shard`` is optional."""

    v: Literal[10]
    user: CurrentUser
    guilds: list[UnavailableGuild]
    session_id: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$")]
    resume_gateway_url: Annotated[str, Meta(pattern=r"^wss?://[^/?]+/?$")]
    application: Application
    user_settings: dict[str, Any]
    session_type: Literal["normal"]
    relationships: Annotated[list[Any], Meta(max_length=0)]
    private_channels: Annotated[list[Any], Meta(max_length=0)]
    presences: Annotated[list[Any], Meta(max_length=0)]
    guild_join_requests: Annotated[list[Any], Meta(max_length=0)]
    auth: dict[str, Any]
    trace: list[str]
    shard: Maybe[Annotated[list[Count], Meta(min_length=2, max_length=2)]] = UNSET


class Resumed(Object, rename={"trace": "_trace"}, kw_only=True):
    trace: list[str]


OTHERS: dict[int, type[Struct]] = {1: Heartbeat, 7: Reconnect, 9: InvalidSession, 10: Hello, 11: Acknowledged}
"""What is no event, by op."""
