"""Event name → what it does. What is named nowhere here changes nothing."""

from __future__ import annotations

from collections.abc import Callable

from . import rules, things, writing
from .world import Json, World

IN_KNOWN_GUILDS: dict[str, Callable[[World, int, Json], None]] = {
    "GUILD_EMOJIS_UPDATE": rules.whole_list,
    "GUILD_STICKERS_UPDATE": rules.whole_list,
    "SOUNDBOARD_SOUNDS": rules.whole_list,
    "CHANNEL_INFO": things.channel_info,
    "VOICE_CHANNEL_STATUS_UPDATE": things.channel_status,
    "VOICE_CHANNEL_START_TIME_UPDATE": things.channel_start_time,
    "THREAD_LIST_SYNC": rules.thread_list_sync,
    "THREAD_MEMBERS_UPDATE": rules.thread_members_update,
    "GUILD_MEMBER_ADD": rules.member_add,
    "GUILD_MEMBER_UPDATE": rules.member_update,
    "GUILD_MEMBER_REMOVE": rules.member_remove,
    "GUILD_MEMBERS_CHUNK": rules.members_chunk,
    "GUILD_ROLE_CREATE": rules.role_upsert,
    "GUILD_ROLE_UPDATE": rules.role_upsert,
    "GUILD_ROLE_DELETE": rules.role_delete,
    "PRESENCE_UPDATE": rules.presence_update,
    "GUILD_SOUNDBOARD_SOUND_CREATE": things.upsert("sounds", "sound_id"),
    "GUILD_SOUNDBOARD_SOUND_UPDATE": things.upsert("sounds", "sound_id"),
    "GUILD_SOUNDBOARD_SOUND_DELETE": things.delete("sounds", "sound_id"),
    "GUILD_SOUNDBOARD_SOUNDS_UPDATE": things.sounds_update,
    "STAGE_INSTANCE_CREATE": things.upsert("stages"),
    "STAGE_INSTANCE_UPDATE": things.upsert("stages"),
    "STAGE_INSTANCE_DELETE": things.delete("stages"),
    "GUILD_SCHEDULED_EVENT_CREATE": things.event_upsert,
    "GUILD_SCHEDULED_EVENT_UPDATE": things.event_upsert,
    "GUILD_SCHEDULED_EVENT_DELETE": things.delete("events"),
    "GUILD_SCHEDULED_EVENT_USER_ADD": things.count_interested(1),
    "GUILD_SCHEDULED_EVENT_USER_REMOVE": things.count_interested(-1),
    "INTEGRATION_CREATE": things.upsert("integrations"),
    "INTEGRATION_UPDATE": things.upsert("integrations"),
    "INTEGRATION_DELETE": things.delete("integrations"),
    "AUTO_MODERATION_RULE_CREATE": things.upsert("rules"),
    "AUTO_MODERATION_RULE_UPDATE": things.upsert("rules"),
    "AUTO_MODERATION_RULE_DELETE": things.delete("rules"),
    "VOICE_STATE_UPDATE": rules.voice_update,
}
"""Events that say which guild they are of, and mean nothing where it isn't known."""

ANYWHERE: dict[str, Callable[[World, Json], None]] = {
    "USER_UPDATE": rules.user_update,
    "GUILD_CREATE": rules.guild_create,
    "GUILD_UPDATE": rules.guild_update,
    "GUILD_DELETE": rules.guild_delete,
    "CHANNEL_CREATE": rules.channel_upsert,
    "CHANNEL_UPDATE": rules.channel_upsert,
    "CHANNEL_DELETE": rules.channel_delete,
    "CHANNEL_PINS_UPDATE": rules.pins_update,
    "INVITE_CREATE": things.invite_create,
    "INVITE_DELETE": things.invite_delete,
    "THREAD_CREATE": rules.thread_create,
    "THREAD_UPDATE": rules.thread_update,
    "THREAD_DELETE": rules.thread_delete,
    "THREAD_MEMBER_UPDATE": rules.thread_member_update,
    "MESSAGE_CREATE": writing.message_create,
    "MESSAGE_UPDATE": writing.message_update,
    "MESSAGE_DELETE": writing.message_delete,
    "MESSAGE_DELETE_BULK": writing.message_delete,
    "MESSAGE_REACTION_ADD": writing.react(1),
    "MESSAGE_REACTION_REMOVE": writing.react(-1),
    "MESSAGE_REACTION_REMOVE_ALL": writing.reactions_gone,
    "MESSAGE_REACTION_REMOVE_EMOJI": writing.reactions_gone,
    "MESSAGE_POLL_VOTE_ADD": writing.vote(1),
    "MESSAGE_POLL_VOTE_REMOVE": writing.vote(-1),
}
"""Events that may leave out their guild, or have none."""


def happen(world: World, shard: int, name: str, d: Json) -> None:
    """One event, to one of the cluster's shards."""
    if name == "READY":
        rules.ready(world, shard, d)
    elif name in IN_KNOWN_GUILDS:
        if int(d.get("guild_id", 0)) in world.guilds:
            IN_KNOWN_GUILDS[name](world, int(d["guild_id"]), d)
    elif name in ANYWHERE:
        ANYWHERE[name](world, d)
    world.forget_strangers()
