"""Reactions to messages, and votes in their polls: changed, and told as events of the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .messages import Event, of_guild
from .payloads import Json
from .places import Message, Place, Reaction


def emoji_of(value: str | Mapping[str, Any]) -> Json:
    """An emoji as events bear it: of an object, a character, or ``name:id``."""
    if isinstance(value, str):
        name, _, id = value.partition(":")
        return {"id": id or None, "name": name}
    return {"id": value.get("id"), "name": value.get("name")}


def key_of(emoji: Json) -> str:
    """What tells an emoji from others: its id, or its name where it has none."""
    return str(emoji["id"] or emoji["name"])


def react(place: Place, message: Message, user: int, emoji: Json, *, burst: bool = False) -> Event | None:
    """MESSAGE_REACTION_ADD; None if the user has reacted so before."""
    reaction = message.reactions.setdefault(key_of(emoji), Reaction(emoji))
    users = reaction.burst if burst else reaction.normal
    if user in users:
        return None
    users.add(user)
    d = _reacted(place, message, user, emoji, burst)
    if place.guild is not None and user in place.guild.members:
        d["member"] = place.guild.members[user]
    if message.author is not None:
        d["message_author_id"] = str(message.author)
    if burst:
        d["burst_colors"] = ["#ffcc4d"]
    return "MESSAGE_REACTION_ADD", d


def unreact(place: Place, message: Message, user: int, emoji: Json, *, burst: bool = False) -> Event | None:
    """MESSAGE_REACTION_REMOVE; None if there was no such reaction."""
    reaction = message.reactions.get(key_of(emoji))
    users = set() if reaction is None else reaction.burst if burst else reaction.normal
    if reaction is None or user not in users:
        return None
    users.remove(user)
    if not reaction.count:
        del message.reactions[key_of(emoji)]
    return "MESSAGE_REACTION_REMOVE", _reacted(place, message, user, emoji, burst)


def _reacted(place: Place, message: Message, user: int, emoji: Json, burst: bool) -> Json:
    head = {"user_id": str(user), "channel_id": str(place.id), "message_id": str(message.id), **of_guild(place)}
    return {**head, "emoji": emoji, "burst": burst, "type": int(burst)}


def clear_reactions(place: Place, message: Message) -> Event:
    message.reactions.clear()
    head = {"channel_id": str(place.id), "message_id": str(message.id), **of_guild(place)}
    return "MESSAGE_REACTION_REMOVE_ALL", head


def clear_emoji(place: Place, message: Message, emoji: Json) -> Event | None:
    """MESSAGE_REACTION_REMOVE_EMOJI; None if nobody reacted with it."""
    if message.reactions.pop(key_of(emoji), None) is None:
        return None
    head = {"channel_id": str(place.id), "message_id": str(message.id), **of_guild(place)}
    return "MESSAGE_REACTION_REMOVE_EMOJI", {**head, "emoji": emoji}


def vote(place: Place, message: Message, user: int, answer: int) -> Event | None:
    """MESSAGE_POLL_VOTE_ADD; None if that is the user's vote already."""
    voters = message.votes.setdefault(answer, set())
    if user in voters:
        return None
    voters.add(user)
    return "MESSAGE_POLL_VOTE_ADD", _voted(place, message, user, answer)


def unvote(place: Place, message: Message, user: int, answer: int) -> Event | None:
    """MESSAGE_POLL_VOTE_REMOVE; None if it was not the user's vote."""
    voters = message.votes.get(answer, set())
    if user not in voters:
        return None
    voters.remove(user)
    return "MESSAGE_POLL_VOTE_REMOVE", _voted(place, message, user, answer)


def _voted(place: Place, message: Message, user: int, answer: int) -> Json:
    head = {"user_id": str(user), "channel_id": str(place.id), "message_id": str(message.id), **of_guild(place)}
    return {**head, "answer_id": answer}
