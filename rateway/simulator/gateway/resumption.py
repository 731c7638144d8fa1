"""Whether a client resumes where and when it should, or had a reason not to (Discord's docs, "Gateway: Resuming").

A session is resumed at the address that READY named. The documented fallback is the main address, or an IDENTIFY, once
that one can't be reached; so what the simulator itself did there is a client's excuse.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define

from ..records import Connected, Resume
from .rules import Asked
from .sessions import GatewaySession


def transport_of(query: Mapping[str, str]) -> tuple[str, str]:
    """``(encoding, compress)`` of a connection's query; Discord wants the same when a session is resumed."""
    return query.get("encoding", "json"), query.get("compress", "")


@define
class Resumption:
    """What is known of the two addresses.

    :ivar main: the host of the main address, as a client sees it; ``resume`` that of the other.
    :ivar listening: whether the resume host accepts connections.
    """

    main: str = ""
    resume: str = ""
    listening: bool = True
    _trouble_at: float = float("-inf")

    def host_of(self, record: Connected) -> str:
        """The host a client connected to: by the name it used where that is one of ours, else by the address."""
        return self._named(record.host, record.name)

    def _named(self, address: str, name: str) -> str:
        return name if name in (self.main, self.resume) else address

    def is_misplaced(self, record: Connected) -> bool:
        """Whether a RESUME on this connection comes to the main address, though there is another one for it."""
        return not self.is_for_resumes(record.host, record.name)

    def is_for_resumes(self, address: str, name: str) -> bool:
        """Whether sessions are resumed where a client came to this address by this name."""
        return self.main == self.resume or self._named(address, name) != self.main

    def misbehaved(self, now: float) -> None:
        """The simulator refused, closed or confused a connection to the resume host."""
        self._trouble_at = now

    def ended(self, record: Connected, now: float, *, served: bool, usual: bool) -> None:
        """A connection is gone.

        :param served: it got READY or RESUMED.
        :param usual: the simulator did what Discord does; a connection that it closed isn't.
        """
        if not (served or usual or self.is_misplaced(record)):
            self.misbehaved(now)

    def excuses(self, since: float) -> bool:
        """Whether the resume host was in trouble at any time since then."""
        return not self.listening or self._trouble_at >= since

    def is_wasted(self, session: GatewaySession, asked: Asked, resumes: list[Resume]) -> bool:
        """Whether an IDENTIFY throws away a session that the client could have resumed, and had no reason not to.

        Other intents, or another total, are a reason: a RESUME changes neither. So is an answer to a RESUME of it that
        was none, a resume host that can't be reached, and a READY that the client may never have seen.
        """
        if session.asked.intents != asked.intents or session.unseen:
            return False
        since = session.detached_at
        tried = (resume for resume in resumes if resume.session_id == session.id and resume.at >= since)
        return not self.excuses(since) and all(resume.answer == "resumed" for resume in tried)
