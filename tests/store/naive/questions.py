"""Every question about every id there is, and about some that are of another kind."""

from __future__ import annotations

from typing import TypeAlias

from tests.store import samples as s

from .events import DMS, MESSAGES, PLACES, USERS, Place

Asked: TypeAlias = "tuple[str, *tuple[int | str, ...]]"
"""A type of query, and its arguments."""
NOBODY = 424242
LISTED = [
    "Channels",
    "Threads",
    "Roles",
    "Emojis",
    "Stickers",
    "Members",
    "Presences",
    "VoiceStates",
    "ScheduledEvents",
    "StageInstances",
    "Invites",
    "SoundboardSounds",
    "Integrations",
    "AutoModerationRules",
]

OF_NO_GUILD: list[Asked] = [
    ("CurrentUser",),
    *(("User", user) for user in (*USERS, NOBODY, 8888)),
    *(("PrivateChannel", channel) for channel in (*DMS.values(), PLACES[0].text)),
    *(("Message", channel, message) for channel in DMS.values() for message in MESSAGES),
    *(("ChannelMessages", channel) for channel in (*DMS.values(), NOBODY)),
    *(("UserGuilds", user) for user in (*USERS, NOBODY)),
    ("Guilds",),
    ("Group", NOBODY),
]


def of_guild(place: Place) -> list[Asked]:
    """The questions about one guild and what is in it."""
    return [
        ("Guild", place.guild),
        *(("GuildChannel", channel) for channel in (*place.channels, *place.threads, place.guild)),
        *((f"Guild{what}", place.guild) for what in LISTED),
        *(("SearchMembers", place.guild, prefix) for prefix in ("", "b", "NI", "Ann", "x")),
        *(("SearchMembers", place.guild, prefix, limit) for prefix in ("", "b", "ann") for limit in (1, 2)),
        *(("GuildMembers", place.guild, after, limit) for after in (0, *USERS[:2]) for limit in (1, 2)),
        *(("Permissions", place.guild, user) for user in (s.ALICE, NOBODY)),
        *(("Permissions", place.guild, s.BOB, where) for where in (place.text, place.threads[0], NOBODY)),
        *(("ChannelInfo", place.guild, channel) for channel in place.channels),
        *(("ThreadMembers", thread) for thread in place.threads),
        *(("ChannelMessages", channel) for channel in place.written),
        *(("Sticker", sticker) for sticker in place.stickers),
        *(("StageInstance", stage) for stage in place.stages),
        *(("ScheduledEvent", event) for event in place.events),
        *(("SoundboardSound", sound) for sound in place.sounds),
        *(("AutoModerationRule", rule) for rule in place.rules),
        *(("VoiceChannelStates", channel) for channel in (place.voice, place.text)),
        *(("Role", role) for role in place.roles),
        *(("Emoji", emoji) for emoji in place.emojis),
        *((kind, place.guild, user) for kind in ("Member", "Presence") for user in (*USERS, NOBODY)),
        *(("VoiceState", user, where) for user in USERS for where in (place.guild, place.voice, place.text)),
        *(("Message", channel, message) for channel in place.written for message in (*MESSAGES[:2], channel)),
    ]


OF_GUILD = {place: of_guild(place) for place in PLACES}
