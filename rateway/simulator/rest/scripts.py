"""Answers that a test wants, instead of the usual ones."""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import Factory, define

from .answers import Answer, Staged


@define
class _Script:
    path: re.Pattern[str]
    method: str
    answers: list[Answer | Staged]


@define
class Scripts:
    """Queues of answers, by path and method; the oldest that fits is used first."""

    _scripts: list[_Script] = Factory(list)

    def add(self, path: str, answers: Iterable[Answer | Staged], method: str) -> None:
        """
        :param path: ``{}`` stands for one part of it; ``*`` alone for every path.
        """
        parts = ("[^/]+" if part == "{}" else re.escape(part) for part in path.split("/"))
        pattern = re.compile(".*" if path == "*" else "/".join(parts))
        script = _Script(pattern, method, list(answers))
        if script.answers:
            self._scripts.append(script)

    def next(self, method: str, path: str) -> Answer | Staged | None:
        """The answer that is due, taken out."""
        for script in self._scripts:
            if script.method in ("*", method) and script.path.fullmatch(path):
                answer = script.answers.pop(0)
                if not script.answers:
                    self._scripts.remove(script)
                return answer
        return None

    def clear(self) -> None:
        self._scripts.clear()
