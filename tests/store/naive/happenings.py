"""An event by its name: what its ``d`` may be."""

from __future__ import annotations

from collections.abc import Callable

from tests.store import samples as s

from .events import USERS, Draw
from .world import Json


def guild_create(x: Draw) -> Json:
    """A guild with some of what it can have, or in an outage."""
    if x.maybe(0.1) and not x.whole:
        return {"id": str(x.place.guild), "unavailable": True}
    place = x.place
    users = x.some(USERS)
    d = s.guild(place.guild, name=x.name(), member_count=x.choice([0, 3]), large=False) | {
        "roles": [x.role(id) for id in (place.guild, *x.some(place.roles[1:]))],
        "emojis": [x.emoji(id) for id in x.some(place.emojis)],
        "stickers": [x.sticker(id) for id in x.some(place.stickers)],
        "channels": [x.channel(id) for id in place.channels if x.whole or x.maybe(0.8)],
        "threads": [x.thread(id) for id in x.some(place.threads)],
        "members": [x.member(id) for id in users],
        "presences": [x.presence(id) for id in x.some(USERS)],
        "voice_states": [x.voice_state(id, place.voice) for id in x.some(USERS)],
        "stage_instances": [x.stage(id) for id in x.some(place.stages)],
        "guild_scheduled_events": [x.event(id) for id in x.some(place.events)],
        "soundboard_sounds": [x.sound(id) for id in x.some(place.sounds)],
    }
    if x.maybe(0.2):
        del d["unavailable"]
    if x.maybe(0.1):
        del d["threads"], d["voice_states"]
    if x.maybe(0.05):
        del d["channels"], d["members"], d["stickers"]
    return d


def guild_update(x: Draw) -> Json:
    """The guild's own fields, with roles and emojis or without."""
    d: Json = {"id": str(x.place.guild), "name": x.name(), "icon": x.choice([None, "icon"])}
    if x.maybe(0.8):
        d |= {"roles": [x.role(id) for id in x.some(x.place.roles)]}
    if x.maybe():
        d |= {"emojis": [x.emoji(id) for id in x.some(x.place.emojis)], "stickers": []}
    return d


def guild_delete(x: Draw) -> Json:
    """An outage or the end."""
    return {"id": str(x.place.guild)} | x.choice([{}, {"unavailable": False}, *[{"unavailable": True}] * 4])


def channel_info(x: Draw) -> Json:
    """Some of what was asked for."""
    infos = []
    for id in x.some(x.place.channels):
        info: Json = {"id": str(id)}
        if x.maybe():
            info["status"] = x.choice([None, "text"])
        if x.maybe():
            info["voice_start_time"] = x.choice([None, 1700000000])
        infos.append(info)
    return {"channels": infos} | x.of_guild


def pins(x: Draw) -> Json:
    """When a message was last pinned, or that none is."""
    when: Json = x.choice([{}, {"last_pin_timestamp": None}, {"last_pin_timestamp": "2026-01-01T00:00:00+00:00"}])
    channel: Json = {"channel_id": str(x.choice((*x.place.written, *x.place.channels)))}
    return channel | x.of_channel() | when


def start_time(x: Draw) -> Json:
    """Since when somebody is in voice."""
    channel: Json = {"id": str(x.place.voice)} | x.of_guild
    when: Json = x.choice([{}, {"voice_start_time": None}, {"voice_start_time": 1700000000}])
    return channel | when


def invite(x: Draw) -> Json:
    """An invite."""
    channel = str(x.choice(x.place.channels))
    invite: Json = {"code": x.choice(x.place.invites), "channel_id": channel, "uses": 0, "max_age": x.choice([0, 60])}
    return invite | x.of_channel()


def list_sync(x: Draw) -> Json:
    """Of all channels, of some, or of none."""
    ids = x.some(x.place.threads)
    d: Json = {"threads": [x.thread(id) for id in ids]} | x.of_guild
    d["members"] = [x.thread_member(id, s.BOT) for id in x.some(tuple(x.place.threads))]
    if x.maybe(0.7):
        d["channel_ids"] = [str(id) for id in x.some(x.place.channels)] if x.maybe(0.7) else []
    return d


def thread_members(x: Draw) -> Json:
    """Some come, some go."""
    d: Json = {"id": str(x.choice(x.place.threads)), "member_count": x.choice([1, 2, 50])} | x.of_guild
    users = x.some(USERS)
    if users and x.maybe():
        d["added_members"] = [
            x.thread_member(int(d["id"]), id)
            | {"member": x.member(id), "presence": x.presence(id) if x.maybe() else None}
            for id in users
        ]
    if x.maybe():
        d["removed_member_ids"] = [str(id) for id in x.some(USERS)]
    return d


def chunk(x: Draw) -> Json:
    """Some members more, with what Discord says of those it didn't find."""
    users = x.some(USERS)
    d: Json = {"members": [x.member(id) for id in users], "chunk_index": 0, "chunk_count": 1, "nonce": "n"}
    if x.maybe():
        d |= {"presences": [x.presence(id) for id in users], "not_found": [123, "456"]}
    return d | x.of_guild


