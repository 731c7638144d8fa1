"""How shards of any cluster are reached, of this process or another: by the ways of bots' commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from twisted.internet.defer import Deferred

Send: TypeAlias = Callable[[int, int, bytes, float], Deferred[None]]
"""Sends a command to a shard of any cluster: shard, op, payload, seconds it may still wait."""

FETCH_MEMBERS = -8
"""In place of an opcode: no bot's command, but rateway's own wish for the member list of a guild of the shard.

The payload is the guild's id. It is answered when the list is in the cache, or there is nothing to wait for; it is
refused when the list doesn't come in time.
"""
