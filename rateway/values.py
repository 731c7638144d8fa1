"""How a setting's value is read, from text as the environment has it or from a value of a TOML file.

Each function here makes a *reader*: it takes what was given and returns the value, or raises :exc:`ValueError` with
the rest of a sentence that begins with the setting's name, the remedy included. What was given is repeated only
where it can't be a secret put into the wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from .model.intents import parse_intents
from .tls import read_authorities

T = TypeVar("T")

_YES = frozenset({"true", "yes", "on", "1"})
_NO = frozenset({"false", "no", "off", "0"})
_SECONDS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}
_BYTES = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


LONGEST_TEXT = 4096
"""Bytes of a text as UTF-8: as long as a path may be, and the whole configuration fits into one AMP value."""


def shown(given: object) -> str:
    """What was given, for a message: shortened, and left out where it looks like more than a slip of the pen."""
    text = repr(given)
    return text if len(text) <= 26 and "@" not in text else "what is given"


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word most like this one."""
    return get_close_matches(word, sorted(known), 1, 0.0)[0]


def text(given: object) -> str:
    """Text on one line, without blanks around it."""
    if not isinstance(given, str):
        raise ValueError("it must be text: put it in quotes")
    given = given.strip()
    try:
        size = len(given.encode())
    except UnicodeEncodeError:
        raise ValueError("it is not valid UTF-8") from None
    if any(ord(character) < 32 or ord(character) == 127 for character in given):
        raise ValueError("it has a line break or another control character in it: give it on one line")
    if size > LONGEST_TEXT:
        raise ValueError(f"it is longer than {LONGEST_TEXT} bytes")
    return given


