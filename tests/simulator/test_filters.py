"""Which events reach a session by its intents, while everything happens (Discord's docs, "List of Intents")."""

from __future__ import annotations

from typing import Any

from rateway.model.intents import Intent
from rateway.simulator.gateway.content import content_hidden, without_content
from rateway.simulator.world.traffic import Traffic
from rateway.simulator.world.world import BOT_ID
from tests.simulator.bench import BenchCase
from tests.simulator.test_traffic import EVENTS

ALWAYS = (
    "READY USER_UPDATE INTERACTION_CREATE ENTITLEMENT_CREATE ENTITLEMENT_UPDATE ENTITLEMENT_DELETE SUBSCRIPTION_CREATE "
    "SUBSCRIPTION_UPDATE SUBSCRIPTION_DELETE APPLICATION_COMMAND_PERMISSIONS_UPDATE GUILD_MEMBER_UPDATE"
)
"""Sent whatever the intents; GUILD_MEMBER_UPDATE about the bot itself."""

BY_INTENT = {
    Intent.GUILDS: "GUILD_CREATE GUILD_UPDATE GUILD_DELETE GUILD_ROLE_CREATE GUILD_ROLE_UPDATE GUILD_ROLE_DELETE "
    "CHANNEL_CREATE CHANNEL_UPDATE CHANNEL_DELETE CHANNEL_PINS_UPDATE THREAD_CREATE THREAD_UPDATE THREAD_DELETE "
    "THREAD_LIST_SYNC THREAD_MEMBER_UPDATE STAGE_INSTANCE_CREATE STAGE_INSTANCE_UPDATE STAGE_INSTANCE_DELETE "
    "VOICE_CHANNEL_STATUS_UPDATE VOICE_CHANNEL_START_TIME_UPDATE",
    Intent.GUILD_MEMBERS: "GUILD_MEMBER_ADD GUILD_MEMBER_REMOVE THREAD_MEMBERS_UPDATE",
    Intent.GUILD_MODERATION: "GUILD_AUDIT_LOG_ENTRY_CREATE GUILD_BAN_ADD GUILD_BAN_REMOVE",
    Intent.GUILD_EXPRESSIONS: "GUILD_EMOJIS_UPDATE GUILD_STICKERS_UPDATE GUILD_SOUNDBOARD_SOUND_CREATE "
    "GUILD_SOUNDBOARD_SOUND_UPDATE GUILD_SOUNDBOARD_SOUND_DELETE GUILD_SOUNDBOARD_SOUNDS_UPDATE",
    Intent.GUILD_INTEGRATIONS: "GUILD_INTEGRATIONS_UPDATE INTEGRATION_CREATE INTEGRATION_UPDATE INTEGRATION_DELETE",
    Intent.GUILD_WEBHOOKS: "WEBHOOKS_UPDATE",
    Intent.GUILD_INVITES: "INVITE_CREATE INVITE_DELETE",
    Intent.GUILD_VOICE_STATES: "VOICE_STATE_UPDATE VOICE_CHANNEL_EFFECT_SEND",
    Intent.GUILD_PRESENCES: "PRESENCE_UPDATE",
    Intent.GUILD_MESSAGES: "MESSAGE_CREATE MESSAGE_UPDATE MESSAGE_DELETE MESSAGE_DELETE_BULK",
    Intent.GUILD_MESSAGE_REACTIONS: "MESSAGE_REACTION_ADD MESSAGE_REACTION_REMOVE MESSAGE_REACTION_REMOVE_ALL "
    "MESSAGE_REACTION_REMOVE_EMOJI",
    Intent.GUILD_MESSAGE_TYPING: "TYPING_START",
    Intent.DIRECT_MESSAGES: "MESSAGE_CREATE MESSAGE_UPDATE MESSAGE_DELETE CHANNEL_PINS_UPDATE",
    Intent.DIRECT_MESSAGE_REACTIONS: "MESSAGE_REACTION_ADD MESSAGE_REACTION_REMOVE",
    Intent.DIRECT_MESSAGE_TYPING: "TYPING_START",
    Intent.MESSAGE_CONTENT: "",
    Intent.GUILD_SCHEDULED_EVENTS: "GUILD_SCHEDULED_EVENT_CREATE GUILD_SCHEDULED_EVENT_UPDATE "
    "GUILD_SCHEDULED_EVENT_DELETE GUILD_SCHEDULED_EVENT_USER_ADD GUILD_SCHEDULED_EVENT_USER_REMOVE",
    Intent.AUTO_MODERATION_CONFIGURATION: "AUTO_MODERATION_RULE_CREATE AUTO_MODERATION_RULE_UPDATE "
    "AUTO_MODERATION_RULE_DELETE",
    Intent.AUTO_MODERATION_EXECUTION: "AUTO_MODERATION_ACTION_EXECUTION",
    Intent.GUILD_MESSAGE_POLLS: "MESSAGE_POLL_VOTE_ADD MESSAGE_POLL_VOTE_REMOVE",
    Intent.DIRECT_MESSAGE_POLLS: "",
}
"""What a session with this intent alone gets besides, of what happens by itself."""

