"""One guild: its own fields, its collections, and how GUILD_CREATE shows them."""

from __future__ import annotations

from collections import deque
from random import Random

from attrs import Factory, define

from rateway.model.intents import Intent

from .payloads import EPOCH, OBFUSCATED, Json, iso
from .places import History, Place

_HUGE = 75_000
"""Above this many members GUILD_CREATE lists the bot and who is in voice only."""


def guild_fields(id: int, name: str, owner_id: str) -> Json:
    """The guild object without its collections."""
    return {
        "id": str(id),
        "name": name,
        "icon": None,
        "splash": None,
        "discovery_splash": None,
        "owner_id": owner_id,
        "region": "deprecated",
        "afk_channel_id": None,
        "afk_timeout": 300,
        "widget_enabled": False,
        "widget_channel_id": None,
        "verification_level": 1,
        "default_message_notifications": 1,
        "explicit_content_filter": 2,
        "mfa_level": 0,
        "application_id": None,
        "system_channel_id": None,
        "system_channel_flags": 0,
        "rules_channel_id": None,
        "max_presences": None,
        "max_members": 500_000,
        "max_video_channel_users": 25,
        "max_stage_video_channel_users": 50,
        "vanity_url_code": None,
        "description": None,
        "banner": None,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "preferred_locale": "en-US",
        "public_updates_channel_id": None,
        "safety_alerts_channel_id": None,
        "nsfw_level": 0,
        "premium_progress_bar_enabled": False,
        "incidents_data": None,
        "features": ["COMMUNITY", "NEWS", "SOUNDBOARD"],
    }


@define(eq=False)
class Guild:
    """A guild of the world; the collections are keyed by id, users and members by the user's id.

    :ivar unavailable: in outage: the gateway shows it as GUILD_DELETE with ``unavailable``.
    :ivar recent: the last messages, oldest first, for traffic that refers to them; ``reactions`` likewise.
    """

    id: int
    bot_id: int
    fields: Json
    joined_at: float = EPOCH
    unavailable: bool = False
    roles: dict[int, Json] = Factory(dict)
    emojis: dict[int, Json] = Factory(dict)
    stickers: dict[int, Json] = Factory(dict)
    channels: dict[int, Json] = Factory(dict)
    threads: dict[int, Json] = Factory(dict)
    members: dict[int, Json] = Factory(dict)
    presences: dict[int, Json] = Factory(dict)
    voice_states: dict[int, Json] = Factory(dict)
    stage_instances: dict[int, Json] = Factory(dict)
    scheduled_events: dict[int, Json] = Factory(dict)
    sounds: dict[int, Json] = Factory(dict)
    recent: deque[Json] = Factory(lambda: deque(maxlen=50))
    reactions: deque[Json] = Factory(lambda: deque(maxlen=50))
    histories: dict[int, History] = Factory(dict)
    _people: list[int] = Factory(list)
    _places: dict[int, int] = Factory(dict)

    @property
    def member_count(self) -> int:
        return len(self.members)

    def add_member(self, id: int, member: Json) -> None:
        self.members[id] = member
        if id != self.bot_id and id not in self._places:
            self._places[id] = len(self._people)
            self._people.append(id)

    def remove_member(self, id: int) -> Json:
        """Take the member out, with presence and voice state."""
        place = self._places.pop(id)
        last = self._people.pop()
        if last != id:
            self._people[place], self._places[last] = last, place
        self.presences.pop(id, None)
        self.voice_states.pop(id, None)
        return self.members.pop(id)

    def somebody(self, random: Random) -> int | None:
        """A member other than the bot; None when there is none."""
        return random.choice(self._people) if self._people else None

    def place(self, id: int) -> Place | None:
        """A channel or thread that may hold messages, and that the bot may see."""
        channel = self.channels.get(id) or self.threads.get(id)
        if channel is None or channel["flags"] & OBFUSCATED:
            return None
        return Place(id, self, channel, self.histories.setdefault(id, History()))

    def text_channels(self) -> list[int]:
        """Channels with messages that the bot may see."""
        return [id for id, channel in self.channels.items() if channel["type"] in (0, 5) and "nsfw" in channel]

    def voice_channels(self) -> list[int]:
        return [id for id, channel in self.channels.items() if channel["type"] == 2]

    def shown_members(self, intents: int, large_threshold: int) -> list[Json]:
        """The members of GUILD_CREATE; Discord lists those in voice a second time."""
        voice = [self.members[id] for id in self.voice_states if id in self.members]
        if not intents & Intent.GUILD_PRESENCES or self.member_count > _HUGE:
            return [
                self.members[self.bot_id],
                *(member for member in voice if member["user"]["id"] != str(self.bot_id)),
            ]
        if self.member_count <= large_threshold:
            return [*self.members.values(), *voice]
        return [
            member
            for id, member in self.members.items()
            if id == self.bot_id or id in self.presences or member["roles"] or member["nick"] or id in self.voice_states
        ]

    def create_payload(self, intents: int, large_threshold: int = 50, *, joined: bool = False) -> Json:
        """``d`` of an available GUILD_CREATE.

        :param joined: the bot has just joined: the key ``unavailable`` is missing then.
        """
        value: Json = {
            **self.fields,
            "joined_at": iso(self.joined_at),
            "large": self.member_count > large_threshold,
            "unavailable": False,
            "member_count": self.member_count,
            "roles": list(self.roles.values()),
            "emojis": list(self.emojis.values()),
            "stickers": list(self.stickers.values()),
            "channels": list(self.channels.values()),
            "threads": list(self.threads.values()),
            "members": self.shown_members(intents, large_threshold),
            "presences": list(self.presences.values()) if intents & Intent.GUILD_PRESENCES else [],
            "voice_states": list(self.voice_states.values()),
            "stage_instances": list(self.stage_instances.values()),
            "guild_scheduled_events": list(self.scheduled_events.values()),
            "soundboard_sounds": list(self.sounds.values()),
        }
        if joined:
            del value["unavailable"]
        return value

    def update_payload(self) -> Json:
        """``d`` of a GUILD_UPDATE: nothing of what only GUILD_CREATE brings."""
        return {
            **self.fields,
            "roles": list(self.roles.values()),
            "emojis": list(self.emojis.values()),
            "stickers": list(self.stickers.values()),
        }
