"""The made-up world: the same from the same seed, in Discord's shapes, spread over the shards."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.model.intents import ALL, Intent
from rateway.model.snowflake import shard_of
from rateway.simulator.gateway.filters import lets_through
from rateway.simulator.hub import encode
from rateway.simulator.options import SimulatorOptions
from rateway.simulator.world.ids import Ids, guild_id, user_id
from rateway.simulator.world.world import BOT_ID, World
from tests.simulator.bench import BenchCase

USER = "id username discriminator global_name avatar public_flags"
MEMBER = "user nick avatar banner roles joined_at premium_since deaf mute flags pending communication_disabled_until"
KEYS = {
    "guild": "id name icon splash discovery_splash owner_id region afk_channel_id afk_timeout widget_enabled "
    "widget_channel_id verification_level default_message_notifications explicit_content_filter mfa_level "
    "application_id system_channel_id system_channel_flags rules_channel_id max_presences max_members "
    "max_video_channel_users max_stage_video_channel_users vanity_url_code description banner premium_tier "
    "premium_subscription_count preferred_locale public_updates_channel_id safety_alerts_channel_id nsfw_level "
    "premium_progress_bar_enabled incidents_data features joined_at large unavailable member_count roles emojis "
    "stickers channels threads members presences voice_states stage_instances guild_scheduled_events "
    "soundboard_sounds",
    "roles": "id name color colors hoist icon unicode_emoji position permissions managed mentionable flags",
    "emojis": "id name roles require_colons managed animated available",
    "stickers": "id name description tags type format_type available guild_id",
    "threads": "id type name parent_id owner_id guild_id last_message_id message_count member_count "
    "total_message_sent rate_limit_per_user applied_tags flags thread_metadata member",
    "members": MEMBER,
    "presences": "user status activities client_status",
    "voice_states": "user_id channel_id session_id deaf mute self_deaf self_mute self_video suppress "
    "request_to_speak_timestamp",
    "stage_instances": "id guild_id channel_id topic privacy_level discoverable_disabled guild_scheduled_event_id",
    "guild_scheduled_events": "id guild_id channel_id creator_id name description scheduled_start_time "
    "scheduled_end_time privacy_level status entity_type entity_id entity_metadata image recurrence_rule user_count",
    "soundboard_sounds": "name sound_id volume emoji_id emoji_name guild_id available",
}
CHANNEL_KEYS = {
    0: "id type name position parent_id permission_overwrites topic nsfw last_message_id rate_limit_per_user "
    "last_pin_timestamp flags",
    2: "id type name position parent_id permission_overwrites bitrate user_limit rtc_region nsfw last_message_id "
    "rate_limit_per_user flags",
    4: "id type name position permission_overwrites parent_id flags",
    13: "id type name position parent_id permission_overwrites bitrate user_limit rtc_region nsfw flags",
    5: "id type name position parent_id permission_overwrites topic nsfw last_message_id rate_limit_per_user "
    "last_pin_timestamp flags",
    15: "id type name position parent_id permission_overwrites topic nsfw last_message_id rate_limit_per_user "
    "available_tags default_reaction_emoji default_sort_order default_forum_layout "
    "default_thread_rate_limit_per_user flags",
}
CHANNEL_KEYS[16] = CHANNEL_KEYS[15]
READY_KEYS = (
    "v user_settings user session_type session_id resume_gateway_url relationships private_channels presences "
    "guild_join_requests guilds shard auth application _trace"
)


def ids_of(value: object) -> list[object]:
    """The values of all keys that bear ids, anywhere."""
    if isinstance(value, list):
        return [id for item in value for id in ids_of(item)]
    if not isinstance(value, dict):
        return []
    own = [v for k, v in value.items() if (k == "id" or k.endswith("_id")) and v is not None]
    return own + [id for item in value.values() for id in ids_of(item)]


class ShapeTests(SynchronousTestCase):
    """What the payloads look like."""

    def setUp(self) -> None:
        self.world = World(SimulatorOptions(guilds=3, members=30))
        self.guild = next(iter(self.world.guilds.values()))
        self.payload = json.loads(encode(self.guild.create_payload(int(ALL), 250)))

    def test_guild_create(self) -> None:
        """GUILD_CREATE has every key of Discord's, and each of its collections too, none more."""
        self.assertEqual(set(self.payload), set(KEYS["guild"].split()))
        for name, keys in KEYS.items():
            if name == "guild":
                continue
            self.assertTrue(self.payload[name], name)
            for item in self.payload[name]:
                self.assertEqual(set(item) - ({"tags"} if name == "roles" else set()), set(keys.split()), name)

    def test_channels(self) -> None:
        """Each type of channel has its own keys; one that the bot may not see shows as such."""
        hidden = [c for c in self.payload["channels"] if c["flags"] & 1 << 17]
        self.assertEqual([c["name"] for c in hidden], ["___hidden___"])
        for channel in self.payload["channels"]:
            if channel not in hidden:
                self.assertEqual(set(channel), set(CHANNEL_KEYS[channel["type"]].split()))

    def test_every_type(self) -> None:
        """There are channels of every type a bot can see, threads of each of theirs, overwrites of both kinds, tags."""
        channels, threads = self.payload["channels"], self.payload["threads"]
        self.assertEqual({channel["type"] for channel in channels}, {0, 2, 4, 5, 13, 15, 16})
        parents = {channel["id"]: channel["type"] for channel in channels}
        self.assertEqual({(t["type"], parents[t["parent_id"]]) for t in threads}, {(10, 5), (11, 15), (12, 0)})
        overwrites = [each for channel in channels for each in channel["permission_overwrites"]]
        self.assertEqual({each["type"] for each in overwrites}, {0, 1})
        (forum,) = [channel for channel in channels if channel["type"] == 15]
        self.assertEqual(set(forum["available_tags"][0]), {"id", "name", "moderated", "emoji_id", "emoji_name"})
        (post,) = [thread for thread in threads if thread["type"] == 11]
        self.assertTrue(set(post["applied_tags"]) <= {tag["id"] for tag in forum["available_tags"]})
        private = [thread for thread in threads if "invitable" in thread["thread_metadata"]]
        self.assertEqual([thread["type"] for thread in private], [12])

    def test_users(self) -> None:
        """Users have their keys; the bot is marked as one."""
        for member in self.payload["members"]:
            bot = {"bot"} if member["user"]["id"] == str(BOT_ID) else set()
            self.assertEqual(set(member["user"]), set(USER.split()) | bot)

    def test_ids_are_strings(self) -> None:
        """Every id anywhere is a string of digits (or an activity's name)."""
        for id in ids_of(self.payload):
            self.assertIsInstance(id, str)

    def test_boolean_tags(self) -> None:
        """A role's boolean tag is present with null for true."""
        tags = [role["tags"] for role in self.payload["roles"] if "tags" in role]
        self.assertIn({"premium_subscriber": None}, tags)

    def test_everyone(self) -> None:
        """The role @everyone has the guild's id."""
        self.assertEqual(self.payload["roles"][0]["id"], self.payload["id"])

    def test_references(self) -> None:
        """Roles of members, channels of voice states and parents of channels exist."""
        roles = {role["id"] for role in self.payload["roles"]}
        channels = {channel["id"] for channel in self.payload["channels"]}
        members = {member["user"]["id"] for member in self.payload["members"]}
        self.assertTrue(all(set(member["roles"]) <= roles for member in self.payload["members"]))
        self.assertTrue({state["channel_id"] for state in self.payload["voice_states"]} <= channels)
        self.assertTrue({state["user_id"] for state in self.payload["voice_states"]} <= members)
        self.assertTrue({c["parent_id"] for c in self.payload["channels"]} <= channels | {None})
        self.assertIn(self.payload["owner_id"], members)


