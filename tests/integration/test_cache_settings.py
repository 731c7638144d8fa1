"""What INTENTS and CACHE_ENTITIES leave of the cache, and what its answers say of it (docs/user-guide.md)."""

from __future__ import annotations

from typing import Any

import ujson

from rateway.model.intents import ALL, Intent
from rateway.simulator.simulator import Simulator
from rateway.simulator.world.guild import Guild
from rateway.simulator.world.world import BOT_ID
from tests.store import samples as s

from .test_cache import CacheTestCase, message
from .worker import Worker

EVERY_NAME = (
    "GUILD_CREATE",
    "MESSAGE_CREATE",
    "PRESENCE_UPDATE",
    "VOICE_STATE_UPDATE",
    "GUILD_MEMBER_ADD",
    "GUILD_EMOJIS_UPDATE",
    "CHANNEL_UPDATE",
    "TEST",
)


class SettingsTests(CacheTestCase):
    """One guild, of which not everything is kept."""

    async def ask(self, worker: Worker, kind: str, *arguments: object) -> tuple[Any, dict[str, Any]]:
        """What is answered, and the headers."""
        answer = await worker.ask(1, "cache", ujson.dumps({"type": kind, "arguments": arguments}).encode())
        return ujson.loads(answer.body) if answer.body else None, dict(answer.properties.headers or {})

    async def assert_not_claimed(self, worker: Worker, reason: str, kind: str, *arguments: object) -> None:
        """Nothing is known of it, and the answer says why that means nothing."""
        found, headers = await self.ask(worker, kind, *arguments)
        self.assertFalse(found, kind)
        self.assertEqual((headers.get("maintained"), headers.get("reason")), (False, reason), kind)

    async def send_everything(self, simulator: Simulator, worker: Worker, guild: Guild) -> None:
        """An event of each kind, dispatched whatever the intents."""
        of_guild = {"guild_id": str(guild.id)}
        author = simulator.world.users[simulator.world.anybody()]
        channel = guild.text_channels()[0]
        for name, d in (
            ("MESSAGE_CREATE", message(guild, channel, 5000, author, "said")),
            ("PRESENCE_UPDATE", s.presence(7001) | of_guild),
            ("VOICE_STATE_UPDATE", s.voice_state(7002, guild.voice_channels()[0]) | of_guild),
            ("GUILD_MEMBER_ADD", s.member(7003, "new") | of_guild),
            ("GUILD_EMOJIS_UPDATE", of_guild | {"emojis": [s.emoji(7004)]}),
            ("CHANNEL_UPDATE", s.channel(7005) | of_guild),
        ):
            await self.tell(simulator, worker, name, d)

    async def test_intents_that_are_off(self) -> None:
        """What no event maintains is not claimed to be known, though Discord lists some of it in the guild."""
        simulator = await self.simulator(guilds=1)
        worker = await self.worker(1)
        self.rateway(simulator, INTENTS=int(Intent.GUILDS), MESSAGE_CACHE_SIZE=5)
        await self.heard(worker, "GUILD_CREATE")
        guild = simulator.guild(0)
        user = next(id for id in guild.members if id != BOT_ID)
        off = "{} is off in INTENTS".format
        for intent, *asked in (
            ("GUILD_EXPRESSIONS", "Emoji", next(iter(guild.emojis))),
            ("GUILD_EXPRESSIONS", "GuildEmojis", guild.id),
            ("GUILD_EXPRESSIONS", "Sticker", next(iter(guild.stickers))),
            ("GUILD_EXPRESSIONS", "GuildSoundboardSounds", guild.id),
            ("GUILD_SCHEDULED_EVENTS", "ScheduledEvent", next(iter(guild.scheduled_events))),
            ("GUILD_PRESENCES", "Presence", guild.id, user),
            ("GUILD_VOICE_STATES", "VoiceState", user, guild.id),
            ("GUILD_VOICE_STATES", "VoiceChannelStates", guild.voice_channels()[0]),
            ("GUILD_MEMBERS", "Member", guild.id, user),
            ("GUILD_MEMBERS", "User", user),
            ("GUILD_MEMBERS", "SearchMembers", guild.id, "zzz"),
            ("GUILD_MESSAGES", "Message", guild.text_channels()[0], 5000),
            ("DIRECT_MESSAGES", "PrivateChannel", 6000),
            ("GUILD_INVITES", "GuildInvites", guild.id),
            ("GUILD_INTEGRATIONS", "GuildIntegrations", guild.id),
            ("AUTO_MODERATION_CONFIGURATION", "GuildAutoModerationRules", guild.id),
        ):
            kind, *arguments = asked
            await self.assert_not_claimed(worker, off(intent), str(kind), *arguments)
        members, headers = await self.ask(worker, "GuildMembers", guild.id)
        self.assertEqual([each["user_id"] for each in members], [str(BOT_ID)])
        self.assertEqual((headers["maintained"], headers["reason"]), (False, off("GUILD_MEMBERS")))
        self.assertEqual((headers["known"], headers["total"]), (1, guild.member_count))
        for kind, *arguments in (
            ("Guild", guild.id),
            ("GuildChannels", guild.id),
            ("Role", guild.id),
            ("StageInstance", next(iter(guild.stage_instances))),
            ("Member", guild.id, BOT_ID),
            ("User", BOT_ID),
            ("CurrentUser",),
        ):
            found, headers = await self.ask(worker, str(kind), *arguments)
            self.assertTrue(found, kind)
            self.assertNotIn("maintained", headers, kind)

    async def test_entities_left_out(self) -> None:
        """What CACHE_ENTITIES leaves out isn't answered for, with that as the reason; its events come all the same."""
        simulator = await self.simulator(guilds=1)
        worker = await self.worker(1, names=EVERY_NAME)
        self.rateway(simulator, CACHE_ENTITIES="Guild, Role, user", MESSAGE_CACHE_SIZE=5, INTENTS=int(ALL))
        await self.heard(worker, "GUILD_CREATE")
        guild = simulator.guild(0)
        await self.send_everything(simulator, worker, guild)
        names = [name for name in worker.names() if name != "TEST"]
        self.assertEqual(names, list(EVERY_NAME[:-1]))
        for kind, *arguments in (
            ("GuildChannel", guild.text_channels()[0]),
            ("GuildChannel", 7005),
            ("GuildChannels", guild.id),
            ("Message", guild.text_channels()[0], 5000),
            ("Presence", guild.id, 7001),
            ("VoiceState", 7002, guild.id),
            ("Member", guild.id, 7003),
            ("GuildMembers", guild.id),
            ("Emoji", 7004),
            ("CurrentUser",),
            ("Permissions", guild.id, BOT_ID),
        ):
            await self.assert_not_claimed(worker, "CACHE_ENTITIES leaves it out", str(kind), *arguments)
        self.assertEqual((await self.ask(worker, "Guild", guild.id))[0]["member_count"], guild.member_count + 1)
        self.assertEqual((await self.ask(worker, "User", 7003))[0], s.user(7003, "new"))
        self.assertEqual(len((await self.ask(worker, "GuildRoles", guild.id))[0]), len(guild.roles))


