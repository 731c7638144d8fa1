"""The world's movement: at the chosen rate, and consistent with all that happened before."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Any

from rateway.simulator.hub import encode
from rateway.simulator.world.deeds import UnknownChannel
from rateway.simulator.world.guild import Guild
from rateway.simulator.world.happenings.mixes import FAMILIES, PRESETS, happenings, parse_mix
from rateway.simulator.world.traffic import Traffic
from rateway.simulator.world.world import BOT_ID
from tests.simulator.bench import BenchCase, Client
from tests.simulator.mirror import View, emoji_key
from tests.simulator.rooms import Mirror

Json = dict[str, Any]


class ConsistencyTests(BenchCase):
    """A client that believes every event, from READY on, ends with the world as it is."""

    def live(self, seed: int, mix: str | Mapping[str, float], rounds: int = 20, events: int = 200) -> Mirror:
        """Traffic for a while, believed by a mirror and compared with the world."""
        self.start(guilds=3, members=20, seed=seed, heartbeat_interval=1e6, mix=mix)
        client = self.ready()
        mirror, traffic = Mirror(), Traffic(self.hub)
        for _ in range(rounds):
            traffic.happen(events)
            self.clock.advance(1.0)
            self.believe(client, mirror)
        self.compare(mirror)
        return mirror

    def compare(self, mirror: Mirror) -> None:
        """Everything known is so, and everything that is so is known."""
        world = self.hub.world
        there = {str(guild.id) for guild in world.guilds.values() if not guild.unavailable}
        self.assertEqual(set(mirror.guilds), there)
        self.assertEqual(mirror.away, {str(id) for id in world.guilds} - there)
        for id, view in mirror.guilds.items():
            self.compare_guild(world.guilds[int(id)], view, mirror)
        self.assertEqual(mirror.entitlements, plain(world.entitlements))
        self.assertEqual(mirror.subscriptions, plain(world.subscriptions))
        self.assertEqual(mirror.user["avatar"], world.bot["avatar"])
        for place in world.directs.values():
            self.compare_messages(str(place.id), place.history, mirror)

    def compare_guild(self, guild: Guild, view: View, mirror: Mirror) -> None:
        self.assertEqual(view.count, guild.member_count)
        self.assertEqual(view.fields, guild.fields)
        self.assertEqual(view.bans, {str(id) for id in guild.bans})
        self.assertEqual(view.invites, json.loads(encode(guild.invites)))
        for id, thread in view.threads.items():
            # In GUILD_CREATE the bot's membership doesn't say whose it is; elsewhere it does.
            member, bot = thread["member"], str(guild.bot_id)
            self.assertEqual((member.pop("id", id), member.pop("user_id", bot)), (id, bot))
        for mine, its in (
            (view.members, guild.members),
            (view.presences, guild.presences),
            (view.voice, guild.voice_states),
            (view.roles, guild.roles),
            (view.emojis, guild.emojis),
            (view.stickers, guild.stickers),
            (view.sounds, guild.sounds),
            (view.channels, guild.channels),
            (view.threads, guild.threads),
            (view.stages, guild.stage_instances),
            (view.events, guild.scheduled_events),
            (view.rules, guild.rules),
            (view.integrations, guild.integrations),
            (view.info, guild.channel_info),
        ):
            self.assertEqual(mine, plain(its))
        for channel, history in guild.histories.items():
            self.compare_messages(str(channel), history, mirror)

    def compare_messages(self, channel: str, history: Any, mirror: Mirror) -> None:
        """The messages that the world remembers are known, with all their reactions and votes; the rest are older."""
        self.assertTrue(len(history) <= 100)
        known = mirror.messages.get(channel, {})
        kept = {message.id for message in history}
        forgotten = {int(id) for id in known} - kept
        self.assertTrue(not forgotten or mirror.written[channel] > 100, forgotten)
        self.assertTrue(not kept or all(id < min(kept) for id in forgotten), forgotten)
        for message in history:
            heard = known[str(message.id)]
            for key in ("content", "embeds", "edited_timestamp", "pinned", "author"):
                self.assertEqual(heard.d[key], message.data[key], key)
            users = Counter(
                {key: each.count for key, each in message.reactions.items() if each.count},
            )
            self.assertEqual(Counter(key for key, _, _ in heard.reacted), users)
            votes = {(str(user), answer) for answer, voters in message.votes.items() for user in voters}
            self.assertEqual(heard.votes, votes)

    def test_everything(self) -> None:
        """With every family of events, over several seeds; between them they show each event there is."""
        names: Counter[str] = Counter()
        for seed in range(1, 6):
            names += self.live(seed, "everything").names
        self.assertEqual(set(EVENTS.split()) - set(names), set())
        self.assertEqual(set(names) - set(EVENTS.split()), set())

    def test_realistic(self) -> None:
        """The default looks like a real bot's day: messages, presences and typing are most of it."""
        names = self.live(7, "realistic").names
        most = sum(names[name] for name in ("MESSAGE_CREATE", "PRESENCE_UPDATE", "TYPING_START"))
        self.assertTrue(most > 0.7 * names.total(), names)

    def test_upheaval(self) -> None:
        """The same where people, channels, threads and roles come and go all the time."""
        families = (
            "message",
            "member",
            "ban",
            "channel",
            "thread",
            "role",
            "voice",
            "stage",
            "event",
            "outage",
            "join",
        )
        names: Counter[str] = Counter()
        for seed in range(11, 15):
            names += self.live(seed, dict.fromkeys(families, 1.0) | {"outage": 0.05, "join": 0.05}).names
        removals = ("CHANNEL_DELETE", "GUILD_ROLE_DELETE", "GUILD_MEMBER_REMOVE", "THREAD_DELETE", "GUILD_DELETE")
        self.assertTrue(all(names[name] > 20 for name in removals), names)

    def test_with_the_bot(self) -> None:
        """The same while the bot itself writes, reacts, edits, shows presences, and goes in and out of voice."""
        self.start(guilds=3, members=20, seed=21, heartbeat_interval=1e6, mix="everything")
        client, random = self.ready(), Random(21)
        mirror, traffic = Mirror(), Traffic(self.hub)
        for _ in range(60):
            traffic.happen(40)
            self.act(client, random)
            self.clock.advance(5.0)
            self.believe(client, mirror)
        self.compare(mirror)
        self.assertTrue(mirror.names["VOICE_SERVER_UPDATE"] > 5)
        own = [heard.d for known in mirror.messages.values() for heard in known.values()]
        self.assertTrue(any(d["author"]["id"] == str(BOT_ID) for d in own))

    def act(self, client: Client, random: Random) -> None:
        """Something that a bot does in one of its guilds."""
        guild = random.choice([each for each in self.hub.world.guilds.values() if not each.unavailable])
        channel = random.choice(guild.text_channels())
        deeds = self.face.deeds
        message = int(deeds.post_message(channel, "from the bot")["id"])
        deeds.add_reaction(channel, message, "\N{EYES}")
        deeds.edit_message(channel, message, content="from the bot, again")
        if random.random() < 0.3:
            deeds.delete_message(channel, message)
        voice = random.choice([*guild.voice_channels(), None])
        place = None if voice is None else str(voice)
        client.tell(4, {"guild_id": str(guild.id), "channel_id": place, "self_mute": False, "self_deaf": False})
        status = random.choice(("online", "idle", "invisible"))
        client.tell(3, {"since": None, "activities": [], "status": status, "afk": False})

    def believe(self, client: Client, mirror: Mirror) -> None:
        """All events so far are taken by the mirror, which finds nothing wrong."""
        for payload in client.wire.payloads:
            if payload["op"] == 0:
                mirror.take(payload["t"], payload["d"])
        client.wire.messages.clear()
        self.assertEqual(mirror.wrong, [])

    def test_the_mirror_sees(self) -> None:
        """The mirror does object: to a message of nobody, an unknown event, a reaction on nothing, a foreign guild."""
        self.start(guilds=1, members=5)
        client, mirror = self.ready(), Mirror()
        for payload in client.wire.payloads:
            if payload["op"] == 0:
                mirror.take(payload["t"], payload["d"])
        guild = self.face.guild(0)
        head = {"guild_id": str(guild.id), "channel_id": str(guild.text_channels()[0])}
        emoji = {"id": None, "name": "x"}
        self.assertEqual((mirror.wrong, emoji_key(emoji)), ([], "x"))
        for name, d in (
            ("NEW_KIND", {}),
            ("MESSAGE_DELETE", {**head, "id": "1"}),
            ("MESSAGE_REACTION_ADD", {**head, "message_id": "1", "user_id": "1", "emoji": emoji, "burst": False}),
            ("GUILD_MEMBER_REMOVE", {**head, "user": {"id": "1"}}),
            ("GUILD_ROLE_DELETE", {**head, "role_id": "1"}),
            ("CHANNEL_UPDATE", {**guild.channels[guild.text_channels()[0]], **head, "id": "1"}),
        ):
            before = len(mirror.wrong)
            mirror.take(name, d)
            self.assertTrue(len(mirror.wrong) > before, name)


