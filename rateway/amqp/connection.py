"""Keeps one connection to the broker up, as long as the service runs.

Connecting is TCP and TLS; the handshake and all that is declared come after, on a connection that exists, so that a
failure there is an ordinary loss: told, waited for, tried again. Only a refusal that no retry mends is fatal.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from rateway.errors import FatalError, RatewayError, Unavailable
from rateway.interfaces import IFatalReporter
from rateway.tls import explain

from .channel import Refused
from .client import Client, ClientFactory
from .outages import Outages
from .uri import BrokerAddress

FIRST_DELAY, LONGEST_DELAY = 1.0, 5.0
"""Seconds between attempts: doubling from the first to the longest."""

STEADY_AFTER = 5.0
"""Seconds a connection must have served for its loss to be tried again at once, and not as one more failure."""

REFUSAL_GRACE = 120.0
"""Seconds for which a broker may refuse us what it once let us have: login, vhost, or a permission.

It may be importing its users after a restart; or somebody is changing them.
"""

SILENT_REFUSALS = 3
"""Connections closed in a row, without a word, on showing the password: then it is the password."""

_ACCESS_REFUSED, _NOT_ALLOWED = 403, 530


class NeedsAPerson(Unavailable):
    """No retry of ours mends it, but there are events to hold: it is tried until somebody has mended it."""


class ConnectAnew(RatewayError):
    """Raised by who sets a connection up: drop it and connect at once, without counting a failure."""


def refusal_sentence(error: RatewayError, address: BrokerAddress, phase: str) -> str | None:
    """What to tell the operator where the broker won't have us; ``None`` for everything that may pass."""
    if phase == "open" or not isinstance(error, Refused):
        return None
    if error.code == _ACCESS_REFUSED:
        return (
            f"the broker at {address} refused the login of user {address.user!r}: check the user and the password in "
            "AMQP_URI (special characters are percent-encoded; RabbitMQ lets the user guest in from its own host only)"
        )
    if error.code == _NOT_ALLOWED:
        return (
            f"the broker at {address} does not let user {address.user!r} into vhost {address.vhost!r}: "
            f"{error.text}; create the vhost, grant the user permission on it, or name another in AMQP_URI"
        )
    return None


