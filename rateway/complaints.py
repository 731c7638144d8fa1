"""PURE: how often a trouble that lasts is told: each kind of it at once, and then once a minute."""

from __future__ import annotations

import re

SAY_EVERY = 60.0
"""Seconds between two log lines about one kind of trouble."""

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def kind_of(sentence: str) -> str:
    """What a sentence is about: the same, whatever seconds, ports or codes it names."""
    return _NUMBER.sub("#", sentence)


class Complaints:
    """What was told, and when."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def worth_saying(self, sentence: str, now: float) -> bool:
        """Whether this trouble is to be told now; if so it counts as told.

        :param now: seconds, of any clock that only goes forward.
        """
        kind = kind_of(sentence)
        if now - self._said.get(kind, float("-inf")) < SAY_EVERY:
            return False
        self._said = {known: at for known, at in self._said.items() if now - at < SAY_EVERY}
        self._said[kind] = now
        return True

    def over(self) -> None:
        """The trouble passed: if it comes again, it is told at once."""
        self._said.clear()
