"""The world's users: made when they are looked at, remembered only where they changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from . import payloads
from .draws import draw
from .ids import user_id, user_index
from .payloads import Json

_ADJECTIVES = ("amber", "bold", "calm", "deft", "eager", "fond", "glad", "humble", "ideal", "jolly", "keen", "lucid")
_NOUNS = ("badger", "crane", "dingo", "egret", "ferret", "gecko", "heron", "ibis", "jackal", "koala", "lemur", "newt")
_PAIRS = tuple((adjective, noun) for adjective in _ADJECTIVES for noun in _NOUNS)


class Users(Mapping[int, Json]):
    """Users by id. A user's looks follow from the seed and the user's number.

    :ivar count: how many there are besides the bot; they are numbered from 0.
    :ivar made: how many times one was made, for those who watch the cost.
    """

    def __init__(self, seed: int, count: int, bot: Json) -> None:
        self.count = count
        self.made = 0
        self._seed = seed
        self._bot_id = int(bot["id"])
        self._bot = bot
        self._changed: dict[int, Json] = {}

    def __getitem__(self, id: int) -> Json:
        changed = self._changed.get(id)
        if changed is not None:
            return changed
        if id == self._bot_id:
            return self._bot
        index = user_index(id)
        if index is None or index >= self.count:
            raise KeyError(id)
        self.made += 1
        name, shown = self._names(index)
        return payloads.user(id, name, global_name=shown)

    def __contains__(self, id: object) -> bool:
        if not isinstance(id, int):
            return False
        index = user_index(id)
        return id == self._bot_id or (index is not None and index < self.count)

    def __iter__(self) -> Iterator[int]:
        yield self._bot_id
        yield from map(user_id, range(self.count))

    def __len__(self) -> int:
        return self.count + 1

    def _names(self, index: int) -> tuple[str, str | None]:
        chance = draw(self._seed, 2, index)
        adjective, noun = _PAIRS[chance % len(_PAIRS)]
        shown = f"{adjective.title()} {noun.title()}" if chance >> 32 & 1023 < 614 else None
        return f"{adjective}_{noun}{index}", shown

    def username(self, id: int) -> str:
        """Only the name, for those who look at very many."""
        index = user_index(id)
        if index is None or id in self._changed:
            return str(self[id]["username"])
        return self._names(index)[0]

    def change(self, id: int, **fields: Any) -> Json:
        """Give a user other looks; the new user object is returned."""
        user = self._changed[id] = {**self[id], **fields}
        return user

    def new(self) -> int:
        """Somebody nobody has seen before."""
        self.count += 1
        return user_id(self.count - 1)

    def reach(self, count: int) -> None:
        """There are at least so many from now on."""
        self.count = max(self.count, count)
