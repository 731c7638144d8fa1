"""A bot by another library: a process that reports, by lines of JSON on stdout, what the library tells it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from scripts import strangers
from tests.support.waiting import PATIENCE

_CLIENTS = Path(__file__).parent / "clients"
_POLL = 0.02
_SHOWN = 60
"""Lines of its log that a failure shows."""


@define
class Reports:
    """What the bot has reported, oldest first; per shard where the library says which.

    :ivar ready: the guilds of each READY, by shard.
    :ivar members: how many members it knows of a guild, as said last.
    :ivar messages: ``(id, content)``, by shard.
    :ivar resumed: how often the library said that a session was resumed, by shard.
    :ivar dispatches: ``(name, d)`` of every dispatch.
    """

    ready: dict[int, list[set[int]]] = field(factory=dict)
    members: dict[int, int] = field(factory=dict)
    messages: dict[int, list[tuple[str, str]]] = field(factory=dict)
    resumed: dict[int, int] = field(factory=dict)
    dispatches: list[tuple[str, Any]] = field(factory=list)

    def take(self, report: Mapping[str, Any]) -> None:
        """One more."""
        what, shard = report["what"], report.get("shard", -1)
        if what == "ready":
            self.ready.setdefault(shard, []).append({int(id) for id in report["guilds"]})
            for id, members in report["guilds"].items():
                if members is not None:
                    self.members[int(id)] = members
        elif what == "guild":
            self.members[int(report["id"])] = report["members"]
        elif what == "message":
            self.messages.setdefault(shard, []).append((report["id"], report["content"]))
        elif what == "resumed":
            self.resumed[shard] = self.resumed.get(shard, 0) + 1
        elif what == "dispatch":
            self.dispatches.append((report["name"], report["d"]))
        else:
            raise ValueError(f"the bot reports {what!r}, which nobody knows")


class Stranger(ProcessProtocol):
    """A running bot.

    :param client: the script's name; what ends with ``.cjs`` is run by Node, all else by Python.
    :ivar reports: what it reported.
    :ivar log: what it and its library wrote to stderr, by line.
    :ivar exit_code: once it ended; negative for a signal.
    """

    def __init__(self, reactor: Any, client: str, *arguments: str) -> None:
        self._reactor = reactor
        self._said = {1: b"", 2: b""}
        self.reports = Reports()
        self.log: list[str] = []
        self.exit_code: int | None = None
        self.ended: Deferred[None] = Deferred()
        program = strangers.NODE if client.endswith(".cjs") else strangers.PYTHON
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self._process = reactor.spawnProcess(
            self,
            str(program),
            [str(program), str(_CLIENTS / client), *arguments],
            env={**inherited, "NODE_PATH": str(strangers.NODE_MODULES), "NO_PROXY": "*"},
        )

    async def until(self, met: Callable[[], object], what: str, timeout: float = PATIENCE) -> None:
        """Wait for a condition, no longer than the bot lives.

        :raises AssertionError: naming what didn't happen, with the end of the bot's log.
        """
        deadline = self._reactor.seconds() + timeout
        while not met():
            if self.exit_code is not None:
                raise AssertionError(self.blame(f"the bot ended with {self.exit_code}, while waiting for: {what}"))
            if self._reactor.seconds() > deadline:
                raise AssertionError(self.blame(f"waited {timeout:g} s in vain for: {what}"))
            await deferLater(self._reactor, _POLL, lambda: None)

    def blame(self, sentence: str) -> str:
        """The sentence, and the end of the bot's log."""
        return "\n".join([sentence, "the bot's log ends so:", *self.log[-_SHOWN:]])

    async def leave(self, timeout: float = PATIENCE) -> int:
        """Ask it to leave by closing its stdin; its exit code."""
        self._process.closeStdin()
        return await self.ends(timeout)

    async def ends(self, timeout: float = PATIENCE) -> int:
        """Wait for its end, which is enforced after a while; its exit code."""
        waiting = self._reactor.callLater(timeout, self._kill)
        await self.ended
        if waiting.active():
            waiting.cancel()
        assert self.exit_code is not None
        return self.exit_code

    async def remove(self) -> None:
        """End it by force, if it still runs."""
        if self.exit_code is None:
            self._kill()
            await self.ended

    def _kill(self) -> None:
        try:
            self._process.signalProcess(signal.SIGKILL.name.removeprefix("SIG"))
        except ProcessExitedAlready:
            self.log.append("it had ended already")

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        *lines, self._said[childFD] = (self._said[childFD] + data).split(b"\n")
        for line in lines:
            text = line.decode("utf-8", "replace")
            if childFD == 1 and text.startswith("{"):
                self.reports.take(json.loads(text))
            else:
                self.log.append(text)

    def processEnded(self, reason: Failure) -> None:
        value: Any = reason.value
        self.exit_code = value.exitCode if value.signal is None else -value.signal
        self.ended.callback(None)
