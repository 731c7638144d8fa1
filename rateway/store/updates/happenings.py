"""Stage instances and scheduled events."""

from __future__ import annotations

from msgspec import Raw, Struct

from rateway.store import blob
from rateway.store.keys import EVENTS, STAGES
from rateway.store.view import Changes, View

from . import purge
from .whereabouts import is_known

_OVER = (3, 4)
"""Completed, canceled."""


class _Thing(Struct, gc=False):
    id: int
    guild_id: int


class _Status(Struct, gc=False):
    status: int = 0


class _Subscriber(Struct, gc=False):
    guild_scheduled_event_id: int
    guild_id: int


_thing = blob.decoder(_Thing)
_status = blob.decoder(_Status)
_subscriber = blob.decoder(_Subscriber)


def is_over(event: bytes | Raw) -> bool:
    """Whether the scheduled event is completed or canceled, which it stays."""
    return _status(event).status in _OVER


def stage_upsert(d: bytes, view: View) -> Changes:
    """A stage instance, made or changed."""
    out: Changes = {}
    event = _thing(d)
    if "StageInstance" in view.kept.names and is_known(view, event.guild_id):
        purge.put(out, STAGES, event.guild_id, event.id, d)
    return out


def stage_delete(d: bytes, view: View) -> Changes:
    """A stage instance, over."""
    out: Changes = {}
    event = _thing(d)
    purge.remove(out, STAGES, event.guild_id, event.id)
    return out


def event_upsert(d: bytes, view: View) -> Changes:
    """A scheduled event, made or changed, with the count of users if only the old one said it; one over is dropped."""
    out: Changes = {}
    event = _thing(d)
    if "ScheduledEvent" not in view.kept.names or not is_known(view, event.guild_id):
        return out
    if is_over(d):
        purge.remove(out, EVENTS, event.guild_id, event.id)
        return out
    old = view.get(EVENTS.row(event.guild_id, event.id))
    data = d
    if old is not None:
        count = blob.fields(old).get("user_count")
        fields = blob.fields(d)
        if count is not None and "user_count" not in fields:
            data = blob.encode(fields | {"user_count": count})
    purge.put(out, EVENTS, event.guild_id, event.id, data)
    return out


def event_delete(d: bytes, view: View) -> Changes:
    """A scheduled event, gone."""
    out: Changes = {}
    event = _thing(d)
    purge.remove(out, EVENTS, event.guild_id, event.id)
    return out


def user_add(d: bytes, view: View) -> Changes:
    """One more is interested."""
    return _count(d, view, 1)


def user_remove(d: bytes, view: View) -> Changes:
    """One less is interested."""
    return _count(d, view, -1)


def _count(d: bytes, view: View, more: int) -> Changes:
    event = _subscriber(d)
    key = EVENTS.row(event.guild_id, event.guild_scheduled_event_id)
    old = view.get(key)
    if old is None:
        return {}
    fields = blob.fields(old)
    if "user_count" not in fields:
        return {}
    fields["user_count"] = Raw(b"%d" % max(0, blob.to_int(fields["user_count"]) + more))
    return {key: blob.encode(fields)}
