"""Doing things to a simulator by action, as HTTP and scenario files do."""

from __future__ import annotations

from typing import Any

from rateway.simulator.control.actions import parse_action
from rateway.simulator.simulator import Simulator


async def do(simulator: Simulator, verb: str, **fields: Any) -> Any:
    """Perform an action; its result."""
    waiting = parse_action({"do": verb, **fields}).perform(simulator)
    return None if waiting is None else await waiting
