"""A store in a dict: the updates and answers of the real one, without LMDB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ujson

from rateway.model.intents import ALL
from rateway.store.kinds import Kept, what_is_kept
from rateway.store.notes import Notes
from rateway.store.queries import Where, parse_query
from rateway.store.updates.table import UPDATES
from rateway.store.view import Changes


def kept(*, intents: int = ALL, messages: int = 0, total: int = 1, kinds: frozenset[str] | None = None) -> Kept:
    """What is kept: everything, unless told otherwise."""
    return what_is_kept(kinds, intents=intents, messages_per_channel=messages, total=total)


class MemoryStore:
    """Rows in a dict, with the events applied and the queries asked as a bot would see them."""

    def __init__(self, kept: Kept, shard_id: int = 0) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.kept = kept
        self.shard_id = shard_id
        self.now_ms = 1_000
        self.notes = Notes()

    def get(self, key: bytes) -> bytes | None:
        """One row."""
        return self.rows.get(key)

    def has(self, key: bytes) -> bool:
        """Whether there is such a row."""
        return key in self.rows

    def items(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """The rows whose keys begin so."""
        for key in sorted(key for key in self.rows if key.startswith(prefix) and key >= start):
            yield key, self.rows[key]

    def keys(self, prefix: bytes, start: bytes = b"") -> Iterator[bytes]:
        """The keys that begin so."""
        return (key for key, _ in self.items(prefix, start))

    def happens(self, name: str, d: object) -> Changes:
        """An event comes; ``d`` may be JSON already."""
        self.now_ms += 1
        self.notes.known_guilds.clear()
        changes = UPDATES[name](d if isinstance(d, bytes) else ujson.dumps(d).encode(), self)
        for key, value in changes.items():
            self.notes.drop(key)
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value
        return changes

    def ask(self, kind: str, *arguments: object) -> Any:
        """A bot's query, answered as JSON; ``None`` if not found."""
        question = parse_query(kind, arguments)
        if not question.query.kinds <= self.kept.names:
            return None
        for attempt in question.query.attempts:
            answer = attempt.find(self, *question.values)
            if answer is not None:
                return ujson.loads(answer[8:] if attempt.where is Where.NEWEST else answer)
        return None

    def rows_of(self, *ids: int) -> list[bytes]:
        """The keys that bear one of the ids."""
        wanted = [number.to_bytes(8, "big") for number in ids]
        return [
            key for key in self.rows if any(key[at : at + 8] in wanted for at in range(1, len(key), 8) if key[0] != 35)
        ]