def plain(values: Mapping[int, Json]) -> dict[str, Json]:
    """As a client reads it: ids as texts, objects as JSON."""
    return {str(id): json.loads(encode(value)) for id, value in values.items()}


EVENTS = """
READY USER_UPDATE INTERACTION_CREATE APPLICATION_COMMAND_PERMISSIONS_UPDATE ENTITLEMENT_CREATE ENTITLEMENT_UPDATE
ENTITLEMENT_DELETE SUBSCRIPTION_CREATE SUBSCRIPTION_UPDATE SUBSCRIPTION_DELETE WEBHOOKS_UPDATE TYPING_START
GUILD_CREATE GUILD_UPDATE GUILD_DELETE CHANNEL_CREATE CHANNEL_UPDATE CHANNEL_DELETE CHANNEL_PINS_UPDATE
VOICE_CHANNEL_STATUS_UPDATE VOICE_CHANNEL_START_TIME_UPDATE STAGE_INSTANCE_CREATE STAGE_INSTANCE_UPDATE
STAGE_INSTANCE_DELETE INVITE_CREATE INVITE_DELETE THREAD_CREATE THREAD_UPDATE THREAD_DELETE THREAD_LIST_SYNC
THREAD_MEMBER_UPDATE THREAD_MEMBERS_UPDATE GUILD_MEMBER_ADD GUILD_MEMBER_UPDATE GUILD_MEMBER_REMOVE GUILD_BAN_ADD
GUILD_BAN_REMOVE GUILD_ROLE_CREATE GUILD_ROLE_UPDATE GUILD_ROLE_DELETE PRESENCE_UPDATE GUILD_EMOJIS_UPDATE
GUILD_STICKERS_UPDATE GUILD_SOUNDBOARD_SOUND_CREATE GUILD_SOUNDBOARD_SOUND_UPDATE GUILD_SOUNDBOARD_SOUND_DELETE
GUILD_SOUNDBOARD_SOUNDS_UPDATE VOICE_CHANNEL_EFFECT_SEND GUILD_INTEGRATIONS_UPDATE INTEGRATION_CREATE
INTEGRATION_UPDATE INTEGRATION_DELETE GUILD_SCHEDULED_EVENT_CREATE GUILD_SCHEDULED_EVENT_UPDATE
GUILD_SCHEDULED_EVENT_DELETE GUILD_SCHEDULED_EVENT_USER_ADD GUILD_SCHEDULED_EVENT_USER_REMOVE
GUILD_AUDIT_LOG_ENTRY_CREATE AUTO_MODERATION_RULE_CREATE AUTO_MODERATION_RULE_UPDATE AUTO_MODERATION_RULE_DELETE
AUTO_MODERATION_ACTION_EXECUTION MESSAGE_CREATE MESSAGE_UPDATE MESSAGE_DELETE MESSAGE_DELETE_BULK
MESSAGE_REACTION_ADD MESSAGE_REACTION_REMOVE MESSAGE_REACTION_REMOVE_ALL MESSAGE_REACTION_REMOVE_EMOJI
MESSAGE_POLL_VOTE_ADD MESSAGE_POLL_VOTE_REMOVE VOICE_STATE_UPDATE
"""
"""All that happens by itself: the rest of Discord's events answer commands."""


