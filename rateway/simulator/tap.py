"""``twistd -n rateway-simulator``: its options, and the service they build."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python import usage

from rateway.model.intents import parse_intents
from rateway.simulator.options import SimulatorOptions
from rateway.simulator.simulator import Simulator

_JOURNAL_LIMIT = 10_000
_DEFAULTS = SimulatorOptions()
_TEACHING = """
REST and gateway share one port. Point your bot at it by its base URL; rateway:
  DISCORD_API_URL=http://127.0.0.1:8800/api/v10 DISCORD_TOKEN=simulator-token
Guilds, members and messages are made up from --seed, the same each time.

Discord's rules are enforced as Discord does it, and each breach is a line in
the log: one IDENTIFY per key and 5 s, the daily allowance, 120 payloads per
60 s, 4096 bytes per payload, late heartbeats, wrong sequences, and more.
Sessions are resumed at another address of this machine (127.0.0.2).
Ctrl-C ends it with a summary.

Examples:
  twistd -n rateway-simulator
      one shard, four guilds, silence
  twistd -n rateway-simulator --shards 4 --guilds 40 --rate 20
      recommends four shards; 20 events a second, most of them messages
  twistd -n rateway-simulator --shards 32 --max-concurrency 16 --guilds 3000
      a large bot
  twistd -n rateway-simulator --session-remaining 2 --intents GUILD_MEMBERS
      two IDENTIFYs left today; presences and message contents not enabled
"""


def _whole(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError("it must not be negative")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError("it must be a number from 0 up")
    return value


class Options(usage.Options):
    """The command line."""

    synopsis = "[options]"
    longdesc = "A Discord that runs on your machine, for trying a bot or a gateway without a token that could be lost."

    optParameters = [
        ["port", "p", 8800, "TCP port, on 127.0.0.1 only; 0 takes a free one and says which.", _whole],
        ["endpoint", "e", None, "Listen at this Twisted endpoint instead (ssl:… makes the addresses https and wss)."],
        ["shards", "s", _DEFAULTS.shards, "How many shards GET /gateway/bot recommends.", _whole],
        [
            "max-concurrency",
            None,
            _DEFAULTS.max_concurrency,
            "IDENTIFYs allowed at once (session_start_limit).",
            _whole,
        ],
        ["guilds", "g", _DEFAULTS.guilds, "Guilds in the world.", _whole],
        ["members", "m", _DEFAULTS.members, "Members of a guild, on average.", _whole],
        ["rate", "r", _DEFAULTS.rate, "Events a second in the whole world, most of them messages.", _seconds],
        ["seed", None, _DEFAULTS.seed, "The same seed makes the same world.", int],
        ["token", "t", _DEFAULTS.token, "The bot's token."],
        ["intents", None, "", "Privileged intents enabled in the made-up portal, by name (default: all)."],
        ["session-total", None, _DEFAULTS.session_total, "IDENTIFYs allowed a day.", _whole],
        ["session-remaining", None, None, "How many of them are left (default: all).", _whole],
        ["heartbeat-interval", None, _DEFAULTS.heartbeat_interval, "Seconds, as announced by HELLO.", _seconds],
        ["identify-window", None, _DEFAULTS.identify_window, "Seconds an IDENTIFY keeps its key.", _seconds],
        ["replay-limit", None, _DEFAULTS.replay_limit, "Events a session keeps for a RESUME.", _whole],
        ["replay-age", None, _DEFAULTS.replay_age, "Seconds a session outlives its connection.", _seconds],
        ["host", None, "", "The host name in the addresses handed out (default: the address listened on)."],
        ["resume-host", None, _DEFAULTS.resume_host, "Where sessions are resumed; empty: the same host."],
    ]

    def getUsage(self, width: int | None = None) -> str:
        """The options, then how to use them; only this part keeps its lines."""
        return f"{super().getUsage(width)}{_TEACHING}"

    def postOptions(self) -> None:
        """Turn the words into options; what can't be used is said in one line."""
        try:
            self.chosen = self._choose()
        except ValueError as error:
            raise usage.UsageError(str(error)) from None
        if self.chosen.shards < 1 or self.chosen.max_concurrency < 1:
            raise usage.UsageError("--shards and --max-concurrency must be at least 1")

    def _choose(self) -> SimulatorOptions:
        total, remaining = self["session-total"], self["session-remaining"]
        return SimulatorOptions(
            shards=self["shards"],
            max_concurrency=self["max-concurrency"],
            guilds=self["guilds"],
            members=self["members"],
            rate=self["rate"],
            seed=self["seed"],
            token=self["token"],
            allowed_intents=parse_intents(self["intents"]) if self["intents"] else _DEFAULTS.allowed_intents,
            session_total=total,
            session_remaining=total if remaining is None else remaining,
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


@define(eq=False)
class SimulatorService(Service):
    """Runs a simulator; at the end it says what happened."""

    _log = Logger()

    reactor: Any
    options: SimulatorOptions
    endpoint: str
    simulator: Simulator = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.simulator = Simulator(self.reactor, self.options)

    def startService(self) -> None:
        super().startService()
        started = Deferred.fromCoroutine(self.simulator.start(self.endpoint))
        started.addErrback(self._failed)

    def _failed(self, failure: Any) -> None:
        self._log.error(
            "the simulator can't listen at {endpoint}: {error}", endpoint=self.endpoint, error=failure.value
        )
        if self.reactor.running:
            self.reactor.stop()

    async def _stop(self) -> None:
        await self.simulator.stop()
        self._log.info("summary: {summary}", summary=self.simulator.summary())
        for breach in self.simulator.breaches:
            self._log.info(
                "  {rule}, shard {shard}: {detail}", rule=breach.rule, shard=breach.shard, detail=breach.detail
            )

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return Deferred.fromCoroutine(self._stop())


def makeService(options: Options, reactor: Any = None) -> SimulatorService:
    """What twistd runs."""
    if reactor is None:
        from twisted.internet import reactor
    return SimulatorService(reactor, options.chosen, options.listen_at())
