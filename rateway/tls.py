"""TLS as a client: who is on the other end is always verified, and a refusal is told in a sentence.

The certificate's chain is checked by OpenSSL, the host name or address by service-identity, both while the
handshake runs, so that not a byte of a secret is written to a stranger. OpenSSL's own error says only
"certificate verify failed"; here the reason is noted where it is known, in the verification callback.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import field, frozen
from cryptography import x509
from OpenSSL import SSL, crypto
from service_identity import CertificateError, VerificationError
from service_identity.hazmat import DNS_ID, DNSPattern, IPAddress_ID, IPAddressPattern, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint
from twisted.internet.ssl import Certificate, CertificateOptions, platformTrust, trustRootFromCertificates
from twisted.python.failure import Failure
from zope.interface import implementer

from .errors import ConfigError, RatewayError

if TYPE_CHECKING:
    from twisted.protocols.tls import TLSMemoryBIOProtocol

_NOT_YET_VALID, _EXPIRED = 9, 10
_UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21, 27})

_HANDSHAKES = {
    "wrong version number": "the other end speaks no TLS on this port: use the TLS port, or a URI without TLS",
    "packet length too long": "the other end speaks no TLS on this port: use the TLS port, or a URI without TLS",
    "unsupported protocol": "the other end speaks only TLS older than 1.2: upgrade it",
    "tlsv1 alert protocol version": "the other end speaks only TLS older than 1.2: upgrade it",
    "tlsv13 alert certificate required": "the other end demands a client's certificate, and rateway has none: "
    "let it accept clients without one (RabbitMQ: ssl_options.fail_if_no_peer_cert = false)",
}


class CertificateRefused(RatewayError):
    """The other end's certificate doesn't prove that it is the host we meant."""


def read_authorities(path: Path) -> list[Certificate]:
    """The certificates of a PEM file.

    :raises ValueError: with the reason, if the file can't be read or holds none.
    """
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise ValueError(f"the file {path} can't be read ({error.strerror}): give the authority's PEM file") from None
    except ValueError:
        raise ValueError(
            f"the file {path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----): "
            "give the certificate of the authority, not its key"
        ) from None
    return [Certificate(crypto.X509.from_cryptography(certificate)) for certificate in found]


def client_options(hostname: str, ca_file: Path | None = None) -> IOpenSSLClientConnectionCreator:
    """TLS 1.2 or newer, to that host and no other.

    :param hostname: a DNS name, or an IP address (the certificate must then bear the address).
    :param ca_file: PEM file of the only authorities trusted; ``None`` is the system's, as OpenSSL finds them
        (SSL_CERT_FILE and SSL_CERT_DIR in the environment are honoured).
    :raises ConfigError: if the name is none, or the file can't be used.
    """
    try:
        identity = _identity(hostname)
    except ValueError:
        raise ConfigError(f"{hostname!r} is no host name that a certificate could be issued for") from None
    return _VerifiedClient(hostname, identity, ca_file, _context(ca_file, _stamp(ca_file)))


def client_endpoint(
    reactor: Any, host: str, port: int, *, tls: bool, ca_file: Path | None = None, timeout: float = 10.0
) -> IStreamClientEndpoint:
    """Where to connect to, with TLS or without.

    It connects when TCP does, within ``timeout`` seconds: the handshake runs after that, and its failure is the
    reason of ``connectionLost`` (see :func:`explain`). Who needs the handshake to end in time sets a timer.
    """
    plain = HostnameEndpoint(reactor, host, port, timeout=timeout)
    if not tls:
        return plain
    return wrapClientTLS(client_options(host, ca_file), plain, clock=reactor)


def explain(failure: Failure) -> str | None:
    """A sentence for the operator if TLS is why a connection failed; ``None`` if it isn't."""
    for error in _causes(failure.value):
        if isinstance(error, CertificateRefused):
            return str(error)
        if isinstance(error, SSL.Error) and error.args and isinstance(error.args[0], list):
            reasons = [str(entry[-1]) for entry in error.args[0] if entry]
            known = next((_HANDSHAKES[reason] for reason in reasons if reason in _HANDSHAKES), None)
            return known or f"TLS failed: {', '.join(reasons) or 'OpenSSL gives no reason'}"
    return None


