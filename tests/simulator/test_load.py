"""The load on a clock: its rate, what it sends to whom, and what it keeps for a RESUME."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from rateway.model.intents import Intent
from rateway.model.snowflake import shard_of
from rateway.simulator.load.load import Load
from tests.simulator.bench import BenchCase, Client
from tests.simulator.test_tap import Lines

TICK = 0.02
OPENING = {"READY", "RESUMED", "GUILD_CREATE"}


class LoadCase(BenchCase):
    """A test of a load on a clock."""

    load: Load

    def start(self, **options: Any) -> None:
        super().start(**{"guilds": 8, "identify_window": 0.0, "heartbeat_interval": 10_000.0, **options})
        self.load = Load(self.hub)
        self.log = Lines(self)
        self.lines = self.log.lines

    def fleet(self, count: int, **more: object) -> list[Client]:
        return [self.ready(shard, count, **more) for shard in range(count)]

    def run_for(self, seconds: float) -> None:
        self.clock.pump([TICK] * round(seconds / TICK))

    def of_load(self, client: Client) -> list[dict[str, Any]]:
        """What the client got that its opening didn't bring."""
        return [payload for payload in client.wire.payloads if payload["op"] == 0 and payload["t"] not in OPENING]

    def warnings(self) -> list[str]:
        return [line for line in self.lines if "can't keep" in line]


