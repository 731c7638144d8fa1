"""Each rule of IDENTIFY and RESUME, broken over a real socket."""

from __future__ import annotations

from typing import Any

from rateway.model.intents import Intent
from rateway.simulator.gateway.behaviour import Behaviour
from rateway.simulator.simulator import Simulator
from tests.simulator.client import TOKEN, RawClient
from tests.simulator.rulebreaking import RuleTestCase, breaks

ELSEWHERE = "127.0.0.2"


class IdentifyTests(RuleTestCase):
    """What an IDENTIFY must be, and when it may come."""

    async def refused(self, simulator: Simulator, code: int, *requests: dict[str, Any]) -> None:
        """Each is closed with the code, gets no READY, and is one breach."""
        for request in requests:
            client = await self.greeted(simulator)
            d: dict[str, Any] = {"token": TOKEN, "intents": 1, "properties": {}, "shard": [0, 1], **request}
            client.tell(2, {key: value for key, value in d.items() if value is not ...})
            await self.closed(client, code)
            self.assertEqual(client.all("READY"), [])
        self.assertEqual(len(simulator.breaches), len(requests))

    @breaks("wrong-token")
    async def test_token(self) -> None:
        """Another token, and what is none: 4004."""
        simulator = await self.start()
        await self.refused(simulator, 4004, {"token": "another"}, {"token": None}, {"token": 7}, {"token": ...})
        client = await self.greeted(simulator)
        client.resume("0" * 32, 1, "another")
        await self.closed(client, 4004)

    @breaks("identify-shape")
    async def test_shape(self) -> None:
        """A field of a wrong type: 4001."""
        await self.refused(
            await self.start(),
            4001,
            {"intents": ...},
            {"intents": "1"},
            {"properties": ...},
            {"properties": {"os": 1}},
            {"properties": {"$browser": None}},
            {"compress": 1},
            {"capabilities": "all"},
            {"large_threshold": 49},
            {"large_threshold": 251},
            {"presence": []},
            {"presence": {"status": "asleep"}},
            {"presence": {"activities": [{"name": 1, "type": 0}]}},
        )

    @breaks("invalid-shard")
    async def test_shard(self) -> None:
        """A shard outside of its total, or a total that is no multiple: 4010."""
        simulator = await self.start(shards_multiple=2)
        await self.ready(simulator, 1, 4)
        await self.refused(
            simulator, 4010, *({"shard": shard} for shard in ([2, 2], [-1, 2], [0, 0], [0, 3], [0], "0", ["0", 2]))
        )

    @breaks("sharding-required")
    async def test_sharding_required(self) -> None:
        """2501 guilds on one shard: 4011."""
        simulator = await self.start(guilds=2501, members=0)
        await self.refused(simulator, 4011, {"shard": [0, 1]}, {"shard": ...})
        await self.ready(simulator, 0, 2)

    @breaks("invalid-intents")
    async def test_invalid_intents(self) -> None:
        """A bit that is none: 4013."""
        await self.refused(await self.start(), 4013, {"intents": 1 << 17}, {"intents": 1 << 26}, {"intents": -1})

    @breaks("disallowed-intents")
    async def test_disallowed_intents(self) -> None:
        """A privileged intent that isn't enabled: 4014."""
        simulator = await self.start(allowed_intents=int(Intent.GUILD_MEMBERS))
        await self.refused(
            simulator, 4014, *({"intents": int(i)} for i in (Intent.GUILD_PRESENCES, Intent.MESSAGE_CONTENT))
        )
        await self.ready(simulator, intents=int(Intent.GUILD_MEMBERS))

    @breaks("identify-concurrency")
    async def test_concurrency(self) -> None:
        """The same key again within the window: op 9 false, and one start less; another key is free."""
        simulator = await self.start(max_concurrency=2, identify_window=5.0)
        await self.ready(simulator, 0, 4)
        await self.ready(simulator, 1, 4)
        client = await self.greeted(simulator)
        client.identify(2, 4)
        self.assertIs((await client.first(9))["d"], False)
        self.assertEqual(simulator.hub.allowance.remaining, 997)

    @breaks("daily-allowance")
    async def test_allowance(self) -> None:
        """One more than a day allows: everybody is closed with 4004, and the token is dead."""
        simulator = await self.start(session_remaining=1)
        first = await self.ready(simulator)
        second = await self.greeted(simulator)
        second.identify(0, 2)
        await self.closed(first, 4004)
        await self.closed(second, 4004)
        self.assertEqual((len(simulator.breaches), len(simulator.sessions)), (1, 0))
        self.assertEqual((await self.get(simulator, "/api/v10/gateway")).status, 200)


