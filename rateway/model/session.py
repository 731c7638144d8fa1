"""The session: what lets a connection go on where another ended (Discord's docs, "Resuming")."""

from __future__ import annotations

from attrs import field, frozen


@frozen
class Session:
    """A session as Discord knows it.

    :ivar id: Discord's ``session_id``; a secret of a kind, left out of the repr, and so of logs.
    :ivar resume_url: base URL of the gateway host that holds the session, without a query.
    :ivar seq: sequence of the last dispatch taken.
    """

    id: str = field(repr=False)
    resume_url: str
    seq: int

    def at(self, seq: int) -> Session:
        """The same session, at another sequence."""
        return Session(self.id, self.resume_url, seq)
