"""PURE: how many of a channel's messages count, where more are stored than are to be kept.

After MESSAGE_CACHE_SIZE was lowered a store still has what it had: to go through all channels at the next start could
take long. A channel's next message lets go of what is too much there; until then the newest alone are answered.
"""

from __future__ import annotations

from itertools import islice

from msgspec import Struct

from . import blob, keys
from .view import Reader


class _Owned(Struct, gc=False):
    guild_id: int | None = None


_owned = blob.decoder(_Owned)


def oldest(reader: Reader, guild: int | None, channel: int) -> int:
    """The id of the oldest message that counts; 0 if all of them do.

    It goes through the keys of those that don't.

    :param guild: that has the channel, if it is known.
    """
    most = reader.get(keys.MESSAGES_PER_CHANNEL)
    if most is None:
        return 0
    surplus = _count(reader, guild, channel) - keys.to_id(most)
    if surplus <= 0:
        return 0
    first = next(islice(reader.keys(keys.messages(channel)), surplus, None), None)
    return 0 if first is None else keys.last_id(first)


def _count(reader: Reader, guild: int | None, channel: int) -> int:
    """How many messages the channel has. Of one that isn't known they know the guild."""
    if guild is None:
        guild = owner(reader, channel)
    return int.from_bytes(reader.get(keys.message_count(guild or 0, channel)) or b"", "big")


def owner(reader: Reader, channel: int) -> int | None:
    """The guild that a channel's messages say they are of, if there are any and they are a guild's."""
    _, row = next(reader.items(keys.messages(channel)), (b"", b"{}"))
    return _owned(row).guild_id
