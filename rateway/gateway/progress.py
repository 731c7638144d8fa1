"""How the asking for member lists gets on, as the log tells it: at its beginning, every so often, and at its end.

A round lasts until nothing is left to be asked for. Of a round that is over soon only the end is told, and of many such
rounds only one end a minute, which then counts all since the last.
"""

from __future__ import annotations

from attrs import define

SETTLE = 5.0
"""Seconds from a round's beginning until it is told: the first guilds of a shard come one after the other."""

EVERY = 60.0
"""Seconds from one line to the next."""


@define
class Progress:
    """The counts of a round: guilds and members, wanted and come, and guilds of which nothing came."""

    _guilds: int = 0
    _members: int = 0
    _came: int = 0
    _members_came: int = 0
    _failed: int = 0
    _began: float | None = None
    _told: bool = False
    """Whether the round was told of before its end."""
    _last: float = float("-inf")
    """When the last line was told."""

    @property
    def next_time(self) -> float | None:
        """When :meth:`line` is to be asked next; ``None`` while there is nothing to tell. It may be past."""
        if self._began is None:
            return None
        if self._is_over:
            return self._began if self._told else self._last + EVERY
        return max(self._began + SETTLE, self._last + EVERY)

    def wanted(self, members: int, now: float) -> None:
        """A guild more is to be asked for, which has so many members."""
        if self._began is None:
            self._began = now
        self._guilds += 1
        self._members += members

    def came(self, members: int) -> None:
        """The members of one have come."""
        self._came += 1
        self._members_came += members

    def failed(self) -> None:
        """One is asked for no more, though its members didn't come."""
        self._failed += 1

    def dropped(self, members: int) -> None:
        """One is not to be asked for any more: it is gone, or its session is."""
        self._guilds -= 1
        self._members -= members

    def line(self, now: float) -> str | None:
        """What is to be told now, if anything is."""
        due = self.next_time
        if due is None or now < due:
            return None
        line = self._end(now) if self._is_over else self._middle()
        self._told, self._last = True, now
        if self._is_over:
            self._guilds = self._members = self._came = self._members_came = self._failed = 0
            self._began, self._told = None, False
        return line

    @property
    def _is_over(self) -> bool:
        return self._came + self._failed >= self._guilds

    def _middle(self) -> str:
        if not self._told:
            return f"asking Discord for the members of {_guilds(self._guilds)} ({self._members:,} members) so far"
        return (
            f"the members of {self._came:,} of {_guilds(self._guilds)} have come from Discord "
            f"({self._members_came:,} of {self._members:,} members)"
        )

    def _end(self, now: float) -> str | None:
        if not self._guilds or self._began is None:
            return None
        if self._failed:
            return (
                f"Discord sent the members of {self._came:,} guilds, and of {self._failed:,} it was asked for in vain: "
                "these are asked for again when it lists them anew, or a bot asks about their members"
            )
        took = max(1, round(now - self._began))
        return (
            f"the members of {_guilds(self._guilds)} ({self._members:,} members) have come from Discord, in {took:,} s"
        )


def _guilds(count: int) -> str:
    return "1 guild" if count == 1 else f"{count:,} guilds"
