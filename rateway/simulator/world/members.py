"""A guild's members: made when they are looked at, remembered only where they changed, joined or left."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping
from math import gcd
from random import Random
from typing import Any

from attrs import define, frozen

from . import payloads
from .draws import draw
from .ids import user_id, user_index
from .payloads import EPOCH, Json
from .users import Users

_CROWD = 1000
"""Above so many members few have a role or a nick, or are online."""

_TRIES = 100
"""How often a member who left may be drawn before the list is gone through instead."""


@frozen
class Crowd:
    """Who is in a guild at first: a walk through the world's users that meets none twice.

    :ivar seed: of all that is drawn about its members.
    :ivar size: how many there are, numbered from 0; number 0 owns the guild.
    :ivar users: how many users the walk goes over.
    """

    seed: int
    size: int
    users: int
    start: int
    stride: int
    back: int

    @classmethod
    def drawn(cls, seed: int, size: int, users: int) -> Crowd:
        users = max(users, 1)
        stride = draw(seed, 3) % users | 1
        while gcd(stride, users) != 1:
            stride += 2
        return cls(seed, size, users, draw(seed, 4) % users, stride, pow(stride, -1, users))

    def user(self, number: int) -> int:
        """The id of the member with this number."""
        return user_id((self.start + number * self.stride) % self.users)

    def number(self, id: int) -> int | None:
        """The number of a user; None for one who wasn't there at first."""
        index = user_index(id)
        if index is None or index >= self.users:
            return None
        number = (index - self.start) * self.back % self.users
        return number if number < self.size else None

    def chance(self, number: int, topic: int) -> int:
        """64 bits about a member."""
        return draw(self.seed, topic, number)

    @property
    def is_large(self) -> bool:
        return self.size > _CROWD


@define(eq=False)
class _Joined:
    """Those who were not there at first, in an order in which one can be drawn."""

    ids: list[int]
    places: dict[int, int]

    def add(self, id: int) -> None:
        if id not in self.places:
            self.places[id] = len(self.ids)
            self.ids.append(id)

    def remove(self, id: int) -> None:
        place, last = self.places.pop(id), self.ids.pop()
        if last != id:
            self.ids[place], self.places[last] = last, place


