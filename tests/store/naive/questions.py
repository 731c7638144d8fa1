"""Every question about every id there is, and about some that are of another kind."""

from __future__ import annotations

from typing import TypeAlias

from .events import DMS, MESSAGES, PLACES, USERS, Place

Question: TypeAlias = "tuple[str, *tuple[int, ...]]"
NOBODY = 424242

OF_NO_GUILD: list[Question] = [
    ("CurrentUser",),
    *(("User", user) for user in (*USERS, NOBODY, 8888)),
    *(("PrivateChannel", channel) for channel in (*DMS.values(), PLACES[0].text)),
    *(("Message", channel, message) for channel in DMS.values() for message in MESSAGES),
    ("Group", NOBODY),
]


def of_guild(place: Place) -> list[Question]:
    """The questions about one guild and what is in it."""
    return [
        ("Guild", place.guild),
        *(("GuildChannel", channel) for channel in (*place.channels, *place.threads, place.guild)),
        *(("VoiceChannelStates", channel) for channel in (place.voice, place.text)),
        *(("Role", role) for role in place.roles),
        *(("Emoji", emoji) for emoji in place.emojis),
        *((kind, place.guild, user) for kind in ("Member", "Presence") for user in (*USERS, NOBODY)),
        *(("VoiceState", user, where) for user in USERS for where in (place.guild, place.voice, place.text)),
        *(("Message", channel, message) for channel in place.written for message in (*MESSAGES, channel)),
    ]


QUESTIONS = {place: [*OF_NO_GUILD, *of_guild(place)] for place in PLACES}
