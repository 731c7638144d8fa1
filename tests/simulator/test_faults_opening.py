"""Faults at the beginning: refused, late, silent, never greeted; and the host where sessions are resumed."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import deferLater

from tests.simulator.client import RawClient, SimulatorTestCase, the_reactor
from tests.simulator.deeds import do


class RefusalTests(SimulatorTestCase):
    """The gateway takes no connections."""

    async def refused(self, simulator: Any) -> bytes:
        client = await self.connect(simulator)
        await client.end()
        self.assertFalse(client.opened)
        return b"".join(client.chunks)

    async def test_statuses(self) -> None:
        """503 and 429 with Retry-After answer every upgrade until connections are admitted again."""
        simulator = await self.start()
        standing = await self.ready(simulator)
        await do(simulator, "refuse_connections")
        for _ in range(3):
            self.assertIn(b"HTTP/1.1 503 ", await self.refused(simulator))
        await do(simulator, "refuse_connections", how=429, retry_after=7)
        answer = (await self.refused(simulator)).lower()
        self.assertIn(b"http/1.1 429 ", answer)
        self.assertIn(b"\r\nretry-after: 7\r\n", answer)
        await do(simulator, "admit_connections")
        await (await self.connect(simulator)).first(10)
        self.assertFalse(standing.ended)

    async def test_for_a_while(self) -> None:
        """It ends by itself; one refusal doesn't end another."""
        simulator = await self.start()
        await do(simulator, "refuse_connections", how="rst", seconds=1.0)
        self.assertEqual(await self.refused(simulator), b"")
        await simulator.until(lambda: simulator.hub.script.gate is None)
        await (await self.connect(simulator)).first(10)
        await do(simulator, "refuse_connections", how="fin", seconds=0.05)
        await do(simulator, "refuse_connections", how="fin")
        await deferLater(the_reactor(), 0.1)
        self.assertEqual(await self.refused(simulator), b"")

    async def test_one_connection(self) -> None:
        """The next connection alone is answered by a status."""
        simulator = await self.start()
        await do(simulator, "on_connect", handshake=500)
        self.assertIn(b"HTTP/1.1 500 ", await self.refused(simulator))
        await (await self.connect(simulator)).first(10)


