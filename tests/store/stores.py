"""Stores on disk, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ujson

from rateway.model.dispatch import Dispatch
from rateway.model.intents import ALL
from rateway.model.session import Session
from rateway.store.cache import Cache
from rateway.store.cluster import ClusterStore
from rateway.store.transaction import TransactionReader

SESSION = Session("one", "wss://resume.example.invalid", 0)


def open_store(
    folder: Path,
    *,
    shards: range = range(1),
    total: int = 1,
    intents: int = ALL,
    cache: bool = True,
    kinds: frozenset[str] | None = None,
    messages: int = 0,
    bot: int = 0,
    boot_id: str = "this boot",
    crashed: bool = False,
    initial_size: int = 1 << 20,
) -> ClusterStore:
    """A store that keeps everything, unless told otherwise."""
    return ClusterStore.open(
        folder,
        shards=shards,
        total=total,
        intents=intents,
        cache=cache,
        kinds=kinds,
        messages_per_channel=messages,
        bot=bot,
        boot_id=boot_id,
        crashed=crashed,
        initial_size=initial_size,
    )


def dispatch(seq: int, name: str, d: object) -> Dispatch:
    """An event, of JSON or of bytes."""
    return seq, name, d if isinstance(d, bytes) else ujson.dumps(d).encode()


def feed(store: ClusterStore, *events: Dispatch, session: Session = SESSION, shard: int = 0, kept: int = 0) -> None:
    """Apply some events of one session; ``kept`` is what the broker has."""
    at = session.at(events[-1][0]) if events else session
    batch = [(shard, at, events)]
    if kept or not store.pass_over(batch):
        store.apply(batch, {shard: (session.id, kept)} if kept else {})


def rows(store: ClusterStore) -> dict[bytes, bytes]:
    """Every row that isn't the store's own bookkeeping."""
    with store.environment.reading() as transaction:
        return {key: value for key, value in TransactionReader(transaction).items(b"") if key[:1] not in b"#$"}


def ask(cache: Cache, kind: str, *arguments: object) -> Any:
    """An answer, as JSON."""
    answer = cache.query(kind, arguments)
    return None if answer is None else ujson.loads(answer)
