"""The world's movement: at the chosen rate, and consistent with all that happened before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from rateway.simulator.world.happenings import MIX, Happening, change_channel, change_role, join, leave, move_in_voice
from rateway.simulator.world.traffic import Traffic
from tests.simulator.bench import BenchCase


class Mirror:
    """What a client that believes every event would know of one guild."""

    def __init__(self, create: dict[str, Any]) -> None:
        self.channels = {c["id"] for c in create["channels"]}
        self.roles = {r["id"] for r in create["roles"]}
        self.members = {m["user"]["id"] for m in create["members"]}
        self.voice = {v["user_id"]: v["channel_id"] for v in create["voice_states"]}
        self.messages: set[str] = set()
        self.wrong: list[str] = []

    def take(self, name: str, d: dict[str, Any]) -> None:
        handler = getattr(self, f"on_{name.lower()}", None)
        if handler is not None:
            handler(d)

    def check(self, known: bool, text: str) -> None:
        if not known:
            self.wrong.append(text)

    def on_message_create(self, d: dict[str, Any]) -> None:
        self.check(d["author"]["id"] in self.members, "message of nobody")
        self.check(d["channel_id"] in self.channels, "message nowhere")
        self.check(d["id"] not in self.messages, "message twice")
        self.check("user" not in d["member"], "member with user")
        self.messages.add(d["id"])

    def on_message_update(self, d: dict[str, Any]) -> None:
        self.check(d["id"] in self.messages and d["author"]["id"] in self.members, "update of no message")

    def on_message_delete(self, d: dict[str, Any]) -> None:
        self.check(d["id"] in self.messages, "deletion of no message")

    def on_message_reaction_add(self, d: dict[str, Any]) -> None:
        self.check(d["message_id"] in self.messages and d["user_id"] in self.members, "reaction to nothing")

    def on_typing_start(self, d: dict[str, Any]) -> None:
        self.check(d["user_id"] in self.members and d["channel_id"] in self.channels, "typing of nobody")

    def on_guild_member_add(self, d: dict[str, Any]) -> None:
        self.check(d["user"]["id"] not in self.members, "joined twice")
        self.members.add(d["user"]["id"])

    def on_guild_member_remove(self, d: dict[str, Any]) -> None:
        self.check(d["user"]["id"] in self.members, "left without being there")
        self.check(d["user"]["id"] not in self.voice, "left while in voice")
        self.members.discard(d["user"]["id"])

    def on_guild_member_update(self, d: dict[str, Any]) -> None:
        self.check(d["user"]["id"] in self.members and set(d["roles"]) <= self.roles, "update of nobody")

    def on_presence_update(self, d: dict[str, Any]) -> None:
        self.check(d["user"]["id"] in self.members or d["status"] == "offline", "presence of nobody")

    def on_voice_state_update(self, d: dict[str, Any]) -> None:
        self.check(d["user_id"] in self.members, "voice of nobody")
        if d["channel_id"] is None:
            self.check(d["user_id"] in self.voice, "left voice without being there")
            self.voice.pop(d["user_id"], None)
        else:
            self.check(d["channel_id"] in self.channels, "voice nowhere")
            self.voice[d["user_id"]] = d["channel_id"]

    def on_channel_create(self, d: dict[str, Any]) -> None:
        self.channels.add(d["id"])

    def on_channel_update(self, d: dict[str, Any]) -> None:
        self.check(d["id"] in self.channels, "update of no channel")

    def on_channel_delete(self, d: dict[str, Any]) -> None:
        self.check(d["id"] in self.channels, "deletion of no channel")
        self.channels.discard(d["id"])

    def on_guild_role_create(self, d: dict[str, Any]) -> None:
        self.roles.add(d["role"]["id"])

    def on_guild_role_update(self, d: dict[str, Any]) -> None:
        self.check(d["role"]["id"] in self.roles, "update of no role")

    def on_guild_role_delete(self, d: dict[str, Any]) -> None:
        self.check(d["role_id"] in self.roles, "deletion of no role")
        self.roles.discard(d["role_id"])


class TrafficTests(BenchCase):
    """Traffic over one shard."""

    def run_traffic(self, mix: Mapping[Happening, float] = MIX, count: int = 4000) -> Counter[str]:
        self.start(guilds=3, members=20, replay_limit=100)
        client = self.ready()
        mirrors = {p["d"]["id"]: Mirror(p["d"]) for p in client.wire.all("GUILD_CREATE")}
        client.wire.messages.clear()
        done = Traffic(self.hub, mix).happen(count)
        payloads = client.wire.payloads
        self.assertEqual(len(payloads), done)
        for payload in payloads:
            mirrors[payload["d"]["guild_id"]].take(payload["t"], payload["d"])
        self.assertEqual([mirror.wrong for mirror in mirrors.values()], [[], [], []])
        for id, mirror in mirrors.items():
            guild = self.hub.world.guilds[int(id)]
            self.assertEqual(mirror.members, set(map(str, guild.members)))
            self.assertEqual(mirror.channels, set(map(str, guild.channels)))
            self.assertEqual(mirror.roles, set(map(str, guild.roles)))
            self.assertEqual(set(mirror.voice), set(map(str, guild.voice_states)))
        return Counter(payload["t"] for payload in payloads)

    def test_consistent(self) -> None:
        """A client that believes every event ends with the world as it is; most events are messages."""
        counts = self.run_traffic()
        self.assertTrue(counts["MESSAGE_CREATE"] > 2000)
        self.assertTrue(
            {"TYPING_START", "PRESENCE_UPDATE", "MESSAGE_REACTION_ADD", "VOICE_STATE_UPDATE", "GUILD_MEMBER_ADD"}
            <= set(counts)
        )

    def test_consistent_in_upheaval(self) -> None:
        """The same where people, channels and roles come and go all the time."""
        happenings: list[Happening] = [join, leave, move_in_voice, change_channel, change_role]
        counts = self.run_traffic(dict.fromkeys(happenings, 1.0), 2000)
        self.assertTrue({"CHANNEL_DELETE", "GUILD_ROLE_DELETE", "GUILD_MEMBER_REMOVE"} <= set(counts))

    def test_rate(self) -> None:
        """The rate is kept over time, and can be stopped."""
        self.start(guilds=2, heartbeat_interval=1e6)
        client = self.ready()
        before = len(client.wire.messages)
        traffic = Traffic(self.hub)
        traffic.start(50.0)
        self.clock.pump([0.02] * 500)
        sent = len(client.wire.messages) - before
        self.assertTrue(480 <= sent <= 530, sent)
        traffic.stop()
        self.clock.pump([0.02] * 10)
        self.assertEqual(len(client.wire.messages) - before, sent)

    def test_stall(self) -> None:
        """After a stall it catches up with a second's events, not with all."""
        self.start(guilds=2, heartbeat_interval=1e6)
        client = self.ready()
        before = len(client.wire.messages)
        traffic = Traffic(self.hub)
        traffic.start(50.0)
        self.clock.advance(60.0)
        self.assertTrue(40 <= len(client.wire.messages) - before <= 60)

    def test_empty_world(self) -> None:
        """A world without guilds, or without people, is silent."""
        self.start(guilds=0)
        self.assertEqual(Traffic(self.hub).happen(10), 0)
        self.start(guilds=1, members=0)
        self.assertTrue(Traffic(self.hub).happen(10) <= 10)

    def test_outage(self) -> None:
        """Nothing is heard of a guild in outage."""
        self.start(guilds=1)
        client = self.ready()
        self.face.outage(self.face.guild(0).id)
        before = len(client.wire.messages)
        Traffic(self.hub).happen(50)
        self.assertEqual(len(client.wire.messages), before)
