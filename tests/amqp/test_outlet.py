"""The way out, over real sockets: bytes in order, at once where they can be, and never past TLS."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from rateway.amqp.outlet import AT_ONCE, ROOM, Outlet
from rateway.tls import client_endpoint
from tests.integration.program import until
from tests.support.certificates import make_certificates


class End(Protocol):
    """An end of a connection."""

    alive = False
    transport: Any

    def connectionMade(self) -> None:
        self.alive = True

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.alive = False


class Reader(End):
    """The other end: keeps what comes."""

    def __init__(self) -> None:
        self.got = bytearray()

    def dataReceived(self, data: bytes) -> None:
        self.got += data


class Writer(End):
    """This end."""

    outlet: Outlet

    def connectionMade(self) -> None:
        super().connectionMade()
        self.told: list[bool] = []
        self.outlet = Outlet(self.transport, lambda: self.told.append(self.outlet.writable))


class OutletTests(TestCase):
    """An outlet and who reads at its other end."""

    timeout = 30

    async def connect(
        self, listen: str = "tcp:0:interface=127.0.0.1", ca_file: Path | None = None
    ) -> tuple[Writer, Reader]:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        reader = Reader()
        port = await serverFromString(reactor, listen).listen(Factory.forProtocol(lambda: reader))
        self.addCleanup(port.stopListening)
        tls = ca_file is not None
        endpoint = client_endpoint(reactor, "127.0.0.1", port.getHost().port, tls=tls, ca_file=ca_file)
        writer: Any = await endpoint.connect(Factory.forProtocol(Writer))
        await until(reactor, lambda: reader.alive, "the connection")
        self.addCleanup(lambda: Deferred.fromCoroutine(self.close(writer, reader)))
        return writer, reader

    async def close(self, *ends: End) -> None:
        for end in ends:
            if end.alive:
                end.transport.abortConnection()
        await until(self.reactor, lambda: not any(end.alive for end in ends), "the end")

    def waits(self, writer: Writer) -> bool:
        """Whether the reactor has something to write."""
        return writer.transport in self.reactor.getWriters()

    async def arrived(self, reader: Reader, sent: bytes) -> None:
        await until(self.reactor, lambda: len(reader.got) >= len(sent), f"{len(sent)} bytes")
        self.assertTrue(reader.got == sent, f"{len(reader.got)} bytes came of {len(sent)}, or others")

    async def test_at_once(self) -> None:
        """A few bytes leave before the next turn of the reactor, and leave nothing to do behind."""
        writer, reader = await self.connect()
        writer.outlet.write_now(b"now")
        self.assertFalse(self.waits(writer))
        await self.arrived(reader, b"now")
        self.assertEqual((writer.outlet.writable, writer.told), (True, []))

    async def test_with_all_else(self) -> None:
        """An ordinary write waits for the turn's end, and what is written at once later doesn't overtake it."""
        writer, reader = await self.connect()
        writer.outlet.write(b"first ")
        writer.outlet.write_now(b"second ")
        writer.outlet.write(b"third")
        self.assertTrue(self.waits(writer))
        await self.arrived(reader, b"first second third")
        writer.outlet.write_now(b" fourth")
        self.assertFalse(self.waits(writer))
        await self.arrived(reader, b"first second third fourth")

    async def test_much(self) -> None:
        """What is long is left to the transport; there is room again once it is out."""
        writer, reader = await self.connect()
        sent = bytes(AT_ONCE + 1)
        writer.outlet.write_now(sent)
        self.assertEqual((self.waits(writer), writer.outlet.writable), (True, False))
        await self.arrived(reader, sent)
        await until(self.reactor, lambda: writer.outlet.writable, "room")
        self.assertEqual(writer.told, [True])

    async def test_little_by_little(self) -> None:
        """Many small writes of one turn fill the buffer as one large one does."""
        writer, reader = await self.connect()
        for _ in range(ROOM // 1000):
            writer.outlet.write(bytes(1000))
        self.assertTrue(writer.outlet.writable)
        writer.outlet.write(bytes(1000))
        self.assertFalse(writer.outlet.writable)
        await self.arrived(reader, bytes(1000 * (ROOM // 1000 + 1)))

    async def test_a_peer_that_does_not_read(self) -> None:
        """The socket takes what it can, half a write perhaps; the rest waits, and all of it comes in order."""
        writer, reader = await self.connect()
        reader.transport.pauseProducing()
        random, sent = Random(1), bytearray()
        while writer.outlet.writable:
            piece = random.randbytes(random.randrange(1, AT_ONCE))
            sent += piece
            writer.outlet.write_now(piece)
        writer.outlet.write_now(b"the end")
        reader.transport.resumeProducing()
        await self.arrived(reader, bytes(sent) + b"the end")
        await until(self.reactor, lambda: writer.told, "room")

    async def test_any_mixture(self) -> None:
        """Whatever is written at once and what isn't, it comes as it was written."""
        writer, reader = await self.connect()
        random, sent = Random(2), bytearray()
        for _ in range(300):
            piece = random.randbytes(random.choice((1, 100, 5000, AT_ONCE, 3 * AT_ONCE)))
            sent += piece
            (writer.outlet.write_now if random.random() < 0.5 else writer.outlet.write)(piece)
            if random.random() < 0.2:
                pause: Deferred[None] = Deferred()
                self.reactor.callLater(0, pause.callback, None)
                await pause
        await self.arrived(reader, bytes(sent))

    async def test_closed(self) -> None:
        """Once closed, nothing goes past the transport: it knows that it is closing."""
        writer, reader = await self.connect()
        writer.outlet.close()
        writer.outlet.write_now(b"x")
        self.assertTrue(self.waits(writer))
        await self.arrived(reader, b"x")

    async def test_lost(self) -> None:
        """A connection that is lost is found out by the transport, in its own time."""
        writer, reader = await self.connect()
        writer.transport.pauseProducing()
        reader.transport.abortConnection()
        await until(self.reactor, lambda: not reader.alive, "the abort")
        for _ in range(3):
            writer.outlet.write_now(b"nobody hears it")
        self.assertTrue(writer.alive)
        await until(self.reactor, lambda: not writer.alive, "the loss")
        self.assertFalse(writer.outlet.writable)
        writer.outlet.write_now(b"too late")

    async def test_tls(self) -> None:
        """Nothing goes past TLS: what is written at once is read at the other end like everything else."""
        certificates = make_certificates(Path(self.mktemp()))
        good = certificates.good
        writer, reader = await self.connect(
            f"ssl:0:interface=127.0.0.1:privateKey={good.key}:certKey={good.certificate}",
            certificates.authority,
        )
        sent = b""
        for size in (3, 5000, AT_ONCE, 3 * AT_ONCE):
            writer.outlet.write_now(bytes(size))
            writer.outlet.write(b"!")
            sent += bytes(size) + b"!"
        self.assertFalse(writer.outlet.writable)
        await self.arrived(reader, sent)
        await until(self.reactor, lambda: writer.outlet.writable, "room")
