"""PURE: the rows that follow from other rows: how many members a guild has here, and the index of names.

Whoever writes a member's or a user's row writes these along with it, whichever event it was; so they can't differ from
what they follow from. The index is what members are searched by. It holds no whole names but their beginnings, each
once: a few candidates too many, at a fraction of the room.
"""

from __future__ import annotations

import msgspec
from attrs import define, field
from msgspec import Struct

from . import blob, keys
from .packing import MEMBER, STAMP, USER

FOLLOWED = frozenset({MEMBER, USER})
"""First bytes of the keys that something follows from."""

BEGINNING = 4
"""Bytes of a name that the index holds."""


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


def names_in(first: int, row: bytes | None) -> tuple[object, ...]:
    """What a member's or a user's row says of names, of any type.

    :param first: the first byte of its key, out of :data:`FOLLOWED`.
    """
    if not row:
        return ()
    try:
        if first == MEMBER:
            return (_member(row).nick,)
        user = _user(row[STAMP:])
    except msgspec.MsgspecError:
        return ()
    return user.username, user.global_name


def index(key: bytes, names: tuple[object, ...]) -> frozenset[bytes]:
    """The keys of the index that the names in a member's or a user's row ask for.

    :param key: the row's.
    """
    before, after = (b"Q" + key[1:9], key[9:]) if key[0] == MEMBER else (keys.NAMES, key[1:])
    return frozenset([before + beginning(name) + after for name in map(folded, names) if name])


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
        names, new_names = names_in(key[0], old), names_in(key[0], new)
        if names != new_names:
            before, after = index(key, names), index(key, new_names)
            self.index.update(dict.fromkeys(before - after, False))
            self.index.update(dict.fromkeys(after - before, True))
        if key[0] == MEMBER and (old is None) != (new is None):
            count = keys.member_count(keys.to_id(key[1:9]))
            self.members[count] = self.members.get(count, 0) + (1 if old is None else -1)
