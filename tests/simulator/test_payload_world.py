"""Everything the gateway sends in a run with every kind of event, judged by the schema."""

from __future__ import annotations

import json
from itertools import product
from random import Random
from typing import Any

from rateway.model.intents import ALL, Intent
from rateway.simulator.control.controls import Controls
from rateway.simulator.gateway.rules import Asked
from rateway.simulator.load.stock import Stock
from rateway.simulator.load.tidings import MIX
from rateway.simulator.world.happenings.mixes import happenings
from rateway.simulator.world.traffic import Traffic
from tests.simulator.bench import BenchCase, Client
from tests.simulator.schema.checking import Unfitting, check_event, check_payload, key_paths
from tests.simulator.schema.events import EVENTS
from tests.simulator.test_payload_schema import samples

CHANGING = (Intent.GUILDS, Intent.GUILD_MEMBERS, Intent.GUILD_PRESENCES, Intent.MESSAGE_CONTENT)
"""The intents that change what a payload holds, and not only whether it comes."""

ANSWERS = {"READY", "RESUMED", "RATE_LIMITED", "GUILD_MEMBERS_CHUNK", "SOUNDBOARD_SOUNDS", "CHANNEL_INFO"}
"""What comes of a client's doing, never of the world's."""

EVENTS_IN_A_RUN = 6000
BATCH = 250


def kind_of(payload: dict[str, Any]) -> str:
    """Which sample a payload compares to: the names of the files."""
    op, d = payload["op"], payload["d"]
    if op != 0:
        return {1: "heartbeat_request", 7: "reconnect", 9: "invalid_session", 10: "hello", 11: "heartbeat_ack"}[int(op)]
    name = str(payload["t"]).lower()
    if name == "guild_create" and d.get("unavailable"):
        return "guild_create_unavailable"
    if name == "guild_delete":
        return "guild_delete_outage" if d.get("unavailable") else "guild_delete_left"
    if name == "message_create":
        part = "webhook" if "webhook_id" in d else "direct" if d["channel_type"] == 1 else "reply"
        return f"message_create_{part}"
    if name == "presence_update":
        return f"presence_update_{'offline' if d['status'] == 'offline' else 'full'}"
    if name == "voice_state_update":
        return f"voice_state_update_{'leave' if d['channel_id'] is None else 'join'}"
    return name


