"""A shard over real sockets, against the simulated Discord."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.trial.unittest import TestCase

from rateway.model.session import Session
from rateway.shard.service import ShardService
from rateway.shard.settings import ShardSettings
from rateway.simulator.gateway.behaviour import Behaviour
from rateway.simulator.options import SimulatorOptions
from rateway.simulator.simulator import Simulator
from rateway.tls import client_endpoint
from tests.support.certificates import Pair, make_certificates
from tests.support.waiting import PATIENCE

from .discord import Gate, Reporter, Sink


class SocketTests(TestCase):
    """Real sockets, real compression, Discord's rules enforced."""

    timeout = 300

    def setUp(self) -> None:
        """Real sockets need the real reactor."""
        from twisted.internet import reactor

        self.reactor: Any = reactor

    async def begin(self, endpoint: str = "tcp:0:interface=127.0.0.1", **options: Any) -> Simulator:
        """A simulated Discord, stopped after the test."""
        simulator = Simulator(
            self.reactor, SimulatorOptions(**{"identify_window": 0.0, "guilds": 0, "record_events": True, **options})
        )
        await simulator.start(endpoint)
        self.addCleanup(lambda: Deferred.fromCoroutine(simulator.stop()))
        return simulator

    def shard(self, simulator: Simulator, compression: str = "zlib-stream", **more: Any) -> ShardService:
        """A shard that is started, and stopped after the test."""
        self.sink, self.fatal = Sink(), Reporter()
        known = (simulator.options.token, 1 << 9 | 1, 1, compression, None, simulator.gateway_url)
        settings = ShardSettings(*known, distrusted=more.pop("distrusted", lambda why: None))
        more = {"random": lambda: 0.02, **more}
        shard = ShardService(self.reactor, 0, settings, self.sink, Gate(), self.fatal, **more)
        shard.startService()
        self.addCleanup(shard.stopService)
        return shard

    async def arrived(self, simulator: Simulator, shard: ShardService, name: str) -> None:
        """The shard is active and has got this event."""
        await simulator.until(lambda: name in self.sink.names() and shard.state == "active", what=f"{name}")

    def events(self, simulator: Simulator) -> list[tuple[int, str, bytes]]:
        """What Discord sent, but for RESUMED."""
        return [(sent.seq, sent.name, sent.d) for sent in simulator.events if sent.name != "RESUMED"]

    def taken(self) -> list[tuple[int, str, bytes]]:
        """What the sink got, but for RESUMED."""
        return [event for _, _, events in self.sink.takes for event in events if event[1] != "RESUMED"]

    async def test_every_drop_resumes_without_a_loss(self) -> None:
        """FIN, RST, op 7, op 9, each resumable close, garbage: every event arrives once, in order, byte for byte."""
        for compression in ("none", "zlib-stream", "zstd-stream"):
            simulator = await self.begin()
            shard = self.shard(simulator, compression)
            await self.arrived(simulator, shard, "READY")
            troubles: list[Callable[[], None]] = [
                partial(simulator.drop, 0),
                partial(simulator.drop, 0, "rst"),
                partial(simulator.request_reconnect, 0),
                partial(simulator.close, 0, 4000),
                partial(simulator.close, 0, 1000),
                partial(simulator.corrupt, 0),
                partial(simulator.send_text, 0, b"no json"),
            ]
            for number, trouble in enumerate(troubles):
                for _ in range(20):
                    simulator.dispatch(0, "BURST", {"n": number, "text": "é\\/" * 50})
                trouble()
                simulator.dispatch(0, "MEANWHILE", {"n": number})
                simulator.dispatch(0, f"LAST_{number}", {"n": number})
                await self.arrived(simulator, shard, f"LAST_{number}")
            self.assertEqual(self.taken(), self.events(simulator))
            self.assertEqual(len(simulator.identifies), 1)
            self.assertEqual(len(simulator.resumes), len(troubles))
            self.assertEqual(simulator.breaches, [])
            self.assertEqual(simulator.wasted, [])
            await shard.stop()

    async def test_ac12_a_close_of_discords_is_not_answered_by_1000(self) -> None:
        """The simulator ends a session that is closed with 1000 or 1001, also as an answer: none was."""
        simulator = await self.begin()
        shard = self.shard(simulator)
        await self.arrived(simulator, shard, "READY")
        for code in (1000, 1001, 4000):
            simulator.resumes.clear()
            simulator.close(0, code)
            await simulator.until(lambda: simulator.resumes and shard.state == "active")
            self.assertEqual([resume.answer for resume in simulator.resumes], ["resumed"])
        self.assertEqual(simulator.wasted, [])

    async def test_ac22_resume_host_refuses(self) -> None:
        """The session's host refuses TCP: the session survives by the general gateway."""
        simulator = await self.begin()
        shard = self.shard(simulator)
        await self.arrived(simulator, shard, "READY")
        await simulator.close_resume_host()
        simulator.drop(0, "rst")
        await simulator.until(lambda: simulator.resumes and shard.state == "active", what="RESUME by the gateway")
        self.assertEqual(simulator.resumes[0].host, simulator.host)
        self.assertEqual(len(simulator.identifies), 1)

    async def test_ac03_ac05_heartbeats_and_a_zombie(self) -> None:
        """At an interval of a second heartbeats are on time; frozen, the connection is dropped and resumed."""
        simulator = await self.begin(heartbeat_interval=1.0)
        shard = self.shard(simulator)
        await self.arrived(simulator, shard, "READY")
        await simulator.until(lambda: [frame.op for frame in simulator.frames].count(1) >= 3)
        self.assertIsNotNone(shard.latency)
        self.assertEqual(simulator.breaches, [])
        simulator.freeze(0)
        await simulator.until(lambda: simulator.resumes and shard.state == "active", what="RESUME of the zombie")
        self.assertEqual([close.code for close in simulator.closes], [4901])

    async def test_ac31_split_messages(self) -> None:
        """Payloads in pieces, the marker cut in two."""
        simulator = await self.begin()
        simulator.behave(Behaviour(pieces=3))
        shard = self.shard(simulator)
        await self.arrived(simulator, shard, "READY")
        for _ in range(50):
            simulator.dispatch(0, "PIECES", {"x": "y" * 100})
        simulator.dispatch(0, "LAST", {})
        await self.arrived(simulator, shard, "LAST")
        self.assertEqual(self.taken(), self.events(simulator))

    async def test_a_new_process_resumes(self) -> None:
        """A session kept elsewhere is resumed behind its sequence, and what came meanwhile is replayed."""
        simulator = await self.begin()
        first = self.shard(simulator)
        await self.arrived(simulator, first, "READY")
        simulator.dispatch(0, "BEFORE", {})
        await self.arrived(simulator, first, "BEFORE")
        await first.stop()
        self.assertEqual([close.code for close in simulator.closes], [4904])
        simulator.dispatch(0, "MEANWHILE", {})
        session = first.session
        assert isinstance(session, Session)
        second = self.shard(simulator, session=session)
        await self.arrived(simulator, second, "RESUMED")
        self.assertEqual(self.sink.names(), ["MEANWHILE", "RESUMED"])
        await second.stop(final=True)
        self.assertEqual(simulator.closes[-1].code, 1000)
        self.assertEqual(self.sink.forgotten, [0])

    async def test_a_session_that_expired(self) -> None:
        """Op 9 false after RESUME: forgotten, identified anew."""
        simulator = await self.begin()
        stale = Session("0" * 32, simulator.resume_url, 5)
        shard = self.shard(simulator, session=stale)
        await self.arrived(simulator, shard, "READY")
        self.assertEqual(self.sink.forgotten, [0])
        self.assertNotEqual(shard.session, stale)

    async def test_ac41_commands(self) -> None:
        """100 commands at once reach Discord in the order given, and break no rule."""
        simulator = await self.begin()
        shard = self.shard(simulator)
        await self.arrived(simulator, shard, "READY")
        deadline = self.reactor.seconds() + PATIENCE
        sent = [shard.send(31, b'{"op":31,"d":{"guild_ids":[],"n":%d}}' % number, deadline) for number in range(100)]
        await DeferredList(sent, fireOnOneErrback=True)
        await simulator.until(lambda: len(simulator.commands) == 100)
        self.assertEqual([command.d["n"] for command in simulator.commands], list(range(100)))
        self.assertEqual(simulator.breaches, [])

    async def test_over_tls(self) -> None:
        """wss:// with a certificate that is right; one for another name is refused, in words."""
        certificates = make_certificates(Path(self.mktemp()))

        def trusting(url: str) -> IStreamClientEndpoint:
            port = int(url.split("/?")[0].rsplit(":", 1)[1])
            return client_endpoint(self.reactor, "localhost", port, tls=True, ca_file=certificates.authority)

        def server(pair: Pair) -> str:
            return f"ssl:0:interface=127.0.0.1:certKey={pair.certificate}:privateKey={pair.key}"

        simulator = await self.begin(server(certificates.good), host="localhost", resume_host="localhost")
        shard = self.shard(simulator, connect=trusting)
        await self.arrived(simulator, shard, "READY")
        simulator.drop(0, "rst")
        await self.arrived(simulator, shard, "RESUMED")
        shard.pause()
        simulator.dispatch(0, "AFTER_PAUSE", {})
        shard.resume()
        await self.arrived(simulator, shard, "AFTER_PAUSE")
        await shard.stop()
        simulator = await self.begin(server(certificates.wrong_name), host="localhost", resume_host="localhost")
        lost: list[str] = []
        told: list[str] = []
        shard = self.shard(simulator, connect=trusting, random=lambda: 0.9, distrusted=told.append)
        went_on = shard.link_lost

        def link_lost(code: int | None, detail: str) -> None:
            lost.append(detail)
            went_on(code, detail)

        shard.link_lost = link_lost  # type: ignore[method-assign]
        await simulator.until(lambda: lost, what="the refusal")
        self.assertIn("elsewhere.example", lost[0])
        self.assertEqual(told, lost)
        self.assertEqual(shard.state, "waiting")
