"""What a glance at a batch tells, before a transaction is begun: that it changes nothing, or may take long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from .batch import Batch, Sessions
from .kinds import Kept
from .updates.slices import Glance, Sliced
from .view import Update

Glances: TypeAlias = Mapping[str, Glance]
"""Event name → what tells whether one may take long; of the events that ever do."""


def glances(updates: Mapping[str, Update]) -> Glances:
    """Of the updates that may pause."""
    return {name: update.may_be_long for name, update in updates.items() if isinstance(update, Sliced)}


def is_idle(batch: Batch, updates: Mapping[str, Update], sessions: Sessions) -> bool:
    """Whether nothing of the batch changes what is kept, but for the cursors."""
    for shard, session, dispatches in batch:
        record = sessions.get(shard)
        if record is None or record.id != session.id:
            return False
        for _, name, _ in dispatches:
            if name in updates or name == "READY":
                return False
    return True


def is_long(batch: Batch, glances: Glances, kept: Kept) -> bool:
    """Whether an event of it may take more than some milliseconds.

    The shortest may have to remove any number of rows.
    """
    for _, _, dispatches in batch:
        for _, name, d in dispatches:
            if name in glances and glances[name](d, kept):
                return True
    return False
