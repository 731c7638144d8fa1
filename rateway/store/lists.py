"""PURE: the lists: where the rows of each lie, and what they are called in the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from attrs import frozen

from . import answers, keys, newest, shapes, standing
from .keys import Table
from .layout import Layout
from .pages import Page, Steps, each, first_key, merged
from .standing import Answer
from .view import Reader

Values: TypeAlias = tuple[object, ...]
"""A query's arguments, all of them: what wasn't given has its default."""

List: TypeAlias = Callable[[Layout, Values, int], Steps[Answer]]
"""Where things are, the arguments, and how many bytes the answer may have → the steps to it."""

_Shape: TypeAlias = Callable[[Reader, int, int, bytes], bytes | None]
"""The scope's id (a guild, a channel), the item's, its row → the item."""


@frozen
class Rows:
    """A range of rows: one list of a scope's.

    :ivar prefix: of the keys of a scope's rows.
    :ivar are_members: whether the answer tells how many members there are.
    """

    prefix: Callable[[int], bytes]
    shape: _Shape
    are_members: bool = False


def of_table(table: Table, shape: _Shape = shapes.thing) -> Rows:
    """All that a guild has in a table."""
    return Rows(table.of, shape)


def in_guild(rows: Rows) -> List:
    """A list of a guild's: arguments guild, after, limit. Of a guild that isn't known, none."""

    def steps(layout: Layout, values: Values, room: int) -> Steps[Answer]:
        guild, after, limit = _numbers(values)
        cluster = layout.owner(guild)
        reader = yield cluster
        if reader is None:
            return Answer(None)
        headers = standing.of_guild(reader, guild, layout.shard(guild))
        if rows.are_members:
            headers |= standing.of_members(reader, guild)
        if not reader.has(keys.guild_state(guild)):
            return Answer(None, headers)
        page = Page(limit, room, last=after)
        yield from fill(page, reader, cluster, rows, guild)
        return page.answer(headers)

    return steps


def channel_messages(layout: Layout, values: Values, room: int) -> Steps[Answer]:
    """A channel's messages: arguments channel, after, limit. Of a channel that isn't known, none."""
    channel, after, limit = _numbers(values)
    for cluster in layout.clusters:
        reader = yield cluster
        if reader is None:
            continue
        guild = answers.guild_of_messages(reader, channel)
        if guild is None and not _is_private(reader, channel):
            continue
        headers = {} if guild is None else standing.of_guild(reader, guild, layout.shard(guild))
        page = Page(limit, room, last=max(after, newest.oldest(reader, guild, channel) - 1))
        yield from fill(page, reader, cluster, Rows(keys.messages, _in_guild(guild)), channel)
        return page.answer(headers)
    return Answer(None)


def guilds(layout: Layout, values: Values, room: int) -> Steps[Answer]:
    """All guilds: arguments after, limit."""
    after, limit = _numbers(values)
    page = Page(limit, room, last=after)
    yield from merged(layout.clusters, keys.GUILD_STATES, lambda row: True, answers.guild, page)
    return page.answer({})


def user_guilds(layout: Layout, values: Values, room: int) -> Steps[Answer]:
    """The guilds that the user and the bot are both in: arguments user, after, limit. Of somebody unknown, none."""
    user, after, limit = _numbers(values)
    page = Page(limit, room, last=after)
    known = False

    def is_guild(row: bytes) -> bool:
        nonlocal known
        known = True
        return not row

    yield from merged(layout.clusters, keys.references(user), is_guild, answers.guild, page)
    return page.answer({}) if known or after >= 0 else Answer(None)


def fill(page: Page, reader: Reader, cluster: int, rows: Rows, scope: int) -> Steps[None]:
    """Fill the page, behind its ``last``, from one store."""
    prefix = rows.prefix(scope)
    start = first_key(prefix, page.last)
    if start is not None:

        def visit(reader: Reader, key: bytes, row: bytes) -> bool:
            entity = keys.last_id(key)
            return page.take(entity, rows.shape(reader, scope, entity, row))

        yield from each(reader, cluster, prefix, start, visit)


def _in_guild(guild: int | None) -> _Shape:
    """A message's shape, in a channel of this guild's or of none."""
    return lambda reader, _, message, row: shapes.message(reader, guild, message, row)


def _is_private(reader: Reader, channel: int) -> bool:
    """Whether it is a channel of direct messages that something is known of."""
    if reader.has(keys.private_channel(channel)):
        return True
    return next(reader.keys(keys.messages(channel)), None) is not None


def _numbers(values: Values) -> tuple[int, ...]:
    numbers = tuple(value for value in values if isinstance(value, int))
    assert len(numbers) == len(values), "a list's arguments are numbers"
    return numbers
