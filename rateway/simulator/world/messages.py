"""Messages: written, changed, pinned, deleted; and how REST and gateway show them.

Each function changes the world. Those that end in ``_event`` say how the gateway tells of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from .payloads import Json, iso, without_user
from .places import Message, Place

if TYPE_CHECKING:
    from .world import World

Event: TypeAlias = tuple[str, Json]
"""``(name, d)``: ``d`` bears the guild's id where the event belongs to a guild."""

EPHEMERAL = 1 << 6
"""The flag of a message that only one user sees: it has neither ``guild_id`` nor ``member``."""

_OF_GUILDS = {"GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE"}
"""Events whose own id is the guild's."""

_USER = re.compile(r"<@!?(\d{1,20})>")
_ROLE = re.compile(r"<@&(\d{1,20})>")
_EVERYONE = re.compile(r"@(everyone|here)\b")


def write(
    world: World,
    place: Place,
    author: int,
    content: str,
    now: float,
    *,
    webhook: Mapping[str, Any] | None = None,
    reply_to: int | None = None,
    poll: Json | None = None,
    flags: int = 0,
    id: int | None = None,
    **fields: Any,
) -> Message:
    """A new message in the place.

    :param author: the user's id; not used for a webhook's message.
    :param webhook: ``id``, and perhaps ``name``, ``avatar`` and ``application_id``: it, and no user, is the author.
    :param reply_to: the id of the message answered.
    :param poll: as REST takes it: ``question``, ``answers``, and perhaps ``duration`` (hours), ``allow_multiselect``.
    :param id: a thread's own where it is the thread's first message.
    :param fields: of the message object, as they are: ``embeds``, ``components``, ``nonce``, ``tts`` …
    """
    id = id or world.ids.live(now)
    users, roles = mentioned(world, place, content)
    data: Json = {
        "id": str(id),
        "channel_id": str(place.id),
        "type": 0 if reply_to is None else 19,
        "author": dict(world.users[author]) if webhook is None else _webhook_user(webhook),
        "content": content,
        "timestamp": iso(now),
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": place.guild is not None and bool(_EVERYONE.search(content)),
        "mentions": [dict(world.users[user]) for user in users],
        "mention_roles": roles,
        "attachments": [],
        "embeds": [],
        "components": [],
        "pinned": False,
        "flags": flags,
        **fields,
    }
    if webhook is not None:
        data["webhook_id"] = str(webhook["id"])
        if webhook.get("application_id"):
            data["application_id"] = str(webhook["application_id"])
    if reply_to is not None:
        data |= _reference(place, reply_to)
    if poll is not None:
        data["poll"] = _poll(poll, now)
    message = Message(id, data, None if webhook is not None else author)
    if not flags & EPHEMERAL:
        _file(place, message)
    return message


def _file(place: Place, message: Message) -> None:
    place.history.add(message)
    place.channel["last_message_id"] = message.data["id"]
    if place.is_thread and message.id != place.id:
        place.channel["message_count"] += 1
        place.channel["total_message_sent"] += 1


def mentioned(world: World, place: Place, content: str) -> tuple[list[int], list[str]]:
    """The users and the roles that a text mentions, as far as they exist."""
    users = [int(id) for id in dict.fromkeys(_USER.findall(content)) if int(id) in world.users]
    if place.guild is None:
        return users, []
    return users, [id for id in dict.fromkeys(_ROLE.findall(content)) if int(id) in place.guild.roles]


def _webhook_user(webhook: Mapping[str, Any]) -> Json:
    name = str(webhook.get("name") or "webhook")
    user: Json = {"id": str(webhook["id"]), "username": name, "discriminator": "0000"}
    return user | {"avatar": webhook.get("avatar"), "bot": True}


def _reference(place: Place, id: int) -> Json:
    answered = place.history.get(id)
    reference: Json = {"type": 0, "message_id": str(id), "channel_id": str(place.id)}
    if place.guild is not None:
        reference["guild_id"] = str(place.guild.id)
    value: Json = {"message_reference": reference, "referenced_message": None}
    if answered is not None:
        nested = {k: v for k, v in answered.data.items() if k != "referenced_message"}
        value["referenced_message"] = nested
    return value


def _poll(asked: Json, now: float) -> Json:
    answers = [
        {"answer_id": number, "poll_media": answer["poll_media"]} for number, answer in enumerate(asked["answers"], 1)
    ]
    counts = [{"id": answer["answer_id"], "count": 0, "me_voted": False} for answer in answers]
    return {
        "question": asked["question"],
        "answers": answers,
        "expiry": iso(now + 3600 * asked.get("duration", 24)),
        "allow_multiselect": bool(asked.get("allow_multiselect", False)),
        "layout_type": 1,
        "results": {"is_finalized": False, "answer_counts": counts},
    }