class MixTests(BenchCase):
    """What the traffic is made of."""

    def test_text(self) -> None:
        """A mix is a preset, text, or weights."""
        self.assertEqual(parse_mix("messages"), PRESETS["messages"])
        self.assertEqual(parse_mix("message=5, presence=30"), {"message": 5.0, "presence": 30.0})
        self.assertEqual(parse_mix({"typing": 1}), {"typing": 1.0})

    def test_errors(self) -> None:
        """What can't be understood is said, with what was meant perhaps."""
        for mix, words in (
            ("messges=5", "nearest is message"),
            ("loud", "neither a preset"),
            ("message=many", "no number"),
            ("message=-1", "no number"),
            ("message=nan", "no number"),
            ({"message": None}, "no number"),
            ("message=0", "no family has a weight"),
            ({}, "no family has a weight"),
        ):
            with self.assertRaises(ValueError) as caught:
                parse_mix(mix)  # type: ignore[arg-type]
            self.assertIn(words, str(caught.exception))

    def test_presets(self) -> None:
        """Presets name families there are; ``everything`` names them all, and has no happening without weight."""
        for weights in PRESETS.values():
            self.assertTrue(set(weights) <= set(FAMILIES))
        self.assertEqual(set(PRESETS["everything"]), set(FAMILIES))
        everything = happenings("everything")
        self.assertEqual({each for family in FAMILIES.values() for each in family}, set(everything))

    def test_one_family(self) -> None:
        """With one family alone, nothing else happens."""
        self.start(guilds=2, members=10, mix="typing=1")
        client = self.ready()
        client.wire.messages.clear()
        Traffic(self.hub).happen(50)
        self.assertEqual(set(client.wire.names()), {"TYPING_START"})


