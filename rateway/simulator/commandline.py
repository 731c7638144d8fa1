"""The command line of ``twistd -n rateway-simulator``, and the help that teaches it; ``choices`` has the options."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from textwrap import wrap

from twisted.internet.endpoints import serverFromString
from twisted.python import usage

from rateway.model.intents import parse_intents

from .choices import GROUPS
from .options import SimulatorOptions
from .scenario.format import Scenario
from .scenario.reading import ScenarioError, listing, load
from .teaching import CONTROL, EXAMPLES, POINTING

_JOURNAL_LIMIT = 10_000
_DEFAULTS = SimulatorOptions()


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
        return "\n".join([*lines, "", POINTING, CONTROL, EXAMPLES])

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
            load_tick=self["load-tick"],
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
            replay_bytes=self["replay-bytes"],
            replay_age=self["replay-age"],
            reconnect_after=self["reconnect-after"] or 0.0,
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
