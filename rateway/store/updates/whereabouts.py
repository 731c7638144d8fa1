"""Which guild something belongs to, and whether that guild is known."""

from __future__ import annotations

from rateway.store import keys
from rateway.store.keys import CHANNELS, THREADS
from rateway.store.view import Changes, View


def is_known(view: View, guild: int) -> bool:
    """Whether the guild is one of the bot's: nothing is kept of others."""
    known = view.notes.known_guilds
    if guild in known:
        return True
    if not view.has(keys.guild_state(guild)):
        return False
    known.add(guild)
    return True


def guild_of(view: View, channel: int, given: int | None) -> int | None:
    """The guild of a channel or thread: as the event says, or else as is known of the channel."""
    if given is not None:
        return given
    pointer = view.get(CHANNELS.pointer(channel)) or view.get(THREADS.pointer(channel))
    return None if pointer is None else keys.to_id(pointer)


def ensure_known(view: View, out: Changes, guild: int) -> bool:
    """Whether the guild is known; without the GUILDS intent no event announces one, and it is known by being seen."""
    if is_known(view, guild):
        return True
    if view.kept.guild_events:
        return False
    out[keys.guild_state(guild)] = b"{}"
    return True
