"""Every setting, once: its two names, the field it fills, and how it is read.

``docs/operations.md`` explains them to operators; the defaults are those of :class:`rateway.config.Config`.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from . import values
from .model.kinds import KINDS
from .presence import presence

MOST_SHARDS = 100_000
MOST_PER_CLUSTER = 10_000

_COMMAND_TTL = values.duration(0.1, 86_400, too_short="every command would be refused")


@frozen
class Setting:
    """One setting.

    :ivar variable: its name in the environment.
    :ivar key: its place in the file, tables joined by dots.
    :ivar field: of Config.
    :ivar read: see ``values``.
    :ivar example: for the line that asks for it, where it is required; else empty.
    """

    variable: str
    key: str
    field: str
    read: Callable[[object], object]
    example: str = ""


SETTINGS = (
    Setting("DISCORD_TOKEN", "token", "token", values.token, "the token of the bot's page in the developer portal"),
    Setting("INTENTS", "intents", "intents", values.intents, "a number, or names like GUILDS,GUILD_MESSAGES"),
    Setting("AMQP_URI", "amqp", "amqp_uri", values.broker_uri, "one like amqp://user:password@host:5672/vhost"),
    Setting("SHARDS_PER_CLUSTER", "shards.per_cluster", "shards_per_cluster", values.whole(1, MOST_PER_CLUSTER)),
    Setting("EXTRA_SHARDS", "shards.extra", "extra_shards", values.whole(0, 10_000)),
    Setting("TOTAL_SHARDS", "shards.total", "total_shards", values.whole(1, MOST_SHARDS)),
    Setting("SHARDS_MULTIPLE", "shards.multiple", "shards_multiple", values.whole(1, 10_000)),
    Setting("CACHE_ENABLED", "cache_enabled", "cache_enabled", values.flag),
    Setting("MESSAGE_CACHE_SIZE", "message_cache_size", "message_cache_size", values.whole(0, 100_000)),
    Setting("CACHE_ENTITIES", "cache_entities", "cache_entities", values.some_of(KINDS)),
    Setting("PROCESSES", "processes", "processes", values.whole(1, 1024)),
    Setting("STATE_DIR", "state_dir", "state_dir", values.folder),
    Setting("DISCORD_API_URL", "api_url", "api_url", values.web_url),
    Setting("COMPRESSION", "compression", "compression", values.choice("zlib-stream", "zstd-stream", "none")),
    Setting("AMQP_PERSISTENT", "amqp_persistent", "amqp_persistent", values.flag),
    Setting("AMQP_CA", "amqp_ca", "amqp_ca", values.authorities_file),
    Setting("SPOOL_LIMIT", "spool_limit", "spool_limit", values.size(1024**2, 1024**4)),
    Setting("EVENT_TTL", "event_ttl", "event_ttl", values.times_to_live),
    Setting("COMMAND_TTL", "command_ttl", "command_ttl", _COMMAND_TTL),
    Setting("LOG_FORMAT", "log_format", "log_format", values.choice("text", "json")),
    Setting("PRESENCE", "presence", "presence", presence),
)
"""In the order in which wrong values are reported."""


def nearest_key(key: str) -> str:
    """The key that was probably meant by one that is none: also found by its last part, or by its variable's name."""
    spellings = {name: s.key for s in SETTINGS for name in (s.variable.lower(), s.key.rpartition(".")[2], s.key)}
    return spellings[values.nearest(key.lower(), spellings)]
