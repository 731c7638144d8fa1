"""Which events the intents let through (Discord's docs, "List of Intents")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rateway.model.intents import Intent

_GUILD_EVENTS: dict[Intent, str] = {
    Intent.GUILDS: "GUILD_CREATE GUILD_UPDATE GUILD_DELETE GUILD_ROLE_CREATE GUILD_ROLE_UPDATE GUILD_ROLE_DELETE "
    "CHANNEL_CREATE CHANNEL_UPDATE CHANNEL_DELETE CHANNEL_PINS_UPDATE THREAD_CREATE THREAD_UPDATE THREAD_DELETE "
    "THREAD_LIST_SYNC THREAD_MEMBER_UPDATE THREAD_MEMBERS_UPDATE STAGE_INSTANCE_CREATE STAGE_INSTANCE_UPDATE "
    "STAGE_INSTANCE_DELETE VOICE_CHANNEL_STATUS_UPDATE VOICE_CHANNEL_START_TIME_UPDATE",
    Intent.GUILD_MEMBERS: "GUILD_MEMBER_ADD GUILD_MEMBER_UPDATE GUILD_MEMBER_REMOVE THREAD_MEMBERS_UPDATE",
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
    Intent.GUILD_SCHEDULED_EVENTS: "GUILD_SCHEDULED_EVENT_CREATE GUILD_SCHEDULED_EVENT_UPDATE "
    "GUILD_SCHEDULED_EVENT_DELETE GUILD_SCHEDULED_EVENT_USER_ADD GUILD_SCHEDULED_EVENT_USER_REMOVE",
    Intent.AUTO_MODERATION_CONFIGURATION: "AUTO_MODERATION_RULE_CREATE AUTO_MODERATION_RULE_UPDATE "
    "AUTO_MODERATION_RULE_DELETE",
    Intent.AUTO_MODERATION_EXECUTION: "AUTO_MODERATION_ACTION_EXECUTION",
    Intent.GUILD_MESSAGE_POLLS: "MESSAGE_POLL_VOTE_ADD MESSAGE_POLL_VOTE_REMOVE",
}

_DIRECT_EVENTS: dict[Intent, str] = {
    Intent.DIRECT_MESSAGES: "MESSAGE_CREATE MESSAGE_UPDATE MESSAGE_DELETE CHANNEL_PINS_UPDATE",
    Intent.DIRECT_MESSAGE_REACTIONS: "MESSAGE_REACTION_ADD MESSAGE_REACTION_REMOVE MESSAGE_REACTION_REMOVE_ALL "
    "MESSAGE_REACTION_REMOVE_EMOJI",
    Intent.DIRECT_MESSAGE_TYPING: "TYPING_START",
    Intent.DIRECT_MESSAGE_POLLS: "MESSAGE_POLL_VOTE_ADD MESSAGE_POLL_VOTE_REMOVE",
}


def _masks(table: dict[Intent, str]) -> dict[str, int]:
    masks: dict[str, int] = {}
    for intent, names in table.items():
        for name in names.split():
            masks[name] = masks.get(name, 0) | int(intent)
    return masks


_GUILD_MASKS = _masks(_GUILD_EVENTS)
_DIRECT_MASKS = _masks(_DIRECT_EVENTS)


def lets_through(intents: int, name: str, *, guild: bool, own: bool = False) -> bool:
    """Whether a session with these intents gets the event; names that no intent governs always pass.

    :param own: it is about the bot itself: its member is told whatever the intents, its threads to who sees channels.
    """
    if own and name == "GUILD_MEMBER_UPDATE":
        return True
    mask = (_GUILD_MASKS if guild else _DIRECT_MASKS).get(name)
    if mask is not None and name == "THREAD_MEMBERS_UPDATE" and not own:
        mask = int(Intent.GUILD_MEMBERS)
    return mask is None or bool(mask & intents)


def is_own(bot_id: str, name: str, d: Mapping[str, Any]) -> bool:
    """Whether an event that intents govern is about the bot itself."""
    if name == "GUILD_MEMBER_UPDATE":
        return bool(d.get("user", {}).get("id") == bot_id)
    if name == "THREAD_MEMBERS_UPDATE":
        added = {member["user_id"] for member in d.get("added_members", ())}
        return bot_id in added or bot_id in d.get("removed_member_ids", ())
    return False


def shows_content(intents: int) -> bool:
    """Whether others' messages come with their content."""
    return bool(intents & Intent.MESSAGE_CONTENT)
