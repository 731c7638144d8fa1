"""What MESSAGE_CONTENT unlocks (Discord's docs, "Message Content Intent")."""

from __future__ import annotations

from ..world.payloads import Json
from ..world.world import BOT_ID
from .filters import shows_content

_TEXTS = ("content", "matched_keyword", "matched_content")
_LISTS = ("embeds", "attachments", "components")


def content_hidden(intents: int, guild_id: int | None, d: Json) -> bool:
    """Whether the session must not see what the message says.

    Without MESSAGE_CONTENT: all but the bot's own messages, those that mention it, and direct ones. An update with a
    few keys only says nothing of its author, so what it says is hidden; the same goes for what a rule of the automatic
    moderation found.
    """
    if guild_id is None or shows_content(intents):
        return False
    if not any(key in d for key in ("content", *_LISTS)) or (
        "author" not in d and "rule_id" not in d and "id" not in d
    ):
        return False
    if "author" not in d:
        return True
    bot = str(BOT_ID)
    return d["author"]["id"] != bot and all(user["id"] != bot for user in d.get("mentions", ()))


def without_content(d: Json) -> Json:
    """What is left of it, also of the message that it answers."""
    bare = {key: value for key, value in d.items() if key != "poll"}
    bare |= {key: "" if d[key] is not None else None for key in _TEXTS if key in d}
    bare |= {key: [] for key in _LISTS if key in d}
    if bare.get("referenced_message"):
        bare["referenced_message"] = without_content(bare["referenced_message"])
    return bare
