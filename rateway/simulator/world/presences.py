"""A guild's presences: made when they are looked at, remembered only where they changed."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping

from . import payloads
from .members import Members
from .payloads import Json

_STATUSES = ("online", "idle", "dnd")

_SAMPLE = 1000


class Presences(MutableMapping[int, Json]):
    """Presences by user id, of members who are not offline; the bot's comes last."""

    def __init__(self, members: Members, bot_id: int) -> None:
        self._members = members
        self._bot_id = bot_id
        self._changed: dict[int, Json | None] = {}

    def __getitem__(self, id: int) -> Json:
        presence = self._changed.get(id)
        if presence is not None:
            return presence
        status = self._status(id)
        if status is None:
            raise KeyError(id)
        return payloads.presence(str(id), status)

    def _status(self, id: int) -> str | None:
        """What was drawn for a member nothing else is known of; None for one who is offline, or no member."""
        if id in self._changed or id not in self._members:
            return None
        number = self._members.crowd.number(id)
        return None if number is None else self._drawn(number)

    def _drawn(self, number: int) -> str | None:
        crowd = self._members.crowd
        chance = crowd.chance(number, 6)
        return _STATUSES[chance % 3] if chance >> 32 & 1023 < (205 if crowd.is_large else 410) else None

    def is_online(self, id: int, number: int) -> bool:
        """Whether a member has a presence; ``number`` is that of a first member, else -1. Quicker than ``in``."""
        if id in self._changed or number < 0:
            return self._changed.get(id) is not None
        return self._drawn(number) is not None

    def __contains__(self, id: object) -> bool:
        return isinstance(id, int) and (self._changed.get(id) is not None or self._status(id) is not None)

    def __setitem__(self, id: int, presence: Json) -> None:
        self._changed[id] = presence

    def __delitem__(self, id: int) -> None:
        """The member is offline from now on."""
        if id not in self:
            raise KeyError(id)
        self._changed[id] = None

    def forget(self, id: int) -> None:
        """The member is gone; one who comes back is offline at first."""
        self._changed[id] = None

    def __iter__(self) -> Iterator[int]:
        members, bot = self._members, self._bot_id
        for number in range(members.crowd.size):
            id = members.crowd.user(number)
            if id in members and self.is_online(id, number):
                yield id
        yield from (id for id in members.joined() if id != bot and self._changed.get(id) is not None)
        if self._bot_id in self:
            yield self._bot_id

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def approximate_count(self) -> int:
        """About how many there are: of a large guild's members only some are looked at."""
        members = self._members
        if not members.crowd.is_large:
            return len(self)
        sample = members.at_places(0, _SAMPLE, [])
        return round(sum(id in self for id in sample) / max(1, len(sample)) * len(members))
