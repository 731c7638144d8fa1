"""The session records: what a new process needs to go on with the shards' sessions."""

from __future__ import annotations

from attrs import frozen

from ..model.session import Session


@frozen
class Resumable:
    """A session that a new process may resume.

    :ivar session: with the sequence to RESUME from: the lower of both cursors, for what lies above is to come again.
    :ivar applied: highest sequence whose effects are in the cache; equal to ``kept`` where the cache is off.
    :ivar kept: highest sequence below which the broker (or the spool) has every event.
    """

    session: Session
    applied: int
    kept: int
