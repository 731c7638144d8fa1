"""What changes often in a channel or thread: a row of its own, laid over the JSON that Discord sent of it."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET, Raw, Struct, UnsetType

from rateway.store import blob
from rateway.store.view import View


class Overlay(Struct, gc=False, omit_defaults=True):
    """All that is ever laid over one; what isn't set is as the channel or thread has it.

    ``message_count`` is set of threads alone.
    """

    last_message_id: str | UnsetType | None = UNSET
    message_count: int | UnsetType | None = UNSET
    total_message_sent: int | UnsetType | None = UNSET
    member_count: int | UnsetType | None = UNSET
    last_pin_timestamp: Raw | UnsetType = UNSET


read: Callable[[bytes | Raw], Overlay] = blob.decoder(Overlay)
"""The overlay in a row; or, of a channel's or thread's own JSON, what an overlay would hide."""


def overlay_in(view: View, key: bytes) -> Overlay:
    """The overlay in this row; an empty one if there is none."""
    row = view.get(key)
    return Overlay() if row is None else read(row)
