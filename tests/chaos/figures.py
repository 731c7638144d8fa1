"""What is counted over a run."""

from __future__ import annotations

from collections import Counter

from attrs import define, field

MIB = 1024 * 1024


@define
class Figures:
    """Sums and peaks; a soak's report is made of them.

    :ivar faults: how many of each kind.
    :ivar events: that Discord sent; ``duplicates`` those that came more than once; ``late`` those that a killed broker
        had lost, but not the events behind them.
    :ivar refused_by_disk: how often a cluster found no room for its events and stopped reading.
    :ivar longest_stop: seconds from SIGTERM to the end, but for those in which the machine let others run;
        ``longest_by_clock`` with them; ``longest_early_stop`` where it was still starting.
    :ivar parent_peak: most bytes of memory of its own that a parent had; ``child_peak`` a child.
    :ivar entities: things the cache was asked for and had right.
    """

    faults: Counter[str] = field(factory=Counter)
    checks: int = 0
    events: int = 0
    duplicates: int = 0
    late: int = 0
    resumes: int = 0
    identifies: int = 0
    starts: int = 0
    refused_by_disk: int = 0
    longest_stop: float = 0.0
    longest_early_stop: float = 0.0
    longest_by_clock: float = 0.0
    parent_peak: int = 0
    child_peak: int = 0
    entities: int = 0
    seconds: float = 0.0

    def add(self, other: Figures) -> None:
        """Those of another run too."""
        self.faults += other.faults
        for name in (
            "checks",
            "events",
            "duplicates",
            "late",
            "resumes",
            "identifies",
            "starts",
            "refused_by_disk",
            "entities",
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("longest_stop", "longest_early_stop", "longest_by_clock", "parent_peak", "child_peak", "seconds"):
            setattr(self, name, max(getattr(self, name), getattr(other, name)))

    def report(self) -> str:
        """For a person."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.faults.items()))
        child = f"{self.child_peak / MIB:.0f}"
        return "\n".join(
            (
                f"faults      {self.faults.total()} in {self.seconds:.0f} s: {kinds}",
                f"checks      {self.checks}, {self.entities} entities of the cache compared",
                f"events      {self.events} sent, all of them arrived, {self.duplicates} came more than once, "
                f"{self.late} were lost by a killed broker amid others, and came behind them",
                f"sessions    {self.identifies} identified, {self.resumes} times resumed",
                f"rateway     started {self.starts} times; {self.refused_by_disk} times a cluster found its disk full",
                f"SIGTERM     {self.longest_stop:.2f} s at most, {self.longest_early_stop:.2f} s amid the start; "
                f"by the clock, with what the machine gave to others, {self.longest_by_clock:.2f} s",
                f"memory      at most {self.parent_peak / MIB:.0f} MiB a parent, {child} MiB a child",
            )
        )