_DIRECT = Intent.DIRECT_MESSAGES | Intent.DIRECT_MESSAGE_REACTIONS | Intent.DIRECT_MESSAGE_TYPING


class IntentTests(BenchCase):
    """Sessions with one intent each, in a world where everything happens."""

    def test_each_intent(self) -> None:
        """Each gets what its intent governs, and what needs none; direct ones nothing of guilds, and the reverse."""
        self.assertEqual(set(BY_INTENT), set(Intent))
        self.start(guilds=3, members=20, identify_window=0.0, heartbeat_interval=1e6, mix="everything")
        clients = {intent: self.ready(intents=int(intent)) for intent in Intent}
        nothing = self.ready(intents=0)
        traffic = Traffic(self.hub)
        for _ in range(120):
            traffic.happen(100)
            self.clock.advance(1.0)
        always = set(ALWAYS.split())
        self.assertEqual(set(nothing.wire.names()), always)
        for intent, client in clients.items():
            self.assertEqual(set(client.wire.names()), always | set(BY_INTENT[intent].split()), intent.name)
            for payload in client.wire.payloads:
                if payload["op"] == 0 and payload["t"] in BY_INTENT[intent].split():
                    of_guild = "guild_id" in payload["d"] or payload["t"].startswith(("GUILD_CREATE", "GUILD_UPDATE"))
                    of_guild = of_guild or payload["t"] == "GUILD_DELETE"
                    self.assertEqual(of_guild, not intent & _DIRECT, (intent.name, payload["t"]))
        for payload in nothing.wire.all("GUILD_MEMBER_UPDATE"):
            self.assertEqual(payload["d"]["user"]["id"], str(BOT_ID))

    def test_the_table_is_whole(self) -> None:
        """Every event that happens by itself is governed by an intent, or comes always."""
        governed = {name for names in BY_INTENT.values() for name in names.split()}
        self.assertEqual(governed | set(ALWAYS.split()), set(EVENTS.split()))


class ContentTests(BenchCase):
    """What is hidden without MESSAGE_CONTENT."""

    def test_everything(self) -> None:
        """No event of a guild says anything of others' messages, unless they mention the bot."""
        self.start(guilds=2, members=20, heartbeat_interval=1e6, mix="message=5,edit=3,poll=1,automod=3,webhook=1")
        client = self.ready(intents=int(~Intent.MESSAGE_CONTENT & (1 << 26) - 1 & sum(Intent)))
        client.wire.messages.clear()
        Traffic(self.hub).happen(3000)
        seen: dict[str, int] = {}
        for payload in client.wire.payloads:
            d = payload["d"]
            mentioned = any(user["id"] == str(BOT_ID) for user in d.get("mentions", ()))
            if payload["t"] not in ("MESSAGE_CREATE", "MESSAGE_UPDATE", "AUTO_MODERATION_ACTION_EXECUTION"):
                continue
            seen[payload["t"]] = seen.get(payload["t"], 0) + 1
            if mentioned:
                self.assertTrue(d["content"])
                continue
            said = [d.get(key) for key in ("content", "embeds", "attachments", "components", "poll", "matched_content")]
            self.assertFalse(any(said), d)
            if d.get("referenced_message") is not None:
                self.assertFalse(d["referenced_message"]["content"])
        self.assertEqual(len(seen), 3)

    def test_rules(self) -> None:
        """The bot's own, those that mention it and direct ones are whole; few-key updates and rules' finds are not."""
        bot, other = {"id": str(BOT_ID)}, {"id": "5"}
        message: dict[str, Any] = {"author": other, "mentions": [], "content": "x"}
        for guild, d, hidden in (
            (1, message, True),
            (None, message, False),
            (1, message | {"author": bot}, False),
            (1, message | {"mentions": [other, bot]}, False),
            (1, {"id": "1", "embeds": [{}]}, True),
            (1, {"id": "1", "flags": 4}, False),
            (1, {"rule_id": "1", "content": "x", "matched_content": None}, True),
            (1, {"name": "a channel"}, False),
        ):
            self.assertEqual(content_hidden(0, guild, d), hidden, d)
            self.assertFalse(content_hidden(int(Intent.MESSAGE_CONTENT), guild, d))
        bare = without_content({"content": "x", "matched_content": None, "embeds": [{}], "poll": {}, "id": "1"})
        self.assertEqual(bare, {"content": "", "matched_content": None, "embeds": [], "id": "1"})
