"""Each rule of opening, payloads, heartbeats and commands, broken over a real socket."""

from __future__ import annotations

import json

from rateway.model.intents import Intent
from tests.simulator.rulebreaking import RuleTestCase, breaks


class OpeningTests(RuleTestCase):
    """What the query must say."""

    @breaks("api-version")
    async def test_version(self) -> None:
        """Version 9, and none: 4012 and no HELLO."""
        simulator = await self.start()
        for query in ("?v=9&encoding=json", "?encoding=json", "?v=ten"):
            client = await self.connect(simulator, query)
            await self.closed(client, 4012)
            self.assertEqual(client.payloads, [])

    @breaks("query")
    async def test_query(self) -> None:
        """An encoding or compression that isn't offered: 4012."""
        simulator = await self.start()
        for query in ("?v=10&encoding=etf", "?v=10&encoding=json&compress=gzip"):
            await self.closed(await self.connect(simulator, query), 4012)
        self.assertEqual(len(simulator.breaches), 2)


class PayloadTests(RuleTestCase):
    """What each payload must be."""

    @breaks("payload-size")
    async def test_size(self) -> None:
        """4096 bytes pass, 4097 don't: 4002."""
        simulator = await self.start()
        client = await self.ready(simulator)
        frame = {"op": 1, "d": None, "padding": ""}
        room = 4096 - len(json.dumps(frame))
        client.say(json.dumps({**frame, "padding": "x" * room}).encode())
        await client.first(11)
        client.say(json.dumps({**frame, "padding": "x" * (room + 1)}).encode())
        await self.closed(client, 4002)

    @breaks("undecodable")
    async def test_undecodable(self) -> None:
        """No JSON, and JSON without an op: 4002."""
        simulator = await self.start()
        for data in (b'{"op":', b"[]", b'{"op":"1"}'):
            client = await self.greeted(simulator)
            client.say(data)
            await self.closed(client, 4002)
        self.assertEqual(len(simulator.breaches), 3)

    @breaks("unknown-op")
    async def test_unknown_op(self) -> None:
        """Ops that bots don't have: 4001."""
        simulator = await self.start()
        for op in (0, 5, 12, 99):
            client = await self.greeted(simulator)
            client.tell(op, None)
            await self.closed(client, 4001)
        self.assertEqual(len(simulator.breaches), 4)

    @breaks("send-limit")
    async def test_send_limit(self) -> None:
        """The 121st payload in 60 s: 4008, and the session is kept."""
        simulator = await self.start()
        client = await self.ready(simulator)
        for _ in range(119):
            client.tell(1, None)
        await client.until(lambda: len(client.all(11)) == 119)
        client.tell(1, None)
        await self.closed(client, 4008)
        self.assertEqual(len(simulator.sessions), 1)

    @breaks("not-authenticated")
    async def test_not_authenticated(self) -> None:
        """A command before IDENTIFY: 4003."""
        simulator = await self.start()
        client = await self.greeted(simulator)
        client.tell(3, {"since": None, "activities": [], "status": "online", "afk": False})
        await self.closed(client, 4003)

    @breaks("already-authenticated")
    async def test_already_authenticated(self) -> None:
        """A second IDENTIFY, and a RESUME after one: 4005."""
        simulator = await self.start()
        client = await self.ready(simulator)
        client.identify()
        await self.closed(client, 4005)
        client = await self.ready(simulator, 1, 2)
        client.resume(client.all("READY")[0]["d"]["session_id"], 1)
        await self.closed(client, 4005)
        self.assertEqual(len(simulator.breaches), 2)


