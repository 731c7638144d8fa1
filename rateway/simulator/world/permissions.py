"""What a member may do in a channel (Discord's docs, "Permissions: Permission Overwrites")."""

from __future__ import annotations

from .guild import Guild

ADMINISTRATOR = 1 << 3
VIEW_CHANNEL = 1 << 10
SEND_MESSAGES = 1 << 11
CONNECT = 1 << 20
MOVE_MEMBERS = 1 << 24

EVERYTHING = (1 << 64) - 1


def permissions_of(guild: Guild, user: int, channel: int | None = None) -> int:
    """The bits of a member, in the guild or in one of its channels; 0 for one who isn't there."""
    member = guild.members.get(user)
    if member is None:
        return 0
    if guild.fields["owner_id"] == str(user):
        return EVERYTHING
    held = {guild.id, *map(int, member["roles"])}
    bits = 0
    for role in held:
        bits |= int(guild.roles[role]["permissions"])
    if bits & ADMINISTRATOR:
        return EVERYTHING
    if channel is None:
        return bits
    everyone, allow, deny, own = (0, 0), 0, 0, (0, 0)
    for overwrite in guild.channels[channel]["permission_overwrites"]:
        id, allowed, denied = int(overwrite["id"]), int(overwrite["allow"]), int(overwrite["deny"])
        if overwrite["type"] == 1:
            own = (allowed, denied) if id == user else own
        elif id == guild.id:
            everyone = (allowed, denied)
        elif id in held:
            allow, deny = allow | allowed, deny | denied
    for allowed, denied in (everyone, (allow, deny), own):
        bits = bits & ~denied | allowed
    return bits if bits & VIEW_CHANNEL else 0


def may_enter(guild: Guild, user: int, channel: int) -> bool:
    """Whether a member may join a voice channel or a stage: it is one, in sight, open to the member, and not full."""
    found = guild.channels.get(channel)
    if found is None or found["type"] not in (2, 13):
        return False
    bits = permissions_of(guild, user, channel)
    if not bits & CONNECT:
        return False
    there = [id for id, state in guild.voice_states.items() if state["channel_id"] == str(channel)]
    full = bool(found["user_limit"]) and len(there) >= found["user_limit"]
    return user in there or not full or bool(bits & MOVE_MEMBERS)
