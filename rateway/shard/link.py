"""A shard's connection of the moment: dialled, read payload by payload, ended.

At most one connection counts. What an older one still says is not heard; it only has to be gone before the shard is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from attrs import define, field
from autobahn.websocket.util import parse_url
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from rateway.errors import RatewayError, RemoteProtocolError
from rateway.gateway.envelope import Envelope, decode
from rateway.gateway.inflate import Inflater, make_inflater
from rateway.gateway.payloads import gateway_url
from rateway.model.closecodes import OwnClose
from rateway.tls import client_endpoint, explain

from .frames import Message
from .protocol import GatewayConnection, connection_factory


class LinkOwner(Protocol):
    """Who hears what comes over the link."""

    def payloads_received(self, envelopes: list[Envelope], trouble: str) -> None:
        """The payloads of one read; behind them came what can't be read, if ``trouble`` isn't empty."""

    def link_lost(self, code: int | None, detail: str) -> None:
        """Discord closed with ``code``, or the connection is lost or could not be made."""


@define(eq=False)
class Link:
    """What is between one shard and Discord.

    :ivar connection: the one that counts; None while there is none.
    """

    _log = Logger()

    _reactor: Any
    _compression: str
    _owner: LinkOwner
    _endpoint: Callable[[str], IStreamClientEndpoint]
    _distrusted: Callable[[str], None]
    connection: GatewayConnection | None = field(default=None, init=False)
    _inflater: Inflater | None = field(default=None, init=False)
    _dialling: Deferred[Any] | None = field(default=None, init=False)
    _held: bool = field(default=False, init=False)
    _ending: set[GatewayConnection] = field(factory=set, init=False)
    _waiting: list[Deferred[None]] = field(factory=list, init=False)

    def connect(self, base: str) -> None:
        """Open a connection to a gateway's base URL."""
        try:
            url = gateway_url(base, self._compression)
            dialling = self._endpoint(url).connect(connection_factory(self._reactor, url, self))
        except RatewayError as error:
            self._owner.link_lost(None, str(error))
            return
        self._dialling = dialling
        dialling.addCallbacks(partial(self._connected, dialling), partial(self._not_connected, dialling))
        dialling.addErrback(partial(self._log.failure, "taking up a connection to Discord"))

    def close(self, code: OwnClose) -> None:
        """End the connection, or the attempt at one."""
        dialling, self._dialling = self._dialling, None
        connection, self.connection = self.connection, None
        self._inflater = None
        if dialling is not None:
            dialling.cancel()
        if connection is not None:
            self._ending.add(connection)
            connection.end(code)

    def read(self, reading: bool) -> None:
        """Go on, or stop, reading what Discord sends."""
        if self.connection is None:
            return
        if reading:
            self.connection.go_on_reading()
        else:
            self.connection.pause_reading()

    def hold(self, held: bool) -> None:
        """Read nothing for a moment, or go on: this connection, and those that are made meanwhile."""
        self._held = held
        if self.connection is not None:
            self.connection.hold(held)

    def gone(self) -> Deferred[None]:
        """Fires when every socket is closed; each is aborted if closing takes longer than two seconds."""
        if not self._ending:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def messages_received(self, connection: GatewayConnection, messages: list[Message]) -> None:
        """One read: inflated, and split into envelopes."""
        if connection is not self.connection or self._inflater is None:
            return
        feed = self._inflater.feed
        envelopes: list[Envelope] = []
        try:
            for message, binary in messages:
                for payload in feed(message, binary):
                    envelopes.append(decode(payload))
        except RemoteProtocolError as error:
            self._owner.payloads_received(envelopes, str(error))
        else:
            self._owner.payloads_received(envelopes, "")

    def connection_ended(self, connection: GatewayConnection, code: int | None, detail: str, cause: Failure) -> None:
        """Discord closed, or the connection is lost."""
        self._ending.add(connection)
        if connection is self.connection:
            self.connection = self._inflater = None
            self._owner.link_lost(code, self._explained(cause) or _phrase(detail))

    def connection_gone(self, connection: GatewayConnection) -> None:
        """A socket is closed."""
        self._ending.discard(connection)
        if not self._ending:
            waiting, self._waiting = self._waiting, []
            for deferred in waiting:
                deferred.callback(None)

    def _connected(self, dialling: Deferred[Any], connection: GatewayConnection) -> None:
        if dialling is self._dialling:
            self._dialling = None
            self.connection, self._inflater = connection, make_inflater(self._compression)
            if self._held:
                connection.hold(True)
        else:
            connection.end(OwnClose.RECONNECT)

    def _not_connected(self, dialling: Deferred[Any], failure: Failure) -> None:
        if dialling is self._dialling:
            self._dialling = None
            self._owner.link_lost(None, self._explained(failure) or _phrase(failure.getErrorMessage()))

    def _explained(self, failure: Failure) -> str | None:
        """A sentence, if it was TLS."""
        why = explain(failure)
        if why is not None:
            self._distrusted(why)
        return why


def endpoint_for(reactor: Any, url: str) -> IStreamClientEndpoint:
    """TCP for ws://, TLS that verifies the URL's host for wss://."""
    secure, host, port, *_ = parse_url(url)
    return client_endpoint(reactor, host, port, tls=secure)


def _phrase(text: str) -> str:
    """Fit for a log line: what the other end wrote may hold anything."""
    return "".join(c if c.isprintable() else " " for c in text)[:200].strip().rstrip(".")