def voice_update(x: Draw) -> Json:
    """Somebody is in voice, or not; in a call there is no guild."""
    user = x.choice(USERS)
    channel = x.choice([None, x.place.voice, x.place.text])
    d = x.voice_state(user, channel) | (x.of_guild if x.maybe(0.95) else {})
    return d | {"member": x.member(user)} if x.maybe(0.8) else d


def message_update(x: Draw) -> Json:
    """A whole message or some fields of one."""
    whole = x.private_message() if x.maybe(0.1) else x.message()
    if x.maybe():
        return whole
    fields = ["id", "channel_id", "guild_id", *x.some(("content", "embeds", "tts", "edited_timestamp", "author"))]
    return {field: whole[field] for field in fields if field in whole}


def message_delete(x: Draw) -> Json:
    """A message of a channel or a private one."""
    d = x.emoji_place()
    d["id"] = d.pop("message_id")
    return d


def reaction(x: Draw) -> Json:
    """Who, what, and where."""
    user = x.choice(USERS)
    d = x.emoji_place() | {"user_id": str(user), "emoji": x.emoji_of_reaction(), "burst": x.maybe(0.3), "type": 0}
    if d["burst"]:
        d["burst_colors"] = ["#ffffff"]
    return d | {"member": x.member(user)} if "guild_id" in d and x.maybe() else d


def scheduled_event(x: Draw) -> Json:
    """Who is interested in what."""
    return {"guild_scheduled_event_id": str(x.choice(x.place.events)), "user_id": str(s.ALICE)} | x.of_guild


HAPPENINGS: dict[str, Callable[[Draw], Json]] = {
    "GUILD_CREATE": guild_create,
    "GUILD_UPDATE": guild_update,
    "GUILD_DELETE": guild_delete,
    "USER_UPDATE": lambda x: s.own_user() | {"username": x.name()},
    "CHANNEL_CREATE": lambda x: x.channel() | x.of_guild,
    "CHANNEL_UPDATE": lambda x: x.channel() | x.of_channel(),
    "CHANNEL_DELETE": lambda x: x.channel() | x.of_channel(),
    "CHANNEL_PINS_UPDATE": pins,
    "CHANNEL_INFO": channel_info,
    "VOICE_CHANNEL_STATUS_UPDATE": lambda x: (
        {"id": str(x.place.voice), "status": x.choice([None, "text"])} | x.of_guild
    ),
    "VOICE_CHANNEL_START_TIME_UPDATE": start_time,
    "INVITE_CREATE": invite,
    "INVITE_DELETE": invite,
    "THREAD_CREATE": lambda x: x.thread(archived=x.maybe(0.1)) | ({"newly_created": True} if x.maybe() else {}),
    "THREAD_UPDATE": lambda x: x.thread(archived=x.maybe(0.3)),
    "THREAD_DELETE": lambda x: {"id": str(x.choice(x.place.threads)), "type": 11} | x.of_channel(),
    "THREAD_LIST_SYNC": list_sync,
    "THREAD_MEMBER_UPDATE": lambda x: x.thread_member(x.choice(x.place.threads), s.BOT) | x.of_guild,
    "THREAD_MEMBERS_UPDATE": thread_members,
    "GUILD_ROLE_CREATE": lambda x: {"role": x.role()} | x.of_guild,
    "GUILD_ROLE_UPDATE": lambda x: {"role": x.role()} | x.of_guild,
    "GUILD_ROLE_DELETE": lambda x: {"role_id": str(x.choice(x.place.roles))} | x.of_guild,
    "GUILD_EMOJIS_UPDATE": lambda x: {"emojis": [x.emoji(id) for id in x.some(x.place.emojis)]} | x.of_guild,
    "GUILD_STICKERS_UPDATE": lambda x: {"stickers": [x.sticker(id) for id in x.some(x.place.stickers)]} | x.of_guild,
    "SOUNDBOARD_SOUNDS": lambda x: {"soundboard_sounds": [x.sound(id) for id in x.some(x.place.sounds)]} | x.of_guild,
    "GUILD_SOUNDBOARD_SOUND_CREATE": lambda x: x.sound() | x.of_guild,
    "GUILD_SOUNDBOARD_SOUND_UPDATE": lambda x: x.sound() | x.of_guild,
    "GUILD_SOUNDBOARD_SOUND_DELETE": lambda x: {"sound_id": str(x.choice(x.place.sounds))} | x.of_guild,
    "GUILD_SOUNDBOARD_SOUNDS_UPDATE": lambda x: {"soundboard_sounds": [x.sound()]} | x.of_guild,
    "STAGE_INSTANCE_CREATE": lambda x: x.stage(x.place.stages[0]),
    "STAGE_INSTANCE_UPDATE": lambda x: x.stage(x.place.stages[0]),
    "STAGE_INSTANCE_DELETE": lambda x: x.stage(x.place.stages[0]),
    "GUILD_SCHEDULED_EVENT_CREATE": lambda x: x.event(),
    "GUILD_SCHEDULED_EVENT_UPDATE": lambda x: x.event(),
    "GUILD_SCHEDULED_EVENT_DELETE": lambda x: x.event(),
    "GUILD_SCHEDULED_EVENT_USER_ADD": scheduled_event,
    "GUILD_SCHEDULED_EVENT_USER_REMOVE": scheduled_event,
    "INTEGRATION_CREATE": lambda x: {"id": str(x.place.integrations[0]), "name": x.name()} | x.of_guild,
    "INTEGRATION_UPDATE": lambda x: {"id": str(x.place.integrations[0]), "name": x.name()} | x.of_guild,
    "INTEGRATION_DELETE": lambda x: {"id": str(x.place.integrations[0])} | x.of_guild,
    "AUTO_MODERATION_RULE_CREATE": lambda x: {"id": str(x.place.rules[0]), "name": x.name()} | x.of_guild,
    "AUTO_MODERATION_RULE_UPDATE": lambda x: {"id": str(x.place.rules[0]), "name": x.name()} | x.of_guild,
    "AUTO_MODERATION_RULE_DELETE": lambda x: {"id": str(x.place.rules[0]), "name": x.name()} | x.of_guild,
    "GUILD_MEMBER_ADD": lambda x: x.member() | x.of_guild,
    "GUILD_MEMBER_UPDATE": lambda x: x.member() | x.of_guild,
    "GUILD_MEMBER_REMOVE": lambda x: {"user": x.user()} | x.of_guild,
    "GUILD_MEMBERS_CHUNK": chunk,
    "PRESENCE_UPDATE": lambda x: x.presence(),
    "VOICE_STATE_UPDATE": voice_update,
    "MESSAGE_CREATE": lambda x: x.private_message() if x.place.shard == 0 and x.maybe(0.2) else x.message(),
    "MESSAGE_UPDATE": message_update,
    "MESSAGE_DELETE": message_delete,
    "MESSAGE_DELETE_BULK": lambda x: (
        {"ids": ["5001", "5003", "5003"], "channel_id": str(x.choice(x.place.written))} | x.of_channel()
    ),
    "MESSAGE_REACTION_ADD": reaction,
    "MESSAGE_REACTION_REMOVE": reaction,
    "MESSAGE_REACTION_REMOVE_ALL": lambda x: x.emoji_place(),
    "MESSAGE_REACTION_REMOVE_EMOJI": lambda x: x.emoji_place() | {"emoji": x.emoji_of_reaction()},
    "MESSAGE_POLL_VOTE_ADD": lambda x: x.emoji_place() | {"user_id": str(x.choice(USERS)), "answer_id": 1},
    "MESSAGE_POLL_VOTE_REMOVE": lambda x: x.emoji_place() | {"user_id": str(x.choice(USERS)), "answer_id": 1},
}
"""Events with an effect. READY is no choice: a session begins with it."""

