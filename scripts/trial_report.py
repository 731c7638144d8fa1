"""Reads what trial printed: how many tests passed, and which did not."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_VERDICT = re.compile(r"^(?:PASSED|FAILED)(?: \((?P<counts>[^)]*)\))?\s*$")
_HEADING = re.compile(r"^\[(?:FAIL|ERROR|SUCCESS!\?!\?)\]\s*$")
_TEST_NAME = re.compile(r"^\w+(?:\.\w+)+\s*$")
_BAD = ("failures", "errors", "unexpectedSuccesses")


@dataclass
class TrialReport:
    """What one run of trial told.

    :ivar finished: it got as far as a verdict; without one the numbers mean nothing.
    :ivar names: the tests that failed, each once.
    """

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    finished: bool = False
    names: list[str] = field(default_factory=list)


def read_report(output: str) -> TrialReport:
    """The report of a run, from all that it printed."""
    report = TrialReport()
    inside = False
    for line in output.splitlines():
        if _HEADING.match(line):
            inside = True
        elif line.startswith(("=====", "-----")):
            inside = False
        elif inside and _TEST_NAME.match(line):
            if line.strip() not in report.names:
                report.names.append(line.strip())
        elif verdict := _VERDICT.match(line):
            counts = dict(pair.split("=") for pair in (verdict["counts"] or "").split(", ") if "=" in pair)
            report.passed = int(counts.get("successes", 0))
            report.failed = sum(int(counts.get(kind, 0)) for kind in _BAD)
            report.skipped = int(counts.get("skips", 0))
            report.finished = True
    return report