class RateTests(LoadCase):
    """How many events, and when."""

    def test_exact(self) -> None:
        """So many events a second, to one in a thousand, alike for all sessions."""
        self.start()
        clients = self.fleet(4)
        self.load.start(333.3)
        self.run_for(20)
        self.assertTrue(abs(self.load.sent - 6666) <= 7, self.load.sent)
        self.assertTrue(abs(self.load.reached - 333.3) < 0.4, self.load.reached)
        counts = [len(self.of_load(client)) for client in clients]
        self.assertEqual(sum(counts), self.load.sent)
        self.assertTrue(max(counts) - min(counts) <= 8, counts)
        self.assertEqual((self.load.left_out, self.warnings()), (0, []))

    def test_fair(self) -> None:
        """At any rate and with any number of sessions, all get as many, but for the last few."""
        for rate in (90, 130, 499, 1010, 2222):
            self.start(guilds=7, members=3)
            clients = self.fleet(7)
            self.load.start(rate)
            self.run_for(5)
            self.assertTrue(abs(self.load.sent - 5 * rate) <= rate * TICK + 1)
            counts = [len(self.of_load(client)) for client in clients]
            self.assertTrue(max(counts) - min(counts) <= 4, (rate, counts))

    def test_few_take_all(self) -> None:
        """Where most clients are stuck, the others get exactly what is due, and alike."""
        self.start(guilds=10, members=3)
        clients = self.fleet(10)
        for client in clients[4:]:
            client.wire.is_stuck = True
        self.load.start(475)
        self.run_for(TICK)
        before = self.load.sent
        for _ in range(300):
            sent = self.load.sent
            self.run_for(TICK)
            self.assertTrue(9 <= self.load.sent - sent <= 10, self.load.sent - sent)
        self.assertTrue(abs(self.load.sent - before - 2850) <= 1, self.load.sent)
        counts = [len(self.of_load(client)) for client in clients]
        self.assertTrue(max(counts[:4]) - min(counts[:4]) < 0.05 * max(counts), counts)
        self.assertEqual(counts[4:], [0] * 6)

    def test_slow(self) -> None:
        """A rate of less than one event a tick holds too."""
        self.start()
        (client,) = self.fleet(1)
        self.load.start(0.5)
        self.run_for(20.1)
        self.assertEqual(len(self.of_load(client)), 10)

    def test_spread(self) -> None:
        """No tick sends more than its own events; many sessions get few at a time."""
        self.start(guilds=64, members=3)
        clients = self.fleet(64)
        self.load.start(2000)
        self.run_for(1)
        for _ in range(50):
            before = [len(client.wire.messages) for client in clients]
            self.run_for(TICK)
            gained = [len(client.wire.messages) - count for client, count in zip(clients, before, strict=True)]
            self.assertTrue(sum(gained) <= 41, gained)
            self.assertTrue(max(gained) <= 2, gained)

    def test_stall(self) -> None:
        """After a short stall it catches up at twice the rate; what a long one cost is left out and said once."""
        self.start()
        self.fleet(2)
        self.load.start(1000)
        self.run_for(1)
        sent = self.load.sent
        self.clock.advance(0.4)
        self.assertTrue(self.load.sent - sent <= 40, "no burst")
        self.run_for(1)
        self.assertTrue(abs(self.load.sent - sent - 1400) <= 2, self.load.sent - sent)
        self.assertEqual((self.load.left_out, self.warnings()), (0, []))
        for _ in range(3):
            self.clock.advance(5)
            self.run_for(2)
        self.assertTrue(11_500 < self.load.left_out < 12_500, self.load.left_out)
        self.assertEqual(len(self.warnings()), 1)
        self.assertIn("can't keep 1000 events/s", self.warnings()[0])
        self.assertTrue(abs(self.load.sent + self.load.left_out - 23_400) <= 1001)

    def test_stuck(self) -> None:
        """Clients that don't read get nothing more while they don't; others get it instead, and one line says so."""
        self.start()
        clients = self.fleet(3)
        self.load.start(300)
        self.run_for(1)
        clients[0].wire.is_stuck = True
        before = len(clients[0].wire.messages)
        self.run_for(2)
        self.assertEqual(len(clients[0].wire.messages), before)
        self.assertTrue(890 <= self.load.sent <= 900, self.load.sent)
        self.assertEqual(self.warnings(), [])
        sent = self.load.sent
        self.face.freeze(1)
        clients[2].wire.is_stuck = True
        self.run_for(4)
        self.assertEqual((self.load.sent, len(self.warnings())), (sent, 1))
        self.assertIn("3 sessions, 3 of them", self.warnings()[0])
        self.assertTrue(890 <= self.load.left_out <= 910, self.load.left_out)
        clients[0].wire.is_stuck = False
        self.run_for(1)
        self.assertTrue(self.load.sent >= sent + 300)

    def test_nobody(self) -> None:
        """Without sessions nothing is sent, nothing is due, and it begins when they are there."""
        self.start()
        self.load.start(100, sessions=2)
        self.run_for(5)
        first = self.ready(0, 2)
        self.run_for(5)
        self.assertEqual((self.load.sent, self.load.left_out, self.load.summary()), (0, 0, []))
        self.ready(1, 2)
        self.run_for(2)
        self.assertTrue(190 <= self.load.sent <= 201, self.load.sent)
        self.assertTrue(self.of_load(first))
        self.assertIn("the load begins: 100 events/s", self.lines)

    def test_stop(self) -> None:
        """Stopped, it sends nothing; its rate stays what it was on average. It can begin again."""
        self.start()
        self.fleet(1)
        self.load.start(100)
        self.run_for(2)
        self.load.stop()
        sent = self.load.sent
        self.run_for(2)
        self.assertEqual((self.load.sent, self.load.rate), (sent, 0.0))
        self.assertEqual(self.load.summary(), [f"load of {sent / 2:.1f} events/s ({sent} sent, 0 left out)"])
        self.load.start(50)
        self.run_for(2.02)
        self.assertEqual(self.load.sent, 100)