class RateTests(BenchCase):
    """How much happens when."""

    def begin(self, **options: Any) -> Client:
        self.start(guilds=2, heartbeat_interval=1e6, mix="typing=1", **options)
        client = self.ready()
        client.wire.messages.clear()
        return client

    def test_rate(self) -> None:
        """The rate is kept over time, and can be stopped."""
        client = self.begin()
        traffic = Traffic(self.hub)
        traffic.start(50.0)
        self.clock.pump([0.02] * 500)
        sent = len(client.wire.messages)
        self.assertTrue(495 <= sent <= 505, sent)
        traffic.stop()
        self.clock.pump([0.02] * 10)
        self.assertEqual(len(client.wire.messages), sent)

    def test_another_mix(self) -> None:
        """Started anew, the mix may be another."""
        client = self.begin()
        traffic = Traffic(self.hub)
        traffic.start(50.0, "presence=1")
        self.clock.pump([0.02] * 50)
        self.assertEqual(set(client.wire.names()), {"PRESENCE_UPDATE"})
        self.assertRaises(ValueError, traffic.start, 1.0, "nothing")

    def test_stall(self) -> None:
        """After a stall it catches up with a second's events, not with all."""
        client = self.begin()
        Traffic(self.hub).start(50.0)
        self.clock.advance(60.0)
        self.assertTrue(40 <= len(client.wire.messages) <= 60)

    def test_empty_world(self) -> None:
        """A world without guilds, or without people, is silent or nearly so."""
        self.start(guilds=0, mix="everything")
        self.assertEqual(Traffic(self.hub).happen(10), 0)
        self.start(guilds=1, members=0, mix="message=1,presence=1,member=1,voice=1")
        self.assertTrue(Traffic(self.hub).happen(10) <= 30)

    def test_never_ends(self) -> None:
        """However guilds fail, are joined and left, one remains where something can happen."""
        for seed in range(20):
            self.start(guilds=3, members=3, seed=seed, mix="outage=1,join=1")
            traffic = Traffic(self.hub)
            for _ in range(200):
                traffic.happen(1)
                self.assertTrue(any(not guild.unavailable for guild in self.hub.world.guilds.values()))

    def test_outage(self) -> None:
        """Nothing is heard of a guild in outage, and nothing can be done there."""
        self.start(guilds=1, mix="everything")
        client = self.ready()
        guild = self.face.guild(0)
        self.face.outage(guild.id)
        client.wire.messages.clear()
        Traffic(self.hub).happen(50)
        self.assertRaises(UnknownChannel, self.hub.deeds.post_message, guild.text_channels()[0], "quiet")
        self.assertEqual(client.wire.messages, [])
