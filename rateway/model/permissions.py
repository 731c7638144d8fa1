"""What a member may do (Discord's docs, "Permissions": the order of overwrites, what is implied, threads, time-out)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import IntFlag
from functools import reduce
from operator import or_

from attrs import frozen


class Permission(IntFlag):
    """The documented permissions; bit 47 is none."""

    CREATE_INSTANT_INVITE = 1 << 0
    KICK_MEMBERS = 1 << 1
    BAN_MEMBERS = 1 << 2
    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_AUDIT_LOG = 1 << 7
    PRIORITY_SPEAKER = 1 << 8
    STREAM = 1 << 9
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    SEND_TTS_MESSAGES = 1 << 12
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    USE_EXTERNAL_EMOJIS = 1 << 18
    VIEW_GUILD_INSIGHTS = 1 << 19
    CONNECT = 1 << 20
    SPEAK = 1 << 21
    MUTE_MEMBERS = 1 << 22
    DEAFEN_MEMBERS = 1 << 23
    MOVE_MEMBERS = 1 << 24
    USE_VAD = 1 << 25
    CHANGE_NICKNAME = 1 << 26
    MANAGE_NICKNAMES = 1 << 27
    MANAGE_ROLES = 1 << 28
    MANAGE_WEBHOOKS = 1 << 29
    MANAGE_GUILD_EXPRESSIONS = 1 << 30
    USE_APPLICATION_COMMANDS = 1 << 31
    REQUEST_TO_SPEAK = 1 << 32
    MANAGE_EVENTS = 1 << 33
    MANAGE_THREADS = 1 << 34
    CREATE_PUBLIC_THREADS = 1 << 35
    CREATE_PRIVATE_THREADS = 1 << 36
    USE_EXTERNAL_STICKERS = 1 << 37
    SEND_MESSAGES_IN_THREADS = 1 << 38
    USE_EMBEDDED_ACTIVITIES = 1 << 39
    MODERATE_MEMBERS = 1 << 40
    VIEW_CREATOR_MONETIZATION_ANALYTICS = 1 << 41
    USE_SOUNDBOARD = 1 << 42
    CREATE_GUILD_EXPRESSIONS = 1 << 43
    CREATE_EVENTS = 1 << 44
    USE_EXTERNAL_SOUNDS = 1 << 45
    SEND_VOICE_MESSAGES = 1 << 46
    SET_VOICE_CHANNEL_STATUS = 1 << 48
    SEND_POLLS = 1 << 49
    USE_EXTERNAL_APPS = 1 << 50
    PIN_MESSAGES = 1 << 51
    BYPASS_SLOWMODE = 1 << 52


ALL = reduce(or_, map(int, Permission))
"""What an owner or administrator has."""

_ADMINISTRATOR = int(Permission.ADMINISTRATOR)
_VIEW_CHANNEL = int(Permission.VIEW_CHANNEL)
_SEND_MESSAGES = int(Permission.SEND_MESSAGES)
_SEND_IN_THREADS = int(Permission.SEND_MESSAGES_IN_THREADS)
_CONNECT = int(Permission.CONNECT)

IN_TIME_OUT = int(Permission.VIEW_CHANNEL | Permission.READ_MESSAGE_HISTORY)
"""All that is left to a member in time-out."""

WITH_SENDING = int(
    Permission.MENTION_EVERYONE | Permission.SEND_TTS_MESSAGES | Permission.ATTACH_FILES | Permission.EMBED_LINKS
)
"""What nobody can do who may not send messages."""

WITH_CONNECTING = int(
    Permission.MANAGE_CHANNELS
    | Permission.PRIORITY_SPEAKER
    | Permission.STREAM
    | Permission.SPEAK
    | Permission.MUTE_MEMBERS
    | Permission.DEAFEN_MEMBERS
    | Permission.MOVE_MEMBERS
    | Permission.USE_VAD
    | Permission.REQUEST_TO_SPEAK
    | Permission.USE_EMBEDDED_ACTIVITIES
    | Permission.USE_SOUNDBOARD
    | Permission.USE_EXTERNAL_SOUNDS
    | Permission.SET_VOICE_CHANNEL_STATUS
)
"""What goes with CONNECT in a voice channel: MANAGE_CHANNELS, which the docs name, and what there is to do inside."""

_VOICE_TYPES = (2, 13)


@frozen
class Overwrite:
    """A channel's exception for a role (``@everyone`` is the one with the guild's id) or for a member."""

    id: int
    for_member: bool
    allow: int
    deny: int


@frozen
class Place:
    """A channel, or a thread by its parent.

    :ivar type: the channel's; a thread has its parent's.
    """

    overwrites: Collection[Overwrite]
    type: int = 0
    is_thread: bool = False


@frozen
class Holder:
    """A member, as far as permissions go.

    :ivar roles: those that are the member's, without ``@everyone``.
    :ivar timed_out: whether ``communication_disabled_until`` lies ahead.
    """

    user: int
    roles: frozenset[int]
    is_owner: bool = False
    timed_out: bool = False


def permissions(holder: Holder, guild: int, granted: Iterable[int], place: Place | None = None) -> int:
    """The bits of what the member may do in the place; without one, what the roles give in the guild.

    :param granted: the bits of ``@everyone`` and of each of the member's roles.
    """
    bits = reduce(or_, granted, 0)
    if holder.is_owner or bits & _ADMINISTRATOR:
        return ALL
    if place is not None:
        bits = _implied(_overwritten(bits, holder, guild, place.overwrites), place)
    return bits & IN_TIME_OUT if holder.timed_out else bits


def _overwritten(bits: int, holder: Holder, guild: int, overwrites: Iterable[Overwrite]) -> int:
    """``@everyone`` first, then all roles together, then the member; each denies before it allows."""
    everyone = roles = member = (0, 0)
    for each in overwrites:
        if each.for_member:
            if each.id == holder.user:
                member = (each.deny, each.allow)
        elif each.id == guild:
            everyone = (each.deny, each.allow)
        elif each.id in holder.roles:
            roles = (roles[0] | each.deny, roles[1] | each.allow)
    for deny, allow in (everyone, roles, member):
        bits = bits & ~deny | allow
    return bits


def _implied(bits: int, place: Place) -> int:
    """Less what can't be done for want of something else."""
    if not bits & _VIEW_CHANNEL:
        return 0
    sending = _SEND_MESSAGES
    if place.is_thread:
        sending, bits = _SEND_IN_THREADS, bits & ~_SEND_MESSAGES
    if not bits & sending:
        bits &= ~WITH_SENDING
    if place.type in _VOICE_TYPES and not bits & _CONNECT:
        bits &= ~WITH_CONNECTING
    return bits