class ContentTests(LoadCase):
    """Which events, and to whom."""

    def test_right_guilds(self) -> None:
        """Each event is of a guild of the shard, in order of the sequence, and names what the guild has."""
        self.start(guilds=9)
        clients = self.fleet(3)
        self.load.start(1000)
        self.run_for(3)
        for shard, client in enumerate(clients):
            payloads = [payload for payload in client.wire.payloads if payload["op"] == 0]
            self.assertEqual([payload["s"] for payload in payloads], list(range(1, len(payloads) + 1)))
            for payload in self.of_load(client):
                guild = self.hub.world.guilds[int(payload["d"]["guild_id"])]
                self.assertEqual(shard_of(guild.id, 3), shard)
                if "channel_id" in payload["d"] and payload["t"] != "VOICE_STATE_UPDATE":
                    self.assertIn(int(payload["d"]["channel_id"]), guild.channels)
                author = payload["d"].get("author", payload["d"].get("user"))
                if author is not None:
                    self.assertIn(int(author["id"]), guild.members)
        self.assertEqual(self.broken(), [])

    def test_mix(self) -> None:
        """Most are messages; edits and reactions are of messages that the client was told of."""
        self.start()
        (client,) = self.fleet(1)
        self.load.start(2000)
        self.run_for(4)
        got = self.of_load(client)
        names = Counter(payload["t"] for payload in got)
        self.assertTrue(0.55 < names["MESSAGE_CREATE"] / len(got) < 0.9, names)
        wanted = "TYPING_START PRESENCE_UPDATE MESSAGE_UPDATE MESSAGE_REACTION_ADD GUILD_MEMBER_UPDATE"
        self.assertEqual([name for name in wanted.split() if not names[name]], [])
        told = set()
        for payload in got:
            if payload["t"] == "MESSAGE_CREATE":
                told.add(payload["d"]["id"])
            elif payload["t"] in ("MESSAGE_UPDATE", "MESSAGE_REACTION_ADD"):
                self.assertIn(payload["d"].get("message_id") or payload["d"]["id"], told)

    def test_renewal(self) -> None:
        """New events take the place of old ones, a few at a time."""
        self.start()
        (client,) = self.fleet(1)
        self.load.start(5000)
        self.run_for(2)
        early = {payload["d"]["id"] for payload in self.of_load(client) if payload["t"] == "MESSAGE_CREATE"}
        self.run_for(2)
        later = {payload["d"]["id"] for payload in self.of_load(client)[-2000:] if payload["t"] == "MESSAGE_CREATE"}
        self.assertTrue(later - early)
        self.assertTrue(later & early)

    def test_intents(self) -> None:
        """Sessions get what their intents let through, without content where that is not theirs, at the same rate."""
        self.start(guilds=4)
        every = self.ready(0, 1)
        voice = self.ready(0, 1, intents=int(Intent.GUILDS | Intent.GUILD_VOICE_STATES))
        some = self.ready(0, 1, intents=int(Intent.GUILDS | Intent.GUILD_MESSAGES))
        none = self.ready(0, 1, intents=int(Intent.GUILDS))
        self.load.start(600)
        self.run_for(2)
        self.assertTrue({payload["t"] for payload in self.of_load(some)} <= {"MESSAGE_CREATE", "MESSAGE_UPDATE"})
        self.assertEqual({payload["d"]["content"] for payload in self.of_load(some)}, {""})
        self.assertEqual({payload["t"] for payload in self.of_load(voice)}, {"VOICE_STATE_UPDATE"})
        self.assertEqual(self.of_load(none), [])
        contents = [payload["d"]["content"] for payload in self.of_load(every) if payload["t"] == "MESSAGE_CREATE"]
        self.assertTrue(contents and all(contents))
        self.assertTrue(abs(self.load.sent - 1200) <= 12, self.load.sent)

    def test_guilds_gone(self) -> None:
        """Nothing is heard of a guild that is left or in outage; of one that is joined later, events come in time."""
        self.start(guilds=3)
        (client,) = self.fleet(1)
        self.load.start(1000)
        self.run_for(1)
        left, out, stays = sorted(self.hub.world.guilds)
        self.face.leave_guild(left)
        self.face.outage(out)
        before = len(client.wire.payloads)
        self.run_for(2)
        heard = {payload["d"]["guild_id"] for payload in client.wire.payloads[before:] if "guild_id" in payload["d"]}
        self.assertEqual(heard, {str(stays)})
        self.face.recover(out)
        joined = self.face.join_guild()
        for _ in range(60):
            self.run_for(1)
            client.wire.messages[:] = client.wire.messages[-200:]
            heard = {payload["d"].get("guild_id") for payload in client.wire.payloads}
            if str(joined.id) in heard:
                break
        self.assertIn(str(joined.id), heard)

    def test_empty(self) -> None:
        """Shards without guilds get nothing, and the others get all; a world without any says that it can't."""
        self.start(guilds=1)
        clients = self.fleet(6)
        self.load.start(100)
        self.run_for(3)
        self.assertEqual([bool(self.of_load(client)) for client in clients].count(True), 1)
        self.assertTrue(abs(self.load.sent - 300) <= 3, self.load.sent)
        self.face.leave_guild(next(iter(self.hub.world.guilds)))
        self.run_for(3)
        self.assertEqual(len(self.warnings()), 1)