class HeartbeatTests(RuleTestCase):
    """When heartbeats must come, and with what."""

    @breaks("late-heartbeat")
    async def test_late(self) -> None:
        """None for an interval and a second: 4000, and the session is kept."""
        simulator = await self.start(heartbeat_interval=1.0)
        client = await self.ready(simulator)
        await self.closed(client, 4000)
        self.assertEqual(len(simulator.sessions), 1)

    @breaks("heartbeat-sequence")
    async def test_sequence(self) -> None:
        """A sequence that was never sent, and what is none: acknowledged all the same, and recorded."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator)
        for d in (None, 0, 1, 2, -1, "1", 1.0, True, [1]):
            client.tell(1, d)
        await client.until(lambda: len(client.all(11)) == 9)
        details = [breach.detail.partition(",")[0] for breach in simulator.breaches]
        self.assertEqual(details, ["d is 2", "d is -1", "d is a str", "d is a float", "d is a bool", "d is a list"])


class CommandTests(RuleTestCase):
    """What ops 3, 4, 8, 31 and 43 must be."""

    @breaks("command-shape")
    async def test_shapes(self) -> None:
        """A field of a wrong type, or a missing one: 4001."""
        simulator = await self.start()
        guild = str(simulator.guild(0).id)
        presence: dict[str, object] = {"since": None, "activities": [], "status": "online", "afk": False}
        bad: list[tuple[int, object]] = [
            (3, None),
            (3, {**presence, "status": "asleep"}),
            (3, {**presence, "activities": [{"name": "chess"}]}),
            (3, {key: value for key, value in presence.items() if key != "since"}),
            (4, {"guild_id": guild, "channel_id": None, "self_mute": 0, "self_deaf": False}),
            (8, {"guild_id": guild}),
            (8, {"guild_id": "x", "query": "", "limit": 0}),
            (8, {"guild_id": guild, "user_ids": ["1"] * 101}),
            (8, {"guild_id": guild, "query": "", "limit": 0, "nonce": 7}),
            (31, {"guild_ids": guild}),
            (43, {"guild_id": guild, "fields": ["topic"]}),
        ]
        for op, d in bad:
            client = await self.ready(simulator)
            client.tell(op, d)
            await self.closed(client, 4001)
            simulator.forget_session(0)
        self.assertEqual(len(simulator.breaches), len(bad))

    @breaks("presence-limit")
    async def test_presences(self) -> None:
        """The sixth presence within 20 s: recorded, and nothing else."""
        simulator = await self.start()
        client = await self.ready(simulator)
        for _ in range(6):
            client.tell(3, {"since": None, "activities": [], "status": "idle", "afk": False})
        await self.settled(client)
        self.assertEqual((len(simulator.breaches), client.ended), (1, False))

    @breaks("foreign-guild")
    async def test_foreign_guild(self) -> None:
        """A command for a guild of another shard: no answer."""
        simulator = await self.start(guilds=2)
        client = await self.ready(simulator, 0, 2)
        foreign = next(id for id in simulator.world.guilds if (id >> 22) % 2 == 1)
        client.tell(8, {"guild_id": str(foreign), "query": "", "limit": 0})
        await self.settled(client)
        self.assertEqual(client.all("GUILD_MEMBERS_CHUNK"), [])

    @breaks("members-intent")
    async def test_members_intent(self) -> None:
        """A whole member list without GUILD_MEMBERS: no answer."""
        simulator = await self.start()
        client = await self.ready(simulator, intents=int(Intent.GUILDS))
        client.tell(8, {"guild_id": str(simulator.guild(0).id), "query": "", "limit": 0})
        await self.settled(client)
        self.assertEqual(client.all("GUILD_MEMBERS_CHUNK"), [])

    @breaks("member-list-limit")
    async def test_member_list_limit(self) -> None:
        """The same list again within 30 s: RATE_LIMITED, with what was asked for."""
        simulator = await self.start()
        client = await self.ready(simulator)
        guild = str(simulator.guild(0).id)
        for nonce in ("first", "second"):
            client.tell(8, {"guild_id": guild, "query": "", "limit": 0, "nonce": nonce})
        limited = (await client.first("RATE_LIMITED"))["d"]
        self.assertEqual((limited["opcode"], limited["meta"]), (8, {"guild_id": guild, "nonce": "second"}))
        self.assertTrue(0 < limited["retry_after"] <= 30)
        self.assertEqual([chunk["d"]["nonce"] for chunk in client.all("GUILD_MEMBERS_CHUNK")], ["first"])

    @breaks("nonce-size")
    async def test_nonce(self) -> None:
        """A nonce of 33 bytes: the chunk comes without it; one of 32 comes back."""
        simulator = await self.start()
        client = await self.ready(simulator)
        guild = str(simulator.guild(0).id)
        for nonce in ("n" * 32, "n" * 31 + "\u00e9"):
            client.tell(8, {"guild_id": guild, "query": "a", "limit": 1, "nonce": nonce})
        await client.count("GUILD_MEMBERS_CHUNK", 2)
        self.assertEqual([c["d"].get("nonce") for c in client.all("GUILD_MEMBERS_CHUNK")], ["n" * 32, None])
        self.assertEqual(len(simulator.breaches), 1)
