"""What is written of the log: text or JSON lines, the operator's share of it only, and never a secret.

rateway's own modules don't log the token or the broker's password. The ``Redactor`` is a second net below that: it
sees every event before any observer does, whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TextIO
from urllib.parse import quote, unquote, urlsplit

import ujson
from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    eventAsText,
    formatEvent,
)
from zope.interface import implementer

REDACTED = "[redacted]"
_SHORTEST_SECRET = 6
_QUIET = ("twisted", "autobahn", "txaio", "log_legacy")
"""Namespaces that are heard from warnings on: their news is of factories and transports."""
_TOLD = ("twisted.scripts._twistd_unix", "twisted.application.app")


class Secrets:
    """Texts that must not be written, in the spellings they may take."""

    def __init__(self, texts: Iterable[str]) -> None:
        spellings = {form for text in texts for form in (text, quote(text, safe=""), unquote(text))}
        kept = {form for form in spellings if len(form) >= _SHORTEST_SECRET}
        self._forms = sorted(kept, key=len, reverse=True)

    def hide(self, text: str) -> str:
        """The text without them."""
        for form in self._forms:
            text = text.replace(form, REDACTED)
        return text

    def within(self, text: str) -> bool:
        """Whether one of them is in it."""
        return any(form in text for form in self._forms)


@implementer(ILogObserver)
class Redactor:
    """Rewrites, in place, events that would show a secret. It must be the first observer."""

    def __init__(self) -> None:
        self._secrets = Secrets(())

    def learn(self, token: str, *uris: str) -> None:
        """The token, and the passwords of URIs, are secrets from now on."""
        passwords = (urlsplit(uri).password for uri in uris)
        self._secrets = Secrets([token, *(password for password in passwords if password)])

    def __call__(self, event: LogEvent) -> None:
        whole = eventAsText(event, includeTimestamp=False, includeSystem=False)
        if self._secrets.within(whole):
            text = self._secrets.hide(whole)
            for key in ("log_failure", "failure", "isError", "why"):
                event.pop(key, None)
            event["log_format"] = event["format"] = "{redacted_text}"
            event["redacted_text"], event["log_text"] = text, text
            event["message"] = ()
        for key, value in tuple(event.items()):
            if isinstance(value, str) and self._secrets.within(value):
                event[key] = self._secrets.hide(value)


def make_observer(log_format: str, stream: TextIO) -> ILogObserver:
    """An observer for the operator's eyes (``text``) or machines (``json``)."""
    written: ILogObserver = JSONLines(stream) if log_format == "json" else TextLines(stream)
    predicate = LogLevelFilterPredicate(LogLevel.info)
    for namespace in _QUIET:
        predicate.setLogLevelForNamespace(namespace, LogLevel.warn)
    for namespace in _TOLD:
        predicate.setLogLevelForNamespace(namespace, LogLevel.info)
    return FilteringLogObserver(written, [predicate])


@implementer(ILogObserver)
class TextLines:
    """One line an event: time, level, where from, what; a traceback below it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: LogEvent) -> None:
        level = event.get("log_level", LogLevel.info).name
        text = _text(event).replace("\n", "\n    ")
        _write(self._stream, f"{_time(event)} {level:<8} [{_short(event)}] {text}\n")


@implementer(ILogObserver)
class JSONLines:
    """One JSON object an event, its fields beside the message."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: LogEvent) -> None:
        line = {
            "time": _time(event),
            "level": event.get("log_level", LogLevel.info).name,
            "logger": event.get("log_namespace", ""),
            "message": _text(event),
            **fields_of(event),
        }
        _write(self._stream, ujson.dumps(line, ensure_ascii=False, escape_forward_slashes=False) + "\n")


def fields_of(event: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    """What an event bears beside its text, as far as it is plain."""
    reserved = {"message", "format", "time", "level", "logger", "system", "isError", "failure", "redacted_text"}
    return {
        key: value
        for key, value in event.items()
        if isinstance(key, str)
        and not key.startswith("log_")
        and key not in reserved
        and isinstance(value, str | int | float | bool)
    }


def _text(event: LogEvent) -> str:
    if event.get("log_failure") is None:
        return formatEvent(event)
    return eventAsText(event, includeTimestamp=False, includeSystem=False).rstrip("\n")


def _short(event: LogEvent) -> str:
    """``rateway.shard.service.ShardService`` is ``shard.service`` to an operator."""
    parts = str(event.get("log_namespace") or "-").split(".")
    if parts[0] == "rateway":
        parts = [part for part in parts[1:] if not part[:1].isupper()] or parts
    return ".".join(parts)


def _time(event: LogEvent) -> str:
    moment = datetime.fromtimestamp(event.get("log_time") or 0.0, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _write(stream: TextIO, line: str) -> None:
    # If nobody reads any more, that must not be what ends a shard.
    with suppress(OSError, ValueError):
        stream.write(line)
        stream.flush()
