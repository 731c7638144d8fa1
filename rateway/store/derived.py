"""PURE: the rows that follow from other rows: how many members a guild has here, and the index of names.

Whoever writes a member's or a user's row writes these along with it, whichever event it was; so they can't differ from
what they follow from. The index is what members are searched by. It holds no whole names but their beginnings, each
once: a few candidates too many, at a fraction of the room.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from attrs import define, field
from msgspec import Struct

from . import blob, keys
from .packing import MEMBER, STAMP, USER

FOLLOWED = frozenset({MEMBER, USER})
"""First bytes of the keys that something follows from."""

BEGINNING = 4
"""Bytes of a name that the index holds."""

_NOTHING: frozenset[bytes] = frozenset()


class _User(Struct, gc=False):
    """Fields of any type: a presence may have put in what Discord didn't check."""

    username: object = None
    global_name: object = None


class _Member(Struct, gc=False):
    nick: object = None


_user = blob.decoder(_User)
_member = blob.decoder(_Member)


def folded(name: object) -> str:
    """The name as names are compared, in whatever case they are written; empty if it is none."""
    return name.casefold() if isinstance(name, str) else ""


def beginning(name: str) -> bytes:
    """What the index holds of a folded name."""
    return name.encode()[:BEGINNING]


def names_of(user: bytes) -> Iterator[str]:
    """The folded names in a user's JSON."""
    try:
        found = _user(user)
    except msgspec.MsgspecError:
        return
    yield folded(found.username)
    yield folded(found.global_name)


def nick_of(member: bytes) -> str:
    """The folded nick in a member's row; empty if there is none."""
    try:
        return folded(_member(member).nick)
    except msgspec.MsgspecError:
        return ""


def index(key: bytes, row: bytes | None) -> frozenset[bytes]:
    """The keys of the index that a member's or a user's row asks for."""
    if not row:
        return _NOTHING
    if key[0] == MEMBER:
        nick = nick_of(row)
        return frozenset((b"Q" + key[1:9] + beginning(nick) + key[9:],)) if nick else _NOTHING
    return frozenset(keys.NAMES + beginning(name) + key[1:] for name in names_of(row[STAMP:]) if name)


@define
class Following:
    """What follows from the rows of some changes, gathered.

    :ivar index: key of the index → whether it is to be there.
    :ivar members: key of a guild's count → how many members more.
    """

    index: dict[bytes, bool] = field(factory=dict)
    members: dict[bytes, int] = field(factory=dict)

    def __bool__(self) -> bool:
        return bool(self.index or self.members)

    def note(self, key: bytes, old: bytes | None, new: bytes | None) -> None:
        """A row, out of :data:`FOLLOWED`, that changes."""
        before, after = index(key, old), index(key, new)
        if before != after:
            self.index.update(dict.fromkeys(before - after, False))
            self.index.update(dict.fromkeys(after - before, True))
        if key[0] == MEMBER and (old is None) != (new is None):
            count = keys.member_count(keys.to_id(key[1:9]))
            self.members[count] = self.members.get(count, 0) + (1 if old is None else -1)
