"""TLS to Discord and to the broker: right certificates work end to end, and nothing is said to a stranger.

A wrong certificate is the world's fault and may be mended there: it is told, and tried again.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from rateway.simulator.simulator import Simulator
from tests.support.certificates import Pair, make_certificates

from .harness import WorldTestCase
from .program import Program
from .proxy import Proxy, ssl_endpoint

CERTIFICATE = "the certificate of localhost "


class TlsTestCase(WorldTestCase):
    """Certificates, and servers that show them."""

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        made = self.certificates = make_certificates(self.folder / "certificates")
        self.wrong: tuple[tuple[Pair, str], ...] = (
            (made.wrong_name, "is for elsewhere.example"),
            (made.unknown_authority, "is signed by an authority this machine doesn't trust"),
            (made.expired, "expired on "),
        )

    async def proxy(self, uri: str, pair: Pair) -> Proxy:
        """A server with that certificate, in front of another one."""
        proxy = Proxy(self.reactor, urlsplit(uri).port or 0)
        await proxy.listen(pair)
        self.addCleanup(proxy.close)
        return proxy

    async def mend(self, proxy: Proxy) -> None:
        """The certificate is replaced by a right one."""
        await proxy.close()
        await proxy.listen(self.certificates.good)

    def lines(self, program: Program, *words: str) -> list[str]:
        """What was said with all of these words."""
        return [line for line in program.lines if all(word in line for word in words)]


class DiscordTests(TlsTestCase):
    """https and wss; the authority is given by SSL_CERT_FILE."""

    async def over_tls(self, pair: Pair, port: int = 0) -> Simulator:
        """A Discord by the name of localhost, with this certificate."""
        return await self.simulator(
            endpoint=ssl_endpoint(pair, port), host="localhost", resume_host="localhost", guilds=2
        )

    async def test_good(self) -> None:
        """REST and gateway of a server that is who it says: events flow, a lost session is resumed."""
        simulator = await self.over_tls(self.certificates.good)
        self.assertEqual((simulator.api_url[:17], simulator.gateway_url[:15]), ("https://localhost", "wss://localhost"))
        worker = await self.worker(1)
        self.rateway(simulator, SSL_CERT_FILE=self.certificates.authority)
        await self.all_active(simulator, 1)
        await self.until(lambda: worker.names().count("GUILD_CREATE") == 2, "the guilds")
        simulator.drop(0, "rst")
        body = b'["' + b"x" * 100_000 + b'"]'
        simulator.dispatch(0, "TEST", body)
        await self.until(lambda: "RESUMED" in worker.names(), "the resume")
        self.assertEqual([event.body for event in worker.events if event.key == "TEST"], [body])

    async def test_wrong_at_rest(self) -> None:
        """Wrong name, unknown authority, expired: each is told once, rateway waits, and no request leaves."""
        for number, (pair, words) in enumerate(self.wrong):
            simulator = await self.simulator()
            proxy = await self.proxy(simulator.api_url, pair)
            program = self.rateway(
                simulator,
                DISCORD_API_URL=proxy.in_front_of(simulator.api_url, "https"),
                SSL_CERT_FILE=self.certificates.authority,
                STATE_DIR=self.folder / str(number),
            )
            await program.until_said(CERTIFICATE + words)
            await self.until(lambda: proxy.connections >= 2, "another try")  # noqa: B023
            self.assertEqual(len(self.lines(program, "waiting for Discord")), 1, program.text)
            self.assertEqual(await program.stop(), 0)
            self.assertEqual((bytes(proxy.passed), simulator.rest.requests()), (b"", []))

    async def test_mended_at_rest(self) -> None:
        """As soon as the certificate is right, the start goes on."""
        simulator = await self.simulator()
        proxy = await self.proxy(simulator.api_url, self.certificates.expired)
        url = proxy.in_front_of(simulator.api_url, "https")
        program = self.rateway(simulator, DISCORD_API_URL=url, SSL_CERT_FILE=self.certificates.authority)
        await program.until_said("expired")
        await self.mend(proxy)
        await self.all_active(simulator, 1)

    async def test_authority_not_given(self) -> None:
        """Without SSL_CERT_FILE only the system's authorities count, and the line names the remedy."""
        simulator = await self.over_tls(self.certificates.good)
        program = self.rateway(simulator)
        await program.until_said("SSL_CERT_FILE")
        self.assertEqual(simulator.rest.requests(), [])

    async def test_wrong_at_the_gateway(self) -> None:
        """Wrong name, unknown authority, expired: each is told, tried again ever later, and no IDENTIFY leaves."""
        for number, (pair, words) in enumerate(self.wrong):
            simulator = await self.simulator()
            proxy = await self.proxy(simulator.api_url, pair)
            simulator.hub.addresses.gateway = proxy.in_front_of(simulator.gateway_url, "wss")
            program = self.rateway(
                simulator, SSL_CERT_FILE=self.certificates.authority, STATE_DIR=self.folder / str(number)
            )
            await program.until_said(CERTIFICATE + words)
            await self.until(lambda: self.lines(program, "shard 0", words), "a word of the shard's")  # noqa: B023
            await self.until(lambda: proxy.connections >= 3, "more tries")  # noqa: B023
            await program.until_said("the shards of cluster 1 can't connect to Discord")
            (warning,) = self.lines(program, " warn ", "the shards of cluster 1 can't connect to Discord")
            self.assertIn(words, warning)
            self.assertIsNone(program.exit_code)
            self.assertEqual(await program.stop(), 0)
            self.assertEqual((bytes(proxy.passed), simulator.connections), (b"", []))

    async def test_mended_at_the_gateway(self) -> None:
        """As soon as the certificate is right, shards connect, and resume through it too."""
        simulator = await self.simulator()
        proxy = await self.proxy(simulator.api_url, self.certificates.unknown_authority)
        url = proxy.in_front_of(simulator.gateway_url, "wss")
        simulator.hub.addresses.gateway = simulator.hub.addresses.resume = url
        program = self.rateway(simulator, SSL_CERT_FILE=self.certificates.authority)
        await program.until_said("authority")
        await self.mend(proxy)
        await self.all_active(simulator, 1)
        simulator.drop(0)
        await self.until(lambda: simulator.resumes and simulator.is_connected(0), "the resume")
        self.assertEqual(len(simulator.identifies), 1)


