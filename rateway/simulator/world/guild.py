"""One guild: its own fields, its collections, and how GUILD_CREATE shows them."""

from __future__ import annotations

from random import Random

from attrs import Factory, define

from rateway.model.intents import Intent

from .channels import OBFUSCATED
from .members import Members
from .payloads import EPOCH, Json, iso
from .places import History, Memory, Place
from .presences import Presences

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
    """A guild of the world; the collections are keyed by id, members, presences and voice states by the user's id.

    :ivar index: its number in the world.
    :ivar unavailable: in outage: the gateway shows it as GUILD_DELETE with ``unavailable``.
    :ivar members: made when looked at, so to change one assign it (``guild.members.change``); presences likewise.
    :ivar out_of_sight: what channels really are that the bot may not see; those that never were in sight are not there.
    :ivar archived: threads that GUILD_CREATE doesn't show.
    :ivar thread_members: who is in each thread; ``subscribers`` who wants to know of each event, ``bans`` whom nobody
        wants to see again.
    :ivar voice_session: the gateway session that brought the bot into voice.
    :ivar channel_info: ``status`` and ``voice_start_time`` of voice channels that have them (op 43).
    :ivar histories: the recent messages of channels and threads; ``memory`` bounds those of the whole world.
    """

    id: int
    index: int
    bot_id: int
    fields: Json
    roles: dict[int, Json]
    members: Members
    presences: Presences
    memory: Memory
    joined_at: float = EPOCH
    unavailable: bool = False
    emojis: dict[int, Json] = Factory(dict)
    stickers: dict[int, Json] = Factory(dict)
    channels: dict[int, Json] = Factory(dict)
    out_of_sight: dict[int, Json] = Factory(dict)
    threads: dict[int, Json] = Factory(dict)
    thread_members: dict[int, set[int]] = Factory(dict)
    archived: dict[int, Json] = Factory(dict)
    voice_states: dict[int, Json] = Factory(dict)
    voice_session: str | None = None
    channel_info: dict[int, Json] = Factory(dict)
    stage_instances: dict[int, Json] = Factory(dict)
    scheduled_events: dict[int, Json] = Factory(dict)
    subscribers: dict[int, set[int]] = Factory(dict)
    sounds: dict[int, Json] = Factory(dict)
    integrations: dict[int, Json] = Factory(dict)
    webhooks: dict[int, Json] = Factory(dict)
    invites: dict[str, Json] = Factory(dict)
    rules: dict[int, Json] = Factory(dict)
    bans: dict[int, Json] = Factory(dict)
    histories: dict[int, History] = Factory(dict)

    @property
    def member_count(self) -> int:
        return len(self.members)

    def remove_member(self, id: int) -> Json:
        """Take the member out, with presence and voice state."""
        member = self.members.pop(id)
        self.presences.forget(id)
        self.voice_states.pop(id, None)
        return member

    def remove_thread(self, id: int) -> Json:
        """Take a thread out, archived or not, with its messages and members."""
        self.histories.pop(id, None)
        self.thread_members.pop(id, None)
        thread = self.threads.pop(id, None)
        return self.archived.pop(id) if thread is None else thread

    def remove_event(self, id: int) -> Json:
        """Take a scheduled event out, with those who wanted to know of it."""
        self.subscribers.pop(id, None)
        return self.scheduled_events.pop(id)

    def forget_invites(self, channel: int) -> None:
        """Invites to a channel that is gone are gone too."""
        self.invites = {code: invite for code, invite in self.invites.items() if invite["channel_id"] != str(channel)}

    def is_hidden(self, channel: int) -> bool:
        """Whether it is a channel that the bot may not see."""
        return bool(self.channels[channel]["flags"] & OBFUSCATED)

    def somebody(self, random: Random) -> int | None:
        """A member other than the bot; None when there is none."""
        return self.members.somebody(random)

    def place(self, id: int) -> Place | None:
        """A channel or thread that the bot may see; none during an outage."""
        channel = self.channels.get(id) or self.threads.get(id)
        if channel is None or self.unavailable or channel["flags"] & OBFUSCATED:
            return None
        return Place(id, self, channel, self.histories.setdefault(id, History(self.memory)))

    def text_channels(self) -> list[int]:
        """Channels with messages that the bot may see."""
        return [
            id
            for id, channel in self.channels.items()
            if channel["type"] in (0, 5) and not channel["flags"] & OBFUSCATED
        ]

    def voice_channels(self) -> list[int]:
        return [id for id, channel in self.channels.items() if channel["type"] == 2]

    def stage_channels(self) -> list[int]:
        return [id for id, channel in self.channels.items() if channel["type"] == 13]

    def shown_members(self, intents: int, large_threshold: int) -> list[Json]:
        """The members of GUILD_CREATE; Discord lists those in voice a second time."""
        members = self.members
        voice = [members[id] for id in self.voice_states if id in members]
        if not intents & Intent.GUILD_PRESENCES or self.member_count > _HUGE:
            return [members[self.bot_id], *(member for member in voice if member["user"]["id"] != str(self.bot_id))]
        if self.member_count <= large_threshold:
            return [*members.values(), *voice]
        voice_states, is_online = self.voice_states, self.presences.is_online
        return list(members.standing_out(lambda id, number: id in voice_states or is_online(id, number)))

    def shown_presences(self, intents: int) -> list[Json]:
        """The presences of GUILD_CREATE: of nobody whom it doesn't list."""
        if not intents & Intent.GUILD_PRESENCES:
            return []
        if self.member_count > _HUGE:
            listed = dict.fromkeys((self.bot_id, *self.voice_states))
            return [self.presences[id] for id in listed if id in self.presences]
        return list(self.presences.values())

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
            "presences": self.shown_presences(intents),
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
