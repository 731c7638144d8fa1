"""Reactions and poll votes on kept messages. A repeated event counts twice: the numbers are approximate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Raw, Struct

from rateway.store import blob, keys
from rateway.store.view import Changes, View

from . import people
from .whereabouts import is_known


class _Emoji(Struct, gc=False):
    id: int | None = None
    name: str | None = None


class _Reaction(Struct, gc=False):
    channel_id: int
    message_id: int
    user_id: int | None = None
    guild_id: int | None = None
    member: Raw = blob.NULL
    emoji: Raw = blob.NULL
    burst: bool = False
    burst_colors: list[Any] = []


class _Vote(Struct, gc=False):
    channel_id: int
    message_id: int
    user_id: int
    answer_id: int


_reaction = blob.decoder(_Reaction)
_vote = blob.decoder(_Vote)
_emoji = blob.decoder(_Emoji)
_plain = blob.decoder(Any)
_reactions = blob.decoder(list[dict[str, Any]])


def _identity(emoji: _Emoji) -> int | str | None:
    """A custom emoji is its id, whatever name comes with it; one of Unicode is its name."""
    return emoji.name if emoji.id is None else emoji.id


def reaction_add(d: bytes, view: View) -> Changes:
    """One more reacted; who did is a member."""
    event = _reaction(d)
    out = _count(view, event, 1)
    guild = event.guild_id
    if guild is not None and blob.is_object(event.member) and is_known(view, guild):
        member = bytes(event.member)
        said = (guild, member)
        if view.notes.is_old(said):
            return out
        data = bytes(blob.user_of(member).user)
        user = blob.id_of(data).id
        if people.is_maintained(view, guild, user):
            people.merge_member(view, out, guild, user, data, blob.without_user(member, data), said)
    return out


def reaction_remove(d: bytes, view: View) -> Changes:
    """One less reacted."""
    return _count(view, _reaction(d), -1)


def reaction_remove_all(d: bytes, view: View) -> Changes:
    """All reactions of a message went."""
    return _change(view, _reaction(d), lambda reactions: [])


def reaction_remove_emoji(d: bytes, view: View) -> Changes:
    """All reactions with one emoji went."""
    event = _reaction(d)
    gone = _identity(_emoji(event.emoji))
    return _change(view, event, lambda reactions: [r for r in reactions if _identity_in(r) != gone])


def vote_add(d: bytes, view: View) -> Changes:
    """One more voted for an answer."""
    return _count_vote(d, view, 1)


def vote_remove(d: bytes, view: View) -> Changes:
    """One less voted for an answer."""
    return _count_vote(d, view, -1)


def _identity_in(reaction: dict[str, Any]) -> int | str | None:
    return _identity(_emoji(blob.encode(reaction["emoji"])))


def _count(view: View, event: _Reaction, more: int) -> Changes:
    if not view.kept.messages:
        return {}
    wanted = _identity(_emoji(event.emoji))
    mine = event.user_id is not None and event.user_id == people.self_id(view)
    detail, me = ("burst", "me_burst") if event.burst else ("normal", "me")

    def count(reactions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for reaction in reactions:
            if _identity_in(reaction) == wanted:
                break
        else:
            if more < 0:
                return reactions
            reaction = {
                "emoji": _plain(event.emoji),
                "count": 0,
                "count_details": {"burst": 0, "normal": 0},
                "burst_colors": event.burst_colors,
                "me_burst": False,
                "me": False,
            }
            reactions.append(reaction)
        reaction["count"] += more
        details = reaction.setdefault("count_details", {"burst": 0, "normal": 0})
        details[detail] = max(0, details.get(detail, 0) + more)
        if mine:
            reaction[me] = more > 0
        return [r for r in reactions if r["count"] > 0]

    return _change(view, event, count)


def _change(view: View, event: _Reaction, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Changes:
    key = keys.message(event.channel_id, event.message_id)
    old = view.get(key) if view.kept.messages else None
    if old is None:
        return {}
    fields = blob.fields(old)
    known = fields.get("reactions", blob.NULL)
    reactions = [] if known == blob.NULL else _reactions(known)
    fields["reactions"] = Raw(blob.encode(change(reactions)))
    return {key: blob.encode(fields)}


def _count_vote(d: bytes, view: View, more: int) -> Changes:
    event = _vote(d)
    key = keys.message(event.channel_id, event.message_id)
    old = view.get(key) if view.kept.messages else None
    if old is None:
        return {}
    fields = blob.fields(old)
    poll = _plain(fields.get("poll", blob.NULL))
    if not isinstance(poll, dict) or not isinstance(poll.get("results"), dict):
        return {}
    answers = poll["results"].setdefault("answer_counts", [])
    for answer in answers:
        if answer["id"] == event.answer_id:
            break
    else:
        answer = {"id": event.answer_id, "count": 0, "me_voted": False}
        answers.append(answer)
    answer["count"] = max(0, answer["count"] + more)
    if event.user_id == people.self_id(view):
        answer["me_voted"] = more > 0
    fields["poll"] = Raw(blob.encode(poll))
    return {key: blob.encode(fields)}