class LateTests(SimulatorTestCase):
    """What comes late, or never."""

    async def test_hello(self) -> None:
        """HELLO late, and never; afterwards as usual."""
        simulator = await self.start()
        await do(simulator, "on_connect", hello_delay=0.1)
        await do(simulator, "on_connect", hello=False)
        late = await self.connect(simulator)
        await late.until(lambda: late.opened)
        never = await self.connect(simulator)
        await never.until(lambda: never.opened)
        await late.first(10)
        record = simulator.connections[0]
        self.assertGreaterEqual((record.greeted_at or 0) - record.at, 0.1)
        await (await self.connect(simulator)).first(10)
        self.assertEqual(never.payloads, [])

    async def test_ready(self) -> None:
        """READY late: nothing before it, and a second IDENTIFY meanwhile is one too many; or never."""
        simulator = await self.start(guilds=0)
        await do(simulator, "on_connect", answer_delay=1.0, times=2)
        client, hasty = await self.connect(simulator), await self.connect(simulator)
        for one in (client, hasty):
            await one.first(10)
        client.identify(0, 2)
        hasty.identify(1, 2)
        hasty.identify(1, 2)
        await hasty.end()
        self.assertEqual(hasty.close_code, 4005)
        self.assertEqual(client.all("READY"), [])
        await client.first("READY")
        self.assertEqual([s.shard for s in simulator.sessions], [0])
        await do(simulator, "on_connect", identify="silence")
        never = await self.connect(simulator)
        await never.first(10)
        never.identify(1, 2)
        never.tell(1, None)
        await never.first(11)
        self.assertEqual((never.all("READY"), len(simulator.sessions)), ([], 1))

    async def test_replay(self) -> None:
        """The replay late: what happens meanwhile is part of it; nothing for a client that has gone."""
        simulator = await self.start(guilds=0)
        await self.ready(simulator)
        session = simulator.session(0)
        await do(simulator, "drop")
        await do(simulator, "on_connect", answer_delay=1.0, times=2)
        gone, client = await self.resuming(simulator, session.id), await self.resuming(simulator, session.id)
        gone.transport.abortConnection()
        await do(simulator, "dispatch", name="X")
        await client.first("RESUMED")
        self.assertEqual([p["t"] for p in client.payloads[1:]], ["X", "RESUMED"])
        self.assertEqual([r.answer for r in simulator.resumes], ["resumed"])

    async def test_replay_of_a_session_that_ended_meanwhile(self) -> None:
        """Op 9 false, late."""
        simulator = await self.start(guilds=0)
        await self.ready(simulator)
        session = simulator.session(0)
        await do(simulator, "on_connect", answer_delay=1.0)
        client = await self.resuming(simulator, session.id)
        await do(simulator, "forget_session")
        self.assertIs((await client.first(9))["d"], False)

    async def resuming(self, simulator: Any, session_id: str) -> RawClient:
        client = await self.connect(simulator, host="127.0.0.2")
        await client.first(10)
        heard = len(simulator.frames)
        client.resume(session_id, 1)
        await simulator.until(lambda: len(simulator.frames) > heard)
        return client

    async def test_answers(self) -> None:
        """The answers to IDENTIFY and RESUME, and what follows READY, by shard."""
        simulator = await self.start(guilds=0)
        await do(simulator, "on_connect", identify="invalid")
        client = await self.connect(simulator)
        await client.first(10)
        client.identify()
        self.assertIs((await client.first(9))["d"], False)
        await do(simulator, "on_connect", shard=3, after=4000)
        other = await self.ready(simulator, 3, 4)
        await other.end()
        self.assertEqual(other.close_code, 4000)
        await do(simulator, "on_connect", first=[[7, None]])
        early = await self.connect(simulator)
        await early.first(10)
        self.assertEqual([p["op"] for p in early.payloads], [7, 10])
        with self.assertRaisesRegex(ValueError, "shard is unknown"):
            await do(simulator, "on_connect", shard=0, hello=False)

    async def test_usual(self) -> None:
        """All later connections behave so, with another interval too, until they are to behave well."""
        simulator = await self.start(guilds=0, heartbeat_interval=41.25)
        standing = await self.ready(simulator, 1, 2)
        await do(simulator, "behave", ack="none")
        await do(simulator, "heartbeat_interval", seconds=1.5)
        for _ in range(2):
            client = await self.connect(simulator)
            self.assertEqual((await client.first(10))["d"]["heartbeat_interval"], 1500)
        client.tell(1, None)
        await simulator.until(lambda: simulator.frames[-1].op == 1)
        await do(simulator, "behave_well")
        usual = await self.connect(simulator)
        self.assertEqual((await usual.first(10))["d"]["heartbeat_interval"], 41250)
        usual.tell(1, None)
        await usual.first(11)
        self.assertEqual((client.all(11), standing.all(10)[0]["d"]["heartbeat_interval"]), ([], 41250))


class ResumeHostTests(SimulatorTestCase):
    """The address where sessions are resumed."""

    async def test_states(self) -> None:
        """It refuses TCP, answers nothing, never greets, and is open again; the main address works all the while."""
        simulator = await self.start(guilds=0)
        await do(simulator, "resume_host", state="refuses")
        await self.assertFailure(Deferred.fromCoroutine(self.resume_host(simulator)), ConnectionRefusedError)
        await do(simulator, "resume_host", state="silent")
        silent = await self.resume_host(simulator)
        await simulator.until(lambda: simulator.hub.journal.totals.get("refused"))
        await do(simulator, "resume_host", state="mute")
        mute = await self.resume_host(simulator)
        await mute.until(lambda: mute.opened)
        await (await self.connect(simulator)).first(10)
        self.assertEqual((silent.opened, silent.chunks, mute.payloads), (False, [], []))
        await do(simulator, "resume_host", state="open")
        await (await self.resume_host(simulator)).first(10)

    async def test_by_word(self) -> None:
        """Connections to come may be meant by the word "resume"."""
        simulator = await self.start(guilds=0)
        await do(simulator, "on_connect", host="resume", handshake="fin")
        await (await self.connect(simulator)).first(10)
        ended = await self.resume_host(simulator)
        await ended.end()
        self.assertFalse(ended.opened)

    async def test_none(self) -> None:
        """Where sessions are resumed on the main address, there is no such host."""
        simulator = await self.start(resume_host="")
        with self.assertRaisesRegex(LookupError, "no resume host"):
            await do(simulator, "resume_host", state="mute")
        await (await self.connect(simulator)).first(10)

    async def resume_host(self, simulator: Any) -> RawClient:
        return await self.connect(simulator, host="127.0.0.2")
