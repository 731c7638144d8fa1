"""Tests of TLS as a client, over real sockets on loopback."""

from __future__ import annotations

import os
from pathlib import Path
from shutil import copyfile
from typing import Any

from OpenSSL import SSL
from twisted.internet import defer, endpoints, protocol
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import CertificateOptions
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import ResponseNeverReceived
from zope.interface.verify import verifyObject

from rateway.errors import ConfigError
from rateway.tls import CertificateRefused, client_endpoint, client_options, explain, read_authorities
from tests.support.certificates import Certificates, Pair, make_certificates, server_context
from tests.support.waiting import PATIENCE


class Server(protocol.Protocol):
    """Sends a word to whoever gets through the handshake, and notes what it hears."""

    def __init__(self, heard: list[bytes], lost: defer.Deferred[None]) -> None:
        self.heard, self.lost = heard, lost

    def connectionMade(self) -> None:
        self.transport.write(b"welcome")  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        self.heard.append(data)

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        self.lost.callback(None)


class ServerFactory(protocol.Factory):
    """Makes servers that share what they heard.

    :ivar lost: for each connection, fires when it is gone.
    """

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.lost: list[defer.Deferred[None]] = []

    def buildProtocol(self, addr: object) -> Server:
        lost: defer.Deferred[None] = defer.Deferred()
        self.lost.append(lost)
        return Server(self.heard, lost)


class Client(protocol.Protocol):
    """Writes a secret at once; ``outcome`` fires with the server's word, or fails with why it never came."""

    def __init__(self) -> None:
        self.outcome: defer.Deferred[bytes] = defer.Deferred()
        self.word = b""

    def connectionMade(self) -> None:
        self.transport.write(b"secret")  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        self.word += data
        self.transport.loseConnection()  # type: ignore[union-attr]

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        if self.word:
            self.outcome.callback(self.word)
        else:
            self.outcome.errback(reason)


