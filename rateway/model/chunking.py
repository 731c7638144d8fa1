"""CHUNK_GUILDS: whether rateway asks Discord for all members of guilds, and what it needs for that."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, TypeAlias

from .intents import Intent

Mode: TypeAlias = Literal["off", "lazy", "startup"]
"""Never; when a bot asks about members who aren't known; of each guild as it comes."""


def why_not(mode: Mode, intents: int, cache_enabled: bool, kinds: Collection[str] | None) -> str:
    """Why members are not asked for, though CHUNK_GUILDS says so: a sentence with the remedy; empty if they are.

    :param kinds: that the cache is to keep; ``None`` for all.
    """
    useful = {"lazy": ("Member",), "startup": ("Member", "User")}.get(mode, ())
    if not useful:
        return ""
    if not cache_enabled:
        return _sentence(mode, "CACHE_ENABLED is false, so that nobody would keep them: set it to true")
    if kinds is not None and not any(kind in kinds for kind in useful):
        return _sentence(mode, f"CACHE_ENTITIES leaves out {' and '.join(useful)}: add {' or '.join(useful)} to it")
    if not intents & Intent.GUILD_MEMBERS:
        return _sentence(mode, "INTENTS leaves out GUILD_MEMBERS, without which Discord sends no member lists: add it")
    return ""


def _sentence(mode: Mode, reason: str) -> str:
    return f"CHUNK_GUILDS is {mode}, but Discord is asked for no members, for {reason}, or set CHUNK_GUILDS to off"