class KeptTests(LoadCase):
    """What is kept for a RESUME, and how much memory that takes."""

    def test_replay(self) -> None:
        """Events that came while the client was away are replayed, those and no others, byte for byte."""
        self.start(record_events=True)
        client = self.ready(0, 1)
        self.load.start(500)
        self.run_for(1)
        self.hub.deliver(self.face.session(0), "ORDINARY", b'{"between": 1.0}')
        self.run_for(1)
        last = client.wire.payloads[-1]["s"]
        client.leave()
        self.run_for(1)
        second = self.connect()
        second.resume(client.session_id, last - 700)
        self.settle()
        self.run_for(1)
        raw = [data for data, _ in second.wire.messages if json.loads(data)["op"] == 0]
        sent = {record.seq: record for record in self.hub.journal.events}
        resumed = next(place for place, data in enumerate(raw) if b'"RESUMED"' in data)
        self.assertEqual(resumed, 1200 + 1 - 1)
        for seq, data in enumerate(raw, start=last - 700 + 1):
            if b'"RESUMED"' not in data:
                record = sent[seq]
                self.assertEqual(data, b'{"t":"%b","s":%d,"op":0,"d":%b}' % (record.name.encode(), seq, record.d))
        self.assertIn(b'"ORDINARY"', b"".join(raw[:resumed]))
        self.assertEqual((self.broken(), self.hub.sent), ([], len(self.hub.journal.events)))

    def test_bounded(self) -> None:
        """A session keeps no more than the replay limit, and the bytes of what is sent again and again once."""
        self.start(guilds=1, replay_limit=5000)
        self.ready(0, 1)
        self.load.start(4000)
        self.run_for(5)
        log = self.face.session(0).log
        self.assertEqual(len(log), 5000)
        tails = {id(tail) for _, _, _, tail in log}
        self.assertTrue(len(tails) <= 512 + 5000 / 50 + 1, len(tails))

    def test_age(self) -> None:
        """What is older than the replay age is forgotten."""
        self.start(replay_age=2.0)
        self.ready(0, 1)
        self.load.start(200)
        self.run_for(10)
        self.assertTrue(390 <= len(self.face.session(0).log) <= 410, len(self.face.session(0).log))

    def test_held_back(self) -> None:
        """What a test withholds of a connection is withheld of the load too."""
        self.start()
        client = self.ready(0, 1)
        connection = self.face.connection(0)
        self.face.set_behaviour(0, type(connection.behaviour)(withhold=("MESSAGE_CREATE",)))
        self.load.start(500)
        self.run_for(2)
        self.assertTrue(self.of_load(client))
        self.assertNotIn("MESSAGE_CREATE", client.wire.names())
        connection.release(late=True)
        self.assertIn("MESSAGE_CREATE", client.wire.names())