@implementer(IOpenSSLClientConnectionCreator)
@frozen
class _VerifiedClient:
    """Makes the connections to one host."""

    hostname: str
    _identity: DNS_ID | IPAddress_ID
    _ca_file: Path | None
    _context: SSL.Context = field(repr=False)

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        if isinstance(self._identity, DNS_ID):
            # Only names: an address is not allowed here (RFC 6066, section 3).
            connection.set_tlsext_host_name(self._identity.hostname)
        mode = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
        connection.set_verify(mode, self._verification(tlsProtocol))
        return connection

    def _verification(self, tlsProtocol: TLSMemoryBIOProtocol) -> Callable[..., bool]:
        # Weak, for OpenSSL keeps the callback and the protocol keeps the connection.
        protocol = weakref.ref(tlsProtocol)

        def verify(_: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int) -> bool:
            # An exception here is a refusal too: pyOpenSSL then answers for us.
            reason = self._objection(certificate, error, depth, bool(ok))
            if reason is None:
                return True
            tls = protocol()
            if tls is not None:
                tls.failVerification(Failure(CertificateRefused(reason)))
            return False

        return verify

    def _objection(self, certificate: crypto.X509, error: int, depth: int, ok: bool) -> str | None:
        """Why not; ``None`` if this certificate of the chain is as it should be."""
        if not ok:
            return _chain_objection(self.hostname, certificate, error, depth, self._ca_file)
        if depth:
            return None
        try:
            patterns = extract_patterns(certificate)
            verify_service_identity(patterns, [self._identity], [])
        except (VerificationError, CertificateError):
            return _name_objection(self.hostname, certificate)
        return None


def _chain_objection(hostname: str, certificate: crypto.X509, error: int, depth: int, ca_file: Path | None) -> str:
    subject = f"the certificate of {hostname}" if depth == 0 else f"the authority behind the certificate of {hostname}"
    dates = certificate.to_cryptography()
    if error == _EXPIRED:
        return f"{subject} expired on {dates.not_valid_after_utc:%Y-%m-%d}: renew it, or set this machine's clock right"
    if error == _NOT_YET_VALID:
        return f"{subject} is valid only from {dates.not_valid_before_utc:%Y-%m-%d}: set this machine's clock right"
    if error in _UNKNOWN_AUTHORITY:
        if ca_file is not None:
            return f"the certificate of {hostname} is not signed by the authority in {ca_file}: give the one that did"
        return (
            f"the certificate of {hostname} is signed by an authority this machine doesn't trust: install the "
            "authority's certificate, or name its file in AMQP_CA (the broker) or SSL_CERT_FILE (Discord)"
        )
    return f"{subject} can't be used for TLS (OpenSSL's verification error {error}): have it issued anew"


def _name_objection(hostname: str, certificate: crypto.X509) -> str:
    names = _names(certificate)
    if not names:
        return f"the certificate of {hostname} names no host (it has no subjectAltName): have it issued with one"
    listed = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return f"the certificate of {hostname} is for {listed}: connect by a name in it, or have it issued for this one"


def _names(certificate: crypto.X509) -> list[str]:
    """The hosts a certificate is for, fit for a log line."""
    try:
        patterns = extract_patterns(certificate)
    except CertificateError:
        return []
    names = [p.pattern.decode("ascii", "replace") for p in patterns if isinstance(p, DNSPattern)]
    names += [str(p.pattern) for p in patterns if isinstance(p, IPAddressPattern)]
    return ["".join(c if c.isprintable() else "?" for c in name[:80]) for name in names]


def _identity(hostname: str) -> DNS_ID | IPAddress_ID:
    try:
        return IPAddress_ID(hostname)
    except ValueError:
        return DNS_ID(hostname.rstrip("."))


@lru_cache(maxsize=8)
def _context(ca_file: Path | None, stamp: object) -> SSL.Context:
    """One for all connections with the same authorities: reading the system's takes milliseconds and memory."""
    if ca_file is None:
        return CertificateOptions(trustRoot=platformTrust()).getContext()
    try:
        authorities = read_authorities(ca_file)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    context = CertificateOptions(trustRoot=trustRootFromCertificates(authorities)).getContext()
    # The operator's file is trusted as it stands: the authority in it need not be a root.
    store = context.get_cert_store()
    assert store is not None, "CertificateOptions was given a trust root"
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    return context


def _stamp(ca_file: Path | None) -> object:
    """Changes when the authorities do."""
    if ca_file is None:
        return os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    try:
        status = ca_file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what is wrapped in it: treq's and Twisted's HTTP client hold a list of failures."""
    pending, seen = [error], 0
    while pending and seen < 32:
        current = pending.pop(0)
        if current is None:
            continue
        seen += 1
        yield current
        pending += [reason.value for reason in getattr(current, "reasons", ()) if isinstance(reason, Failure)]
        pending.append(current.__cause__)
