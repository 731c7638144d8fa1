"""The table of queries: type → its arguments, where the answer is looked for, and the function that finds it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import TypeAlias

from attrs import frozen

from rateway.errors import RequestRefused
from rateway.model.snowflake import parse_id

from . import answers

Find: TypeAlias = Callable[..., bytes | None]
"""A reader and the ids → the answer, if this store has one."""


class Where(Enum):
    """Which clusters' stores are asked."""

    OWNER = "owner"
    """The one that owns the guild."""
    ANY = "any"
    """The one that is remembered to have the id; else each, until one answers."""
    NEWEST = "newest"
    """All: of several answers, each with its time before it, the newest is taken."""


@frozen
class Attempt:
    """One way to find an answer.

    :ivar by: which argument says where to look.
    """

    where: Where
    find: Find
    by: int = 0


@frozen
class Query:
    """A type of query.

    :ivar arguments: what they are, for the bot's author.
    :ivar kind: of what is asked for: a store that doesn't keep it has no answer.
    :ivar attempts: in order, until one finds something.
    """

    arguments: tuple[str, ...]
    kind: str
    attempts: tuple[Attempt, ...]


def _by_guild(kind: str, find: Find, *arguments: str) -> Query:
    return Query(arguments, kind, (Attempt(Where.OWNER, find),))


def _by_id(kind: str, find: Find, *arguments: str) -> Query:
    return Query(arguments, kind, (Attempt(Where.ANY, find),))


QUERIES: dict[str, Query] = {
    "CurrentUser": Query((), "CurrentUser", (Attempt(Where.NEWEST, answers.current_user),)),
    "Guild": _by_guild("Guild", answers.guild, "guild"),
    "GuildChannel": _by_id("GuildChannel", answers.channel, "channel"),
    "PrivateChannel": _by_id("PrivateChannel", answers.private_channel, "channel"),
    "Emoji": _by_id("Emoji", answers.emoji, "emoji"),
    "Member": _by_guild("Member", answers.member, "guild", "user"),
    "Message": _by_id("Message", answers.message, "channel", "message"),
    "Presence": _by_guild("Presence", answers.presence, "guild", "user"),
    "Role": _by_id("Role", answers.role, "role"),
    "User": Query(("user",), "User", (Attempt(Where.NEWEST, answers.user),)),
    "VoiceState": Query(
        ("user", "guild or channel"),
        "VoiceState",
        (
            Attempt(Where.OWNER, answers.voice_state, by=1),
            Attempt(Where.ANY, answers.voice_state_in, by=1),
        ),
    ),
    "VoiceChannelStates": _by_id("VoiceState", answers.voice_channel_states, "channel"),
    "Group": _by_id("Group", answers.group, "channel"),
}


def parse_query(kind: object, arguments: object) -> tuple[Query, tuple[int, ...]]:
    """The query and its ids.

    :raises RequestRefused: with the sentence the bot gets.
    """
    query = QUERIES.get(kind) if isinstance(kind, str) else None
    if query is None:
        raise RequestRefused(f"{_shown(kind)} is no type of query; the types are {', '.join(QUERIES)}")
    if not isinstance(arguments, Sequence) or isinstance(arguments, str | bytes):
        raise RequestRefused(f"the arguments of {kind} must be a list")
    if len(arguments) != len(query.arguments):
        wanted = f"{len(query.arguments)} ({', '.join(query.arguments)})" if query.arguments else "none"
        raise RequestRefused(f"{kind} takes {wanted} as arguments, not {len(arguments)}")
    ids = []
    for name, value in zip(query.arguments, arguments, strict=True):
        try:
            ids.append(parse_id(value))
        except ValueError as error:
            raise RequestRefused(f"{kind}: {_shown(value)} is no id of a {name}: {error}") from None
    return query, tuple(ids)


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
