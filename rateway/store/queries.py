"""The table of queries: type → its arguments, what it is about, and how it is answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import TypeAlias

from attrs import frozen

from rateway.errors import RequestRefused
from rateway.model.snowflake import parse_id

from . import answers, lists, search
from .keys import (
    CHANNELS,
    EMOJIS,
    EVENTS,
    INTEGRATIONS,
    ROLES,
    RULES,
    SOUNDS,
    STAGES,
    STICKERS,
    THREADS,
    members,
    presences,
    voice_states,
)
from .lists import List, Rows, in_guild, of_table
from .permissions import member_permissions
from .shapes import channel, member, presence, thing, thread
from .view import Reader

Find: TypeAlias = Callable[..., bytes | None]
"""A reader and the arguments → the answer, if this store has one."""

LIMIT, MOST = 1_000, 10_000
"""Items of a list's answer: unless the bot says otherwise, and at most."""
SEARCH_LIMIT, SEARCH_MOST = 100, 1_000
LONGEST_PREFIX = 100
"""Characters; names have at most 32."""


class Where(Enum):
    """Which clusters' stores are asked."""

    OWNER = "owner"
    """The one that owns the guild."""
    ANY = "any"
    """The one that is remembered to have the id; else each, until one answers."""
    NEWEST = "newest"
    """All: of several answers, each with its time before it, the newest is taken."""


class About(Enum):
    """Which of a guild's members must be known for the answer to be whole; the guild is the first argument."""

    ONE = "one"
    """The one that the second argument names."""
    ALL = "all"


@frozen
class Attempt:
    """One way to find an answer.

    :ivar by: which argument says where to look.
    :ivar guild_of: the guild of what that argument names, where it names no guild.
    :ivar in_place: whether that argument names a place in which there may be nothing: where the place is known, so is
        that nothing is in it.
    """

    where: Where
    find: Find
    by: int = 0
    guild_of: Callable[[Reader, int], int | None] = answers.no_guild
    in_place: bool = False


@frozen
class Argument:
    """What a query takes.

    :ivar name: for the bot's author.
    :ivar parse: what the bot wrote → the value; raises ``ValueError`` with a sentence.
    :ivar default: its value where it isn't given, if it may be left out.
    """

    name: str
    parse: Callable[[object], int | str] = parse_id
    optional: bool = False
    default: int | None = None


@frozen
class Query:
    """A type of query.

    :ivar kinds: of what it is about: a store that doesn't keep them has no answer.
    :ivar attempts: in order, until one finds something.
    :ivar steps: if it may have to read much, how; then there are no attempts.
    :ivar tells_members: whether the answer says how many of the guild's members are known.
    :ivar members: of whom it is about, if it is about members of a guild.
    """

    arguments: tuple[Argument, ...]
    kinds: frozenset[str]
    attempts: tuple[Attempt, ...] = ()
    steps: List | None = None
    tells_members: bool = False
    members: About | None = None


@frozen
class Question:
    """A query with its arguments: all of them, those left out with their defaults."""

    query: Query
    values: tuple[int | str | None, ...]


