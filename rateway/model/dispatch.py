"""One event on its way from a shard to the broker."""

from __future__ import annotations

from typing import TypeAlias

Dispatch: TypeAlias = tuple[int, str, bytes]
"""``(sequence, event name, the bytes of d as Discord sent them)``: a tuple, for there are thousands a second."""
