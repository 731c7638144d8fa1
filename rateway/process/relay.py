"""A child's log lines, into the parent's log, with their level and whose they are.

A child writes its log as JSON lines (``rateway.logs``). What is no such line is the interpreter's or a library's own
word, and relayed as it is.
"""

from __future__ import annotations

from datetime import datetime

import ujson
from twisted.logger import InvalidLogLevelError, Logger, LogLevel

LONGEST = 1 << 15
_OWN = frozenset({"time", "level", "logger", "message", "format", "self"})


class Relay:
    """One output of one child.

    :param default: the level of lines that don't tell theirs.
    """

    def __init__(self, child: int, default: str = "info") -> None:
        self._child = child
        self._default = LogLevel.levelWithName(default)
        self._rest = b""

    def received(self, data: bytes) -> None:
        """Some bytes of the output; whole lines are logged."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line)
        if len(self._rest) > LONGEST:
            self.ended()

    def ended(self) -> None:
        """No more comes."""
        rest, self._rest = self._rest, b""
        self._line(rest)

    def _line(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        if not text:
            return
        try:
            told = ujson.loads(text)
        except ValueError:
            told = None
        if not isinstance(told, dict) or not isinstance(told.get("message"), str):
            told = {"message": text}
        try:
            level = LogLevel.levelWithName(str(told.get("level")))
        except InvalidLogLevelError:
            level = self._default
        fields = {key: value for key, value in told.items() if key not in _OWN and not key.startswith("log_")}
        fields |= {"child": self._child, "log_relayed": told["message"]}
        if isinstance(told.get("time"), str):
            fields["log_time"] = _moment(told["time"])
        namespace = told.get("logger")
        logger = Logger(namespace if isinstance(namespace, str) and namespace else "rateway.process.relay")
        logger.emit(level, "child {child}: {log_relayed}", **{k: v for k, v in fields.items() if v is not None})


def _moment(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
