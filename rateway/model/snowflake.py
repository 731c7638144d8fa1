"""Discord's ids: unsigned 64-bit numbers, strings in JSON (Discord's docs, "Snowflakes")."""

from __future__ import annotations

from base64 import urlsafe_b64decode

DISCORD_EPOCH_MS = 1_420_070_400_000
_LIMIT = 1 << 64


def parse_id(value: object) -> int:
    """An id as bots and Discord write it: a JSON integer, or a string of digits.

    :raises ValueError: for anything else, also booleans, floats, and numbers outside 64 bits.
    """
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _LIMIT:
        raise ValueError("an id is an integer, or a string of digits, below 2**64")
    return value


def bot_of(token: str) -> int:
    """The id of the bot whose token it is: a token begins with it, in base64, up to the first dot. 0 if it doesn't."""
    head, dot, _ = token.partition(".")
    try:
        return parse_id(urlsafe_b64decode(head + "=" * (-len(head) % 4)).decode()) if dot else 0
    except ValueError:
        return 0


def created_ms(snowflake: int) -> int:
    """When the thing with this id was made, in milliseconds since 1970."""
    return (snowflake >> 22) + DISCORD_EPOCH_MS


def shard_of(guild_id: int, total: int) -> int:
    """The shard that owns the guild (Discord's docs, "Sharding": the sharding formula)."""
    return (guild_id >> 22) % total
