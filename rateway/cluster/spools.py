"""The spools of a cluster: where its events wait while the broker can't take them, and where those it refuses do."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from attrs import frozen
from twisted.logger import Logger

from rateway.config import Config
from rateway.model.plan import Cluster, Plan
from rateway.model.snowflake import bot_of
from rateway.spool.spool import Spool, SpoolFull
from rateway.store.lock import FolderLock
from rateway.store.slots import Slots

REFUSED_SHARE = 4
"""Refused events may take this part of the limit."""

MEMORY = 64 * 1024 * 1024
"""Bytes of events that one process may hold in memory, over all its clusters."""
LEAST_MEMORY, MOST_MEMORY = 1024 * 1024, 16 * 1024 * 1024
"""Bytes of events that one cluster may hold in memory."""

_EVENTS, _REFUSED = "spool", "refused"
_PIECE = 1024 * 1024
_FOLDER = re.compile(r"cluster-([0-9]{1,6})")

_log = Logger()


@frozen
class Spools:
    """What a cluster's publisher writes to.

    :ivar memory: bytes of events that it may hold besides.
    :ivar slots: where its sessions are written, for a power cut.
    """

    events: Spool
    refused: Spool
    memory: int = MOST_MEMORY
    slots: Slots | None = None


def open_spools(cluster: Cluster, plan: Plan, config: Config, siblings: int) -> Spools:
    """Open a cluster's spools; its folder's lock is held.

    Events that were left by clusters which are no more, for there are fewer now, are taken in: the clusters that
    there are share them out by number.

    :param siblings: how many of them run in this process.
    :raises ConfigError: if they can't be used.
    """
    state_dir, clusters, limit = config.state_dir, len(plan.clusters), config.spool_limit
    folder = state_dir / f"cluster-{cluster.number}"
    memory = min(max(MEMORY // siblings, LEAST_MEMORY), MOST_MEMORY)
    spools = Spools(
        Spool.open(folder / _EVENTS, limit),
        Spool.open(folder / _REFUSED, limit // REFUSED_SHARE),
        memory,
        Slots(folder, plan.total, cluster.shards, config.intents, bot_of(config.token)),
    )
    for number, path in _left_behind(state_dir, clusters):
        if (number - 1) % clusters == cluster.number - 1:
            _take_in(path, spools.events, limit)
    waiting = spools.events.unread + spools.refused.unread
    if waiting:
        _log.info(
            "cluster {n} has {count} events of an earlier run on disk: they are published first",
            n=cluster.number,
            count=waiting,
        )
    return spools


def _left_behind(state_dir: Path, clusters: int) -> list[tuple[int, Path]]:
    """The folders of clusters that are no more."""
    found = [(int(match[1]), path) for path in state_dir.iterdir() if (match := _FOLDER.fullmatch(path.name))]
    return sorted((number, path) for number, path in found if number > clusters)


def _take_in(folder: Path, into: Spool, limit: int) -> None:
    """Move what waits in another cluster's spools; what has no room stays for the next start."""
    if not any(folder.glob("*/*.spool")):
        return
    lock = FolderLock.try_lock(folder)
    if lock is None:
        _log.warn("{folder} is in use by another process: its events stay there until the next start", folder=folder)
        return
    count = 0
    try:
        for name in (_EVENTS, _REFUSED):
            old = Spool.open(folder / name, limit)
            while piece := old.read(_PIECE):
                into.append([event for _, event in piece])
                # Confirming deletes files: a power cut must not find the events in neither place.
                into.sync()
                old.confirm(piece[-1][0])
                count += len(piece)
            if old.unread:
                raise OSError("they can't be read just now")
            shutil.rmtree(folder / name)
    except (SpoolFull, OSError) as full:
        _log.error("events in {folder} stay there until the next start: {reason}", folder=str(folder), reason=str(full))
    finally:
        lock.release()
    if count:
        _log.warn(
            "{count} events that waited in {folder}, of a cluster that is no more, are published by the one that has "
            "its place",
            count=count,
            folder=str(folder),
        )
