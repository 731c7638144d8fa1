"""Every question about every id there is, and about some that are of another kind."""

from __future__ import annotations

from .events import DMS, MESSAGES, PLACES, USERS

NOBODY = 424242

QUESTIONS: list[tuple[str, *tuple[int, ...]]] = [
    ("CurrentUser",),
    *(("User", user) for user in (*USERS, NOBODY, 8888)),
    *(("PrivateChannel", channel) for channel in (*DMS.values(), PLACES[0].text)),
    *(("Message", channel, message) for channel in DMS.values() for message in MESSAGES),
    ("Group", NOBODY),
]
for _place in PLACES:
    QUESTIONS += [
        ("Guild", _place.guild),
        *(("GuildChannel", channel) for channel in (*_place.channels, *_place.threads, _place.guild)),
        *(("VoiceChannelStates", channel) for channel in (_place.voice, _place.text)),
        *(("Role", role) for role in _place.roles),
        *(("Emoji", emoji) for emoji in _place.emojis),
        *((kind, _place.guild, user) for kind in ("Member", "Presence") for user in (*USERS, NOBODY)),
        *(("VoiceState", user, place) for user in USERS for place in (_place.guild, _place.voice, _place.text)),
        *(("Message", channel, message) for channel in _place.written for message in (*MESSAGES, channel)),
    ]
