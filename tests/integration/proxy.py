"""A server between rateway and another one, with TLS of its own or without: what a certificate is tried on."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ServerEndpoint
from twisted.internet.interfaces import IListeningPort
from twisted.protocols.portforward import ProxyFactory, ProxyServer

from scripts.ports import free_ports
from tests.support.certificates import Pair, server_context


class _Factory(ProxyFactory):
    noisy = False
    proxy: Proxy


class _Passing(ProxyServer):
    """One connection. What TLS doesn't let through never comes here."""

    factory: _Factory

    def connectionMade(self) -> None:
        self.factory.proxy.connections += 1
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        self.factory.proxy.passed += data
        if not self.factory.proxy.frozen:
            super().dataReceived(data)


class Proxy:
    """Listens on 127.0.0.1, and passes on what it hears.

    :ivar port: where it listens.
    :ivar connections: how many came so far, whether TLS succeeded or not.
    :ivar passed: all that clients said, after TLS.
    :ivar frozen: while it is set, what clients say is swallowed: the server seems to hang.
    """

    def __init__(self, reactor: Any, target_port: int) -> None:
        self._reactor = reactor
        self._factory = _Factory("127.0.0.1", target_port)
        self._factory.protocol = _Passing
        self._factory.proxy = self
        self._listening: IListeningPort | None = None
        self.port = 0
        self.connections = 0
        self.frozen = False
        self.passed = bytearray()

    async def listen(self, pair: Pair | None = None, port: int = 0) -> None:
        """Take connections, by TLS where there is a certificate for it."""
        # Not one that the kernel chooses: it might give it to somebody else while nobody listens here.
        port = port or self.port or free_ports(1)[0]
        if pair is None:
            endpoint: Any = TCP4ServerEndpoint(self._reactor, port, interface="127.0.0.1")
        else:
            endpoint = SSL4ServerEndpoint(self._reactor, port, server_context(pair), interface="127.0.0.1")
        listening = self._listening = await endpoint.listen(self._factory)
        self.port = listening.getHost().port

    async def close(self) -> None:
        """Take no more connections; those that stand are kept."""
        listening, self._listening = self._listening, None
        if listening is not None:
            await maybeDeferred(listening.stopListening)

    def in_front_of(self, uri: str, scheme: str, host: str = "localhost") -> str:
        """The URI of the server behind, as it is reached through here."""
        parts = urlsplit(uri)
        user = parts.netloc.rpartition("@")[0]
        return parts._replace(
            scheme=scheme, netloc=f"{user}@{host}:{self.port}" if user else f"{host}:{self.port}"
        ).geturl()


def ssl_endpoint(pair: Pair, port: int = 0) -> str:
    """A server with this certificate, as a Twisted endpoint string."""
    return f"ssl:{port}:interface=127.0.0.1:privateKey={_escaped(pair.key)}:certKey={_escaped(pair.certificate)}"


def _escaped(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace(":", "\\:")
