"""The payloads a shard writes itself, and what it reads of those that concern it."""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from attrs import frozen

from ..model.session import Session

Data: TypeAlias = bytes | msgspec.Raw
"""The bytes of a payload's ``d``."""


@frozen
class Ready:
    """What READY tells that we act upon.

    :ivar session: at the sequence of READY itself.
    :ivar guilds: how many guilds the shard holds.
    """

    session: Session
    guilds: int
    user_id: int


def gateway_url(base: str, compression: str) -> str:
    """Where to connect: ``base`` (of /gateway/bot or READY) with version, encoding and compression.

    :raises RemoteProtocolError: ``base`` is no WebSocket URL.
    """
    raise NotImplementedError


def heartbeat(seq: int | None) -> bytes:
    """HEARTBEAT; ``seq`` is the last one received in the session."""
    raise NotImplementedError


def identify(token: str, intents: int, shard_id: int, total: int, presence: str | None = None) -> bytes:
    """IDENTIFY. ``presence`` is JSON text; ``{{shard}}`` in it becomes the shard's number.

    :raises ConfigError: ``presence`` can't be used.
    """
    raise NotImplementedError


def resume(token: str, session: Session) -> bytes:
    """RESUME, from the session's sequence on."""
    raise NotImplementedError


def parse_hello(d: Data) -> float:
    """The heartbeat interval in seconds.

    :raises RemoteProtocolError: there is none.
    """
    raise NotImplementedError


def parse_ready(d: Data, seq: int) -> Ready:
    """What READY, which came with sequence ``seq``, tells.

    :raises RemoteProtocolError: there is no session in it.
    """
    raise NotImplementedError