class WorldTests(SynchronousTestCase):
    """The world as a whole."""

    def test_same_seed(self) -> None:
        """The same options make the same world; another seed makes another."""

        def picture(seed: int) -> list[bytes]:
            world = World(SimulatorOptions(guilds=3, members=20, seed=seed))
            return [encode(guild.create_payload(int(ALL), 250)) for guild in world.guilds.values()]

        self.assertEqual(picture(1), picture(1))
        self.assertNotEqual(picture(1), picture(2))

    def test_users_are_shared(self) -> None:
        """Some users are in several guilds."""
        world = World(SimulatorOptions(guilds=5, members=20))
        counts = [sum(user in guild.members for guild in world.guilds.values()) for user in world.users]
        self.assertTrue(sum(count > 1 for count in counts) > 5)

    def test_spread(self) -> None:
        """Guilds spread evenly over any small number of shards."""
        world = World(SimulatorOptions(guilds=48, members=0))
        for total in (1, 2, 3, 4, 8, 16):
            sizes = [len(world.guilds_of(shard, total)) for shard in range(total)]
            self.assertEqual(set(sizes), {48 // total})

    @settings(deadline=None, database=None, max_examples=50)
    @given(st.integers(0, 100_000), st.integers(1, 16))
    def test_foreseeable_shard(self, index: int, total: int) -> None:
        """Guild number i is on shard i % total."""
        self.assertEqual(shard_of(guild_id(index), total), index % total)

    def test_ids_rise(self) -> None:
        """Ids are below 2**63, never repeat, and rise."""
        ids = Ids()
        made = [ids.made() for _ in range(50)] + [ids.live(now) for now in (0.0, 1.79e9, 1.79e9, 1.78e9, 1.8e9)]
        self.assertEqual(made, sorted(set(made)))
        self.assertTrue(max(*made, guild_id(10**6), user_id(10**6)) < 2**63)


class VisibilityTests(BenchCase):
    """What a session sees of a guild, by its intents."""

    def seen(self, intents: int, threshold: int = 250) -> tuple[set[int], int]:
        """The members and the number of presences in GUILD_CREATE."""
        self.start(guilds=1, members=80)
        self.guild = self.face.guild(0)
        client = self.ready(intents=intents, large_threshold=threshold)
        d = client.wire.all("GUILD_CREATE")[0]["d"]
        self.large = d["large"]
        return {int(member["user"]["id"]) for member in d["members"]}, len(d["presences"])

    def test_without_presences(self) -> None:
        """Without GUILD_PRESENCES: the bot and who is in voice."""
        members, presences = self.seen(int(Intent.GUILDS | Intent.GUILD_MEMBERS))
        self.assertEqual((members, presences), ({BOT_ID, *self.guild.voice_states}, 0))

    def test_small_guild(self) -> None:
        """With it, in a small guild: everybody."""
        members, presences = self.seen(int(ALL))
        self.assertEqual((members, presences, self.large), (set(self.guild.members), len(self.guild.presences), False))

    def test_large_guild(self) -> None:
        """Above the threshold: who is online, has a role or a nick, or is in voice."""
        members, _ = self.seen(int(ALL), 50)
        self.assertTrue(self.large)
        self.assertTrue({BOT_ID, *self.guild.presences, *self.guild.voice_states} <= members < set(self.guild.members))

    def test_without_guilds(self) -> None:
        """Without GUILDS: no GUILD_CREATE at all."""
        self.start(guilds=1)
        self.assertEqual(self.ready(intents=int(Intent.GUILD_MESSAGES)).wire.names(), ["READY"])

    def test_ready_has_discords_keys(self) -> None:
        """READY has every key of Discord's."""
        self.start()
        ready = self.ready().wire.all("READY")[0]["d"]
        self.assertEqual(set(ready), set(READY_KEYS.split()))
        self.assertEqual((ready["v"], len(ready["session_id"])), (10, 32))


class GuildControlTests(BenchCase):
    """Outages, joins and leaves on demand."""

    def prepare(self) -> None:
        self.start(guilds=4, members=3, identify_window=0.0)
        self.client = self.ready(0, 2)
        self.client.wire.messages.clear()

    def test_outage(self) -> None:
        """An outage shows as GUILD_DELETE with unavailable, in a later backfill too; its end as GUILD_CREATE."""
        self.prepare()
        id = self.face.guild(0).id
        self.face.outage(id)
        self.assertEqual(self.client.wire.payloads[0]["d"], {"id": str(id), "unavailable": True})
        other = self.ready(0, 2)
        self.assertEqual([p["d"]["id"] for p in other.wire.all("GUILD_DELETE")], [str(id)])
        self.face.recover(id)
        self.assertEqual(self.client.wire.names(), ["GUILD_DELETE", "GUILD_CREATE"])
        self.assertFalse(self.client.wire.payloads[1]["d"]["unavailable"])

    def test_join_and_leave(self) -> None:
        """A guild just joined lacks the key unavailable; one left is deleted without it."""
        self.prepare()
        guild = self.face.join_guild(5)
        self.assertEqual((guild.member_count, shard_of(guild.id, 2)), (6, 0))
        self.assertNotIn("unavailable", self.client.wire.payloads[0]["d"])
        self.face.leave_guild(guild.id)
        self.assertEqual(self.client.wire.payloads[1]["d"], {"id": str(guild.id)})

    def test_left_silently(self) -> None:
        """A guild left while nobody was told is missing in the next READY."""
        self.prepare()
        id = self.face.guild(0).id
        self.face.leave_guild(id, how="silently")
        self.assertEqual(self.client.wire.names(), [])
        self.assertEqual(len(self.ready(0, 2).wire.all("READY")[0]["d"]["guilds"]), 1)

    def test_huge_guild(self) -> None:
        """A GUILD_CREATE as large as wanted, still a guild."""
        self.prepare()
        raw = self.face.guild_create(self.face.guild(0).id, pad_to=2_000_000)
        d = json.loads(raw)
        self.assertTrue(2_000_000 <= len(raw) < 2_100_000)
        self.assertEqual(len({member["user"]["id"] for member in d["members"]}), d["member_count"])


class FilterTests(BenchCase):
    """What the intents let through."""

    def test_table(self) -> None:
        """Each event needs its intent, some one of two; unknown names and session events need none."""
        for intents, name, guild, passes in (
            (0, "NEW_KIND", True, True),
            (0, "INTERACTION_CREATE", True, True),
            (0, "MESSAGE_CREATE", True, False),
            (Intent.GUILD_MESSAGES, "MESSAGE_CREATE", True, True),
            (Intent.GUILD_MESSAGES, "MESSAGE_CREATE", False, False),
            (Intent.DIRECT_MESSAGES, "MESSAGE_CREATE", False, True),
            (Intent.GUILDS, "THREAD_MEMBERS_UPDATE", True, False),
            (Intent.GUILD_MEMBERS, "THREAD_MEMBERS_UPDATE", True, True),
            (Intent.GUILD_PRESENCES, "GUILD_MEMBER_ADD", True, False),
        ):
            self.assertEqual(lets_through(int(intents), name, guild=guild), passes, name)

    def test_own(self) -> None:
        """What is about the bot itself comes also without GUILD_MEMBERS."""
        self.start(guilds=1)
        client = self.ready(intents=int(Intent.GUILDS))
        client.wire.messages.clear()
        id, head = self.face.guild(0).id, {"guild_id": str(self.face.guild(0).id)}
        for user in (str(BOT_ID), "5"):
            self.face.emit(id, "GUILD_MEMBER_UPDATE", {**head, "user": {"id": user}})
            self.face.emit(id, "THREAD_MEMBERS_UPDATE", {**head, "added_members": [{"user_id": user}]})
            self.face.emit(id, "THREAD_MEMBERS_UPDATE", {**head, "removed_member_ids": [user]})
        self.assertEqual(client.wire.names(), ["GUILD_MEMBER_UPDATE", "THREAD_MEMBERS_UPDATE", "THREAD_MEMBERS_UPDATE"])

    def test_routing(self) -> None:
        """An event goes to the guild's shard only; one without a guild to shard 0."""
        self.start(guilds=2, identify_window=0.0)
        zero, one = self.ready(0, 2), self.ready(1, 2)
        zero.wire.messages.clear()
        one.wire.messages.clear()
        self.face.emit(self.face.guild(1).id, "GUILD_UPDATE", {})
        self.face.emit(None, "ENTITLEMENT_CREATE", {})
        self.assertEqual((zero.wire.names(), one.wire.names()), (["ENTITLEMENT_CREATE"], ["GUILD_UPDATE"]))

    def test_content(self) -> None:
        """Without MESSAGE_CONTENT others' messages come empty, unless they mention the bot or are direct ones."""
        self.start(guilds=1)
        client = self.ready(intents=int(Intent.GUILD_MESSAGES | Intent.DIRECT_MESSAGES))
        id = self.face.guild(0).id
        bot, other = {"id": str(BOT_ID)}, {"id": "5"}
        message = {"author": other, "mentions": [], "content": "x", "embeds": [{}], "attachments": [], "components": []}
        for guild, d in (
            (id, message),
            (id, {**message, "mentions": [bot]}),
            (id, {**message, "author": bot}),
            (None, message),
        ):
            self.face.emit(guild, "MESSAGE_CREATE", d)
        contents = [(p["d"]["content"], len(p["d"]["embeds"])) for p in client.wire.all("MESSAGE_CREATE")]
        self.assertEqual(contents, [("", 0), ("x", 1), ("x", 1), ("x", 1)])
