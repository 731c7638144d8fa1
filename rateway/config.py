"""The configuration: one frozen value, from the environment and a TOML file, checked whole before anything starts."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

import msgspec
from attrs import field, frozen

from .errors import ConfigError
from .model.chunking import Mode
from .settings import SETTINGS, nearest_key
from .values import shown

_TABLES = frozenset(setting.key.rpartition(".")[0] for setting in SETTINGS) - {""}


@frozen
class Config:
    """What the operator chose; all paths are absolute.

    :ivar token: bare, without a prefix.
    :ivar total_shards: ``None`` is the recommended number and ``extra_shards``.
    :ivar shards_multiple: ``None`` goes by Discord's ``max_concurrency``.
    :ivar message_cache_size: messages kept per channel.
    :ivar cache_entities: the kinds kept (``rateway.model.kinds``); ``None`` is all.
    :ivar chunk_guilds: when Discord is asked for all members of a guild (``rateway.model.chunking``).
    :ivar processes: ``None`` is one per CPU.
    :ivar api_url: without a slash at its end.
    :ivar amqp_ca: PEM file of the broker's authority; ``None`` is the system's.
    :ivar spool_limit: bytes of a cluster's events that may wait on disk.
    :ivar event_ttl: event name → ms after which an event of that name is worth nothing.
    :ivar command_ttl: seconds.
    :ivar presence: complete JSON text of op 3's ``d``, with ``{{shard}}`` left in.
    """

    token: str = field(repr=False)
    intents: int
    amqp_uri: str = field(repr=False)
    shards_per_cluster: int = 8
    extra_shards: int = 8
    total_shards: int | None = None
    shards_multiple: int | None = None
    cache_enabled: bool = True
    message_cache_size: int = 0
    cache_entities: frozenset[str] | None = None
    chunk_guilds: Mode = "off"
    processes: int | None = None
    state_dir: Path = Path("rateway-state")
    api_url: str = "https://discord.com/api/v10"
    compression: Literal["zlib-stream", "zstd-stream", "none"] = "zlib-stream"
    amqp_persistent: bool = True
    amqp_ca: Path | None = None
    spool_limit: int = 1024**3
    event_ttl: Mapping[str, int] = field(factory=dict)
    command_ttl: float = 30.0
    log_format: Literal["text", "json"] = "text"
    presence: str | None = None


def load_config(environ: Mapping[str, str], path: Path | None) -> Config:
    """The configuration that environment and file give; where both set a value, the environment's counts.

    An empty value is as good as none.

    :raises ConfigError: with a line for each thing that is wrong; secrets are never in it.
    """
    problems: list[str] = []
    chosen: dict[str, Any] = {}
    given = _in_file(path, problems) if path is not None else {}
    for setting in SETTINGS:
        raw: object = environ.get(setting.variable, "")
        where = setting.variable
        if _empty(raw):
            raw = given.get(setting.key, "")
            where = f"{setting.key} in {path}"
        if not _empty(raw):
            try:
                chosen[setting.field] = setting.read(raw)
            except ValueError as error:
                problems.append(f"{where}: {error}")
        elif setting.example:
            problems.append(
                f"{setting.variable} is missing: set it in the environment, or {setting.key} in the file, "
                f"to {setting.example}"
            )
    if problems:
        secrets = _secrets([*environ.values(), *given.values()], environ.get("DISCORD_TOKEN"), given.get("token"))
        raise ConfigError("\n".join(_without(secrets, problem) for problem in problems))
    chosen.setdefault("state_dir", Path("rateway-state").absolute())
    return Config(**chosen)


def to_wire(config: Config) -> bytes:
    """The configuration as a parent hands it to its children: JSON, secrets included."""
    return msgspec.json.encode(config, enc_hook=str, order="deterministic")


def from_wire(data: bytes) -> Config:
    """The reverse of :func:`to_wire`.

    :raises msgspec.DecodeError: if it isn't what :func:`to_wire` made.
    """
    return msgspec.json.decode(data, type=Config, dec_hook=lambda kind, value: kind(value))


def _empty(value: object) -> bool:
    return isinstance(value, str) and not value.strip()


def _in_file(path: Path, problems: list[str]) -> dict[str, object]:
    """The file's values by key; what is no setting is added to the problems.

    :raises ConfigError: if the file can't be read at all.
    """
    try:
        document = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"the configuration file {path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"the configuration file {path} is not in UTF-8: save it as such") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        # The decoder's own words may repeat what stands there; the place is enough.
        place = re.search(r"\(at (line \d+, column \d+|end of document)\)", str(error))
        raise ConfigError(f"the configuration file {path} is no TOML{' at ' + place[1] if place else ''}") from None
    known = {setting.key for setting in SETTINGS}
    values = dict(_flat(document))
    for key in values.keys() - known:
        name = key if re.fullmatch(r"[\w.-]{1,40}", key, re.ASCII) else shown(key)
        if key in _TABLES:
            problems.append(f"{name} in {path}: it must be a table, [{name}]")
        else:
            problems.append(f"{name} in {path}: there is no such setting; the nearest is {nearest_key(key)}")
    problems.sort()
    return values


def _flat(document: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """The values of the file, those in a table of settings by both names."""
    for key, value in document.items():
        if key in _TABLES and isinstance(value, dict):
            yield from ((f"{key}.{inner}", item) for inner, item in value.items())
        else:
            yield key, value


def _secrets(values: list[object], *tokens: object) -> list[str]:
    """What no message may repeat, however it got into one: the tokens, and the password of any URI."""
    found = {part for token in tokens if isinstance(token, str) for part in (token.strip(), *token.split())}
    for value in values:
        for match in re.finditer(r"://[^:/@\s]*:(\S+)@", value if isinstance(value, str) else ""):
            found |= {match[1], unquote(match[1])}
    return sorted((secret for secret in found if len(secret) > 5), key=len, reverse=True)


def _without(secrets: list[str], message: str) -> str:
    for secret in secrets:
        message = message.replace(secret, "…")
    return message