class Seen:
    """What has come: judged at once; its names, and its keys by kind."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.keys: dict[str, set[str]] = {}
        self.unfitting: dict[str, str] = {}
        self._known: set[bytes] = set()

    def take(self, client: Client) -> None:
        """Judge all that a client got since the last time."""
        messages, client.wire.messages = client.wire.messages, []
        for text, _ in messages:
            payload = json.loads(text)
            name = str(payload["t"] or payload["op"])
            self.names[name] = self.names.get(name, 0) + 1
            content = text[text.index(b'"d":') :]
            if content in self._known:
                # The same as another session got, but for its sequence.
                continue
            self._known.add(content)
            try:
                check_payload(text)
            except Unfitting as error:
                self.unfitting.setdefault(name, str(error))
            self.keys.setdefault(kind_of(payload), set()).update(key_paths(payload))


class WorldTests(BenchCase):
    """A run with everything."""

    maxDiff = None

    def test_everything(self) -> None:
        """Each payload fits; each event of the schema occurs; each key of each sample is sent."""
        self.start(guilds=6, members=30, seed=4, identify_window=0.0, replay_limit=10, send_limit=10_000)
        self.hub.addresses.resume = "wss://gateway.example.invalid"
        seen = Seen()
        clients = [
            self.ready(intents=int(ALL) & ~sum(intent for intent, on in zip(CHANGING, choice, strict=True) if not on))
            for choice in product((True, False), repeat=len(CHANGING))
        ]
        traffic = Traffic(self.hub, happenings("everything"))
        for batch in range(EVENTS_IN_A_RUN // BATCH):
            traffic.happen(BATCH)
            self.clock.advance(1.0)
            self.upset(self.face, batch)
            self.ask(clients[0], batch)
            self.settle()
            for client in clients:
                seen.take(client)
        self.leave_and_resume(clients[0], seen)
        self.assertEqual(seen.unfitting, {})
        self.assertEqual(set(EVENTS) - set(seen.names), set())
        self.assertEqual(set(seen.names) & ANSWERS, ANSWERS)
        missing = {
            name: sorted(set(key_paths(sample)) - seen.keys.get(name, set()))
            for name, sample in samples().items()
            if name not in ("guild_create_unavailable", "heartbeat_request", "reconnect", "invalid_session")
        }
        self.assertEqual({name: keys for name, keys in missing.items() if keys}, {})

    def upset(self, face: Controls, batch: int) -> None:
        """Outages, and guilds that are joined and left."""
        guild = face.guild(batch % len(self.hub.world.guilds)).id
        if batch % 5 == 0:
            face.outage(guild)
            self.settle()
            face.recover(guild)
        elif batch % 5 == 1:
            face.leave_guild(face.join_guild(5).id)

    def ask(self, client: Client, batch: int) -> None:
        """Every command, with all that changes its answer."""
        guild = self.face.guild(batch % len(self.hub.world.guilds))
        id = str(guild.id)
        known = [str(user) for user in list(guild.members)[:3]]
        for d in (
            {"guild_id": id, "query": "", "limit": 0, "presences": True, "nonce": f"list-{batch}"},
            {"guild_id": id, "query": "", "limit": 0, "nonce": "too-early"},
            {"guild_id": id, "user_ids": [*known, "1", 123123], "presences": True, "nonce": "some"},
            {"guild_id": id, "query": "a", "limit": 5},
        ):
            client.tell(8, d)
        client.tell(31, {"guild_ids": [id]})
        client.tell(43, {"guild_id": id, "fields": ["status", "voice_start_time"]})
        voice = str(guild.voice_channels()[0])
        client.tell(4, {"guild_id": id, "channel_id": voice, "self_mute": False, "self_deaf": True})
        client.tell(4, {"guild_id": id, "channel_id": None, "self_mute": False, "self_deaf": False})
        client.tell(3, {"since": None, "activities": [{"name": "chess", "type": 0}], "status": "idle", "afk": False})
        client.tell(1, 1)

    def leave_and_resume(self, client: Client, seen: Seen) -> None:
        """RESUMED, and the payloads that are no events."""
        session = client.connection.session
        assert session is not None
        client.leave()
        again = self.connect()
        again.resume(session.id, session.seq)
        self.settle()
        self.face.request_heartbeat(0)
        self.face.request_reconnect(0)
        again.connection.invalidate(resumable=True)
        seen.take(again)
        self.assertTrue({"RESUMED", "1", "7", "9", "10"} <= set(seen.names))

    def test_large_guild(self) -> None:
        """A guild of thousands, whose members are made when they are looked at: GUILD_CREATE, and lists in chunks."""
        self.start(guilds=1, members=2500, sizes="equal", send_limit=1000)
        self.hub.addresses.resume = "wss://gateway.example.invalid"
        seen, id = Seen(), str(self.face.guild(0).id)
        for threshold, presences in product((50, 250), (0, Intent.GUILD_PRESENCES)):
            intents = int(Intent.GUILDS | Intent.GUILD_MEMBERS | presences)
            self.clock.advance(60.0)
            client = self.ready(intents=intents, large_threshold=threshold)
            client.tell(8, {"guild_id": id, "query": "", "limit": 0, "presences": True})
            self.settle()
            seen.take(client)
            client.leave()
        self.assertEqual((seen.unfitting, seen.names["GUILD_MEMBERS_CHUNK"]), ({}, 4 * 3))

    def test_load(self) -> None:
        """What the load sends: events made once, for sessions with and without message contents."""
        self.start(guilds=4, members=20)
        seen: dict[str, int] = {}
        for intents in (int(ALL), int(ALL & ~Intent.MESSAGE_CONTENT)):
            stock = Stock(self.hub.world, Asked(0, 1, intents, 250, False, None), 500, Random(1))
            for event in stock.events(self.hub.world_time()):
                check_event(event.name, event.d)
                seen[event.name] = seen.get(event.name, 0) + 1
        self.assertEqual(set(seen), set(MIX))
        self.assertEqual(sum(seen.values()), 1000)