class BrokerTests(TlsTestCase):
    """amqps; the authority is given by AMQP_CA."""

    async def test_good(self) -> None:
        """The broker is who it says, by name or address: events go out, a query is answered."""
        for host in ("localhost", "127.0.0.1"):
            simulator = await self.simulator(guilds=1)
            proxy = await self.proxy(self.amqp, self.certificates.good)
            worker = await self.worker(1)
            program = self.rateway(
                simulator,
                AMQP_URI=proxy.in_front_of(self.amqp, "amqps", host),
                AMQP_CA=self.certificates.authority,
                STATE_DIR=self.folder / host,
            )
            await self.all_active(simulator, 1)
            await self.until(lambda: "GUILD_CREATE" in worker.names(), "the guild")  # noqa: B023
            guild = simulator.guild(0).id
            self.assertEqual((await worker.query(1, "Guild", guild))["id"], str(guild))
            self.assertEqual(await program.stop(), 0)
            await worker.close()

    async def test_wrong(self) -> None:
        """Wrong name, unknown authority, expired: each told once; no password and no IDENTIFY leaves."""
        for number, (pair, words) in enumerate(self.wrong):
            if pair is self.certificates.unknown_authority:
                words = f"is not signed by the authority in {self.certificates.authority}"
            await self.refused(pair, words, number, {"AMQP_CA": self.certificates.authority})

    async def test_authority_not_given(self) -> None:
        """Without AMQP_CA only the system's authorities count, and the line names the remedy."""
        await self.refused(self.certificates.good, "AMQP_CA", 0, {})

    async def test_mended(self) -> None:
        """As soon as the certificate is right, the shards start."""
        simulator = await self.simulator()
        proxy = await self.proxy(self.amqp, self.certificates.wrong_name)
        uri = proxy.in_front_of(self.amqp, "amqps")
        program = self.rateway(simulator, AMQP_URI=uri, AMQP_CA=self.certificates.authority)
        await program.until_said("elsewhere.example")
        await self.mend(proxy)
        await self.all_active(simulator, 1)

    async def test_no_tls_there(self) -> None:
        """amqps to a port that speaks plain AMQP, and the other way round: told, with the remedy."""
        simulator, proxy = await self.simulator(), await self.proxy(self.amqp, self.certificates.good)
        port = urlsplit(self.amqp).port
        plain = f"amqps{self.amqp.removeprefix('amqp')}"
        program = self.rateway(simulator, AMQP_URI=plain, AMQP_CA=self.certificates.authority)
        await program.until_said("no connection to the broker")
        self.assertTrue(self.lines(program, f":{port} ", "speaks no TLS"), program.text)
        self.assertEqual(await program.stop(), 0)
        program = self.rateway(simulator, AMQP_URI=proxy.in_front_of(self.amqp, "amqp"))
        await program.until_said("no connection to the broker")
        self.assertEqual(bytes(proxy.passed), b"")

    async def refused(self, pair: Pair, words: str, number: int, settings: dict[str, object]) -> None:
        simulator, proxy = await self.simulator(), await self.proxy(self.amqp, pair)
        uri = proxy.in_front_of(self.amqp, "amqps")
        program = self.rateway(simulator, AMQP_URI=uri, STATE_DIR=self.folder / str(number), **settings)
        await program.until_said("no connection to the broker")
        self.assertTrue(self.lines(program, CERTIFICATE, words), program.text)
        await self.until(lambda: proxy.connections >= 2, "another try")
        self.assertEqual(len(self.lines(program, "no connection to the broker")), 1, program.text)
        self.assertEqual(await program.stop(), 0)
        self.assertEqual((bytes(proxy.passed), simulator.connections), (b"", []))
