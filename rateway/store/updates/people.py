"""Users, members, and the reasons to know a user.

A user is known for each guild they are a member of, for each private channel, and, the bot itself, for being the
bot. The reasons are rows, so that repeating one changes nothing; with the last of them the user goes.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Raw

from rateway.store import blob, keys
from rateway.store.notes import Said
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


def put_user(view: View, out: Changes, user: int, data: bytes) -> bool:
    """The user as last seen; the time of the last change goes along, to tell the newest of several copies.

    :returns: whether they are as they were.
    """
    key = keys.user(user)
    said = (key, data)
    if view.notes.is_old(said):
        return True
    old = view.get(key)
    if old is None or old[8:] != data:
        out[key] = keys.number(view.now_ms) + data
        return False
    view.notes.note(said, key)
    return True


def update_user(view: View, out: Changes, user: int, data: bytes) -> None:
    """The same, but only of a user already known."""
    if view.has(keys.user(user)):
        put_user(view, out, user, data)


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


def put_whole_member(view: View, out: Changes, guild: int, member: bytes | Raw) -> None:
    """A member as Discord sends it, with the ``user`` inside."""
    user = blob.user_of(member).user
    data = bytes(user)
    put_member(view, out, guild, blob.id_of(user).id, data, blob.without_user(bytes(member), data))


def put_again(view: View, out: Changes, guild: int, member: bytes) -> None:
    """The same, of one who is mostly known, and as they were."""
    said = (guild, b"anew", member)
    if not view.kept.people or view.notes.is_old(said):
        return
    data = bytes(blob.user_of(member).user)
    user = blob.id_of(data).id
    own = blob.without_user(member, data) if view.kept.members else b""
    key = keys.member(guild, user)
    is_same = put_user(view, out, user, data)
    if key in out or view.get(key) != own:
        out[key] = own
        out[keys.reference(user, guild)] = b""
    elif is_same:
        view.notes.note(said, keys.user(user), key)


def merge_member(
    view: View, out: Changes, guild: int, user: int, data: bytes, member: bytes, said: Said | None = None
) -> None:
    """What an event says of a member in passing, over what is known; a member not known yet is one now.

    :param data: the user.
    :param member: the member; what isn't the member's own in it is dropped. It is taken apart only if it isn't, to the
        letter, what is known: mostly it is.
    :param said: what is to be noted if it changes nothing: who looks there first need not come here.
    """
    if not view.kept.people:
        return
    is_same = put_user(view, out, user, data)
    key = keys.member(guild, user)
    old = view.get(key)
    if old is None:
        out[keys.reference(user, guild)] = b""
        out[key] = blob.encode(_own_fields(member)) if view.kept.members else b""
        return
    if view.kept.members and old != member:
        known = blob.fields(old)
        merged = known | _own_fields(member)
        if merged != known:
            out[key] = blob.encode(merged)
            return
    if is_same and said is not None:
        view.notes.note(said, keys.user(user), key)


def _own_fields(member: bytes) -> blob.Fields:
    fields = blob.fields(member)
    fields.pop("user", None)
    fields.pop("guild_id", None)
    return fields


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
