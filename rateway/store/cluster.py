"""The writer of one cluster's store."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import lmdb
import msgspec
from twisted.logger import Logger

from rateway.errors import ConfigError

from . import condition, keys, trust
from .batch import Batch, Outcome, write_batch, write_batch_sliced, write_kept, write_sessions
from .condition import NOTE, Condition
from .environment import INITIAL_SIZE, Environment
from .failures import Failures
from .found import count
from .glance import glances, is_idle, is_long
from .kinds import Kept, what_is_kept
from .lock import FolderLock
from .longwork import LongWork
from .notes import Notes
from .opening import Opened, open_entities, prepare, take
from .sessions import Resumable, SessionRecord
from .transaction import TransactionReader
from .updates.table import UPDATES
from .view import Update

__all__ = ["ClusterStore", "Resumable"]

T = TypeVar("T")

_READERS_EVERY = 60.0
_IDLE_EVENTS = 1024
"""Events without effect after which the cursor is written all the same."""


class ClusterStore:
    """The cluster's cache, session records and cursors, changed by one process alone. Begin with :meth:`open`.

    :ivar environment: what the process's own queries read.
    :ivar found: what an earlier run left in it.
    :ivar stopped: whether writing ended, for lack of room or by damage: events flow on, nothing is cached any more.
    :ivar condition: what it is good for since.
    """

    _log = Logger()

    def __init__(self, folder: Path, lock: FolderLock, record: trust.Record, kept: Kept, opened: Opened) -> None:
        self.environment: Environment = opened.environment
        self.stopped = False
        self.condition = Condition.LIVE
        self._folder = folder
        self._lock = lock
        self._record = record
        self._kept = kept
        self._updates: Mapping[str, Update] = UPDATES if record.cache else {}
        self._glances = glances(self._updates)
        self._sessions: dict[int, SessionRecord] = {}
        self._notes = Notes.of_one_among(-(-record.total // record.shard_count))
        self._failures = Failures()
        self._work: LongWork[Outcome] | None = None
        self._idle_events = 0
        self._grown = 0
        self._closed = False
        self._readers_checked = time.monotonic()
        self._sessions = self._transact(lambda transaction: prepare(transaction, kept, opened.carried)) or {}
        with self.environment.reading() as transaction:
            self.found = count(TransactionReader(transaction), opened.written)

    @property
    def failures(self) -> int:
        """Events whose effect could not be computed since the store was opened."""
        return self._failures.count

    @property
    def busy(self) -> bool:
        """Whether a batch is put in slice by slice: nothing else can be written meanwhile."""
        return self._work is not None

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        shards: range,
        total: int,
        intents: int,
        cache: bool,
        kinds: frozenset[str] | None,
        messages_per_channel: int,
        bot: int = 0,
        boot_id: str | None = None,
        crashed: bool = False,
        initial_size: int = INITIAL_SIZE,
    ) -> ClusterStore:
        """Open the cluster's folder, and take its lock.

        A store that can't be trusted is set aside, with one line in the log, and begun anew.

        :param folder: made with mode 0700 if it isn't there.
        :param cache: whether entities are kept; session records always are.
        :param kinds: the kinds of entities kept, as in CACHE_ENTITIES; ``None`` for all.
        :param bot: the bot's id; 0 if it isn't known.
        :param boot_id: of the machine's present boot, if not to be asked for.
        :param crashed: whether a fault in native code ended the process that wrote it last.
        :param initial_size: of the map, in bytes.
        :raises FolderInUse: if another process holds the folder: a ``ConfigError``, but one that may pass.
        :raises ConfigError: if it lies where a store can't, or the disk doesn't let us.
        """
        record = trust.Record(
            version=trust.VERSION,
            boot_id=trust.boot_id() if boot_id is None else boot_id,
            clean=False,
            total=total,
            first_shard=shards.start,
            shard_count=len(shards),
            intents=int(intents),
            cache=cache,
            kinds=None if kinds is None else sorted(kinds),
            bot=bot,
        )
        wanted = kinds if cache else frozenset()
        kept = what_is_kept(wanted, intents=intents, messages_per_channel=messages_per_channel, total=total)
        lock = take(folder)
        try:
            return cls(folder, lock, record, kept, open_entities(folder, record, kept, initial_size, crashed))
        except OSError as error:
            lock.release()
            raise ConfigError(f"STATE_DIR: the store in {folder} can't be opened: {error.strerror or error}") from error
        except BaseException:
            lock.release()
            raise

    def sessions(self) -> dict[int, Resumable]:
        """The sessions that may be resumed, by shard; nothing of a shard whose resume would leave the cache wrong."""
        found = {shard: record.resumable(cache=self._record.cache) for shard, record in self._sessions.items()}
        return {shard: resumable for shard, resumable in found.items() if resumable is not None}

    def apply(self, batch: Batch, kept: Mapping[int, tuple[str, int]]) -> None:
        """Put a batch's effects, its sessions and the cursors into the store, in one transaction. Never raises.

        An event at or below its session's ``applied`` cursor changes nothing. One that fails to compute changes
        nothing either: its guild is marked stale, it is logged and counted, and the others are applied.

        :param batch: of each read: the shard, the session after the last event, the events.
        :param kept: shard → session id and the sequence below which every event is kept by the broker.
        """
        self.finish()
        if self.stopped or self._closed:
            return
        self._idle_events = 0
        self._settle(
            self._transact(
                lambda transaction: write_batch(
                    transaction,
                    batch,
                    kept,
                    what=self._kept,
                    updates=self._updates,
                    sessions=self._sessions,
                    notes=self._notes,
                )
            )
        )

    def pass_over(self, batch: Batch) -> bool:
        """If no event of the batch has an effect, move the cursors ``applied`` in memory alone; whether that was so.

        They are written with a later batch, after :data:`_IDLE_EVENTS` at the latest: hearing such events again harms
        nothing.
        """
        if self.stopped or self._closed or self.busy or self._idle_events > _IDLE_EVENTS:
            return False
        if not is_idle(batch, self._updates, self._sessions):
            return False
        for shard, _, dispatches in batch:
            if dispatches:
                record = self._sessions[shard]
                record.applied = max(record.applied, dispatches[-1][0])
                self._idle_events += len(dispatches)
        return True

    def begin(self, batch: Batch) -> bool:
        """Put a batch in slice by slice, if it has an event that may take long: then go on with :meth:`step`.

        It is one transaction all the same: until :meth:`finish` nothing of it can be read, and after a crash nothing of
        it is there.

        :returns: whether it was begun; if not, nothing was done, and :meth:`apply` is quick. Never raises.
        """
        if self.stopped or self._closed or self.busy or not is_long(batch, self._glances, self._kept):
            return False
        self._idle_events = 0
        self._work = LongWork(
            self.environment,
            lambda transaction: write_batch_sliced(
                transaction,
                batch,
                {},
                what=self._kept,
                updates=self._updates,
                sessions=self._sessions,
                notes=self._notes,
            ),
        )
        return True

    def step(self) -> bool:
        """A slice more of what was begun: some milliseconds. Whether only :meth:`finish` is left. Never raises."""
        work = self._work
        if work is not None and not work.done:
            self._attempt(work.step)
        return self._work is None or self._work.done

    def finish(self, kept: Mapping[int, tuple[str, int]] | None = None) -> None:
        """Do the rest of what was begun, and commit it. Never raises.

        :param kept: what is kept by now, to be written with it.
        """

        def last(transaction: lmdb.Transaction[bytes], outcome: Outcome) -> None:
            write_kept(transaction, outcome, kept or {}, self._sessions)

        while (work := self._work) is not None:
            self._attempt(partial(work.commit, last) if work.done else work.step)
            if work.committed:
                self._grown = 0
                self._work = None
                self._settle(work.result)

    def forget_session(self, shard_id: int) -> None:
        """Discord ended the shard's session: never offer it again. Never raises."""
        self.finish()
        if self._sessions.pop(shard_id, None) is not None and not (self.stopped or self._closed):
            self._transact(lambda transaction: transaction.delete(keys.session(shard_id)))

    def check_readers(self) -> None:
        """To be called when a process that read the store died; otherwise it is done once a minute. Never raises."""
        self._readers_checked = time.monotonic()
        if not self._closed:
            try:
                self.environment.check_readers()
            except lmdb.Error as error:
                self._log.warn("checking the readers of {folder} failed: {error}", folder=self._folder, error=error)

    def close(self) -> None:
        """Write all to disk, mark the store clean, release the lock. Closing twice is closing once."""
        if self._closed:
            return
        self.finish()
        if not self.stopped:
            self._transact(lambda transaction: write_sessions(transaction, self._sessions))
        self._closed = True
        try:
            self.environment.sync()
            if not self.stopped:
                trust.write(self._folder / NOTE, msgspec.structs.replace(self._record, clean=True))
        except (OSError, lmdb.Error) as error:
            self._log.error("the store in {folder} was not closed in order: {error}", folder=self._folder, error=error)
        finally:
            self.environment.close()
            self._lock.release()

    def _settle(self, outcome: Outcome | None) -> None:
        """A batch's transaction is committed, or was given up."""
        if outcome is not None:
            self._sessions.update(outcome.sessions)
            if outcome.failed:
                self._failures.report(outcome.failed)
        if time.monotonic() - self._readers_checked >= _READERS_EVERY:
            self.check_readers()

    def _attempt(self, part: Callable[[], None]) -> None:
        """A part of the long work. It begins anew where the file had to grow; what can't be mended ends it."""
        try:
            part()
        except lmdb.MapFullError:
            if not self._grow():
                self._work = None
        except Exception as error:
            self._damaged(error)
            self._work = None

    def _transact(self, work: Callable[[lmdb.Transaction[bytes]], T]) -> T | None:
        """Do the work in a transaction; if the map is full, grow it and do the work again.

        What can't be mended stops the store, and gives ``None``.
        """
        while True:
            try:
                with self.environment.writing() as transaction:
                    result = work(transaction)
                self._grown = 0
                return result
            except lmdb.MapFullError:
                if not self._grow():
                    return None
            except Exception as error:
                self._damaged(error)
                return None

    def _grow(self) -> bool:
        """Take more room of the disk; whether there was any. The transaction that wanted it is given up."""
        self._notes.drop_all()
        try:
            self.environment.grow(self._grown)
        except OSError as error:
            # By the next start its sessions are far behind, and Discord's replay with them; the slots have them as they
            # are by then.
            self._stop(
                Condition.FROZEN, "there is no room on its disk ({error}): make room, and restart", error.strerror
            )
            return False
        self._grown += 1
        return True

    def _damaged(self, error: Exception) -> None:
        """Called where the error is handled. The transaction is given up."""
        self._notes.drop_all()
        self._log.failure("writing the store in {folder} failed", folder=self._folder)
        self._stop(Condition.DAMAGED, "it is damaged ({error}): restart, and it is filled anew", type(error).__name__)

    def _stop(self, why: Condition, reason: str, error: object) -> None:
        """Write no more. All who read it are told, and the next start sets it aside."""
        self.stopped, self.condition = True, why
        try:
            condition.tell(self._folder, why)
        except OSError as failed:
            self._log.error(
                "the store in {folder} can't be marked as damaged ({error}): delete {folder} before the next start",
                folder=self._folder,
                error=failed.strerror or failed,
            )
        self._log.critical(
            "the cache in {folder} is no longer kept up to date, though events flow on, for " + reason,
            folder=self._folder,
            error=error,
        )
