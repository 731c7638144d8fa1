"""Certificates for tests over TLS: one that is right, and one for each thing that can be wrong.

All are made anew in a folder of the test's; keys are elliptic, so that this takes milliseconds.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import crypto
from twisted.internet.ssl import CertificateOptions

_HOST = (x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1")), x509.IPAddress(ip_address("::1")))


@frozen
class Pair:
    """A server's certificate and its private key, as PEM files."""

    certificate: Path
    key: Path


@frozen
class Certificates:
    """All that :func:`make_certificates` made.

    :ivar authority: the certificate that clients are told to trust; it signed all but two of the others.
    :ivar other_authority: one that nobody is told to trust.
    :ivar good: for ``localhost``, 127.0.0.1 and ::1.
    :ivar wrong_name: for ``elsewhere.example`` and 192.0.2.1.
    :ivar unknown_authority: as ``good``, signed by the other authority.
    :ivar expired: as ``good``, until the day before yesterday.
    :ivar future: as ``good``, from the day after tomorrow.
    :ivar name_only: for ``localhost``, but no address.
    :ivar nameless: has the host in its subject alone, without a subjectAltName.
    :ivar wrong_purpose: as ``good``, but for clients only.
    :ivar self_signed: as ``good``, signed by itself.
    """

    authority: Path
    other_authority: Path
    good: Pair
    wrong_name: Pair
    unknown_authority: Pair
    expired: Pair
    future: Pair
    name_only: Pair
    nameless: Pair
    wrong_purpose: Pair
    self_signed: Pair


def make_certificates(folder: Path) -> Certificates:
    """Make them all in a folder, which is made too if it isn't there."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    trusted, stranger = _Authority.make("rateway tests"), _Authority.make("a stranger")
    elsewhere = (x509.DNSName("elsewhere.example"), x509.IPAddress(ip_address("192.0.2.1")))
    long_ago, past, future = now - timedelta(days=9), now - timedelta(days=2), now + timedelta(days=2)
    return Certificates(
        authority=trusted.save(folder / "authority.pem"),
        other_authority=stranger.save(folder / "other-authority.pem"),
        good=trusted.issue(folder / "good", _HOST),
        wrong_name=trusted.issue(folder / "wrong-name", elsewhere),
        unknown_authority=stranger.issue(folder / "unknown-authority", _HOST),
        expired=trusted.issue(folder / "expired", _HOST, begins=long_ago, ends=past),
        future=trusted.issue(folder / "future", _HOST, begins=future, ends=now + timedelta(days=9)),
        name_only=trusted.issue(folder / "name-only", (x509.DNSName("localhost"),)),
        nameless=trusted.issue(folder / "nameless", ()),
        wrong_purpose=trusted.issue(folder / "wrong-purpose", _HOST, purpose=ExtendedKeyUsageOID.CLIENT_AUTH),
        self_signed=_self_signed(folder / "self-signed"),
    )


def server_context(pair: Pair) -> CertificateOptions:
    """What a Twisted TLS server presents itself with: for ``listenSSL``, ``wrapServerTLS``, ``SSL4ServerEndpoint``."""
    key = crypto.load_privatekey(crypto.FILETYPE_PEM, pair.key.read_bytes())
    certificate = crypto.load_certificate(crypto.FILETYPE_PEM, pair.certificate.read_bytes())
    return CertificateOptions(privateKey=key, certificate=certificate)


@frozen
class _Authority:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, name: str) -> _Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(name, key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        return cls(key, builder.issuer_name(_name(name)).sign(key, hashes.SHA256()))

    def save(self, path: Path) -> Path:
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def issue(
        self,
        stem: Path,
        names: tuple[x509.GeneralName, ...],
        *,
        begins: datetime | None = None,
        ends: datetime | None = None,
        purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _for_use(_builder("localhost", key, begins, ends), names, purpose)
        return _save(stem, key, builder.issuer_name(self.certificate.subject).sign(self.key, hashes.SHA256()))


def _self_signed(stem: Path) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _for_use(_builder("localhost", key), _HOST, ExtendedKeyUsageOID.SERVER_AUTH).issuer_name(
        _name("localhost")
    )
    return _save(stem, key, builder.sign(key, hashes.SHA256()))


def _builder(
    name: str, key: ec.EllipticCurvePrivateKey, begins: datetime | None = None, ends: datetime | None = None
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins or now - timedelta(days=1))
        .not_valid_after(ends or now + timedelta(days=1))
    )


def _for_use(
    builder: x509.CertificateBuilder, names: tuple[x509.GeneralName, ...], purpose: x509.ObjectIdentifier
) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    return builder.add_extension(x509.SubjectAlternativeName(names), critical=False) if names else builder


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _save(stem: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> Pair:
    pair = Pair(stem.with_suffix(".pem"), stem.with_suffix(".key"))
    pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pair.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pair