def whole(low: int, high: int) -> Callable[[object], int]:
    """A whole number within bounds."""

    def read(given: object) -> int:
        if isinstance(given, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", given):
            given = int(given)
        if isinstance(given, bool) or not isinstance(given, int):
            raise ValueError(f"{shown(given)} is no whole number: give one from {low} to {high}")
        if not low <= given <= high:
            raise ValueError(f"{shown(given)} is out of bounds: give a whole number from {low} to {high}")
        return given

    return read


def flag(given: object) -> bool:
    """Yes or no."""
    if isinstance(given, bool):
        return given
    word = given.strip().lower() if isinstance(given, str) else None
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise ValueError(f"{shown(given)} is neither true nor false")


def choice(*words: str) -> Callable[[object], str]:
    """One of a few words."""

    def read(given: object) -> str:
        word = given.strip().lower() if isinstance(given, str) else None
        if word in words:
            return word
        raise ValueError(f"{shown(given)} is none of {', '.join(words)}")

    return read


def duration(low: float, high: float, too_short: str = "") -> Callable[[object], float]:
    """A time in seconds: ``30``, ``30s``, ``500ms``, ``2m``, ``1h``.

    :param too_short: what a time below ``low`` would do, where that isn't plain.
    """

    def read(given: object) -> float:
        if isinstance(given, str):
            match = re.fullmatch(r"\s*([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*(ms|s|m|h|)\s*", given, re.IGNORECASE)
            seconds = float(match[1]) * _SECONDS[match[2].lower()] if match else None
        else:
            seconds = float(given) if isinstance(given, int | float) and not isinstance(given, bool) else None
        if seconds is None:
            raise ValueError(f"{shown(given)} is no duration: give one like 30s, 500ms or 2m")
        if not low <= seconds <= high:
            why = f" ({too_short})" if too_short and seconds < low else ""
            raise ValueError(f"{shown(given)} is out of bounds{why}: give from {low:g}s to {high:g}s")
        return seconds

    return read


def size(low: int, high: int) -> Callable[[object], int]:
    """A number of bytes: ``1GiB``, ``512M``, ``100000000``. Units are powers of 1024, however they are spelled."""

    def read(given: object) -> int:
        if isinstance(given, str):
            match = re.fullmatch(r"\s*([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*([kmgt]?)(?:i?b)?\s*", given, re.IGNORECASE)
            count = int(float(match[1]) * 1024 ** _BYTES[match[2].lower()]) if match else None
        else:
            count = given if isinstance(given, int) and not isinstance(given, bool) else None
        if count is None:
            raise ValueError(f"{shown(given)} is no size: give one like 1GiB, 512MiB or a number of bytes")
        if not low <= count <= high:
            raise ValueError(f"{shown(given)} is out of bounds: give from {_in_units(low)} to {_in_units(high)}")
        return count

    return read


def _in_units(count: int) -> str:
    power = max(power for power in _BYTES.values() if count % 1024**power == 0 and count >= 1024**power)
    return f"{count // 1024**power}{('bytes', 'KiB', 'MiB', 'GiB', 'TiB')[power]}"


MOST_NAMES = 100
"""Event names with a time to live."""


def times_to_live(given: object) -> dict[str, int]:
    """Event names with how long each is worth something, in ms: ``INTERACTION_CREATE=3s,…``, or a table."""
    hint = "give names and times like INTERACTION_CREATE=3s,TYPING_START=10s"
    if isinstance(given, str):
        pairs = [part.partition("=") for part in given.split(",") if part.strip()]
        if any(not separator for _, separator, _ in pairs):
            raise ValueError(f"it has a name without a time; {hint}")
        named = [name.strip().upper() for name, _, _ in pairs]
        if twice := [name for name in named if named.count(name) > 1]:
            raise ValueError(f"{shown(twice[0])} is named twice; {hint}")
        given = {name: time for name, _, time in pairs}
    if not isinstance(given, dict):
        raise ValueError(f"it must be names with times; {hint}")
    if len(given) > MOST_NAMES:
        raise ValueError(f"it has {len(given)} names, more than {MOST_NAMES}; {hint}")
    read = duration(0.001, 86_400)
    found: dict[str, int] = {}
    for raw, time in given.items():
        name = str(raw).strip().upper()
        if not re.fullmatch(r"[A-Z0-9_]{1,100}", name):
            raise ValueError(f"{shown(raw)} is no event's name; {hint}")
        try:
            found[name] = round(read(time) * 1000)
        except ValueError as error:
            raise ValueError(f"of {name}, {error}") from None
    return found


def token(given: object) -> str:
    """A bot's token, bare: Discord's ``Bot`` prefix may have been copied along with it."""
    bare = re.sub(r"^bot(\s+|$)", "", text(given), flags=re.IGNORECASE)
    if not bare:
        raise ValueError("it is empty: give the token of the bot's page in the developer portal")
    if not bare.isascii() or not bare.isprintable() or " " in bare or len(bare) > 512:
        raise ValueError("it can't be a token (blanks, or characters no token has): copy it anew, without quotes")
    return bare


def intents(given: object) -> int:
    """Discord's intents as a bit mask."""
    if isinstance(given, list) and all(isinstance(name, str) for name in given):
        given = ",".join(given)
    if isinstance(given, bool) or not isinstance(given, int | str):
        raise ValueError("it must be a number, or names joined by commas (GUILDS,GUILD_MESSAGES)")
    return parse_intents(str(given))


def some_of(known: frozenset[str]) -> Callable[[object], frozenset[str] | None]:
    """Some of the known words, joined by commas or in a list, large or small letters; ``all`` is ``None``."""
    spellings = {word.lower(): word for word in known}

    def read(given: object) -> frozenset[str] | None:
        parts = given.split(",") if isinstance(given, str) else given
        if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
            raise ValueError("it must be names joined by commas, or all")
        words = {word.lower(): word for part in parts if (word := part.strip())}
        if words.keys() == {"all"}:
            return None
        for word in sorted(words.keys() - spellings.keys()):
            meant = spellings[nearest(word, spellings)]
            raise ValueError(f"{shown(words[word])} is none of {', '.join(sorted(known))} (the nearest is {meant})")
        return frozenset(spellings[word] for word in words)

    return read


def broker_uri(given: object) -> str:
    """An AMQP URI, looked at from afar: nothing of it is repeated, for it holds a password."""
    uri = text(given)
    scheme, separator, rest = uri.partition("://")
    form = "it looks like amqp://user:password@host:5672/vhost, or amqps://…"
    if not separator or scheme.lower() not in ("amqp", "amqps"):
        raise ValueError(f"it must begin with amqp:// or amqps://; {form}")
    if any(character.isspace() for character in rest):
        raise ValueError(f"it has a blank in it (in a password, write %20); {form}")
    if "#" in rest:
        raise ValueError(f"it has a # in it (in a password, write %23); {form}")
    host = re.split(r"[/?]", rest, maxsplit=1)[0].rpartition("@")[2]
    port = re.fullmatch(r"(?:\[[0-9A-Fa-f:.%]+\]|[^\[\]:]*)(?::([0-9]{0,5}))?", host)
    if port is None or (port[1] and not 0 < int(port[1]) < 65536):
        raise ValueError(f"its host or port can't be read (in a password, write / as %2F and ? as %3F); {form}")
    return uri


def web_url(given: object) -> str:
    """The base of Discord's REST API, without a slash at its end."""
    url = text(given)
    hint = "give one like https://discord.com/api/v10"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"it is no URL; {hint}") from None
    if parts.scheme not in ("http", "https") or not host or " " in url:
        raise ValueError(f"it must begin with https:// (or http://) and name a host; {hint}")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError(f"it must have no user, ? or # in it; {hint}")
    return url.rstrip("/")


def path(given: object) -> Path:
    """A path, made absolute at once: children may run in another folder."""
    name = text(given)
    try:
        found = Path(name).expanduser() if name.startswith("~") else Path(name)
    except RuntimeError:
        raise ValueError("its ~ stands for no user's folder: write the path in full") from None
    return found.absolute()


def folder(given: object) -> Path:
    """A folder that is there, or can be made."""
    found = path(given)
    try:
        if found.exists() and not found.is_dir():
            raise ValueError(f"{found} is a file: give a folder")
    except OSError as error:
        raise ValueError(f"{found} can't be looked at ({error.strerror}): give a folder that rateway may use") from None
    return found


def authorities_file(given: object) -> Path:
    """A file that holds at least one certificate."""
    found = path(given)
    read_authorities(found)
    return found
