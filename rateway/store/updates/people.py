"""Users, members, and the reasons to know a user.

A user is known for each guild they are a member of, for each private channel, and, the bot itself, for being the
bot. The reasons are rows, so that repeating one changes nothing; with the last of them the user goes.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Raw

from rateway.store import blob, keys
from rateway.store.view import Changes, View

BOT = 0
"""The owner in the bot's own reference."""


def self_id(view: View) -> int | None:
    """The bot's user id, once a READY said it."""
    row = view.get(keys.SELF)
    return None if row is None else keys.to_id(row[8:16])


def is_maintained(view: View, guild: int, user: int) -> bool:
    """Whether events will tell of this member: of everybody by GUILD_MEMBERS, else of the bot and who is in voice."""
    if view.kept.everybody:
        return True
    return user == self_id(view) or view.has(keys.voice_state(guild, user))


def put_user(view: View, out: Changes, user: int, data: bytes) -> None:
    """The user as last seen; the time of the last change goes along, to tell the newest of several copies."""
    key = keys.user(user)
    if view.notes.changes_nothing(key, data):
        return
    old = view.get(key)
    if old is None or old[8:] != data:
        out[key] = keys.number(view.now_ms) + data
    else:
        view.notes.changed_nothing(key, data)


def update_user(view: View, out: Changes, user: int, data: bytes) -> None:
    """The same, but only of a user already known."""
    key = keys.user(user)
    if view.notes.changes_nothing(key, data):
        return
    old = view.get(key)
    if old is None:
        return
    if old[8:] != data:
        out[key] = keys.number(view.now_ms) + data
    else:
        view.notes.changed_nothing(key, data)


def put_member(view: View, out: Changes, guild: int, user: int, data: bytes, member: bytes) -> None:
    """A member, anew, with their user.

    :param data: the user.
    :param member: the member without the user.
    """
    if not view.kept.people:
        return
    out[keys.member(guild, user)] = member if view.kept.members else b""
    out[keys.reference(user, guild)] = b""
    put_user(view, out, user, data)


def put_whole_member(view: View, out: Changes, guild: int, member: bytes | Raw) -> int:
    """A member as Discord sends it, with the ``user`` inside; gives the user's id."""
    user = blob.user_of(member).user
    user_id = blob.id_of(user).id
    put_member(view, out, guild, user_id, bytes(user), blob.without_user(bytes(member), bytes(user)))
    return user_id


def merge_member(view: View, out: Changes, guild: int, user: int, data: bytes, member: bytes) -> None:
    """What an event says of a member in passing, over what is known; a member not known yet is one now.

    :param data: the user.
    :param member: the member; what isn't the member's own in it is dropped. It is taken apart only if it isn't, to the
        letter, what is known: mostly it is.
    """
    if not view.kept.people:
        return
    put_user(view, out, user, data)
    key = keys.member(guild, user)
    if view.notes.changes_nothing(key, member):
        return
    old = view.get(key)
    if old is None:
        out[keys.reference(user, guild)] = b""
    if not view.kept.members:
        if old is None:
            out[key] = b""
        else:
            view.notes.changed_nothing(key, member)
        return
    if old == member:
        view.notes.changed_nothing(key, member)
        return
    new = blob.fields(member)
    new.pop("user", None)
    new.pop("guild_id", None)
    if old is None:
        out[key] = blob.encode(new)
        return
    known = blob.fields(old)
    merged = known | new
    if merged != known:
        out[key] = blob.encode(merged)
    else:
        view.notes.changed_nothing(key, member)


def forget_members(view: View, out: Changes, guilds: Collection[int], guild: int, user: int) -> None:
    """End a membership; the user goes with the last reason to know them.

    :param guilds: all guilds whose memberships end with this event, the guild among them.
    """
    out[keys.member(guild, user)] = None
    forget_reference(view, out, user, guild, guilds)


def forget_reference(view: View, out: Changes, user: int, owner: int, owners: Collection[int]) -> None:
    """End one reason to know the user, and the user with it unless there is one outside of ``owners``."""
    out[keys.reference(user, owner)] = None
    for key in view.keys(keys.references(user)):
        if keys.last_id(key) not in owners:
            return
    out[keys.user(user)] = None
