"""The network below the client: kept connections, verified TLS, bounded bodies."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer, IOpenSSLClientConnectionCreator
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IAgent, IBodyProducer, IPolicyForHTTPS, IResponse
from zope.interface import implementer

from rateway.tls import client_options

from .trouble import BodyTooLong


@implementer(IPolicyForHTTPS)
class VerifiedTLS:
    """Every host is asked for a certificate of its own name."""

    def creatorForNetloc(self, hostname: bytes, port: int) -> IOpenSSLClientConnectionCreator:
        return client_options(hostname.decode("ascii"))


@implementer(IBodyProducer)
class BytesBody:
    """A request's body that is all there."""

    def __init__(self, body: bytes) -> None:
        self.length = len(body)
        self._body = body

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        pass

    def stopProducing(self) -> None:
        pass


def make_agent(reactor: object, connect_timeout: float) -> tuple[IAgent, HTTPConnectionPool]:
    """An agent that keeps its connections, and the pool to close them by."""
    pool = HTTPConnectionPool(reactor)
    # Discord's edge drops idle connections after a minute or more; ours go before.
    pool.cachedConnectionTimeout = 45
    return Agent(reactor, VerifiedTLS(), connectTimeout=connect_timeout, pool=pool), pool


def read_body(response: IResponse, limit: int) -> Deferred[bytes]:
    """The answer's body; fails with BodyTooLong beyond ``limit`` bytes, and hangs up."""
    reader = _BodyReader(limit)
    response.deliverBody(reader)
    return reader.finished


class _BodyReader(Protocol):
    def __init__(self, limit: int) -> None:
        self.finished: Deferred[bytes] = Deferred(self._cancelled)
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def dataReceived(self, data: bytes) -> None:
        self._size += len(data)
        self._parts.append(data)
        if self._size > self._limit and not self.finished.called:
            self._hang_up()
            self.finished.errback(BodyTooLong(BodyTooLong.__doc__))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.finished.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.finished.callback(b"".join(self._parts))
        else:
            self.finished.errback(reason)

    def _cancelled(self, _: Deferred[bytes]) -> None:
        self._hang_up()

    def _hang_up(self) -> None:
        self._parts.clear()
        if self.transport is not None:
            self.transport.loseConnection()
