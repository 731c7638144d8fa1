"""The bot as others see it: its presence, and where it is in voice.

Discord's documentation does not say who is told of a bot's own presence; here it is told as any member's is.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..hub import PAUSE, Hub, encode
from ..world.guild import Guild
from ..world.happenings.voice import enter_voice, leave_voice
from ..world.payloads import Json, presence
from ..world.permissions import may_enter
from .sessions import GatewaySession

_SLICE = 200
"""Guilds told in one go."""

_ENDPOINT = "sim-voice-1.example.invalid:2087"


def shown(bot_id: int, d: Json, now: float) -> Json | None:
    """The presence that others see; None where the bot seems to be offline.

    :param d: of op 3, or of IDENTIFY.
    """
    status = d.get("status", "online")
    if status in ("invisible", "offline"):
        return None
    activities = []
    for activity in d.get("activities") or ():
        kept = {key: activity[key] for key in ("name", "type", "state", "url") if activity.get(key) is not None}
        id = "custom" if activity.get("type") == 4 else "1f"
        activities.append({"id": id, **kept, "created_at": int(now * 1000)})
    return presence(str(bot_id), status, activities, device="web")


def begin(hub: Hub, session: GatewaySession) -> None:
    """A session has started: the bot is there, with the presence that IDENTIFY asked for; GUILD_CREATE shows it."""
    bot = hub.world.bot_id
    seen = shown(bot, dict(session.asked.presence or {}), hub.world_time())
    for guild in hub.world.guilds_of(session.shard, session.total):
        _set(guild, bot, seen)


def _set(guild: Guild, bot: int, seen: Json | None) -> None:
    if seen is None:
        guild.presences.forget(bot)
    else:
        guild.presences[bot] = seen


def change_presence(hub: Hub, session: GatewaySession, d: Json) -> None:
    """Op 3: PRESENCE_UPDATE in all guilds of the shard, slice by slice; a later one takes an unfinished one's place."""
    seen = shown(hub.world.bot_id, d, hub.world_time())
    session.presence = told = object()
    guilds = [guild.id for guild in hub.world.guilds_of(session.shard, session.total)]

    def step(ids: Sequence[int]) -> None:
        if session.presence is not told:
            return
        for id in ids[:_SLICE]:
            guild = hub.world.guilds.get(id)
            if guild is not None:
                _set(guild, hub.world.bot_id, seen)
                value = seen or presence(str(hub.world.bot_id), "offline")
                hub.tell("PRESENCE_UPDATE", {**value, "guild_id": str(id)})
        if ids[_SLICE:]:
            hub.later(PAUSE, lambda: step(ids[_SLICE:]))

    step(guilds)


def change_voice(hub: Hub, session: GatewaySession, guild: Guild, channel: int | None, mute: bool, deaf: bool) -> None:
    """Op 4: join, move, mute, or leave (without a channel).

    Nothing comes back where the bot may not go: the channel is full, forbidden, or none.
    """
    bot = hub.world.bot_id
    old = guild.voice_states.get(bot)
    if channel is None:
        guild.voice_session = None
        if old is not None:
            for name, d in leave_voice(guild, bot):
                hub.tell(name, d)
        return
    if not may_enter(guild, bot, channel):
        return
    guild.voice_session = session.id
    session_id = hub.world.token() if old is None else old["session_id"]
    state, *rest = enter_voice(guild, bot, channel, session_id, hub.world_time(), mute=mute, deaf=deaf)
    hub.tell(*state)
    if old is None or old["channel_id"] != str(channel):
        server = {"token": hub.world.token()[:16], "guild_id": str(guild.id), "endpoint": _ENDPOINT}
        hub.deliver(session, "VOICE_SERVER_UPDATE", encode(server))
    for name, d in rest:
        hub.tell(name, d)


def hang_up(hub: Hub, shard: int, total: int) -> None:
    """The bot leaves voice where the session that brought it there is over, as a new one begins."""
    for guild in hub.world.guilds_of(shard, total):
        owner = guild.voice_session
        if owner is None or hub.sessions.find(owner, hub.world_time()) is not None:
            continue
        guild.voice_session = None
        if hub.world.bot_id in guild.voice_states:
            for name, d in leave_voice(guild, hub.world.bot_id):
                hub.tell(name, d)