def edit(world: World, place: Place, message: Message, now: float, **changes: Any) -> Json:
    """Change some keys of a message (``content``, ``embeds``, ``flags`` …); the whole of it is returned."""
    data = message.data
    data.update(changes)
    data["edited_timestamp"] = iso(now)
    if "content" in changes:
        users, roles = mentioned(world, place, data["content"])
        data["mentions"], data["mention_roles"] = [world.users[user] for user in users], roles
    return data


def delete(place: Place, id: int) -> bool:
    """Forget a message; False if there is none."""
    if place.history.remove(id) is None:
        return False
    if place.is_thread and id != place.id:
        place.channel["message_count"] = max(0, place.channel["message_count"] - 1)
    return True


# --- how they are shown


def shown(world: World, message: Message) -> Json:
    """The message as REST shows it, with its reactions and votes."""
    data, bot = dict(message.data), world.bot_id
    if message.reactions:
        data["reactions"] = [
            {
                "emoji": reaction.emoji,
                "count": reaction.count,
                "count_details": {"normal": len(reaction.normal), "burst": len(reaction.burst)},
                "me": bot in reaction.normal,
                "me_burst": bot in reaction.burst,
                "burst_colors": [],
            }
            for reaction in message.reactions.values()
        ]
    if "poll" in data:
        votes = {
            answer["answer_id"]: message.votes.get(answer["answer_id"], set()) for answer in data["poll"]["answers"]
        }
        counts = [{"id": id, "count": len(voters), "me_voted": bot in voters} for id, voters in votes.items()]
        data["poll"] = data["poll"] | {"results": {"is_finalized": False, "answer_counts": counts}}
    return data


def of_guild(place: Place) -> Json:
    """The key that events of a guild bear, and those of a direct channel don't."""
    return {} if place.guild is None else {"guild_id": str(place.guild.id)}


def guild_of(name: str, d: Json) -> int | None:
    """The guild whose shard an event goes to; None for what belongs to no guild, and goes to shard 0."""
    id = d["id"] if name in _OF_GUILDS else d.get("guild_id")
    return None if id is None else int(id)


def create_event(place: Place, message: Message) -> Event:
    """MESSAGE_CREATE, with what the gateway adds."""
    return "MESSAGE_CREATE", _for_gateway(place, message)


def update_event(place: Place, message: Message) -> Event:
    """MESSAGE_UPDATE with the whole message; ``tts`` is always false there."""
    d = _for_gateway(place, message) | {"tts": False}
    d.pop("nonce", None)
    return "MESSAGE_UPDATE", d


def partial_update_event(place: Place, message: Message, *keys: str) -> Event:
    """MESSAGE_UPDATE with some keys only, as when a link's preview is added."""
    head = {"id": message.data["id"], "channel_id": message.data["channel_id"]}
    return "MESSAGE_UPDATE", {**head, **of_guild(place), **{key: message.data[key] for key in keys}}


def delete_event(place: Place, id: int) -> Event:
    return "MESSAGE_DELETE", {"id": str(id), "channel_id": str(place.id), **of_guild(place)}


def bulk_delete_event(place: Place, ids: Iterable[int]) -> Event:
    return "MESSAGE_DELETE_BULK", {"ids": [str(id) for id in ids], "channel_id": str(place.id), **of_guild(place)}


def _for_gateway(place: Place, message: Message) -> Json:
    data = dict(message.data)
    data["channel_type"] = place.type
    guild = place.guild
    if guild is None or data["flags"] & EPHEMERAL:
        return data
    data["guild_id"] = str(guild.id)
    member = None if message.author is None else guild.members.get(message.author)
    if member is not None:
        data["member"] = without_user(member)
    mentions = []
    for user in data["mentions"]:
        mentioned = guild.members.get(int(user["id"]))
        mentions.append(user if mentioned is None else {**user, "member": _of_mention(mentioned)})
    data["mentions"] = mentions
    return data


def _of_mention(member: Json) -> Json:
    return {key: value for key, value in without_user(member).items() if key != "pending"}


def typing_event(place: Place, user: int, now: float) -> Event:
    """TYPING_START, with the member where there is one; its time is in whole seconds."""
    d: Json = {"channel_id": str(place.id), **of_guild(place), "user_id": str(user), "timestamp": int(now)}
    if place.guild is not None and user in place.guild.members:
        d["member"] = place.guild.members[user]
    return "TYPING_START", d


def pin(place: Place, message: Message, pinned: bool, now: float) -> list[Event]:
    """MESSAGE_UPDATE and CHANNEL_PINS_UPDATE; the channel remembers the time of its last pin."""
    message.data["pinned"] = pinned
    if pinned:
        place.channel["last_pin_timestamp"] = iso(now)
    pins: Json = {"channel_id": str(place.id), "last_pin_timestamp": place.channel.get("last_pin_timestamp")}
    return [update_event(place, message), ("CHANNEL_PINS_UPDATE", {**of_guild(place), **pins})]
