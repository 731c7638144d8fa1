"""Where messages are: the channels and threads of guilds, and direct channels, each with its recent messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from attrs import Factory, define

from .payloads import Json

if TYPE_CHECKING:
    from .guild import Guild

REMEMBERED = 100
"""Messages that each channel remembers; older ones are unknown to whoever asks for them."""

REMEMBERED_IN_ALL = 50_000
"""Messages that all channels of a world remember together."""


@define(eq=False)
class Message:
    """A message, with who reacted to it and who voted in its poll.

    :ivar data: the message object, without what only the gateway adds (``guild_id``, ``member``, ``channel_type``).
    :ivar author: the user's id; None where a webhook wrote it.
    :ivar reactions: by the emoji's id (or name where it has none): the emoji, and the users of normal and burst ones.
    :ivar votes: by the answer's id: who voted for it.
    """

    id: int
    data: Json
    author: int | None
    reactions: dict[str, Reaction] = Factory(dict)
    votes: dict[int, set[int]] = Factory(dict)


@define(eq=False)
class Reaction:
    """All reactions to one message with one emoji."""

    emoji: Json
    normal: set[int] = Factory(set)
    burst: set[int] = Factory(set)

    @property
    def count(self) -> int:
        return len(self.normal) + len(self.burst)


@define(eq=False)
class Memory:
    """What all histories of a world share, so that a busy world doesn't grow without end."""

    limit: int = REMEMBERED_IN_ALL
    _order: deque[tuple[History, int]] = Factory(deque)

    def note(self, history: History, id: int) -> None:
        """One more; beyond the limit the oldest of all is forgotten."""
        self._order.append((history, id))
        if len(self._order) > self.limit:
            oldest, gone = self._order.popleft()
            oldest.remove(gone)


@define(eq=False)
class History:
    """The recent messages of one channel, oldest first."""

    memory: Memory = Factory(Memory)
    limit: int = REMEMBERED
    _messages: dict[int, Message] = Factory(dict)

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        return iter(tuple(self._messages.values()))

    def __contains__(self, id: object) -> bool:
        return id in self._messages

    def get(self, id: int) -> Message | None:
        return self._messages.get(id)

    def add(self, message: Message) -> None:
        """Remember it; the oldest one beyond the limit is forgotten."""
        self._messages[message.id] = message
        self.memory.note(self, message.id)
        if len(self._messages) > self.limit:
            del self._messages[next(iter(self._messages))]

    def remove(self, id: int) -> Message | None:
        return self._messages.pop(id, None)


@define(eq=False)
class Place:
    """A channel that may hold messages.

    :ivar guild: None for a direct channel.
    :ivar channel: the channel object as the world holds it: changing it changes the world.
    """

    id: int
    guild: Guild | None
    channel: Json
    history: History

    @property
    def type(self) -> int:
        return int(self.channel["type"])

    @property
    def is_thread(self) -> bool:
        return self.type in (10, 11, 12)