def _parse_limit(most: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise ValueError(f"a limit is a number from 1 to {most}")
        return value

    return parse


def _parse_prefix(value: object) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_PREFIX:
        raise ValueError(f"a prefix is a text of at most {LONGEST_PREFIX} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        # JSON can spell half of a surrogate pair; no name has one.
        raise ValueError("a prefix is a text, and half of a surrogate pair is none") from None
    return value


def _ids(*names: str) -> tuple[Argument, ...]:
    return tuple(Argument(name) for name in names)


def _page(after: str) -> tuple[Argument, ...]:
    """The arguments of every list: to go on behind an id, and how far."""
    limit = Argument("limit", _parse_limit(MOST), True, LIMIT)
    return Argument(after, optional=True, default=-1), limit


def _by_guild(kind: str, find: Find, *arguments: str) -> Query:
    return Query(_ids(*arguments), frozenset({kind}), (Attempt(Where.OWNER, find),))


def _by_id(
    kind: str, find: Find, *arguments: str, guild_of: Callable[[Reader, int], int | None] = answers.no_guild
) -> Query:
    return Query(_ids(*arguments), frozenset({kind}), (Attempt(Where.ANY, find, guild_of=guild_of),))


def _in_channel(kind: str, find: Find, *arguments: str, guild_of: Callable[[Reader, int], int | None]) -> Query:
    attempt = Attempt(Where.ANY, find, guild_of=guild_of, in_place=True)
    return Query(_ids(*arguments), frozenset({kind}), (attempt,))


def _newest(kind: str, find: Find, *arguments: str) -> Query:
    return Query(_ids(*arguments), frozenset({kind}), (Attempt(Where.NEWEST, find),))


def _of_guild(kind: str, rows: Rows, after: str) -> Query:
    members = About.ALL if rows.are_members else None
    return Query((Argument("guild"), *_page(after)), frozenset({kind}), steps=in_guild(rows), members=members)


QUERIES: dict[str, Query] = {
    "CurrentUser": _newest("CurrentUser", answers.current_user),
    "Guild": _by_guild("Guild", answers.guild, "guild"),
    "GuildChannel": _by_id("GuildChannel", answers.channel, "channel", guild_of=answers.guild_of_channel),
    "PrivateChannel": _by_id("PrivateChannel", answers.private_channel, "channel"),
    "Emoji": _by_id("Emoji", answers.emoji, "emoji", guild_of=answers.guild_of_emoji),
    "Member": Query(
        _ids("guild", "user"),
        frozenset({"Member"}),
        (Attempt(Where.OWNER, answers.member),),
        tells_members=True,
        members=About.ONE,
    ),
    "Message": _in_channel("Message", answers.message, "channel", "message", guild_of=answers.guild_of_messages),
    "Presence": _by_guild("Presence", answers.presence, "guild", "user"),
    "Role": _by_id("Role", answers.role, "role", guild_of=answers.guild_of_role),
    "User": _newest("User", answers.user, "user"),
    "VoiceState": Query(
        _ids("user", "guild or channel"),
        frozenset({"VoiceState"}),
        (
            Attempt(Where.OWNER, answers.voice_state, by=1),
            Attempt(Where.ANY, answers.voice_state_in, by=1, guild_of=answers.guild_of_voice, in_place=True),
        ),
    ),
    "VoiceChannelStates": _in_channel(
        "VoiceState", answers.voice_channel_states, "channel", guild_of=answers.guild_of_voice
    ),
    "Group": _by_id("Group", answers.group, "channel"),
    "Sticker": _by_id("Sticker", answers.sticker, "sticker", guild_of=answers.guild_of_sticker),
    "StageInstance": _by_id("StageInstance", answers.stage_instance, "stage instance", guild_of=answers.guild_of_stage),
    "ScheduledEvent": _by_id(
        "ScheduledEvent", answers.scheduled_event, "scheduled event", guild_of=answers.guild_of_event
    ),
    "SoundboardSound": _by_id("SoundboardSound", answers.sound, "sound", guild_of=answers.guild_of_sound),
    "AutoModerationRule": _by_id("AutoModerationRule", answers.rule, "rule", guild_of=answers.guild_of_rule),
    "ChannelInfo": _by_guild("ChannelInfo", answers.channel_info, "guild", "channel"),
    "ThreadMembers": _by_id("ThreadMember", answers.thread_members, "thread", guild_of=answers.guild_of_thread),
    "GuildInvites": _by_guild("Invite", answers.invites, "guild"),
    "Permissions": Query(
        (*_ids("guild", "user"), Argument("channel", optional=True)),
        frozenset({"Guild", "Role", "Member", "GuildChannel"}),
        (Attempt(Where.OWNER, member_permissions),),
        members=About.ONE,
    ),
    "GuildChannels": _of_guild("GuildChannel", of_table(CHANNELS, channel), "after_channel"),
    "GuildThreads": _of_guild("GuildChannel", of_table(THREADS, thread), "after_thread"),
    "GuildRoles": _of_guild("Role", of_table(ROLES), "after_role"),
    "GuildEmojis": _of_guild("Emoji", of_table(EMOJIS), "after_emoji"),
    "GuildStickers": _of_guild("Sticker", of_table(STICKERS), "after_sticker"),
    "GuildMembers": _of_guild("Member", Rows(members, member, are_members=True), "after_user"),
    "GuildPresences": _of_guild("Presence", Rows(presences, presence), "after_user"),
    "GuildVoiceStates": _of_guild("VoiceState", Rows(voice_states, thing), "after_user"),
    "GuildScheduledEvents": _of_guild("ScheduledEvent", of_table(EVENTS), "after_event"),
    "GuildStageInstances": _of_guild("StageInstance", of_table(STAGES), "after_stage"),
    "GuildSoundboardSounds": _of_guild("SoundboardSound", of_table(SOUNDS), "after_sound"),
    "GuildIntegrations": _of_guild("Integration", of_table(INTEGRATIONS), "after_integration"),
    "GuildAutoModerationRules": _of_guild("AutoModerationRule", of_table(RULES), "after_rule"),
    "ChannelMessages": Query(
        (Argument("channel"), *_page("after_message")), frozenset({"Message"}), steps=lists.channel_messages
    ),
    "UserGuilds": Query(
        (Argument("user"), *_page("after_guild")), frozenset({"Guild", "Member"}), steps=lists.user_guilds
    ),
    "Guilds": Query(_page("after_guild"), frozenset({"Guild"}), steps=lists.guilds),
    "SearchMembers": Query(
        (
            Argument("guild"),
            Argument("prefix", _parse_prefix),
            Argument("limit", _parse_limit(SEARCH_MOST), True, SEARCH_LIMIT),
        ),
        frozenset({"Member"}),
        steps=search.members,
        members=About.ALL,
    ),
}


def parse_query(kind: object, arguments: object) -> Question:
    """The question.

    :raises RequestRefused: with the sentence the bot gets.
    """
    query = QUERIES.get(kind) if isinstance(kind, str) else None
    if query is None:
        raise RequestRefused(f"{_shown(kind)} is no type of query; the types are {', '.join(QUERIES)}")
    if not isinstance(arguments, Sequence) or isinstance(arguments, str | bytes):
        raise RequestRefused(f"the arguments of {kind} must be a list")
    wanted = query.arguments
    if len(arguments) != len(wanted) and not _required(wanted) <= len(arguments) < len(wanted):
        raise RequestRefused(f"{kind} takes {_described(wanted)} as arguments, not {len(arguments)}")
    values: list[int | str | None] = []
    for argument, value in zip(wanted, arguments, strict=False):
        if value is None and argument.optional:
            values.append(argument.default)
            continue
        try:
            values.append(argument.parse(value))
        except ValueError as error:
            what = f"no id of a {argument.name}" if argument.parse is parse_id else f"no {argument.name}"
            raise RequestRefused(f"{kind}: {_shown(value)} is {what}: {error}") from None
    values += [argument.default for argument in wanted[len(arguments) :]]
    return Question(query, tuple(values))


def _required(arguments: Sequence[Argument]) -> int:
    return sum(not argument.optional for argument in arguments)


def _described(arguments: Sequence[Argument]) -> str:
    """How many, and their names; a question mark behind those that may be left out."""
    if not arguments:
        return "none"
    required = _required(arguments)
    number = str(len(arguments)) if required == len(arguments) else f"{required} to {len(arguments)}"
    return f"{number} ({', '.join(each.name + '?' * each.optional for each in arguments)})"


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
