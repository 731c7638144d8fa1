"""AMQP_URI taken apart (RabbitMQ's docs, "URI Specification" and "URI Query Parameters")."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote

from attrs import field, frozen

from rateway.errors import ConfigError

_PORTS = {"amqp": 5672, "amqps": 5671}


def _wrong(what: str) -> ConfigError:
    return ConfigError(f"AMQP_URI {what}; it looks like amqp://user:password@host:5672/vhost, or amqps://…")


@frozen
class BrokerAddress:
    """Where the broker is and who we are to it.

    :ivar tls: ``amqps``.
    :ivar heartbeat: seconds between heartbeats we ask for; 0 turns them off.
    :ivar connection_timeout: seconds for TCP and TLS, and again for the handshake.
    """

    host: str
    port: int = 5672
    tls: bool = False
    user: str = "guest"
    password: str = field(default="guest", repr=False)
    vhost: str = "/"
    heartbeat: int = 20
    connection_timeout: float = 10.0

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'amqps' if self.tls else 'amqp'}://{self.user}@{host}:{self.port} (vhost {self.vhost!r})"


def _decoded(part: str, what: str) -> str:
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError:
        raise _wrong(f"has a {what} that isn't percent-encoded UTF-8") from None


def _split_host(text: str, default_port: int) -> tuple[str, int]:
    """The host, without the brackets of an IPv6 address, and the port."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise _wrong("has an IPv6 address without a closing bracket")
        port = rest[1:]
    else:
        host, _, port = text.partition(":")
    if not port:
        return _decoded(host, "host") or "localhost", default_port
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise _wrong("has a port that is no number from 1 to 65535 (is a : or @ in the password not percent-encoded?)")
    return _decoded(host, "host") or "localhost", int(port)


def _seconds(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 6):
        raise _wrong(f"has a {name} that is no whole number of seconds")
    return int(value)


def parse_uri(text: str) -> BrokerAddress:
    """The address an AMQP URI names; user, password and vhost are percent-decoded.

    No path is the vhost ``/``; so is a lone slash, which is what most people mean by it.
    ``heartbeat`` (seconds) and ``connection_timeout`` (milliseconds) are taken from the query, other parameters are
    for other clients.

    :raises ConfigError: naming the variable and what is wrong, never the password.
    """
    scheme, separator, rest = text.strip().partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _PORTS:
        raise _wrong("must begin with amqp:// or amqps://")
    rest, _, query = rest.partition("#")[0].partition("?")
    authority, _, path = rest.partition("/")
    login, at, hostport = authority.rpartition("@")
    user, colon, password = login.partition(":")
    if "/" in path:
        raise _wrong(
            "has more than one / after the host: a slash in the vhost's name, or in a password, is written %2F"
        )
    host, port = _split_host(hostport, _PORTS[scheme])
    if any(character.isspace() or ord(character) < 32 for character in host) or "@" in login:
        raise _wrong("has a host or login that can't be read: special characters in a password are percent-encoded")
    heartbeat, timeout = 20, 10.0
    for name, value in parse_qsl(query):
        if name == "heartbeat":
            heartbeat = min(_seconds(name, value), 65535)
        elif name == "connection_timeout":
            timeout = max(_seconds(name, value) / 1000, 0.001)
    return BrokerAddress(
        host=host,
        port=port,
        tls=scheme == "amqps",
        user=_decoded(user, "user") if at else "guest",
        password=_decoded(password, "password") if at and colon else "guest" if not at else "",
        vhost=_decoded(path, "vhost") or "/",
        heartbeat=heartbeat,
        connection_timeout=timeout,
    )