class Members(MutableMapping[int, Json]):
    """Member objects by user id; the bot comes first. To change one, assign it: what is read is a copy.

    A role that the guild has no longer is not shown: deleting one needs no walk through the members.

    :param roles: of the guild, as they are; those that may be given to members are drawn from ``given``.
    :ivar made: how many times one was made, for those who watch the cost.
    """

    def __init__(
        self, users: Users, crowd: Crowd, bot_id: int, bot_roles: list[str], roles: Mapping[int, Json], given: list[str]
    ) -> None:
        self.crowd = crowd
        self.made = 0
        self._users = users
        self._bot_id = bot_id
        self._roles = roles
        self._given = given
        self._gone: set[int] = set()
        self._joined = _Joined([], {})
        self._changed: dict[int, Json] = {}
        self._keep(bot_id, payloads.member(users[bot_id], joined_at=EPOCH, roles=tuple(bot_roles)))

    def __getitem__(self, id: int) -> Json:
        changed = self._changed.get(id)
        if changed is not None:
            return {
                "user": self._users[id],
                **changed,
                "roles": [role for role in changed["roles"] if int(role) in self._roles],
            }
        number = self.crowd.number(id)
        if number is None or id in self._gone:
            raise KeyError(id)
        return self._make(id, number)

    def _make(self, id: int, number: int) -> Json:
        self.made += 1
        nick, roles, joined_at = self._drawn(id, number)
        return payloads.member(self._users[id], joined_at=joined_at, nick=nick, roles=roles)

    def _drawn(self, id: int, number: int) -> tuple[str | None, tuple[str, ...], float]:
        chance, large = self.crowd.chance(number, 5), self.crowd.is_large
        roles: tuple[str, ...] = ()
        if not large or not chance >> 20 & 7:
            given = enumerate(self._given)
            roles = (*(role for bit, role in given if chance >> bit & 1 and int(role) in self._roles),)
        nick = self._users.username(id)[:3].title() if chance >> 24 & 1023 < (51 if large else 205) else None
        return nick, roles, EPOCH - (chance >> 36) % 100_000_000

    def standing_out(self, also: Callable[[int, int], bool]) -> Iterator[Json]:
        """Those with a role or a nick, and those of whom ``also(id, number)`` is true; the bot is one of them.

        The number is that of a first member, -1 for others.
        """
        users, changed, gone = self._users, self._changed, self._gone
        for id in (self._bot_id, *self._joined.ids):
            if id in changed and (id == self._bot_id or self._stands_out(self[id]) or also(id, -1)):
                yield self[id]
        for number in range(self.crowd.size):
            id = self.crowd.user(number)
            if id in changed:
                member = self[id]
                if self._stands_out(member) or also(id, number):
                    yield member
            elif id not in gone:
                nick, roles, joined_at = self._drawn(id, number)
                if nick or roles or also(id, number):
                    self.made += 1
                    yield payloads.member(users[id], joined_at=joined_at, nick=nick, roles=roles)

    @staticmethod
    def _stands_out(member: Json) -> bool:
        return bool(member["roles"] or member["nick"])

    def __setitem__(self, id: int, member: Json) -> None:
        """A member joins, or is another from now on; the user's own looks are those of the world."""
        if id not in self and self.crowd.number(id) is None:
            self._joined.add(id)
        self._gone.discard(id)
        self._keep(id, member)

    def _keep(self, id: int, member: Json) -> None:
        self._changed[id] = {key: value for key, value in member.items() if key != "user"}

    def change(self, id: int, **fields: Any) -> Json:
        """Change some keys of a member; the new member object is returned."""
        self[id] = {**self[id], **fields}
        return self[id]

    def __delitem__(self, id: int) -> None:
        if id not in self:
            raise KeyError(id)
        self._changed.pop(id, None)
        if id in self._joined.places:
            self._joined.remove(id)
        elif id != self._bot_id:
            self._gone.add(id)

    def __contains__(self, id: object) -> bool:
        if not isinstance(id, int):
            return False
        return id in self._changed or (id not in self._gone and self.crowd.number(id) is not None)

    def __len__(self) -> int:
        return (self._bot_id in self._changed) + self.crowd.size - len(self._gone) + len(self._joined.ids)

    def __iter__(self) -> Iterator[int]:
        """By number, those who joined last."""
        if self._bot_id in self._changed:
            yield self._bot_id
        for number in range(self.crowd.size):
            id = self.crowd.user(number)
            if id not in self._gone:
                yield id
        yield from tuple(self._joined.ids)

    def places(self, joined: list[int]) -> int:
        """How many places a walk has: the bot's, those of first members (some left), and those of who joined."""
        return 1 + self.crowd.size + len(joined)

    def at_places(self, start: int, stop: int, joined: list[int]) -> list[int]:
        """Who is at these places of a walk; ``joined`` as it was when the walk began."""
        first = 1 + self.crowd.size
        ids = [self._bot_id] if start == 0 < stop else []
        ids += map(self.crowd.user, range(max(start, 1) - 1, min(stop, first) - 1))
        ids += joined[max(0, start - first) : max(0, stop - first)]
        return [id for id in ids if id in self]

    def joined(self) -> list[int]:
        """Those who were not there at first."""
        return self._joined.ids.copy()

    def somebody(self, random: Random) -> int | None:
        """A member other than the bot; None when there is none."""
        joined, size = self._joined.ids, self.crowd.size
        if not joined and size == len(self._gone):
            return None
        for _ in range(_TRIES):
            number = random.randrange(size + len(joined))
            id = joined[number - size] if number >= size else self.crowd.user(number)
            if id not in self._gone:
                return id
        return random.choice([id for id in self if id != self._bot_id])

    def remembered(self) -> Collection[int]:
        """Those of whom something is kept in memory."""
        return self._changed.keys() | self._gone