class AnotherVersionTests(CacheTestCase):
    """The cache in STATE_DIR was left by another version, whose rows mean something else."""

    expected_breaches = frozenset({"wasted-session"})
    """The session is resumed, then given up for a new one, which fills the cache."""

    async def test_set_aside_and_filled_anew(self) -> None:
        """It is put aside with a line that says so, never read, and filled by Discord; the old one can be looked at."""
        simulator, program, worker = await self.up(guilds=1)
        await self.heard(worker, "GUILD_CREATE")
        guild = simulator.guild(0)
        self.assertIsNotNone(await worker.query(1, "Guild", guild.id))
        self.assertEqual(await program.stop(), 0)
        cluster = self.folder / "state" / "cluster-1"
        note = ujson.loads((cluster / "store.json").read_bytes())
        (cluster / "store.json").write_bytes(ujson.dumps(note | {"version": note["version"] - 1}).encode())
        guild.fields["name"] = "renamed meanwhile"
        simulator.forget_records()

        program = self.rateway(simulator)
        await program.until_said("is not used, for another version of rateway wrote it: it is set aside")
        await program.until_said("the cache begins empty: Discord fills it")
        await self.until(lambda: simulator.identifies, "the session that fills the cache")
        await self.heard(worker, "GUILD_CREATE", 2)
        self.assert_covers(await worker.query(1, "Guild", guild.id), guild.fields | {"unavailable": False})
        self.assertEqual(len(await worker.query(1, "GuildMembers", guild.id)), guild.member_count)
        self.assertTrue((cluster / "entities.aside" / "data.mdb").exists())
