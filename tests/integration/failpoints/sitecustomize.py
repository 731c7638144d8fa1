"""Ends a child of rateway's, once, at a chosen place of its work; for tests alone, who put this folder on PYTHONPATH.

RATEWAY_TEST_FAILPOINT is ``PLACE,EVENT,FLAG``: once an event of that name was taken, the process ends at that place,
as by ``kill -9``, unless the file FLAG is there, which is made then. RATEWAY_TEST_VALUES is ``MODULE:NAME=NUMBER``,
separated by commas: constants that are other than usual; RATEWAY_TEST_PARENT_VALUES are the parent's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

CODE = 86


def _fail_at(place: str, event: str, flag: str) -> None:
    from rateway.amqp.publisher import Publisher
    from rateway.cluster.checkpoint import Checkpoint
    from rateway.cluster.pipeline import Pipeline

    armed = False
    owner: Any = Pipeline
    take = owner.take

    def taking(pipeline: Any, shard_id: int, session: Any, dispatches: Any) -> None:
        nonlocal armed
        armed = armed or any(name == event for _, name, _ in dispatches)
        take(pipeline, shard_id, session, dispatches)

    def end() -> None:
        if armed:
            with open(flag, "x"):
                os._exit(CODE)

    def before(owner: Any, name: str) -> None:
        work = getattr(owner, name)

        def wrapped(*arguments: Any, **named: Any) -> Any:
            end()
            return work(*arguments, **named)

        setattr(owner, name, wrapped)

    def after(owner: Any, name: str) -> None:
        work = getattr(owner, name)

        def wrapped(*arguments: Any, **named: Any) -> Any:
            result = work(*arguments, **named)
            end()
            return result

        setattr(owner, name, wrapped)

    owner.take = taking
    places: dict[str, Callable[[], None]] = {
        "between spool and cache": lambda: after(Publisher, "secure"),
        "between cache and publish": lambda: after(Pipeline, "_apply"),
        "between confirm and checkpoint": lambda: before(Checkpoint, "confirmed"),
    }
    places[place]()


def _set_values(pairs: str) -> None:
    for pair in pairs.split(","):
        where, _, value = pair.partition("=")
        module, _, name = where.partition(":")
        setattr(import_module(module), name, float(value))


if "rateway.process.child" not in sys.orig_argv:
    if "RATEWAY_TEST_PARENT_VALUES" in os.environ:
        _set_values(os.environ["RATEWAY_TEST_PARENT_VALUES"])
else:
    if "RATEWAY_TEST_VALUES" in os.environ:
        _set_values(os.environ["RATEWAY_TEST_VALUES"])
    if "RATEWAY_TEST_FAILPOINT" in os.environ:
        _point, _event, _flag = os.environ["RATEWAY_TEST_FAILPOINT"].split(",")
        if not os.path.exists(_flag):
            _fail_at(_point, _event, _flag)
