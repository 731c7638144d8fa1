"""The command line of ``twistd -n rateway-simulator``: options in groups, and the help that teaches them.

An option stands in the group it belongs to (``GROUPS``), and is read in ``Options._choose``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from textwrap import wrap

from attrs import frozen
from twisted.internet.endpoints import serverFromString
from twisted.python import usage

from rateway.model.intents import parse_intents

from .options import SimulatorOptions
from .scenario.format import Scenario
from .scenario.reading import ScenarioError, listing, load
from .teaching import EXAMPLES, POINTING
from .world.happenings.mixes import PRESETS, parse_mix

_JOURNAL_LIMIT = 10_000
_DEFAULTS = SimulatorOptions()


def whole(text: str) -> int:
    """An integer from 0 up."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError("it must be a whole number from 0 up")
    return int(text)


def seconds(text: str) -> float:
    """A number from 0 up, also for what is per second."""
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError("it must be a number from 0 up")
    return value


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
            Option("seed", "the same seed makes the same world", "N", _DEFAULTS.seed, int),
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
        ),
    ),
    (
        "The gateway",
        (
            Option("heartbeat-interval", "as announced by HELLO", "SECONDS", _DEFAULTS.heartbeat_interval, seconds),
            Option("replay-limit", "events a session keeps for a RESUME", "N", _DEFAULTS.replay_limit, whole),
            Option("replay-age", "how long a session outlives its connection", "SECONDS", 300.0, seconds),
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


class Options(usage.Options):
    """The command line.

    :ivar chosen: what was chosen about the simulator, once the options are parsed; ``scenario`` is the one to play.
    """

    synopsis = "[options]"
    longdesc = "A Discord that runs on your machine, for trying a bot or a gateway without a token that could be lost."
    chosen: SimulatorOptions
    scenario: Scenario | None = None

    optParameters = [
        [option.name, option.short, option.default, option.help, option.coerce]
        for _, options in GROUPS
        for option in options
        if option.value
    ]
    optFlags = [
        [option.name, option.short, option.help] for _, options in GROUPS for option in options if not option.value
    ]

    def getUsage(self, width: int | None = None) -> str:
        """The options by groups, then how to use them."""
        lines = wrap(self.longdesc, 79)
        for heading, options in GROUPS:
            lines += ["", f"{heading}:", *(line for option in options for line in option.entry())]
        return "\n".join([*lines, "", POINTING, EXAMPLES])

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Read the words. Below twistd a mistake ends the start with one sentence: twistd would print all its usage."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            if self.parent is None:
                raise
            sentence = str(error).removeprefix("Parameter type enforcement failed: ").rstrip(".")
            print(f"rateway-simulator: {sentence}; --help lists the options", file=sys.stderr)
            raise SystemExit(1) from None

    def postOptions(self) -> None:
        """Turn the words into options; what can't be used is said in one line."""
        try:
            self.chosen = self._choose()
        except ValueError as error:
            raise usage.UsageError(str(error)) from None
        if self.chosen.shards < 1 or self.chosen.max_concurrency < 1:
            raise usage.UsageError("--shards and --max-concurrency must be at least 1")
        self._check_endpoint()
        self._read_scenario()

    def _read_scenario(self) -> None:
        name = self["scenario"]
        if name == "list":
            print(listing())
            raise SystemExit(0)
        try:
            self.scenario = load(name) if name else None
        except ScenarioError as error:
            raise usage.UsageError(f"--scenario: {error}") from None

    def _check_endpoint(self) -> None:
        from twisted.internet import reactor

        if self["port"] > 65535:
            raise usage.UsageError(f"--port {self['port']}: a port is a number up to 65535; 0 takes a free one")
        try:
            serverFromString(reactor, self.listen_at())
        except Exception as error:
            # Each kind of endpoint has exceptions of its own (a TLS one reads its files here).
            raise usage.UsageError(
                f"--endpoint {self['endpoint']}: {error}; write it as tcp:8800:interface=127.0.0.1, or see "
                '"Twisted server endpoint strings"'
            ) from None

    def _choose(self) -> SimulatorOptions:
        total, remaining = self["session-total"], self["session-remaining"]
        return SimulatorOptions(
            shards=self["shards"],
            max_concurrency=self["max-concurrency"],
            guilds=self["guilds"],
            members=self["members"],
            sizes=self["sizes"],
            largest=self["largest"],
            rate=self["rate"],
            mix=self["mix"],
            speed=self["speed"],
            load=self["load"],
            load_sessions=self["load-sessions"],
            seed=self["seed"],
            token=self["token"],
            allowed_intents=parse_intents(self["intents"]) if self["intents"] else _DEFAULTS.allowed_intents,
            session_total=total,
            session_remaining=total if remaining is None else remaining,
            global_limit=self["global-limit"],
            invalid_limit=self["invalid-limit"],
            heartbeat_interval=self["heartbeat-interval"],
            identify_window=self["identify-window"],
            replay_limit=self["replay-limit"],
            replay_age=self["replay-age"],
            host=self["host"],
            resume_host=self["resume-host"],
            journal_limit=_JOURNAL_LIMIT,
        )

    def listen_at(self) -> str:
        """The endpoint string."""
        return str(self["endpoint"] or f"tcp:{self['port']}:interface=127.0.0.1")

    def chose_resume_host(self) -> bool:
        """Whether the resume host is the operator's own wish: what can't be had then is an error."""
        return bool(self["resume-host"]) and self["resume-host"] != _DEFAULTS.resume_host
