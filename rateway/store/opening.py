"""Opening a cluster's folder: its lock, whether what is there can be trusted, and what is done if not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import lmdb
import msgspec
from attrs import evolve, frozen
from twisted.logger import Logger

from rateway.errors import ConfigError

from . import condition, generation, keys, trust
from .batch import write_sessions
from .condition import NOTE
from .environment import Damaged, Environment
from .failures import BAD_DATA
from .filesystem import refuse_network
from .found import last_written
from .kinds import Kept
from .lock import FolderInUse, FolderLock, holder
from .sessions import SessionRecord
from .slots import read_slots
from .transaction import TransactionReader

_log = Logger()

ENTITIES = "entities"
"""The environment's folder in the cluster's."""


@frozen
class Opened:
    """An environment to write.

    :ivar carried: sessions of a store that was set aside: they are good, though what it held is not there.
    :ivar written: when an earlier run last wrote it, in seconds since 1970; ``None`` if it begins anew.
    """

    environment: Environment
    carried: Mapping[int, SessionRecord]
    written: float | None = None


def take(folder: Path) -> FolderLock:
    """Make the folder if need be, and take its lock.

    :raises FolderInUse: if another process has it.
    :raises ConfigError: if it can't be made, or is no place for a store.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        refuse_network(folder)
        lock = FolderLock.try_lock(folder)
    except OSError as error:
        raise ConfigError(f"STATE_DIR: {folder} can't be used: {error.strerror or error}") from error
    if lock is None:
        raise FolderInUse(
            f"STATE_DIR: {folder} is in use by process {holder(folder) or 'unknown'}: "
            "stop that rateway, or give this one a folder of its own"
        )
    return lock


def open_entities(folder: Path, record: trust.Record, kept: Kept, initial_size: int, crashed: bool) -> Opened:
    """The folder's environment if it can be trusted; else it is set aside, and begun anew.

    :param crashed: a fault in native code ended the process that wrote it last. It may have come from a damaged file,
        of which a map does not warn, or have left one; so nothing of the file is touched.
    :raises OSError: if the disk doesn't let us.
    """
    path = folder / ENTITIES
    note = folder / NOTE
    found = trust.read(note)
    carried: Mapping[int, SessionRecord] = {}
    written = last_written(path / "data.mdb", note) if path.exists() else None
    why = trust.doubt(found, record) if path.exists() else ""
    if crashed and path.exists():
        carried = _from_slots(folder, record)
        _set_aside(path, "the process that wrote it crashed", carried)
        written = None
    elif why:
        carried = _carried(folder, found, record)
        _set_aside(path, why, carried)
        written = None
    elif not path.exists():
        generation.advance(folder.parent)
    generation.ensure(folder.parent)
    trust.write(note, record)
    condition.forget(folder)
    try:
        opened = _believable(path, kept, carried, lambda: _from_slots(folder, record), initial_size)
        return evolve(opened, written=written)
    except Damaged as damage:
        carried = carried or _from_slots(folder, record)
        _set_aside(path, str(damage), carried)
    return Opened(Environment.for_writing(path, initial_size), carried)


def _believable(
    path: Path,
    kept: Kept,
    carried: Mapping[int, SessionRecord],
    from_slots: Callable[[], Mapping[int, SessionRecord]],
    initial_size: int,
) -> Opened:
    """The environment, if it can be prepared.

    :raises Damaged: if not, or it is none.
    """
    environment = Environment.for_writing(path, initial_size)
    try:
        with environment.writing() as transaction:
            if transaction.get(keys.META) is None:
                # Just begun; or an earlier start began it after it had set another one aside, and failed then.
                carried = carried or from_slots()
            prepare(transaction, kept, carried)
    except lmdb.MapFullError:
        # It only has to grow.
        pass
    except (lmdb.Error, *BAD_DATA) as error:
        environment.close()
        raise Damaged(f"what is in its file can't be read ({type(error).__name__})") from error
    except BaseException:
        environment.close()
        raise
    return Opened(environment, carried)


def prepare(
    transaction: lmdb.Transaction[bytes], kept: Kept, carried: Mapping[int, SessionRecord]
) -> dict[int, SessionRecord]:
    """Say what is kept here, take in the sessions, and drop the messages if none are kept any more."""
    reader = TransactionReader(transaction)
    transaction.put(keys.META, msgspec.json.encode(sorted(kept.names)))
    transaction.put(keys.GAPS, msgspec.json.encode(kept.gaps))
    transaction.put(keys.MESSAGES_PER_CHANNEL, keys.number(max(kept.messages_per_channel, 0)))
    write_sessions(transaction, carried)
    if not kept.messages:
        for prefix in keys.ALL_MESSAGES:
            for key in list(reader.keys(prefix)):
                transaction.delete(key)
    return read_sessions(reader)


def _carried(folder: Path, found: trust.Record | None, wanted: trust.Record) -> dict[int, SessionRecord]:
    """The sessions of a store that isn't believed, or not wanted."""
    if found is not None and trust.sessions_fit(found, wanted) and trust.rows_are_whole(found, wanted):
        try:
            rows = sessions_in(folder / ENTITIES)
            return {shard: evolve(row, complete=False, applied=row.kept) for shard, row in rows.items()}
        except Damaged:
            pass
    return _from_slots(folder, wanted)


def _from_slots(folder: Path, wanted: trust.Record) -> dict[int, SessionRecord]:
    shards = range(wanted.first_shard, wanted.first_shard + wanted.shard_count)
    return {
        shard: SessionRecord(session.id, session.resume_url, applied=session.seq, kept=session.seq)
        for shard, session in read_slots(folder, wanted.total, shards, wanted.intents, wanted.bot).items()
    }


def sessions_in(path: Path) -> dict[int, SessionRecord]:
    """The session records of an environment.

    :raises Damaged: if they can't be read.
    """
    environment = Environment.for_reading(path)
    if environment is None:
        return {}
    try:
        with environment.reading() as transaction:
            return read_sessions(TransactionReader(transaction))
    except (lmdb.Error, *BAD_DATA) as error:
        raise Damaged(f"its sessions can't be read ({type(error).__name__})") from error
    finally:
        environment.close()


def read_sessions(reader: TransactionReader) -> dict[int, SessionRecord]:
    """All session records, by shard."""
    return {keys.last_id(key): SessionRecord.decode(row) for key, row in reader.items(keys.SESSIONS)}


def _set_aside(path: Path, why: str, carried: Mapping[int, SessionRecord]) -> None:
    """Out of the way, but there for whoever wants to know; one is kept.

    :param carried: the sessions that go on all the same.
    """
    aside = path.with_name(f"{path.name}.aside")
    shutil.rmtree(aside, ignore_errors=True)
    path.rename(aside)
    generation.advance(path.parent.parent)
    _log.warn(
        "the cache in {path} is not used, for {why}: it is set aside as {aside}, and filled anew from Discord; "
        "{sessions}",
        path=str(path),
        why=why,
        aside=aside.name,
        sessions=f"{len(carried)} of its sessions are resumed before" if carried else "none of its sessions goes on",
    )