WITHOUT_EFFECT: dict[str, Callable[[Draw], Json]] = {
    "TYPING_START": lambda x: {"channel_id": str(x.place.text), "user_id": "7", "member": x.member(7)} | x.of_guild,
    "INTERACTION_CREATE": lambda x: (
        {"id": "1", "guild_id": str(x.choice((x.place.guild, 99 << 22)))}
        | {"member": x.member(6), "channel": x.channel(), "data": {"resolved": {"users": {"5": x.user(5)}}}}
    ),
    "GUILD_BAN_ADD": lambda x: {"user": x.user()} | x.of_guild,
    "GUILD_BAN_REMOVE": lambda x: {"user": x.user()} | x.of_guild,
    "GUILD_INTEGRATIONS_UPDATE": lambda x: x.of_guild,
    "WEBHOOKS_UPDATE": lambda x: {"channel_id": str(x.place.text)} | x.of_guild,
    "VOICE_SERVER_UPDATE": lambda x: {"token": "t", "endpoint": None} | x.of_guild,
    "VOICE_CHANNEL_EFFECT_SEND": lambda x: (
        {"channel_id": str(x.place.voice), "user_id": "4", "sound_id": 1} | x.of_guild
    ),
    "GUILD_AUDIT_LOG_ENTRY_CREATE": lambda x: {"id": "1", "user_id": "3", "action_type": 1} | x.of_guild,
    "AUTO_MODERATION_ACTION_EXECUTION": lambda x: {"rule_id": "1", "user_id": "2", "content": ""} | x.of_guild,
    "GUILD_JOIN_REQUEST_CREATE": lambda x: {"request": {"user": x.user(8)}} | x.of_guild,
    "APPLICATION_COMMAND_PERMISSIONS_UPDATE": lambda x: {"id": "1", "permissions": []} | x.of_guild,
    "ENTITLEMENT_CREATE": lambda x: {"id": "1", "sku_id": "2", "user_id": "3"},
    "SUBSCRIPTION_UPDATE": lambda x: {"id": "1", "user_id": "3", "status": 0},
    "RATE_LIMITED": lambda x: {"opcode": 8, "retry_after": 1.5, "meta": x.of_guild},
    "RESUMED": lambda x: {},
    "SOMETHING_NEW": lambda x: {"id": str(x.place.text), "user": x.user(9)} | x.of_guild,
}
"""Events that are passed on, and change nothing."""
