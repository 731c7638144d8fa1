"""How a scenario went, as values and as words."""

from __future__ import annotations

from attrs import frozen


@frozen
class Verdict:
    """One expectation: whether it was met, and if not, why."""

    words: str
    met: bool
    reason: str = ""

    def __str__(self) -> str:
        if self.met:
            return f"met: {self.words}"
        return f"failed: {self.words}: {self.reason}"


@frozen
class Report:
    """One run of one case.

    :ivar trouble: what went wrong besides: no client came, a step could not be done, a rule was broken.
    :ivar unseen: what the client must have done besides, which nobody looked at.
    """

    name: str
    verdicts: tuple[Verdict, ...]
    trouble: tuple[str, ...]
    duration: float
    unseen: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        """Whether the client did all it must."""
        return not self.trouble and all(verdict.met for verdict in self.verdicts)

    @property
    def failures(self) -> list[str]:
        """Why it didn't hold, a sentence each."""
        return [*self.trouble, *(f"{each.words}: {each.reason}" for each in self.verdicts if not each.met)]

    def __str__(self) -> str:
        """The last line."""
        return f"scenario {self.name}: {'held' if self.held else 'failed: ' + '; '.join(self.failures)}"


def as_json(reports: tuple[Report, ...]) -> dict[str, object]:
    """For those who asked by HTTP."""
    return {
        "held": all(report.held for report in reports),
        "runs": [
            {
                "name": report.name,
                "held": report.held,
                "failures": report.failures,
                "expectations": [
                    {"that": each.words, "met": each.met, "reason": each.reason} for each in report.verdicts
                ],
                "unseen": list(report.unseen),
                "seconds": round(report.duration, 3),
            }
            for report in reports
        ],
    }
