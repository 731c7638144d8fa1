"""All there is to be asked for of a simulated Discord, and what must be answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from attrs import define, field

from rateway.simulator.simulator import Simulator
from rateway.simulator.world.guild import Guild
from rateway.simulator.world.payloads import current_user
from rateway.simulator.world.world import BOT_ID
from rateway.store.queries import QUERIES

from .test_cache import COLLECTIONS, message

Asked: TypeAlias = tuple[Any, ...]
"""A type of query, and its arguments."""

DIRECT, FIRST = 6000, 5000
"""A private channel; the first message, of all."""
OUGHT = frozenset(QUERIES) - {"Permissions", "SearchMembers"}
"""The types of query that are asked; those left out are worked out, and not as Discord sent something."""


def by_id(things: Iterable[dict[str, Any]], key: str = "id") -> list[dict[str, Any]]:
    """In order of id."""
    return sorted(things, key=lambda thing: int(thing[key]))


@define
class Told:
    """What a guild is told besides its GUILD_CREATE, which the simulator's world doesn't know of."""

    messages: list[dict[str, Any]]
    rule: dict[str, Any]
    integration: dict[str, Any]
    invite: dict[str, Any]
    info: dict[str, Any]
    joined: dict[str, Any]


@define
class Everything:
    """A world, and what is told of it besides.

    :ivar author: who writes all messages.
    """

    simulator: Simulator
    author: dict[str, Any]
    told: dict[int, Told] = field(factory=dict, init=False)
    direct: dict[str, Any] = field(factory=dict, init=False)

    @property
    def guilds(self) -> list[Guild]:
        """All of them, in order of id."""
        return sorted(self.simulator.world.guilds.values(), key=lambda guild: guild.id)

    def events(self) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """To be sent first: of each event the guild, 0 for none; the name, and ``d``."""
        for index, guild in enumerate(self.guilds):
            of_guild = {"guild_id": str(guild.id)}
            channel, thread, voice = guild.text_channels()[0], next(iter(guild.threads)), guild.voice_channels()[0]
            first = FIRST + 10 * index
            self.told[guild.id] = told = Told(
                [message(guild, channel, first + number, self.author, f"kept {number}") for number in range(3)],
                {"id": str(first + 3), "name": "no spam", "exempt_roles": []} | of_guild,
                {"id": str(first + 4), "name": "of somebody"} | of_guild,
                {"code": f"code{first}", "channel_id": str(channel), "uses": 0, "expires_at": None} | of_guild,
                {"id": str(voice), "status": "we talk"} | of_guild,
                {"id": str(thread), "user_id": "77", "join_timestamp": "2026-01-01T00:00:00+00:00", "flags": 0},
            )
            for each in told.messages:
                yield guild.id, "MESSAGE_CREATE", each
            yield guild.id, "AUTO_MODERATION_RULE_CREATE", told.rule
            yield guild.id, "INTEGRATION_CREATE", told.integration
            yield guild.id, "INVITE_CREATE", told.invite
            yield guild.id, "VOICE_CHANNEL_STATUS_UPDATE", told.info
            members = {"id": str(thread), "member_count": guild.threads[thread]["member_count"]} | of_guild
            yield guild.id, "THREAD_MEMBERS_UPDATE", members | {"added_members": [told.joined]}
        self.direct = message(None, DIRECT, FIRST - 1, self.author, "direct")
        yield 0, "MESSAGE_CREATE", self.direct

    def questions(self) -> Iterator[tuple[Asked, Any]]:
        """Every question there is, and its answer: ``None`` where nothing is known."""
        world, direct = self.simulator.world, self.direct
        yield ("CurrentUser",), current_user(world.bot)
        channel = {"id": str(DIRECT), "type": 1, "last_message_id": direct["id"], "recipients": [self.author]}
        yield ("PrivateChannel", DIRECT), channel
        yield ("Message", DIRECT, int(direct["id"])), direct
        yield ("ChannelMessages", DIRECT), [direct]
        yield ("Group", DIRECT), None
        yield ("Guilds",), [self.own_fields(guild) for guild in self.guilds]
        for user in {user for guild in self.guilds for user in guild.members}:
            yield ("User", user), world.users[user]
            mutual = [guild for guild in self.guilds if user in guild.members]
            yield ("UserGuilds", user), [self.own_fields(guild) for guild in mutual]
        for guild in self.guilds:
            yield from self.of_guild(guild)
            yield from self.of_channels(guild)
            yield from self.of_people(guild)

    def own_fields(self, guild: Guild) -> dict[str, Any]:
        """A guild without what are things of their own."""
        whole = guild.create_payload(-1, 250)
        return {key: value for key, value in whole.items() if key not in COLLECTIONS}

    def of_guild(self, guild: Guild) -> Iterator[tuple[Asked, Any]]:
        """The guild, and what is just as it was sent: by itself, and in its list."""
        whole, told, of_guild = guild.create_payload(-1, 250), self.told[guild.id], {"guild_id": str(guild.id)}
        yield ("Guild", guild.id), self.own_fields(guild)
        yield ("Guild", str(guild.id)), self.own_fields(guild)
        for list_kind, kind, things, key in (
            ("GuildRoles", "Role", whole["roles"], "id"),
            ("GuildEmojis", "Emoji", whole["emojis"], "id"),
            ("GuildStickers", "Sticker", whole["stickers"], "id"),
            ("GuildStageInstances", "StageInstance", whole["stage_instances"], "id"),
            ("GuildScheduledEvents", "ScheduledEvent", whole["guild_scheduled_events"], "id"),
            ("GuildSoundboardSounds", "SoundboardSound", whole["soundboard_sounds"], "sound_id"),
            ("GuildAutoModerationRules", "AutoModerationRule", [told.rule], "id"),
            ("GuildIntegrations", None, [told.integration], "id"),
        ):
            expected = [each | of_guild for each in by_id(things, key)]
            yield (list_kind, guild.id), expected
            for each in expected if kind else ():
                yield (kind, int(each[key])), each
        yield ("GuildInvites", guild.id), [told.invite]

    def of_channels(self, guild: Guild) -> Iterator[tuple[Asked, Any]]:
        """Channels and threads, who is in threads, and messages."""
        told, of_guild = self.told[guild.id], {"guild_id": str(guild.id)}
        written, joined = int(told.invite["channel_id"]), int(told.joined["id"])
        channels = {id: channel | of_guild for id, channel in sorted(guild.channels.items())}
        channels[written]["last_message_id"] = told.messages[-1]["id"]
        threads = {id: thread | of_guild for id, thread in sorted(guild.threads.items())}
        yield ("GuildChannels", guild.id), list(channels.values())
        yield ("GuildThreads", guild.id), list(threads.values())
        for id, channel in (*channels.items(), *threads.items()):
            yield ("GuildChannel", id), channel
            kept = told.messages if id == written else []
            yield ("ChannelMessages", id), kept
            for each in kept:
                yield ("Message", id, int(each["id"])), each
        for id, thread in threads.items():
            own = [{"id": str(id), "user_id": str(BOT_ID)} | thread["member"]] if "member" in thread else []
            members = [*own, *([told.joined] if id == joined else [])]
            yield ("ThreadMembers", id), by_id([each | of_guild for each in members], "user_id")
        for id in guild.voice_channels():
            yield ("ChannelInfo", guild.id, id), told.info if str(id) == told.info["id"] else None

    def of_people(self, guild: Guild) -> Iterator[tuple[Asked, Any]]:
        """Members, presences and voice states."""
        of_guild = {"guild_id": str(guild.id)}
        members = [guild.members[user] | of_guild | {"user_id": str(user)} for user in sorted(guild.members)]
        yield ("GuildMembers", guild.id), members
        presences = {
            user: presence | of_guild | {"user_id": str(user)}
            for user, presence in sorted(guild.presences.items())
            if presence["status"] != "offline"
        }
        yield ("GuildPresences", guild.id), list(presences.values())
        states = {user: state | of_guild for user, state in sorted(guild.voice_states.items())}
        yield ("GuildVoiceStates", guild.id), list(states.values())
        for member in members:
            user = int(member["user_id"])
            yield ("Member", guild.id, user), member
            yield ("Presence", guild.id, user), presences.get(user)
            yield ("VoiceState", user, guild.id), states.get(user)
        for channel in guild.voice_channels():
            inside = [state for state in states.values() if state["channel_id"] == str(channel)]
            yield ("VoiceChannelStates", channel), inside or None
            for state in inside:
                yield ("VoiceState", int(state["user_id"]), channel), state