@define(eq=False)
class Connector:
    """Connects, has the connection set up, and starts over when it ends.

    :ivar set_up: called with each connection once it is open; may raise what :meth:`Channel.call` raises,
        :class:`FatalError`, or :class:`ConnectAnew`.
    :ivar started: set by the owner once its shards are: from then on there are events.
    :ivar ended: called when a connection that was being set up, or was, is gone.
    """

    _log = Logger()

    _clock: Any
    _address: BrokerAddress
    _endpoint: IStreamClientEndpoint
    _name: str
    _set_up: Callable[[Client], Awaitable[None]]
    _ended: Callable[[], None]
    _fatal: IFatalReporter
    _outages: Outages
    _failed: Callable[[], None] = lambda: None
    """Called when an attempt failed, or a connection ended, and another is to be made after a while."""
    _known: bool = False
    """This user of this broker had all it wants before, if by another process."""
    _random: Callable[[], float] = random.random
    client: Client | None = field(default=None, init=False)
    _stopping: bool = field(default=False, init=False)
    _running: Deferred[None] | None = field(default=None, init=False)
    _failures: int = field(default=0, init=False)
    _silent_refusals: int = field(default=0, init=False)
    _refused_since: float | None = field(default=None, init=False)
    _was_open: bool = field(default=False, init=False)
    _served_since: float | None = field(default=None, init=False)
    started: bool = field(default=False, init=False)

    def start(self) -> None:
        """Connect now."""
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(self._stopped)

    async def stop(self, within: float) -> None:
        """Close the connection cleanly, and try no more."""
        self._stopping = True
        self._outages.left(self._name)
        if self.client is not None:
            await self.client.close_cleanly(within)
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            await running

    def _stopped(self, failure: Failure) -> None:
        if not (self._stopping and failure.check(CancelledError)):
            self._log.failure("keeping up the connection of {name} to the broker", failure, name=self._name)

    async def _run(self) -> None:
        while not self._stopping:
            error = await self._live()
            if self._stopping:
                return
            if isinstance(error, FatalError):
                self._fatal.report_fatal(error)
                return
            delay = self._next_delay(error)
            self._tell(error, delay)
            await deferLater(self._clock, delay)

    async def _live(self) -> RatewayError:
        """One connection, from the attempt to its end; returns why it ended."""
        self._served_since = None
        factory = ClientFactory(self._address, self._clock, self._name)
        try:
            client: Client = await self._endpoint.connect(factory)  # type: ignore[assignment]
        except CancelledError:
            raise
        except Exception as problem:
            self._silent_refusals = 0
            self._log.debug("connecting to the broker failed: {problem!r}", problem=problem)
            return Unavailable(explain(Failure()) or str(problem).rstrip(".") or type(problem).__name__)
        self.client = client
        try:
            error = await self._serve(client)
            client.fail(error)
            await client.lost
            return self._judged(error, client.phase)
        finally:
            self.client = None
            client.fail(Unavailable("the connection is no longer wanted"))
            self._ended()

    async def _serve(self, client: Client) -> RatewayError:
        """Handshake, set-up, service; returns why that ended."""
        handshake = Deferred.fromCoroutine(client.handshake())
        try:
            await handshake.addTimeout(self._address.connection_timeout, self._clock)
            self._was_open = True
            self._silent_refusals = 0
            await self._set_up(client)
            self._served_since = self._clock.seconds()
            return await client.lost
        except TimeoutError:
            return Unavailable(f"no answer to the handshake within {self._address.connection_timeout:g} s")
        except RatewayError as error:
            return error
        except CancelledError:
            raise
        except Exception:
            self._log.failure("setting up {name} on the broker", name=self._name)
            return Unavailable("a fault of rateway's own kept the connection from being set up")

    def settled(self) -> None:
        """The owner has all it wants of this connection: nothing is refused any more."""
        self._refused_since = None
        self._outages.back(self._name)
        self._log.info("{name} is connected to the broker at {address}", name=self._name, address=self._address)

    def _judged(self, error: RatewayError, phase: str) -> RatewayError:
        """The error, or a fatal one where the broker won't have us."""
        if isinstance(error, FatalError):
            return self._tolerated(str(error), self.started or self._known)
        sentence = refusal_sentence(error, self._address, phase)
        silent = sentence is None and phase == "login" and not isinstance(error, Refused)
        self._silent_refusals = self._silent_refusals + 1 if silent else 0
        if silent and self._silent_refusals >= SILENT_REFUSALS:
            sentence = refusal_sentence(Refused(_ACCESS_REFUSED, "", connection=True), self._address, phase)
        if sentence is None:
            return error
        return self._tolerated(sentence, self._was_open or self._known)

    def _tolerated(self, sentence: str, had_it: bool) -> RatewayError:
        """A refusal: for a while an outage like any other, where the broker let us have before what it refuses now."""
        now = self._clock.seconds()
        if self._refused_since is None:
            self._refused_since = now
        left = self._refused_since + REFUSAL_GRACE - now
        if not had_it or left <= 0:
            return FatalError(sentence)
        return Unavailable(f"{sentence}; rateway ends in {left:.0f} s if that stays so")

    def _next_delay(self, error: RatewayError) -> float:
        if isinstance(error, ConnectAnew):
            return 0.0
        now = self._clock.seconds()
        if self._served_since is not None and now - self._served_since >= STEADY_AFTER:
            self._failures = 0
            return 0.5 * self._random()
        delay = min(FIRST_DELAY * 2.0**self._failures, LONGEST_DELAY)
        self._failures = min(self._failures + 1, 16)
        return delay * (0.75 + 0.25 * self._random())

    def _tell(self, error: RatewayError, delay: float) -> None:
        self._log.debug("{name}: {error}; next attempt in {delay:.1f} s", name=self._name, error=error, delay=delay)
        if not isinstance(error, ConnectAnew):
            self._outages.lost(
                self._name,
                self._address,
                str(error).rstrip("."),
                started=self.started,
                grave=isinstance(error, NeedsAPerson),
            )
            self._failed()
