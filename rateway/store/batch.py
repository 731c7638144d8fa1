"""One batch of events into one transaction."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import TypeAlias

import lmdb
from attrs import field, frozen

from rateway.model.dispatch import Dispatch
from rateway.model.session import Session

from . import keys
from .derived import FOLLOWED
from .failures import Failed, stale
from .kinds import Kept
from .notes import Notes
from .sessions import SessionRecord
from .transaction import ROWS, TransactionView, carry_out, carry_out_sliced
from .updates.slices import PART, Sliced, Steps
from .view import Changes, Update

Batch: TypeAlias = Sequence[tuple[int, Session, Sequence[Dispatch]]]
Sessions: TypeAlias = Mapping[int, SessionRecord]

GATHERED = 4096
"""Changes of a long event that are carried out before more are gathered, where they may be: less than a megabyte."""


@frozen
class Outcome:
    """What a batch came to: true once its transaction is committed."""

    sessions: dict[int, SessionRecord] = field(factory=dict)
    failed: list[Failed] = field(factory=list)


def write_batch(
    transaction: lmdb.Transaction[bytes],
    batch: Batch,
    kept: Mapping[int, tuple[str, int]],
    *,
    what: Kept,
    updates: Mapping[str, Update],
    sessions: Sessions,
    notes: Notes,
) -> Outcome:
    """Apply what is new, and write the records of the sessions that moved.

    :param sessions: the records as they are in the store; not touched.
    :param notes: of the store; to be dropped if the transaction is given up.
    """
    steps = write_batch_sliced(transaction, batch, kept, what=what, updates=updates, sessions=sessions, notes=notes)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome


def write_batch_sliced(
    transaction: lmdb.Transaction[bytes],
    batch: Batch,
    kept: Mapping[int, tuple[str, int]],
    *,
    what: Kept,
    updates: Mapping[str, Update],
    sessions: Sessions,
    notes: Notes,
) -> Generator[None, None, Outcome]:
    """The same, with pauses where an event has much to change."""
    outcome = Outcome()
    view = TransactionView(transaction, what, time.time_ns() // 1_000_000, notes)
    moved = outcome.sessions
    for shard, session, dispatches in batch:
        record = moved.get(shard)
        if record is None:
            known = sessions.get(shard)
            if known is not None and known.id == session.id:
                record = moved[shard] = known.at(session.resume_url)
        if record is None or record.id != session.id:
            record = moved[shard] = SessionRecord(session.id, session.resume_url)
        view.shard_id = shard
        yield from _apply(transaction, view, record, dispatches, updates, outcome.failed)
    write_kept(transaction, outcome, kept, sessions)
    return outcome


def write_kept(
    transaction: lmdb.Transaction[bytes], outcome: Outcome, kept: Mapping[int, tuple[str, int]], sessions: Sessions
) -> None:
    """The records of the sessions that moved, and of those of which more is kept."""
    moved = outcome.sessions
    for shard, (session_id, seq) in kept.items():
        record = moved.get(shard) or sessions.get(shard)
        if record is not None and record.id == session_id and seq > record.kept:
            if shard not in moved:
                record = moved[shard] = record.at(record.resume_url)
            record.kept = seq
    write_sessions(transaction, moved)


def write_sessions(transaction: lmdb.Transaction[bytes], sessions: Sessions) -> None:
    """The records' rows."""
    for shard, record in sessions.items():
        transaction.put(keys.session(shard), record.encode())


def _apply(
    transaction: lmdb.Transaction[bytes],
    view: TransactionView,
    record: SessionRecord,
    dispatches: Sequence[Dispatch],
    updates: Mapping[str, Update],
    failed: list[Failed],
) -> Iterator[None]:
    """The events beyond the session's cursor, each computed first and then carried out."""
    applied, put, delete = record.applied, transaction.put, transaction.delete
    for seq, name, d in dispatches:
        if seq <= applied:
            continue
        applied = seq
        update = updates.get(name)
        if update is None:
            if name == "READY":
                record.complete = True
            continue
        wrong: Exception | None = None
        if type(update) is Sliced:
            changes: Changes = {}
            wrong = yield from _gather(transaction, view, update.steps(d, view, changes), changes)
            record.complete = record.complete or (name == "READY" and wrong is None)
        else:
            try:
                changes = update(d, view)
            except Exception as error:
                wrong = error
        if wrong is not None:
            failed.append(Failed(name, seq, wrong))
            carry_out(transaction, stale(name, seq, d, view), view.notes)
            continue
        if len(changes) == 1:
            # Most events change one row that nothing follows from.
            ((key, value),) = changes.items()
            if key[0] not in FOLLOWED:
                if value is None:
                    delete(key)
                else:
                    put(key, value)
                continue
        if len(changes) > ROWS:
            yield from carry_out_sliced(transaction, changes, view.notes)
        elif changes:
            carry_out(transaction, changes, view.notes)
    record.applied = applied


def _gather(
    transaction: lmdb.Transaction[bytes], view: TransactionView, steps: Steps, changes: Changes
) -> Generator[None, None, Exception | None]:
    """Take an update's steps, and what they gather is left in the changes; gives what was raised if they failed.

    However many rows go with the event, no more are gathered than it brings: parts are carried out meanwhile.
    """
    while True:
        try:
            step = next(steps)
        except StopIteration:
            return None
        except Exception as error:
            return error
        if step is PART and len(changes) >= GATHERED:
            yield from carry_out_sliced(transaction, changes, view.notes)
            changes.clear()
        yield