class HandshakeTests(TestCase):
    """What is accepted, and what is refused."""

    timeout = 300
    certificates: Certificates

    def setUp(self) -> None:
        self.certificates = make_certificates(Path(self.mktemp()))
        self.factory = ServerFactory()

    async def listen(self, context: CertificateOptions | None) -> int:
        """Start a server with this certificate, or without TLS; its port."""
        from twisted.internet import reactor

        endpoint: Any = endpoints.TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        if context is not None:
            endpoint = endpoints.wrapServerTLS(context, endpoint)
        port = await endpoint.listen(self.factory)
        self.addCleanup(lambda: defer.gatherResults(self.factory.lost))
        self.addCleanup(port.stopListening)
        return int(port.getHost().port)

    async def talk(self, port: int, host: str = "localhost", ca_file: Path | None = None) -> bytes:
        """Connect by TLS and wait for the server's word."""
        from twisted.internet import reactor

        client = Client()
        endpoint = client_endpoint(reactor, host, port, tls=True, ca_file=ca_file, timeout=PATIENCE)
        await endpoints.connectProtocol(endpoint, client)
        return await client.outcome

    async def refusal(self, pair: Pair, host: str = "localhost", ca_file: Path | None = None) -> str:
        """The sentence by which a server with this certificate is refused; no secret may have reached it."""
        port = await self.listen(server_context(pair))
        try:
            await self.talk(port, host, ca_file or self.certificates.authority)
        except CertificateRefused:
            sentence = explain(Failure())
            assert sentence is not None
            self.assertEqual(self.factory.heard, [])
            return sentence
        return self.fail("the server was believed")

    async def test_good(self) -> None:
        """A certificate for the host, signed by the authority given, is accepted."""
        port = await self.listen(server_context(self.certificates.good))
        self.assertEqual(await self.talk(port, "localhost", self.certificates.authority), b"welcome")

    async def test_good_by_address(self) -> None:
        """A host given by address is accepted if the certificate bears the address."""
        port = await self.listen(server_context(self.certificates.good))
        self.assertEqual(await self.talk(port, "127.0.0.1", self.certificates.authority), b"welcome")

    async def test_self_signed_as_its_own_authority(self) -> None:
        """A self-signed certificate is accepted where the operator gives that very certificate."""
        port = await self.listen(server_context(self.certificates.self_signed))
        self.assertEqual(await self.talk(port, "localhost", self.certificates.self_signed.certificate), b"welcome")

    async def test_system_authorities_from_environment(self) -> None:
        """Without a file of authorities the system's count, and SSL_CERT_FILE replaces them."""
        before = dict(os.environ)
        self.addCleanup(os.environ.update, before)
        self.addCleanup(os.environ.clear)
        os.environ["SSL_CERT_FILE"] = str(self.certificates.authority)
        port = await self.listen(server_context(self.certificates.good))
        self.assertEqual(await self.talk(port), b"welcome")

    async def test_system_authorities_do_not_know_ours(self) -> None:
        """Without a file of authorities, a private one is refused, with the two ways to name it."""
        port = await self.listen(server_context(self.certificates.good))
        refused = await self.assertFailure(defer.ensureDeferred(self.talk(port)), CertificateRefused)
        self.assertIn("AMQP_CA", str(refused))
        self.assertIn("SSL_CERT_FILE", str(refused))

    async def test_wrong_name(self) -> None:
        """A certificate for other hosts is refused, and the sentence says for which it is."""
        sentence = await self.refusal(self.certificates.wrong_name)
        self.assertIn("the certificate of localhost is for elsewhere.example, 192.0.2.1:", sentence)

    async def test_wrong_address(self) -> None:
        """A host given by address is refused if the certificate bears another address."""
        sentence = await self.refusal(self.certificates.wrong_name, "127.0.0.1")
        self.assertIn("the certificate of 127.0.0.1 is for elsewhere.example", sentence)

    async def test_address_not_in_certificate(self) -> None:
        """A host given by address is refused if the certificate bears names only."""
        sentence = await self.refusal(self.certificates.name_only, "127.0.0.1")
        self.assertIn("the certificate of 127.0.0.1 is for localhost:", sentence)

    async def test_nameless(self) -> None:
        """A certificate with the host in its subject alone is refused: it proves no name."""
        self.assertIn("no subjectAltName", await self.refusal(self.certificates.nameless))

    async def test_wrong_purpose(self) -> None:
        """A certificate made for clients is refused from a server, with OpenSSL's number for those who look it up."""
        self.assertIn("OpenSSL's verification error 26", await self.refusal(self.certificates.wrong_purpose))

    async def test_unknown_authority(self) -> None:
        """A certificate of another authority is refused, and the sentence names the file of ours."""
        sentence = await self.refusal(self.certificates.unknown_authority)
        self.assertIn(f"not signed by the authority in {self.certificates.authority}", sentence)

    async def test_self_signed(self) -> None:
        """A self-signed certificate is refused if it isn't the operator's own."""
        self.assertIn("not signed by the authority", await self.refusal(self.certificates.self_signed))

    async def test_expired(self) -> None:
        """An expired certificate is refused, and the sentence says since when."""
        self.assertRegex(
            await self.refusal(self.certificates.expired), r"^the certificate of localhost expired on \d{4}-\d\d-\d\d:"
        )

    async def test_not_yet_valid(self) -> None:
        """A certificate of the future is refused, and the sentence suspects the clock."""
        self.assertIn("clock", await self.refusal(self.certificates.future))

    async def test_no_tls_there(self) -> None:
        """A port that speaks no TLS is told apart from a bad certificate."""
        port = await self.listen(None)
        error = await self.assertFailure(
            defer.ensureDeferred(self.talk(port, ca_file=self.certificates.authority)), SSL.Error
        )
        self.assertIn("speaks no TLS on this port", explain(Failure(error)) or "")

    async def test_old_tls(self) -> None:
        """A server that can do no better than TLS 1.1 is refused."""
        context = server_context(self.certificates.good)
        inner = context.getContext()
        inner.set_options(SSL.OP_NO_TLSv1_2 | SSL.OP_NO_TLSv1_3)
        inner.set_cipher_list(b"ALL:@SECLEVEL=0")
        port = await self.listen(context)
        error = await self.assertFailure(
            defer.ensureDeferred(self.talk(port, ca_file=self.certificates.authority)), SSL.Error
        )
        self.assertIn("TLS older than 1.2", explain(Failure(error)) or "")

    async def test_client_certificate_demanded(self) -> None:
        """A server that wants a client's certificate is answered with how to turn that off."""
        context = server_context(self.certificates.good)
        context.getContext().set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: False)
        port = await self.listen(context)
        error = await self.assertFailure(
            defer.ensureDeferred(self.talk(port, ca_file=self.certificates.authority)), SSL.Error
        )
        self.assertIn("fail_if_no_peer_cert", explain(Failure(error)) or "")

    async def test_new_authority_in_the_same_file(self) -> None:
        """When the operator renews the authority's file, the next connection goes by the new one."""
        certificates, file = self.certificates, Path(self.mktemp())
        copyfile(certificates.other_authority, file)
        port = await self.listen(server_context(certificates.good))
        await self.assertFailure(defer.ensureDeferred(self.talk(port, ca_file=file)), CertificateRefused)
        os.replace(copyfile(certificates.authority, self.mktemp()), file)
        self.assertEqual(await self.talk(port, ca_file=file), b"welcome")

    async def test_plain(self) -> None:
        """Without TLS, the endpoint is a plain one."""
        from twisted.internet import reactor

        port = await self.listen(None)
        client = Client()
        await endpoints.connectProtocol(client_endpoint(reactor, "127.0.0.1", port, tls=False), client)
        self.assertEqual(await client.outcome, b"welcome")
        self.assertEqual(self.factory.heard, [b"secret"])


