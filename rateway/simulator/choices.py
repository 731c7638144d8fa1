"""The options of ``twistd -n rateway-simulator``, in groups: how each is read, and its lines in the help.

An option stands in the group it belongs to (``GROUPS``); ``commandline`` makes something of its value.
"""

from __future__ import annotations

from collections.abc import Callable
from textwrap import wrap

from attrs import frozen

from .options import SimulatorOptions
from .world.happenings.mixes import PRESETS, parse_mix

_DEFAULTS = SimulatorOptions()


def whole(text: str) -> int:
    """An integer from 0 up."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError("it must be a whole number from 0 up")
    return int(text)


def seconds(text: str) -> float:
    """A number from 0 up, also for what is per second."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ValueError("it must be a number from 0 up")
    return value


def integer(text: str) -> int:
    """Any integer."""
    try:
        return int(text)
    except ValueError:
        raise ValueError("it must be a whole number") from None


def speed(text: str) -> float:
    """A number above 0."""
    value = seconds(text)
    if not value:
        raise ValueError("it must be above 0")
    return value


def mix(text: str) -> str:
    """The traffic's mix, as text still."""
    parse_mix(text)
    return text


def one_of(*words: str) -> Callable[[str], str]:
    """One of these words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"it must be one of {', '.join(words)}")
        return text

    return read


@frozen
class Option:
    """One option.

    :ivar value: what stands for its value in the help; empty for a switch.
    :ivar read: makes the value of the text; it raises ValueError.
    """

    name: str
    help: str
    value: str = ""
    default: object = None
    read: Callable[[str], object] | None = None
    short: str | None = None

    def coerce(self, text: str) -> object:
        """:raises ValueError: naming the option."""
        try:
            return text if self.read is None else self.read(text)
        except ValueError as error:
            raise ValueError(f"--{self.name} {text}: {error}") from None

    def entry(self) -> list[str]:
        """Its lines in the help."""
        head = f"  {f'-{self.short}, ' if self.short else '    '}--{self.name}"
        head += f"={self.value}" if self.value else ""
        told = self.help if self.default in (None, "") else f"{self.help} [{self.default}]"
        lines = wrap(told, 50)
        if len(head) > 27:
            return [head, *(f"{'':29}{line}" for line in lines)]
        return [f"{head:<29}{lines[0]}", *(f"{'':29}{line}" for line in lines[1:])]


GROUPS: tuple[tuple[str, tuple[Option, ...]], ...] = (
    (
        "Where it listens, and the names of its addresses",
        (
            Option("port", "TCP port, on 127.0.0.1 only; 0 takes a free one and says which", "N", 8800, whole, "p"),
            Option(
                "endpoint",
                "a Twisted endpoint instead, as ssl:8800:privateKey=…:certKey=… (addresses are https and wss then)",
                "TEXT",
                short="e",
            ),
            Option("host", "the host name in the addresses handed out (else the address listened on)", "NAME", ""),
            Option(
                "resume-host",
                "where sessions are resumed: another address of this machine, or a name of it; empty: the same",
                "NAME",
                _DEFAULTS.resume_host,
            ),
        ),
    ),
    (
        "The bot, and what it is allowed",
        (
            Option("token", "the bot's token", "TEXT", _DEFAULTS.token, short="t"),
            Option("intents", "privileged intents enabled in the made-up portal, by name (else all)", "NAMES", ""),
            Option("shards", "how many shards GET /gateway/bot recommends", "N", _DEFAULTS.shards, whole, "s"),
            Option("max-concurrency", "how many may IDENTIFY in one window", "N", _DEFAULTS.max_concurrency, whole),
            Option("identify-window", "how long an IDENTIFY keeps its key", "SECONDS", 5.0, seconds),
            Option("session-total", "IDENTIFYs allowed a day", "N", _DEFAULTS.session_total, whole),
            Option("session-remaining", "how many of them are left (else all)", "N", None, whole),
            Option(
                "global-limit", "REST requests a second, over all routes; 0: any", "N", _DEFAULTS.global_limit, whole
            ),
            Option(
                "invalid-limit",
                "answers with 401, 403 and 429 within 10 minutes that get an address banned; 0: never",
                "N",
                _DEFAULTS.invalid_limit,
                whole,
            ),
        ),
    ),
    (
        "The world, and what happens in it",
        (
            Option("guilds", "guilds in the world", "N", _DEFAULTS.guilds, whole, "g"),
            Option("members", "members of a guild, on average", "N", _DEFAULTS.members, whole, "m"),
            Option(
                "sizes",
                "how they spread: even, equal, or heavy (most guilds are small, a few have up to --largest members)",
                "WORD",
                _DEFAULTS.sizes,
                one_of("even", "equal", "heavy"),
            ),
            Option("largest", "no guild begins with more members", "N", _DEFAULTS.largest, whole),
            Option("seed", "the same seed makes the same world", "N", _DEFAULTS.seed, integer),
            Option("rate", "events a second in the whole world", "N", _DEFAULTS.rate, seconds, "r"),
            Option(
                "mix",
                f"what they are: {', '.join(PRESETS)}, or weights of families as message=5,presence=30",
                "MIX",
                _DEFAULTS.mix,
                mix,
            ),
            Option(
                "speed",
                "seconds of the world that pass in a second: timestamps, --rate and --replay-age follow",
                "N",
                _DEFAULTS.speed,
                speed,
            ),
            Option(
                "load",
                "events a second over all sessions, packed once and sent over and over: for benchmarks",
                "N",
                _DEFAULTS.load,
                seconds,
            ),
            Option("load-sessions", "sessions that must be there before the load begins", "N", 1, whole),
            Option("load-tick", "between two handfuls of the load", "SECONDS", _DEFAULTS.load_tick, speed),
        ),
    ),
    (
        "The gateway",
        (
            Option("heartbeat-interval", "as announced by HELLO", "SECONDS", _DEFAULTS.heartbeat_interval, seconds),
            Option("replay-limit", "events a session keeps for a RESUME", "N", _DEFAULTS.replay_limit, whole),
            Option("replay-bytes", "bytes of them at most", "N", _DEFAULTS.replay_bytes, whole),
            Option("replay-age", "how long a session outlives its connection", "SECONDS", 300.0, seconds),
            Option(
                "reconnect-after",
                "who resumes at the main address gets op 7 after this (else never)",
                "SECONDS",
                None,
                seconds,
            ),
        ),
    ),
    (
        "Judging the bot",
        (
            Option("strict", "exit with 1 when a rule of Discord's was broken (else 0)"),
            Option(
                "scenario",
                "play this scenario to the bot, and exit with 0 if it did all it must, else 1: a TOML file, or the "
                "name of one that comes along; NAME:VARIANT is one variant alone; list lists them",
                "FILE|NAME",
            ),
            Option("slack", "by which a busy machine may delay the bot in a scenario", "SECONDS", 0.0, seconds),
        ),
    ),
)