class Leaving(RuleTestCase):
    """A test of sessions that are left behind."""

    async def left(self, **options: Any) -> tuple[Simulator, str]:
        """A simulator, and a session whose connection was lost after the client proved to know it."""
        simulator = await self.start(guilds=0, **options)
        client = await self.ready(simulator)
        return simulator, await self.leave(simulator, client)

    async def leave(self, simulator: Simulator, client: RawClient) -> str:
        client.tell(1, 1)
        await client.first(11)
        client.transport.abortConnection()
        await simulator.until(lambda: not simulator.connected_shards())
        return str(client.all("READY")[0]["d"]["session_id"])


class ResumeTests(Leaving):
    """What a RESUME must be."""

    @breaks("resume-shape")
    async def test_shape(self) -> None:
        """A field of a wrong type: 4001."""
        simulator = await self.start()
        for d in ({"session_id": 1, "seq": 1}, {"session_id": "0", "seq": "1"}, {"session_id": "0"}):
            client = await self.greeted(simulator)
            client.tell(6, {"token": "simulator-token", **d})
            await self.closed(client, 4001)
        self.assertEqual(len(simulator.breaches), 3)

    @breaks("resume-sequence")
    async def test_sequence(self) -> None:
        """A sequence that was never sent: 4007, and the session is over."""
        simulator, session = await self.left()
        client = await self.greeted(simulator, host=ELSEWHERE)
        client.resume(session, 10_000)
        await self.closed(client, 4007)
        self.assertEqual(len(simulator.sessions), 0)

    @breaks("resume-host")
    async def test_host(self) -> None:
        """At the main address: let through all the same, and op 7 after the while that was chosen."""
        simulator, session = await self.left(reconnect_after=0.05)
        simulator.dispatch(0, "TEST", {"missed": True})
        client = await self.greeted(simulator)
        client.resume(session, 1)
        await client.first("RESUMED")
        self.assertEqual(len(client.all("TEST")), 1)
        await client.first(7)
        self.assertEqual(simulator.resumes[-1].answer, "resumed")

    @breaks("resume-host")
    async def test_host_was_in_trouble_before(self) -> None:
        """Trouble from before the connection was lost is no excuse."""
        simulator = await self.start(guilds=0)
        await simulator.close_resume_host()
        await simulator.open_resume_host()
        session = await self.leave(simulator, await self.ready(simulator))
        client = await self.greeted(simulator)
        client.resume(session, 1)
        await client.first("RESUMED")
        self.assertEqual(client.all(7), [])

    async def test_host_in_place(self) -> None:
        """On the connection that was told to resume by op 9, whatever its address: no breach."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator)
        simulator.invalidate(0, resumable=True)
        await client.first(9)
        client.resume(simulator.session(0).id, 1)
        await client.first("RESUMED")
        self.assertEqual([each.answer for each in simulator.resumes], ["resumed"])

    async def test_fallback(self) -> None:
        """At the main address because the other one refuses, is silent, or sends no HELLO: no breach."""
        troubles = (Behaviour(handshake="rst"), Behaviour(hello=False), Behaviour(resume="silence"))
        for trouble in (None, *troubles):
            simulator, session = await self.left()
            if trouble is None:
                await simulator.close_resume_host()
            else:
                await self.try_in_vain(simulator, session, trouble)
            client = await self.greeted(simulator)
            client.resume(session, 1)
            await client.first("RESUMED")
            self.assertEqual((simulator.breaches, simulator.report()), ([], "no rule broken"))

    async def try_in_vain(self, simulator: Simulator, session: str, trouble: Behaviour) -> None:
        """A connection to the resume host that meets trouble, and ends."""
        simulator.on_connect(trouble, host=ELSEWHERE)
        client = await self.connect(simulator, host=ELSEWHERE)
        if trouble.resume == "silence":
            await client.first(10)
            client.resume(session, 1)
            await simulator.until(lambda: simulator.resumes)
        elif trouble.handshake == "accept":
            await client.until(lambda: client.opened)
        else:
            await client.end()
        client.transport.abortConnection()
        await client.end()
        await simulator.until(lambda: not simulator.hub.connections)

    @breaks("resume-query")
    async def test_query(self) -> None:
        """With another compression than before: let through."""
        simulator, session = await self.left()
        client = await self.greeted(simulator, host=ELSEWHERE, compress="zlib-stream")
        client.resume(session, 1)
        await client.first("RESUMED")


class WasteTests(Leaving):
    """Sessions thrown away."""

    @breaks("wasted-session")
    async def test_waste(self) -> None:
        """The same shard, total and intents identify anew: READY, and two records."""
        simulator, session = await self.left()
        await self.ready(simulator)
        self.assertEqual([(w.session_id, w.how) for w in simulator.wasted], [(session, "identified anew")])

    @breaks("wasted-session")
    async def test_unproven(self) -> None:
        """A client that never sent anything behind READY is judged too, if its connection ended in order."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator)
        simulator.drop(0)
        await client.end()
        await simulator.until(lambda: not simulator.hub.connections)
        await self.ready(simulator)

    async def no_breach(self, simulator: Simulator) -> None:
        self.assertEqual((simulator.breaches, len(simulator.identifies)), ([], 2))

    async def test_other_wishes(self) -> None:
        """Other intents or another total can't be had by a RESUME."""
        for more in ({"intents": int(Intent.GUILDS)}, {"total": 2}):
            simulator, _ = await self.left()
            await self.ready(simulator, **more)
            await self.no_breach(simulator)

    async def test_told_to(self) -> None:
        """Op 9 false, and a close code that ends the session, are reasons."""
        for code in (4003, 4007, 4009):
            simulator = await self.start(guilds=0)
            client = await self.ready(simulator)
            simulator.close(0, code)
            await client.end()
            await self.ready(simulator)
            await self.no_breach(simulator)
        simulator, session = await self.left()
        simulator.forget_session(0)
        client = await self.greeted(simulator, host=ELSEWHERE)
        client.resume(session, 1)
        self.assertIs((await client.first(9))["d"], False)
        client.identify()
        await client.first("READY")
        await self.no_breach(simulator)

    async def test_unreachable(self) -> None:
        """So is a resume host that can't be reached."""
        simulator, _ = await self.left()
        await simulator.close_resume_host()
        await self.ready(simulator)
        await self.no_breach(simulator)

    async def test_unanswered(self) -> None:
        """And a RESUME without an answer."""
        simulator, session = await self.left()
        simulator.on_connect(Behaviour(resume="silence"), shard=0)
        client = await self.greeted(simulator, host=ELSEWHERE)
        client.resume(session, 1)
        await simulator.until(lambda: simulator.resumes)
        client.transport.abortConnection()
        await client.end()
        await self.ready(simulator)
        await self.no_breach(simulator)

    async def test_unseen(self) -> None:
        """A READY that a reset may have swallowed is none that the client knows."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator)
        simulator.drop(0, "rst")
        await client.end()
        await simulator.until(lambda: not simulator.hub.connections)
        await self.ready(simulator)
        await self.no_breach(simulator)

    async def test_killed(self) -> None:
        """Nor is one that came when the client may have been gone already."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator)
        client.transport.abortConnection()
        await simulator.until(lambda: not simulator.hub.connections)
        await self.ready(simulator)
        await self.no_breach(simulator)

    async def test_closed_for_good(self) -> None:
        """1000 and 1001 say that the session isn't wanted: recorded as wasted, no breach."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator)
        client.sendClose(1000)
        await client.end()
        await self.ready(simulator)
        await self.no_breach(simulator)
        self.assertEqual([wasted.how for wasted in simulator.wasted], ["closed with 1000"])

    async def test_closed_for_good_after_op_9(self) -> None:
        """Op 9 true offers the session again; 1000 ends it all the same."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator)
        simulator.invalidate(0, resumable=True)
        await client.first(9)
        client.sendClose(1000)
        await simulator.until(lambda: simulator.wasted, what="the waste")
        self.assertEqual([(each.shard, each.how) for each in simulator.wasted], [(0, "closed with 1000")])
        self.assertEqual(len(simulator.sessions), 0)

    async def test_two_at_once(self) -> None:
        """A second session beside one that is connected is allowed."""
        simulator = await self.start(guilds=0)
        await self.ready(simulator)
        await self.ready(simulator)
        await self.no_breach(simulator)
        self.assertEqual(simulator.wasted, [])
