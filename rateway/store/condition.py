"""Whether a store is still kept up to date, as its writer tells those who read it.

A store that stopped looks like one of a quiet hour. So the record beside it (:mod:`.trust`) tells by its name, for on a
disk without room a file can be renamed or deleted, but none can be made. Whoever has the store open looks at it again
when ``generation`` grows.
"""

from __future__ import annotations

from contextlib import suppress
from enum import Enum, auto
from pathlib import Path

from . import generation

NOTE = "store.json"
"""The record of what it was made for."""
FROZEN_NOTE = "store.frozen.json"
"""What it is called once nothing is written any more."""


class Condition(Enum):
    """What a store is good for."""

    LIVE = auto()
    """It is kept up to date, or will be when its writer is back."""
    FROZEN = auto()
    """It has no room: all in it was true once, and may be no longer."""
    DAMAGED = auto()
    """Nothing in it is to be believed."""


def read(folder: Path) -> Condition:
    """The condition of the store in a cluster's folder, if there is one."""
    if (folder / NOTE).exists():
        return Condition.LIVE
    return Condition.FROZEN if (folder / FROZEN_NOTE).exists() else Condition.DAMAGED


def tell(folder: Path, condition: Condition) -> None:
    """Have all processes know that the store is not kept up to date any more, and the next start set it aside.

    This process's readers learn of it in any case.

    :raises OSError: if the disk doesn't let us.
    """
    try:
        if condition is Condition.FROZEN:
            with suppress(FileNotFoundError):
                (folder / NOTE).replace(folder / FROZEN_NOTE)
        else:
            (folder / FROZEN_NOTE).unlink(missing_ok=True)
            (folder / NOTE).unlink(missing_ok=True)
    finally:
        generation.advance(folder.parent)


def forget(folder: Path) -> None:
    """The record has its own name again, or a new one is there."""
    (folder / FROZEN_NOTE).unlink(missing_ok=True)
