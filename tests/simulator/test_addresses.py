"""Where a simulator listens, in plain TCP and over TLS."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path
from typing import Any

import treq
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet.defer import Deferred
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS

from rateway.simulator.endpoints import at_address
from rateway.simulator.options import SimulatorOptions
from rateway.simulator.simulator import Simulator
from tests.simulator.client import SimulatorTestCase, the_reactor


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for both addresses, signed by itself, and its key."""
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "simulator")])
    now = datetime.datetime.now(datetime.UTC)
    addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "127.0.0.2")]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(addresses), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_file, key_file


class TlsTests(SimulatorTestCase):
    """A simulator behind TLS."""

    async def test_tls(self) -> None:
        """An ssl endpoint serves https and wss, on the resume host too."""
        cert_file, key_file = make_certificate(Path(self.mktemp()))
        simulator = Simulator(the_reactor(), SimulatorOptions())
        await simulator.start(f"ssl:0:interface=127.0.0.1:privateKey={key_file}:certKey={cert_file}")
        self.addCleanup(lambda: Deferred.fromCoroutine(simulator.stop()))
        self.assertTrue(simulator.api_url.startswith("https://127.0.0.1:"))
        self.assertTrue(simulator.gateway_url.startswith("wss://127.0.0.1:"))
        self.assertTrue(simulator.resume_url.startswith("wss://127.0.0.2:"))
        trust = trustRootFromCertificates([Certificate.loadPEM(cert_file.read_bytes())])
        client = treq.client.HTTPClient(Agent(the_reactor(), BrowserLikePolicyForHTTPS(trust)))
        for host in ("127.0.0.1", "127.0.0.2"):
            agent: dict[Any, Any] = {"User-Agent": "DiscordBot (x, 1)"}
            response = await client.get(f"https://{host}:{simulator.port}/api/v10/gateway", headers=agent)
            self.assertEqual((await treq.json_content(response))["url"], simulator.gateway_url)


class AddressTests(SimulatorTestCase):
    """Names and addresses."""

    async def test_names(self) -> None:
        """The names handed out can be chosen; a resume host that is no address is only announced."""
        simulator = await self.start(host="localhost", resume_host="resume.example.invalid", trailing_slash=True)
        port = simulator.port
        self.assertEqual(
            (simulator.api_url, simulator.gateway_url, simulator.resume_url),
            (f"http://localhost:{port}/api/v10", f"ws://localhost:{port}/", f"ws://resume.example.invalid:{port}/"),
        )
        client = await self.ready(simulator)
        self.assertEqual(client.all("READY")[0]["d"]["resume_gateway_url"], simulator.resume_url)

    async def test_same_host(self) -> None:
        """Without a resume host, sessions are resumed on the main one."""
        simulator = await self.start(resume_host="")
        self.assertEqual(simulator.resume_url, simulator.gateway_url)

    async def test_address_of_another_machine(self) -> None:
        """A resume host that can't be listened on falls back to the main one."""
        simulator = await self.start(resume_host="192.0.2.1")
        self.assertEqual(simulator.resume_url, simulator.gateway_url)

    async def test_stop_with_clients(self) -> None:
        """Stopping ends every connection."""
        simulator = await self.start()
        client = await self.ready(simulator)
        await simulator.stop()
        await client.end()
        self.assertEqual(simulator.hub.connections, {})


class EndpointTests(SynchronousTestCase):
    """The endpoint of the resume host."""

    def test_at_address(self) -> None:
        """All of the endpoint stays but address and port."""
        for given, wanted in (
            ("tcp:0:interface=127.0.0.1", "tcp:7:interface=127.0.0.2"),
            ("tcp:port=0", "tcp:7:interface=127.0.0.2"),
            ("ssl:443:privateKey=a\\:b:certKey=c", "ssl:7:privateKey=a\\:b:certKey=c:interface=127.0.0.2"),
        ):
            self.assertEqual(at_address(given, "127.0.0.2", 7), wanted)
