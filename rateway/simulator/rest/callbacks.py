"""Interactions that were sent, and the answers they got, as long as their tokens are good."""

from __future__ import annotations

from typing import Any

import msgspec
from attrs import Factory, define

from ..hub import Hub
from ..world.payloads import Json

ANSWER_WITHIN = 3.0
"""Seconds that a client has for the first answer."""
TOKEN_LIFE = 900.0
"""Seconds that follow-ups may come."""


@define(eq=False)
class Asked:
    """An interaction.

    :ivar at: when it was sent, by the world's clock.
    :ivar callback: the type of its answer; None before that.
    :ivar original: the message that is its answer.
    :ivar private: ephemeral messages, which no channel remembers.
    """

    d: Json
    at: float
    callback: int | None = None
    original: int | None = None
    private: dict[int, Json] = Factory(dict)

    @property
    def type(self) -> int:
        return int(self.d.get("type", 2))

    @property
    def channel_id(self) -> int | None:
        id = self.d.get("channel_id")
        return None if id is None else int(id)

    @property
    def component_message(self) -> Json | None:
        """The message whose component was used."""
        message: Json | None = self.d.get("message")
        return message

    def metadata(self) -> Json:
        """What messages that answer it bear."""
        user = self.d.get("user") or self.d.get("member", {}).get("user")
        return {"id": self.d["id"], "type": self.type, "user": user, "authorizing_integration_owners": {}}


@define(eq=False)
class Asking:
    """Interactions by token. They are found in what the sessions were sent, once somebody answers."""

    hub: Hub
    _known: dict[str, Asked] = Factory(dict)

    def find(self, token: str) -> Asked | None:
        """The interaction with this token; None when none was sent, or its time is over."""
        age = self.hub.age
        for known in [key for key, asked in self._known.items() if age(asked.at) > TOKEN_LIFE]:
            del self._known[known]
        if token not in self._known:
            found = self._search(token)
            if found is None or age(found.at) > TOKEN_LIFE:
                return None
            self._known[token] = found
        return self._known[token]

    def _search(self, token: str) -> Asked | None:
        needle = msgspec.json.encode(token)
        for session in self.hub.sessions:
            for seq, when, head, tail in reversed(session.log):
                if b"INTERACTION_CREATE" not in head or needle not in (head if tail is None else tail):
                    continue
                whole = head if tail is None else b"%b%d%b" % (head, seq, tail)
                d = _read(whole)
                if d is not None and d.get("token") == token:
                    return Asked(d, when)
        return None


def _read(payload: bytes) -> Json | None:
    """``d`` of an interaction; None for any other payload, for tests may send what they like."""
    try:
        value: Any = msgspec.json.decode(payload)
        fits = value["t"] == "INTERACTION_CREATE" and {"id", "token"} <= value["d"].keys()
    except (msgspec.DecodeError, LookupError, TypeError, AttributeError):
        return None
    return value["d"] if fits else None
