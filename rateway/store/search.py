"""PURE: members of a guild by the beginning of their name: username, global name or nick, in whatever case.

Discord's own search (op 8) knows the same beginnings; but it asks Discord, and this asks what is known here. Candidates
come from the index of names, in which only the beginnings of names stand and users of other guilds as well; when more
of them were tried than the guild has members, it is cheaper to go through these.
"""

from __future__ import annotations

from attrs import define, field

from rateway.errors import RequestRefused

from . import derived, keys, lists, shapes, standing
from .layout import Layout
from .packing import MEMBER, USER
from .pages import Page, Steps, each, still_there
from .standing import Answer
from .view import Reader


@define
class _Search:
    """Members found so far.

    :ivar tries: candidates that may still be tried in vain.
    """

    guild: int
    prefix: str
    limit: int
    tries: int
    found: set[int] = field(factory=set, init=False)

    @property
    def is_over(self) -> bool:
        """Whether there are as many as were asked for."""
        return len(self.found) >= self.limit

    def by_nick(self, reader: Reader, key: bytes, row: bytes) -> bool:
        """A row of the index of nicks."""
        self._try(reader, keys.last_id(key), reader.get(keys.member(self.guild, keys.last_id(key))))
        return not self.is_over

    def by_name(self, reader: Reader, key: bytes, row: bytes) -> bool:
        """A row of the index of names, whose user may be a stranger to the guild."""
        user = keys.last_id(key)
        if user not in self.found:
            self.tries -= 1
            self._try(reader, user, reader.get(keys.member(self.guild, user)))
        return not self.is_over and self.tries > 0

    def by_member(self, reader: Reader, key: bytes, row: bytes) -> bool:
        """A member's own row."""
        self._try(reader, keys.last_id(key), row)
        return not self.is_over

    def _try(self, reader: Reader, user: int, member: bytes | None) -> None:
        if member is not None and user not in self.found:
            known = reader.get(keys.user(user))
            names = (*derived.names_in(MEMBER, member), *derived.names_in(USER, known))
            if any(derived.folded(name).startswith(self.prefix) for name in names):
                self.found.add(user)


def members(layout: Layout, values: lists.Values, room: int) -> Steps[Answer]:
    """The members found, in order of id: arguments guild, prefix, limit. Of a guild that isn't known, none."""
    guild, text, limit = values
    assert isinstance(guild, int) and isinstance(text, str) and isinstance(limit, int), "as they were parsed"
    cluster = layout.owner(guild)
    reader = yield cluster
    if reader is None:
        return Answer(None)
    headers = standing.of_guild(reader, guild, layout.shard(guild)) | standing.of_members(reader, guild)
    if not reader.has(keys.guild_state(guild)):
        return Answer(None, headers)
    page, prefix, known = Page(limit, room), derived.folded(text), headers["known"]
    assert isinstance(known, int), "a count"
    search = _Search(guild, prefix, limit, max(known, 1))
    if prefix:
        begin = derived.beginning(prefix)
        where = keys.nicks(guild) + begin
        reader = yield from each(reader, cluster, where, where, search.by_nick)
        if not search.is_over:
            reader = yield from each(reader, cluster, keys.NAMES + begin, b"", search.by_name)
    if not search.is_over and (not prefix or search.tries <= 0):
        reader = yield from each(reader, cluster, keys.members(guild), b"", search.by_member)
    for user in sorted(search.found):
        row = reader.get(keys.member(guild, user))
        page.take(user, None if row is None else shapes.member(reader, guild, user, row))
        reader = still_there((yield cluster))
    if page.more:
        raise RequestRefused("so many members are too much for one answer: search with a lower limit, or by itself")
    return page.answer(headers)
