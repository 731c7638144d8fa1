"""Gateway intents: which events a bot asks for (Discord's docs, "Gateway Intents")."""

from __future__ import annotations

import re
from difflib import get_close_matches
from enum import IntFlag


class Intent(IntFlag):
    """The documented intents; bits 17-19, 22, 23 and from 26 up are undefined (close 4013)."""

    GUILDS = 1 << 0
    GUILD_MEMBERS = 1 << 1
    GUILD_MODERATION = 1 << 2
    GUILD_EXPRESSIONS = 1 << 3
    GUILD_INTEGRATIONS = 1 << 4
    GUILD_WEBHOOKS = 1 << 5
    GUILD_INVITES = 1 << 6
    GUILD_VOICE_STATES = 1 << 7
    GUILD_PRESENCES = 1 << 8
    GUILD_MESSAGES = 1 << 9
    GUILD_MESSAGE_REACTIONS = 1 << 10
    GUILD_MESSAGE_TYPING = 1 << 11
    DIRECT_MESSAGES = 1 << 12
    DIRECT_MESSAGE_REACTIONS = 1 << 13
    DIRECT_MESSAGE_TYPING = 1 << 14
    MESSAGE_CONTENT = 1 << 15
    GUILD_SCHEDULED_EVENTS = 1 << 16
    AUTO_MODERATION_CONFIGURATION = 1 << 20
    AUTO_MODERATION_EXECUTION = 1 << 21
    GUILD_MESSAGE_POLLS = 1 << 24
    DIRECT_MESSAGE_POLLS = 1 << 25


PRIVILEGED = Intent.GUILD_MEMBERS | Intent.GUILD_PRESENCES | Intent.MESSAGE_CONTENT
"""Must be enabled in the developer portal; asked for without, Discord closes with 4014."""

ALL = Intent(sum(Intent))

_ALIASES = {"GUILD_BANS": Intent.GUILD_MODERATION, "GUILD_EMOJIS_AND_STICKERS": Intent.GUILD_EXPRESSIONS}


def parse_intents(text: str) -> int:
    """The bit mask of a number, or of names joined by commas.

    :raises ValueError: with a sentence naming what isn't known; what doesn't look like a name is not repeated,
        for it may be a secret put into the wrong place.
    """
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) < 20:
        value = int(text)
        if value & ~int(ALL):
            raise ValueError(f"{value} has bits that are no intent of Discord's ({value & ~int(ALL)})")
        return value
    names = [part.strip().upper() for part in text.split(",") if part.strip()]
    if not names:
        raise ValueError("no intent is given: a number, or names joined by commas (GUILDS,GUILD_MESSAGES)")
    value = 0
    for name in names:
        intent = Intent.__members__.get(name) or _ALIASES.get(name)
        if intent is None:
            raise ValueError(_unknown(name))
        value |= int(intent)
    return value


def _unknown(name: str) -> str:
    if not re.fullmatch("[A-Z_]{1,40}", name):
        return "it is neither a number nor names joined by commas (GUILDS,GUILD_MESSAGES)"
    nearest = get_close_matches(name, Intent.__members__, 1, 0.0)[0]
    return f"{name} is no intent of Discord's (the nearest is {nearest})"


def names_of(value: int) -> tuple[str, ...]:
    """The names of the bits set, in Discord's order."""
    return tuple(intent.name for intent in Intent if value & intent and intent.name)