class OptionsTests(SynchronousTestCase):
    """What can be wrong before any connection."""

    def test_interface(self) -> None:
        """The options fit wherever Twisted takes TLS options."""
        verifyObject(IOpenSSLClientConnectionCreator, client_options("gateway.discord.gg"))

    def test_no_host_name(self) -> None:
        """A name that no certificate can bear is refused before connecting."""
        for name in ("", "a b", "12345"):
            self.assertRaises(ConfigError, client_options, name)

    def test_international_name(self) -> None:
        """A name with other letters than ASCII's is taken in its encoded form."""
        options: Any = client_options("brücke.example")
        self.assertEqual(options._identity.hostname, b"xn--brcke-lva.example")

    def test_rooted_name(self) -> None:
        """A name with the root's dot at its end is the same name."""
        options: Any = client_options("localhost.")
        self.assertEqual(options._identity.hostname, b"localhost")

    def test_missing_file(self) -> None:
        """A file of authorities that isn't there is said so."""
        error = self.assertRaises(ConfigError, client_options, "localhost", Path("/nowhere/ca.pem"))
        self.assertEqual(
            str(error),
            "the file /nowhere/ca.pem can't be read (No such file or directory): give the authority's PEM file",
        )

    def test_key_instead_of_certificate(self) -> None:
        """A private key in place of the certificate is refused, and nothing of it is repeated."""
        made = make_certificates(Path(self.mktemp()))
        error = self.assertRaises(ValueError, read_authorities, made.good.key)
        self.assertIn("not its key", str(error))
        self.assertEqual(len(read_authorities(made.authority)), 1)

    def test_timeout(self) -> None:
        """A host that doesn't answer is given up after the timeout."""
        reactor = MemoryReactorClock()
        connecting = client_endpoint(reactor, "127.0.0.1", 5671, tls=True, timeout=7).connect(protocol.Factory())
        reactor.advance(0.1)
        host, port, _, timeout, _ = reactor.tcpClients[0]
        self.assertEqual((host, port, timeout), ("127.0.0.1", 5671, 7))
        self.assertNoResult(connecting)


class ExplainTests(SynchronousTestCase):
    """Failures into sentences."""

    def test_other_failures(self) -> None:
        """What has nothing to do with TLS is not explained."""
        self.assertIsNone(explain(Failure(ConnectionLost())))
        self.assertIsNone(explain(Failure(SSL.SysCallError(104, "ECONNRESET"))))

    def test_wrapped_by_http(self) -> None:
        """The reason is found inside of what an HTTP client raises."""
        wrapped = ResponseNeverReceived([Failure(CertificateRefused("not theirs"))])
        self.assertEqual(explain(Failure(wrapped)), "not theirs")

    def test_caused(self) -> None:
        """The reason is found as the cause of another error."""
        error = RuntimeError("request failed")
        error.__cause__ = CertificateRefused("not theirs")
        self.assertEqual(explain(Failure(error)), "not theirs")

    def test_unknown_reason(self) -> None:
        """A reason without a sentence of its own is given as OpenSSL gives it."""
        self.assertEqual(
            explain(Failure(SSL.Error([("SSL routines", "", "bad record mac")]))), "TLS failed: bad record mac"
        )
        self.assertEqual(explain(Failure(SSL.Error([]))), "TLS failed: OpenSSL gives no reason")
